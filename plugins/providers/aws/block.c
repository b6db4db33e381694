/* block.c - blocks of IPv4 addresses, see block.h */
#include "plugins/providers/aws/block.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool block_parse_address(const char *text, uint32_t *address)
{
    struct in_addr parsed;
    if (inet_pton(AF_INET, text, &parsed) != 1)
        return false;
    *address = ntohl(parsed.s_addr);
    return true;
}

bool block_parse(const char *text, struct block *block)
{
    char address[16];
    int bits = -1, used = 0;
    if (!text || sscanf(text, "%15[0-9.]/%d%n", address, &bits, &used) != 2 || text[used] || bits < 0 || bits > 32 ||
        !block_parse_address(address, &block->address))
        return false;
    block->bits = bits;
    return true;
}

void block_format_address(uint32_t address, char text[BLOCK_TEXT_BYTES])
{
    struct in_addr in_order = { .s_addr = htonl(address) };
    inet_ntop(AF_INET, &in_order, text, BLOCK_TEXT_BYTES);
}

void block_format(const struct block *block, char text[BLOCK_TEXT_BYTES])
{
    block_format_address(block->address, text);
    size_t length = strlen(text);
    snprintf(text + length, BLOCK_TEXT_BYTES - length, "/%d", block->bits);
}

uint32_t block_size(const struct block *block)
{
    return block->bits ? 1u << (32 - block->bits) : UINT32_MAX;
}

bool block_holds(const struct block *outer, const struct block *inner)
{
    return inner->bits >= outer->bits && inner->address >= outer->address &&
           inner->address - outer->address < block_size(outer);
}

bool block_piece(const struct block *block, int bits, uint32_t number, struct block *piece)
{
    if (bits < block->bits || bits > 32 || (bits - block->bits < 32 && number >> (bits - block->bits)))
        return false;
    *piece = (struct block){ .address = block->address + number * (bits == 0 ? 0 : 1u << (32 - bits)), .bits = bits };
    return true;
}
