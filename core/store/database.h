/*
 * database.h - the SQLite file behind the store: opening, schema, transactions, statements
 *
 * Private to core/store. One connection, used by one thread at a time under `lock`; other processes are kept apart by
 * SQLite itself (WAL, BEGIN IMMEDIATE, busy timeout).
 */
#ifndef CORE_STORE_DATABASE_H
#define CORE_STORE_DATABASE_H

#include <json-c/json.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>

#include "core/store/store.h"

struct store {
    sqlite3 *database;
    char *path;
    char *actor; /* user@host, for the audit trail */
    pthread_mutex_t lock;
};

/* SQLite's last error as ours: "can't DOING: …". */
int database_error(struct store *store, const char *doing, memories_error **error);

/* Takes the lock and begins a writing transaction. After 0 exactly one of commit and roll back must follow. */
int database_begin(struct store *store, memories_error **error);
/* On disk when it returns 0. Rolls back by itself on failure. Gives the lock back. */
int database_commit(struct store *store, memories_error **error);
void database_roll_back(struct store *store);
/* database_commit when `failed` is 0, else rolls back; returns the first failure. */
int database_end(struct store *store, int failed, memories_error **error);

/* A prepared statement; NULL with an error. Finalised by AUTO_STATEMENT. */
sqlite3_stmt *database_prepare(struct store *store, const char *sql, memories_error **error);
static inline void cleanup_statement(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
#define AUTO_STATEMENT __attribute__((cleanup(cleanup_statement)))

/* Parameters by number, from 1. NULL binds NULL; JSON is bound as text. */
void bind_text(sqlite3_stmt *statement, int number, const char *text);
int bind_json(sqlite3_stmt *statement, int number, json_object *json);
/* Columns, from 0. */
const char *column_text(sqlite3_stmt *statement, int column);
json_object *column_json(sqlite3_stmt *statement, int column);
/* The column's value as member `name` of `object`: text, number or null as it is stored; JSON columns with _json. */
int put_column(json_object *object, const char *name, sqlite3_stmt *statement, int column);
int put_column_json(json_object *object, const char *name, sqlite3_stmt *statement, int column);

/* Runs a statement that returns no rows, and resets it for the next use. */
int statement_run(struct store *store, sqlite3_stmt *statement, const char *doing, memories_error **error);

/* Inside a transaction: 0 while `fence` still holds the deployment's lease. */
int lease_check(struct store *store, const char *deployment, int64_t fence, memories_error **error);
int lease_give_back(struct store *store, const struct lease *lease, memories_error **error);
void lease_free(struct lease *lease);

/* Inside a transaction: records resources that are there, none of which has a record. */
int resources_insert(struct store *store, const char *deployment, json_object *resources, memories_error **error);

/* Whether the owner of a lease may still be at work: its time is not over, and it isn't known to be dead. */
int lease_is_alive(const char *owner, int64_t expires_ms);

#endif
