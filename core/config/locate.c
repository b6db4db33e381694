/* locate.c - from the path of a key to its line in the file */
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"

/* Follows one step of a path (".key", "[3]", "[\"odd key\"]") and moves *at behind it. NULL when it leads nowhere. */
static json_object *follow(json_object *value, const char **at)
{
    bool in_brackets = **at == '[', is_index = in_brackets && (*at)[1] != '"';
    const char *begin = *at + (in_brackets && !is_index ? 2 : 1);
    size_t length = strcspn(begin, is_index ? "]" : in_brackets ? "\"" : ".[");
    *at = begin + length;
    if (in_brackets)
        *at += strspn(*at, "\"]");
    if (is_index)
        return json_object_is_type(value, json_type_array) ? json_object_array_get_idx(value, strtoul(begin, NULL, 10))
                                                           : NULL;
    AUTO_FREE char *key = strndup(begin, length);
    return key ? json_get(value, key) : NULL;
}

/* Null and numbers with a fraction know no line: that of the mapping or list round them has to do. */
static unsigned line_of_path(json_object *root, const char *path)
{
    unsigned line = config_line(root);
    json_object *value = root;
    const char *at = path + strcspn(path, ".[");
    while (*at) {
        value = follow(value, &at);
        if (!value)
            return line;
        if (!json_object_is_type(value, json_type_double))
            line = config_line(value);
    }
    return line;
}

void config_locate(const memories_config *config, memories_error *error)
{
    for (; error; error = error->next) {
        bool is_path = error->where && !strncmp(error->where, "config", 6) && strchr(".[", error->where[6]);
        unsigned line = is_path && config->file ? line_of_path(config->config, error->where) : 0;
        char *where = line ? text_format("%s:%u: %s", config->file, line, error->where) : NULL;
        if (!where)
            continue;
        free(error->where);
        error->where = where;
    }
}
