core_sources += core/store/database.c core/store/deployments.c core/store/leases.c core/store/journal.c \
	core/store/database.h core/store/store.h
