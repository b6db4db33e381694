core_sources += core/pki/holders.c core/pki/pki.c core/pki/pki.h
