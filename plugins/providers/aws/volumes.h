/* volumes.h - disks: EBS volumes */
#ifndef AWS_VOLUMES_H
#define AWS_VOLUMES_H

#include <json-c/json.h>
#include <stdint.h>

/* {"root": {"size", "type", "iops", "throughput"}, "data": {…} or null} of a node of the spec. Sizes are AWS's GiB: at
 * least the GB that were asked for. New reference; NULL: no memory. */
json_object *volumes_of(json_object *node, int64_t least_root_gb);

#endif
