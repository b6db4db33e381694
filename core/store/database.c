/* database.c - the SQLite file behind the store: opening, schema, transactions, statements */
#include "core/store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"

/* How long a write waits for another process' transaction; those take milliseconds. */
#define BUSY_TIMEOUT_MS 10000

/* Each entry takes the file from the version of its index to the next. Entries are never changed, only added. */
static const char *const migrations[] = {
    "CREATE TABLE deployments ("
    "  id TEXT PRIMARY KEY, name TEXT UNIQUE, topology TEXT NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,"
    "  goal TEXT NOT NULL, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, generation INTEGER NOT NULL,"
    "  config TEXT, spec TEXT, choices TEXT, resources TEXT, result TEXT, notes TEXT,"
    "  lease_owner TEXT, lease_since_ms INTEGER NOT NULL DEFAULT 0, lease_expires_ms INTEGER NOT NULL DEFAULT 0,"
    "  lease_fence INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE TABLE resources ("
    "  deployment TEXT NOT NULL REFERENCES deployments(id) ON DELETE CASCADE, position INTEGER NOT NULL,"
    "  key TEXT NOT NULL, type TEXT NOT NULL, node TEXT, state TEXT NOT NULL, generation INTEGER NOT NULL,"
    "  token TEXT, inputs TEXT, outputs TEXT, depends_on TEXT, doubt TEXT,"
    "  PRIMARY KEY (deployment, key)) STRICT;"
    "CREATE INDEX resources_by_position ON resources(deployment, position);"
    "CREATE TABLE journal ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  deployment TEXT NOT NULL REFERENCES deployments(id) ON DELETE CASCADE, key TEXT NOT NULL,"
    "  operation TEXT NOT NULL, token TEXT, generation INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  state TEXT NOT NULL, error TEXT, at_ms INTEGER NOT NULL, finished_at_ms INTEGER) STRICT;"
    "CREATE INDEX journal_by_deployment ON journal(deployment, sequence);"
    "CREATE TABLE audit ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT, deployment TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    "  actor TEXT NOT NULL, event TEXT NOT NULL, detail TEXT) STRICT;"
    "CREATE INDEX audit_by_deployment ON audit(deployment, sequence);",
    /* nodes that come and go */
    "ALTER TABLE deployments ADD COLUMN membership TEXT;"
    "ALTER TABLE deployments ADD COLUMN scaled TEXT;",
    /* deployments found without a record */
    "ALTER TABLE deployments ADD COLUMN recovered TEXT;",
};

#ifdef MEMORIES_CRASH_POINTS
/* Test builds only (tests/tests.mk): kills the process at the n-th point passed; two points stand round each commit.
 * MEMORIES_CRASH_COUNT=FILE gets the number of points passed so far. */
static void crash_point(void)
{
    static int passed;
    const char *at = getenv("MEMORIES_CRASH_AT"), *file = getenv("MEMORIES_CRASH_COUNT");
    if (!at && !file)
        return;
    passed++;
    FILE *count = file ? fopen(file, "w") : NULL;
    if (count) {
        fprintf(count, "%d\n", passed);
        fclose(count);
    }
    if (at && strtol(at, NULL, 10) == passed)
        kill(getpid(), SIGKILL);
}
#else
static void crash_point(void)
{
}
#endif

/* SQLite says so of the database; the file that it shares with other processes just fails to grow. */
static bool is_out_of_space(const struct store *store, int code)
{
    struct statvfs disk;
    return code == SQLITE_FULL || (code == SQLITE_IOERR && !statvfs(store->path, &disk) && !disk.f_bavail);
}

int database_error(struct store *store, const char *doing, memories_error **error)
{
    int code = sqlite3_extended_errcode(store->database);
    int ours = (code & 0xff) == SQLITE_BUSY ? MEMORIES_BUSY : MEMORIES_FAILED;
    error_set(error, ours, "can't %s", doing);
    error_where(error, "%s", store->path);
    error_cause(error, "%s", sqlite3_errmsg(store->database));
    if (is_out_of_space(store, code & 0xff))
        error_hint(error, "the disk is full: free some space and run the command again");
    else if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
        error_hint(error, "the file is damaged: restore it from a backup, or move it away to begin anew");
    return ours;
}

static int execute(struct store *store, const char *sql, const char *doing, memories_error **error)
{
    return sqlite3_exec(store->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                             : database_error(store, doing, error);
}

static int read_version(struct store *store, int *version, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(store, "PRAGMA user_version", error);
    if (!statement)
        return MEMORIES_FAILED;
    if (sqlite3_step(statement) != SQLITE_ROW)
        return database_error(store, "read the store's version", error);
    *version = sqlite3_column_int(statement, 0);
    return 0;
}

static int too_new(struct store *store, int version, memories_error **error)
{
    error_set(error, MEMORIES_UNSUPPORTED, "the store has format %d; this memories knows formats up to %d", version,
              (int)ARRAY_COUNT(migrations));
    error_where(error, "%s", store->path);
    error_hint(error, "a newer memories wrote it: use that one");
    return MEMORIES_UNSUPPORTED;
}

/* Two processes may come here at once: the version is read again inside the transaction. */
static int migrate(struct store *store, memories_error **error)
{
    const int newest = (int)ARRAY_COUNT(migrations);
    int version = 0;
    int failed = read_version(store, &version, error);
    if (failed || version == newest)
        return failed;
    if (version > newest)
        return too_new(store, version, error);
    failed = execute(store, "BEGIN IMMEDIATE", "prepare the store", error);
    if (failed)
        return failed;
    failed = read_version(store, &version, error);
    for (int at = version; !failed && at < newest; at++)
        failed = execute(store, migrations[at], "bring the store up to date", error);
    char pragma[48];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", newest);
    if (!failed)
        failed = execute(store, pragma, "bring the store up to date", error);
    if (!failed)
        return execute(store, "COMMIT", "bring the store up to date", error);
    sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    return failed;
}

/* One thread of one process opens the store at a time: two can't bring a new file into WAL mode at once. */
static int lock_directory(const char *directory, int *fd, memories_error **error)
{
    *fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return error_set_errno(error, errno, "can't open the state directory %s", directory);
    while (flock(*fd, LOCK_EX))
        if (errno != EINTR)
            return error_set_errno(error, errno, "can't lock the state directory %s", directory);
    return 0;
}

/* SQLite makes its -wal and -shm files with the mode of the main one. A file that is there already is not opened here:
 * closing it would end the locks that this process holds on it through SQLite (sqlite.org/howtocorrupt.html, 2.2). */
static int create_private(const char *path, memories_error **error)
{
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST)
        return error_set_errno(error, errno, "can't make the store %s", path);
    return chmod(path, 0600) ? error_set_errno(error, errno, "can't make the store %s private", path) : 0;
}

static int open_database(struct store *store, const char *directory, memories_error **error)
{
    AUTO_FD int guard = -1;
    int failed = lock_directory(directory, &guard, error);
    if (!failed)
        failed = create_private(store->path, error);
    if (failed)
        return failed;
    if (sqlite3_open_v2(store->path, &store->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return database_error(store, "open the store", error);
    sqlite3_extended_result_codes(store->database, 1);
    sqlite3_busy_timeout(store->database, BUSY_TIMEOUT_MS);
    /* A node's row has some kilobytes: pages hold several, so that a commit of many writes few. */
    failed = execute(store,
                     "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA foreign_keys = ON;",
                     "open the store", error);
    return failed ? failed : migrate(store, error);
}

static char *describe_actor(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    struct passwd *user = getpwuid(geteuid());
    return user ? text_format("%s@%s", user->pw_name, host) : text_format("%u@%s", (unsigned)geteuid(), host);
}

struct store *store_open(const char *directory, memories_error **error)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        error_no_memory(error);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    store->path = text_format("%s/memories.db", directory);
    store->actor = describe_actor();
    if (!store->path || !store->actor)
        error_no_memory(error);
    else if (!open_database(store, directory, error))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    sqlite3_close(store->database);
    pthread_mutex_destroy(&store->lock);
    free(store->actor);
    free(store->path);
    free(store);
}

int database_begin(struct store *store, memories_error **error)
{
    pthread_mutex_lock(&store->lock);
    int failed = execute(store, "BEGIN IMMEDIATE", "write to the store", error);
    if (failed)
        pthread_mutex_unlock(&store->lock);
    return failed;
}

int database_commit(struct store *store, memories_error **error)
{
    crash_point();
    int failed = execute(store, "COMMIT", "write to the store", error);
    if (failed)
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    else
        crash_point();
    pthread_mutex_unlock(&store->lock);
    return failed;
}

void database_roll_back(struct store *store)
{
    sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->lock);
}

int database_end(struct store *store, int failed, memories_error **error)
{
    if (!failed)
        return database_commit(store, error);
    database_roll_back(store);
    return failed;
}

sqlite3_stmt *database_prepare(struct store *store, const char *sql, memories_error **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK) {
        database_error(store, "use the store", error);
        return NULL;
    }
    return statement;
}

void bind_text(sqlite3_stmt *statement, int number, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, number, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(statement, number);
}

int bind_json(sqlite3_stmt *statement, int number, json_object *json)
{
    if (!json) {
        sqlite3_bind_null(statement, number);
        return 0;
    }
    AUTO_FREE char *text = json_text(json);
    if (!text)
        return MEMORIES_NO_MEMORY;
    bind_text(statement, number, text);
    return 0;
}

const char *column_text(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

json_object *column_json(sqlite3_stmt *statement, int column)
{
    const char *text = column_text(statement, column);
    return text ? json_parse(text, "a document of the store", NULL) : NULL;
}

int put_column(json_object *object, const char *name, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return json_set_int(object, name, sqlite3_column_int64(statement, column));
    case SQLITE_NULL:
        return json_set(object, name, NULL);
    default:
        return json_set_string(object, name, column_text(statement, column));
    }
}

int put_column_json(json_object *object, const char *name, sqlite3_stmt *statement, int column)
{
    return json_set(object, name, column_json(statement, column));
}

int statement_run(struct store *store, sqlite3_stmt *statement, const char *doing, memories_error **error)
{
    int code = sqlite3_step(statement);
    int failed = code == SQLITE_DONE ? 0 : database_error(store, doing, error);
    sqlite3_reset(statement);
    return failed;
}
