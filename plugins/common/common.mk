# What the in-tree plugins share; each plugin links it (plugin_libs), so that none needs another file at run time.
noinst_LTLIBRARIES += plugins/common/libcommon.la
plugins_common_libcommon_la_SOURCES = \
	plugins/common/cleanup.h \
	plugins/common/cloud_config.c \
	plugins/common/cloud_config.h \
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
nodist_plugins_common_libcommon_la_SOURCES = plugins/common/memories_server.py.c
plugins_common_libcommon_la_CFLAGS = $(plugin_cflags)
plugin_libs = plugins/common/libcommon.la $(JSON_C_LIBS)

# A script becomes a string that the plugins carry: memories_server.py -> script_memories_server[]
CLEANFILES += plugins/common/memories_server.py.c
EXTRA_DIST += plugins/common/memories_server.py
SUFFIXES += .py .py.c
.py.py.c:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's/@VERSION@/$(VERSION)/g' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' \
	  -e '1i extern const char script_$(*F)[]; const char script_$(*F)[] =' -e '$$a ;' $< > $@.tmp && mv $@.tmp $@
