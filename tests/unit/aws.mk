# Tests of the AWS provider.
if HAVE_CHECK

aws_test_libs = plugins/providers/aws/libaws.la $(aws_libs) $(fake_host_libs)

check_PROGRAMS += tests/unit/test_aws_sign
tests_unit_test_aws_sign_SOURCES = tests/unit/test_aws_sign.c tests/unit/shared.c tests/unit/shared.h
tests_unit_test_aws_sign_CFLAGS = $(unit_cflags)
tests_unit_test_aws_sign_LDADD = $(aws_test_libs)

endif
