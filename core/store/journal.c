/* journal.c - resources and what is done to them: intents before, outcomes after */
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/store/database.h"

/* ---- Reading ---- */

static json_object *resource_row(sqlite3_stmt *statement)
{
    AUTO_JSON json_object *resource = json_object_new_object();
    if (put_column(resource, "key", statement, 0) || put_column(resource, "type", statement, 1) ||
        put_column(resource, "node", statement, 2) || put_column(resource, "state", statement, 3) ||
        put_column(resource, "generation", statement, 4) || put_column(resource, "token", statement, 5) ||
        put_column_json(resource, "inputs", statement, 6) || put_column_json(resource, "outputs", statement, 7) ||
        put_column_json(resource, "depends_on", statement, 8) || put_column(resource, "doubt", statement, 9))
        return NULL;
    return STEAL(resource);
}

static json_object *journal_row(sqlite3_stmt *statement)
{
    static const char *const names[] = { "sequence", "key",   "operation", "token", "generation",
                                         "attempt",  "state", "error",     "at_ms", "finished_at_ms" };
    AUTO_JSON json_object *line = json_object_new_object();
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (put_column(line, names[i], statement, (int)i))
            return NULL;
    return STEAL(line);
}

static json_object *audit_row(sqlite3_stmt *statement)
{
    char at[CLOCK_TEXT_BYTES];
    clock_format(sqlite3_column_int64(statement, 0), 1, at);
    AUTO_JSON json_object *entry = json_object_new_object();
    if (json_set_string(entry, "at", at) || put_column(entry, "event", statement, 1) ||
        put_column(entry, "actor", statement, 2) || put_column_json(entry, "detail", statement, 3))
        return NULL;
    return STEAL(entry);
}

static json_object *generation_row(sqlite3_stmt *statement)
{
    AUTO_JSON json_object *row = json_object_new_object();
    if (put_column(row, "key", statement, 0) || put_column(row, "generation", statement, 1))
        return NULL;
    return STEAL(row);
}

static json_object *collect(struct store *store, sqlite3_stmt *statement, json_object *(*read_row)(sqlite3_stmt *),
                            memories_error **error)
{
    AUTO_JSON json_object *list = json_object_new_array();
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        json_object *entry = read_row(statement);
        if (!entry || json_add(list, entry)) {
            error_no_memory(error);
            return NULL;
        }
    }
    if (code != SQLITE_DONE) {
        database_error(store, "read the store", error);
        return NULL;
    }
    return STEAL(list);
}

/* All rows that `sql` gives for one deployment. */
static json_object *list_rows(struct store *store, const char *sql, const char *deployment,
                              json_object *(*read_row)(sqlite3_stmt *), memories_error **error)
{
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *statement = database_prepare(store, sql, error);
    json_object *list = NULL;
    if (statement) {
        bind_text(statement, 1, deployment);
        list = collect(store, statement, read_row, error);
    }
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&store->lock);
    return list;
}

json_object *store_resource_list(struct store *store, const char *deployment, memories_error **error)
{
    return list_rows(store,
                     "SELECT key, type, node, state, generation, token, inputs, outputs, depends_on, doubt"
                     " FROM resources WHERE deployment = ?1 ORDER BY position",
                     deployment, resource_row, error);
}

json_object *store_journal_list(struct store *store, const char *deployment, memories_error **error)
{
    return list_rows(store,
                     "SELECT sequence, key, operation, token, generation, attempt, state, error, at_ms, finished_at_ms"
                     " FROM journal WHERE deployment = ?1 ORDER BY sequence",
                     deployment, journal_row, error);
}

int store_journal_is_cut_off(struct store *store, const char *deployment, bool *is_cut_off, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(
        store, "SELECT 1 FROM journal WHERE deployment = ?1 AND operation = 'create' AND state = 'intent' LIMIT 1", error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, deployment);
    int code = sqlite3_step(statement);
    *is_cut_off = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : database_error(store, "read the journal", error);
}

json_object *store_audit_list(struct store *store, const char *deployment, memories_error **error)
{
    return list_rows(store, "SELECT at_ms, event, actor, detail FROM audit WHERE deployment = ?1 ORDER BY sequence",
                     deployment, audit_row, error);
}

json_object *store_generation_map(struct store *store, const char *deployment, memories_error **error)
{
    AUTO_JSON json_object *rows = list_rows(
        store, "SELECT key, max(generation) FROM journal WHERE deployment = ?1 AND operation = 'create' GROUP BY key",
        deployment, generation_row, error);
    AUTO_JSON json_object *map = rows ? json_object_new_object() : NULL;
    for (size_t i = 0; i < json_count(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);
        if (json_set_int(map, json_get_string(row, "key"), json_get_int(row, "generation", 0))) {
            error_no_memory(error);
            return NULL;
        }
    }
    return STEAL(map);
}

/* ---- Intents ---- */

static int write_line(struct store *store, sqlite3_stmt *statement, const char *deployment,
                      struct journal_entry *entry, memories_error **error)
{
    bind_text(statement, 1, deployment);
    bind_text(statement, 2, entry->key);
    bind_text(statement, 3, entry->operation);
    bind_text(statement, 4, entry->token);
    sqlite3_bind_int64(statement, 5, entry->generation);
    sqlite3_bind_int64(statement, 6, entry->attempt);
    sqlite3_bind_int64(statement, 7, clock_now_ms());
    int failed = statement_run(store, statement, "write the journal", error);
    entry->sequence = sqlite3_last_insert_rowid(store->database);
    return failed;
}

/* A create or update records what is wanted; the others only that something is under way. */
static int mark_resource(struct store *store, sqlite3_stmt *record, sqlite3_stmt *doubt, const char *deployment,
                         const struct journal_entry *entry, memories_error **error)
{
    if (!entry->inputs) {
        bind_text(doubt, 1, entry->operation);
        bind_text(doubt, 2, deployment);
        bind_text(doubt, 3, entry->key);
        return statement_run(store, doubt, "write the journal", error);
    }
    bind_text(record, 1, deployment);
    bind_text(record, 2, entry->key);
    bind_text(record, 3, entry->type);
    bind_text(record, 4, entry->node);
    sqlite3_bind_int64(record, 5, entry->generation);
    bind_text(record, 6, entry->token);
    if (bind_json(record, 7, entry->inputs) || bind_json(record, 8, entry->depends_on))
        return error_no_memory(error);
    bind_text(record, 9, entry->operation);
    return statement_run(store, record, "write the journal", error);
}

/* An update keeps state, token and outputs of the row that is there; a create begins a new life. */
static const char record_sql[] =
    "INSERT INTO resources (deployment, position, key, type, node, state, generation, token, inputs, depends_on, doubt)"
    " VALUES (?1, (SELECT coalesce(max(position), 0) + 1 FROM resources WHERE deployment = ?1),"
    "         ?2, ?3, ?4, 'planned', ?5, ?6, ?7, ?8, ?9)"
    " ON CONFLICT (deployment, key) DO UPDATE SET type = excluded.type, node = excluded.node,"
    "  state = iif(excluded.doubt = 'create', 'planned', state),"
    "  outputs = iif(excluded.doubt = 'create' AND generation <> excluded.generation, NULL, outputs),"
    "  generation = excluded.generation, token = iif(excluded.doubt = 'create', excluded.token, token),"
    "  inputs = excluded.inputs, depends_on = excluded.depends_on, doubt = excluded.doubt";

static int write_intents(struct store *store, const char *deployment, int64_t fence, struct journal_entry *entries,
                         size_t count, memories_error **error)
{
    int failed = lease_check(store, deployment, fence, error);
    if (failed)
        return failed;
    AUTO_STATEMENT sqlite3_stmt *line = database_prepare(
        store,
        "INSERT INTO journal (deployment, key, operation, token, generation, attempt, state, at_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'intent', ?7)",
        error);
    AUTO_STATEMENT sqlite3_stmt *record = database_prepare(store, record_sql, error);
    AUTO_STATEMENT sqlite3_stmt *doubt = database_prepare(
        store, "UPDATE resources SET doubt = ?1 WHERE deployment = ?2 AND key = ?3", error);
    if (!line || !record || !doubt)
        return MEMORIES_FAILED;
    for (size_t i = 0; !failed && i < count; i++) {
        failed = write_line(store, line, deployment, &entries[i], error);
        if (!failed)
            failed = mark_resource(store, record, doubt, deployment, &entries[i], error);
    }
    return failed;
}

int store_journal_intent(struct store *store, const char *deployment, int64_t fence, struct journal_entry *entries,
                         size_t count, memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, write_intents(store, deployment, fence, entries, count, error), error);
}

/* ---- Resources without a past ---- */

static int insert_resource(struct store *store, sqlite3_stmt *statement, json_object *resource, int64_t position,
                           memories_error **error)
{
    static const char *const texts[] = { "key", "type", "node", "state", "token", "doubt" };
    static const char *const documents[] = { "inputs", "outputs", "depends_on" };
    int at = 2, failed = 0;
    sqlite3_bind_int64(statement, at++, position);
    sqlite3_bind_int64(statement, at++, json_get_int(resource, "generation", 1));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        bind_text(statement, at++, json_get_string(resource, texts[i]));
    for (size_t i = 0; i < ARRAY_COUNT(documents); i++)
        failed |= bind_json(statement, at++, json_get(resource, documents[i]));
    return failed ? error_no_memory(error) : statement_run(store, statement, "record the resources", error);
}

int resources_insert(struct store *store, const char *deployment, json_object *resources, memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(
        store,
        "INSERT INTO resources (deployment, position, generation, key, type, node, state, token, doubt, inputs, outputs,"
        " depends_on) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        error);
    int failed = statement ? 0 : MEMORIES_FAILED;
    for (size_t i = 0; !failed && i < json_count(resources); i++) {
        bind_text(statement, 1, deployment);
        failed = insert_resource(store, statement, json_object_array_get_idx(resources, i), (int64_t)i + 1, error);
    }
    return failed;
}

static int adopt(struct store *store, const char *deployment, int64_t fence, json_object *resources,
                 memories_error **error)
{
    int failed = lease_check(store, deployment, fence, error);
    return failed ? failed : resources_insert(store, deployment, resources, error);
}

int store_resource_adopt(struct store *store, const char *deployment, int64_t fence, json_object *resources,
                         memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, adopt(store, deployment, fence, resources, error), error);
}

/* ---- Outcomes ---- */

struct outcome_statements {
    sqlite3_stmt *line;
    sqlite3_stmt *resource;
    sqlite3_stmt *removal;
};

static int write_outcome(struct store *store, const struct outcome_statements *statements, const char *deployment,
                         const struct journal_outcome *outcome, memories_error **error)
{
    int failed = 0;
    if (outcome->sequence && !outcome->keep_doubt) {
        bind_text(statements->line, 1, outcome->error ? "failed" : "done");
        AUTO_FREE char *text = outcome->error ? memories_error_text(outcome->error) : NULL;
        bind_text(statements->line, 2, text);
        sqlite3_bind_int64(statements->line, 3, clock_now_ms());
        sqlite3_bind_int64(statements->line, 4, outcome->sequence);
        failed = statement_run(store, statements->line, "write the journal", error);
    }
    if (failed || !outcome->state)
        return failed;
    if (!strcmp(outcome->state, "absent")) {
        bind_text(statements->removal, 1, deployment);
        bind_text(statements->removal, 2, outcome->key);
        return statement_run(store, statements->removal, "write the journal", error);
    }
    bind_text(statements->resource, 1, outcome->state);
    if (bind_json(statements->resource, 2, outcome->outputs))
        return error_no_memory(error);
    sqlite3_bind_int(statements->resource, 3, outcome->keep_doubt);
    bind_text(statements->resource, 4, deployment);
    bind_text(statements->resource, 5, outcome->key);
    return statement_run(store, statements->resource, "write the journal", error);
}

static int write_outcomes(struct store *store, const char *deployment, int64_t fence,
                          const struct journal_outcome *outcomes, size_t count, memories_error **error)
{
    int failed = lease_check(store, deployment, fence, error);
    if (failed)
        return failed;
    AUTO_STATEMENT sqlite3_stmt *line = database_prepare(
        store, "UPDATE journal SET state = ?1, error = ?2, finished_at_ms = ?3 WHERE sequence = ?4", error);
    AUTO_STATEMENT sqlite3_stmt *resource =
        database_prepare(store,
                         "UPDATE resources SET state = ?1, outputs = coalesce(?2, outputs),"
                         " doubt = iif(?3, doubt, NULL) WHERE deployment = ?4 AND key = ?5",
                         error);
    AUTO_STATEMENT sqlite3_stmt *removal =
        database_prepare(store, "DELETE FROM resources WHERE deployment = ?1 AND key = ?2", error);
    const struct outcome_statements statements = { line, resource, removal };
    if (!line || !resource || !removal)
        return MEMORIES_FAILED;
    for (size_t i = 0; !failed && i < count; i++)
        failed = write_outcome(store, &statements, deployment, &outcomes[i], error);
    return failed;
}

int store_journal_outcome(struct store *store, const char *deployment, int64_t fence,
                          const struct journal_outcome *outcomes, size_t count, memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed
                  : database_end(store, write_outcomes(store, deployment, fence, outcomes, count, error), error);
}

/* ---- Audit trail ---- */

static int add_audit(struct store *store, const char *deployment, const char *event, json_object *detail,
                     memories_error **error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = database_prepare(
        store, "INSERT INTO audit (deployment, at_ms, actor, event, detail) VALUES (?1, ?2, ?3, ?4, ?5)", error);
    if (!statement)
        return MEMORIES_FAILED;
    bind_text(statement, 1, deployment);
    sqlite3_bind_int64(statement, 2, clock_now_ms());
    bind_text(statement, 3, store->actor);
    bind_text(statement, 4, event);
    if (bind_json(statement, 5, detail))
        return error_no_memory(error);
    return statement_run(store, statement, "write the audit trail", error);
}

int store_audit_add(struct store *store, const char *deployment, const char *event, json_object *detail,
                    memories_error **error)
{
    int failed = database_begin(store, error);
    return failed ? failed : database_end(store, add_audit(store, deployment, event, detail, error), error);
}
