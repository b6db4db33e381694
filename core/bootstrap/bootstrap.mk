core_sources += core/bootstrap/bootstrap.c core/bootstrap/bootstrap.h
