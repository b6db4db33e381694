/* plot.h - a time series as a chart of characters */
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

#include <stddef.h>
#include <stdio.h>
#include <time.h>

struct plot_point {
    time_t at;
    double value;
};

/* What is drawn, and where. Points are in the order of time and lie within start and end; two that are further apart
 * than one period and a half are not joined: between them is a gap. */
struct plot {
    const struct plot_point *points;
    size_t count;
    time_t start, end;
    unsigned period_seconds;
    unsigned columns, rows; /* of characters, labels and axes included in columns */
    int unicode;
};

/* Returns 0, or -1 when memory ran out. */
int plot_draw(FILE *stream, const struct plot *plot);

/* A value with as many digits as matter to a person: "12.5", "0.0042", "123457". */
void plot_number(char text[32], double value);

#endif
