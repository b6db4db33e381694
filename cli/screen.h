/*
 * screen.h - what the terminal can show, and text that fits it
 *
 * All text is UTF-8. What came from elsewhere (a service's error, a node's name) is cleaned on its way to a person:
 * control characters can't reach the terminal.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum colour {
    COLOUR_NONE,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_BLUE,
    COLOUR_MAGENTA,
    COLOUR_CYAN,
    COLOUR_BOLD,
    COLOUR_DIM
};

/* Once, before anything else here: reads locale and environment. */
void screen_setup(void);

/* True when the locale can show more than ASCII. */
bool screen_unicode(void);
/* True when `stream` is a terminal that can move its cursor (TERM is set and not "dumb"). */
bool screen_is_terminal(FILE *stream);
/* Columns of the terminal behind `stream`, asked anew; 80 when unknown. */
unsigned screen_columns(FILE *stream);
unsigned screen_rows(FILE *stream);

/* The sequence that begins a colour on `stream`, or "" where colour is not wanted (no terminal, NO_COLOR). COLOUR_NONE
 * ends every colour. */
const char *screen_colour(FILE *stream, enum colour colour);
/* The colour of a status word: running is green, failed red, and so on. */
enum colour screen_status_colour(const char *status);

/* Columns that a text takes. */
unsigned text_columns(const char *text);
/* Writes `text` in at most `columns` columns, cut with "…" when it is longer; returns the columns written. */
unsigned text_fit(FILE *stream, const char *text, unsigned columns);
/* Writes all of `text`, cleaned. */
void text_put(FILE *stream, const char *text);
/* Writes `count` spaces. */
void text_pad(FILE *stream, unsigned count);

#endif
