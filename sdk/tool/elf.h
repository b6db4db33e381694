/*
 * elf.h - what a shared object asks of the system and offers to it, read without loading it
 *
 * For objects of this machine only: object_check goes first. Nothing in the file is believed: what points outside of it
 * is an error.
 */
#ifndef SDK_TOOL_ELF_H
#define SDK_TOOL_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include <memories/memories.h>

/* Names belong to the object. */
struct elf {
    char *bytes;         /* the file */
    const char **needed; /* libraries, in their order */
    size_t needed_count;
    const char **undefined; /* functions and data that must come from elsewhere (weak ones needn't) */
    size_t undefined_count;
    const char **exported;
    size_t exported_count;
    const char *search_path; /* its RUNPATH or RPATH; NULL: none */
    bool bind_now;           /* linked with -z now */
    bool no_delete;          /* linked with -z nodelete */
};

struct elf *elf_read(const char *path, memories_error **error);
void elf_free(struct elf *elf);

#endif
