/*
 * replay.c - runs a fuzz target over its corpus without libFuzzer, so that `make check` keeps what fuzzing has found
 *
 * CORPUS is the directory below tests/fuzz/; files named as arguments are run instead.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/text.h"

#define INPUT_BYTES_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    AUTO_ERROR memories_error *error = NULL;
    size_t bytes = 0;
    AUTO_FREE char *content = file_read(path, INPUT_BYTES_MAX, &bytes, &error);
    if (!content) {
        fprintf(stderr, "%s: %s\n", memories_error_message(error), memories_error_cause(error));
        return 1;
    }
    /* An exact copy: a read beyond its end is seen by valgrind and AddressSanitizer. */
    AUTO_FREE uint8_t *input = malloc(bytes ? bytes : 1);
    for (size_t i = 0; input && i < bytes; i++)
        input[i] = (uint8_t)content[i];
    if (input)
        LLVMFuzzerTestOneInput(input, bytes);
    return input == NULL;
}

static int run_corpus(const char *directory)
{
    int failed = 0;
    unsigned count = 0;
    DIR *listing = opendir(directory);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        AUTO_FREE char *path = text_format("%s/%s", directory, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        failed |= run_file(path);
        count++;
    }
    if (listing)
        closedir(listing);
    printf("%u inputs of %s\n", count, directory);
    return failed || !count;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= run_file(argv[i]);
    if (argc > 1)
        return failed;
    const char *srcdir = getenv("srcdir");
    AUTO_FREE char *directory = text_format("%s/tests/fuzz/" CORPUS, srcdir ? srcdir : ".");
    return run_corpus(directory);
}
