consensus_schema = plugins/topologies/consensus/consensus.json
plugin_LTLIBRARIES += topology-consensus.la
topology_consensus_la_SOURCES = \
	plugins/topologies/consensus/consensus.c \
	plugins/topologies/consensus/consensus.h \
	plugins/topologies/consensus/members.c \
	plugins/topologies/consensus/plan.c \
	plugins/topologies/consensus/status.c
nodist_topology_consensus_la_SOURCES = $(consensus_schema:.json=.json.c)
topology_consensus_la_CFLAGS = $(plugin_cflags)
topology_consensus_la_LDFLAGS = $(plugin_ldflags)
topology_consensus_la_LIBADD = $(plugin_libs)
CLEANFILES += $(consensus_schema:.json=.json.c)
EXTRA_DIST += $(consensus_schema)
