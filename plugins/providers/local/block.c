/* block.c - blocks of IPv4 addresses */
#include "plugins/providers/local/block.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "plugins/common/cleanup.h"
#include "plugins/providers/local/files.h"

static uint32_t mask_of(unsigned prefix)
{
    return prefix ? UINT32_MAX << (32 - prefix) : 0;
}

bool block_address_parse(const char *text, uint32_t *address)
{
    struct in_addr parsed;
    if (!text || inet_pton(AF_INET, text, &parsed) != 1)
        return false;
    *address = ntohl(parsed.s_addr);
    return true;
}

bool block_parse(const char *text, struct block *block)
{
    char address[BLOCK_TEXT_BYTES];
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    char *end;
    unsigned long prefix = strtoul(slash + 1, &end, 10);
    if (*end || end == slash + 1 || slash[1] == '-' || prefix > 32 || !block_address_parse(address, &block->address))
        return false;
    block->prefix = (unsigned)prefix;
    return !(block->address & ~mask_of(block->prefix));
}

void block_address_format(uint32_t address, char text[BLOCK_TEXT_BYTES])
{
    snprintf(text, BLOCK_TEXT_BYTES, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
             address & 255);
}

static void format_with(struct block block, char separator, char text[BLOCK_TEXT_BYTES])
{
    block_address_format(block.address, text);
    size_t length = strlen(text);
    snprintf(text + length, BLOCK_TEXT_BYTES - length, "%c%u", separator, block.prefix);
}

void block_format(struct block block, char text[BLOCK_TEXT_BYTES])
{
    format_with(block, '/', text);
}

void block_claim_name(struct block block, char name[BLOCK_TEXT_BYTES])
{
    format_with(block, '_', name);
}

uint32_t block_size(struct block block)
{
    return block.prefix ? 1u << (32 - block.prefix) : UINT32_MAX;
}

bool block_contains(struct block block, uint32_t address)
{
    return (address & mask_of(block.prefix)) == block.address;
}

bool block_overlaps(struct block a, struct block b)
{
    uint32_t mask = mask_of(a.prefix < b.prefix ? a.prefix : b.prefix);
    return (a.address & mask) == (b.address & mask);
}

struct block block_join(struct block a, struct block b)
{
    unsigned prefix = a.prefix < b.prefix ? a.prefix : b.prefix;
    while ((a.address ^ b.address) & mask_of(prefix))
        prefix--;
    return (struct block){ a.address & mask_of(prefix), prefix };
}

bool block_pick(struct block pool, unsigned prefix, block_taken_fn *taken, void *context, struct block *block)
{
    uint32_t count = 1u << (prefix - pool.prefix), start = 0;
    if (getrandom(&start, sizeof start, 0) != (ssize_t)sizeof start)
        start = 0; /* a fixed start only costs more tries */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (start % count + i) % count;
        *block = (struct block){ pool.address + (index << (32 - prefix)), prefix };
        if (!taken(context, *block))
            return true;
    }
    return false;
}

static char *claim_path(const char *claims, struct block block, struct problem *problem)
{
    char name[BLOCK_TEXT_BYTES];
    block_claim_name(block, name);
    char *path = local_format("%s/%s", claims, name);
    if (!path)
        problem_no_memory(problem);
    return path;
}

static bool held_by(const char *path, const char *deployment)
{
    char holder[512];
    ssize_t length = readlink(path, holder, sizeof holder);
    return length >= 0 && (size_t)length < sizeof holder && (size_t)length == strlen(deployment) &&
           !memcmp(holder, deployment, (size_t)length);
}

int32_t block_claim(const char *claims, struct block block, const char *deployment, struct problem *problem)
{
    AUTO_FREE char *path = claim_path(claims, block, problem);
    if (!path)
        return problem->code;
    /* The directory may vanish in between: the last one to release a claim removes it. */
    int made = -1;
    for (int tries = 0; tries < 10 && made; tries++) {
        if (local_directory_make(claims, problem))
            return problem->code;
        made = symlink(deployment, path);
        if (made && errno != ENOENT)
            break;
    }
    if (!made)
        return 0;
    if (errno != EEXIST)
        return problem_set_errno(problem, errno, "can't claim addresses with %s", path);
    if (held_by(path, deployment))
        return 0;
    char text[BLOCK_TEXT_BYTES];
    block_format(block, text);
    problem_set(problem, MEMORIES_CONFLICT, "another deployment holds the addresses %s", text);
    problem_hint(problem, "deploy again: other addresses are chosen then");
    return problem->code;
}

int32_t block_release(const char *claims, struct block block, const char *deployment, struct problem *problem)
{
    AUTO_FREE char *path = claim_path(claims, block, problem);
    if (!path)
        return problem->code;
    if (held_by(path, deployment) && unlink(path) && errno != ENOENT)
        return problem_set_errno(problem, errno, "can't remove the claim %s", path);
    return 0;
}
