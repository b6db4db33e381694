core_sources +=
core_sources += core/loader/call.h
core_sources += core/loader/loader.h
