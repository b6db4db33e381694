core_sources += \
	core/loader/call.c core/loader/call.h core/loader/call_object.h \
	core/loader/decorator.h \
	core/loader/descriptor.c core/loader/descriptor.h \
	core/loader/fault.c core/loader/fault.h \
	core/loader/host.c \
	core/loader/loader.c core/loader/loader.h core/loader/open.h \
	core/loader/metadata.c \
	core/loader/name.c core/loader/name.h \
	core/loader/object.c core/loader/object.h \
	core/loader/refuse.c core/loader/refuse.h \
	core/loader/search.c core/loader/search.h \
	core/loader/slot.c core/loader/slot.h \
	core/loader/trace.c core/loader/trace.h \
	core/loader/trust.c
