/* plot.c - a time series as a chart of characters
 *
 * Braille patterns give two by four dots a character; without Unicode a character is one dot.
 */
#include "cli/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MIN = 10, TIME_COLUMNS = sizeof "2026-02-25T12:34:56Z" - 1 };

struct raster {
    unsigned char *dots; /* one byte each, row by row, from the top */
    size_t width, height;
    size_t cell_width, cell_height; /* dots of one character */
};

void plot_number(char text[32], double value)
{
    double size = fabs(value);
    snprintf(text, 32, "%.*f", size >= 1000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4, value);
    if (!strchr(text, '.'))
        return;
    size_t end = strlen(text);
    while (text[end - 1] == '0')
        end--;
    end -= text[end - 1] == '.';
    text[end] = '\0';
}

/* The dot of `value` in a range of `dots` dots; a range without extent has its dot in the middle. */
static size_t place(double value, double from, double to, size_t dots)
{
    double share = to > from ? (value - from) / (to - from) : 0.5;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return (size_t)lround(share * (double)(dots - 1));
}

static void set_dot(struct raster *raster, size_t x, size_t y_from_bottom)
{
    raster->dots[(raster->height - 1 - y_from_bottom) * raster->width + x] = 1;
}

/* A line whose dots touch: each column reaches from the height of the column before to its own. */
static void draw_line(struct raster *raster, size_t x0, size_t y0, size_t x1, size_t y1)
{
    size_t last = y0;
    for (size_t x = x0; x <= x1; x++) {
        double share = x1 > x0 ? (double)(x - x0) / (double)(x1 - x0) : 1;
        size_t y = (size_t)lround((double)y0 + share * ((double)y1 - (double)y0));
        for (size_t dot = last < y ? last + 1 : y; dot < (last < y ? y : last); dot++)
            set_dot(raster, x, dot);
        set_dot(raster, x, y);
        last = y;
    }
}

static void draw_points(struct raster *raster, const struct plot *plot, double low, double high)
{
    size_t last_x = 0, last_y = 0;
    for (size_t i = 0; i < plot->count; i++) {
        const struct plot_point *point = &plot->points[i];
        size_t x = place((double)point->at, (double)plot->start, (double)plot->end, raster->width);
        size_t y = place(point->value, low, high, raster->height);
        bool joined = i && difftime(point->at, point[-1].at) <= plot->period_seconds * 1.5;
        if (joined)
            draw_line(raster, last_x, last_y, x, y);
        else
            set_dot(raster, x, y);
        last_x = x;
        last_y = y;
    }
}

static bool dot_at(const struct raster *raster, size_t x, size_t y)
{
    return raster->dots[y * raster->width + x];
}

/* U+2800 and up: bits 0 to 2 and 6 are the left column from the top, 3 to 5 and 7 the right one (Unicode, 21.1). */
static void put_braille(FILE *stream, const struct raster *raster, size_t x, size_t y)
{
    static const unsigned char bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    unsigned pattern = 0;
    for (size_t dy = 0; dy < 4; dy++)
        for (size_t dx = 0; dx < 2; dx++)
            if (dot_at(raster, x + dx, y + dy))
                pattern |= bits[dy][dx];
    if (!pattern)
        fputc(' ', stream);
    else
        fprintf(stream, "\xe2%c%c", 0xa0 | (int)(pattern >> 6), 0x80 | (int)(pattern & 0x3f));
}

static void put_rows(FILE *stream, const struct plot *plot, const struct raster *raster, double low, double high,
                     int label_columns)
{
    for (unsigned row = 0; row < plot->rows; row++) {
        char label[32] = "";
        if (row == 0 && high > low)
            plot_number(label, high);
        if (row == plot->rows - 1 && high > low)
            plot_number(label, low);
        if (high <= low && row == plot->rows / 2)
            plot_number(label, low);
        fprintf(stream, "  %*s %s", label_columns, label, plot->unicode ? (*label ? "┤" : "│") : (*label ? "+" : "|"));
        for (size_t x = 0; x < raster->width; x += raster->cell_width) {
            if (plot->unicode)
                put_braille(stream, raster, x, row * raster->cell_height);
            else
                fputc(dot_at(raster, x, row) ? '*' : ' ', stream);
        }
        fputc('\n', stream);
    }
}

static bool column_empty(const struct raster *raster, size_t x)
{
    for (size_t dx = 0; dx < raster->cell_width; dx++)
        for (size_t y = 0; y < raster->height; y++)
            if (dot_at(raster, x + dx, y))
                return false;
    return true;
}

/* The axis is broken where nothing was measured. */
static void put_axis(FILE *stream, const struct plot *plot, const struct raster *raster, int label_columns)
{
    fprintf(stream, "  %*s %s", label_columns, "", plot->unicode ? "└" : "+");
    for (size_t x = 0; x < raster->width; x += raster->cell_width) {
        if (column_empty(raster, x))
            fputs(plot->unicode ? "·" : ".", stream);
        else
            fputs(plot->unicode ? "─" : "-", stream);
    }
    fputc('\n', stream);
}

static void put_times(FILE *stream, const struct plot *plot, const struct raster *raster, int label_columns)
{
    char start[TIME_COLUMNS + 1] = "", end[TIME_COLUMNS + 1] = "";
    struct tm tm;
    int width = (int)(raster->width / raster->cell_width);
    if (gmtime_r(&plot->start, &tm))
        strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (gmtime_r(&plot->end, &tm))
        strftime(end, sizeof end, "%Y-%m-%dT%H:%M:%SZ", &tm);
    int between = width - 2 * TIME_COLUMNS;
    if (between >= 2)
        fprintf(stream, "  %*s  %s%*s%s\n", label_columns, "", start, between, "", end);
    else
        fprintf(stream, "  %s to %s\n", start, end);
}

static int label_width(double low, double high)
{
    char low_text[32], high_text[32];
    plot_number(low_text, low);
    plot_number(high_text, high);
    size_t width = strlen(low_text) > strlen(high_text) ? strlen(low_text) : strlen(high_text);
    return (int)width;
}

int plot_draw(FILE *stream, const struct plot *plot)
{
    if (!plot->count)
        return 0;
    double low = plot->points[0].value, high = low;
    for (size_t i = 1; i < plot->count; i++) {
        low = fmin(low, plot->points[i].value);
        high = fmax(high, plot->points[i].value);
    }
    int label_columns = label_width(low, high);
    unsigned around = (unsigned)label_columns + 4; /* indent, label, space, axis */
    unsigned width = plot->columns > around + WIDTH_MIN ? plot->columns - around : WIDTH_MIN;
    struct raster raster = { .cell_width = plot->unicode ? 2 : 1, .cell_height = plot->unicode ? 4 : 1 };
    raster.width = width * raster.cell_width;
    raster.height = plot->rows * raster.cell_height;
    raster.dots = calloc(raster.width, raster.height);
    if (!raster.dots)
        return -1;
    draw_points(&raster, plot, low, high);
    put_rows(stream, plot, &raster, low, high, label_columns);
    put_axis(stream, plot, &raster, label_columns);
    put_times(stream, plot, &raster, label_columns);
    free(raster.dots);
    return 0;
}
