# The ABI as released: layout, headers, exported names; what was built for earlier and for later releases.
abi_tests = tests/abi/layout.sh tests/abi/headers.sh tests/abi/exports.sh tests/abi/abidiff.sh tests/abi/frozen.sh \
	tests/abi/future.sh
TESTS += $(abi_tests)
EXTRA_DIST += $(abi_tests) tests/abi/layout.c tests/abi/symbols.list \
	tests/abi/1.0/memories/memories.h tests/abi/1.0/memories/plugin.h tests/abi/1.0/memories/version.h \
	tests/abi/1.0/program.c tests/abi/1.0/provider-frozen.c tests/abi/1.0/topology-frozen.c
