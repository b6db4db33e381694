/* kinds.c - the list of kinds, and what many of them have in common, see kinds.h */
#include "plugins/providers/aws/kinds.h"

#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

static const struct kind *const kinds[] = {
    &kind_vpc,
    &kind_internet_gateway,
    &kind_internet_gateway_attachment,
    &kind_subnet,
    &kind_main_route_table,
    &kind_route_table,
    &kind_route,
    &kind_route_table_association,
    &kind_elastic_ip,
    &kind_nat_gateway,
    &kind_security_group,
    &kind_security_group_rules,
    &kind_role,
    &kind_role_policy,
    &kind_instance_profile,
    &kind_instance_profile_role,
    &kind_log_group,
    &kind_topic,
    &kind_subscription,
    &kind_alarm,
    &kind_instance,
};

const struct kind *kind_of(const char *type)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        if (!strcmp(kinds[i]->type, type))
            return kinds[i];
    return NULL;
}

const struct kind *const *kinds_all(size_t *count)
{
    *count = ARRAY_COUNT(kinds);
    return kinds;
}

json_object *kind_seen(const struct snapshot *snapshot, const struct object *object, const char *id_member)
{
    const char *id = json_get_string(object->outputs, "id");
    json_object *items = snapshot->lists[object->kind->list].items;
    if (id)
        return snapshot_find(snapshot, object->kind->list, id_member, id);
    for (size_t i = 0; i < json_count(items); i++)
        if (object_is_marked(object, json_get_array(json_at(items, i), "tagSet")))
            return json_at(items, i);
    return NULL;
}

static json_object *outputs_with_id(const char *id)
{
    AUTO_JSON json_object *outputs = json_object_new_object();
    return !id || json_set_string(outputs, "id", id) ? NULL : STEAL(outputs);
}

json_object *kind_made(json_object *reply, const char *container, const char *id_member)
{
    return outputs_with_id(json_get_string(container ? json_get_object(reply, container) : reply, id_member));
}

void kind_look(const struct snapshot *snapshot, const struct object *object, const char *id_member, struct sight *sight)
{
    json_object *found = kind_seen(snapshot, object, id_member);
    if (!found)
        return;
    sight->state = MEMORIES_STATE_READY;
    if (!object->outputs)
        sight->outputs = outputs_with_id(json_get_string(found, id_member));
}

json_object *kind_tie(const struct object *object, const char *const *members, size_t count)
{
    AUTO_JSON json_object *outputs = json_object_new_object();
    for (size_t i = 0; i < count; i++)
        if (json_set_string(outputs, members[i], object_text(object, members[i])))
            return NULL;
    return STEAL(outputs);
}

int kind_copy(json_object *parameters, const char *name, const struct object *object, const char *member)
{
    json_object *value = json_get(object->inputs, member);
    return value ? json_set(parameters, name, json_ref(value)) : 0;
}
