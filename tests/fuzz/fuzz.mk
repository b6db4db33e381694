# Fuzz targets. `make check` replays their corpora; configured with --enable-fuzzing CC=clang, `make fuzz` builds them with
# libFuzzer (and nothing else: plugins can't be linked with clang's sanitizers and -z defs):
#   tests/fuzz/fuzz_config -max_total_time=300 NEW_INPUTS ../tests/fuzz/corpus-config
# A new target NAME: fuzz_NAME.c, corpus-NAME/ and the lines below with its name.
fuzz_cflags = $(AM_CFLAGS) $(JSON_C_CFLAGS)
fuzz_libs = core/libcore.la $(core_libs)
fuzz_flags = -fsanitize=fuzzer
EXTRA_DIST += tests/fuzz/corpus-config tests/fuzz/corpus-metadata tests/fuzz/corpus-schema

check_PROGRAMS += tests/fuzz/replay_config tests/fuzz/replay_metadata tests/fuzz/replay_schema
tests_fuzz_replay_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/replay.c
tests_fuzz_replay_config_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"corpus-config"'
tests_fuzz_replay_config_CFLAGS = $(fuzz_cflags)
tests_fuzz_replay_config_LDADD = $(fuzz_libs)
tests_fuzz_replay_metadata_SOURCES = tests/fuzz/fuzz_metadata.c tests/fuzz/replay.c
tests_fuzz_replay_metadata_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"corpus-metadata"'
tests_fuzz_replay_metadata_CFLAGS = $(fuzz_cflags)
tests_fuzz_replay_metadata_LDADD = $(fuzz_libs)
tests_fuzz_replay_schema_SOURCES = tests/fuzz/fuzz_schema.c tests/fuzz/replay.c
tests_fuzz_replay_schema_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"corpus-schema"'
tests_fuzz_replay_schema_CFLAGS = $(fuzz_cflags)
tests_fuzz_replay_schema_LDADD = $(fuzz_libs)

if FUZZING
fuzz_programs = tests/fuzz/fuzz_config tests/fuzz/fuzz_metadata tests/fuzz/fuzz_schema
EXTRA_PROGRAMS += $(fuzz_programs)
fuzz: $(fuzz_programs)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_fuzz_config_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_metadata_SOURCES = tests/fuzz/fuzz_metadata.c
tests_fuzz_fuzz_metadata_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_metadata_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_fuzz_metadata_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/fuzz_schema.c
tests_fuzz_fuzz_schema_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_schema_LDFLAGS = $(AM_LDFLAGS) $(fuzz_flags)
tests_fuzz_fuzz_schema_LDADD = $(fuzz_libs)
endif
