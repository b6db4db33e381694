/* cases.h - tests kept as data: a YAML file with a list `cases`, each with a name and the lines it must give */
#ifndef TESTS_UNIT_CASES_H
#define TESTS_UNIT_CASES_H

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/config.h"

/* The whole file tests/data/NAME; json_object_put it. */
static inline json_object *cases_load(const char *name)
{
    memories_error *error = NULL;
    const char *srcdir = getenv("srcdir");
    char *path = text_format("%s/tests/data/%s", srcdir ? srcdir : ".", name);
    size_t bytes = 0;
    char *text = file_read(path, CONFIG_BYTES_MAX, &bytes, &error);
    json_object *file = text ? config_parse_text(text, bytes, name, &error) : NULL;
    ck_assert_msg(file != NULL, "%s", error ? memories_error_text(error) : "no file");
    free(text);
    free(path);
    return file;
}

/* The lines of `expect`, joined. */
static inline char *cases_expected(json_object *one)
{
    struct text text = TEXT_INIT;
    json_object *lines = json_get_array(one, "expect");
    for (size_t i = 0; i < json_count(lines); i++)
        text_printf(&text, "%s%s", i ? "\n" : "", json_object_get_string(json_object_array_get_idx(lines, i)));
    return text_take(&text);
}

/* Prints both texts when they differ; so that one run shows all that is wrong. 1 when they differ. */
static inline unsigned cases_differ(json_object *one, const char *found)
{
    char *expected = cases_expected(one);
    unsigned differ = strcmp(expected, found) != 0;
    if (differ)
        printf("--- %s\nexpected:\n%s\nfound:\n%s\n", json_get_string(one, "name"), expected, found);
    free(expected);
    return differ;
}

#endif
