# The provider of nodes on Amazon Web Services; the objects apart, for tests that look inside.
noinst_LTLIBRARIES += plugins/providers/aws/libaws.la
plugins_providers_aws_libaws_la_SOURCES = \
	plugins/providers/aws/hash.c \
	plugins/providers/aws/hash.h \
	plugins/providers/aws/sign.c \
	plugins/providers/aws/sign.h
plugins_providers_aws_libaws_la_CFLAGS = $(plugin_cflags) $(OPENSSL_CFLAGS) $(XML2_CFLAGS)
aws_libs = $(plugin_libs) $(OPENSSL_LIBS) $(XML2_LIBS)
