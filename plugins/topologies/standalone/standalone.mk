standalone_schema = plugins/topologies/standalone/standalone.json
plugin_LTLIBRARIES += topology-standalone.la
topology_standalone_la_SOURCES = \
	plugins/topologies/standalone/plan.c \
	plugins/topologies/standalone/standalone.c \
	plugins/topologies/standalone/standalone.h \
	plugins/topologies/standalone/status.c \
	plugins/topologies/standalone/tcp.c
nodist_topology_standalone_la_SOURCES = $(standalone_schema:.json=.json.c)
topology_standalone_la_CFLAGS = $(plugin_cflags)
topology_standalone_la_LDFLAGS = $(plugin_ldflags)
topology_standalone_la_LIBADD = $(plugin_libs)
CLEANFILES += $(standalone_schema:.json=.json.c)
EXTRA_DIST += $(standalone_schema)
