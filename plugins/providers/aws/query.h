/* query.h - parameters as the form that the query protocols send */
#ifndef AWS_QUERY_H
#define AWS_QUERY_H

#include <json-c/json.h>
#include <stddef.h>

#include "plugins/providers/aws/service.h"

/* {"Filter": [{"Name": "a", "Value": ["b"]}]} -> "Action=…&Version=…&Filter.1.Name=a&Filter.1.Value.1=b" (EC2; the
 * other services number lists as Filter.member.1). In the call's memory; NULL when there is none. */
const char *query_body(struct memories_call *call, const struct aws_service *service, const char *action,
                       json_object *parameters, size_t *bytes);

#endif
