/* purity.c - what a pure slot may not do, see purity.h */
#include "sdk/check/purity.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"

/* ---- Clocks ------------------------------------------------------------------------------------------------------ */

static int64_t shift_seconds;

void purity_shift_clock(int64_t seconds)
{
    shift_seconds = seconds;
}

/* The linker finds these before the C library's, for the plugin too (see sdk.mk). */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += (time_t)shift_seconds;
    return failed;
}

__attribute__((visibility("default"))) time_t time(time_t *copy)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_REALTIME, &now);
    if (copy)
        *copy = now.tv_sec;
    return now.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec exact = { 0, 0 };
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    *now = (struct timeval){ exact.tv_sec, (suseconds_t)(exact.tv_nsec / 1000) };
    return failed;
}

/* ---- System calls ------------------------------------------------------------------------------------------------ */

#define CALL(name)        \
    {                     \
        SYS_##name, #name \
    }
static const struct {
    int number;
    const char *name;
} forbidden[] = {
#ifdef SYS_open
    CALL(open),
#endif
#ifdef SYS_stat
    CALL(stat),       CALL(lstat),     CALL(access),     CALL(readlink),   CALL(unlink),
    CALL(rename),     CALL(mkdir),     CALL(rmdir),      CALL(fork),       CALL(vfork),
#endif
    CALL(openat),     CALL(openat2),   CALL(socket),     CALL(connect),    CALL(sendto),
    CALL(recvfrom),   CALL(bind),      CALL(execve),     CALL(execveat),   CALL(kill),
    CALL(statx),      CALL(faccessat), CALL(faccessat2), CALL(readlinkat), CALL(unlinkat),
    CALL(renameat2),  CALL(mkdirat),   CALL(getdents64), CALL(nanosleep),  CALL(clock_nanosleep),
#ifdef SYS_newfstatat
    CALL(newfstatat),
#endif
};

const char *purity_call_name(int number)
{
    for (size_t i = 0; i < ARRAY_COUNT(forbidden); i++)
        if (forbidden[i].number == number)
            return forbidden[i].name;
    return "a system call";
}

int purity_forbid_calls(void)
{
    enum { COUNT = ARRAY_COUNT(forbidden) };
    struct sock_filter program[COUNT + 3];
    program[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++) /* to the last instruction but one, "allow", unless it is one of these */
        program[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)forbidden[i].number,
                                                      (uint8_t)(COUNT - i), 0);
    program[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog filter = { .len = ARRAY_COUNT(program), .filter = program };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -1 : 0;
}
