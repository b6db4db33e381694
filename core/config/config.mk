core_sources += \
	core/config/address.c core/config/address.h \
	core/config/check.c \
	core/config/combine.c \
	core/config/config.c core/config/config.h \
	core/config/format.c core/config/format.h \
	core/config/locate.c \
	core/config/parse.c \
	core/config/schema.h core/config/schema_checker.h core/config/schema_node.h \
	core/config/schema_alternatives.c core/config/schema_containers.c core/config/schema_report.c \
	core/config/schema_check.c core/config/schema_compile.c \
	core/config/schema_problem.c core/config/schema_problem.h \
	core/config/scalar.c core/config/scalar.h \
	core/config/surrogates.c core/config/surrogates.h \
	core/config/suggest.c core/config/suggest.h
core_schemas += \
	core/schemas/choices.json \
	core/schemas/config.json \
	core/schemas/provider-description.json \
	core/schemas/resources.json \
	core/schemas/spec.json \
	core/schemas/topology-description.json
