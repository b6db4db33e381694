core_sources +=
core_sources += core/engine/engine.h
core_sources += core/engine/plan.h
