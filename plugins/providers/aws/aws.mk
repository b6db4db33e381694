# The provider of nodes on Amazon Web Services; the objects apart, for tests that look inside.
aws_json = plugins/providers/aws/aws.json
noinst_LTLIBRARIES += plugins/providers/aws/libaws.la
plugins_providers_aws_libaws_la_SOURCES = \
	plugins/providers/aws/aws.c \
	plugins/providers/aws/aws.h \
	plugins/providers/aws/block.c \
	plugins/providers/aws/block.h \
	plugins/providers/aws/client.c \
	plugins/providers/aws/client.h \
	plugins/providers/aws/credential_metadata.c \
	plugins/providers/aws/credential_process.c \
	plugins/providers/aws/credential_sources.h \
	plugins/providers/aws/credential_sso.c \
	plugins/providers/aws/credential_sts.c \
	plugins/providers/aws/credentials.c \
	plugins/providers/aws/credentials.h \
	plugins/providers/aws/discover.c \
	plugins/providers/aws/discover_choices.c \
	plugins/providers/aws/discover.h \
	plugins/providers/aws/doctor.c \
	plugins/providers/aws/estimate.c \
	plugins/providers/aws/failure.c \
	plugins/providers/aws/failure.h \
	plugins/providers/aws/files.c \
	plugins/providers/aws/files.h \
	plugins/providers/aws/hash.c \
	plugins/providers/aws/hash.h \
	plugins/providers/aws/ini.c \
	plugins/providers/aws/ini.h \
	plugins/providers/aws/instances.c \
	plugins/providers/aws/iso_time.c \
	plugins/providers/aws/iso_time.h \
	plugins/providers/aws/kinds.c \
	plugins/providers/aws/kinds.h \
	plugins/providers/aws/kinds_access.c \
	plugins/providers/aws/kinds_logs.c \
	plugins/providers/aws/kinds_network.c \
	plugins/providers/aws/kinds_watch.c \
	plugins/providers/aws/logs.c \
	plugins/providers/aws/lower.c \
	plugins/providers/aws/metrics.c \
	plugins/providers/aws/objects.c \
	plugins/providers/aws/objects.h \
	plugins/providers/aws/prepare.c \
	plugins/providers/aws/prepare.h \
	plugins/providers/aws/prepare_machines.c \
	plugins/providers/aws/prepare_network.c \
	plugins/providers/aws/query.c \
	plugins/providers/aws/query.h \
	plugins/providers/aws/questions.c \
	plugins/providers/aws/questions.h \
	plugins/providers/aws/request.c \
	plugins/providers/aws/request.h \
	plugins/providers/aws/service.c \
	plugins/providers/aws/service.h \
	plugins/providers/aws/settings.c \
	plugins/providers/aws/settings.h \
	plugins/providers/aws/sign.c \
	plugins/providers/aws/sign.h \
	plugins/providers/aws/snapshot.c \
	plugins/providers/aws/snapshot.h \
	plugins/providers/aws/user_data.c \
	plugins/providers/aws/user_data.h \
	plugins/providers/aws/volumes.c \
	plugins/providers/aws/volumes.h \
	plugins/providers/aws/xml.c \
	plugins/providers/aws/xml.h
nodist_plugins_providers_aws_libaws_la_SOURCES = $(aws_json:.json=.description.c)
plugins_providers_aws_libaws_la_CFLAGS = $(plugin_cflags) $(OPENSSL_CFLAGS) $(XML2_CFLAGS) $(ZLIB_CFLAGS)
aws_libs = $(plugin_libs) $(OPENSSL_LIBS) $(XML2_LIBS) $(ZLIB_LIBS)

in_tree_plugins += plugins/providers/aws/provider-aws.la
plugins_providers_aws_provider_aws_la_SOURCES =
plugins_providers_aws_provider_aws_la_LDFLAGS = $(plugin_ldflags)
plugins_providers_aws_provider_aws_la_LIBADD = plugins/providers/aws/libaws.la $(aws_libs)
CLEANFILES += $(aws_json:.json=.description.c)
EXTRA_DIST += $(aws_json) docs/providers/aws.md
