# plain.mk - builds the plugin with make, pkg-config and a compiler alone, in the directory where it is called:
#
#     make -f plain.mk                     and from elsewhere: make -f /path/to/plain.mk
#     make -f plain.mk check
#     make -f plain.mk install [DESTDIR=…] [plugindir=…] [mandir=…]
#
# PKG_CONFIG_PATH says where memories-core.pc is when it is not in a standard place.
srcdir := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
VPATH = $(srcdir)
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g -Wall -Wextra
mandir ?= /usr/local/share/man
plugindir ?= $(shell $(PKG_CONFIG) --variable=plugindir memories-core)
MEMORIES_PLUGIN_TOOL ?= $(firstword $(wildcard $(shell $(PKG_CONFIG) --variable=tooldir memories-core)/memories-plugin) memories-plugin)

plugin = @KIND@-@NAME@.so
objects = $(notdir $(patsubst %.c,%.o,$(wildcard $(srcdir)/*.c)))
packages = $(shell $(PKG_CONFIG) --cflags memories-core json-c)
plugin_cflags = -D_GNU_SOURCE $(shell $(PKG_CONFIG) --variable=plugin_cflags memories-core)
plugin_ldflags = $(shell $(PKG_CONFIG) --variable=plugin_ldflags memories-core)

all: $(plugin)

$(plugin): $(objects)
	$(CC) $(plugin_ldflags) $(LDFLAGS) -o $@ $(objects) $(shell $(PKG_CONFIG) --libs json-c)

%.o: %.c $(wildcard $(srcdir)/*.h) $(lastword $(MAKEFILE_LIST))
	$(CC) $(packages) $(plugin_cflags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

check: $(plugin)
	@for test in $(srcdir)/tests/*.sh; do \
	  status=0; PLUGIN='$(CURDIR)/$(plugin)' MEMORIES_PLUGIN_TOOL='$(MEMORIES_PLUGIN_TOOL)' srcdir='$(srcdir)' \
	    sh "$$test" || status=$$?; \
	  case $$status in 0) echo "PASS: $$test";; 77) echo "SKIP: $$test";; *) echo "FAIL: $$test"; exit 1;; esac; \
	done

install: $(plugin)
	mkdir -p '$(DESTDIR)$(plugindir)'
	install -m 644 $(plugin) '$(DESTDIR)$(plugindir)'
	mkdir -p '$(DESTDIR)$(mandir)/man7'
	install -m 644 '$(srcdir)/memories-@KIND@-@NAME@.7' '$(DESTDIR)$(mandir)/man7'

clean:
	rm -f $(plugin) $(objects)

.PHONY: all check install clean
