/* address.h - blocks of IP addresses ("10.0.0.0/16", "fd00::/8") */
#ifndef CORE_CONFIG_ADDRESS_H
#define CORE_CONFIG_ADDRESS_H

#include <stdbool.h>

struct address_block {
    int family;    /* AF_INET or AF_INET6 */
    unsigned bits; /* length of the prefix */
    unsigned char bytes[16];
};

enum address_fault {
    ADDRESS_OK,
    ADDRESS_NONE,       /* no address at all */
    ADDRESS_NO_PREFIX,  /* an address without "/bits" */
    ADDRESS_BAD_PREFIX, /* more bits than the family has, or no number */
    ADDRESS_HOST_BITS,  /* bits behind the prefix are set; the block is filled with the one that holds the address */
};

enum address_fault address_parse(const char *text, struct address_block *block);
/* True when all of `inner` lies in `outer`. */
bool address_contains(const struct address_block *outer, const struct address_block *inner);
bool address_overlaps(const struct address_block *a, const struct address_block *b);

#define ADDRESS_TEXT_BYTES 64
void address_text(const struct address_block *block, char text[ADDRESS_TEXT_BYTES]);

#endif
