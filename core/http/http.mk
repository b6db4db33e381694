core_sources += core/http/http.c core/http/http.h
