/* deployments.c - the records of deployments */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/store/database.h"

/* The members of a record, which are the columns of the table. */
static const struct column {
    const char *name;
    bool json;
    bool brief;
} columns[] = {
    { "id", false, true },
    { "name", false, true },
    { "topology", false, true },
    { "provider", false, true },
    { "status", false, true },
    { "goal", false, true },
    { "created_at_ms", false, true },
    { "updated_at_ms", false, true },
    { "generation", false, false },
    { "config", true, false },
    { "spec", true, false },
    { "choices", true, false },
    { "resources", true, false },
    { "result", true, false },
    { "notes", true, false },
    { "membership", true, false },
    { "scaled", true, false },
    { "recovered", true, false },
};

static int bind_member(sqlite3_stmt *statement, int number, const struct column *column, json_object *value)
{
    if (column->json)
        return bind_json(statement, number, value);
    if (value && json_object_is_type(value, json_type_int))
        sqlite3_bind_int64(statement, number, json_object_get_int64(value));
    else
        bind_text(statement, number, value ? json_object_get_string(value) : NULL);
    return 0;
}

static char *insert_sql(void)
{
    struct text names = TEXT_INIT, values = TEXT_INIT;
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        text_printf(&names, "%s%s", i ? ", " : "", columns[i].name);
        text_printf(&values, "%s?%zu", i ? ", " : "", i + 1);
    }
    AUTO_FREE char *name_list = text_take(&names);
    AUTO_FREE char *value_list = text_take(&values);
    return name_list && value_list ? text_format("INSERT INTO deployments (%s) VALUES (%s)", name_list, value_list)
                                   : NULL;
}

static int conflict(json_object *record, memories_error **error)
{
    const char *name = json_get_string(record, "name");
    if (!name)
        return error_set(error, MEMORIES_CONFLICT, "the id %s is taken", json_get_string(record, "id"));
    error_set(error, MEMORIES_CONFLICT, "a deployment named %s is there already", name);
    error_hint(error, "choose another --name, or change that one: memories update %s FILE", name);
    return MEMORIES_CONFLICT;
}

static int insert(struct store *store, json_object *record, memories_error **error)
{
    AUTO_FREE char *sql = insert_sql();
    AUTO_STATEMENT sqlite3_stmt *statement = sql ? database_prepare(store, sql, error) : NULL;
    if (!statement)
        return sql ? MEMORIES_FAILED : error_no_memory(error);
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++)
        if (bind_member(statement, (int)i + 1, &columns[i], json_get(record, columns[i].name)))
            return error_no_memory(error);
    if (sqlite3_step(statement) == SQLITE_DONE)
        return 0;
    if ((sqlite3_extended_errcode(store->database) & 0xff) == SQLITE_CONSTRAINT)
        return conflict(record, error);
    return database_error(store, "record the deployment", error);
}

int store_deployment_insert(struct store *store, json_object *record, memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, insert(store, record, error), error);
}

int store_deployment_adopt(struct store *store, json_object *record, json_object *resources, memories_error **error)
{
    int failed = database_begin(store, error);
    if (failed)
        return failed;
    failed = insert(store, record, error);
    if (!failed)
        failed = resources_insert(store, json_get_string(record, "id"), resources, error);
    return database_end(store, failed, error);
}

/* "id, name, …" of the wanted columns, with the lease behind them. */
static char *select_sql(bool brief, const char *rest)
{
    struct text sql = TEXT_INIT;
    text_append(&sql, "SELECT lease_owner, lease_expires_ms");
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++)
        if (columns[i].brief || !brief)
            text_printf(&sql, ", %s", columns[i].name);
    text_printf(&sql, " FROM deployments %s", rest);
    return text_take(&sql);
}

static json_object *row(sqlite3_stmt *statement, bool brief)
{
    AUTO_JSON json_object *record = json_object_new_object();
    int at = 2;
    bool leased = lease_is_alive(column_text(statement, 0), sqlite3_column_int64(statement, 1));
    if (json_set_bool(record, "leased", leased))
        return NULL;
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        if (brief && !columns[i].brief)
            continue;
        int failed = columns[i].json ? put_column_json(record, columns[i].name, statement, at)
                                     : put_column(record, columns[i].name, statement, at);
        if (failed)
            return NULL;
        at++;
    }
    return STEAL(record);
}

static json_object *rows(struct store *store, sqlite3_stmt *statement, bool brief, memories_error **error)
{
    AUTO_JSON json_object *list = json_object_new_array();
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        json_object *record = row(statement, brief);
        if (!record || json_add(list, record)) {
            error_no_memory(error);
            return NULL;
        }
    }
    if (code != SQLITE_DONE) {
        database_error(store, "read the deployments", error);
        return NULL;
    }
    return STEAL(list);
}

static void ambiguous(const char *id, json_object *candidates, memories_error **error)
{
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < json_count(candidates); i++)
        text_printf(&text, "%s%s", i ? ", " : "",
                    json_get_string(json_object_array_get_idx(candidates, i), "id"));
    AUTO_FREE char *listed = text_take(&text);
    error_set(error, MEMORIES_INVALID, "\"%s\" is the beginning of several deployments", id);
    error_hint(error, "say more of it: %s", listed ? listed : "");
}

/* Candidates for `id`, best first: an exact id or name, else ids that begin so. */
static json_object *candidates(struct store *store, const char *id, memories_error **error)
{
    AUTO_FREE char *sql = select_sql(false, "WHERE id = ?1 OR name = ?1 OR substr(id, 1, length(?1)) = ?1 "
                                            "ORDER BY (id = ?1) DESC, (name IS ?1) DESC, created_at_ms, id LIMIT 9");
    AUTO_STATEMENT sqlite3_stmt *statement = sql ? database_prepare(store, sql, error) : NULL;
    if (!statement)
        return NULL;
    bind_text(statement, 1, id);
    return rows(store, statement, false, error);
}

json_object *store_deployment_find(struct store *store, const char *id, memories_error **error)
{
    pthread_mutex_lock(&store->lock);
    AUTO_JSON json_object *found = candidates(store, id, error);
    pthread_mutex_unlock(&store->lock);
    if (!found)
        return NULL;
    json_object *first = json_count(found) ? json_object_array_get_idx(found, 0) : NULL;
    const char *name = json_get_string(first, "name");
    bool exact = first && (!strcmp(json_get_string(first, "id"), id) || (name && !strcmp(name, id)));
    if (first && *id && (exact || json_count(found) == 1))
        return json_ref(first);
    if (first && *id) {
        ambiguous(id, found, error);
        return NULL;
    }
    error_set(error, MEMORIES_NOT_FOUND, "there is no deployment \"%s\"", id);
    error_hint(error, "`memories list` shows those that are there");
    return NULL;
}

json_object *store_deployment_list(struct store *store, bool brief, memories_error **error)
{
    AUTO_FREE char *sql = select_sql(brief, "ORDER BY created_at_ms, id");
    if (!sql) {
        error_no_memory(error);
        return NULL;
    }
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *statement = database_prepare(store, sql, error);
    json_object *list = statement ? rows(store, statement, brief, error) : NULL;
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->lock);
    return list;
}

static const struct column *find_column(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++)
        if (!strcmp(columns[i].name, name))
            return &columns[i];
    return NULL;
}

static int update_column(struct store *store, const char *id, const struct column *column, json_object *value,
                         memories_error **error)
{
    AUTO_FREE char *sql = text_format("UPDATE deployments SET %s = ?1, updated_at_ms = ?2 WHERE id = ?3", column->name);
    AUTO_STATEMENT sqlite3_stmt *statement = sql ? database_prepare(store, sql, error) : NULL;
    if (!statement || bind_member(statement, 1, column, value))
        return sql && !statement ? MEMORIES_FAILED : error_no_memory(error);
    sqlite3_bind_int64(statement, 2, clock_now_ms());
    bind_text(statement, 3, id);
    return statement_run(store, statement, "record the deployment", error);
}

static int update(struct store *store, const char *id, int64_t fence, json_object *changes, memories_error **error)
{
    int failed = lease_check(store, id, fence, error);
    json_object_object_foreach(changes, name, value) {
        const struct column *column = find_column(name);
        if (!failed)
            failed = column ? update_column(store, id, column, value, error)
                            : error_set(error, MEMORIES_INTERNAL, "a deployment has no member %s", name);
    }
    return failed;
}

int store_deployment_update(struct store *store, const char *id, int64_t fence, json_object *changes,
                            memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, update(store, id, fence, changes, error), error);
}

int store_deployment_settle(struct store *store, struct lease *lease, json_object *changes, memories_error **error)
{
    int failed = database_begin(store, error);
    if (failed)
        return failed;
    failed = update(store, lease->deployment, lease->fence, changes, error);
    if (!failed)
        failed = lease_give_back(store, lease, error);
    failed = database_end(store, failed, error);
    if (!failed)
        lease_free(lease);
    return failed;
}

static int remove_deployment(struct store *store, const char *id, int64_t fence, memories_error **error)
{
    int failed = lease_check(store, id, fence, error);
    if (failed)
        return failed;
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(store, "DELETE FROM deployments WHERE id = ?1", error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, id);
    return statement_run(store, statement, "remove the deployment's record", error);
}

int store_deployment_delete(struct store *store, const char *id, int64_t fence, memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, remove_deployment(store, id, fence, error), error);
}
