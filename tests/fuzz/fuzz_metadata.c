/* fuzz_metadata.c - any bytes as a plugin's file: what is taken for metadata is complete and harmless */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/loader/loader.h"
#include "core/loader/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON json_object *metadata = metadata_parse((const char *)data, size);
    if (!metadata)
        return 0;
    json_object_object_foreach(metadata, key, value) {
        (void)key;
        if (!json_object_is_type(value, json_type_string))
            abort();
        check_printable(json_object_get_string(value));
    }
    const char *kind = json_get_string(metadata, "kind"), *name = json_get_string(metadata, "name");
    if (!kind || !plugin_kind_of(kind) || !name || !plugin_name_is_valid(name) || !json_get(metadata, "abi") ||
        !json_get(metadata, "needs"))
        abort();
    return 0;
}
