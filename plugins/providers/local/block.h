/*
 * block.h - blocks of IPv4 addresses (CIDR), and which deployment holds which
 *
 * A deployment's nodes get addresses out of blocks of 256 that belong to it alone: of loopback addresses without
 * namespaces, of access addresses with them. The claim on a block is a symbolic link, CLAIMS/127.84.12.0_24 ->
 * DEPLOYMENT: made whole or not at all, and by one of two who try at the same moment.
 */
#ifndef LOCAL_BLOCK_H
#define LOCAL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "plugins/providers/local/problem.h"

#define BLOCK_TEXT_BYTES 20

struct block {
    uint32_t address; /* of its first address, host byte order */
    unsigned prefix;
};

/* "10.0.1.0/24"; no bits behind the prefix may be set. */
bool block_parse(const char *text, struct block *block);
void block_format(struct block block, char text[BLOCK_TEXT_BYTES]);
bool block_address_parse(const char *text, uint32_t *address);
void block_address_format(uint32_t address, char text[BLOCK_TEXT_BYTES]);

uint32_t block_size(struct block block); /* addresses in it; at most 2^31 */
bool block_contains(struct block block, uint32_t address);
bool block_overlaps(struct block a, struct block b);
struct block block_join(struct block a, struct block b); /* the smallest that contains both */

/* A random one of the blocks of `prefix` in `pool` that is not taken. */
typedef bool block_taken_fn(void *context, struct block block);
bool block_pick(struct block pool, unsigned prefix, block_taken_fn *taken, void *context, struct block *block);

/* Claims live in directory `claims`. Taking what one holds already is success; what another holds is
 * MEMORIES_CONFLICT. Only its holder can release it. */
int32_t block_claim(const char *claims, struct block block, const char *deployment, struct problem *problem);
int32_t block_release(const char *claims, struct block block, const char *deployment, struct problem *problem);
/* The name of a block's claim. */
void block_claim_name(struct block block, char name[BLOCK_TEXT_BYTES]);

#endif
