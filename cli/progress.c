/* progress.c - what the library is doing, on standard error */
#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/screen.h"

enum { FRAME_MS = 100, LINE_MS = 1000, INDENT = 2 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Cuts between characters, never within one. */
static void copy_text(char *to, const char *from)
{
    size_t count = strlen(from ? from : "");
    if (count >= PROGRESS_TEXT_MAX) {
        count = PROGRESS_TEXT_MAX - 1;
        while (count && ((unsigned char)from[count] & 0xc0) == 0x80)
            count--;
    }
    if (count)
        memcpy(to, from, count);
    to[count] = '\0';
}

static void print_elapsed(FILE *stream, int64_t ms)
{
    if (ms < 100)
        fprintf(stream, "%d ms", (int)ms);
    else if (ms < 60000)
        fprintf(stream, "%.1f s", (double)ms / 1000.0);
    else
        fprintf(stream, "%d min %02d s", (int)(ms / 60000), (int)(ms / 1000 % 60));
}

/* ---- The region ---- */

static void print_bar(FILE *stream, unsigned width, uint32_t done, uint32_t total)
{
    unsigned filled = (unsigned)((uint64_t)width * (done < total ? done : total) / total);
    fputs(screen_unicode() ? "" : "[", stream);
    fputs(screen_colour(stderr, COLOUR_GREEN), stream);
    for (unsigned i = 0; i < filled; i++)
        fputs(screen_unicode() ? "━" : "=", stream);
    fputs(screen_colour(stderr, COLOUR_NONE), stream);
    fputs(screen_colour(stderr, COLOUR_DIM), stream);
    for (unsigned i = filled; i < width; i++)
        fputs(screen_unicode() ? "─" : " ", stream);
    fputs(screen_colour(stderr, COLOUR_NONE), stream);
    fputs(screen_unicode() ? "" : "]", stream);
}

/* Spinner, phase, bar, count, time; the phase gives way when the line is narrow. */
static unsigned draw_head(struct progress *progress, FILE *stream, unsigned columns)
{
    static const char *const braille[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
    static const char *const ascii[] = { "|", "/", "-", "\\" };
    char *tail = NULL;
    size_t tail_bytes;
    FILE *tail_stream = open_memstream(&tail, &tail_bytes);
    if (!tail_stream)
        return 0;
    if (progress->total)
        fprintf(tail_stream, "  %u of %u", progress->done, progress->total);
    fputs("  ", tail_stream);
    print_elapsed(tail_stream, now_ms() - progress->began_ms);
    fclose(tail_stream);
    if (!tail)
        return 0;

    unsigned bar = !progress->total || columns < 50 ? 0 : columns < 70 ? 10 : 20;
    unsigned bar_columns = bar ? bar + (screen_unicode() ? 2 : 4) : 0;
    unsigned fixed = INDENT + bar_columns + text_columns(tail);
    unsigned used = INDENT;
    fputs(screen_colour(stderr, COLOUR_CYAN), stream);
    fputs(screen_unicode() ? braille[progress->spin % 10] : ascii[progress->spin % 4], stream);
    fputs(screen_colour(stderr, COLOUR_NONE), stream);
    fputc(' ', stream);
    used += text_fit(stream, progress->phase, columns > fixed ? columns - fixed : 0);
    if (bar) {
        fputs("  ", stream);
        print_bar(stream, bar, progress->done, progress->total);
        used += bar_columns;
    }
    used += text_fit(stream, tail, columns > used ? columns - used : 0);
    free(tail);
    return used;
}

/* Whether a text must be told which resource it is about. */
static bool needs_key(const char *key, const char *text)
{
    return key && *key && !strstr(text ? text : "", key);
}

static unsigned draw_indented(FILE *stream, const char *key, const char *text, unsigned columns)
{
    if (columns <= INDENT)
        return 0;
    text_pad(stream, INDENT);
    unsigned used = INDENT;
    if (needs_key(key, text)) {
        used += text_fit(stream, key, columns - used);
        used += text_fit(stream, ": ", columns - used);
    }
    return used + text_fit(stream, text, columns - used);
}

/* Goes back over the region and clears it. A terminal that has become narrower has wrapped its lines. */
static void draw_erase(struct progress *progress, FILE *stream)
{
    unsigned columns = screen_columns(stderr), rows = 0;
    for (unsigned i = 0; i < progress->drawn; i++)
        rows += progress->drawn_columns[i] ? (progress->drawn_columns[i] + columns - 1) / columns : 1;
    if (rows)
        fprintf(stream, "\r\033[%uA\033[J", rows);
    progress->drawn = 0;
}

static void draw_region(struct progress *progress, FILE *stream)
{
    /* One column less than there are: a full line would wrap on some terminals. */
    unsigned columns = screen_columns(stderr) - 1, rows = screen_rows(stderr);
    progress->drawn_columns[progress->drawn++] = draw_head(progress, stream, columns);
    fputc('\n', stream);
    if (*progress->doing && progress->drawn + 1 < rows) {
        progress->drawn_columns[progress->drawn++] = draw_indented(stream, "", progress->doing, columns);
        fputc('\n', stream);
    }
    for (size_t i = 0; i < PROGRESS_SLOTS && progress->drawn + 1 < rows && progress->drawn <= PROGRESS_SLOTS; i++) {
        const struct progress_slot *slot = &progress->slots[i];
        if (!slot->used)
            continue;
        progress->drawn_columns[progress->drawn++] = draw_indented(stream, slot->key, slot->text, columns);
        fputc('\n', stream);
    }
}

/* Everything that changes the screen is one write, so that nothing flickers: `line` (may be NULL) goes above the
 * region. */
static void paint(struct progress *progress, const char *line, bool region)
{
    char *bytes = NULL;
    size_t count = 0;
    FILE *stream = open_memstream(&bytes, &count);
    if (!stream)
        return; /* no memory for a frame: the work is more important */
    draw_erase(progress, stream);
    if (line)
        fprintf(stream, "%s\n", line);
    if (region)
        draw_region(progress, stream);
    fclose(stream);
    if (bytes)
        fwrite(bytes, 1, count, stderr);
    free(bytes);
}

/* The notice of a first Ctrl-C, once; NULL otherwise. */
static const char *interrupt_news(struct progress *progress)
{
    if (!interrupt_signal() || progress->told_interrupt)
        return NULL;
    progress->told_interrupt = true;
    return INTERRUPT_NOTICE;
}

static void wait_frame(struct progress *progress)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FRAME_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
}

static void *painter_main(void *user_data)
{
    struct progress *progress = user_data;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        paint(progress, interrupt_news(progress), true);
        progress->spin++;
        wait_frame(progress);
    }
    paint(progress, interrupt_news(progress), false);
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

static void put_line(struct progress *progress, const char *line, int64_t now)
{
    fprintf(stderr, "%s\n", line);
    progress->last_line_ms = now;
    free(progress->held);
    progress->held = NULL;
}

/* Without a region: prints what was held back, if nothing else has come instead. */
static void *teller_main(void *user_data)
{
    struct progress *progress = user_data;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stop) {
        if (progress->held && now_ms() - progress->last_line_ms >= LINE_MS)
            put_line(progress, progress->held, now_ms());
        wait_frame(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

/* ---- Beginning and end ---- */

void progress_setup(struct progress *progress, struct progress_wishes wishes)
{
    *progress = (struct progress){ 0 };
    progress->verbose = wishes.verbose;
    progress->json_events = wishes.events;
    progress->json = wishes.json;
    bool shown = !wishes.quiet && !wishes.events;
    progress->live = shown && screen_is_terminal(stderr);
    progress->plain = shown && !wishes.json && !progress->live;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&progress->lock, NULL);
}

void progress_free(struct progress *progress)
{
    free(progress->held);
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
}

void progress_lines(struct progress *progress)
{
    progress->plain |= progress->live && !progress->json;
    progress->live = false;
}

/* Signals are for the thread that works. */
static bool start_thread(struct progress *progress, void *(*thread_main)(void *))
{
    sigset_t all, before;
    sigfillset(&all);
    progress->stop = false;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&progress->thread, NULL, thread_main, progress) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void progress_begin(struct progress *progress, const char *title)
{
    progress->running = true;
    progress->done = progress->total = 0;
    progress->title = title;
    copy_text(progress->phase, title);
    progress->began_ms = progress->last_line_ms = now_ms(); /* what takes less than a line's time needs no line */
    if (progress->live && !(progress->painting = start_thread(progress, painter_main)))
        progress_lines(progress);
    else if (progress->plain)
        progress->telling = start_thread(progress, teller_main);
}

void progress_end(struct progress *progress, bool success)
{
    if (progress->painting || progress->telling) {
        pthread_mutex_lock(&progress->lock);
        progress->stop = true;
        pthread_cond_signal(&progress->wake);
        pthread_mutex_unlock(&progress->lock);
        pthread_join(progress->thread, NULL);
        progress->painting = progress->telling = false;
    }
    free(progress->held); /* overtaken by how it ended */
    progress->held = NULL;
    progress->running = false;
    if (!success || !progress->total || progress->json || (!progress->live && !progress->plain))
        return;
    fprintf(stderr, "%u operation%s in ", progress->done, progress->done == 1 ? "" : "s");
    print_elapsed(stderr, now_ms() - progress->began_ms);
    fputc('\n', stderr);
}

/* ---- Events ---- */

static struct progress_slot *slot_of(struct progress *progress, const char *key)
{
    for (size_t i = 0; i < PROGRESS_SLOTS; i++)
        if (progress->slots[i].used && strncmp(progress->slots[i].key, key, PROGRESS_TEXT_MAX - 1) == 0)
            return &progress->slots[i];
    return NULL;
}

static struct progress_slot *slot_free(struct progress *progress)
{
    for (size_t i = 0; i < PROGRESS_SLOTS; i++)
        if (!progress->slots[i].used)
            return &progress->slots[i];
    return NULL;
}

/* Only as many operations as there are slots are followed; the count tells of the others. */
static void follow(struct progress *progress, const struct memories_event *event)
{
    bool over = event->kind == MEMORIES_EVENT_DONE || event->kind == MEMORIES_EVENT_FAILED;
    struct progress_slot *slot = slot_of(progress, event->key);
    if (over) {
        if (slot)
            slot->used = false;
        return;
    }
    if (!slot && (slot = slot_free(progress))) {
        slot->used = true;
        copy_text(slot->key, event->key);
    }
    if (slot)
        copy_text(slot->text, event->text);
}

static void note(struct progress *progress, const struct memories_event *event)
{
    if (event->total) {
        progress->done = event->done;
        progress->total = event->total;
    }
    if (event->kind == MEMORIES_EVENT_PHASE) {
        copy_text(progress->phase, event->text);
        progress->doing[0] = '\0';
        progress->gathering = event->operation && strcmp(event->operation, "converge") == 0;
        return;
    }
    if (event->kind == MEMORIES_EVENT_STARTED && progress->gathering) {
        copy_text(progress->phase, progress->title);
        progress->doing[0] = '\0';
        progress->gathering = false;
    }
    if (event->kind == MEMORIES_EVENT_WARNING || event->kind == MEMORIES_EVENT_LOG)
        return;
    if (event->key)
        follow(progress, event);
    else
        copy_text(progress->doing, event->text);
}

/* Whether an event is worth a line of its own. */
static bool worth_line(const struct progress *progress, const struct memories_event *event)
{
    switch (event->kind) {
    case MEMORIES_EVENT_WARNING:
        return true;
    case MEMORIES_EVENT_LOG:
        return progress->verbose;
    case MEMORIES_EVENT_FAILED:
        return progress->live || progress->plain;
    case MEMORIES_EVENT_PHASE:
        return progress->plain || (progress->live && progress->verbose);
    case MEMORIES_EVENT_STARTED:
        return (progress->live || progress->plain) && progress->verbose;
    default:
        return progress->plain || (progress->live && progress->verbose);
    }
}

/* Progress that comes too soon after the last line. The last such is what is told when nothing follows. */
static bool can_wait(const struct progress *progress, const struct memories_event *event, int64_t now)
{
    bool is_news = event->kind == MEMORIES_EVENT_WARNING || event->kind == MEMORIES_EVENT_LOG ||
                   event->kind == MEMORIES_EVENT_FAILED || event->kind == MEMORIES_EVENT_PHASE ||
                   event->kind == MEMORIES_EVENT_STARTED;
    return !is_news && !progress->verbose && now - progress->last_line_ms < LINE_MS;
}

static char *line_of(const struct progress *progress, const struct memories_event *event, int64_t now)
{
    char *line = NULL;
    size_t count;
    FILE *stream = open_memstream(&line, &count);
    if (!stream)
        return NULL;
    if (event->kind == MEMORIES_EVENT_WARNING)
        fprintf(stream, "memories: %snote:%s ", screen_colour(stderr, COLOUR_YELLOW),
                screen_colour(stderr, COLOUR_NONE));
    if (event->kind == MEMORIES_EVENT_FAILED)
        fprintf(stream, "%sfailed:%s ", screen_colour(stderr, COLOUR_RED), screen_colour(stderr, COLOUR_NONE));
    if (needs_key(event->key, event->text)) {
        text_put(stream, event->key);
        fputs(": ", stream);
    }
    text_put(stream, event->text ? event->text : "");
    if (event->total && event->kind != MEMORIES_EVENT_WARNING && event->kind != MEMORIES_EVENT_LOG) {
        fprintf(stream, " (%u of %u, ", event->done, event->total);
        print_elapsed(stream, progress->running ? now - progress->began_ms : 0);
        fputc(')', stream);
    }
    fclose(stream);
    return line;
}

static void show(struct progress *progress, const struct memories_event *event)
{
    bool warning = event->kind == MEMORIES_EVENT_WARNING;
    if (progress->json_events || (progress->json && warning)) {
        if (progress->painting)
            paint(progress, event->json, true);
        else
            fprintf(stderr, "%s\n", event->json);
        return;
    }
    int64_t now = now_ms();
    if (progress->json || !worth_line(progress, event))
        return;
    char *line = line_of(progress, event, now);
    if (!line)
        return;
    if (can_wait(progress, event, now)) {
        free(progress->held);
        progress->held = line;
        return;
    }
    if (progress->painting)
        paint(progress, line, true);
    else
        put_line(progress, line, now);
    free(line);
}

void progress_event(const struct memories_event *event, void *user_data)
{
    struct progress *progress = user_data;
    interrupt_repeat();
    pthread_mutex_lock(&progress->lock);
    note(progress, event);
    show(progress, event);
    pthread_mutex_unlock(&progress->lock);
}
