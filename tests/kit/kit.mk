# The author's kit: the program `memories-plugin`, its templates and its checks.
kit_tests = tests/kit/usage.sh tests/kit/dump.sh tests/kit/doctor.sh tests/kit/new.sh tests/kit/check.sh \
	tests/kit/pages.sh tests/kit/reference.sh tests/kit/broken_provider.sh tests/kit/broken_topology.sh
TESTS += $(kit_tests)
EXTRA_DIST += $(kit_tests) tests/kit/broken.sh tests/kit/life.c
