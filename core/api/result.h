/*
 * result.h - what the public calls return: JSON with typed accessors in front
 *
 * Every result is one JSON document with the guide's names; an accessor reads its member, so that the two can't differ.
 */
#ifndef CORE_API_RESULT_H
#define CORE_API_RESULT_H

#include <json-c/json.h>

#include <memories/memories.h>

/* The document is taken over, also on failure. */
memories_deployment *deployment_new(json_object *json, memories_error **error);
memories_deployment_list *deployment_list_new(json_object *array, memories_error **error);
memories_cluster_status *cluster_status_new(json_object *json, memories_error **error);
/* [{"name", "replicas", "running", "status", "message", "addresses"}] */
memories_services *services_new(json_object *array, memories_error **error);
/* {"cpu_utilization": [{"timestamp", "value", "unit"}]} */
memories_metrics *metrics_new(json_object *json, memories_error **error);

#endif
