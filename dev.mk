# For developers: make format, check-format, lint, manual, coverage, crash, bench, bench-validation,
# bench-policy, bench-inbox.

c_files = find $(srcdir)/src $(srcdir)/tests -name '*.[ch]'
lint_flags = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS)

.PHONY: format check-format lint clang-tidy cppcheck manual coverage crash bench \
	bench-validation bench-policy bench-inbox

format:
	$(c_files) -exec clang-format -i {} +

check-format:
	$(c_files) -exec clang-format --dry-run -Werror {} +

lint: check-format clang-tidy cppcheck

# One process a file, as many at a time as there are processors.
clang-tidy: config.h
	find $(srcdir)/src -name '*.c' -print0 | xargs -0 -P "$$(nproc)" -I{} \
	    clang-tidy --quiet --config-file=$(srcdir)/.clang-tidy {} -- $(lint_flags)

# NULL is a pointer on every system with POSIX: varFuncNullUB is about others.
cppcheck: config.h
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --suppress=varFuncNullUB --error-exitcode=1 -j "$$(nproc)" \
	    --include=config.h -D_GNU_SOURCE -DSYSCONFDIR='""' -I $(srcdir)/src $(srcdir)/src

# What the manual says of the classes, from their descriptors. A test compares.
manual: connect-webhook$(EXEEXT)
	$(srcdir)/doc/actions.py ./connect-webhook$(EXEEXT)

# After configure --enable-coverage: what the tests reach, as coverage/index.html.
coverage: check
	$(MKDIR_P) coverage
	gcovr --root $(srcdir) --filter '$(srcdir)/src/' --object-directory . \
	    --html-details coverage/index.html --print-summary

# What is killed at random, for longer than `make check` does it.
SECONDS = 60
crash: all
	CW_SECONDS=$(SECONDS) tests/integration/run-pytest \
	    $(srcdir)/tests/integration/test_crash.py $(srcdir)/tests/integration/test_killed.py -s

# How many calls a second, as ratios to the least that could answer (tests/bench/throughput.py).
ROUNDS = 5
bench: all tests/integration/responder$(EXEEXT) tests/bench/least$(EXEEXT)
	BUILDDIR=$(abs_builddir) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) \
	    $(srcdir)/tests/bench/throughput.py --rounds $(ROUNDS) $(BENCH) $(abs_builddir)

# How long a form waits for its answer, as ratios to the transport alone (tests/bench/validation.py);
# and one that a program answers (tests/bench/policy.py).
CALLS = 1000
bench-validation bench-policy: all tests/integration/responder$(EXEEXT)
	BUILDDIR=$(abs_builddir) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) \
	    $(srcdir)/tests/bench/$(@:bench-%=%).py $(abs_builddir) $(CALLS)

# How many calls the inbox stores a second, and how many tasks it gives, as ratios (tests/bench/inbox.c).
bench-inbox: tests/bench/inbox$(EXEEXT)
	tests/bench/inbox$(EXEEXT) $(abs_builddir)
