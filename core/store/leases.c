/*
 * leases.c - one process at a time works on a deployment
 *
 * A lease has an owner, an end and a fencing number. The owner tells which process on which machine it is, so that the
 * lease of a process that died on this machine is free at once; any other lease is free when its time is over.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/store/database.h"

/* One line of a small system file, without its end; "" when it can't be read. */
static void read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    line[0] = '\0';
    if (!file)
        return;
    if (!fgets(line, (int)size, file))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fclose(file);
}

/* Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot. With it a process id that was given
 * away anew is told apart. 0 when there is no such process, or it is a zombie. */
static long long start_time(long long pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    read_line(path, line, sizeof line);
    const char *rest = strrchr(line, ')'); /* the name may hold anything */
    char state = 0;
    long long ticks = 0;
    if (!rest || sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
                        &state, &ticks) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : ticks;
}

/* What must be equal for a process id to mean the same process space: this boot of this machine, and its pid namespace. */
static void process_space(char *boot, size_t boot_size, char *space, size_t space_size)
{
    read_line("/proc/sys/kernel/random/boot_id", boot, boot_size);
    ssize_t length = readlink("/proc/self/ns/pid", space, space_size - 1);
    space[length > 0 ? length : 0] = '\0';
}

static char *describe_owner(void)
{
    char boot[64], space[64], host[256] = "";
    process_space(boot, sizeof boot, space, sizeof space);
    gethostname(host, sizeof host - 1);
    struct passwd *user = getpwuid(geteuid());
    AUTO_JSON json_object *owner = json_object_new_object();
    if (json_set_string(owner, "host", host) || json_set_string(owner, "user", user ? user->pw_name : "?") ||
        json_set_int(owner, "pid", getpid()) || json_set_int(owner, "start", start_time(getpid())) ||
        json_set_string(owner, "boot", boot) || json_set_string(owner, "space", space))
        return NULL;
    return json_text(owner);
}

static bool is_known_dead(json_object *owner)
{
    char boot[64], space[64];
    process_space(boot, sizeof boot, space, sizeof space);
    const char *owner_boot = json_get_string(owner, "boot"), *owner_space = json_get_string(owner, "space");
    if (!owner_boot || !*owner_boot || !owner_space || !*owner_space || strcmp(owner_boot, boot) != 0 ||
        strcmp(owner_space, space) != 0)
        return false;
    return start_time(json_get_int(owner, "pid", 0)) != json_get_int(owner, "start", -1);
}

int lease_is_alive(const char *owner, int64_t expires_ms)
{
    if (!owner || expires_ms <= clock_now_ms())
        return 0;
    AUTO_JSON json_object *parsed = json_parse(owner, "a lease's owner", NULL);
    return !parsed || !is_known_dead(parsed);
}

static int busy(const char *deployment, const char *owner, int64_t since_ms, memories_error **error)
{
    AUTO_JSON json_object *parsed = json_parse(owner, "a lease's owner", NULL);
    char since[CLOCK_TEXT_BYTES];
    clock_format(since_ms, 0, since);
    error_set(error, MEMORIES_BUSY, "%s is being worked on by process %lld of %s on %s since %s", deployment,
              (long long)json_get_int(parsed, "pid", 0), parsed ? json_get_string(parsed, "user") : "?",
              parsed ? json_get_string(parsed, "host") : "?", since);
    error_hint(error, "wait until it is done, or end that process; what it began can be resumed");
    return MEMORIES_BUSY;
}

static int no_deployment(const char *deployment, memories_error **error)
{
    error_set(error, MEMORIES_NOT_FOUND, "there is no deployment \"%s\"", deployment);
    error_hint(error, "`memories list` shows those that are there");
    return MEMORIES_NOT_FOUND;
}

/* Fails when somebody else has it; otherwise gives the fencing number that is in force. */
static int check_free(struct store *store, const char *deployment, int64_t *fence, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(
        store, "SELECT lease_owner, lease_since_ms, lease_expires_ms, lease_fence FROM deployments WHERE id = ?1",
        error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, deployment);
    int code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        return no_deployment(deployment, error);
    if (code != SQLITE_ROW)
        return database_error(store, "read a lease", error);
    *fence = sqlite3_column_int64(statement, 3);
    const char *owner = column_text(statement, 0);
    if (lease_is_alive(owner, sqlite3_column_int64(statement, 2)))
        return busy(deployment, owner, sqlite3_column_int64(statement, 1), error);
    return 0;
}

static int write_lease(struct store *store, const char *deployment, const char *owner, int64_t ttl_ms, int64_t fence,
                       memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement =
        database_prepare(store,
                         "UPDATE deployments SET lease_owner = ?1, lease_since_ms = ?2, lease_expires_ms = ?3,"
                         " lease_fence = ?4 WHERE id = ?5",
                         error);
    if (!statement)
        return MEMORIES_FAILED;
    int64_t now = clock_now_ms();
    bind_text(statement, 1, owner);
    sqlite3_bind_int64(statement, 2, now);
    sqlite3_bind_int64(statement, 3, now + ttl_ms);
    sqlite3_bind_int64(statement, 4, fence);
    bind_text(statement, 5, deployment);
    return statement_run(store, statement, "take the lease", error);
}

int store_lease_take(struct store *store, const char *deployment, int64_t ttl_ms, struct lease **lease,
                     memories_error **error)
{
    AUTO_FREE char *owner = describe_owner();
    struct lease *taken = calloc(1, sizeof *taken);
    if (taken)
        taken->deployment = strdup(deployment);
    int failed = owner && taken && taken->deployment ? database_begin(store, error) : error_no_memory(error);
    if (!failed) {
        failed = check_free(store, deployment, &taken->fence, error);
        taken->fence++;
        if (!failed)
            failed = write_lease(store, deployment, owner, ttl_ms, taken->fence, error);
        failed = database_end(store, failed, error);
    }
    if (!failed) {
        *lease = taken;
        return 0;
    }
    if (taken)
        free(taken->deployment);
    free(taken);
    return failed;
}

int lease_check(struct store *store, const char *deployment, int64_t fence, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement =
        database_prepare(store, "SELECT lease_fence FROM deployments WHERE id = ?1", error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, deployment);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW && sqlite3_column_int64(statement, 0) == fence)
        return 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return database_error(store, "read a lease", error);
    error_set(error, MEMORIES_BUSY, "another process has taken over the work on %s", deployment);
    error_hint(error, "`memories show %s --audit` tells what it does", deployment);
    return MEMORIES_BUSY;
}

static int renew(struct store *store, const struct lease *lease, int64_t ttl_ms, memories_error **error)
{
    int failed = lease_check(store, lease->deployment, lease->fence, error);
    if (failed)
        return failed;
    AUTO_STATEMENT sqlite3_stmt *statement =
        database_prepare(store, "UPDATE deployments SET lease_expires_ms = ?1 WHERE id = ?2", error);
    if (!statement)
        return MEMORIES_FAILED;
    sqlite3_bind_int64(statement, 1, clock_now_ms() + ttl_ms);
    bind_text(statement, 2, lease->deployment);
    return statement_run(store, statement, "renew the lease", error);
}

int store_lease_renew(struct store *store, const struct lease *lease, int64_t ttl_ms, memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, renew(store, lease, ttl_ms, error), error);
}

int lease_give_back(struct store *store, const struct lease *lease, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(
        store, "UPDATE deployments SET lease_owner = NULL, lease_expires_ms = 0 WHERE id = ?1 AND lease_fence = ?2",
        error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, lease->deployment);
    sqlite3_bind_int64(statement, 2, lease->fence);
    return statement_run(store, statement, "give the lease back", error);
}

void lease_free(struct lease *lease)
{
    free(lease->deployment);
    free(lease);
}

void store_lease_release(struct store *store, struct lease *lease)
{
    /* When this fails the lease ends by itself with the process. */
    if (!database_begin(store, NULL))
        database_end(store, lease_give_back(store, lease, NULL), NULL);
    lease_free(lease);
}
