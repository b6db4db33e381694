consensus_json = plugins/topologies/consensus/consensus.json
noinst_LTLIBRARIES += plugins/topologies/consensus/libconsensus.la
plugins_topologies_consensus_libconsensus_la_SOURCES = \
	plugins/topologies/consensus/consensus.c \
	plugins/topologies/consensus/consensus.h \
	plugins/topologies/consensus/join.c \
	plugins/topologies/consensus/members.c \
	plugins/topologies/consensus/plan.c \
	plugins/topologies/consensus/release.c \
	plugins/topologies/consensus/status.c
nodist_plugins_topologies_consensus_libconsensus_la_SOURCES = $(consensus_json:.json=.description.c)
plugins_topologies_consensus_libconsensus_la_CFLAGS = $(plugin_cflags)

in_tree_plugins += plugins/topologies/consensus/topology-consensus.la
plugins_topologies_consensus_topology_consensus_la_SOURCES =
plugins_topologies_consensus_topology_consensus_la_LDFLAGS = $(plugin_ldflags)
plugins_topologies_consensus_topology_consensus_la_LIBADD = plugins/topologies/consensus/libconsensus.la $(plugin_libs)
CLEANFILES += $(consensus_json:.json=.description.c)
EXTRA_DIST += $(consensus_json) docs/topologies/consensus.md
