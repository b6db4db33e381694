/*
 * object.c - is a file a whole shared object for this machine?
 *
 * The system's linker maps the segments that the headers promise: a file cut short (a full disk, a broken download) then
 * kills the process with SIGBUS. And a file for another machine is "no such file" to it. Both are told here, before.
 */
#include "core/loader/object.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"

/* The header of the object that this code is part of: what it is made for is what a plugin must be made for. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static const char *machine_name(unsigned machine)
{
    switch (machine) {
    case EM_386:
        return "i386";
    case EM_X86_64:
        return "x86-64";
    case EM_ARM:
        return "arm";
    case EM_AARCH64:
        return "aarch64";
    case EM_PPC64:
        return "ppc64";
    case EM_RISCV:
        return "riscv";
    case EM_S390:
        return "s390";
    default:
        return "unknown";
    }
}

static int check_header(const ElfW(Ehdr) *header, memories_error **error)
{
    const ElfW(Ehdr) *own = &__ehdr_start;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG))
        return error_set(error, MEMORIES_FAILED, "no shared object: it doesn't begin with an ELF header");
    /* Same place in 32 and 64 bits. */
    if (header->e_machine != own->e_machine || header->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] ||
        header->e_ident[EI_DATA] != own->e_ident[EI_DATA])
        return error_set(error, MEMORIES_FAILED, "made for another machine: %s (ELF machine %u, class %u), expected %s (%u, %u)",
                         machine_name(header->e_machine), header->e_machine, header->e_ident[EI_CLASS],
                         machine_name(own->e_machine), own->e_machine, own->e_ident[EI_CLASS]);
    if (header->e_type != ET_DYN || header->e_phentsize != sizeof(ElfW(Phdr)))
        return error_set(error, MEMORIES_FAILED, "no shared object: ELF type %u, expected %u", header->e_type, ET_DYN);
    return 0;
}

static int cut_short(uint64_t bytes, uint64_t needed, memories_error **error)
{
    return error_set(error, MEMORIES_FAILED, "cut short: %llu bytes, expected at least %llu", (unsigned long long)bytes,
                     (unsigned long long)needed);
}

static int check_segments(int fd, const ElfW(Ehdr) *header, uint64_t bytes, memories_error **error)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        uint64_t at = header->e_phoff + (uint64_t)i * sizeof segment;
        if (pread(fd, &segment, sizeof segment, (off_t)at) != (ssize_t)sizeof segment)
            return cut_short(bytes, at + sizeof segment, error);
        if (segment.p_filesz > bytes || segment.p_offset > bytes - segment.p_filesz)
            return cut_short(bytes, (uint64_t)segment.p_offset + segment.p_filesz, error);
    }
    return 0;
}

int object_check(const char *path, memories_error **error)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    ElfW(Ehdr) header = { 0 };
    if (fd < 0 || fstat(fd, &info))
        return error_set_errno(error, errno, "unreadable");
    ssize_t got = pread(fd, &header, sizeof header, 0);
    if (got < 0)
        return error_set_errno(error, errno, "unreadable");
    if (got < SELFMAG)
        return error_set(error, MEMORIES_FAILED, "no shared object: it has %zd bytes", got);
    if (got < (ssize_t)sizeof header && !memcmp(header.e_ident, ELFMAG, SELFMAG))
        return cut_short((uint64_t)got, sizeof header, error);
    int failed = check_header(&header, error);
    return failed ? failed : check_segments(fd, &header, (uint64_t)info.st_size, error);
}
