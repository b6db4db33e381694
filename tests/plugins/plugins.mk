# Plugins for tests. A -rpath, though nothing is installed, makes libtool build modules: tests/plugins/.libs/*.so
test_plugin_ldflags = $(plugin_ldflags) $(if $(plugin_rpath),,-rpath /nowhere)

check_LTLIBRARIES += tests/plugins/provider-fake.la
tests_plugins_provider_fake_la_SOURCES = tests/plugins/provider-fake.c
tests_plugins_provider_fake_la_CPPFLAGS = -I$(srcdir) $(plugin_cppflags)
tests_plugins_provider_fake_la_CFLAGS = $(plugin_cflags)
tests_plugins_provider_fake_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_provider_fake_la_LIBADD = $(plugin_libs)

check_LTLIBRARIES += tests/plugins/topology-fake.la
tests_plugins_topology_fake_la_SOURCES = tests/plugins/topology-fake.c
tests_plugins_topology_fake_la_CPPFLAGS = -I$(srcdir) $(plugin_cppflags)
tests_plugins_topology_fake_la_CFLAGS = $(plugin_cflags)
tests_plugins_topology_fake_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_topology_fake_la_LIBADD = $(plugin_libs)

check_LTLIBRARIES += tests/plugins/topology-fixed.la
tests_plugins_topology_fixed_la_SOURCES = tests/plugins/topology-fake.c
tests_plugins_topology_fixed_la_CPPFLAGS = -I$(srcdir) $(plugin_cppflags) -DFAKE_FIXED
tests_plugins_topology_fixed_la_CFLAGS = $(plugin_cflags)
tests_plugins_topology_fixed_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_topology_fixed_la_LIBADD = $(plugin_libs)

# Plugins with one defect each: tests/plugins/variants/VARIANT/provider-broken.so (or topology-broken.so), all from one
# source, by the bare compiler as a third party would. One of them needs a library that is gone when it is loaded.
plugin_variants = \
	bad_name constructor describe_fails describe_gives_no_types describe_gives_nothing describe_gives_rubbish \
	describe_is_too_new from_the_future good init_fails init_fails_silently metadata_malformed metadata_other_kind \
	metadata_other_major metadata_other_name metadata_too_new missing_library null_descriptor other_kind other_major \
	other_name plain short_descriptor short_ops short_table thread_key too_new topology_good topology_without_slots \
	undefined_symbol unknown_kind without_close without_create without_describe without_destroy without_entry_point \
	without_licence without_lower without_name without_open without_ops without_read without_slots without_version \
	wrong_magic
variants_directory = tests/plugins/variants
check_DATA += $(variants_directory)/stamp
EXTRA_DIST += tests/plugins/variant.c
$(variants_directory)/stamp: tests/plugins/variant.c include/memories/plugin.h
	$(AM_V_GEN)set -e; rm -rf $(variants_directory); $(MKDIR_P) $(variants_directory); \
	echo 'void memories_test_gone(void); void memories_test_gone(void) {}' > $(variants_directory)/gone.c; \
	$(CC) -shared -fPIC -o $(variants_directory)/libmemories_test_gone.so $(variants_directory)/gone.c; \
	for variant in $(plugin_variants); do \
	  case $$variant in \
	  topology_*) file=topology-broken.so; flags=-DTOPOLOGY;; \
	  missing_library) file=provider-broken.so; flags='-L$(variants_directory) -lmemories_test_gone';; \
	  *) file=provider-broken.so; flags=;; \
	  esac; \
	  $(MKDIR_P) $(variants_directory)/$$variant; \
	  $(CC) $(plugin_cppflags) -std=gnu17 -Wall -Wextra -Wno-unused -Wno-unused-parameter -Werror \
	    -fPIC -shared -Wl,-z,lazy -D_GNU_SOURCE -DVARIANT_$$variant \
	    -o $(variants_directory)/$$variant/$$file $(srcdir)/tests/plugins/variant.c $$flags; \
	done; \
	rm $(variants_directory)/libmemories_test_gone.so $(variants_directory)/gone.c; \
	touch $@
clean-local: clean-plugin-variants
clean-plugin-variants:
	rm -rf $(variants_directory)
