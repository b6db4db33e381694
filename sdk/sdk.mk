# For authors of plugins: the program `memories-plugin`. It is linked with libcore.la, as it looks where the library's
# public functions don't: what a file says, what a call did.
bin_PROGRAMS += sdk/memories-plugin
sdk_memories_plugin_SOURCES = \
	cli/screen.c cli/screen.h \
	cli/table.c cli/table.h \
	sdk/check/ask.c \
	sdk/check/cases.c \
	sdk/check/check.h \
	sdk/check/common_cases.c \
	sdk/check/file_cases.c \
	sdk/check/guard.c sdk/check/guard.h \
	sdk/check/probe.c sdk/check/probe.h \
	sdk/check/provider_cases.c \
	sdk/check/purity.c sdk/check/purity.h \
	sdk/check/rehearsal.c sdk/check/rehearsal.h \
	sdk/check/run.c \
	sdk/check/scene.c sdk/check/scene.h \
	sdk/check/slots.c \
	sdk/check/topology_cases.c \
	sdk/tool/check.c \
	sdk/tool/child.c sdk/tool/child.h \
	sdk/tool/commands.c \
	sdk/tool/doctor.c \
	sdk/tool/dump.c \
	sdk/tool/elf.c sdk/tool/elf.h \
	sdk/tool/main.c \
	sdk/tool/new.c \
	sdk/tool/output.c \
	sdk/tool/tool.h
sdk_memories_plugin_CPPFLAGS = $(AM_CPPFLAGS) -DTEMPLATE_DIRECTORY='"$(pkgdatadir)/sdk/templates"'
sdk_memories_plugin_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
sdk_memories_plugin_LDADD = core/libcore.la $(core_libs)
EXTRA_sdk_memories_plugin_DEPENDENCIES = $(builtin_plugins)
# Plugins that it loads shall get its clocks (sdk/check/purity.c).
sdk_memories_plugin_LDFLAGS = $(AM_LDFLAGS) -Wl,--export-dynamic-symbol=clock_gettime \
	-Wl,--export-dynamic-symbol=gettimeofday -Wl,--export-dynamic-symbol=time $(builtin_ldflags)

# What `memories-plugin new` writes projects from: installed as it lies here, below sdk/ too.
kitdir = $(pkgdatadir)
nobase_dist_kit_DATA = \
	sdk/templates/common/configure.ac \
	sdk/templates/common/dot-gitignore \
	sdk/templates/common/json.h \
	sdk/templates/common/plain.mk \
	sdk/templates/provider/tests/check.sh \
	sdk/templates/topology/tests/check.sh \
	sdk/templates/common/tests/plan.sh \
	sdk/templates/provider/Makefile.am \
	sdk/templates/provider/README.md \
	sdk/templates/provider/cloud.c \
	sdk/templates/provider/cloud.h \
	sdk/templates/provider/example.yaml \
	sdk/templates/provider/memories-provider-NAME.7 \
	sdk/templates/provider/provider.c \
	sdk/templates/topology/Makefile.am \
	sdk/templates/topology/README.md \
	sdk/templates/topology/example.yaml \
	sdk/templates/topology/memories-topology-NAME.7 \
	sdk/templates/topology/topology.c

# For plugins built with autoconf.
aclocaldir = $(datadir)/aclocal
dist_aclocal_DATA = sdk/m4/memories.m4

dist_man_MANS += docs/man/memories-plugin.1 docs/man/memories-host.3 docs/man/memories-provider.3 \
	docs/man/memories-topology.3
dist_doc_DATA = docs/abi-changelog.md docs/documents.md docs/plugins.md docs/schema.md
