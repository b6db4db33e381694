/* discover.h - what a provider finds by its marks */
#ifndef CORE_API_DISCOVER_H
#define CORE_API_DISCOVER_H

#include "core/api/session.h"

/* New reference. resources: see docs/documents.md; NULL: what is there. */
json_object *provider_discover(const struct plugin *provider, void *instance,
                               const struct call_environment *environment, json_object *resources,
                               memories_error **error);

/* Of a deployment whose work was cut off: puts on record, to be removed with the rest, what bears its marks and is not.
 */
int session_adopt_strays(struct session *session, memories_error **error);

#endif
