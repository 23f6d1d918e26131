/* unit.h - what every cmocka program includes: the framework and the headers it forgets. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

/* Compare codes by name, so that a failure reads "token-form != token-alg". */
#define assert_err(got, want) assert_string_equal(err_name(got), err_name(want))

#endif
