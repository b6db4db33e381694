/* elf.c - what a shared object asks of the system and offers to it */
#include "sdk/tool/elf.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"

#define FILE_BYTES_MAX (256u << 20)

typedef ElfW(Addr) elf_address;
typedef ElfW(Ehdr) elf_header;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Dyn) elf_dynamic;
typedef ElfW(Sym) elf_symbol;

/* What is known of the file while it is read. */
struct reader {
    const char *path;
    const char *bytes;
    size_t size;
    const elf_header *header;
    const elf_section *sections;
    struct elf *elf;
    memories_error **error;
};

static int damaged(const struct reader *reader, const char *what)
{
    return error_set(reader->error, MEMORIES_FAILED, "%s is damaged: its %s lies outside of the file", reader->path,
                     what);
}

/* `count` items of `size` bytes each at `offset`, or NULL when the file is shorter or they are not aligned. */
static const void *part(const struct reader *reader, uint64_t offset, uint64_t count, size_t size)
{
    if (offset % _Alignof(elf_address) || offset > reader->size || count > (reader->size - offset) / size)
        return NULL;
    return reader->bytes + offset;
}

/* The string table behind a section, with its end; every string in it is ended. */
static const char *strings_of(const struct reader *reader, const elf_section *section, size_t *bytes)
{
    if (section->sh_link >= reader->header->e_shnum)
        return NULL;
    const elf_section *table = &reader->sections[section->sh_link];
    if (table->sh_offset > reader->size || table->sh_size > reader->size - table->sh_offset || !table->sh_size)
        return NULL;
    const char *strings = reader->bytes + table->sh_offset;
    *bytes = table->sh_size;
    return strings[table->sh_size - 1] ? NULL : strings;
}

static int append(const char ***names, size_t *count, const char *name)
{
    const char **longer = reallocarray(*names, *count + 1, sizeof *longer);
    if (!longer)
        return MEMORIES_NO_MEMORY;
    longer[(*count)++] = name;
    *names = longer;
    return 0;
}

static int take_dynamic(struct elf *elf, const elf_dynamic *entry, const char *name)
{
    switch (entry->d_tag) {
    case DT_NEEDED:
        return append(&elf->needed, &elf->needed_count, name);
    case DT_RUNPATH:
    case DT_RPATH:
        elf->search_path = name;
        break;
    case DT_BIND_NOW:
        elf->bind_now = true;
        break;
    case DT_FLAGS:
        elf->bind_now |= (entry->d_un.d_val & DF_BIND_NOW) != 0;
        break;
    case DT_FLAGS_1:
        elf->bind_now |= (entry->d_un.d_val & DF_1_NOW) != 0;
        elf->no_delete |= (entry->d_un.d_val & DF_1_NODELETE) != 0;
        break;
    default:
        break;
    }
    return 0;
}

static bool is_name(const elf_dynamic *entry)
{
    return entry->d_tag == DT_NEEDED || entry->d_tag == DT_RUNPATH || entry->d_tag == DT_RPATH;
}

static int read_dynamic(struct reader *reader, const elf_section *section)
{
    size_t string_bytes, count = section->sh_size / sizeof(elf_dynamic);
    const char *strings = strings_of(reader, section, &string_bytes);
    const elf_dynamic *entries = part(reader, section->sh_offset, count, sizeof *entries);
    if (!strings || !entries)
        return damaged(reader, "dynamic section");
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        bool named = is_name(&entries[i]);
        if (named && entries[i].d_un.d_val >= string_bytes)
            return damaged(reader, "library's name");
        if (take_dynamic(reader->elf, &entries[i], named ? strings + entries[i].d_un.d_val : NULL))
            return error_no_memory(reader->error);
    }
    return 0;
}

static int take_symbol(struct elf *elf, const elf_symbol *symbol, const char *name)
{
    unsigned binding = ELF64_ST_BIND(symbol->st_info), visibility = ELF64_ST_VISIBILITY(symbol->st_other);
    if (symbol->st_shndx == SHN_UNDEF)
        return binding == STB_GLOBAL ? append(&elf->undefined, &elf->undefined_count, name) : 0;
    if (binding == STB_LOCAL || (visibility != STV_DEFAULT && visibility != STV_PROTECTED))
        return 0;
    return append(&elf->exported, &elf->exported_count, name);
}

static int read_symbols(struct reader *reader, const elf_section *section)
{
    size_t string_bytes, count = section->sh_size / sizeof(elf_symbol);
    const char *strings = strings_of(reader, section, &string_bytes);
    const elf_symbol *symbols = part(reader, section->sh_offset, count, sizeof *symbols);
    if (!strings || !symbols)
        return damaged(reader, "symbol table");
    for (size_t i = 1; i < count; i++) {
        if (symbols[i].st_name >= string_bytes)
            return damaged(reader, "symbol's name");
        if (take_symbol(reader->elf, &symbols[i], strings + symbols[i].st_name))
            return error_no_memory(reader->error);
    }
    return 0;
}

static int read_sections(struct reader *reader)
{
    reader->header = part(reader, 0, 1, sizeof *reader->header);
    if (!reader->header || memcmp(reader->header->e_ident, ELFMAG, SELFMAG))
        return error_set(reader->error, MEMORIES_FAILED, "%s is no shared object", reader->path);
    reader->sections = part(reader, reader->header->e_shoff, reader->header->e_shnum, sizeof *reader->sections);
    if (!reader->sections || reader->header->e_shentsize != sizeof *reader->sections)
        return damaged(reader, "section table");
    int failed = 0;
    for (size_t i = 0; !failed && i < reader->header->e_shnum; i++) {
        const elf_section *section = &reader->sections[i];
        if (section->sh_type == SHT_DYNAMIC)
            failed = read_dynamic(reader, section);
        else if (section->sh_type == SHT_DYNSYM)
            failed = read_symbols(reader, section);
    }
    return failed;
}

struct elf *elf_read(const char *path, memories_error **error)
{
    struct elf *elf = calloc(1, sizeof *elf);
    struct reader reader = { .path = path, .elf = elf, .error = error };
    if (!elf) {
        error_no_memory(error);
        return NULL;
    }
    reader.bytes = elf->bytes = file_read(path, FILE_BYTES_MAX, &reader.size, error);
    if (elf->bytes && !read_sections(&reader))
        return elf;
    elf_free(elf);
    return NULL;
}

void elf_free(struct elf *elf)
{
    if (!elf)
        return;
    free(elf->needed);
    free(elf->undefined);
    free(elf->exported);
    free(elf->bytes);
    free(elf);
}
