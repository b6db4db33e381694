core_sources +=
core_sources += core/config/config.h
core_sources += core/config/schema.h
