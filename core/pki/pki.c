/*
 * pki.c - the certificate authority of a deployment, and its secrets
 *
 *     DIRECTORY/ca.crt ca.key client.crt client.key nodes/NAME.crt nodes/NAME.key groups/NAME.crt groups/NAME.key
 *
 * Certificates are X.509v3 (RFC 5280) with EC P-256 keys. A node's certificate serves both sides of TLS: etcd's JSON
 * gateway dials its own port with it, and peers dial each other. A group's is on many nodes and opens none of them.
 */
#include "core/pki/pki.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"

#define CA_DAYS 3650
#define LEAF_DAYS 825
#define RENEW_DAYS 30
/* Clocks of nodes may be a little behind ours. */
#define BACKDATE_S 600
#define PEM_MAX_BYTES 65536

struct secret {
    char *reference;
    char *text;
    size_t bytes;
    struct secret *next;
};

struct secrets {
    char *directory;
    char *deployment;
    pthread_mutex_t lock; /* guards `known` */
    struct secret *known;
};

struct pair {
    EVP_PKEY *key;
    X509 *certificate;
};

static void pair_clear(struct pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->certificate);
    *pair = (struct pair){ 0 };
}

static int openssl_error(const char *doing, const char *whose, memories_error **error)
{
    char words[256];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, words, sizeof words);
    ERR_clear_error();
    error_set(error, MEMORIES_FAILED, "can't %s of %s", doing, whose);
    if (code)
        error_cause(error, "%s", words);
    return MEMORIES_FAILED;
}

/* ---- Opening, closing ---- */

struct secrets *secrets_open(const char *directory, const char *deployment, memories_error **error)
{
    struct secrets *secrets = calloc(1, sizeof *secrets);
    if (secrets) {
        pthread_mutex_init(&secrets->lock, NULL);
        secrets->directory = strdup(directory);
        secrets->deployment = strdup(deployment);
        if (secrets->directory && secrets->deployment)
            return secrets;
    }
    secrets_free(secrets);
    error_no_memory(error);
    return NULL;
}

static void forget(struct secrets *secrets)
{
    while (secrets->known) {
        struct secret *secret = secrets->known;
        secrets->known = secret->next;
        OPENSSL_cleanse(secret->text, secret->bytes);
        free(secret->text);
        free(secret->reference);
        free(secret);
    }
}

void secrets_free(struct secrets *secrets)
{
    if (!secrets)
        return;
    forget(secrets);
    pthread_mutex_destroy(&secrets->lock);
    free(secrets->deployment);
    free(secrets->directory);
    free(secrets);
}

int secrets_remove(struct secrets *secrets, memories_error **error)
{
    pthread_mutex_lock(&secrets->lock);
    forget(secrets);
    pthread_mutex_unlock(&secrets->lock);
    return directory_remove(secrets->directory, error);
}

/* ---- Files ---- */

/* DIRECTORY/NAME.SUFFIX */
static char *path_of(const struct secrets *secrets, const char *name, const char *suffix)
{
    return text_format("%s/%s.%s", secrets->directory, name, suffix);
}

/* The path of what is there, or NULL: missing is no error here. */
static BIO *open_existing(const struct secrets *secrets, const char *name, const char *suffix)
{
    AUTO_FREE char *path = path_of(secrets, name, suffix);
    BIO *file = path ? BIO_new_file(path, "r") : NULL;
    ERR_clear_error();
    return file;
}

static EVP_PKEY *read_key(const struct secrets *secrets, const char *name)
{
    /* PEM_read_bio_PrivateKey tries every kind of key that there is, which takes three times as long. */
    EVP_PKEY *key = NULL;
    BIO *file = open_existing(secrets, name, "key");
    OSSL_DECODER_CTX *decoder =
        file ? OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", "PrivateKeyInfo", "EC", EVP_PKEY_KEYPAIR, NULL, NULL) : NULL;
    if (decoder)
        OSSL_DECODER_from_bio(decoder, file);
    OSSL_DECODER_CTX_free(decoder);
    BIO_free(file);
    ERR_clear_error();
    return key;
}

static X509 *read_certificate(const struct secrets *secrets, const char *name)
{
    BIO *file = open_existing(secrets, name, "crt");
    X509 *certificate = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    ERR_clear_error();
    return certificate;
}

static int write_memory(const struct secrets *secrets, const char *name, const char *suffix, BIO *memory, bool sync,
                        memories_error **error)
{
    AUTO_FREE char *path = path_of(secrets, name, suffix);
    char *bytes = NULL;
    long count = BIO_get_mem_data(memory, &bytes);
    if (!path || count <= 0)
        return error_no_memory(error);
    int failed = file_write(path, bytes, (size_t)count, 0600, sync, error);
    OPENSSL_cleanse(bytes, (size_t)count);
    return failed;
}

static int write_key(const struct secrets *secrets, const char *name, EVP_PKEY *key, bool sync,
                     memories_error **error)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int failed = memory && PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL)
                     ? write_memory(secrets, name, "key", memory, sync, error)
                     : openssl_error("write the key", name, error);
    BIO_free(memory);
    return failed;
}

static int write_certificate(const struct secrets *secrets, const char *name, X509 *certificate, bool sync,
                             memories_error **error)
{
    BIO *memory = BIO_new(BIO_s_mem());
    int failed = memory && PEM_write_bio_X509(memory, certificate)
                     ? write_memory(secrets, name, "crt", memory, sync, error)
                     : openssl_error("write the certificate", name, error);
    BIO_free(memory);
    return failed;
}

/* ---- Certificates ---- */

struct profile {
    const char *common_name;
    const char *constraints;
    const char *key_usage;
    const char *extended_usage;    /* NULL: none */
    const char *alternative_names; /* NULL: none */
    int days;
};

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = value ? X509V3_EXT_conf_nid(NULL, &context, kind, value) : NULL;
    bool added = !value || (extension && X509_add_ext(certificate, extension, -1));
    X509_EXTENSION_free(extension);
    return added;
}

/* 128 random bits, positive. */
static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    BIGNUM *number = RAND_bytes(bytes, sizeof bytes) == 1 ? BN_bin2bn(bytes, sizeof bytes, NULL) : NULL;
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

static bool set_name(X509 *certificate, const char *organisation, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)organisation, -1, -1, 0) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0);
}

/* Signed by `issuer`, or by itself when that is NULL. */
static X509 *make_certificate(EVP_PKEY *key, const struct profile *profile, const struct pair *issuer)
{
    X509 *certificate = X509_new();
    X509 *signer = issuer ? issuer->certificate : certificate;
    bool made = certificate && X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
                set_name(certificate, "memories", profile->common_name) &&
                X509_set_issuer_name(certificate, X509_get_subject_name(signer)) &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) &&
                X509_time_adj_ex(X509_getm_notAfter(certificate), profile->days, 0, NULL) &&
                X509_set_pubkey(certificate, key) &&
                add_extension(certificate, signer, NID_basic_constraints, profile->constraints) &&
                add_extension(certificate, signer, NID_key_usage, profile->key_usage) &&
                add_extension(certificate, signer, NID_ext_key_usage, profile->extended_usage) &&
                add_extension(certificate, signer, NID_subject_alt_name, profile->alternative_names) &&
                add_extension(certificate, signer, NID_subject_key_identifier, "hash") &&
                add_extension(certificate, signer, NID_authority_key_identifier, "keyid:always") &&
                X509_sign(certificate, issuer ? issuer->key : key, EVP_sha256());
    if (made)
        return certificate;
    X509_free(certificate);
    return NULL;
}

/* Whether a certificate that is there can stay: it belongs to the key, has time left, and names these addresses. */
static bool fits(X509 *certificate, EVP_PKEY *key, const struct profile *profile, const struct pair *issuer)
{
    time_t soon = time(NULL) + RENEW_DAYS * 24 * 3600;
    if (!certificate || X509_check_private_key(certificate, key) != 1 ||
        X509_cmp_time(X509_get0_notAfter(certificate), &soon) <= 0)
        return false;
    if (issuer && X509_verify(certificate, X509_get0_pubkey(issuer->certificate)) != 1)
        return false;
    if (!profile->alternative_names)
        return true;
    X509_EXTENSION *wanted = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, profile->alternative_names);
    int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
    bool same = wanted && at >= 0 &&
                !ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(wanted),
                                       X509_EXTENSION_get_data(X509_get_ext(certificate, at)));
    X509_EXTENSION_free(wanted);
    return same;
}

/* The authority of a recovered deployment may be known by its certificate alone. */
static int no_authority(const struct secrets *secrets, const char *name, memories_error **error)
{
    error_set(error, MEMORIES_UNSUPPORTED, "%s has no certificate that fits, and the key to sign one is not on this machine",
              name);
    error_where(error, "%s", secrets->directory);
    error_hint(error, "copy ca.key to that directory from the machine that deployed %s, or deploy anew", secrets->deployment);
    return MEMORIES_UNSUPPORTED;
}

/* Key and certificate NAME, read where they fit, made where not; a key that is there is kept. Only the authority (no
 * issuer) has to outlive a loss of power: from it, all others are made anew. */
static int obtain_pair(const struct secrets *secrets, const char *name, const struct profile *profile,
                       const struct pair *issuer, struct pair *pair, memories_error **error)
{
    bool sync = !issuer;
    pair->key = read_key(secrets, name);
    pair->certificate = pair->key ? read_certificate(secrets, name) : NULL;
    if (pair->key && fits(pair->certificate, pair->key, profile, issuer))
        return 0;
    if (issuer && !issuer->key)
        return no_authority(secrets, name, error);
    if (!pair->key) {
        pair->key = EVP_EC_gen("P-256");
        if (!pair->key)
            return openssl_error("make the key", name, error);
        int failed = write_key(secrets, name, pair->key, sync, error);
        if (failed)
            return failed;
    }
    X509_free(pair->certificate);
    pair->certificate = make_certificate(pair->key, profile, issuer);
    ERR_clear_error();
    return pair->certificate ? write_certificate(secrets, name, pair->certificate, sync, error)
                             : openssl_error("make the certificate", name, error);
}

/* ---- Who gets one ---- */

static bool is_node_name(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_' && *at != '.')
            return false;
    return length > 0 && length < 64 && *name != '.' && *name != '-';
}

/* "DNS:node1,DNS:localhost,IP:10.0.0.1,IP:127.0.0.1" */
static char *alternative_names(const char *name, const char *addresses)
{
    struct text text = TEXT_INIT;
    text_printf(&text, "DNS:%s,DNS:localhost,IP:127.0.0.1", name);
    for (const char *at = addresses; *at;) {
        size_t length = strcspn(at, ",");
        bool known = length == strlen("127.0.0.1") && !strncmp(at, "127.0.0.1", length);
        if (length && !known) {
            text_append(&text, ",IP:");
            text_append_bytes(&text, at, length);
        }
        at += length + (at[length] == ',');
    }
    return text_take(&text);
}

/* Who holds a pair that is neither the CA's nor the client's, and where: "node/node1" in nodes/. */
static const struct kind {
    const char *prefix, *directory, *extended_usage;
} kinds[] = { { "node/", "nodes", "serverAuth,clientAuth" }, { "group/", "groups", "serverAuth" } };

/* NULL: neither. */
static const struct kind *kind_of(const char *holder)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        if (!strncmp(holder, kinds[i].prefix, strlen(kinds[i].prefix)))
            return &kinds[i];
    return NULL;
}

static int obtain_holder(const struct secrets *secrets, const char *holder, const char *addresses, const struct pair *ca,
                         memories_error **error)
{
    const struct kind *kind = kind_of(holder);
    const char *name = kind ? holder + strlen(kind->prefix) : holder;
    if (!kind || !is_node_name(name))
        return error_set(error, MEMORIES_INVALID, "\"%s\" can't be the name of a node", name);
    AUTO_FREE char *names = alternative_names(name, addresses);
    AUTO_FREE char *file = text_format("%s/%s", kind->directory, name);
    if (!names || !file)
        return error_no_memory(error);
    const struct profile profile = { .common_name = name,
                                     .constraints = "critical,CA:FALSE",
                                     .key_usage = "critical,digitalSignature",
                                     .extended_usage = kind->extended_usage,
                                     .alternative_names = names,
                                     .days = LEAF_DAYS };
    struct pair pair = { 0 };
    int failed = obtain_pair(secrets, file, &profile, ca, &pair, error);
    pair_clear(&pair);
    return failed;
}

static bool has_file(const struct secrets *secrets, const char *name, const char *suffix)
{
    AUTO_FREE char *path = path_of(secrets, name, suffix);
    return path && access(path, F_OK) == 0;
}

bool secrets_lack_authority(const struct secrets *secrets)
{
    return has_file(secrets, "ca", "crt") && !has_file(secrets, "ca", "key");
}

static int obtain_all(const struct secrets *secrets, const char *const *holders, const char *const *addresses,
                      size_t count, struct pair *ca, memories_error **error)
{
    AUTO_FREE char *ca_name = text_format("%.58s CA", secrets->deployment); /* a common name has at most 64 characters */
    if (!ca_name)
        return error_no_memory(error);
    const struct profile authority = { .common_name = ca_name,
                                       .constraints = "critical,CA:TRUE,pathlen:0",
                                       .key_usage = "critical,keyCertSign,cRLSign",
                                       .days = CA_DAYS };
    const struct profile client = { .common_name = "memories-client",
                                    .constraints = "critical,CA:FALSE",
                                    .key_usage = "critical,digitalSignature",
                                    .extended_usage = "clientAuth",
                                    .days = LEAF_DAYS };
    struct pair client_pair = { 0 };
    int failed = 0;
    if (!secrets_lack_authority(secrets))
        failed = obtain_pair(secrets, "ca", &authority, NULL, ca, error);
    else if (!(ca->certificate = read_certificate(secrets, "ca")))
        failed = openssl_error("read the certificate", "ca", error);
    if (!failed)
        failed = obtain_pair(secrets, "client", &client, ca, &client_pair, error);
    pair_clear(&client_pair);
    for (size_t i = 0; !failed && i < count; i++)
        failed = obtain_holder(secrets, holders[i], addresses[i], ca, error);
    return failed;
}

static int make_directories(const struct secrets *secrets, memories_error **error)
{
    int failed = directory_make(secrets->directory, 0700, error);
    for (size_t i = 0; !failed && i < ARRAY_COUNT(kinds); i++) {
        AUTO_FREE char *path = text_format("%s/%s", secrets->directory, kinds[i].directory);
        failed = path ? directory_make(path, 0700, error) : error_no_memory(error);
    }
    return failed;
}

int secrets_prepare(struct secrets *secrets, const char *const *holders, const char *const *addresses, size_t count,
                    memories_error **error)
{
    int failed = make_directories(secrets, error);
    struct pair ca = { 0 };
    if (!failed)
        failed = obtain_all(secrets, holders, addresses, count, &ca, error);
    pair_clear(&ca);
    pthread_mutex_lock(&secrets->lock);
    forget(secrets); /* what was read before may be renewed now */
    pthread_mutex_unlock(&secrets->lock);
    return failed;
}

/* ---- References ---- */

/* "secret:node/node1/key" -> "nodes/node1.key"; NULL when it is none. */
static char *file_of(const char *reference)
{
    static const struct {
        const char *reference, *file;
    } fixed[] = { { "secret:ca/certificate", "ca.crt" },
                  { "secret:client/certificate", "client.crt" },
                  { "secret:client/key", "client.key" } };
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++)
        if (!strcmp(reference, fixed[i].reference))
            return strdup(fixed[i].file);
    static const char prefix[] = "secret:";
    bool is_secret = !strncmp(reference, prefix, strlen(prefix));
    const struct kind *kind = is_secret ? kind_of(reference + strlen(prefix)) : NULL;
    if (!kind)
        return NULL;
    const char *begin = reference + strlen(prefix) + strlen(kind->prefix), *slash = strrchr(begin, '/');
    if (!slash)
        return NULL;
    const char *suffix = !strcmp(slash, "/certificate") ? "crt" : !strcmp(slash, "/key") ? "key" : NULL;
    AUTO_FREE char *name = strndup(begin, (size_t)(slash - begin));
    return suffix && name && is_node_name(name) ? text_format("%s/%s.%s", kind->directory, name, suffix) : NULL;
}

static struct secret *load(const struct secrets *secrets, const char *reference, memories_error **error)
{
    AUTO_FREE char *file = file_of(reference);
    AUTO_FREE char *path = file ? text_format("%s/%s", secrets->directory, file) : NULL;
    struct secret *secret = path ? calloc(1, sizeof *secret) : NULL;
    if (!file) {
        error_set(error, MEMORIES_NOT_FOUND, "there is no secret \"%s\"", reference);
        return NULL;
    }
    if (secret) {
        secret->reference = strdup(reference);
        secret->text = secret->reference ? file_read(path, PEM_MAX_BYTES, &secret->bytes, error) : NULL;
        if (secret->text)
            return secret;
        free(secret->reference);
        free(secret);
    }
    error_no_memory(error); /* where nothing else was told */
    error_hint(error, "`memories resume %s` makes missing certificates anew", secrets->deployment);
    return NULL;
}

const char *secrets_get(struct secrets *secrets, const char *reference, size_t *bytes, memories_error **error)
{
    pthread_mutex_lock(&secrets->lock);
    struct secret *secret = secrets->known;
    while (secret && strcmp(secret->reference, reference) != 0)
        secret = secret->next;
    if (!secret) {
        secret = load(secrets, reference, error);
        if (secret) {
            secret->next = secrets->known;
            secrets->known = secret;
        }
    }
    pthread_mutex_unlock(&secrets->lock);
    if (secret && bytes)
        *bytes = secret->bytes;
    return secret ? secret->text : NULL;
}

int secrets_put(struct secrets *secrets, const char *reference, const char *text, memories_error **error)
{
    AUTO_FREE char *file = file_of(reference);
    AUTO_FREE char *path = file ? text_format("%s/%s", secrets->directory, file) : NULL;
    if (!file)
        return error_set(error, MEMORIES_INVALID, "\"%s\" is no reference to a secret", reference);
    if (!path)
        return error_no_memory(error);
    int failed = make_directories(secrets, error);
    if (failed || access(path, F_OK) == 0)
        return failed;
    return file_write(path, text, strlen(text), 0600, true, error);
}
