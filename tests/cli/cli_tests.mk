# The program with a scripted library behind it: what it prints, how it ends, how it behaves on a terminal.
EXTRA_PROGRAMS += tests/cli/memories-fake
check_DATA += tests/cli/memories-fake$(EXEEXT)
CLEANFILES += tests/cli/memories-fake$(EXEEXT)
tests_cli_memories_fake_SOURCES = tests/cli/fake_core.c tests/cli/fake_core.h tests/cli/fake_swarm.c
tests_cli_memories_fake_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
tests_cli_memories_fake_LDADD = cli/libcli.la core/libcore.la $(core_libs) -lm

cli_tests = tests/cli/usage.sh tests/cli/output.sh tests/cli/streams.sh tests/cli/terminal.sh tests/cli/manuals.sh \
	tests/cli/completion.sh tests/cli/background.sh
TESTS += $(cli_tests)
EXTRA_DIST += $(cli_tests) tests/cli/terminal.py
