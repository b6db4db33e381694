/* test_pki.c - the certificates of a deployment: what they say, who may read them, when they are made anew */
#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/pki/pki.h"

static char base[] = "/tmp/memories-pki.XXXXXX";
static char *directory;

static void set_up(void)
{
    memset(base + strlen(base) - 6, 'X', 6); /* a fresh name for each test */
    ck_assert_ptr_nonnull(mkdtemp(base));
    directory = text_format("%s/secrets", base);
}

static void tear_down(void)
{
    ck_assert_int_eq(directory_remove(base, NULL), 0);
    free(directory);
}

static struct secrets *prepared(const char *name, const char *addresses)
{
    memories_error *error = NULL;
    struct secrets *secrets = secrets_open(directory, "consensus-local-20260225-123456", &error);
    ck_assert_ptr_nonnull(secrets);
    AUTO_FREE char *holder = text_format("node/%s", name);
    int failed = secrets_prepare(secrets, (const char *const *)&holder, &addresses, 1, &error);
    ck_assert_msg(!failed, "%s", memories_error_message(error));
    return secrets;
}

static X509 *certificate_of(struct secrets *secrets, const char *reference)
{
    size_t bytes = 0;
    const char *text = secrets_get(secrets, reference, &bytes, NULL);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(bytes, strlen(text));
    BIO *memory = BIO_new_mem_buf(text, -1);
    X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    BIO_free(memory);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

/* Verified as a TLS library would, for this purpose and host. */
static int verify(struct secrets *secrets, const char *reference, int purpose, const char *host, const char *address)
{
    X509 *ca = certificate_of(secrets, "secret:ca/certificate"), *leaf = certificate_of(secrets, reference);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    if (host)
        X509_VERIFY_PARAM_set1_host(parameters, host, 0);
    if (address)
        X509_VERIFY_PARAM_set1_ip_asc(parameters, address);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    int result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(leaf);
    return result;
}

START_TEST(a_node_certificate_serves_both_sides)
{
    struct secrets *secrets = prepared("node1", "10.0.0.1,100.96.0.1");
    static const char node[] = "secret:node/node1/certificate";
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, "node1", NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, "localhost", NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, NULL, "10.0.0.1"), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, NULL, "100.96.0.1"), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, NULL, "127.0.0.1"), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, "node2", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, NULL, "10.0.0.2"),
                     X509_V_ERR_IP_ADDRESS_MISMATCH);
    secrets_free(secrets);
}
END_TEST

/* Its address is not known before it is made: it is reached by its name. */
START_TEST(a_node_without_an_address_is_named)
{
    struct secrets *secrets = prepared("node1", "");
    static const char node[] = "secret:node/node1/certificate";
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, "node1", NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, node, X509_PURPOSE_SSL_SERVER, NULL, "10.0.0.1"), X509_V_ERR_IP_ADDRESS_MISMATCH);
    secrets_free(secrets);
}
END_TEST

/* It is on many nodes: it proves that somebody is one of them, and opens none. */
START_TEST(a_group_shares_a_certificate_that_is_for_servers_only)
{
    static const char group[] = "secret:group/worker/certificate";
    AUTO_JSON json_object *spec = json_tokener_parse(
        "{\"nodes\": [{\"name\": \"boss\", \"bootstrap\": {\"files\": [{\"secret\": \"secret:ca/certificate\"},"
        "{\"secret\": \"secret:node/boss/certificate\"}, {\"secret\": \"secret:node/boss/key\"}, {\"content\": \"\"}]}},"
        "{\"name\": \"worker-1\", \"bootstrap\": {\"files\": [{\"secret\": \"secret:group/worker/certificate\"}]}},"
        "{\"name\": \"worker-2\", \"bootstrap\": {\"files\": [{\"secret\": \"secret:group/worker/certificate\"}]}},"
        "{\"name\": \"plain\"}]}");
    AUTO_JSON json_object *choices = json_tokener_parse("{\"nodes\": {\"boss\": {\"address\": \"10.0.0.1\"},"
                                                        "\"worker-1\": {\"address\": \"10.0.0.2\"}}}");
    struct secrets *secrets = secrets_open(directory, "x", NULL);
    ck_assert_int_eq(secrets_prepare_for(secrets, spec, choices, NULL), 0);
    ck_assert_int_eq(verify(secrets, group, X509_PURPOSE_SSL_SERVER, "worker", NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, group, X509_PURPOSE_SSL_SERVER, "worker-1", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verify(secrets, group, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_ERR_INVALID_PURPOSE);
    ck_assert_int_eq(verify(secrets, "secret:node/boss/certificate", X509_PURPOSE_SSL_SERVER, NULL, "10.0.0.1"), X509_V_OK);
    ck_assert_ptr_null(secrets_get(secrets, "secret:node/worker-1/certificate", NULL, NULL));
    ck_assert_int_eq(verify(secrets, "secret:node/plain/certificate", X509_PURPOSE_SSL_SERVER, "plain", NULL), X509_V_OK);
    secrets_free(secrets);
}
END_TEST

START_TEST(the_client_certificate_is_for_clients_only)
{
    struct secrets *secrets = prepared("node1", "10.0.0.1");
    static const char client[] = "secret:client/certificate";
    ck_assert_int_eq(verify(secrets, client, X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, client, X509_PURPOSE_SSL_SERVER, NULL, NULL), X509_V_ERR_INVALID_PURPOSE);
    secrets_free(secrets);
}
END_TEST

START_TEST(only_the_owner_may_read)
{
    static const char *const files[] = { "ca.crt", "ca.key", "client.crt", "client.key", "nodes/node1.crt", "nodes/node1.key" };
    secrets_free(prepared("node1", "10.0.0.1"));
    struct stat info;
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        AUTO_FREE char *path = text_format("%s/%s", directory, files[i]);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_int_eq(info.st_mode & 07777, 0600);
    }
    ck_assert_int_eq(stat(directory, &info), 0);
    ck_assert_int_eq(info.st_mode & 07777, 0700);
}
END_TEST

static char *text_of(const char *file)
{
    AUTO_FREE char *path = text_format("%s/%s", directory, file);
    return file_read(path, 65536, NULL, NULL);
}

START_TEST(what_fits_stays_and_new_addresses_renew)
{
    secrets_free(prepared("node1", "10.0.0.1"));
    AUTO_FREE char *ca = text_of("ca.crt"), *key = text_of("nodes/node1.key"), *certificate = text_of("nodes/node1.crt");
    secrets_free(prepared("node1", "10.0.0.1"));
    AUTO_FREE char *same = text_of("nodes/node1.crt");
    ck_assert_str_eq(same, certificate);

    struct secrets *secrets = prepared("node1", "10.0.0.7");
    AUTO_FREE char *renewed = text_of("nodes/node1.crt"), *key_after = text_of("nodes/node1.key"), *ca_after = text_of("ca.crt");
    ck_assert_str_ne(renewed, certificate);
    ck_assert_str_eq(key_after, key);
    ck_assert_str_eq(ca_after, ca);
    ck_assert_int_eq(verify(secrets, "secret:node/node1/certificate", X509_PURPOSE_SSL_SERVER, NULL, "10.0.0.7"), X509_V_OK);
    secrets_free(secrets);
}
END_TEST

START_TEST(a_lost_key_is_made_anew)
{
    secrets_free(prepared("node1", "10.0.0.1"));
    AUTO_FREE char *path = text_format("%s/nodes/node1.key", directory);
    ck_assert_int_eq(remove(path), 0);
    struct secrets *secrets = prepared("node1", "10.0.0.1");
    ck_assert_ptr_nonnull(secrets_get(secrets, "secret:node/node1/key", NULL, NULL));
    ck_assert_int_eq(verify(secrets, "secret:node/node1/certificate", X509_PURPOSE_SSL_SERVER, "node1", NULL), X509_V_OK);
    secrets_free(secrets);
}
END_TEST

/* Only the authority is synced to the disk: files of the others may be found empty or short. */
START_TEST(what_a_loss_of_power_spoilt_is_made_anew)
{
    static const char *const files[] = { "nodes/node1.key", "nodes/node1.crt", "client.key", "client.crt" };
    secrets_free(prepared("node1", "10.0.0.1"));
    AUTO_FREE char *path = text_format("%s/%s", directory, files[_i % 4]);
    ck_assert_int_eq(truncate(path, _i < 4 ? 0 : 100), 0);
    struct secrets *secrets = prepared("node1", "10.0.0.1");
    ck_assert_int_eq(verify(secrets, "secret:node/node1/certificate", X509_PURPOSE_SSL_SERVER, "node1", NULL), X509_V_OK);
    ck_assert_int_eq(verify(secrets, "secret:client/certificate", X509_PURPOSE_SSL_CLIENT, NULL, NULL), X509_V_OK);
    AUTO_FREE char *again = file_read(path, 65536, NULL, NULL);
    ck_assert_ptr_nonnull(strstr(again, "-----END"));
    secrets_free(secrets);
}
END_TEST

static const char *const wrong_references[] = { "",
                                                "secret:",
                                                "secret:ca/key", /* the CA's key is for nobody */
                                                "secret:node/node1",
                                                "secret:node//key",
                                                "secret:node/../ca/key",
                                                "secret:node/..%2fca/key",
                                                "secret:node/./key",
                                                "secret:node/a/b/key",
                                                "secret:node/-x/key",
                                                "secret:node/node2/key",
                                                "node/node1/key" };

/* Recovered from the nodes: what they have is kept and used, and nothing else can be made. */
START_TEST(without_the_authority_s_key_nothing_is_made)
{
    AUTO_FREE char *other = text_format("%s/recovered", base);
    static const char *const references[] = { "secret:ca/certificate", "secret:node/node1/certificate",
                                              "secret:node/node1/key" };
    static const char *const names[] = { "node/node1", "node/node2" }, *const addresses[] = { "10.0.0.1", "10.0.0.2" };
    struct secrets *original = prepared("node1", "10.0.0.1");
    memories_error *error = NULL;
    struct secrets *recovered = secrets_open(other, "consensus-local-20260225-123456", &error);
    for (size_t i = 0; i < ARRAY_COUNT(references); i++)
        ck_assert_int_eq(secrets_put(recovered, references[i], secrets_get(original, references[i], NULL, NULL), &error), 0);
    ck_assert_int_eq(secrets_put(recovered, "secret:client/certificate",
                                 secrets_get(original, references[1], NULL, NULL), &error), 0);
    ck_assert_int_eq(secrets_put(recovered, "secret:client/key", secrets_get(original, references[2], NULL, NULL), &error),
                     0);
    /* What is kept already stays. */
    ck_assert_int_eq(secrets_put(recovered, references[0], "another", &error), 0);
    ck_assert(secrets_lack_authority(recovered));
    ck_assert(!secrets_lack_authority(original));
    ck_assert_int_eq(secrets_prepare(recovered, names, addresses, 1, &error), 0);
    ck_assert_str_eq(secrets_get(recovered, references[1], NULL, NULL), secrets_get(original, references[1], NULL, NULL));
    ck_assert_int_eq(secrets_prepare(recovered, names, addresses, 2, &error), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(memories_error_message(error),
                     "nodes/node2 has no certificate that fits, and the key to sign one is not on this machine");
    memories_error_free(error);
    error = NULL;
    ck_assert_int_eq(secrets_put(recovered, "secret:../x", "text", &error), MEMORIES_INVALID);
    memories_error_free(error);
    secrets_free(original);
    secrets_free(recovered);
}
END_TEST

START_TEST(wrong_references_give_nothing)
{
    struct secrets *secrets = prepared("node1", "10.0.0.1");
    memories_error *error = NULL;
    ck_assert_ptr_null(secrets_get(secrets, wrong_references[_i], NULL, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_NOT_FOUND);
    memories_error_free(error);
    secrets_free(secrets);
}
END_TEST

static const char *const wrong_names[] = { "node/",       "node/.",  "group/..",  "node/../x",  "node/a/b", "node/.hidden",
                                           "node/-x", "node/a b", "group/a\nb", "client/node1", "node1" };

START_TEST(node_names_cannot_leave_the_directory)
{
    struct secrets *secrets = secrets_open(directory, "x", NULL);
    const char *addresses = "10.0.0.1";
    memories_error *error = NULL;
    ck_assert_int_eq(secrets_prepare(secrets, &wrong_names[_i], &addresses, 1, &error), MEMORIES_INVALID);
    memories_error_free(error);
    secrets_free(secrets);
}
END_TEST

START_TEST(removing_leaves_nothing_and_twice_is_fine)
{
    struct secrets *secrets = prepared("node1", "10.0.0.1");
    ck_assert_int_eq(secrets_remove(secrets, NULL), 0);
    ck_assert_int_ne(access(directory, F_OK), 0);
    ck_assert_int_eq(secrets_remove(secrets, NULL), 0);
    ck_assert_ptr_null(secrets_get(secrets, "secret:client/key", NULL, NULL));
    secrets_free(secrets);
}
END_TEST

#define MANY 200
START_TEST(many_nodes_are_made_once)
{
    static char storage[MANY][24];
    const char *names[MANY], *addresses[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(storage[i], sizeof storage[i], "node/node%d", i + 1);
        names[i] = storage[i];
        addresses[i] = "10.0.0.1";
    }
    struct secrets *secrets = secrets_open(directory, "x", NULL);
    ck_assert_int_eq(secrets_prepare(secrets, names, addresses, MANY, NULL), 0);
    AUTO_FREE char *last = text_of("nodes/node200.crt");
    ck_assert_int_eq(secrets_prepare(secrets, names, addresses, MANY, NULL), 0);
    AUTO_FREE char *again = text_of("nodes/node200.crt");
    ck_assert_str_eq(last, again);
    secrets_free(secrets);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki");
    TCase *certificates = tcase_create("certificates");
    tcase_add_checked_fixture(certificates, set_up, tear_down);
    tcase_set_timeout(certificates, 60);
    tcase_add_test(certificates, a_node_certificate_serves_both_sides);
    tcase_add_test(certificates, a_node_without_an_address_is_named);
    tcase_add_test(certificates, a_group_shares_a_certificate_that_is_for_servers_only);
    tcase_add_test(certificates, the_client_certificate_is_for_clients_only);
    tcase_add_test(certificates, only_the_owner_may_read);
    tcase_add_test(certificates, what_fits_stays_and_new_addresses_renew);
    tcase_add_test(certificates, a_lost_key_is_made_anew);
    tcase_add_test(certificates, without_the_authority_s_key_nothing_is_made);
    tcase_add_loop_test(certificates, what_a_loss_of_power_spoilt_is_made_anew, 0, 8);
    tcase_add_loop_test(certificates, wrong_references_give_nothing, 0, (int)ARRAY_COUNT(wrong_references));
    tcase_add_loop_test(certificates, node_names_cannot_leave_the_directory, 0, (int)ARRAY_COUNT(wrong_names));
    tcase_add_test(certificates, removing_leaves_nothing_and_twice_is_fine);
    tcase_add_test(certificates, many_nodes_are_made_once);
    suite_add_tcase(suite, certificates);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
