# Each test program and script is named after what it proves; a script that can't run here skips (exit 77) with a reason.
include tests/plugins/plugins.mk
include tests/abi/abi.mk
include tests/unit/unit.mk
include tests/fuzz/fuzz.mk
include tests/unit/local.mk
include tests/unit/aws.mk
include tests/end_to_end/end_to_end.mk
include tests/cli/cli_tests.mk
EXTRA_DIST += tests/env.sh tests/aws.sh
EXTRA_DIST += tests/simulators/aws/catalog.py tests/simulators/aws/check.py tests/simulators/aws/ec2.py \
	tests/simulators/aws/elsewhere.py tests/simulators/aws/faults.py tests/simulators/aws/instances.py \
	tests/simulators/aws/machine.py tests/simulators/aws/machines.py tests/simulators/aws/model.py \
	tests/simulators/aws/services.py tests/simulators/aws/signature.py \
	tests/simulators/aws/simulator.py tests/simulators/aws/wire.py tests/simulators/aws/world.py

TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = $(SHELL)
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)' builddir='$(builddir)'; export srcdir builddir; \
	CC='$(CC)' CXX='$(CXX)' NM='$(NM)'; export CC CXX NM;
TESTS += $(check_PROGRAMS)
