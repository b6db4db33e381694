/* schema_node.h - a compiled JSON Schema: what schema_compile.c makes and schema_check.c walks */
#ifndef CORE_CONFIG_SCHEMA_NODE_H
#define CORE_CONFIG_SCHEMA_NODE_H

#include <json-c/json.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/config/format.h"

/* Bits of `type`. A whole number is an integer and a number. */
#define TYPE_STRING 1u
#define TYPE_INTEGER 2u
#define TYPE_NUMBER 4u
#define TYPE_BOOLEAN 8u
#define TYPE_OBJECT 16u
#define TYPE_ARRAY 32u
#define TYPE_NULL 64u

/* Subschemas that apply in place ($ref, allOf, …) may follow one another so far, and no further. */
#define SCHEMA_CHAIN_MAX 64

struct node;

struct node_list {
    struct node **items;
    size_t count;
};

/* Subschemas by name (properties) or by pattern (patternProperties). */
struct named_node {
    const char *name;
    struct node *node;
    regex_t pattern;
    bool has_pattern;
};

struct named_list {
    struct named_node *items;
    size_t count;
};

/* One schema. Documents are borrowed from the schema's own text; NULL and -1 stand for keywords that are not there. */
struct node {
    json_object *source;
    bool never;      /* the schema `false` */
    bool walked;     /* by the search for endless references */
    unsigned height; /* of the longest chain of in-place subschemas below */

    unsigned types;       /* 0: any */
    json_object *choices; /* enum */
    json_object *constant;
    bool has_constant;

    json_object *minimum, *maximum, *above, *below, *multiple_of;

    long min_length, max_length;
    const char *pattern_text;
    regex_t pattern;
    bool has_pattern;
    const struct format *format;

    struct named_list properties; /* sorted by name */
    struct named_list patterns;
    struct node *additional, *unevaluated, *names;
    json_object *required;
    json_object *dependent_required;
    long min_properties, max_properties;

    struct node_list prefix;
    struct node *items, *contains;
    long min_items, max_items, min_contains, max_contains;
    bool unique_items;

    struct node *reference;
    struct node_list all_of, any_of, one_of;
    struct node *not_schema, *if_schema, *then_schema, *else_schema;

    const char *title, *description;
    json_object *examples;
};

struct schema {
    json_object *document;
    struct node *root;
    struct node_list nodes; /* all of them, for schema_free */
};

/* The subschema of a property, or NULL. */
struct node *node_property(const struct node *node, const char *name);
/* Calls back for every subschema that applies to the same value as `node`; stops at a non-zero answer and gives it. */
int node_each_in_place(const struct node *node, int visit(struct node *child, void *user_data), void *user_data);

#endif
