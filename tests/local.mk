# Unit tests: one cmocka program a room, named after it. Integration tests: pytest files.

base_tests = \
	tests/unit/test_b64 \
	tests/unit/test_buf \
	tests/unit/test_clk \
	tests/unit/test_jsonx \
	tests/unit/test_log \
	tests/unit/test_rql \
	tests/unit/test_secret

event_tests =

transport_tests = \
	tests/unit/test_fcgi_gate \
	tests/unit/test_fcgi_peers \
	tests/unit/test_request \
	tests/unit/test_response

conf_tests =

auth_tests = \
	tests/unit/test_bearer \
	tests/unit/test_jwt \
	tests/unit/test_keyring

inbox_tests =

api_tests =

policy_tests = \
	tests/unit/test_quote

processors_tests =

tasks_tests =

web_tests =

cmd_tests =

unit_tests = $(base_tests) $(event_tests) $(transport_tests) $(conf_tests) $(auth_tests) \
	$(inbox_tests) $(api_tests) $(policy_tests) $(processors_tests) $(tasks_tests) \
	$(web_tests) $(cmd_tests)

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# What the integration tests talk to.
check_PROGRAMS += tests/integration/responder

# Headers that tests share.
EXTRA_DIST += tests/unit/unit.h

# Shipped, and tested as shipped.
EXTRA_DIST += contrib/rules/fulfillment.rules.yaml

LDADD = $(archive_libs) $(CMOCKA_LIBS)
