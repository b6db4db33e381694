# The supervisor of a local node, and what the provider needs to talk to it.
local_node_client_sources = \
	plugins/providers/local/node/base.c \
	plugins/providers/local/node/base.h \
	plugins/providers/local/node/cgroup.c \
	plugins/providers/local/node/cgroup.h \
	plugins/providers/local/node/node_client.c \
	plugins/providers/local/node/node_client.h \
	plugins/providers/local/node/process.c \
	plugins/providers/local/node/process.h \
	plugins/providers/local/node/record.c \
	plugins/providers/local/node/record.h \
	plugins/providers/local/node/sweep.c \
	plugins/providers/local/node/sweep.h \
	plugins/providers/local/rootless/holder.c \
	plugins/providers/local/rootless/holder.h

pkglibexec_PROGRAMS += plugins/providers/local/node/memories-node
plugins_providers_local_node_memories_node_SOURCES = \
	plugins/providers/local/node/base.c \
	plugins/providers/local/node/base.h \
	plugins/providers/local/node/cgroup.c \
	plugins/providers/local/node/cgroup.h \
	plugins/providers/local/node/child.c \
	plugins/providers/local/node/child.h \
	plugins/providers/local/node/connections.c \
	plugins/providers/local/node/connections.h \
	plugins/providers/local/node/control.c \
	plugins/providers/local/node/control.h \
	plugins/providers/local/node/definition.c \
	plugins/providers/local/node/definition.h \
	plugins/providers/local/node/log_file.c \
	plugins/providers/local/node/log_file.h \
	plugins/providers/local/node/machine.c \
	plugins/providers/local/node/machine.h \
	plugins/providers/local/node/main.c \
	plugins/providers/local/node/metrics.c \
	plugins/providers/local/node/metrics.h \
	plugins/providers/local/node/namespace.c \
	plugins/providers/local/node/namespace.h \
	plugins/providers/local/node/node_client.c \
	plugins/providers/local/node/node_client.h \
	plugins/providers/local/node/processes.c \
	plugins/providers/local/node/processes.h \
	plugins/providers/local/node/process.c \
	plugins/providers/local/node/process.h \
	plugins/providers/local/node/record.c \
	plugins/providers/local/node/record.h \
	plugins/providers/local/node/search_path.c \
	plugins/providers/local/node/search_path.h \
	plugins/providers/local/node/service.c \
	plugins/providers/local/node/service.h \
	plugins/providers/local/node/supervisor.c \
	plugins/providers/local/node/supervisor.h \
	plugins/providers/local/node/sweep.c \
	plugins/providers/local/node/sweep.h \
	plugins/providers/local/rootless/holder.c \
	plugins/providers/local/rootless/holder.h
plugins_providers_local_node_memories_node_CPPFLAGS = $(AM_CPPFLAGS) -DLIBEXEC_DIRECTORY='"$(pkglibexecdir)"'
plugins_providers_local_node_memories_node_CFLAGS = $(plugin_cflags)
plugins_providers_local_node_memories_node_LDADD = $(JSON_C_LIBS)
EXTRA_DIST += docs/node.md
