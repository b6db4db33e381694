swarmed_json = plugins/topologies/swarmed/swarmed.json
noinst_LTLIBRARIES += plugins/topologies/swarmed/libswarmed.la
plugins_topologies_swarmed_libswarmed_la_SOURCES = \
	plugins/topologies/swarmed/form.c \
	plugins/topologies/swarmed/image.c \
	plugins/topologies/swarmed/plan.c \
	plugins/topologies/swarmed/plan_services.c \
	plugins/topologies/swarmed/release.c \
	plugins/topologies/swarmed/service.c \
	plugins/topologies/swarmed/status.c \
	plugins/topologies/swarmed/swarm.c \
	plugins/topologies/swarmed/swarmed.c \
	plugins/topologies/swarmed/swarmed.h
nodist_plugins_topologies_swarmed_libswarmed_la_SOURCES = $(swarmed_json:.json=.description.c)
plugins_topologies_swarmed_libswarmed_la_CPPFLAGS = $(plugin_cppflags) -I$(srcdir) -DIMAGE_DIRECTORY='"$(imagedir)"'
plugins_topologies_swarmed_libswarmed_la_CFLAGS = $(plugin_cflags)

in_tree_plugins += plugins/topologies/swarmed/topology-swarmed.la
plugins_topologies_swarmed_topology_swarmed_la_SOURCES =
plugins_topologies_swarmed_topology_swarmed_la_LDFLAGS = $(plugin_ldflags)
plugins_topologies_swarmed_topology_swarmed_la_LIBADD = plugins/topologies/swarmed/libswarmed.la $(plugin_libs)
CLEANFILES += $(swarmed_json:.json=.description.c)
EXTRA_DIST += $(swarmed_json) docs/topologies/swarmed.md
