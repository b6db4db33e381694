include plugins/providers/local/node/node.mk
include plugins/providers/local/rootless/rootless.mk

# The provider of nodes on this machine; the objects apart, for tests that look inside.
noinst_LTLIBRARIES += plugins/providers/local/liblocal.la
plugins_providers_local_liblocal_la_SOURCES = $(local_node_client_sources) \
	plugins/providers/local/addresses.c \
	plugins/providers/local/block.c \
	plugins/providers/local/block.h \
	plugins/providers/local/definition.c \
	plugins/providers/local/definition.h \
	plugins/providers/local/discover.c \
	plugins/providers/local/doctor.c \
	plugins/providers/local/fabric.c \
	plugins/providers/local/fabric.h \
	plugins/providers/local/files.c \
	plugins/providers/local/files.h \
	plugins/providers/local/firewall.c \
	plugins/providers/local/local.c \
	plugins/providers/local/local.h \
	plugins/providers/local/logs.c \
	plugins/providers/local/lower.c \
	plugins/providers/local/metrics.c \
	plugins/providers/local/network.c \
	plugins/providers/local/node/search_path.c \
	plugins/providers/local/node/search_path.h \
	plugins/providers/local/nodes.c \
	plugins/providers/local/nodes.h \
	plugins/providers/local/notes.c \
	plugins/providers/local/notes.h \
	plugins/providers/local/nspawn.c \
	plugins/providers/local/nspawn.h \
	plugins/providers/local/port.c \
	plugins/providers/local/port.h \
	plugins/providers/local/prepare.c \
	plugins/providers/local/prepare.h \
	plugins/providers/local/problem.c \
	plugins/providers/local/problem.h \
	plugins/providers/local/program.c \
	plugins/providers/local/program.h \
	plugins/providers/local/relays.c \
	plugins/providers/local/rootless.c \
	plugins/providers/local/rootless.h \
	plugins/providers/local/rootless/subid.c \
	plugins/providers/local/rootless/subid.h \
	plugins/providers/local/run.c \
	plugins/providers/local/run.h
plugins_providers_local_liblocal_la_CPPFLAGS = $(AM_CPPFLAGS) -DLIBEXEC_DIRECTORY='"$(pkglibexecdir)"'
plugins_providers_local_liblocal_la_CFLAGS = $(plugin_cflags)

in_tree_plugins += plugins/providers/local/provider-local.la
plugins_providers_local_provider_local_la_SOURCES =
plugins_providers_local_provider_local_la_LDFLAGS = $(plugin_ldflags)
plugins_providers_local_provider_local_la_LIBADD = plugins/providers/local/liblocal.la $(plugin_libs)
EXTRA_DIST += docs/providers/local.md

# The root file system of nodes that are machines.
dist_pkglibexec_SCRIPTS = plugins/providers/local/machine/memories-machine-root
