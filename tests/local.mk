# Unit tests: one cmocka program a room, named after it. Integration tests: pytest files.

base_tests = \
	tests/unit/test_b64 \
	tests/unit/test_buf \
	tests/unit/test_clk \
	tests/unit/test_http \
	tests/unit/test_jsonx \
	tests/unit/test_log \
	tests/unit/test_mask \
	tests/unit/test_metric \
	tests/unit/test_quantity \
	tests/unit/test_rql \
	tests/unit/test_secret \
	tests/unit/test_utf8 \
	tests/unit/test_waits \
	tests/unit/test_yamlx

event_tests = \
	tests/unit/test_event \
	tests/unit/test_object_class

transport_tests = \
	tests/unit/test_fcgi_codec \
	tests/unit/test_fcgi_peers \
	tests/unit/test_request \
	tests/unit/test_response

conf_tests = \
	tests/unit/test_conf

auth_tests = \
	tests/unit/test_bearer \
	tests/unit/test_jwt \
	tests/unit/test_keyring

inbox_tests = \
	tests/unit/test_filelock \
	tests/unit/test_inbox \
	tests/unit/test_inbox_sqlite \
	tests/unit/test_rows \
	tests/unit/test_sqlite_clock \
	tests/unit/test_sqlite_db

api_tests = \
	tests/unit/test_api \
	tests/unit/test_clients \
	tests/unit/test_rate

policy_tests = \
	tests/unit/test_check \
	tests/unit/test_exec \
	tests/unit/test_form \
	tests/unit/test_passwords \
	tests/unit/test_policy \
	tests/unit/test_quote \
	tests/unit/test_rules \
	tests/unit/test_session

processors_tests = \
	tests/unit/test_fulfillment_request \
	tests/unit/test_job \
	tests/unit/test_other_classes \
	tests/unit/test_validation

tasks_tests = \
	tests/unit/test_fingerprint \
	tests/unit/test_hold \
	tests/unit/test_mark \
	tests/unit/test_queues \
	tests/unit/test_work

web_tests = \
	tests/unit/test_answer \
	tests/unit/test_hook \
	tests/unit/test_pool

cmd_tests = \
	tests/unit/test_cmd

sim_tests = \
	tests/unit/test_calls \
	tests/unit/test_store

# The server that tests of clients talk to, and other stand-ins.
fake_http = tests/unit/fake_http.c tests/unit/fake_http.h
fake_api = tests/unit/fake_api.c tests/unit/fake_api.h $(fake_http)
temp_folder = tests/unit/temp_folder.c tests/unit/temp_folder.h
fake_inbox = tests/unit/fake_inbox.c tests/unit/fake_inbox.h $(temp_folder)
append = tests/unit/append.c tests/unit/append.h
carry_out = tests/unit/carry_out.c tests/unit/carry_out.h $(fake_api)
programs = tests/unit/programs.c tests/unit/programs.h
tests_unit_test_api_SOURCES = tests/unit/test_api.c $(fake_api)
tests_unit_test_clients_SOURCES = tests/unit/test_clients.c $(fake_api)
tests_unit_test_exec_SOURCES = tests/unit/test_exec.c $(programs)
tests_unit_test_fulfillment_request_SOURCES = tests/unit/test_fulfillment_request.c $(carry_out)
tests_unit_test_hold_SOURCES = tests/unit/test_hold.c $(fake_inbox)
tests_unit_test_hook_SOURCES = tests/unit/test_hook.c $(fake_api) $(fake_inbox)
tests_unit_test_http_SOURCES = tests/unit/test_http.c $(fake_http)
tests_unit_test_inbox_SOURCES = tests/unit/test_inbox.c $(append) $(temp_folder)
tests_unit_test_inbox_sqlite_SOURCES = tests/unit/test_inbox_sqlite.c $(append) $(temp_folder)
tests_unit_test_job_SOURCES = tests/unit/test_job.c $(carry_out)
tests_unit_test_mark_SOURCES = tests/unit/test_mark.c $(fake_inbox)
tests_unit_test_other_classes_SOURCES = tests/unit/test_other_classes.c $(carry_out)
tests_unit_test_queues_SOURCES = tests/unit/test_queues.c $(fake_api) $(fake_inbox)
tests_unit_test_session_SOURCES = tests/unit/test_session.c $(programs)
tests_unit_test_sqlite_clock_SOURCES = tests/unit/test_sqlite_clock.c $(temp_folder)
tests_unit_test_sqlite_db_SOURCES = tests/unit/test_sqlite_db.c $(temp_folder)
tests_unit_test_work_SOURCES = tests/unit/test_work.c $(fake_api) $(fake_inbox)

# Rooms of programs, which are in no archive.
tests_unit_test_cmd_SOURCES = tests/unit/test_cmd.c src/cmd/cmd.c src/cmd/cmd.h
tests_unit_test_calls_SOURCES = tests/unit/test_calls.c src/sim/calls.c src/sim/calls.h
tests_unit_test_store_SOURCES = tests/unit/test_store.c src/sim/list.c src/sim/store.c \
	src/sim/store.h src/sim/store_priv.h

unit_programs = $(base_tests) $(event_tests) $(transport_tests) $(conf_tests) $(auth_tests) \
	$(inbox_tests) $(api_tests) $(policy_tests) $(processors_tests) $(tasks_tests) \
	$(web_tests) $(cmd_tests) $(sim_tests)

EXTRA_DIST += tests/unit/without-cmocka
if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs)
unit_tests = $(unit_programs)
else
unit_tests = tests/unit/without-cmocka
endif

# Fuzz targets, as tests that replay their corpus.
fuzz_tests = \
	tests/fuzz/fuzz_fcgi \
	tests/fuzz/fuzz_jsonx \
	tests/fuzz/fuzz_jwt \
	tests/fuzz/fuzz_validation

check_PROGRAMS += $(fuzz_tests)
tests_fuzz_fuzz_fcgi_SOURCES = tests/fuzz/fuzz_fcgi.c tests/fuzz/replay.c
tests_fuzz_fuzz_jsonx_SOURCES = tests/fuzz/fuzz_jsonx.c tests/fuzz/replay.c
tests_fuzz_fuzz_jwt_SOURCES = tests/fuzz/fuzz_jwt.c tests/fuzz/replay.c
tests_fuzz_fuzz_validation_SOURCES = tests/fuzz/fuzz_validation.c tests/fuzz/replay.c
EXTRA_DIST += tests/fuzz/fuzz_fcgi.in tests/fuzz/fuzz_jsonx.in tests/fuzz/fuzz_jwt.in \
	tests/fuzz/fuzz_validation.in

# Integration tests: each file runs by itself, beside the others. How long each took is in its .trs file, and
# contrib/check.sh shows the ten slowest: one that takes more than 30 seconds should be several.
TEST_EXTENSIONS = .py
LOG_DRIVER = $(SHELL) $(top_srcdir)/tests/timed-driver
PY_LOG_DRIVER = $(LOG_DRIVER)
PY_LOG_COMPILER = $(top_builddir)/tests/integration/run-pytest
check_SCRIPTS += tests/integration/run-pytest
EXTRA_DIST += tests/timed-driver

# The longest of all, the longest first: they begin before the others, so that at the end no processor waits for one.
long_tests = \
	tests/integration/test_verbs_errors.py \
	tests/integration/test_contrib.py \
	tests/integration/test_readme.py \
	tests/integration/test_workers_answers.py \
	tests/integration/test_verbs_unknown.py \
	tests/integration/test_validation.py \
	tests/integration/test_classes.py \
	tests/integration/test_odd_shapes.py \
	tests/integration/test_programs_bad.py \
	tests/integration/test_end_to_end.py \
	tests/integration/test_signals.py \
	tests/integration/test_programs.py \
	tests/integration/test_crash.py

short_tests = \
	tests/integration/test_admin.py \
	tests/integration/test_billing.py \
	tests/integration/test_cgi.py \
	tests/integration/test_check.py \
	tests/integration/test_classes_order.py \
	tests/integration/test_fcgi.py \
	tests/integration/test_fcgi_listen.py \
	tests/integration/test_fcgi_nginx.py \
	tests/integration/test_fronts.py \
	tests/integration/test_guard.py \
	tests/integration/test_handler.py \
	tests/integration/test_help.py \
	tests/integration/test_hook.py \
	tests/integration/test_killed.py \
	tests/integration/test_log.py \
	tests/integration/test_new_class.py \
	tests/integration/test_operator.py \
	tests/integration/test_operator_repairs.py \
	tests/integration/test_owners.py \
	tests/integration/test_policy.py \
	tests/integration/test_poll.py \
	tests/integration/test_quickstart.py \
	tests/integration/test_remembered.py \
	tests/integration/test_send.py \
	tests/integration/test_spawner.py \
	tests/integration/test_tls.py \
	tests/integration/test_token.py \
	tests/integration/test_validation_forms.py \
	tests/integration/test_verbs.py \
	tests/integration/test_workers.py \
	tests/integration/test_workers_hanging.py \
	tests/integration/test_workers_outcomes.py \
	tests/integration/test_workers_trouble.py

# What the other tests stand on; no build but the first can make a difference to it.
ground_tests = \
	tests/integration/test_duel_scripts.py \
	tests/integration/test_duel.py \
	tests/integration/test_ground.py \
	tests/integration/test_shims.py \
	tests/integration/test_sim.py \
	tests/integration/test_sim_faults.py \
	tests/integration/test_sim_kinds.py \
	tests/integration/test_sim_openapi.py \
	tests/integration/test_sim_requests.py \
	tests/integration/test_sim_sdk.py

# What measures, or keeps the machine busy: contrib/check.sh runs it when all others have ended, one by one.
alone_tests = \
	tests/integration/test_costs.py \
	tests/integration/test_fcgi_storm.py \
	tests/integration/test_operator_many.py \
	tests/integration/test_retention.py \
	tests/integration/test_spawner_storm.py

# For a build that does not run them all: one file from the web server to the API, and those where it makes a difference
# who runs them.
user_tests = \
	tests/integration/test_check.py \
	tests/integration/test_end_to_end.py \
	tests/integration/test_fcgi_listen.py \
	tests/integration/test_guard.py \
	tests/integration/test_programs_bad.py \
	tests/integration/test_signals.py

integration_tests = $(long_tests) $(short_tests) $(ground_tests) $(alone_tests)

# What they share, and what they talk to.
integration_helpers = \
	tests/integration/calls.py \
	tests/integration/classes.py \
	tests/integration/conftest.py \
	tests/integration/crash.py \
	tests/integration/fcgi_client.py \
	tests/integration/fcgi_responder.py \
	tests/integration/forms.py \
	tests/integration/fronts.py \
	tests/integration/gate.py \
	tests/integration/http_server.py \
	tests/integration/inbox_rows.py \
	tests/integration/openapi.py \
	tests/integration/operating.py \
	tests/integration/powerloss.py \
	tests/integration/programs.py \
	tests/integration/responder.py \
	tests/integration/sdk.js \
	tests/integration/servers.py \
	tests/integration/sims.py \
	tests/integration/small_connect.py \
	tests/integration/verbs.py \
	tests/integration/working.py

# Shims for LD_PRELOAD: faults that tests put into programs. A sanitizer must come before every
# other library, so a build that has one has no shims, and the tests that need them are skipped.
shim_flags = -std=gnu11 -D_GNU_SOURCE -O2 -fPIC -shared $(WARN_CFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
EXTRA_DIST += tests/shims/count.c tests/shims/crash.c tests/shims/powerloss.c
check_PROGRAMS += tests/shims/sql
tests_shims_sql_LDADD = $(SQLITE_LIBS)
if !SANITIZE
shims = tests/shims/count.so tests/shims/crash.so tests/shims/powerloss.so
check_SCRIPTS += $(shims)
CLEANFILES += $(shims)
endif
tests/shims/crash.so: tests/shims/crash.c
	$(AM_V_CCLD)$(MKDIR_P) tests/shims && $(CC) $(shim_flags) -o $@ \
	    $(srcdir)/tests/shims/crash.c $(CURL_LIBS) $(SQLITE_LIBS) -ldl
tests/shims/powerloss.so: tests/shims/powerloss.c
	$(AM_V_CCLD)$(MKDIR_P) tests/shims && $(CC) $(shim_flags) -o $@ \
	    $(srcdir)/tests/shims/powerloss.c -ldl
tests/shims/count.so: tests/shims/count.c
	$(AM_V_CCLD)$(MKDIR_P) tests/shims && $(CC) $(shim_flags) -o $@ $(srcdir)/tests/shims/count.c

# The duel, which `make duel` plays: tests/duel/README.
check_PROGRAMS += tests/duel/oracle
tests_duel_oracle_CFLAGS = $(WARN_CFLAGS) # no sanitizer: programs of policies have no room for its memory
tests_duel_oracle_LDFLAGS =
duel = \
	tests/duel/README \
	tests/duel/connect.py \
	tests/duel/duel.py \
	tests/duel/events.py \
	tests/duel/known.py \
	tests/duel/model.py \
	tests/duel/oracle.py \
	tests/duel/trouble.py \
	tests/duel/truths.py \
	tests/duel/world.py
EXTRA_DIST += $(duel) tests/duel/scripts

# Rules about the tree itself.
tree_tests = tests/tree/test_tree.py

# In this order. Each variable is a group that contrib/check.sh can run by itself: make check TESTS='$(unit_tests)'.
beside_tests = $(long_tests) $(unit_tests) $(fuzz_tests) $(short_tests)
TESTS += $(tree_tests) $(beside_tests) $(ground_tests) $(alone_tests)
check_PROGRAMS += tests/integration/responder
EXTRA_DIST += $(integration_tests) $(integration_helpers) $(tree_tests) $(benchmarks)

# Run by hand: dev.mk.
benchmarks = \
	tests/bench/bench.py \
	tests/bench/calls.lua \
	tests/bench/peers.py \
	tests/bench/peers/fastify.js \
	tests/bench/peers/flask_hook.py \
	tests/bench/peers/nethttp.go \
	tests/bench/policy.py \
	tests/bench/throughput.py \
	tests/bench/validation.py
EXTRA_PROGRAMS = tests/bench/inbox tests/bench/least
CLEANFILES += $(EXTRA_PROGRAMS)

# Headers that tests share.
EXTRA_DIST += tests/unit/json_text.h tests/unit/unit.h

# Shipped, and tested as shipped.
contrib_files = \
	.ci/run \
	contrib/apache/apache.conf \
	contrib/apache/cgi.conf \
	contrib/apache/mod_fcgid.conf \
	contrib/apache/mod_proxy_fcgi.conf \
	contrib/check.sh \
	contrib/connect-webhook.yaml \
	contrib/fixtures/change_inquiring_validator.json \
	contrib/fixtures/change_validator.json \
	contrib/fixtures/draft_tcr_t1_val.json \
	contrib/fixtures/draft_tcr_t2_val.json \
	contrib/fixtures/inquiring_validator.json \
	contrib/fixtures/renew_inquiring_validator.json \
	contrib/fixtures/renew_validator.json \
	contrib/fixtures/tcr_setup_t1_inq_val.json \
	contrib/fixtures/tcr_setup_t2_inq_val.json \
	contrib/fixtures/tcr_update_t1_inq_val.json \
	contrib/fixtures/tcr_update_t1_validator.json \
	contrib/fixtures/tcr_update_t2_inq_val.json \
	contrib/fixtures/tcr_update_t2_validator.json \
	contrib/fixtures/transfer_inquiring_validator.json \
	contrib/fixtures/transfer_validator.json \
	contrib/fixtures/validator.json \
	contrib/lib.sh \
	contrib/nginx/connect-webhook.conf \
	contrib/nginx/nginx.conf \
	contrib/packages \
	contrib/policies/once.sh \
	contrib/policies/provision.py \
	contrib/policies/session.js \
	contrib/policies/session.py \
	contrib/prometheus/alerts.yaml \
	contrib/quickstart.py \
	contrib/quickstart.sh \
	contrib/results.py \
	contrib/rules/billing.rules.yaml \
	contrib/rules/form.rules.yaml \
	contrib/rules/fulfillment.rules.yaml \
	contrib/rules/listing.rules.yaml \
	contrib/rules/tier-account.rules.yaml \
	contrib/rules/tier-config.rules.yaml \
	contrib/rules/tier-form.rules.yaml \
	contrib/rules/usage.rules.yaml \
	contrib/systemd/connect-webhook.service \
	contrib/systemd/connect-webhook-worker.service \
	contrib/systemd/connect-webhook.socket \
	contrib/systemd/connect-webhook.sysusers.conf
EXTRA_DIST += $(contrib_files)

LDADD = $(archive_libs) $(CMOCKA_LIBS)
tests_bench_inbox_LDADD = $(archive_libs)
