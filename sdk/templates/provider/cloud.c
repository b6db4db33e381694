/* cloud.c - the service behind this provider, see cloud.h */
#include "cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cloud_object *objects;
static uint32_t last_number;

static char *copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *duplicate = (char *)malloc(bytes);
    return duplicate ? (char *)memcpy(duplicate, text, bytes) : NULL;
}

static void object_free(struct cloud_object *object)
{
    free(object->id);
    free(object->deployment);
    free(object->key);
    free(object->type);
    free(object->token);
    free(object->address);
    for (uint32_t i = 0; i < CLOUD_LOG_LINES; i++)
        free(object->log[i]);
    free(object);
}

static struct cloud_object *object_new(const struct cloud_order *order, const char *id)
{
    struct cloud_object *object = (struct cloud_object *)calloc(1, sizeof *object);
    if (!object)
        return NULL;
    object->id = copy(id);
    object->deployment = copy(order->deployment);
    object->key = copy(order->key);
    object->type = copy(order->type);
    object->token = copy(order->token);
    object->address = order->address ? copy(order->address) : NULL;
    object->created_ms = order->now_ms;
    if (object->id && object->deployment && object->key && object->type && object->token &&
        (object->address || !order->address))
        return object;
    object_free(object);
    return NULL;
}

struct cloud_object *cloud_create(const struct cloud_order *order)
{
    struct cloud_object *known = cloud_find_token(order->deployment, order->token);
    if (known)
        return known;
    char id[64];
    snprintf(id, sizeof id, "%s-%u", order->address ? "machine" : "network", last_number + 1);
    struct cloud_object *object = object_new(order, id);
    if (!object)
        return NULL;
    last_number++;
    object->next = objects;
    objects = object;
    cloud_note(object, "created");
    if (order->address)
        cloud_switch(object, order->on, order->now_ms);
    return object;
}

struct cloud_object *cloud_find_id(const char *id)
{
    struct cloud_object *object = objects;
    while (object && strcmp(object->id, id))
        object = object->next;
    return object;
}

struct cloud_object *cloud_find_token(const char *deployment, const char *token)
{
    struct cloud_object *object = objects;
    while (object && (strcmp(object->token, token) || strcmp(object->deployment, deployment)))
        object = object->next;
    return object;
}

struct cloud_object *cloud_find_key(const char *deployment, const char *key)
{
    struct cloud_object *object = objects;
    while (object && (strcmp(object->key, key) || strcmp(object->deployment, deployment)))
        object = object->next;
    return object;
}

void cloud_delete(struct cloud_object *object)
{
    struct cloud_object **link = &objects;
    while (*link != object)
        link = &(*link)->next;
    *link = object->next;
    object_free(object);
}

void cloud_switch(struct cloud_object *machine, bool on, int64_t now_ms)
{
    if (on && !machine->on)
        machine->ready_ms = now_ms + CLOUD_BOOT_MS;
    if (on != machine->on)
        cloud_note(machine, on ? "switched on" : "switched off");
    machine->on = on;
}

void cloud_note(struct cloud_object *object, const char *text)
{
    char *line = copy(text);
    if (!line)
        return;
    char **place = &object->log[object->log_count++ % CLOUD_LOG_LINES];
    free(*place);
    *place = line;
}

struct cloud_object *cloud_all(void)
{
    return objects;
}

uint32_t cloud_count(const char *type)
{
    uint32_t count = 0;
    for (const struct cloud_object *object = objects; object; object = object->next)
        count += strcmp(object->type, type) == 0;
    return count;
}
