/*
 * fuzz_schema.c - any mapping {schema, value}: a schema that compiles must be able to judge any value
 *
 * glibc's regcomp needs memory beyond all bounds for repetitions in repetitions ("((a{99}){99}){99}"). Patterns come
 * from plugins, which may do as they like anyway: schemas with a { in a pattern are passed over.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/config/config.h"
#include "core/config/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_problem(const char *path, json_object *value, const char *message, const char *hint, void *user_data)
{
    AUTO_FREE char *text = json_text(value);
    if (!text || path[0] != 'v' || !*message || (hint && !*hint))
        abort();
    ++*(unsigned *)user_data;
}

static bool has_repetition(json_object *schema)
{
    if (json_object_is_type(schema, json_type_array))
        for (size_t i = 0; i < json_count(schema); i++)
            if (has_repetition(json_object_array_get_idx(schema, i)))
                return true;
    if (!json_object_is_type(schema, json_type_object))
        return false;
    json_object_object_foreach(schema, key, value) {
        const char *pattern = json_get_string(schema, "pattern");
        if (strchr(key, '{') || (pattern && strchr(pattern, '{')) || has_repetition(value))
            return true;
    }
    return false;
}

static void judge(json_object *document, json_object *value)
{
    AUTO_ERROR memories_error *error = NULL;
    unsigned told = 0;
    struct schema *schema = schema_compile(document, "the schema", &error);
    if ((schema == NULL) != (error != NULL))
        abort();
    if (schema && schema_check(schema, value, "v", read_problem, &told) != told)
        abort();
    schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON json_object *input = config_parse_text((const char *)data, size, "fuzz", NULL);
    json_object *schema = json_get(input, "schema");
    if (!input || has_repetition(schema))
        return 0;
    judge(schema, json_get(input, "value"));
    return 0;
}
