core_sources +=
core_sources += core/pki/pki.h
