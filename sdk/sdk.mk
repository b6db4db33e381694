# For authors of plugins: the program `memories-plugin`. It is linked with libcore.la, as it looks where the library's
# public functions don't: what a file says, what a call did.
bin_PROGRAMS += sdk/memories-plugin
sdk_memories_plugin_SOURCES = \
	cli/screen.c cli/screen.h \
	cli/table.c cli/table.h \
	sdk/tool/child.c sdk/tool/child.h \
	sdk/tool/commands.c \
	sdk/tool/doctor.c \
	sdk/tool/dump.c \
	sdk/tool/elf.c sdk/tool/elf.h \
	sdk/tool/main.c \
	sdk/tool/output.c \
	sdk/tool/tool.h
sdk_memories_plugin_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
sdk_memories_plugin_LDADD = core/libcore.la $(core_libs)
EXTRA_sdk_memories_plugin_DEPENDENCIES = $(builtin_plugins)
sdk_memories_plugin_LDFLAGS = $(AM_LDFLAGS)
if STATIC_PLUGINS
sdk_memories_plugin_LDFLAGS += -Wl,$(builtin_plugins)
endif
