# libmemories-core: libcore.la holds the objects (unit tests link it and so reach inside); the library is libcore.la
# with only the public names visible.
# Not libcurl: it is loaded when it is needed (core/http/curl.h).
core_libs = $(JSON_C_LIBS) $(YAML_LIBS) $(SQLITE_LIBS) $(OPENSSL_LIBS) $(LTDL_LIBS) -lpthread -lm

core_sources =
core_schemas =

include core/base/base.mk
include core/config/config.mk
include core/loader/loader.mk
include core/store/store.mk
include core/engine/engine.mk
include core/http/http.mk
include core/pki/pki.mk
include core/bootstrap/bootstrap.mk
include core/api/api.mk

noinst_LTLIBRARIES += core/libcore.la
core_libcore_la_SOURCES = $(core_sources)
core_libcore_la_CPPFLAGS = $(AM_CPPFLAGS) -DPLUGIN_DIRECTORY='"$(plugindir)"' -DLIBEXEC_DIRECTORY='"$(pkglibexecdir)"'
core_libcore_la_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS) $(YAML_CFLAGS) $(SQLITE_CFLAGS) $(CURL_CFLAGS) $(OPENSSL_CFLAGS)

lib_LTLIBRARIES += core/libmemories-core.la
core_libmemories_core_la_SOURCES =
core_libmemories_core_la_LIBADD = core/libcore.la $(core_libs)
core_libmemories_core_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(LIBRARY_VERSION_INFO) \
	-no-undefined -Wl,--version-script=$(srcdir)/core/memories-core.map -Wl,-z,defs -Wl,-z,now $(builtin_ldflags)
EXTRA_core_libmemories_core_la_DEPENDENCIES = core/memories-core.map $(builtin_plugins)
EXTRA_DIST += core/memories-core.map $(core_schemas)

# A JSON Schema becomes a string that the library carries: core/schemas/a-b.json -> schema_a_b[] in core/schemas/a-b.json.c
core_schema_sources = $(core_schemas:.json=.json.c)
nodist_core_libcore_la_SOURCES = $(core_schema_sources)
CLEANFILES += $(core_schema_sources)
SUFFIXES = .json .json.c
.json.json.c:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' \
	  -e '1i extern const char schema_$(subst -,_,$(*F))[]; const char schema_$(subst -,_,$(*F))[] =' \
	  -e '$$a ;' $< > $@.tmp && mv $@.tmp $@

pkgconfig_DATA += core/memories-core.pc
EXTRA_DIST += core/memories-core.pc.in core/memories-core-uninstalled.pc.in
