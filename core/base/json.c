/* json.c - helpers around json-c */
#include "core/base/json.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"

json_object *json_parse(const char *text, const char *name, memories_error **error)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tokener) {
        error_no_memory(error);
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* The terminating NUL is passed too: it ends a bare number. */
    json_object *json = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    enum json_tokener_error reason = json_tokener_get_error(tokener);
    size_t at = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (reason == json_tokener_success)
        return json;
    json_object_put(json);
    error_set(error, MEMORIES_INVALID, "%s is not JSON: %s at byte %zu", name,
              reason == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(reason), at);
    return NULL;
}

json_object *json_get(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!object || !json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value))
        return NULL;
    return value;
}

static json_object *get_of_type(json_object *object, const char *key, enum json_type type)
{
    json_object *value = json_get(object, key);
    return value && json_object_is_type(value, type) ? value : NULL;
}

json_object *json_get_object(json_object *object, const char *key)
{
    return get_of_type(object, key, json_type_object);
}

json_object *json_get_array(json_object *object, const char *key)
{
    return get_of_type(object, key, json_type_array);
}

const char *json_get_string(json_object *object, const char *key)
{
    json_object *value = get_of_type(object, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

int64_t json_get_int(json_object *object, const char *key, int64_t otherwise)
{
    json_object *value = json_get(object, key);
    if (!value || !(json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)))
        return otherwise;
    return json_object_get_int64(value);
}

bool json_get_bool(json_object *object, const char *key, bool otherwise)
{
    json_object *value = get_of_type(object, key, json_type_boolean);
    return value ? json_object_get_boolean(value) : otherwise;
}

size_t json_count(json_object *array)
{
    return array && json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

json_object *json_ref(json_object *json)
{
    return json ? json_object_get(json) : NULL;
}

/* A json-c serialiser. The host program's locale may print a decimal comma. */
static int print_double(json_object *number, struct printbuf *out, int level, int flags)
{
    (void)level;
    (void)flags;
    char text[40];
    double value = json_object_get_double(number);
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    char *comma = strchr(text, ',');
    if (comma)
        *comma = '.';
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    return printbuf_memappend(out, text, (int)strlen(text));
}

/* Leaves line numbers (config.h) behind: a copy is plain JSON. So is the text that the parser keeps of a number. */
static int copy_plain(json_object *source, json_object *parent, const char *key, size_t index, json_object **copy)
{
    int result = json_c_shallow_copy_default(source, parent, key, index, copy);
    if (result >= 0 && json_object_is_type(*copy, json_type_double))
        json_object_set_serializer(*copy, print_double, NULL, NULL);
    return result < 0 ? result : 2; /* 2: user data is dealt with */
}

json_object *json_copy(json_object *json)
{
    json_object *copy = NULL;
    return json && json_object_deep_copy(json, &copy, copy_plain) == 0 ? copy : NULL;
}

json_object *json_new_double(double number)
{
    json_object *json = json_object_new_double(number);
    if (json)
        json_object_set_serializer(json, print_double, NULL, NULL);
    return json;
}

int json_set(json_object *object, const char *key, json_object *value)
{
    if (object && json_object_object_add(object, key, value) == 0)
        return 0;
    json_object_put(value);
    return MEMORIES_NO_MEMORY;
}

static int set_new(json_object *object, const char *key, json_object *value)
{
    return value ? json_set(object, key, value) : MEMORIES_NO_MEMORY;
}

int json_set_string(json_object *object, const char *key, const char *value)
{
    return value ? set_new(object, key, json_object_new_string(value)) : json_set(object, key, NULL);
}

int json_set_int(json_object *object, const char *key, int64_t value)
{
    return set_new(object, key, json_object_new_int64(value));
}

int json_set_bool(json_object *object, const char *key, bool value)
{
    return set_new(object, key, json_object_new_boolean(value));
}

int json_add(json_object *array, json_object *value)
{
    if (array && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return MEMORIES_NO_MEMORY;
}

int json_add_string(json_object *array, const char *value)
{
    json_object *string = json_object_new_string(value);
    return string ? json_add(array, string) : MEMORIES_NO_MEMORY;
}

static bool is_number(json_object *json)
{
    return json_object_is_type(json, json_type_int) || json_object_is_type(json, json_type_double);
}

static bool numbers_equal(json_object *a, json_object *b)
{
    if (json_object_is_type(a, json_type_int) && json_object_is_type(b, json_type_int))
        return json_object_equal(a, b);
    return json_object_get_double(a) == json_object_get_double(b);
}

bool json_equal(json_object *a, json_object *b)
{
    if (a == b)
        return true;
    if (!a || !b)
        return false;
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    if (json_object_is_type(a, json_type_array)) {
        size_t count = json_object_array_length(a);
        if (count != json_object_array_length(b))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!json_equal(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
                return false;
        return true;
    }
    if (json_object_is_type(a, json_type_object)) {
        if (json_object_object_length(a) != json_object_object_length(b))
            return false;
        json_object_object_foreach(a, key, value) {
            json_object *other = NULL;
            if (!json_object_object_get_ex(b, key, &other) || !json_equal(value, other))
                return false;
        }
        return true;
    }
    return json_object_equal(a, b);
}

static char *to_text(json_object *json, int flags)
{
    const char *text = json_object_to_json_string_ext(json, flags | JSON_C_TO_STRING_NOSLASHESCAPE);
    return text ? strdup(text) : NULL;
}

char *json_text(json_object *json)
{
    return to_text(json, JSON_C_TO_STRING_PLAIN);
}

char *json_pretty(json_object *json)
{
    return to_text(json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_sorted(struct text *text, json_object *json);

static int write_sorted_object(struct text *text, json_object *object)
{
    size_t count = (size_t)json_object_object_length(object), at = 0;
    AUTO_FREE const char **keys = calloc(count ? count : 1, sizeof *keys);
    if (!keys)
        return MEMORIES_NO_MEMORY;
    json_object_object_foreach(object, key, unused) {
        (void)unused;
        keys[at++] = key;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    text_append(text, "{");
    for (size_t i = 0; i < count; i++) {
        AUTO_JSON json_object *name = json_object_new_string(keys[i]);
        if (!name)
            return MEMORIES_NO_MEMORY;
        text_printf(text, "%s%s:", i ? "," : "", json_object_to_json_string_ext(name, JSON_C_TO_STRING_PLAIN));
        if (write_sorted(text, json_get(object, keys[i])))
            return MEMORIES_NO_MEMORY;
    }
    text_append(text, "}");
    return 0;
}

static int write_sorted(struct text *text, json_object *json)
{
    if (json && json_object_is_type(json, json_type_object))
        return write_sorted_object(text, json);
    if (!json || !json_object_is_type(json, json_type_array)) {
        text_append(text, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
        return 0;
    }
    text_append(text, "[");
    for (size_t i = 0; i < json_object_array_length(json); i++) {
        if (i)
            text_append(text, ",");
        if (write_sorted(text, json_object_array_get_idx(json, i)))
            return MEMORIES_NO_MEMORY;
    }
    text_append(text, "]");
    return 0;
}

int json_digest(json_object *json, char digest[65])
{
    struct text text = TEXT_INIT;
    int failed = write_sorted(&text, json);
    size_t length = text.length;
    AUTO_FREE char *sorted = text_take(&text);
    if (failed || !sorted)
        return MEMORIES_NO_MEMORY;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    if (!EVP_Digest(sorted, length, hash, &bytes, EVP_sha256(), NULL))
        return MEMORIES_NO_MEMORY;
    for (unsigned i = 0; i < bytes; i++)
        snprintf(digest + 2 * i, 3, "%02x", hash[i]);
    return 0;
}
