# Beside the other programs that nodes run: the local provider looks for them in this directory.
pkglibexec_PROGRAMS += server/memories-server
server_memories_server_SOURCES = server/answers.c server/memories-server.c server/server.h
server_memories_server_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(JSON_C_CFLAGS)
server_memories_server_LDADD = $(MICROHTTPD_LIBS) $(JSON_C_LIBS)
dist_man_MANS += docs/man/memories-server.1
