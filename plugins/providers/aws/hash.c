/* hash.c - digests as AWS writes them, see hash.h */
#include "plugins/providers/aws/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "plugins/common/plugin.h"

void hash_hex(const unsigned char *bytes, size_t count, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * count] = '\0';
}

static bool digest_hex(const EVP_MD *type, const void *bytes, size_t count, char *hex)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_Digest(bytes, count, digest, &length, type, NULL))
        return false;
    hash_hex(digest, length, hex);
    return true;
}

bool hash_sha256_hex(const void *bytes, size_t count, char hex[SHA256_HEX])
{
    return digest_hex(EVP_sha256(), bytes, count, hex);
}

bool hash_sha1_hex(const void *bytes, size_t count, char hex[SHA1_HEX])
{
    return digest_hex(EVP_sha1(), bytes, count, hex);
}

bool hash_hmac(const void *key, size_t key_bytes, const char *text, unsigned char digest[SHA256_BYTES])
{
    return HMAC(EVP_sha256(), key, (int)key_bytes, (const unsigned char *)text, strlen(text), digest, NULL) != NULL;
}

char *hash_base64(struct memories_call *call, const void *bytes, size_t count)
{
    char *text = plugin_host->allocate(call, (count + 2) / 3 * 4 + 1);
    if (text)
        EVP_EncodeBlock((unsigned char *)text, bytes, (int)count);
    return text;
}

unsigned char *hash_base64_decode(struct memories_call *call, const char *text, size_t *count)
{
    size_t length = strlen(text);
    unsigned char *bytes = plugin_host->allocate(call, length / 4 * 3 + 1);
    int decoded = bytes ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length) : -1;
    if (decoded < 0)
        return NULL;
    /* It counts the padding too. */
    while (length && text[--length] == '=' && decoded > 0)
        decoded--;
    bytes[decoded] = '\0';
    *count = (size_t)decoded;
    return bytes;
}
