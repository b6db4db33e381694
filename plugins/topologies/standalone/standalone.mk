standalone_schema = plugins/topologies/standalone/standalone.json
plugin_LTLIBRARIES += plugins/topologies/standalone/topology-standalone.la
plugins_topologies_standalone_topology_standalone_la_SOURCES = \
	plugins/topologies/standalone/plan.c \
	plugins/topologies/standalone/standalone.c \
	plugins/topologies/standalone/standalone.h \
	plugins/topologies/standalone/status.c \
	plugins/topologies/standalone/tcp.c
nodist_plugins_topologies_standalone_topology_standalone_la_SOURCES = $(standalone_schema:.json=.json.c)
plugins_topologies_standalone_topology_standalone_la_CFLAGS = $(plugin_cflags)
plugins_topologies_standalone_topology_standalone_la_LDFLAGS = $(plugin_ldflags)
plugins_topologies_standalone_topology_standalone_la_LIBADD = $(plugin_libs)
CLEANFILES += $(standalone_schema:.json=.json.c)
EXTRA_DIST += $(standalone_schema) docs/topologies/standalone.md
