/* address.c - blocks of IP addresses */
#include "core/config/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned family_bits(int family)
{
    return family == AF_INET ? 32 : 128;
}

static bool parse_address(const char *text, struct address_block *block)
{
    block->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(block->family, text, block->bytes) == 1;
}

static bool parse_bits(const char *text, struct address_block *block)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 3 || text[digits] || (text[0] == '0' && digits > 1))
        return false;
    block->bits = (unsigned)strtoul(text, NULL, 10);
    return block->bits <= family_bits(block->family);
}

/* Clears what lies behind the prefix; true when something did. */
static bool clear_host_bits(struct address_block *block)
{
    bool found = false;
    for (unsigned i = block->bits; i < family_bits(block->family); i++) {
        unsigned char bit = (unsigned char)(0x80 >> i % 8);
        found |= (block->bytes[i / 8] & bit) != 0;
        block->bytes[i / 8] &= (unsigned char)~bit;
    }
    return found;
}

enum address_fault address_parse(const char *text, struct address_block *block)
{
    char address[INET6_ADDRSTRLEN];
    *block = (struct address_block){ 0 };
    size_t length = strcspn(text, "/");
    if (length >= sizeof address)
        return ADDRESS_NONE;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!parse_address(address, block))
        return ADDRESS_NONE;
    if (!text[length])
        return ADDRESS_NO_PREFIX;
    if (!parse_bits(text + length + 1, block))
        return ADDRESS_BAD_PREFIX;
    return clear_host_bits(block) ? ADDRESS_HOST_BITS : ADDRESS_OK;
}

bool address_contains(const struct address_block *outer, const struct address_block *inner)
{
    if (outer->family != inner->family || inner->bits < outer->bits)
        return false;
    struct address_block cut = *inner;
    cut.bits = outer->bits;
    clear_host_bits(&cut);
    return !memcmp(cut.bytes, outer->bytes, sizeof cut.bytes);
}

bool address_overlaps(const struct address_block *a, const struct address_block *b)
{
    return address_contains(a, b) || address_contains(b, a);
}

void address_text(const struct address_block *block, char text[ADDRESS_TEXT_BYTES])
{
    char address[INET6_ADDRSTRLEN];
    inet_ntop(block->family, block->bytes, address, sizeof address);
    snprintf(text, ADDRESS_TEXT_BYTES, "%s/%u", address, block->bits);
}
