/* prepare.h - what the parts of the preflight share */
#ifndef LOCAL_PREPARE_H
#define LOCAL_PREPARE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "plugins/providers/local/local.h"

struct preparation {
    struct local *local;
    json_object *spec;
    json_object *earlier; /* choices, or NULL */
    json_object *choices; /* in the making */
    json_object *notes;
    bool has_namespaces;
    bool has_relays; /* with namespaces, without root: the nodes are reached at loopback addresses */
    struct problem problem;
};

/* Fills choices.nodes, choices.blocks and, with namespaces, choices.network. */
int32_t addresses_choose(struct preparation *preparation);

#endif
