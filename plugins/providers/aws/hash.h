/* hash.h - digests as AWS writes them: lower-case hexadecimal, and base64 */
#ifndef AWS_HASH_H
#define AWS_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include <memories/plugin.h>

#define SHA256_BYTES 32
#define SHA256_HEX (2 * SHA256_BYTES + 1)
#define SHA1_HEX (2 * 20 + 1)

/* false: libcrypto has no memory. */
bool hash_sha256_hex(const void *bytes, size_t count, char hex[SHA256_HEX]);
bool hash_sha1_hex(const void *bytes, size_t count, char hex[SHA1_HEX]);
bool hash_hmac(const void *key, size_t key_bytes, const char *text, unsigned char digest[SHA256_BYTES]);
void hash_hex(const unsigned char *bytes, size_t count, char *hex);

/* In the call's memory; NULL when there is none. */
char *hash_base64(struct memories_call *call, const void *bytes, size_t count);

/* Back again, with a NUL behind it. NULL: it is none, or there is no memory. */
unsigned char *hash_base64_decode(struct memories_call *call, const char *text, size_t *count);

#endif
