/* record.h - the public faces of a deployment's record */
#ifndef CORE_API_RECORD_H
#define CORE_API_RECORD_H

#include <json-c/json.h>

#include <memories/memories.h>

/* What deploy, update, start, stop, resume and delete return: {"deployment_id", "name", "type", "provider", "status",
 * "created_at", …the topology's result, "notes"}. */
memories_deployment *record_outcome(json_object *record, memories_error **error);
/* {"id", "type", "provider", "status", "created_at"} and "name" where there is one. New reference. */
json_object *record_summary(json_object *record, const char *status);
/* The summary with the topology's result, notes and "resources". */
memories_deployment *record_details(json_object *record, const char *status, json_object *resources,
                                    memories_error **error);

#endif
