core_sources +=
core_sources += core/store/store.h
