/* ini.c - the format of the files that the AWS tools share, see ini.h */
#include "plugins/providers/aws/ini.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

struct parser {
    json_object *sections;
    json_object *section; /* borrowed, as is key; NULL before the first one */
    char *key;            /* of the value that an indented line would go on with */
    bool no_memory;
};

/* A copy without white space at both ends. */
static char *trimmed(const char *text, size_t length)
{
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    while (length && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    return strndup(text, length);
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

/* "key = value": NULL in *key when there is no delimiter or no key. */
static void split(const char *line, size_t length, char **key, char **value)
{
    size_t at = 0;
    while (at < length && line[at] != '=' && line[at] != ':')
        at++;
    *key = *value = NULL;
    if (at == length)
        return;
    *key = trimmed(line, at);
    *value = trimmed(line + at + 1, length - at - 1);
    if (*key && !**key) {
        free(*key);
        *key = NULL;
    }
    if (*key)
        lower(*key);
}

static bool set(struct parser *parser, json_object *object, const char *key, const char *value)
{
    if (!value || json_set_string(object, key, value))
        parser->no_memory = true;
    return !parser->no_memory;
}

static bool begin_section(struct parser *parser, const char *line, size_t length)
{
    const char *end = memchr(line, ']', length);
    AUTO_FREE char *name = end ? trimmed(line + 1, (size_t)(end - line) - 1) : NULL;
    if (!name)
        return false;
    parser->section = json_get_object(parser->sections, name);
    if (!parser->section)
        parser->section = json_set_new_object(parser->sections, name);
    parser->no_memory |= !parser->section;
    free(parser->key);
    parser->key = NULL;
    return parser->section;
}

/* A value that is empty so far becomes a nested section; one that is not gets another line. */
static bool go_on(struct parser *parser, const char *line, size_t length)
{
    json_object *present = json_get(parser->section, parser->key);
    const char *before = json_get_string(parser->section, parser->key);
    AUTO_FREE char *text = trimmed(line, length);
    AUTO_FREE char *longer = NULL;
    if (before && *before) {
        if (!text || asprintf(&longer, "%s\n%s", before, text) < 0)
            longer = NULL;
        return set(parser, parser->section, parser->key, longer);
    }
    AUTO_FREE char *key = NULL;
    AUTO_FREE char *value = NULL;
    split(line, length, &key, &value);
    if (!key || !value)
        return false;
    if (before)
        present = json_set_new_object(parser->section, parser->key);
    return set(parser, present, key, value);
}

static bool parse_line(struct parser *parser, const char *line, size_t length)
{
    size_t indent = strspn(line, " \t");
    if (indent >= length || line[indent] == '\r' || line[indent] == '#' || line[indent] == ';')
        return true;
    if (indent && parser->section && parser->key)
        return go_on(parser, line, length);
    if (*line == '[')
        return begin_section(parser, line, length);
    AUTO_FREE char *value = NULL;
    free(parser->key);
    split(line, length, &parser->key, &value);
    return parser->section && parser->key && set(parser, parser->section, parser->key, value);
}

json_object *ini_parse(const char *text, size_t *line)
{
    AUTO_JSON json_object *sections = json_object_new_object();
    struct parser parser = { .sections = sections, .no_memory = !sections };
    bool failed = parser.no_memory;
    *line = 0;
    while (!failed && *text) {
        size_t length = strcspn(text, "\n");
        ++*line;
        failed = !parse_line(&parser, text, length);
        text += length + (text[length] == '\n');
    }
    free(parser.key);
    if (parser.no_memory)
        *line = 0;
    return failed ? NULL : STEAL(sections);
}
