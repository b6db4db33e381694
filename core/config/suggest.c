/* suggest.c - which known name was probably meant: optimal string alignment distance */
#include "core/config/suggest.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 64

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

static int same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Both at most WORD_MAX bytes long. Three rows of the table are enough: a swap looks two rows back. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = smallest(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same(a[i - 1], b[j - 1]));
            int swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

const char *suggest_name(const char *word, const char *const *names, size_t count)
{
    size_t length = strlen(word), best_distance = WORD_MAX;
    const char *best = NULL;
    if (length < 2 || length > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strlen(names[i]);
        if (name_length < 2 || name_length > WORD_MAX)
            continue;
        size_t longer = length > name_length ? length : name_length;
        size_t found = distance(word, length, names[i], name_length);
        /* A third of the letters may be wrong: more is another word. */
        if (found <= (longer + 2) / 3 && found < best_distance) {
            best_distance = found;
            best = names[i];
        }
    }
    return best;
}
