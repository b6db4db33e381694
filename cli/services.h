/* services.h - the table of a deployment's services */
#ifndef CLI_SERVICES_H
#define CLI_SERVICES_H

#include <json-c/json.h>

#include "cli/command.h"

/* services: an array as memories_services_json has it. Returns the exit code. */
int services_print(const struct session *session, json_object *services);

#endif
