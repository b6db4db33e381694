/*
 * config.h - a configuration from file to checked document
 *
 * YAML or JSON becomes one tree of json-c objects; the tree is checked against the combined schema of core, topology
 * and provider, with the path (and where known the line) of each wrong key.
 */
#ifndef CORE_CONFIG_CONFIG_H
#define CORE_CONFIG_CONFIG_H

#include <json-c/json.h>

#include <memories/memories.h>

struct memories_config {
    char *file;     /* name used in errors */
    char *topology; /* NULL while unknown */
    char *provider;
    char *name;
    json_object *config; /* the guide's config */
};

/* 0 when both topology and provider are known. */
int config_require_pair(const memories_config *config, memories_error **error);

/* Files larger, or trees with more values (aliases expanded), are refused. */
#define CONFIG_BYTES_MAX (1u << 20)
#define CONFIG_VALUES_MAX 100000

/* parse.c: text to tree; the root is a mapping. Objects remember their line, see config_line. Duplicate keys are
 * errors. */
json_object *config_parse_text(const char *text, size_t bytes, const char *name, memories_error **error);
/* Any one YAML value, as in `--set path=value`; a null is NULL. It has no lines. */
int config_parse_value(const char *text, const char *name, json_object **value, memories_error **error);
/* The line of a value, or of its key when it has one; 0 when unknown, as for null and numbers with a fraction. */
unsigned config_line(json_object *value);

/* combine.c: the JSON Schema of a configuration's `config` part for this pair: core/schemas/config.json with the
 * properties of both plugins' descriptions. New reference. */
json_object *config_schema_combine(json_object *topology_description, json_object *provider_description,
                                   memories_error **error);
/* The schema of a whole file {topology, provider, name, config}, for editors. */
json_object *config_schema_file(const char *topology, const char *provider, json_object *config_schema,
                                memories_error **error);

/* locate.c: puts the line before each place that is a path: "config.network.cidr" becomes "file.yaml:12:
 * config.network.cidr". A path whose line is unknown stays as it is. */
void config_locate(const memories_config *config, memories_error *error);

/* check.c: everything wrong with the tree, chained in *error; 0 when nothing is. */
int config_check(const memories_config *config, json_object *config_schema, memories_error **error);

#endif
