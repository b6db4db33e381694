/*
 * fuzz_config.c - any bytes as a configuration file, and behind the first NUL as an override (path=value)
 *
 * What is accepted must also survive being checked and printed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Under valgrind and libFuzzer alike: made once, for the life of the process. */
static json_object *combined_schema(void)
{
    static json_object *schema;
    if (schema)
        return schema;
    AUTO_JSON json_object *topology = json_tokener_parse(
        "{\"version\": 1, \"schema\": {\"properties\": {\"node_specs\": {\"uniqueItems\": true, \"items\": {"
        " \"$ref\": \"#/$defs/machine\", \"properties\": {\"id\": {\"type\": \"string\"}}, \"required\": [\"id\"],"
        " \"unevaluatedProperties\": false}}}}}");
    AUTO_JSON json_object *provider =
        json_tokener_parse("{\"version\": 1, \"resource_types\": {\"fuzz.node\": {\"is_node\": true}}}");
    return schema = config_schema_combine(topology, provider, NULL);
}

static void use(memories_config *config, const char *assignment)
{
    AUTO_ERROR memories_error *error = NULL;
    AUTO_ERROR memories_error *refused = NULL;
    if (assignment)
        memories_config_set(config, assignment, &refused);
    int failed = config_check(config, combined_schema(), &error);
    AUTO_FREE char *text = failed ? memories_error_text(error) : memories_config_json(config);
    if (!text || (failed != 0) != (error != NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ERROR memories_error *error = NULL;
    const uint8_t *end = memchr(data, '\0', size);
    size_t bytes = end ? (size_t)(end - data) : size;
    AUTO_FREE char *assignment = end ? strndup((const char *)end + 1, size - bytes - 1) : NULL;
    memories_config *config = memories_config_parse(NULL, (const char *)data, bytes, "fuzz", &error);
    if ((config == NULL) != (error != NULL))
        abort();
    if (config)
        use(config, assignment);
    memories_config_free(config);
    return 0;
}
