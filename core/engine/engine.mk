core_sources += core/engine/plan.c core/engine/reference.c core/engine/engine.c core/engine/adopt.c \
	core/engine/plan.h core/engine/reference.h core/engine/engine.h core/engine/adopt.h
