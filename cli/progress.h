/*
 * progress.h - what the library is doing, on standard error
 *
 * Four ways, chosen once: a region at the bottom of a terminal that is drawn anew ten times a second; plain lines, one
 * a second at most; lines of JSON; nothing. Notes are told in each of them.
 *
 * The region consists of whole lines and the cursor stays below it, visible: whatever else is printed, a stop with
 * Ctrl-Z, or a death by any signal leaves the terminal in order.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <memories/memories.h>

enum { PROGRESS_SLOTS = 4, PROGRESS_TEXT_MAX = 160 };

/* An operation under way, shown as a line of its own. */
struct progress_slot {
    bool used;
    char key[PROGRESS_TEXT_MAX];
    char text[PROGRESS_TEXT_MAX];
};

struct progress {
    bool live, plain, verbose, json, json_events;
    bool running; /* between begin and end */
    int64_t began_ms, last_line_ms;
    uint32_t done, total;
    const char *title; /* what is shown outside of phases: the command's name */
    char phase[PROGRESS_TEXT_MAX];
    bool gathering; /* the phase is one that later operations end: waiting for the whole between groups of nodes */
    char doing[PROGRESS_TEXT_MAX]; /* of the whole, not of one operation */
    struct progress_slot slots[PROGRESS_SLOTS];

    char *held; /* a line that came too soon after another; owned */

    /* The painter, or the teller of plain lines; `lock` guards everything above while it lives. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool painting, telling, stop, told_interrupt;
    unsigned spin;
    unsigned drawn_columns[PROGRESS_SLOTS + 1]; /* of each line of the region on the screen */
    unsigned drawn;
};

struct progress_wishes {
    bool quiet, verbose, json, events;
};

void progress_setup(struct progress *progress, struct progress_wishes wishes);
void progress_free(struct progress *progress);

/* Plain lines and no region, for a command that prints results while it works. Before progress_begin. */
void progress_lines(struct progress *progress);

/* Round one long call into the library. `title` (a constant) is shown until the library names a phase. */
void progress_begin(struct progress *progress, const char *title);
void progress_end(struct progress *progress, bool success);

/* A memories_event_fn; user_data is the struct progress. */
void progress_event(const struct memories_event *event, void *user_data);

#endif
