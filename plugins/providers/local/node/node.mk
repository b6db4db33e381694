# The supervisor of a local node, and what the provider needs to talk to it.
local_node = plugins/providers/local/node
local_node_client_sources = $(local_node)/base.c $(local_node)/base.h $(local_node)/cgroup.c $(local_node)/cgroup.h \
	$(local_node)/node_client.c $(local_node)/node_client.h $(local_node)/record.c $(local_node)/record.h \
	$(local_node)/sweep.c $(local_node)/sweep.h

pkglibexec_PROGRAMS += memories-node
memories_node_SOURCES = $(local_node)/base.c $(local_node)/base.h $(local_node)/cgroup.c $(local_node)/cgroup.h \
	$(local_node)/child.c $(local_node)/child.h $(local_node)/connections.c $(local_node)/connections.h \
	$(local_node)/control.c $(local_node)/control.h $(local_node)/definition.c $(local_node)/definition.h \
	$(local_node)/log_file.c $(local_node)/log_file.h $(local_node)/main.c $(local_node)/metrics.c $(local_node)/metrics.h \
	$(local_node)/namespace.c $(local_node)/namespace.h $(local_node)/node_client.h $(local_node)/processes.c \
	$(local_node)/processes.h $(local_node)/record.c $(local_node)/record.h $(local_node)/service.c $(local_node)/service.h \
	$(local_node)/supervisor.c $(local_node)/supervisor.h $(local_node)/sweep.c $(local_node)/sweep.h
memories_node_CPPFLAGS = $(AM_CPPFLAGS) -DLIBEXEC_DIRECTORY='"$(pkglibexecdir)"'
memories_node_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
memories_node_LDADD = $(JSON_C_LIBS)
