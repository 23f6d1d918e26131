# For developers: make format, check-format, lint, compile_commands.json, manual, coverage, crash, duel, duel-asan,
# duel-tsan, bench, bench-validation, bench-policy, bench-inbox.

c_files = find $(srcdir)/src $(srcdir)/tests -name '*.[ch]'
lint_flags = $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS)
lint_sources = $(libconnect_webhook_a_SOURCES) $(connect_webhook_SOURCES) $(connect_webhook_fcgi_SOURCES) \
	$(connect_webhook_spawner_SOURCES) $(connect_sim_SOURCES)

.PHONY: format check-format lint lint-tools clang-tidy cppcheck manual coverage crash duel \
	duel-asan duel-tsan bench bench-validation bench-policy bench-inbox

format:
	$(c_files) -exec clang-format -i {} +

check-format:
	$(c_files) -exec clang-format --dry-run -Werror {} +

lint: check-format clang-tidy cppcheck

# Other versions lay code out otherwise, and find other things: here is whose word counts.
LINT_TOOLS = "clang-format 14" "clang-tidy 14" "cppcheck 2.10"
lint-tools:
	@for tool in $(LINT_TOOLS); do \
	  name=$${tool% *}; $$name --version | grep -qiE "version $${tool#* }\.|cppcheck $${tool#* }$$" || \
	    { echo "the code is checked with $$tool, and this is another version: $$($$name --version)"; exit 1; }; \
	done

# How each file is compiled, for clang-tidy, cppcheck and editors.
CLEANFILES += compile_commands.json
compile_commands.json: Makefile
	$(AM_V_GEN)set -- $(CC) $(lint_flags) -c; command=; \
	for a; do command="$$command$$(printf %s "$$a" | $(SED) 's/["\\]/\\\\\\&/g') "; done; \
	for f in $(lint_sources); do case $$f in *.c) echo "$(abs_srcdir)/$$f" ;; esac; done | sort -u | \
	while read -r f; do \
	  printf '%s{"directory": "$(abs_builddir)", "file": "%s", "command": "%s%s"}\n' \
	    "$${sep-[}" "$$f" "$$command" "$$f"; sep=,; \
	done >$@ && echo ']' >>$@

# One process a file, as many at a time as there are processors.
clang-tidy: config.h compile_commands.json
	$(SED) -n 's/.*"file": "\([^"]*\)".*/\1/p' compile_commands.json | \
	  xargs -P "$$(nproc)" -n 1 clang-tidy --quiet --config-file=$(srcdir)/.clang-tidy -p .

# NULL is a pointer on every system with POSIX: varFuncNullUB is about others.
cppcheck: config.h compile_commands.json
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --suppress=varFuncNullUB --error-exitcode=1 -j "$$(nproc)" \
	    --project=compile_commands.json

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
	    $(srcdir)/tests/integration/test_crash.py $(srcdir)/tests/integration/test_killed.py \
	    $(srcdir)/tests/integration/test_spawner_storm.py -s

# The program against a model of the world: tests/duel/README.
SEED = 1
duel: all tests/duel/oracle$(EXEEXT)
	CW_BUILD=$(abs_builddir) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) \
	    $(srcdir)/tests/duel/duel.py --seconds $(SECONDS) --seed $(SEED) $(DUEL)

duel-asan duel-tsan:
	case $@ in *asan) with=address,undefined ;; *) with=thread ;; esac; \
	$(MKDIR_P) $@-build && cd $@-build && { test -e config.status || \
	    $(abs_srcdir)/configure --enable-developer CC='$(CC)' --with-sanitizer=$$with; } && \
	    $(MAKE) duel SECONDS=$(SECONDS) SEED=$(SEED) DUEL='$(DUEL)'

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
