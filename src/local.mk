# The programs, and the one convenience archive they share.
# A room is a pair of files; its folder's list names it, in alphabetical order.

base_sources = \
	src/base/array.c src/base/array.h \
	src/base/b64.c src/base/b64.h \
	src/base/buf.c src/base/buf.h \
	src/base/clk.c src/base/clk.h \
	src/base/err.c src/base/err.h \
	src/base/http.c src/base/http.h \
	src/base/jsonx.c src/base/jsonx.h src/base/jsonx_each.c src/base/jsonx_members.c \
	src/base/jsonx_tree.c \
	src/base/log.c src/base/log.h \
	src/base/mask.c src/base/mask.h \
	src/base/metric.c src/base/metric.h \
	src/base/proc.c src/base/proc.h \
	src/base/quantity.c src/base/quantity.h \
	src/base/rql.h src/base/rql_match.c src/base/rql_parse.c src/base/rql_path.c \
	src/base/rql_print.c \
	src/base/rql_priv.h src/base/rql_scan.c src/base/rql_scan.h src/base/rql_value.c \
	src/base/secret.c src/base/secret.h \
	src/base/systemd.c src/base/systemd.h \
	src/base/utf8.c src/base/utf8.h \
	src/base/waits.c src/base/waits.h \
	src/base/yamlx.c src/base/yamlx.h src/base/yamlx_json.c src/base/yamlx_priv.h

event_sources = \
	src/event/billing_request.c \
	src/event/event.c src/event/event.h \
	src/event/fulfillment_request.c \
	src/event/listing_request.c \
	src/event/object_class.c src/event/object_class.h \
	src/event/object_id.c src/event/object_id.h \
	src/event/tier_account_request.c \
	src/event/tier_config_request.c \
	src/event/usage_file.c \
	src/event/webhook_type.c src/event/webhook_type.h

transport_sources = \
	src/transport/cgi.c src/transport/cgi.h \
	src/transport/fcgi.c src/transport/fcgi.h src/transport/fcgi_server.h \
	src/transport/fcgi_codec.c src/transport/fcgi_codec.h \
	src/transport/fcgi_conn.c \
	src/transport/fcgi_listen.c src/transport/fcgi_listen.h \
	src/transport/fcgi_loop.c \
	src/transport/fcgi_peers.c src/transport/fcgi_peers.h \
	src/transport/request.c src/transport/request.h src/transport/request_env.h \
	src/transport/response.c src/transport/response.h

conf_sources = \
	src/conf/conf.c src/conf/conf.h src/conf/owner.h \
	src/conf/conf_load.c \
	src/conf/conf_policy.c \
	src/conf/conf_print.c \
	src/conf/conf_webhook.c \
	src/conf/keys.c src/conf/keys.h \
	src/conf/load.c src/conf/load.h

auth_sources = \
	src/auth/bearer.c src/auth/bearer.h \
	src/auth/jwt.c src/auth/jwt.h \
	src/auth/keyring.c src/auth/keyring.h

inbox_sources = \
	src/inbox/accounts.c \
	src/inbox/backend.h \
	src/inbox/claims.c \
	src/inbox/filelock.c src/inbox/filelock.h \
	src/inbox/health.c \
	src/inbox/inbox.c src/inbox/inbox.h \
	src/inbox/inbox_sqlite.c \
	src/inbox/lease.c src/inbox/lease.h \
	src/inbox/operator.c \
	src/inbox/reader.c src/inbox/reader.h \
	src/inbox/rows.c src/inbox/rows.h \
	src/inbox/sqlite_bind.c src/inbox/sqlite_bind.h \
	src/inbox/sqlite_clock.c src/inbox/sqlite_clock.h \
	src/inbox/sqlite_counter.c src/inbox/sqlite_counter.h \
	src/inbox/sqlite_db.c src/inbox/sqlite_db.h \
	src/inbox/sqlite_delivery.c src/inbox/sqlite_delivery.h \
	src/inbox/sqlite_files.c src/inbox/sqlite_files.h \
	src/inbox/sqlite_health.c src/inbox/sqlite_health.h \
	src/inbox/sqlite_mark.c src/inbox/sqlite_mark.h \
	src/inbox/sqlite_schema.c src/inbox/sqlite_schema.h \
	src/inbox/sqlite_sweep.c \
	src/inbox/sqlite_tally.c src/inbox/sqlite_tally.h \
	src/inbox/sqlite_task.c \
	src/inbox/sqlite_token.c src/inbox/sqlite_token.h \
	src/inbox/sqlite_work.h \
	src/inbox/sqlite_writer.c src/inbox/sqlite_writer.h \
	src/inbox/sweeps.c \
	src/inbox/tasks.c \
	src/inbox/verbs.h \
	src/inbox/wake.c src/inbox/wake.h

api_sources = \
	src/api/api.c src/api/api.h \
	src/api/clients.c src/api/clients.h \
	src/api/exchange.c src/api/exchange.h \
	src/api/page.c src/api/page.h \
	src/api/rate.c src/api/rate.h

policy_sources = \
	src/policy/answer.c src/policy/answer.h \
	src/policy/asking.c src/policy/asking.h \
	src/policy/check.c src/policy/check.h \
	src/policy/decision.c src/policy/decision.h \
	src/policy/exec.c src/policy/exec.h \
	src/policy/form.c src/policy/form.h \
	src/policy/passwords.c src/policy/passwords.h \
	src/policy/pattern.c src/policy/pattern.h \
	src/policy/policy.c src/policy/policy.h \
	src/policy/program.c src/policy/program.h \
	src/policy/quote.c src/policy/quote.h \
	src/policy/rules.c src/policy/rules.h \
	src/policy/session.c src/policy/session.h \
	src/policy/spawn.c src/policy/spawn.h \
	src/policy/spawner.c src/policy/spawner.h \
	src/policy/user.c src/policy/user.h

processors_sources = \
	src/processors/job.c src/processors/job.h \
	src/processors/params.c src/processors/params.h \
	src/processors/same.c src/processors/same.h \
	src/processors/template.c src/processors/template.h \
	src/processors/validation.c src/processors/validation.h

tasks_sources = \
	src/tasks/accounts.c src/tasks/accounts.h \
	src/tasks/backoff.c src/tasks/backoff.h \
	src/tasks/fingerprint.c src/tasks/fingerprint.h \
	src/tasks/hold.c src/tasks/hold.h \
	src/tasks/mark.c src/tasks/mark.h \
	src/tasks/object_task.c src/tasks/object_task.h \
	src/tasks/queues.c src/tasks/queues.h \
	src/tasks/retention.c src/tasks/retention.h \
	src/tasks/snapshot.c src/tasks/snapshot.h \
	src/tasks/sweep.c src/tasks/sweep.h \
	src/tasks/work.c src/tasks/work.h \
	src/tasks/worker.c src/tasks/worker.h \
	src/tasks/workers.c src/tasks/workers.h

web_sources = \
	src/web/admin.c src/web/admin.h \
	src/web/answer.c src/web/answer.h \
	src/web/hook.c src/web/hook.h \
	src/web/metrics.c src/web/metrics.h \
	src/web/pool.c src/web/pool.h

noinst_LIBRARIES += libconnect-webhook.a
libconnect_webhook_a_SOURCES = \
	$(base_sources) \
	$(event_sources) \
	$(transport_sources) \
	$(conf_sources) \
	$(auth_sources) \
	$(inbox_sources) \
	$(api_sources) \
	$(policy_sources) \
	$(processors_sources) \
	$(tasks_sources) \
	$(web_sources)

# What every program that links the archive links with it.
archive_libs = libconnect-webhook.a $(FCGI_LIBS) $(JSONC_LIBS) $(CURL_LIBS) $(SODIUM_LIBS) \
	$(SQLITE_LIBS) $(FYAML_LIBS) $(PCRE2_LIBS) $(UNISTRING_LIBS)

bin_PROGRAMS += connect-webhook
connect_webhook_SOURCES = \
	src/cmd/check.c \
	src/cmd/cmd.c src/cmd/cmd.h \
	src/cmd/connect-webhook.c \
	src/cmd/deliveries.c \
	src/cmd/look.c src/cmd/look.h \
	src/cmd/policy.c \
	src/cmd/policy_actions.c src/cmd/policy_actions.h \
	src/cmd/policy_form.c src/cmd/policy_form.h \
	src/cmd/poll.c \
	src/cmd/send.c \
	src/cmd/service.c src/cmd/service.h \
	src/cmd/signing.c src/cmd/signing.h \
	src/cmd/stats.c \
	src/cmd/story.c src/cmd/story.h \
	src/cmd/summary.c src/cmd/summary.h \
	src/cmd/table.c src/cmd/table.h \
	src/cmd/tasks.c \
	src/cmd/token.c \
	src/cmd/version.c \
	src/cmd/worker.c
connect_webhook_LDADD = $(archive_libs)

sbin_PROGRAMS += connect-webhook.fcgi
connect_webhook_fcgi_SOURCES = \
	src/cmd/cmd.c src/cmd/cmd.h \
	src/cmd/handler.c \
	src/cmd/service.c src/cmd/service.h
connect_webhook_fcgi_LDADD = $(archive_libs)

# Runs the programs that are policies. It needs nothing of the libraries, and links none.
libexec_PROGRAMS += connect-webhook-spawner
connect_webhook_spawner_SOURCES = \
	src/spawner/keeper.c src/spawner/keeper.h \
	src/spawner/program.c src/spawner/program.h \
	src/spawner/spawner.c
connect_webhook_spawner_LDADD = libconnect-webhook.a

bin_PROGRAMS += connect-sim
connect_sim_SOURCES = \
	src/cmd/cmd.c src/cmd/cmd.h \
	src/sim/assets.c \
	src/sim/billing.c \
	src/sim/call.c \
	src/sim/calls.c src/sim/calls.h \
	src/sim/catalog.c \
	src/sim/delivery.c src/sim/delivery.h \
	src/sim/faults.c src/sim/faults.h \
	src/sim/kind.c src/sim/kind.h \
	src/sim/list.c \
	src/sim/listings.c \
	src/sim/reply.c src/sim/reply.h \
	src/sim/request_verbs.c \
	src/sim/requests.c src/sim/requests.h \
	src/sim/rooms.h \
	src/sim/server.c \
	src/sim/sim.c src/sim/sim.h \
	src/sim/store.c src/sim/store.h src/sim/store_priv.h \
	src/sim/tier_accounts.c \
	src/sim/tier_configs.c \
	src/sim/trigger.c \
	src/sim/usage.c \
	src/sim/validate.c \
	src/sim/webhooks.c
nodist_connect_sim_SOURCES = src/sim/seed_json.c
connect_sim_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) -Wno-overlength-strings
connect_sim_LDADD = $(archive_libs) $(MICROHTTPD_LIBS)

# What connect-sim begins with: a text in the program.
EXTRA_DIST += src/sim/seed.json
CLEANFILES += src/sim/seed_json.c
src/sim/seed_json.c: src/sim/seed.json
	$(AM_V_GEN)$(MKDIR_P) src/sim && { \
	  echo '/* Made of seed.json. */ /* clang-format off */'; \
	  echo '#include "sim/sim.h"'; \
	  echo 'const char sim_seed[] ='; \
	  sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(srcdir)/src/sim/seed.json; \
	  echo ';'; } >$@.new && mv $@.new $@

# The manual.
EXTRA_DIST += doc/actions.py
dist_man_MANS += doc/connect-sim.1 doc/connect-webhook.1 doc/connect-webhook.rules.5 doc/connect-webhook.yaml.5 \
	doc/connect-webhook-policy.7 doc/connect-webhook.fcgi.8
