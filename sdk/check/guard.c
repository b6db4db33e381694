/* guard.c - memory that is taken away, see guard.h */
#include "sdk/check/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "sdk/check/purity.h"

struct piece {
    struct piece *next;
    char *pages; /* the unreadable page behind them included */
    size_t page_bytes;
    char *start;
    const char *what;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct piece *_Atomic pieces; /* only ever grows: the signal handler reads it without the lock */
static int report = -1;
static _Thread_local const char *current_slot;
static const char *awaited;

void *guard_new(size_t bytes, size_t align, const char *what)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t rounded = (bytes + align - 1) / align * align, page_bytes = (rounded + page - 1) / page * page + page;
    struct piece *piece = calloc(1, sizeof *piece);
    char *pages =
        piece ? mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (pages == MAP_FAILED || mprotect(pages + page_bytes - page, page, PROT_NONE)) {
        free(piece);
        return NULL;
    }
    *piece = (struct piece){ NULL, pages, page_bytes, pages + page_bytes - page - rounded, what };
    pthread_mutex_lock(&lock);
    piece->next = pieces;
    pieces = piece;
    pthread_mutex_unlock(&lock);
    return piece->start;
}

char *guard_copy(const char *text, const char *what)
{
    size_t bytes = text ? strlen(text) + 1 : 0;
    char *copy = text ? guard_new(bytes, 1, what) : NULL;
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void guard_expire(void *pointer)
{
    for (struct piece *piece = pieces; piece && pointer; piece = piece->next)
        if (piece->start == pointer)
            mprotect(piece->pages, piece->page_bytes, PROT_NONE);
}

/* ---- Crashes: everything below is safe in a signal handler --------------------------------------------------------
 */

struct line {
    char bytes[512];
    size_t length;
};

static void put(struct line *line, const char *text)
{
    for (; *text && line->length < sizeof line->bytes; text++)
        line->bytes[line->length++] = *text;
}

static void put_number(struct line *line, unsigned number)
{
    char digits[16];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        put(line, (char[]){ digits[--count], '\0' });
}

static const struct piece *piece_at(const char *address)
{
    const struct piece *piece = pieces;
    while (piece && !(address >= piece->pages && address < piece->pages + piece->page_bytes))
        piece = piece->next;
    return piece;
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    bool has_address = number == SIGSEGV || number == SIGBUS;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const char *address = info->si_addr;
    const struct piece *piece = has_address ? piece_at(address) : NULL;
    struct line line = { .length = 0 };
    put(&line, "{\"crash\": {\"signal\": ");
    put_number(&line, (unsigned)number);
    if (current_slot) {
        put(&line, ", \"slot\": \"");
        put(&line, current_slot);
        put(&line, "\"");
    }
    if (awaited) {
        put(&line, ", \"waits\": \"");
        put(&line, awaited);
        put(&line, "\"");
    }
    if (number == SIGSYS) {
        put(&line, ", \"call\": \"");
        put(&line, purity_call_name(info->si_syscall));
        put(&line, "\"");
    }
    if (piece) {
        put(&line, ", \"memory\": \"");
        put(&line, piece->what);
        put(&line, address >= piece->pages + piece->page_bytes - page ? "\", \"how\": \"overrun\""
                                                                      : "\", \"how\": \"expired\"");
    }
    put(&line, "}}\n");
    ssize_t ignored = write(report, line.bytes, line.length);
    (void)ignored;
    signal(number, SIG_DFL);
    raise(number);
}

void guard_catch_crashes(int to)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
    static char stack[64 << 10]; /* of its own: the fault may be that the other one is full */
    report = to;
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    sigaltstack(&alternative, NULL);
    struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++)
        sigaction(signals[i], &action, NULL);
}

void guard_enter(const char *slot)
{
    current_slot = slot;
}

void guard_await(const char *what)
{
    awaited = what;
}
