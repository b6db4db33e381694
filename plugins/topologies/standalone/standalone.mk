standalone_json = plugins/topologies/standalone/standalone.json
noinst_LTLIBRARIES += plugins/topologies/standalone/libstandalone.la
plugins_topologies_standalone_libstandalone_la_SOURCES = \
	plugins/topologies/standalone/plan.c \
	plugins/topologies/standalone/standalone.c \
	plugins/topologies/standalone/standalone.h \
	plugins/topologies/standalone/status.c \
	plugins/topologies/standalone/tcp.c
nodist_plugins_topologies_standalone_libstandalone_la_SOURCES = $(standalone_json:.json=.description.c)
plugins_topologies_standalone_libstandalone_la_CFLAGS = $(plugin_cflags)

in_tree_plugins += plugins/topologies/standalone/topology-standalone.la
plugins_topologies_standalone_topology_standalone_la_SOURCES =
plugins_topologies_standalone_topology_standalone_la_LDFLAGS = $(plugin_ldflags)
plugins_topologies_standalone_topology_standalone_la_LIBADD = plugins/topologies/standalone/libstandalone.la $(plugin_libs)
CLEANFILES += $(standalone_json:.json=.description.c)
EXTRA_DIST += $(standalone_json) docs/topologies/standalone.md
