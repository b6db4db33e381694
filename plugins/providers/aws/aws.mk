# The provider of nodes on Amazon Web Services; the objects apart, for tests that look inside.
noinst_LTLIBRARIES += plugins/providers/aws/libaws.la
plugins_providers_aws_libaws_la_SOURCES = \
	plugins/providers/aws/client.c \
	plugins/providers/aws/client.h \
	plugins/providers/aws/credential_metadata.c \
	plugins/providers/aws/credential_process.c \
	plugins/providers/aws/credential_sources.h \
	plugins/providers/aws/credential_sso.c \
	plugins/providers/aws/credential_sts.c \
	plugins/providers/aws/credentials.c \
	plugins/providers/aws/credentials.h \
	plugins/providers/aws/failure.c \
	plugins/providers/aws/failure.h \
	plugins/providers/aws/files.c \
	plugins/providers/aws/files.h \
	plugins/providers/aws/hash.c \
	plugins/providers/aws/hash.h \
	plugins/providers/aws/ini.c \
	plugins/providers/aws/ini.h \
	plugins/providers/aws/query.c \
	plugins/providers/aws/query.h \
	plugins/providers/aws/request.c \
	plugins/providers/aws/request.h \
	plugins/providers/aws/service.c \
	plugins/providers/aws/service.h \
	plugins/providers/aws/settings.c \
	plugins/providers/aws/settings.h \
	plugins/providers/aws/sign.c \
	plugins/providers/aws/sign.h \
	plugins/providers/aws/xml.c \
	plugins/providers/aws/xml.h
plugins_providers_aws_libaws_la_CFLAGS = $(plugin_cflags) $(OPENSSL_CFLAGS) $(XML2_CFLAGS)
aws_libs = $(plugin_libs) $(OPENSSL_LIBS) $(XML2_LIBS)
EXTRA_DIST += docs/providers/aws.md
