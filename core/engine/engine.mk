core_sources += core/engine/plan.c core/engine/engine.c core/engine/plan.h core/engine/engine.h
