core_sources += \
	core/loader/call.c core/loader/call.h core/loader/call_object.h \
	core/loader/channel.c core/loader/channel.h \
	core/loader/decorator.h \
	core/loader/descriptor.c core/loader/descriptor.h \
	core/loader/fault.c core/loader/fault.h \
	core/loader/host.c \
	core/loader/isolate.c core/loader/isolate.h \
	core/loader/isolate_wire.c core/loader/isolate_wire.h \
	core/loader/loader.c core/loader/loader.h core/loader/open.h \
	core/loader/metadata.c \
	core/loader/name.c core/loader/name.h \
	core/loader/object.c core/loader/object.h \
	core/loader/refuse.c core/loader/refuse.h \
	core/loader/search.c core/loader/search.h \
	core/loader/slot.c core/loader/slot.h \
	core/loader/trace.c core/loader/trace.h \
	core/loader/trust.c

# The process of an isolated plugin.
pkglibexec_PROGRAMS += core/memories-plugin-host
core_memories_plugin_host_SOURCES = core/loader/plugin_host.c
core_memories_plugin_host_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
core_memories_plugin_host_LDADD = core/libcore.la $(core_libs)
