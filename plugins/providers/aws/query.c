/* query.c - parameters as the form that the query protocols send, see query.h */
#include "plugins/providers/aws/query.h"

#include <string.h>

#include "plugins/common/json.h"
#include "plugins/common/text.h"

struct form {
    struct memories_call *call;
    struct plugin_text body;
    const char *list_word; /* between a list's name and an element's number */
};

static void add(struct form *form, const char *name, json_object *value);

static const char *joined(struct form *form, const char *name, const char *member)
{
    const char *path = *name && member ? plugin_format(form->call, "%s.%s", name, member) : member;
    form->body.failed |= !path;
    return path ? path : "";
}

static void add_list(struct form *form, const char *name, json_object *list)
{
    for (size_t i = 0; i < json_count(list); i++) {
        const char *number = plugin_format(form->call, "%s%zu", form->list_word, i + 1);
        add(form, joined(form, name, number), json_at(list, i));
    }
}

/* JSON's words for booleans and numbers are those of the protocols. */
static void add_scalar(struct form *form, const char *name, json_object *value)
{
    const char *text = json_object_get_string(value);
    plugin_text_append(&form->body, "&");
    plugin_text_append_encoded(&form->body, name, strlen(name), "");
    plugin_text_append(&form->body, "=");
    plugin_text_append_encoded(&form->body, text, strlen(text), "");
}

static void add(struct form *form, const char *name, json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        add_list(form, name, value);
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, member, inner)
            add(form, joined(form, name, member), inner);
    } else if (value) {
        add_scalar(form, name, value);
    }
}

const char *query_body(struct memories_call *call, const struct aws_service *service, const char *action,
                       json_object *parameters, size_t *bytes)
{
    struct form form = { .call = call,
                         .body = PLUGIN_TEXT(call),
                         .list_word = service->protocol == AWS_PROTOCOL_EC2 ? "" : "member." };
    plugin_text_printf(&form.body, "Action=%s&Version=%s", action, service->version);
    add(&form, "", parameters);
    *bytes = form.body.length;
    return plugin_text_take(&form.body);
}
