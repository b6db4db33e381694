/* block.h - blocks of IPv4 addresses */
#ifndef AWS_BLOCK_H
#define AWS_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct block {
    uint32_t address; /* the first, in host order */
    int bits;         /* of the prefix */
};
#define BLOCK_TEXT_BYTES 19

/* "10.0.0.0/16"; false for anything else. */
bool block_parse(const char *text, struct block *block);
void block_format(const struct block *block, char text[BLOCK_TEXT_BYTES]);
bool block_holds(const struct block *outer, const struct block *inner);
bool block_parse_address(const char *text, uint32_t *address);
void block_format_address(uint32_t address, char text[BLOCK_TEXT_BYTES]);
/* The nth piece of `bits` bits; false when there are not so many. */
bool block_piece(const struct block *block, int bits, uint32_t number, struct block *piece);
uint32_t block_size(const struct block *block);

#endif
