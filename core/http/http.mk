core_sources +=
core_sources += core/http/http.h
