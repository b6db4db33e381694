/*
 * test_store.c - core/store: records, leases and fencing, journal, audit trail, several processes, crashes
 *
 * Linked with the crash-point build of database.c, whose points do nothing unless MEMORIES_CRASH_AT is set.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/store/store.h"

#define ID "consensus-local-20260225-123456"
#define LEASE_MS 60000

static char directory[512];
static struct store *store;

static struct store *open_store(void)
{
    memories_error *error = NULL;
    struct store *opened = store_open(directory, &error);
    ck_assert_msg(opened, "%s", memories_error_message(error));
    return opened;
}

static void setup(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/memories-store-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    store = open_store();
}

static void teardown(void)
{
    store_close(store);
    directory_remove(directory, NULL);
}

static void check(int failed, memories_error *error)
{
    ck_assert_msg(!failed, "%s", memories_error_message(error));
}

static json_object *parse(const char *text)
{
    json_object *json = json_parse(text, "a test's document", NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

static int insert(struct store *into, const char *id, const char *name, memories_error **error)
{
    AUTO_JSON json_object *record = parse("{\"topology\":\"consensus\",\"provider\":\"local\",\"status\":\"deploying\","
                                          "\"goal\":\"running\",\"created_at_ms\":5,\"updated_at_ms\":5,"
                                          "\"generation\":1,\"config\":{\"nodes\":3},\"resources\":[]}");
    json_set_string(record, "id", id);
    json_set_string(record, "name", name);
    return store_deployment_insert(into, record, error);
}

static struct lease *lease_new_deployment(void)
{
    struct lease *lease = NULL;
    memories_error *error = NULL;
    int failed = insert(store, ID, NULL, &error);
    if (!failed)
        failed = store_lease_take(store, ID, LEASE_MS, &lease, &error);
    check(failed, error);
    return lease;
}

/* ---- The file ---- */

START_TEST(the_file_is_private_and_stays)
{
    AUTO_FREE char *path = text_format("%s/memories.db", directory);
    AUTO_FREE char *wal = text_format("%s/memories.db-wal", directory);
    ck_assert_int_eq(insert(store, ID, NULL, NULL), 0);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(wal, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    store_close(store);
    store = open_store();
    AUTO_JSON json_object *list = store_deployment_list(store, true, NULL);
    ck_assert_uint_eq(json_count(list), 1);
}
END_TEST

static void execute(const char *sql)
{
    AUTO_FREE char *path = text_format("%s/memories.db", directory);
    sqlite3 *database = NULL;
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    char *problem = NULL;
    ck_assert_msg(sqlite3_exec(database, sql, NULL, NULL, &problem) == SQLITE_OK, "%s", problem);
    sqlite3_close(database);
}

START_TEST(a_newer_format_is_refused)
{
    execute("PRAGMA user_version = 99");
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(store_open(directory, &error));
    ck_assert_int_eq(memories_error_code(error), MEMORIES_UNSUPPORTED);
    ck_assert_str_eq(memories_error_message(error), "the store has format 99; this memories knows formats up to 3");
    ck_assert_ptr_nonnull(strstr(memories_error_where(error), "/memories.db"));
    ck_assert_str_eq(memories_error_hint(error), "a newer memories wrote it: use that one");
}
END_TEST

/* What earlier versions of memories wrote is brought up to date, and all of it is still there. */
START_TEST(an_older_format_is_brought_up_to_date)
{
    const char *srcdir = getenv("srcdir");
    AUTO_FREE char *dump = text_format("%s/tests/data/store-format-1.sql", srcdir ? srcdir : ".");
    AUTO_FREE char *sql = file_read(dump, 1 << 16, NULL, NULL);
    ck_assert_msg(sql, "%s can't be read", dump);
    AUTO_FREE char *path = text_format("%s/memories.db", directory);
    store_close(store);
    ck_assert_int_eq(unlink(path), 0);
    execute(sql);
    store = open_store();

    AUTO_JSON json_object *record = store_deployment_find(store, "colours", NULL);
    ck_assert_ptr_nonnull(record);
    ck_assert_str_eq(json_get_string(record, "id"), ID);
    ck_assert_str_eq(json_get_string(json_get(record, "result"), "leader_node"), "node1");
    ck_assert_uint_eq(json_count(json_get_array(json_get(record, "spec"), "nodes")), 2);
    ck_assert_ptr_null(json_get(record, "membership"));
    ck_assert_ptr_null(json_get(record, "scaled"));
    AUTO_JSON json_object *resources = store_resource_list(store, ID, NULL);
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(resources, 0), "token"), "0a1b2c");
    AUTO_JSON json_object *journal = store_journal_list(store, ID, NULL), *audit = store_audit_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(journal), 1);
    ck_assert_uint_eq(json_count(audit), 1);

    /* What the newer format has is written, and survives. */
    struct lease *lease = NULL;
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &lease, NULL), 0);
    ck_assert_int_gt(lease->fence, 3);
    AUTO_JSON json_object *changes = parse("{\"membership\":{\"joined\":{}},\"scaled\":{\"up_ms\":7,\"down_ms\":0}}");
    ck_assert_int_eq(store_deployment_update(store, ID, lease->fence, changes, NULL), 0);
    store_lease_release(store, lease);
    store_close(store);
    store = open_store();
    AUTO_JSON json_object *again = store_deployment_find(store, ID, NULL);
    ck_assert_int_eq(json_get_int(json_get(again, "scaled"), "up_ms", 0), 7);
    ck_assert_ptr_nonnull(json_get(json_get(again, "membership"), "joined"));
}
END_TEST

START_TEST(a_damaged_file_is_told)
{
    AUTO_FREE char *path = text_format("%s/damaged", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    AUTO_FREE char *file = text_format("%s/memories.db", path);
    static const char junk[] = "this is not a database, however long one looks at it, and looks at it again, and again";
    ck_assert_int_eq(file_write(file, junk, sizeof junk, 0600, false, NULL), 0);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(store_open(path, &error));
    ck_assert_str_eq(memories_error_message(error), "can't open the store");
    ck_assert_str_eq(memories_error_where(error), file);
    ck_assert_str_eq(memories_error_cause(error), "file is not a database");
    ck_assert_ptr_nonnull(strstr(memories_error_hint(error), "damaged"));
}
END_TEST

/* Needs root, for a disk that is small. */
START_TEST(a_full_disk_is_told)
{
    AUTO_FREE char *path = text_format("%s/small", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", path, "tmpfs", 0, "size=1m"))
        return;
    store_close(store_open(path, NULL));
    AUTO_FREE char *file = text_format("%s/filler", path);
    FILE *filler = fopen(file, "w");
    ck_assert_ptr_nonnull(filler);
    while (fputc('x', filler) != EOF)
        ;
    fclose(filler);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(store_open(path, &error));
    ck_assert_str_eq(memories_error_hint(error), "the disk is full: free some space and run the command again");
    ck_assert_int_eq(umount(path), 0);
}
END_TEST

/* ---- Records ---- */

START_TEST(a_record_is_found_by_id_name_and_beginning)
{
    ck_assert_int_eq(insert(store, "consensus-local-1", "prod", NULL), 0);
    ck_assert_int_eq(insert(store, "consensus-local-12", NULL, NULL), 0);
    ck_assert_int_eq(insert(store, "standalone-local-1", NULL, NULL), 0);
    static const struct {
        const char *asked, *found;
    } cases[] = { { "consensus-local-1", "consensus-local-1" }, { "prod", "consensus-local-1" },
                  { "consensus-local-12", "consensus-local-12" }, { "s", "standalone-local-1" } };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        AUTO_JSON json_object *record = store_deployment_find(store, cases[i].asked, NULL);
        ck_assert_pstr_eq(json_get_string(record, "id"), cases[i].found);
        ck_assert_int_eq(json_get_int(json_get(record, "config"), "nodes", 0), 3);
        ck_assert(!json_get_bool(record, "leased", true));
    }
}
END_TEST

static const struct {
    const char *asked;
    int code;
    const char *message;
    const char *hint;
} unfound[] = {
    { "cons", MEMORIES_INVALID, "\"cons\" is the beginning of several deployments",
      "say more of it: consensus-local-1, consensus-local-2" },
    { "x", MEMORIES_NOT_FOUND, "there is no deployment \"x\"", "`memories list` shows those that are there" },
    { "", MEMORIES_NOT_FOUND, "there is no deployment \"\"", "`memories list` shows those that are there" },
    { "%", MEMORIES_NOT_FOUND, "there is no deployment \"%\"", "`memories list` shows those that are there" },
};

START_TEST(what_is_not_found_is_explained)
{
    ck_assert_int_eq(insert(store, "consensus-local-1", NULL, NULL), 0);
    ck_assert_int_eq(insert(store, "consensus-local-2", NULL, NULL), 0);
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_ptr_null(store_deployment_find(store, unfound[_i].asked, &error));
    ck_assert_int_eq(memories_error_code(error), unfound[_i].code);
    ck_assert_str_eq(memories_error_message(error), unfound[_i].message);
    ck_assert_str_eq(memories_error_hint(error), unfound[_i].hint);
}
END_TEST

START_TEST(ids_and_names_are_unique)
{
    AUTO_ERROR memories_error *id_error = NULL, *name_error = NULL;
    ck_assert_int_eq(insert(store, "a", "prod", NULL), 0);
    ck_assert_int_eq(insert(store, "a", NULL, &id_error), MEMORIES_CONFLICT);
    ck_assert_str_eq(memories_error_message(id_error), "the id a is taken");
    ck_assert_int_eq(insert(store, "b", "prod", &name_error), MEMORIES_CONFLICT);
    ck_assert_str_eq(memories_error_message(name_error), "a deployment named prod is there already");
    ck_assert_int_eq(insert(store, "c", NULL, NULL), 0);
}
END_TEST

START_TEST(an_update_sets_what_is_given_and_nothing_else)
{
    struct lease *lease = lease_new_deployment();
    AUTO_JSON json_object *changes = parse("{\"status\":\"running\",\"result\":{\"leader_node\":\"node1\"}}");
    ck_assert_int_eq(store_deployment_update(store, ID, lease->fence, changes, NULL), 0);
    AUTO_JSON json_object *record = store_deployment_find(store, ID, NULL);
    ck_assert_str_eq(json_get_string(record, "status"), "running");
    ck_assert_str_eq(json_get_string(json_get(record, "result"), "leader_node"), "node1");
    ck_assert_str_eq(json_get_string(record, "goal"), "running");
    ck_assert(json_get_int(record, "updated_at_ms", 0) > 5);
    ck_assert(json_get_bool(record, "leased", false));
    AUTO_JSON json_object *unknown = parse("{\"status\":\"failed\",\"colour\":\"red\"}");
    ck_assert_int_eq(store_deployment_update(store, ID, lease->fence, unknown, NULL), MEMORIES_INTERNAL);
    AUTO_JSON json_object *after = store_deployment_find(store, ID, NULL);
    ck_assert_str_eq(json_get_string(after, "status"), "running"); /* all or nothing */
    store_lease_release(store, lease);
}
END_TEST

START_TEST(work_ends_with_its_last_change)
{
    struct lease *lease = lease_new_deployment(), *next = NULL;
    AUTO_JSON json_object *unknown = parse("{\"status\":\"failed\",\"colour\":\"red\"}");
    ck_assert_int_eq(store_deployment_settle(store, lease, unknown, NULL), MEMORIES_INTERNAL);
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &next, NULL), MEMORIES_BUSY); /* all or nothing */
    AUTO_JSON json_object *changes = parse("{\"status\":\"running\"}");
    ck_assert_int_eq(store_deployment_settle(store, lease, changes, NULL), 0);
    AUTO_JSON json_object *record = store_deployment_find(store, ID, NULL);
    ck_assert_str_eq(json_get_string(record, "status"), "running");
    ck_assert(!json_get_bool(record, "leased", true));
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &next, NULL), 0);
    store_lease_release(store, next);
}
END_TEST

START_TEST(the_audit_trail_outlives_the_deployment)
{
    struct lease *lease = lease_new_deployment();
    AUTO_JSON json_object *detail = parse("{\"why\":\"test\"}");
    ck_assert_int_eq(store_audit_add(store, ID, "deploy", detail, NULL), 0);
    ck_assert_int_eq(store_audit_add(store, ID, "deleted", NULL, NULL), 0);
    ck_assert_int_eq(store_deployment_delete(store, ID, lease->fence, NULL), 0);
    store_lease_release(store, lease);
    AUTO_JSON json_object *list = store_deployment_list(store, false, NULL);
    ck_assert_uint_eq(json_count(list), 0);
    AUTO_JSON json_object *trail = store_audit_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(trail), 2);
    json_object *first = json_object_array_get_idx(trail, 0);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    ck_assert_str_eq(json_get_string(first, "event"), "deploy");
    ck_assert_str_eq(json_get_string(json_get(first, "detail"), "why"), "test");
    ck_assert_ptr_nonnull(strchr(json_get_string(first, "actor"), '@'));
    ck_assert_str_eq(strchr(json_get_string(first, "actor"), '@') + 1, host);
    ck_assert_ptr_null(json_get(json_object_array_get_idx(trail, 1), "detail"));
}
END_TEST

/* ---- Leases ---- */

START_TEST(one_at_a_time)
{
    struct lease *lease = lease_new_deployment(), *second = NULL;
    AUTO_ERROR memories_error *error = NULL;
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &second, &error), MEMORIES_BUSY);
    AUTO_FREE char *owner = text_format("%s is being worked on by process %d of ", ID, (int)getpid());
    ck_assert_ptr_nonnull(strstr(memories_error_message(error), owner));
    ck_assert_ptr_nonnull(strstr(memories_error_message(error), " since 20"));
    ck_assert_int_eq(store_lease_renew(store, lease, LEASE_MS, NULL), 0);
    int64_t fence = lease->fence;
    store_lease_release(store, lease);
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &second, NULL), 0);
    ck_assert_int_gt(second->fence, fence);
    store_lease_release(store, second);
    ck_assert_int_eq(store_lease_take(store, "nobody", LEASE_MS, &second, NULL), MEMORIES_NOT_FOUND);
}
END_TEST

/* Runs `work` in a process of its own and gives its wait status. */
static int in_child(void (*work)(void))
{
    pid_t child = fork();
    if (child == 0) {
        work();
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void take_and_die(void)
{
    static struct lease *lease; /* static: reachable at the end, for valgrind */
    static struct store *own;
    own = store_open(directory, NULL);
    if (store_lease_take(own, ID, LEASE_MS, &lease, NULL))
        _exit(1);
    kill(getpid(), SIGKILL);
}

START_TEST(the_lease_of_a_dead_process_is_free_at_once)
{
    struct lease *lease = NULL;
    ck_assert_int_eq(insert(store, ID, NULL, NULL), 0);
    ck_assert(WIFSIGNALED(in_child(take_and_die)));
    AUTO_JSON json_object *record = store_deployment_find(store, ID, NULL);
    ck_assert(!json_get_bool(record, "leased", true));
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &lease, NULL), 0);
    ck_assert_int_eq(lease->fence, 2);
    store_lease_release(store, lease);
}
END_TEST

static const struct {
    const char *what;
    const char *change; /* of the owner, as SQLite's JSON function has it */
    bool busy;
} owners[] = {
    { "the same process", "json(lease_owner)", true },
    { "the same id, started at another time", "json_set(lease_owner, '$.start', 1)", false },
    { "a process that can't be seen from here", "json_set(lease_owner, '$.boot', 'other', '$.pid', 1)", true },
    { "another pid namespace", "json_set(lease_owner, '$.space', 'pid:[1]', '$.pid', 1)", true },
};

START_TEST(a_lease_is_free_when_its_owner_is_known_to_be_dead)
{
    struct lease *lease = lease_new_deployment(), *second = NULL;
    AUTO_FREE char *sql = text_format("UPDATE deployments SET lease_owner = %s", owners[_i].change);
    execute(sql);
    int failed = store_lease_take(store, ID, LEASE_MS, &second, NULL);
    ck_assert_msg(failed == (owners[_i].busy ? MEMORIES_BUSY : 0), "%s: %d", owners[_i].what, failed);
    execute("UPDATE deployments SET lease_expires_ms = 1");
    if (second)
        store_lease_release(store, second);
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &second, NULL), 0);
    store_lease_release(store, second);
    store_lease_release(store, lease);
}
END_TEST

START_TEST(who_lost_the_lease_writes_nothing)
{
    struct lease *old = lease_new_deployment(), *taken = NULL;
    execute("UPDATE deployments SET lease_expires_ms = 1");
    ck_assert_int_eq(store_lease_take(store, ID, LEASE_MS, &taken, NULL), 0);

    AUTO_ERROR memories_error *error = NULL;
    AUTO_JSON json_object *changes = parse("{\"status\":\"mine\"}"), *inputs = parse("{}");
    struct journal_entry entry = { .key = "net", .type = "t.net", .operation = "create", .token = "t", .inputs = inputs };
    struct journal_outcome outcome = { .key = "net", .state = "ready" };
    ck_assert_int_eq(store_deployment_update(store, ID, old->fence, changes, &error), MEMORIES_BUSY);
    ck_assert_str_eq(memories_error_message(error), "another process has taken over the work on " ID);
    ck_assert_int_eq(store_journal_intent(store, ID, old->fence, &entry, 1, NULL), MEMORIES_BUSY);
    ck_assert_int_eq(store_journal_outcome(store, ID, old->fence, &outcome, 1, NULL), MEMORIES_BUSY);
    ck_assert_int_eq(store_deployment_delete(store, ID, old->fence, NULL), MEMORIES_BUSY);
    ck_assert_int_eq(store_lease_renew(store, old, LEASE_MS, NULL), MEMORIES_BUSY);
    store_lease_release(store, old); /* must not give back what is another's */

    AUTO_JSON json_object *record = store_deployment_find(store, ID, NULL);
    ck_assert_str_eq(json_get_string(record, "status"), "deploying");
    ck_assert(json_get_bool(record, "leased", false));
    AUTO_JSON json_object *journal = store_journal_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(journal), 0);
    ck_assert_int_eq(store_journal_intent(store, ID, taken->fence, &entry, 1, NULL), 0);
    store_lease_release(store, taken);
}
END_TEST

/* ---- Journal ---- */

static bool is_cut_off(void)
{
    bool is_cut_off = false;
    ck_assert_int_eq(store_journal_is_cut_off(store, ID, &is_cut_off, NULL), 0);
    return is_cut_off;
}

static json_object *only_resource(void)
{
    AUTO_JSON json_object *list = store_resource_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(list), 1);
    return json_ref(json_object_array_get_idx(list, 0));
}

/* "state generation token outputs doubt" of the only resource. */
static void expect_resource(const char *expected)
{
    AUTO_JSON json_object *resource = only_resource();
    AUTO_FREE char *outputs = json_text(json_get(resource, "outputs"));
    const char *doubt = json_get_string(resource, "doubt");
    AUTO_FREE char *text = text_format("%s %d %s %s %s", json_get_string(resource, "state"),
                                       (int)json_get_int(resource, "generation", -1),
                                       json_get_string(resource, "token"), outputs, doubt ? doubt : "-");
    ck_assert_str_eq(text, expected);
}

static int64_t intent(struct lease *lease, const char *operation, const char *token, uint32_t generation,
                      const char *inputs)
{
    AUTO_JSON json_object *document = inputs ? parse(inputs) : NULL, *depends_on = parse("[\"net\"]");
    struct journal_entry entry = { .key = "node/a",
                                   .type = "t.node",
                                   .node = "a",
                                   .operation = operation,
                                   .token = token,
                                   .generation = generation,
                                   .attempt = 1,
                                   .inputs = document,
                                   .depends_on = inputs ? depends_on : NULL };
    memories_error *error = NULL;
    int failed = store_journal_intent(store, ID, lease->fence, &entry, 1, &error);
    check(failed, error);
    return entry.sequence;
}

static void outcome(struct lease *lease, int64_t sequence, const char *state, const char *outputs, bool keep_doubt,
                    const memories_error *failure)
{
    AUTO_JSON json_object *document = outputs ? parse(outputs) : NULL;
    struct journal_outcome end = { .sequence = sequence,
                                   .key = "node/a",
                                   .state = state,
                                   .outputs = document,
                                   .error = failure,
                                   .keep_doubt = keep_doubt };
    memories_error *error = NULL;
    int failed = store_journal_outcome(store, ID, lease->fence, &end, 1, &error);
    check(failed, error);
}

START_TEST(a_resource_follows_its_journal)
{
    struct lease *lease = lease_new_deployment();
    ck_assert(!is_cut_off());
    int64_t create = intent(lease, "create", "t1", 1, "{\"size\":1}");
    expect_resource("planned 1 t1 null create");
    ck_assert(is_cut_off());
    outcome(lease, create, "pending", "{\"id\":7}", true, NULL);
    expect_resource("pending 1 t1 {\"id\":7} create");
    outcome(lease, create, "ready", NULL, false, NULL);
    expect_resource("ready 1 t1 {\"id\":7} -");

    int64_t update = intent(lease, "update", "t1", 1, "{\"size\":2}");
    expect_resource("ready 1 t1 {\"id\":7} update");
    ck_assert(!is_cut_off());
    AUTO_ERROR memories_error *failure = NULL;
    error_set(&failure, MEMORIES_DENIED, "no");
    outcome(lease, update, NULL, NULL, false, failure);
    expect_resource("ready 1 t1 {\"id\":7} update"); /* what it is like now is not known */
    outcome(lease, 0, "ready", NULL, false, NULL);

    int64_t stop = intent(lease, "stop", "t1", 1, NULL);
    expect_resource("ready 1 t1 {\"id\":7} stop");
    outcome(lease, stop, "stopped", NULL, false, NULL);
    expect_resource("stopped 1 t1 {\"id\":7} -");
    AUTO_JSON json_object *resource = only_resource();
    ck_assert_int_eq(json_get_int(json_get(resource, "inputs"), "size", 0), 2);
    ck_assert_str_eq(json_get_string(resource, "node"), "a");
    ck_assert_uint_eq(json_count(json_get_array(resource, "depends_on")), 1);

    intent(lease, "create", "t2", 2, "{\"size\":2}"); /* a new life */
    expect_resource("planned 2 t2 null create");
    ck_assert(is_cut_off());
    int64_t removal = intent(lease, "delete", "t2", 2, NULL);
    outcome(lease, removal, "absent", NULL, false, NULL);
    AUTO_JSON json_object *none = store_resource_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(none), 0);
    AUTO_JSON json_object *generations = store_generation_map(store, ID, NULL);
    ck_assert_int_eq(json_get_int(generations, "node/a", 0), 2);

    AUTO_JSON json_object *journal = store_journal_list(store, ID, NULL);
    static const char *const states[] = { "done", "failed", "done", "intent", "done" };
    ck_assert_uint_eq(json_count(journal), ARRAY_COUNT(states));
    for (size_t i = 0; i < ARRAY_COUNT(states); i++)
        ck_assert_str_eq(json_get_string(json_object_array_get_idx(journal, i), "state"), states[i]);
    ck_assert_str_eq(json_get_string(json_object_array_get_idx(journal, 1), "error"), "no");
    store_lease_release(store, lease);
}
END_TEST

START_TEST(a_thousand_intents_keep_their_order)
{
    struct lease *lease = lease_new_deployment();
    static struct journal_entry entries[1000];
    static char keys[1000][32];
    AUTO_JSON json_object *inputs = parse("{}");
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "node/%d", i);
        entries[i] = (struct journal_entry){
            .key = keys[i], .type = "t.node", .operation = "create", .token = keys[i], .generation = 1, .inputs = inputs
        };
    }
    ck_assert_int_eq(store_journal_intent(store, ID, lease->fence, entries, 1000, NULL), 0);
    AUTO_JSON json_object *list = store_resource_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(list), 1000);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_str_eq(json_get_string(json_object_array_get_idx(list, i), "key"), keys[i]);
    ck_assert_int_eq(entries[999].sequence - entries[0].sequence, 999);
    store_lease_release(store, lease);
}
END_TEST

/* ---- Several at once, and death at a bad moment ---- */

#define WRITERS 4
#define WRITES 25

static void write_many(struct store *into)
{
    for (int i = 0; i < WRITES; i++)
        if (store_audit_add(into, ID, "write", NULL, NULL))
            abort();
}

static void write_many_alone(void)
{
    struct store *own = store_open(directory, NULL);
    write_many(own);
    store_close(own);
}

static void *write_many_together(void *argument)
{
    write_many(argument);
    return NULL;
}

START_TEST(processes_and_threads_write_at_once)
{
    pid_t children[WRITERS];
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            write_many_alone();
            _exit(0);
        }
    }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many_together, store), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WRITERS; i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    AUTO_JSON json_object *trail = store_audit_list(store, ID, NULL);
    ck_assert_uint_eq(json_count(trail), 2 * WRITERS * WRITES);
}
END_TEST

static void open_only(void)
{
    memories_error *error = NULL;
    struct store *own = store_open(directory, &error);
    if (!own)
        fprintf(stderr, "%s: %s\n", memories_error_message(error), memories_error_cause(error));
    _exit(own ? 0 : 1);
}

START_TEST(several_processes_make_the_file_at_once)
{
    store_close(store);
    directory_remove(directory, NULL);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    pid_t children[8];
    for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
        children[i] = fork();
        if (children[i] == 0)
            open_only();
    }
    for (size_t i = 0; i < ARRAY_COUNT(children); i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    store = open_store();
}
END_TEST

static void insert_and_die(void)
{
    struct store *own = store_open(directory, NULL);
    insert(own, ID, NULL, NULL);
}

START_TEST(a_transaction_is_there_as_a_whole_or_not_at_all)
{
    setenv("MEMORIES_CRASH_AT", _i == 0 ? "1" : "2", 1);
    int status = in_child(insert_and_die);
    unsetenv("MEMORIES_CRASH_AT");
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    AUTO_JSON json_object *list = store_deployment_list(store, false, NULL);
    ck_assert_uint_eq(json_count(list), _i == 0 ? 0 : 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("store");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, the_file_is_private_and_stays);
    tcase_add_test(tests, a_newer_format_is_refused);
    tcase_add_test(tests, an_older_format_is_brought_up_to_date);
    tcase_add_test(tests, a_damaged_file_is_told);
    tcase_add_test(tests, a_full_disk_is_told);
    tcase_add_test(tests, a_record_is_found_by_id_name_and_beginning);
    tcase_add_loop_test(tests, what_is_not_found_is_explained, 0, ARRAY_COUNT(unfound));
    tcase_add_test(tests, ids_and_names_are_unique);
    tcase_add_test(tests, an_update_sets_what_is_given_and_nothing_else);
    tcase_add_test(tests, work_ends_with_its_last_change);
    tcase_add_test(tests, the_audit_trail_outlives_the_deployment);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_test(tests, the_lease_of_a_dead_process_is_free_at_once);
    tcase_add_loop_test(tests, a_lease_is_free_when_its_owner_is_known_to_be_dead, 0, ARRAY_COUNT(owners));
    tcase_add_test(tests, who_lost_the_lease_writes_nothing);
    tcase_add_test(tests, a_resource_follows_its_journal);
    tcase_add_test(tests, a_thousand_intents_keep_their_order);
    tcase_add_test(tests, processes_and_threads_write_at_once);
    tcase_add_loop_test(tests, several_processes_make_the_file_at_once, 0, 10);
    tcase_add_loop_test(tests, a_transaction_is_there_as_a_whole_or_not_at_all, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
