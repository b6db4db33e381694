/* screen.c - what the terminal can show, and text that fits it */
#include "cli/screen.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static bool unicode, colour_wanted, terminal_capable;

static bool environment_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void screen_setup(void)
{
    /* Only characters: numbers stay as programs expect them. */
    setlocale(LC_CTYPE, "");
    unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!unicode)
        setlocale(LC_CTYPE, "C.UTF-8"); /* our texts are UTF-8 whatever the terminal speaks */
    const char *term = getenv("TERM");
    terminal_capable = term && *term && strcmp(term, "dumb") != 0;
    colour_wanted = terminal_capable && !environment_set("NO_COLOR"); /* https://no-color.org/ */
}

bool screen_unicode(void)
{
    return unicode;
}

bool screen_is_terminal(FILE *stream)
{
    return terminal_capable && isatty(fileno(stream));
}

static struct winsize window(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0)
        size = (struct winsize){ 0 };
    return size;
}

unsigned screen_columns(FILE *stream)
{
    unsigned columns = window(stream).ws_col;
    return columns ? columns : 80;
}

unsigned screen_rows(FILE *stream)
{
    unsigned rows = window(stream).ws_row;
    return rows ? rows : 24;
}

const char *screen_colour(FILE *stream, enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_NONE] = "\033[0m",    [COLOUR_RED] = "\033[31m",  [COLOUR_GREEN] = "\033[32m",
        [COLOUR_YELLOW] = "\033[33m", [COLOUR_BLUE] = "\033[34m", [COLOUR_MAGENTA] = "\033[35m",
        [COLOUR_CYAN] = "\033[36m",   [COLOUR_BOLD] = "\033[1m",  [COLOUR_DIM] = "\033[2m",
    };
    return colour_wanted && isatty(fileno(stream)) ? sequences[colour] : "";
}

enum colour screen_status_colour(const char *status)
{
    static const struct {
        const char *status;
        enum colour colour;
    } known[] = {
        { "running", COLOUR_GREEN },   { "ready", COLOUR_GREEN },     { "ok", COLOUR_GREEN },
        { "yes", COLOUR_GREEN },       { "degraded", COLOUR_YELLOW }, { "interrupted", COLOUR_YELLOW },
        { "unavailable", COLOUR_RED }, { "failed", COLOUR_RED },      { "broken", COLOUR_RED },
        { "no", COLOUR_RED },          { "stopped", COLOUR_DIM },     { "deleted", COLOUR_DIM },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].status, status) == 0)
            return known[i].colour;
    return COLOUR_NONE;
}

/* One character as it will be shown. */
struct glyph {
    const char *bytes;
    size_t count; /* 0: the text is over */
    size_t read;  /* bytes of the source */
    unsigned columns;
};

static struct glyph next_glyph(const char *text)
{
    static const struct glyph end = { "", 0, 0, 0 };
    if (!*text)
        return end;
    wchar_t character;
    mbstate_t state = { 0 };
    size_t read = mbrtowc(&character, text, MB_LEN_MAX, &state);
    if (read == (size_t)-1 || read == (size_t)-2)
        return (struct glyph){ "?", 1, 1, 1 };
    if (character == L'\n' || character == L'\t')
        return (struct glyph){ " ", 1, read, 1 };
    int columns = wcwidth(character);
    if (columns < 0)
        return (struct glyph){ "?", 1, read, 1 };
    return (struct glyph){ text, read, read, (unsigned)columns };
}

unsigned text_columns(const char *text)
{
    unsigned columns = 0;
    for (struct glyph glyph; (glyph = next_glyph(text)).count; text += glyph.read)
        columns += glyph.columns;
    return columns;
}

static unsigned put_columns(FILE *stream, const char *text, unsigned columns)
{
    unsigned used = 0;
    for (struct glyph glyph; (glyph = next_glyph(text)).count && used + glyph.columns <= columns; text += glyph.read) {
        fwrite(glyph.bytes, 1, glyph.count, stream);
        used += glyph.columns;
    }
    return used;
}

unsigned text_fit(FILE *stream, const char *text, unsigned columns)
{
    if (text_columns(text) <= columns)
        return put_columns(stream, text, columns);
    if (columns == 0)
        return 0;
    unsigned used = put_columns(stream, text, columns - 1);
    fputs(unicode ? "…" : ">", stream);
    return used + 1;
}

void text_put(FILE *stream, const char *text)
{
    put_columns(stream, text, UINT_MAX);
}

void text_pad(FILE *stream, unsigned count)
{
    fprintf(stream, "%*s", (int)count, "");
}
