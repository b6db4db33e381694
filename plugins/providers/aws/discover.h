/* discover.h - what discover.c needs of discover_choices.c */
#ifndef AWS_DISCOVER_H
#define AWS_DISCOVER_H

#include "plugins/providers/aws/snapshot.h"

/* What prepare has chosen for a deployment, as far as it shows (prepare.h): its block, subnets, images, and where
 * its nodes are. Of a node's address only that it has it is known ("present"): whether it was to have just that one
 * the spec tells. NULL: no memory. */
json_object *discover_choices(struct memories_call *call, const struct snapshot *snapshot, const char *deployment,
                              json_object *home);

#endif
