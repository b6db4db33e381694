# What keeps a deployment's namespaces where nobody is root.
pkglibexec_PROGRAMS += plugins/providers/local/rootless/memories-rootless
plugins_providers_local_rootless_memories_rootless_SOURCES = $(local_node_client_sources) \
	plugins/providers/local/node/namespace.c \
	plugins/providers/local/node/namespace.h \
	plugins/providers/local/rootless/main.c \
	plugins/providers/local/rootless/relay.c \
	plugins/providers/local/rootless/relay.h \
	plugins/providers/local/rootless/subid.c \
	plugins/providers/local/rootless/subid.h \
	plugins/providers/local/rootless/userns.c \
	plugins/providers/local/rootless/userns.h
plugins_providers_local_rootless_memories_rootless_CPPFLAGS = $(AM_CPPFLAGS) -DLIBEXEC_DIRECTORY='"$(pkglibexecdir)"'
plugins_providers_local_rootless_memories_rootless_CFLAGS = $(plugin_cflags)
plugins_providers_local_rootless_memories_rootless_LDADD = $(JSON_C_LIBS)
