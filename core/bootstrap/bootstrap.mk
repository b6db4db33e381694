core_sources +=
core_sources += core/bootstrap/bootstrap.h
