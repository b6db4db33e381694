# Built by the benchmarks that need it.
EXTRA_PROGRAMS += bench/measure
CLEANFILES += bench/measure$(EXEEXT)
bench_measure_SOURCES = bench/measure.c

EXTRA_PROGRAMS += bench/plan
CLEANFILES += bench/plan$(EXEEXT)
bench_plan_SOURCES = bench/plan.c
bench_plan_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
bench_plan_LDADD = core/libcore.la $(core_libs)
bench_scripts += bench/aws.sh bench/formation.sh bench/nodes.sh bench/plan.sh bench/startup.sh
EXTRA_DIST += $(bench_scripts)
