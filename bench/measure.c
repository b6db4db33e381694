/*
 * measure.c - time and memory of short commands
 *
 *     measure RUNS PROGRAM [ARGUMENT...]     prints: MIN_MS MEDIAN_MS MEDIAN_CPU_MS PEAK_MB
 *
 * It is a small program of its own because a process inherits the peak memory of what started it: under a shell or an
 * interpreter that would be measured instead.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* One run, its output thrown away. Returns whether it ended well. */
static int measure(char **command, double *wall_ms, double *cpu_ms, double *peak_mb)
{
    pid_t pid;
    int status;
    struct rusage usage;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    double began = now_ms();
    int failed = posix_spawn(&pid, command[0], &actions, NULL, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed || wait4(pid, &status, 0, &usage) != pid || status != 0)
        return 0;
    *wall_ms = now_ms() - began;
    *cpu_ms = timeval_ms(usage.ru_utime) + timeval_ms(usage.ru_stime);
    *peak_mb = (double)usage.ru_maxrss * 1024 / 1e6;
    return 1;
}

int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[1]) : 0;
    double *walls = runs > 0 ? calloc((size_t)runs, sizeof *walls) : NULL;
    double *cpus = runs > 0 ? calloc((size_t)runs, sizeof *cpus) : NULL;
    double peak = 0, one_peak = 0;
    if (!walls || !cpus) {
        fprintf(stderr, "usage: measure RUNS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    for (int i = 0; i < runs; i++) {
        if (!measure(argv + 2, &walls[i], &cpus[i], &one_peak)) {
            fprintf(stderr, "measure: %s failed\n", argv[2]);
            return 1;
        }
        peak = one_peak > peak ? one_peak : peak;
    }
    qsort(walls, (size_t)runs, sizeof *walls, compare);
    qsort(cpus, (size_t)runs, sizeof *cpus, compare);
    printf("%.2f %.2f %.2f %.2f\n", walls[0], walls[runs / 2], cpus[runs / 2], peak);
    free(walls);
    free(cpus);
    return 0;
}
