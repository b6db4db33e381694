# In-tree plugins use installed headers only. common/ is what they share with each other. Each plugin is a convenience
# library libNAME.la, and a module KIND-NAME.la of nothing else, which it adds to in_tree_plugins.
plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex '_LTX_memories_plugin_query$$' \
	-Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete $(plugin_rpath)
plugin_cflags = $(AM_CFLAGS) $(JSON_C_CFLAGS)
in_tree_plugins =

# A description in a file of its own becomes the block that tools read: a/b.json -> b_description in a/b.description.c
SUFFIXES += .description.c
.json.description.c:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' \
	  -e '1i #include <memories/plugin.h>\nextern const char *const $(*F)_description;' \
	  -e '1i MEMORIES_PLUGIN_SECTION static const char block[] = MEMORIES_DESCRIPTION_MARKER' \
	  -e '$$a ;\nconst char *const $(*F)_description = block + sizeof MEMORIES_DESCRIPTION_MARKER - 1;' $< > $@.tmp && \
	  mv $@.tmp $@

include plugins/common/common.mk
include plugins/providers/aws/aws.mk
include plugins/providers/local/local.mk
include plugins/topologies/standalone/standalone.mk
include plugins/topologies/consensus/consensus.mk
include plugins/topologies/swarmed/swarmed.mk

EXTRA_DIST += plugins/builtin.sh
if STATIC_PLUGINS
# The plugins' objects and their list become one object, which libmemories-core links. The modules are built for tests.
check_LTLIBRARIES += $(in_tree_plugins)
plugin_rpath = -rpath $(plugindir)
builtin_plugins = plugins/builtin.o
# What they need besides the core's libraries stands behind them: a linker may leave out what nothing before it needs.
builtin_ldflags = -Wl,$(builtin_plugins) $(XML2_LIBS:-l%=-Wl,-l%) $(ZLIB_LIBS:-l%=-Wl,-l%)
$(builtin_plugins): $(in_tree_plugins) plugins/builtin.sh core/loader/open.h
	$(AM_V_GEN)CC='$(CC)' CFLAGS='$(AM_CPPFLAGS) $(AM_CFLAGS) $(JSON_C_CFLAGS) $(CFLAGS) -fPIC' LD='$(LD)' \
	  OBJCOPY='$(OBJCOPY)' $(SHELL) $(srcdir)/plugins/builtin.sh $@ plugins/common/.libs/libcommon.a $(in_tree_plugins)
CLEANFILES += $(builtin_plugins)
else
plugin_LTLIBRARIES += $(in_tree_plugins)
plugin_rpath =
builtin_plugins =
builtin_ldflags =
endif
