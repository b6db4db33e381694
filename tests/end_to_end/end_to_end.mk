# Scripts that use the programs as a person does; each begins with `. "$srcdir/tests/env.sh"`. One line a test here.
end_to_end_tests = tests/end_to_end/cli.sh tests/end_to_end/commands.sh tests/end_to_end/consensus.sh \
	tests/end_to_end/crash.sh tests/end_to_end/examples.sh tests/end_to_end/image.sh tests/end_to_end/isolate.sh \
	tests/end_to_end/libcurl.sh tests/end_to_end/local_machine.sh tests/end_to_end/members.sh tests/end_to_end/observe.sh \
	tests/end_to_end/plugins_doc.sh tests/end_to_end/recover.sh tests/end_to_end/rootless.sh tests/end_to_end/standalone.sh \
	tests/end_to_end/swarmed.sh tests/end_to_end/swarmed_failure.sh

TESTS += $(end_to_end_tests)
EXTRA_DIST += $(end_to_end_tests)
EXTRA_DIST += tests/end_to_end/machine.sh tests/end_to_end/swarm.sh tests/end_to_end/watch_http.py \
	tests/end_to_end/at_terminal.py

# The program with crash points.
EXTRA_PROGRAMS += tests/end_to_end/memories-crash
check_DATA += tests/end_to_end/memories-crash$(EXEEXT)
CLEANFILES += tests/end_to_end/memories-crash$(EXEEXT)
tests_end_to_end_memories_crash_SOURCES = $(crash_points) tests/end_to_end/no_background.c
tests_end_to_end_memories_crash_CPPFLAGS = $(crash_cppflags)
tests_end_to_end_memories_crash_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS) $(SQLITE_CFLAGS)
tests_end_to_end_memories_crash_LDADD = cli/libcli.la core/libcore.la $(core_libs)
EXTRA_DIST += tests/end_to_end/crash_walk.py
