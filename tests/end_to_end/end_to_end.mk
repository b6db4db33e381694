# Scripts that use the programs as a person does; each begins with `. "$srcdir/tests/env.sh"`. One line a test here.
end_to_end_tests = tests/end_to_end/cli.sh tests/end_to_end/consensus.sh tests/end_to_end/libcurl.sh \
	tests/end_to_end/plugins_doc.sh

TESTS += $(end_to_end_tests)
EXTRA_DIST += $(end_to_end_tests)
EXTRA_DIST += tests/end_to_end/machine.sh
