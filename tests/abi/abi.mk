# The ABI as released: layout, headers, exported names.
TESTS += tests/abi/layout.sh tests/abi/headers.sh tests/abi/exports.sh
EXTRA_DIST += tests/abi/layout.sh tests/abi/headers.sh tests/abi/exports.sh tests/abi/layout.c tests/abi/symbols.list
