# Beside the other programs that nodes run: the local provider looks for them in this directory.
pkglibexec_PROGRAMS += server/memories-server
server_memories_server_SOURCES = server/answers.c server/memories-server.c server/server.h
server_memories_server_CFLAGS = $(AM_CFLAGS) $(MICROHTTPD_CFLAGS) $(JSON_C_CFLAGS)
server_memories_server_LDADD = $(MICROHTTPD_LIBS) $(JSON_C_LIBS)
dist_man_MANS += docs/man/memories-server.1

# The same server as an image for nodes that run containers: one static program, no base image (docs/topologies/swarmed.md).
# Debian's libmicrohttpd.a can do HTTPS too and refers to gnutls, of which there is no static library. This server speaks
# plain HTTP: but for two (without_tls.c) none of these functions is ever called, and each stands for abort.
EXTRA_DIST += server/image.sh server/without_tls.c
image_archive = server/image/memories-server.tar
image_DATA = $(image_archive)
image_sources = $(srcdir)/server/answers.c $(srcdir)/server/memories-server.c $(srcdir)/server/without_tls.c
$(image_archive): server/answers.c server/memories-server.c server/server.h server/without_tls.c server/image.sh
	$(AM_V_GEN)$(MKDIR_P) server/image && \
	stubs=`$(NM) -A -u "$(MICROHTTPD_STATIC)" 2>/dev/null | \
	  sed -n 's/.* U \(gnutls_[a-z0-9_]*\)$$/-Wl,--defsym=\1=abort/p' | \
	  grep -v 'gnutls_global_' | sort -u` && \
	$(CC) $(DEFS) $(AM_CPPFLAGS) $(CPPFLAGS) -std=gnu17 $(MICROHTTPD_CFLAGS) $(JSON_C_CFLAGS) -Os -static -s \
	  -o server/image/memories-server $(image_sources) $$stubs "$(MICROHTTPD_STATIC)" -ljson-c -lpthread && \
	$(SHELL) $(srcdir)/server/image.sh server/image/memories-server $@ memories-server:$(VERSION) >server/image/id
image: $(image_archive)
	@cat server/image/id
.PHONY: image
CLEANFILES += $(image_archive) server/image/memories-server server/image/id
