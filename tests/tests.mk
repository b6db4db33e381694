# Each test program and script is named after what it proves; a script that can't run here skips (exit 77) with a reason.

# The file that commits, built to kill the process round a commit; in front of libcore.la, it takes the place of the
# library's own.
crash_points = core/store/database.c
crash_cppflags = $(AM_CPPFLAGS) -DMEMORIES_CRASH_POINTS

include tests/plugins/plugins.mk
include tests/abi/abi.mk
include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/unit/local.mk
include tests/unit/aws.mk
include tests/simulators/aws/aws.mk
include tests/end_to_end/end_to_end.mk
include tests/cli/cli_tests.mk
include tests/kit/kit.mk
TESTS += tests/style.sh tests/failed_tests.sh
EXTRA_DIST += tests/env.sh tests/style.sh tests/failed_tests.sh

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
# The time limits of Check's tests are there to end what hangs: a busy machine must not come near them.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)' builddir='$(builddir)'; export srcdir builddir; \
	CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT:-20}; export CK_DEFAULT_TIMEOUT; \
	CK_TIMEOUT_MULTIPLIER=$${CK_TIMEOUT_MULTIPLIER:-5}; export CK_TIMEOUT_MULTIPLIER; \
	CC='$(CC)' CXX='$(CXX)' NM='$(NM)' SANITIZE='$(SANITIZE)'; export CC CXX NM SANITIZE;
TESTS += $(check_PROGRAMS)
