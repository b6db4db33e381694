if HAVE_CHECK

check_PROGRAMS += tests/unit/test_plan
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_CFLAGS = $(unit_cflags)
tests_unit_test_plan_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(crash_points)
tests_unit_test_store_CPPFLAGS = $(crash_cppflags)
tests_unit_test_store_CFLAGS = $(unit_cflags) $(SQLITE_CFLAGS)
tests_unit_test_store_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c tests/unit/fake_cloud.c tests/unit/fake_cloud.h $(crash_points)
tests_unit_test_engine_CPPFLAGS = $(crash_cppflags)
tests_unit_test_engine_CFLAGS = $(unit_cflags) $(SQLITE_CFLAGS)
tests_unit_test_engine_LDADD = $(unit_libs)

# A host table for tests that drive a plugin's slots directly.
check_LTLIBRARIES += tests/unit/libfakehost.la
tests_unit_libfakehost_la_SOURCES = tests/unit/fake_host.c tests/unit/fake_host.h
tests_unit_libfakehost_la_CFLAGS = $(unit_cflags)
fake_host_libs = tests/unit/libfakehost.la $(CHECK_LIBS) $(JSON_C_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_plugin_common
tests_unit_test_plugin_common_SOURCES = tests/unit/test_plugin_common.c
tests_unit_test_plugin_common_CFLAGS = $(unit_cflags)
tests_unit_test_plugin_common_LDADD = plugins/common/libcommon.la $(fake_host_libs)

check_PROGRAMS += tests/unit/test_cloud_config
tests_unit_test_cloud_config_SOURCES = tests/unit/test_cloud_config.c
tests_unit_test_cloud_config_CFLAGS = $(unit_cflags)
tests_unit_test_cloud_config_LDADD = plugins/common/libcommon.la $(fake_host_libs)

if !SANITIZERS
# It replaces malloc, as AddressSanitizer does.
check_PROGRAMS += tests/unit/test_config_memory
tests_unit_test_config_memory_SOURCES = tests/unit/test_config_memory.c
tests_unit_test_config_memory_CFLAGS = $(unit_cflags)
tests_unit_test_config_memory_LDADD = $(unit_libs)
endif

check_PROGRAMS += tests/unit/test_config_parse
tests_unit_test_config_parse_SOURCES = tests/unit/test_config_parse.c tests/unit/cases.h
tests_unit_test_config_parse_CFLAGS = $(unit_cflags)
tests_unit_test_config_parse_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_call
tests_unit_test_call_SOURCES = tests/unit/test_call.c
tests_unit_test_call_CFLAGS = $(unit_cflags)
tests_unit_test_call_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_isolate
tests_unit_test_isolate_SOURCES = tests/unit/test_isolate.c
tests_unit_test_isolate_CFLAGS = $(unit_cflags)
tests_unit_test_isolate_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_trace
tests_unit_test_trace_SOURCES = tests/unit/test_trace.c
tests_unit_test_trace_CFLAGS = $(unit_cflags)
tests_unit_test_trace_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_loader
tests_unit_test_loader_SOURCES = tests/unit/test_loader.c
tests_unit_test_loader_CPPFLAGS = $(AM_CPPFLAGS) -DPLUGIN_DIRECTORY='"$(plugindir)"'
tests_unit_test_loader_CFLAGS = $(unit_cflags)
tests_unit_test_loader_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_metadata
tests_unit_test_metadata_SOURCES = tests/unit/test_metadata.c
tests_unit_test_metadata_CFLAGS = $(unit_cflags)
tests_unit_test_metadata_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_provider_fake
tests_unit_test_provider_fake_SOURCES = tests/unit/test_provider_fake.c
tests_unit_test_provider_fake_CFLAGS = $(unit_cflags)
tests_unit_test_provider_fake_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_schema
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c tests/unit/cases.h
tests_unit_test_schema_CFLAGS = $(unit_cflags)
tests_unit_test_schema_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_topology_plan
tests_unit_test_topology_plan_SOURCES = tests/unit/test_topology_plan.c tests/unit/topology.c tests/unit/topology.h \
	tests/unit/wrong_topology_configs.h
tests_unit_test_topology_plan_CFLAGS = $(unit_cflags)
tests_unit_test_topology_plan_LDADD = $(fake_host_libs) $(unit_libs)
EXTRA_DIST += tests/golden
check_PROGRAMS += tests/unit/test_bootstrap
tests_unit_test_bootstrap_SOURCES = tests/unit/test_bootstrap.c
tests_unit_test_bootstrap_CFLAGS = $(unit_cflags)
tests_unit_test_bootstrap_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_pki
tests_unit_test_pki_SOURCES = tests/unit/test_pki.c
tests_unit_test_pki_CFLAGS = $(unit_cflags)
tests_unit_test_pki_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/test_http.c tests/unit/http_server.c tests/unit/http_server.h
tests_unit_test_http_CFLAGS = $(unit_cflags) $(OPENSSL_CFLAGS)
tests_unit_test_http_LDADD = $(unit_libs) -lssl

check_PROGRAMS += tests/unit/test_memories_server
tests_unit_test_memories_server_SOURCES = tests/unit/test_memories_server.c
tests_unit_test_memories_server_CFLAGS = $(unit_cflags)
tests_unit_test_memories_server_LDADD = $(CHECK_LIBS)

check_PROGRAMS += tests/unit/test_config_check
tests_unit_test_config_check_SOURCES = tests/unit/test_config_check.c tests/unit/cases.h
tests_unit_test_config_check_CFLAGS = $(unit_cflags)
tests_unit_test_config_check_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_consensus_status
tests_unit_test_consensus_status_SOURCES = tests/unit/test_consensus_status.c tests/unit/topology.c tests/unit/topology.h
tests_unit_test_consensus_status_CFLAGS = $(unit_cflags)
tests_unit_test_consensus_status_LDADD = $(fake_host_libs)

check_PROGRAMS += tests/unit/test_consensus_etcd
tests_unit_test_consensus_etcd_SOURCES = tests/unit/test_consensus_etcd.c tests/unit/topology.c tests/unit/topology.h
tests_unit_test_consensus_etcd_CFLAGS = $(unit_cflags)
tests_unit_test_consensus_etcd_LDADD = $(fake_host_libs) $(unit_libs)

check_PROGRAMS += tests/unit/test_standalone_status
tests_unit_test_standalone_status_SOURCES = tests/unit/test_standalone_status.c tests/unit/topology.c tests/unit/topology.h
tests_unit_test_standalone_status_CFLAGS = $(unit_cflags)
tests_unit_test_standalone_status_LDADD = $(fake_host_libs)

# The swarmed topology's slots against engines in the test's own memory; the three programs share a fixture.
swarmed_test_sources = tests/unit/fake_swarm.c tests/unit/fake_swarm.h tests/unit/swarmed_fixture.c \
	tests/unit/swarmed_fixture.h tests/unit/topology.c tests/unit/topology.h

check_PROGRAMS += tests/unit/test_swarmed_form
tests_unit_test_swarmed_form_SOURCES = tests/unit/test_swarmed_form.c $(swarmed_test_sources)
tests_unit_test_swarmed_form_CFLAGS = $(unit_cflags)
tests_unit_test_swarmed_form_LDADD = $(fake_host_libs)

check_PROGRAMS += tests/unit/test_swarmed_release
tests_unit_test_swarmed_release_SOURCES = tests/unit/test_swarmed_release.c $(swarmed_test_sources)
tests_unit_test_swarmed_release_CFLAGS = $(unit_cflags)
tests_unit_test_swarmed_release_LDADD = $(fake_host_libs)

check_PROGRAMS += tests/unit/test_swarmed_status
tests_unit_test_swarmed_status_SOURCES = tests/unit/test_swarmed_status.c $(swarmed_test_sources)
tests_unit_test_swarmed_status_CFLAGS = $(unit_cflags)
tests_unit_test_swarmed_status_LDADD = $(fake_host_libs)

check_PROGRAMS += tests/unit/test_crash
tests_unit_test_crash_SOURCES = tests/unit/test_crash.c $(crash_points)
tests_unit_test_crash_CPPFLAGS = $(crash_cppflags)
tests_unit_test_crash_CFLAGS = $(unit_cflags) $(SQLITE_CFLAGS)
tests_unit_test_crash_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_api
tests_unit_test_api_SOURCES = tests/unit/test_api.c
tests_unit_test_api_CFLAGS = $(unit_cflags)
tests_unit_test_api_LDADD = $(unit_libs)

# Calls that bring nodes and let them go; the programs share a fixture.
api_test_sources = tests/unit/api_fixture.c tests/unit/api_fixture.h

check_PROGRAMS += tests/unit/test_scale
tests_unit_test_scale_SOURCES = tests/unit/test_scale.c $(api_test_sources)
tests_unit_test_scale_CFLAGS = $(unit_cflags)
tests_unit_test_scale_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_recover
tests_unit_test_recover_SOURCES = tests/unit/test_recover.c $(api_test_sources)
tests_unit_test_recover_CFLAGS = $(unit_cflags)
tests_unit_test_recover_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_heal
tests_unit_test_heal_SOURCES = tests/unit/test_heal.c $(api_test_sources)
tests_unit_test_heal_CFLAGS = $(unit_cflags)
tests_unit_test_heal_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_autoscale
tests_unit_test_autoscale_SOURCES = tests/unit/test_autoscale.c $(api_test_sources)
tests_unit_test_autoscale_CFLAGS = $(unit_cflags)
tests_unit_test_autoscale_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_cli
tests_unit_test_cli_SOURCES = tests/unit/test_cli.c
tests_unit_test_cli_CFLAGS = $(unit_cflags)
tests_unit_test_cli_LDADD = cli/libcli.la $(CHECK_LIBS) -lm
# The local node's supervisor, as processes; the three programs share a fixture.
node_test_sources = $(local_node_client_sources) tests/unit/node_fixture.c tests/unit/node_fixture.h
node_test_libs = $(CHECK_LIBS) $(JSON_C_LIBS) -lpthread

check_PROGRAMS += tests/unit/test_node
tests_unit_test_node_SOURCES = tests/unit/test_node.c $(node_test_sources)
tests_unit_test_node_CFLAGS = $(unit_cflags)
tests_unit_test_node_LDADD = $(node_test_libs)

check_PROGRAMS += tests/unit/test_node_metrics
tests_unit_test_node_metrics_SOURCES = tests/unit/test_node_metrics.c $(node_test_sources)
tests_unit_test_node_metrics_CFLAGS = $(unit_cflags)
tests_unit_test_node_metrics_LDADD = $(node_test_libs)

check_PROGRAMS += tests/unit/test_node_isolation
tests_unit_test_node_isolation_SOURCES = tests/unit/test_node_isolation.c $(node_test_sources)
tests_unit_test_node_isolation_CFLAGS = $(unit_cflags)
tests_unit_test_node_isolation_LDADD = $(node_test_libs)

endif
EXTRA_DIST += tests/data/bad-configs.yaml tests/data/guide.json tests/data/parse.yaml tests/data/schema-messages.yaml \
	tests/data/store-format-1.sql
