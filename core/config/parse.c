/*
 * parse.c - configuration text to a tree of json-c objects that remember their lines
 *
 * Everything is read by libyaml, JSON too, since JSON is YAML 1.2. What would be read one way by one program and
 * another way by the next (duplicate keys, merge keys, tags) is refused.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "core/config/scalar.h"
#include "core/config/surrogates.h"

#define AUTO_EVENT __attribute__((cleanup(yaml_event_delete)))

struct reader {
    yaml_parser_t yaml;
    const char *text;
    size_t bytes;
    const char *name;     /* in errors */
    bool with_lines;      /* false: what is read comes from no file */
    size_t values_left;   /* the tree may still grow by so many */
    json_object *anchors; /* name: value */
    memories_error **error;
};

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

static int fail(struct reader *reader, yaml_mark_t mark, const char *format, ...) PRINTF_LIKE(3, 4);

static int fail(struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
    struct text message = TEXT_INIT;
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&message, format, arguments);
    va_end(arguments);
    AUTO_FREE char *said = text_take(&message);
    if (!said)
        return error_no_memory(reader->error);
    error_set(reader->error, MEMORIES_INVALID, "%s", said);
    error_where(reader->error, "%s:%zu:%zu", reader->name, mark.line + 1, mark.column + 1);
    return MEMORIES_INVALID;
}

/* Line and column of a byte. */
static yaml_mark_t mark_of_byte(const struct reader *reader, size_t offset)
{
    yaml_mark_t mark = { 0 };
    for (size_t i = 0; i < offset && i < reader->bytes; i++) {
        if (reader->text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)reader->text[i] & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* True when a tab indents the line, which libyaml would only call "a character that cannot start any token". */
static bool tab_indents(const struct reader *reader, size_t line)
{
    const char *at = reader->text, *end = reader->text + reader->bytes;
    for (; line && at < end; at++)
        line -= *at == '\n';
    while (at < end && *at == ' ')
        at++;
    return at < end && *at == '\t';
}

/* What libyaml's words mean for a person, as far as they need saying. */
static const char *advise_syntax(const char *problem)
{
    static const struct {
        const char *problem, *hint;
    } hints[] = {
        { "mapping values are not allowed in this context", "text with a colon and a space in it needs quotes" },
        { "could not find expected ':'", "a mapping has \"key: value\" on each line" },
        { "did not find expected key", "all keys of a mapping begin in the same column" },
        { "found character that cannot start any token", "text that begins with @, ` or % needs quotes" },
        { "did not find expected alphabetic or numeric character", "text that begins with * or & needs quotes" },
        { "found unexpected end of stream", "a quotation mark is not closed" },
        { "found unknown escape character", "text in single quotes has no escapes" },
    };
    for (size_t i = 0; i < ARRAY_COUNT(hints); i++)
        if (!strcmp(problem, hints[i].problem))
            return hints[i].hint;
    return NULL;
}

static int fail_bytes(struct reader *reader)
{
    bool is_control = !strcmp(reader->yaml.problem, "control characters are not allowed");
    return fail(reader, mark_of_byte(reader, reader->yaml.problem_offset), "%s",
                is_control ? "a control character stands here" : "this is not UTF-8 text");
}

static int fail_syntax(struct reader *reader)
{
    const yaml_parser_t *yaml = &reader->yaml;
    if (yaml->error == YAML_MEMORY_ERROR)
        return error_no_memory(reader->error);
    if (yaml->error == YAML_READER_ERROR)
        return fail_bytes(reader);
    if (yaml->error == YAML_SCANNER_ERROR && tab_indents(reader, yaml->problem_mark.line)) {
        fail(reader, yaml->problem_mark, "a tab indents this line");
        error_hint(reader->error, "YAML is indented with spaces");
        return MEMORIES_INVALID;
    }
    if (yaml->context && yaml->context_mark.line != yaml->problem_mark.line)
        fail(reader, yaml->problem_mark, "%s (%s that began on line %zu)", yaml->problem, yaml->context,
             yaml->context_mark.line + 1);
    else
        fail(reader, yaml->problem_mark, "%s", yaml->problem);
    const char *hint = advise_syntax(yaml->problem);
    if (hint)
        error_hint(reader->error, "%s", hint);
    return MEMORIES_INVALID;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->yaml, event) ? 0 : fail_syntax(reader);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

/* json-c keeps its own notes in the user data of numbers with a fraction; a null has no object at all. */
static bool has_room_for_line(json_object *value)
{
    return value && !json_object_is_type(value, json_type_double);
}

unsigned config_line(json_object *value)
{
    return has_room_for_line(value) ? (unsigned)(uintptr_t)json_object_get_userdata(value) : 0;
}

static void set_line(const struct reader *reader, json_object *value, size_t line)
{
    if (reader->with_lines && has_room_for_line(value))
        json_object_set_userdata(value, (void *)(uintptr_t)line, NULL);
}

/* ---- Scalars ----------------------------------------------------------------------------------------------------- */

static int read_plain(struct reader *reader, const yaml_event_t *event, const char *text, json_object **value)
{
    switch (scalar_read(text, value)) {
    case SCALAR_OK:
        return 0;
    case SCALAR_TOO_LARGE:
        return fail(reader, event->start_mark, "%s is too large a number: it does not fit into 64 bits", text);
    case SCALAR_NOT_FINITE:
        fail(reader, event->start_mark, "%s is no number that a configuration can hold", text);
        error_hint(reader->error, "put it into quotes if it is text");
        return MEMORIES_INVALID;
    default:
        return error_no_memory(reader->error);
    }
}

static int check_tag(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag)
{
    static const char standard[] = "tag:yaml.org,2002:"; /* what !! stands for */
    const char *name = (const char *)tag;
    if (!tag)
        return 0;
    bool is_standard = !strncmp(name, standard, strlen(standard));
    fail(reader, event->start_mark, "tags (%s%s) have no meaning in a configuration", is_standard ? "!!" : "",
         is_standard ? name + strlen(standard) : name);
    error_hint(reader->error, "leave the tag out; put text that looks like a number into quotes");
    return MEMORIES_INVALID;
}

/* Text goes to C functions later, which would see a NUL as its end. */
static int check_text(struct reader *reader, const yaml_event_t *event)
{
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length))
        return fail(reader, event->start_mark, "text can't hold a NUL character");
    return 0;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, json_object **value)
{
    const char *text = (const char *)event->data.scalar.value;
    if (check_tag(reader, event, event->data.scalar.tag) || check_text(reader, event))
        return MEMORIES_INVALID;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return read_plain(reader, event, text, value);
    *value = json_object_new_string(text);
    return *value ? 0 : error_no_memory(reader->error);
}

/* ---- Trees ------------------------------------------------------------------------------------------------------- */

static int read_value(struct reader *reader, const yaml_event_t *event, unsigned depth, json_object **value);

static int check_key(struct reader *reader, const yaml_event_t *event, json_object *object)
{
    if (event->type != YAML_SCALAR_EVENT)
        return fail(reader, event->start_mark, "a key must be plain text");
    if (check_tag(reader, event, event->data.scalar.tag) || check_text(reader, event))
        return MEMORIES_INVALID;
    const char *key = (const char *)event->data.scalar.value;
    if (!strcmp(key, "<<") && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        fail(reader, event->start_mark, "merge keys (<<) are not part of YAML 1.2");
        error_hint(reader->error, "write the keys out; &anchors and *aliases of whole values work");
        return MEMORIES_INVALID;
    }
    json_object *earlier;
    if (!json_object_object_get_ex(object, key, &earlier))
        return 0;
    unsigned line = config_line(earlier);
    fail(reader, event->start_mark, "the key `%s` is given twice", key);
    if (line)
        error_hint(reader->error, "it is first given on line %u", line);
    return MEMORIES_INVALID;
}

/* Adds one `key: value` pair; the value gets the line of its key. */
static int read_member(struct reader *reader, const yaml_event_t *key, unsigned depth, json_object *object)
{
    AUTO_EVENT yaml_event_t event = { 0 };
    AUTO_JSON json_object *value = NULL;
    int failed = check_key(reader, key, object);
    if (!failed)
        failed = next_event(reader, &event);
    if (!failed)
        failed = read_value(reader, &event, depth, &value);
    if (failed)
        return failed;
    set_line(reader, value, key->start_mark.line + 1);
    if (json_set(object, (const char *)key->data.scalar.value, STEAL(value)))
        return error_no_memory(reader->error);
    return 0;
}

static int read_members(struct reader *reader, unsigned depth, json_object *object)
{
    for (;;) {
        AUTO_EVENT yaml_event_t event = { 0 };
        int failed = next_event(reader, &event);
        if (failed || event.type == YAML_MAPPING_END_EVENT)
            return failed;
        failed = read_member(reader, &event, depth, object);
        if (failed)
            return failed;
    }
}

static int read_items(struct reader *reader, unsigned depth, json_object *array)
{
    for (;;) {
        AUTO_EVENT yaml_event_t event = { 0 };
        AUTO_JSON json_object *value = NULL;
        int failed = next_event(reader, &event);
        if (failed || event.type == YAML_SEQUENCE_END_EVENT)
            return failed;
        failed = read_value(reader, &event, depth, &value);
        if (failed)
            return failed;
        set_line(reader, value, event.start_mark.line + 1);
        if (json_add(array, STEAL(value)))
            return error_no_memory(reader->error);
    }
}

static int read_container(struct reader *reader, const yaml_event_t *event, unsigned depth, json_object **value)
{
    bool is_object = event->type == YAML_MAPPING_START_EVENT;
    if (check_tag(reader, event, is_object ? event->data.mapping_start.tag : event->data.sequence_start.tag))
        return MEMORIES_INVALID;
    AUTO_JSON json_object *container = is_object ? json_object_new_object() : json_object_new_array();
    if (!container)
        return error_no_memory(reader->error);
    int failed = is_object ? read_members(reader, depth + 1, container) : read_items(reader, depth + 1, container);
    if (failed)
        return failed;
    *value = STEAL(container);
    return 0;
}

/* Counts one value at `depth` (1 for the root). */
static int spend_one(struct reader *reader, yaml_mark_t mark, unsigned depth)
{
    if (depth > JSON_DEPTH_MAX)
        return fail(reader, mark, "values are nested more than %d deep", JSON_DEPTH_MAX);
    if (!reader->values_left)
        return fail(reader, mark, "there are more than %d values (aliases count with all that they stand for)",
                    CONFIG_VALUES_MAX);
    reader->values_left--;
    return 0;
}

/* Counts all values of a tree before it is copied, so that a few lines of aliases can't fill the memory. */
static int spend_tree(struct reader *reader, yaml_mark_t mark, json_object *tree, unsigned depth)
{
    int failed = spend_one(reader, mark, depth);
    if (json_object_is_type(tree, json_type_array))
        for (size_t i = 0; !failed && i < json_object_array_length(tree); i++)
            failed = spend_tree(reader, mark, json_object_array_get_idx(tree, i), depth + 1);
    if (json_object_is_type(tree, json_type_object)) {
        json_object_object_foreach(tree, key, value) {
            (void)key;
            if (!failed)
                failed = spend_tree(reader, mark, value, depth + 1);
        }
    }
    return failed;
}

static int copy_with_line(json_object *source, json_object *parent, const char *key, size_t index, json_object **copy)
{
    if (json_c_shallow_copy_default(source, parent, key, index, copy) < 0)
        return -1;
    if (has_room_for_line(source))
        json_object_set_userdata(*copy, json_object_get_userdata(source), NULL);
    return 2; /* the user data is dealt with */
}

static int read_alias(struct reader *reader, const yaml_event_t *event, unsigned depth, json_object **value)
{
    const char *anchor = (const char *)event->data.alias.anchor;
    json_object *source;
    if (!json_object_object_get_ex(reader->anchors, anchor, &source)) {
        fail(reader, event->start_mark, "*%s stands for nothing: no value before it carries the anchor &%s", anchor,
             anchor);
        error_hint(reader->error, "text that begins with * needs quotes");
        return MEMORIES_INVALID;
    }
    int failed = spend_tree(reader, event->start_mark, source, depth);
    if (failed || !source)
        return failed;
    return json_object_deep_copy(source, value, copy_with_line) ? error_no_memory(reader->error) : 0;
}

static const char *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return (const char *)event->data.scalar.anchor;
    case YAML_MAPPING_START_EVENT:
        return (const char *)event->data.mapping_start.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return (const char *)event->data.sequence_start.anchor;
    default:
        return NULL;
    }
}

static int read_value(struct reader *reader, const yaml_event_t *event, unsigned depth, json_object **value)
{
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth, value);
    int failed = spend_one(reader, event->start_mark, depth);
    if (!failed)
        failed = event->type == YAML_SCALAR_EVENT ? read_scalar(reader, event, value)
                                                  : read_container(reader, event, depth, value);
    const char *anchor = anchor_of(event);
    if (!failed && anchor && json_set(reader->anchors, anchor, json_ref(*value)))
        failed = error_no_memory(reader->error);
    return failed;
}

/* ---- Documents --------------------------------------------------------------------------------------------------- */

static int fail_empty(struct reader *reader)
{
    error_set(reader->error, MEMORIES_INVALID, "there is no configuration in it");
    error_where(reader->error, "%s", reader->name);
    return MEMORIES_INVALID;
}

static int expect_end(struct reader *reader)
{
    AUTO_EVENT yaml_event_t document_end = { 0 };
    AUTO_EVENT yaml_event_t event = { 0 };
    int failed = next_event(reader, &document_end);
    if (!failed)
        failed = next_event(reader, &event);
    if (!failed && event.type != YAML_STREAM_END_EVENT)
        failed = fail(reader, event.start_mark, "a second document begins here; a configuration is one document");
    return failed;
}

static int read_document(struct reader *reader, bool need_mapping, json_object **value)
{
    AUTO_EVENT yaml_event_t stream_start = { 0 };
    AUTO_EVENT yaml_event_t document_start = { 0 };
    AUTO_EVENT yaml_event_t root = { 0 };
    int failed = next_event(reader, &stream_start);
    if (!failed)
        failed = next_event(reader, &document_start);
    if (!failed && document_start.type == YAML_STREAM_END_EVENT)
        return need_mapping ? fail_empty(reader) : 0;
    if (!failed)
        failed = next_event(reader, &root);
    if (!failed && need_mapping && root.type != YAML_MAPPING_START_EVENT)
        failed = fail(reader, root.start_mark, "expected a mapping of keys to values (\"key: value\"), found %s",
                      root.type == YAML_SEQUENCE_START_EVENT ? "a list" : "plain text");
    if (!failed)
        failed = read_value(reader, &root, 1, value);
    if (!failed)
        failed = expect_end(reader);
    if (!failed)
        set_line(reader, *value, root.start_mark.line + 1);
    return failed;
}

/* ---- Entry ------------------------------------------------------------------------------------------------------- */

static bool is_json(const char *text, size_t bytes)
{
    while (bytes && isspace((unsigned char)*text)) {
        text++;
        bytes--;
    }
    return bytes && *text == '{';
}

static int read_text(const char *text, size_t bytes, const char *name, bool from_file, json_object **value,
                     memories_error **error)
{
    if (bytes > CONFIG_BYTES_MAX) {
        error_set(error, MEMORIES_INVALID, "it has %zu bytes; a configuration has at most %u", bytes, CONFIG_BYTES_MAX);
        error_where(error, "%s", name);
        return MEMORIES_INVALID;
    }
    AUTO_FREE char *joined = NULL;
    if (is_json(text, bytes)) {
        joined = surrogates_join(text, &bytes);
        if (!joined)
            return error_no_memory(error);
        text = joined;
    }
    struct reader reader = { .text = text,
                             .bytes = bytes,
                             .name = name,
                             .with_lines = from_file,
                             .values_left = CONFIG_VALUES_MAX,
                             .error = error };
    AUTO_JSON json_object *anchors = reader.anchors = json_object_new_object();
    if (!anchors || !yaml_parser_initialize(&reader.yaml))
        return error_no_memory(error);
    yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text, bytes);
    AUTO_JSON json_object *read = NULL;
    int failed = read_document(&reader, from_file, &read);
    yaml_parser_delete(&reader.yaml);
    if (!failed)
        *value = STEAL(read);
    return failed;
}

json_object *config_parse_text(const char *text, size_t bytes, const char *name, memories_error **error)
{
    json_object *value = NULL;
    read_text(text, bytes, name, true, &value, error);
    return value;
}

int config_parse_value(const char *text, const char *name, json_object **value, memories_error **error)
{
    *value = NULL;
    return read_text(text, strlen(text), name, false, value, error);
}
