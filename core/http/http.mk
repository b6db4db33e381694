core_sources += core/http/curl.c core/http/curl.h core/http/http.c core/http/http.h
