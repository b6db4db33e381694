/*
 * cloud.h - the service behind this provider: here, machines and networks in the memory of this process
 *
 * This is the part to replace: with HTTP requests (memories_host.http), a library, a device. What must stay is what the
 * provider promises with it: objects carry deployment and key from the moment they exist, and a token that was used
 * already gives the object that it gave before.
 *
 * The core calls a serialised plugin once at a time, so that nothing here is locked.
 */
#ifndef CLOUD_H
#define CLOUD_H

#include <stdbool.h>
#include <stdint.h>

/* How long a new machine takes to start. */
#define CLOUD_BOOT_MS 20

#define CLOUD_LOG_LINES 64

struct cloud_object {
    struct cloud_object *next;
    char *id;         /* the service's own name of it: "machine-7" */
    char *deployment; /* the marks by which it is found again */
    char *key;
    char *type;
    char *token;
    char *address; /* a machine's; NULL for a network */
    int64_t created_ms;
    int64_t ready_ms; /* starting until then */
    bool on;
    char *log[CLOUD_LOG_LINES]; /* what happened to it; the oldest lines are overwritten */
    uint32_t log_count;
};

/* What an object is made from; strings are copied. */
struct cloud_order {
    const char *deployment;
    const char *key;
    const char *type;
    const char *token;
    const char *address;
    bool on;
    int64_t now_ms;
};

/* Makes an object, or gives the one that this token made before. NULL: no memory. */
struct cloud_object *cloud_create(const struct cloud_order *order);
/* By id; by token; the newest with this deployment and key. NULL when there is none. */
struct cloud_object *cloud_find_id(const char *id);
struct cloud_object *cloud_find_token(const char *deployment, const char *token);
struct cloud_object *cloud_find_key(const char *deployment, const char *key);
void cloud_delete(struct cloud_object *object);

/* Switches a machine. It starts anew, which takes its time. */
void cloud_switch(struct cloud_object *machine, bool on, int64_t now_ms);
/* Adds a line to its log; lost when there is no memory. */
void cloud_note(struct cloud_object *object, const char *text);

/* All objects, newest first; follow `next`. */
struct cloud_object *cloud_all(void);
/* How many there are of a type. */
uint32_t cloud_count(const char *type);

#endif
