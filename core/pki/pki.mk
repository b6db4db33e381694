core_sources += core/pki/pki.c core/pki/pki.h
