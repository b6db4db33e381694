/* table.h - aligned columns on standard output */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>

struct table;

/* Headings are NULL-terminated. NULL: no memory. */
struct table *table_new(const char *const *headings);
/* Adds a cell to the last row, or begins the next row when that is full. The text is copied; NULL is shown as "-". */
void table_add(struct table *table, const char *text);
/* Prints the table without the columns that are empty in every row, and frees it. status: the index of the column whose
 * words are coloured, or -1. Returns 0, or -1 when memory ran out and nothing was printed. */
int table_print(struct table *table, int status);

#endif
