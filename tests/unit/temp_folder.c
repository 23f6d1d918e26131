/* temp_folder.c - /dev/shm, or /tmp. */
#include "temp_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

void temp_folder_make(char ret[TEMP_FOLDER_MAX])
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(ret, TEMP_FOLDER_MAX, "%s/cw-unit.XXXXXX", parent);
    assert_non_null(mkdtemp(ret));
}

void temp_folder_remove(const char *folder)
{
    char command[TEMP_FOLDER_MAX + 16];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}
