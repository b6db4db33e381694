/* command_metrics.c - metrics: what nodes have measured, as text or as charts */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/plot.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/when.h"

/* The library's defaults, which charts need to know (memories_metrics_get). */
enum { DEFAULT_SPAN_S = 3600, DEFAULT_PERIOD_S = 300 };
enum { PLOT_ROWS = 6, PLOT_COLUMNS_MAX = 110 };

static void print_points(const memories_metrics *metrics, size_t metric)
{
    size_t count = memories_metrics_point_count(metrics, metric);
    printf("\n%s:\n", memories_metrics_name(metrics, metric));
    for (size_t i = 0; i < count; i++) {
        char value[32];
        plot_number(value, memories_metrics_value(metrics, metric, i));
        printf("  %s: %s %s\n", memories_metrics_timestamp(metrics, metric, i), value,
               memories_metrics_unit(metrics, metric, i));
    }
    if (!count)
        puts("  nothing was measured in this time");
}

/* lowest, mean, highest and last value in words. */
static void print_summary(const struct plot_point *points, size_t count, const char *unit)
{
    double low = points[0].value, high = low, sum = 0;
    for (size_t i = 0; i < count; i++) {
        low = points[i].value < low ? points[i].value : low;
        high = points[i].value > high ? points[i].value : high;
        sum += points[i].value;
    }
    char texts[4][32];
    plot_number(texts[0], low);
    plot_number(texts[1], sum / (double)count);
    plot_number(texts[2], high);
    plot_number(texts[3], points[count - 1].value);
    printf("  lowest %s, mean %s, highest %s, last %s %s\n", texts[0], texts[1], texts[2], texts[3], unit);
}

static int plot_metric(const struct session *session, const memories_metrics *metrics, size_t metric)
{
    const struct settings *settings = &session->settings;
    size_t count = memories_metrics_point_count(metrics, metric);
    if (!count) {
        print_points(metrics, metric);
        return EXIT_OK;
    }
    struct plot_point *points = calloc(count, sizeof *points);
    if (!points)
        return report_no_memory(session);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct plot_point){ when_seconds(memories_metrics_timestamp(metrics, metric, i)),
                                         memories_metrics_value(metrics, metric, i) };
    time_t end = settings->end_time ? when_seconds(settings->end_time) : time(NULL);
    unsigned columns = screen_columns(stdout);
    struct plot plot = {
        .points = points,
        .count = count,
        .start = settings->start_time ? when_seconds(settings->start_time) : end - DEFAULT_SPAN_S,
        .end = end,
        .period_seconds = settings->period_seconds ? settings->period_seconds : DEFAULT_PERIOD_S,
        .columns = columns < PLOT_COLUMNS_MAX ? columns : PLOT_COLUMNS_MAX,
        .rows = PLOT_ROWS,
        .unicode = screen_unicode(),
    };
    const char *unit = memories_metrics_unit(metrics, metric, 0);
    printf("\n%s%s%s (%s):\n", screen_colour(stdout, COLOUR_BOLD), memories_metrics_name(metrics, metric),
           screen_colour(stdout, COLOUR_NONE), unit);
    int failed = plot_draw(stdout, &plot);
    print_summary(points, count, unit);
    free(points);
    return failed ? report_no_memory(session) : EXIT_OK;
}

static int print_metrics(const struct session *session, const memories_metrics *metrics)
{
    int code = EXIT_OK;
    puts("Monitoring Metrics:");
    for (size_t i = 0; code == EXIT_OK && i < memories_metrics_count(metrics); i++) {
        if (session_has(session, OPTION_PLOT))
            code = plot_metric(session, metrics, i);
        else
            print_points(metrics, i);
    }
    return code;
}

int run_metrics(struct session *session)
{
    const struct settings *settings = &session->settings;
    memories_error *error = NULL;
    memories_context *context = session_open(session);
    if (!context)
        return EXIT_FAILED;
    memories_metrics *metrics =
        memories_metrics_get(context, settings->arguments[0], settings->metrics, settings->start_time,
                             settings->end_time, settings->period_seconds, &error);
    if (!metrics)
        return report_error(session, error);
    int code = session_has(session, OPTION_JSON) ? print_json(session, memories_metrics_json(metrics))
                                                 : print_metrics(session, metrics);
    memories_metrics_free(metrics);
    return code;
}
