/*
 * notes.h - what a configuration asks for and this machine does not give
 *
 * A cloud's configuration deploys here as it is; what can't be honoured is said, with what this machine has instead.
 */
#ifndef LOCAL_NOTES_H
#define LOCAL_NOTES_H

#include <json-c/json.h>
#include <stdbool.h>

/* Adds {"where", "text"} to `notes`. 0 or MEMORIES_NO_MEMORY. */
int notes_add(json_object *notes, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* This machine, as far as notes speak of it. */
struct machine {
    long processors;
    double memory_gb; /* 10^9 bytes, as in the configuration */
    double disk_free_gb;
    const char *architecture;
    bool has_namespaces;
    bool limits_processors;
    bool has_growing_nodes; /* the topology lets their number follow the load */
};
/* `state_dir`: whose disk the nodes use. */
void machine_describe(struct machine *machine, const char *state_dir, bool has_namespaces);

/* Walks the whole configuration, so that each note names the very key; what is to be said of several elements of an
 * array alike is said once, with [*] in its place. */
int notes_of_config(json_object *notes, json_object *config, const struct machine *machine);

#endif
