# Built by the benchmarks that need it.
EXTRA_PROGRAMS += bench/measure
CLEANFILES += bench/measure$(EXEEXT)
bench_measure_SOURCES = bench/measure.c
EXTRA_DIST += bench/startup.sh
