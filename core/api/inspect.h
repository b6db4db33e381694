/* inspect.h - looking inside, for callers inside of another call */
#ifndef CORE_API_INSPECT_H
#define CORE_API_INSPECT_H

#include "core/api/session.h"

/* What the provider measured of one metric between two times, one point a node and period:
 * [{"node", "points": [{"timestamp_ms", "value"}]}] as in docs/documents.md. New reference. */
json_object *inspect_metric(struct session *session, const char *metric, int64_t start_ms, int64_t end_ms,
                            uint32_t period_s, memories_error **error);

#endif
