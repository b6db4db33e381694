# Plugins for tests. A -rpath, though nothing is installed, makes libtool build modules: tests/plugins/.libs/*.so
test_plugin_ldflags = $(plugin_ldflags) -rpath /nowhere

check_LTLIBRARIES += tests/plugins/provider-fake.la
tests_plugins_provider_fake_la_SOURCES = tests/plugins/provider-fake.c
tests_plugins_provider_fake_la_CPPFLAGS = -I$(srcdir) $(plugin_cppflags)
tests_plugins_provider_fake_la_CFLAGS = $(plugin_cflags)
tests_plugins_provider_fake_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_provider_fake_la_LIBADD = $(plugin_libs)

check_LTLIBRARIES += tests/plugins/topology-fake.la
tests_plugins_topology_fake_la_SOURCES = tests/plugins/topology-fake.c
tests_plugins_topology_fake_la_CPPFLAGS = -I$(srcdir) $(plugin_cppflags)
tests_plugins_topology_fake_la_CFLAGS = $(plugin_cflags)
tests_plugins_topology_fake_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_topology_fake_la_LIBADD = $(plugin_libs)
