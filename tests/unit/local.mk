# Tests of the local provider.
if HAVE_CHECK

check_LTLIBRARIES += tests/unit/liblocalfixture.la
tests_unit_liblocalfixture_la_SOURCES = tests/unit/local_fixture.c tests/unit/local_fixture.h
tests_unit_liblocalfixture_la_CFLAGS = $(unit_cflags)
local_fixture_libs = tests/unit/liblocalfixture.la plugins/providers/local/liblocal.la plugins/common/libcommon.la \
	$(fake_host_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_local_parts
tests_unit_test_local_parts_SOURCES = tests/unit/test_local_parts.c
tests_unit_test_local_parts_CFLAGS = $(unit_cflags)
tests_unit_test_local_parts_LDADD = $(local_fixture_libs)

check_PROGRAMS += tests/unit/test_local_nspawn
tests_unit_test_local_nspawn_SOURCES = tests/unit/test_local_nspawn.c
tests_unit_test_local_nspawn_CFLAGS = $(unit_cflags)
tests_unit_test_local_nspawn_LDADD = $(local_fixture_libs)

check_PROGRAMS += tests/unit/test_local_nodes
tests_unit_test_local_nodes_SOURCES = tests/unit/test_local_nodes.c
tests_unit_test_local_nodes_CFLAGS = $(unit_cflags)
tests_unit_test_local_nodes_LDADD = $(local_fixture_libs)

check_PROGRAMS += tests/unit/test_local_namespaces
tests_unit_test_local_namespaces_SOURCES = tests/unit/test_local_namespaces.c
tests_unit_test_local_namespaces_CFLAGS = $(unit_cflags)
tests_unit_test_local_namespaces_LDADD = $(local_fixture_libs)

check_PROGRAMS += tests/unit/test_local_rootless
tests_unit_test_local_rootless_SOURCES = tests/unit/test_local_rootless.c plugins/providers/local/rootless/relay.c
tests_unit_test_local_rootless_CFLAGS = $(unit_cflags)
tests_unit_test_local_rootless_LDADD = $(local_fixture_libs)

endif
