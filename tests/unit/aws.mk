# Tests of the AWS provider.
if HAVE_CHECK

check_LTLIBRARIES += tests/unit/libawsfixture.la
tests_unit_libawsfixture_la_SOURCES = tests/unit/aws_fixture.c tests/unit/aws_fixture.h tests/unit/shared.c tests/unit/shared.h
tests_unit_libawsfixture_la_CFLAGS = $(unit_cflags)
aws_test_libs = tests/unit/libawsfixture.la plugins/providers/aws/libaws.la $(aws_libs) $(fake_host_libs)

check_PROGRAMS += tests/unit/test_aws_sign
tests_unit_test_aws_sign_SOURCES = tests/unit/test_aws_sign.c
tests_unit_test_aws_sign_CFLAGS = $(unit_cflags)
tests_unit_test_aws_sign_LDADD = $(aws_test_libs)

check_PROGRAMS += tests/unit/test_aws_settings
tests_unit_test_aws_settings_SOURCES = tests/unit/test_aws_settings.c
tests_unit_test_aws_settings_CFLAGS = $(unit_cflags)
tests_unit_test_aws_settings_LDADD = $(aws_test_libs)

check_PROGRAMS += tests/unit/test_aws_credentials
tests_unit_test_aws_credentials_SOURCES = tests/unit/test_aws_credentials.c
tests_unit_test_aws_credentials_CFLAGS = $(unit_cflags)
tests_unit_test_aws_credentials_LDADD = $(aws_test_libs)

check_PROGRAMS += tests/unit/test_aws_client
tests_unit_test_aws_client_SOURCES = tests/unit/test_aws_client.c
tests_unit_test_aws_client_CFLAGS = $(unit_cflags)
tests_unit_test_aws_client_LDADD = $(aws_test_libs)

endif
