/* table.c - aligned columns on standard output */
#include "cli/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"

enum { COLUMNS_MAX = 8 };

struct table {
    const char *headings[COLUMNS_MAX];
    unsigned widths[COLUMNS_MAX];
    bool used[COLUMNS_MAX];
    size_t columns;
    char **cells; /* NULL: nothing to show */
    size_t count, capacity;
    bool failed;
};

struct table *table_new(const char *const *headings)
{
    struct table *table = calloc(1, sizeof *table);
    for (; table && headings[table->columns] && table->columns < COLUMNS_MAX; table->columns++) {
        table->headings[table->columns] = headings[table->columns];
        table->widths[table->columns] = text_columns(headings[table->columns]);
    }
    return table;
}

static bool grow(struct table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : 64;
    char **cells = reallocarray(table->cells, capacity, sizeof *cells);
    if (!cells)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_add(struct table *table, const char *text)
{
    if (!table || table->failed)
        return;
    char *copy = text ? strdup(text) : NULL;
    if ((text && !copy) || (table->count == table->capacity && !grow(table))) {
        free(copy);
        table->failed = true;
        return;
    }
    size_t column = table->count % table->columns;
    unsigned width = text ? text_columns(text) : 1;
    if (width > table->widths[column])
        table->widths[column] = width;
    table->used[column] |= text && *text;
    table->cells[table->count++] = copy;
}

static void print_row(const struct table *table, const char *const *cells, int status, bool heading)
{
    unsigned owed = 0; /* spaces before the next cell; none behind the last one */
    for (size_t i = 0; i < table->columns; i++) {
        if (!table->used[i])
            continue;
        const char *text = cells[i] ? cells[i] : "-";
        enum colour colour = heading ? COLOUR_BOLD : (int)i == status ? screen_status_colour(text) : COLOUR_NONE;
        text_pad(stdout, owed);
        if (colour != COLOUR_NONE)
            fputs(screen_colour(stdout, colour), stdout);
        text_put(stdout, text);
        if (colour != COLOUR_NONE)
            fputs(screen_colour(stdout, COLOUR_NONE), stdout);
        owed = table->widths[i] - text_columns(text) + 2;
    }
    putchar('\n');
}

int table_print(struct table *table, int status)
{
    if (!table)
        return -1;
    int result = table->failed ? -1 : 0;
    if (result == 0) {
        print_row(table, table->headings, status, true);
        for (size_t i = 0; i + table->columns <= table->count; i += table->columns)
            print_row(table, (const char *const *)table->cells + i, status, false);
    }
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
    return result;
}
