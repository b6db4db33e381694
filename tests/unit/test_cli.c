/* test_cli.c - the program's own small parts: times, charts, text that fits a terminal */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plot.h"
#include "cli/screen.h"
#include "cli/when.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { NOW = 1772022896 }; /* 2026-02-25T12:34:56Z */

START_TEST(times_as_people_write_them)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "now", "2026-02-25T12:34:56Z" },
        { "2026-02-25", "2026-02-25T00:00:00Z" },
        { "2026-02-25T10:00:00Z", "2026-02-25T10:00:00Z" },
        { "2026-02-25t10:00:00z", "2026-02-25T10:00:00Z" },
        { "2026-02-25 10:00:00Z", "2026-02-25T10:00:00Z" },
        { "2026-02-25T10:00:00.123Z", "2026-02-25T10:00:00Z" },
        { "2026-02-25T00:30:00+01:00", "2026-02-24T23:30:00Z" },
        { "2026-02-25T23:30:00-01:30", "2026-02-26T01:00:00Z" },
        { "2024-02-29", "2024-02-29T00:00:00Z" },
        { "-1h", "2026-02-25T11:34:56Z" },
        { "30m ago", "2026-02-25T12:04:56Z" },
        { "1h30m ago", "2026-02-25T11:04:56Z" },
        { "-1d12h", "2026-02-24T00:34:56Z" },
        { "-2w", "2026-02-11T12:34:56Z" },
        { "", NULL },
        { "-", NULL },
        { "1h", NULL },
        { "-1", NULL },
        { "-1h ago", NULL },
        { "-1x", NULL },
        { "- 1h", NULL },
        { "yesterday", NULL },
        { "2026-02-30", NULL },
        { "2025-02-29", NULL },
        { "2026-2-3", NULL },
        { "2026-02-25T10:00:00", NULL },
        { "2026-02-25T24:00:00Z", NULL },
        { "2026-02-25T10:00:00+25:00", NULL },
        { "2026-02-25T10:00:00Zjunk", NULL },
        { "-99999999999999999999h", NULL },
        { "-4294967295w", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *found = when_parse(cases[i].text, NOW);
        if (cases[i].expected)
            ck_assert_msg(found && !strcmp(found, cases[i].expected), "\"%s\": %s", cases[i].text,
                          found ? found : "refused");
        else
            ck_assert_msg(!found, "\"%s\" was taken for %s", cases[i].text, found);
        free(found);
    }
    ck_assert_int_eq(when_seconds("2026-02-25T12:34:56Z"), NOW);
    ck_assert_int_eq(when_seconds("soon"), -1);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        uint32_t seconds;
    } cases[] = { { "300", 300 },      { "5m", 300 },     { "1h30m", 5400 }, { "1w", 604800 },
                  { "0", 0 },          { "", 0 },         { "5 m", 0 },      { "m", 0 },
                  { "-5", 0 },         { "1.5h", 0 },     { "5m3", 0 },      { "4294967295", UINT32_MAX },
                  { "4294967296", 0 }, { "99999999w", 0 } };
    for (size_t i = 0; i < COUNT(cases); i++)
        ck_assert_msg(duration_parse(cases[i].text) == cases[i].seconds, "\"%s\": %u", cases[i].text,
                      duration_parse(cases[i].text));
}
END_TEST

START_TEST(numbers_for_people)
{
    static const struct {
        double value;
        const char *expected;
    } cases[] = { { 12.5, "12.5" },
                  { 0, "0" },
                  { 4.2, "4.2" },
                  { 13, "13" },
                  { 0.00421, "0.0042" },
                  { 100, "100" },
                  { 1234567.8, "1234568" },
                  { -3.14159, "-3.14" },
                  { 1e15, "1000000000000000" } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[32];
        plot_number(text, cases[i].value);
        ck_assert_str_eq(text, cases[i].expected);
    }
}
END_TEST

static char *fitted(const char *text, unsigned columns, unsigned *used)
{
    char *result = NULL;
    size_t count;
    FILE *stream = open_memstream(&result, &count);
    *used = text_fit(stream, text, columns);
    fclose(stream);
    return result;
}

START_TEST(text_is_cut_between_characters)
{
    static const struct {
        const char *text;
        unsigned columns;
        const char *expected;
        unsigned used;
    } cases[] = {
        { "größe", 5, "größe", 5 },
        { "größer", 5, "größ…", 5 },
        { "日本語", 6, "日本語", 6 },
        { "日本語", 5, "日本…", 5 },
        { "日本語", 4, "日…", 3 },
        { "e\xcc\x81t\xc3\xa9", 3, "e\xcc\x81t\xc3\xa9", 3 }, /* a combining accent has no width */
        { "abc", 1, "…", 1 },
        { "abc", 0, "", 0 },
        { "\033[31mred\a", 20, "?[31mred?", 9 },
        { "two\nlines\tand", 20, "two lines and", 13 },
        { "bad\xff\xc3", 20, "bad??", 5 },
    };
    setenv("LC_ALL", "C.UTF-8", 1);
    screen_setup();
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned used;
        char *found = fitted(cases[i].text, cases[i].columns, &used);
        ck_assert_str_eq(found, cases[i].expected);
        ck_assert_uint_eq(used, cases[i].used);
        free(found);
    }
}
END_TEST

START_TEST(without_unicode_a_cut_is_ascii)
{
    setenv("LC_ALL", "C", 1);
    screen_setup();
    unsigned used;
    char *found = fitted("größer", 5, &used);
    ck_assert_str_eq(found, "größ>");
    free(found);
}
END_TEST

static char *drawn(const struct plot *plot)
{
    char *result = NULL;
    size_t count;
    FILE *stream = open_memstream(&result, &count);
    ck_assert_int_eq(plot_draw(stream, plot), 0);
    fclose(stream);
    return result;
}

START_TEST(chart_with_a_gap)
{
    /* Ten periods; nothing was measured in the fifth to seventh. */
    static const struct plot_point points[] = { { 0, 0 },   { 60, 1 },  { 120, 2 }, { 180, 3 },
                                                { 420, 3 }, { 480, 0 }, { 540, 0 } };
    struct plot plot = {
        .points = points, .count = COUNT(points), .start = 0, .end = 540, .period_seconds = 60, .columns = 15, .rows = 4
    };
    char *found = drawn(&plot);
    ck_assert_str_eq(found, "  3 +   *   *  \n"
                            "    |  *     * \n"
                            "    | *      * \n"
                            "  0 +*       **\n"
                            "    +----...---\n"
                            "  1970-01-01T00:00:00Z to 1970-01-01T00:09:00Z\n");
    free(found);
}
END_TEST

START_TEST(chart_in_braille)
{
    static const struct plot_point points[] = { { 0, 0 }, { 100, 1 } };
    struct plot plot = { .points = points,
                         .count = 2,
                         .start = 0,
                         .end = 100,
                         .period_seconds = 100,
                         .columns = 15,
                         .rows = 2,
                         .unicode = 1 };
    char *found = drawn(&plot);
    ck_assert_ptr_nonnull(strstr(found, "  1 ┤"));
    ck_assert_ptr_nonnull(strstr(found, "  0 ┤"));
    ck_assert_ptr_nonnull(strstr(found, "└──────────\n"));
    ck_assert_ptr_nonnull(strstr(found, "⠉\n")); /* the last two dots of the first row stand at its top */
    free(found);
}
END_TEST

START_TEST(chart_of_one_value)
{
    static const struct plot_point points[] = { { 50, 7.5 } };
    struct plot plot = {
        .points = points, .count = 1, .start = 0, .end = 100, .period_seconds = 10, .columns = 0, .rows = 3
    };
    char *found = drawn(&plot);
    ck_assert_str_eq(found, "      |          \n"
                            "  7.5 +     *    \n"
                            "      |          \n"
                            "      +.....-....\n"
                            "  1970-01-01T00:00:00Z to 1970-01-01T00:01:40Z\n");
    free(found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tests = tcase_create("cli");
    tcase_add_test(tests, times_as_people_write_them);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, numbers_for_people);
    tcase_add_test(tests, text_is_cut_between_characters);
    tcase_add_test(tests, without_unicode_a_cut_is_ascii);
    tcase_add_test(tests, chart_with_a_gap);
    tcase_add_test(tests, chart_in_braille);
    tcase_add_test(tests, chart_of_one_value);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
