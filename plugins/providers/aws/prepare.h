/*
 * prepare.h - the preflight: what is to be had, where, and at which addresses
 *
 * Its choices, as they are recorded (docs/documents.md):
 *
 *     {"home": {"account", "region", "partition"},
 *      "images": {"x86_64": {"id", "root_device", "size": the least for its disk, in GB}},
 *      "network": {"cidr"} or {"vpc", "existing": true},
 *      "subnets": [{"key", "name", "zone", "cidr", "public"} or {"key", "id", "zone", "cidr"}],
 *      "nodes": {"node1": {"address", "addresses", "zone", "subnet": key, "instance_type", "architecture"}}}
 *
 * All that AWS has to be asked for is asked for at once (questions.h); when types are chosen by the hardware that is
 * wanted, there is a second round about those that would do.
 */
#ifndef AWS_PREPARE_H
#define AWS_PREPARE_H

#include "plugins/common/plugin.h"
#include "plugins/providers/aws/aws.h"
#include "plugins/providers/aws/questions.h"

/* A node's own demands. */
struct demand {
    const char *name;
    json_object *node;     /* of the spec, borrowed, as is all of this */
    const char *type;      /* asked for or chosen earlier; NULL: the smallest that satisfies the hardware */
    const char *zone;      /* the same; NULL: any */
    json_object *hardware; /* or NULL */
    json_object *earlier;  /* its choice of an earlier preparation, or NULL */
    bool displaced;        /* there was no room where it was chosen to be, and it may be elsewhere */
    bool has_address;      /* its address stands in a bootstrap, so it must be known before the node is made */
    const char *chosen_type;
    const char *architecture;
};

struct preparation {
    struct aws *aws;
    struct memories_call *call;
    json_object *spec;
    json_object *earlier; /* choices, or NULL */
    json_object *choices; /* being made */
    json_object *notes;
    json_object *addressed; /* {node: true}: its address must be known before it is made; owned */
    const char *region;
    struct demand *demands;
    size_t count;
    struct questions questions;
    int failed; /* memory ran out */
};

/* A line that deploy and plan print. */
void preparation_note(struct preparation *preparation, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* prepare_machines.c: a type for each node, held against what AWS has and allows. The first adds its questions. */
int machines_ask(struct preparation *preparation);
int32_t machines_choose(struct preparation *preparation);
/* NULL when a type (as DescribeInstanceTypes has it) satisfies the hardware, or what is wanting. */
const char *machine_shortcoming(struct memories_call *call, json_object *type, json_object *hardware);
/* -1, 0, 1: whether `one` is a better choice than `other` where both would do. */
int machine_order(json_object *one, json_object *other);
/* "L-1216C47A": the quota of virtual processors that a type counts to; NULL: none is known. */
const char *machine_quota(const char *type);

/* volumes.c: whether the disks that are asked for can be had. */
int32_t volumes_check(struct preparation *preparation);

/* prepare_network.c: zones, subnets, addresses. */
int32_t network_choose(struct preparation *preparation);

#endif
