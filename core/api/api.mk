core_sources += core/api/context.c core/api/result.c core/api/record.c core/api/blueprint.c core/api/session.c \
	core/api/deploy.c core/api/update.c core/api/release.c core/api/autoscale.c core/api/manage.c core/api/recover.c core/api/discover.c core/api/plan_text.c core/api/doctor.c core/api/inspect.c core/api/observe.c core/api/context.h core/api/result.h core/api/record.h \
	core/api/blueprint.h core/api/discover.h core/api/inspect.h core/api/session.h core/api/update.h
