# What the in-tree plugins share; each plugin links it (plugin_libs), so that none needs another file at run time.
noinst_LTLIBRARIES += plugins/common/libcommon.la
plugins_common_libcommon_la_SOURCES = \
	plugins/common/cleanup.h \
	plugins/common/http.c \
	plugins/common/http.h \
	plugins/common/json.h \
	plugins/common/plugin.c \
	plugins/common/plugin.h \
	plugins/common/spec.c \
	plugins/common/spec.h \
	plugins/common/spec_network.c \
	plugins/common/text.c \
	plugins/common/text.h
plugins_common_libcommon_la_CFLAGS = $(plugin_cflags)
plugin_libs = plugins/common/libcommon.la $(JSON_C_LIBS)
