/* test_sqlite_db.c - changes ride one commit; one's own trouble is no other's. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inbox/sqlite_bind.h"
#include "inbox/sqlite_db.h"
#include "temp_folder.h"

static char folder[TEMP_FOLDER_MAX], path[96];
static struct sqlite_db *db;

static enum err create(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    static const char sql[] = "CREATE TABLE t (n INTEGER)";
    (void)item;
    enum err e = sqlite_db_step(d, sqlite_db_statement(d, sql, why), NULL, 0, "create", why);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static int set_up(void **state)
{
    (void)state;
    const struct inbox_options options = {.lock_timeout_ms = 20000, .max_wal = 1 << 28};
    struct sqlite_item item = {.apply = create};
    struct inbox *inbox;
    temp_folder_make(folder);
    snprintf(path, sizeof path, "%s/inbox.db", folder);
    assert_err(sqlite_open(&options, path, &inbox, NULL), ERR_OK);
    db = (struct sqlite_db *)inbox;
    assert_err(sqlite_db_do(db, &item, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (db != NULL)
        sqlite_close((struct inbox *)db);
    temp_folder_remove(folder);
    return 0;
}

/* ---------------------------------------------------------------------------- items */

struct insert {
    struct sqlite_item head;
    int n;
    enum err fails; /* ERR_OK: it does not */
    enum err told;  /* ERR__COUNT: nothing yet */
};

static enum err apply(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    static const char sql[] = "INSERT INTO t VALUES (?1) RETURNING n";
    const struct insert *i = (const struct insert *)item;
    if (i->fails != ERR_OK)
        return why_set(why, i->fails, "item %d", i->n);
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    sqlite3_bind_int(q, 1, i->n);
    return sqlite_db_step(d, q, NULL, 0, "insert", why);
}

static void done(struct sqlite_item *item)
{
    ((struct insert *)item)->told = item->err;
}

static struct insert insert(int n, enum err fails)
{
    return (struct insert){
        .head = {.apply = apply, .done = done}, .n = n, .fails = fails, .told = ERR__COUNT};
}

/* An item that holds its transaction open until the test lets it go. */
static struct gate {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool entered, open;
} gate;

static enum err pass_gate(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    (void)d;
    (void)item;
    (void)why;
    pthread_mutex_lock(&gate.lock);
    gate.entered = true;
    pthread_cond_broadcast(&gate.wake);
    while (!gate.open)
        pthread_cond_wait(&gate.wake, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    return ERR_OK;
}

/* All of them come while a transaction is open, so that the next one takes them together. */
static void commit_together(struct insert *items, size_t count)
{
    struct insert first = insert(0, ERR_OK);
    first.head.apply = pass_gate;
    gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    sqlite_db_put(db, &first.head);
    pthread_mutex_lock(&gate.lock);
    while (!gate.entered)
        pthread_cond_wait(&gate.wake, &gate.lock);
    for (size_t i = 0; i < count; i++)
        sqlite_db_put(db, &items[i].head);
    gate.open = true;
    pthread_cond_broadcast(&gate.wake);
    pthread_mutex_unlock(&gate.lock);
    sqlite_close((struct inbox *)db); /* all have been told */
    db = NULL;
    assert_err(first.told, ERR_OK);
}

/* As another program sees them. */
static int rows(const char *where)
{
    char sql[64];
    sqlite3 *reader;
    sqlite3_stmt *q;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE %s", where);
    assert_int_equal(sqlite3_open(path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(reader, sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(reader);
    return n;
}

/* ---------------------------------------------------------------------------- tests */

static void keeps_an_items_own_trouble_from_the_others(void **state)
{
    (void)state;
    struct insert items[3] = {insert(1, ERR_OK), insert(2, ERR_NOT_FOUND), insert(3, ERR_OK)};
    commit_together(items, 3);
    assert_err(items[0].told, ERR_OK);
    assert_err(items[1].told, ERR_NOT_FOUND);
    assert_string_equal(items[1].head.why.text, "item 2");
    assert_err(items[2].told, ERR_OK);
    assert_int_equal(rows("n IN (1, 3)"), 2);
}

/* Nothing of a transaction is kept in which storage failed, and each is told. */
static void keeps_nothing_when_storage_fails(void **state)
{
    (void)state;
    struct insert items[3] = {insert(1, ERR_OK), insert(2, ERR_STORE), insert(3, ERR_OK)};
    commit_together(items, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_err(items[i].told, ERR_STORE);
        assert_string_equal(items[i].head.why.text, "item 2");
    }
    assert_int_equal(rows("n > 0"), 0);
}

static void tells_who_waits(void **state)
{
    (void)state;
    struct insert good = insert(1, ERR_OK), bad = insert(2, ERR_NOT_FOUND);
    good.head.done = bad.head.done = NULL;
    assert_err(sqlite_db_do(db, &good.head, NULL), ERR_OK);
    assert_err(sqlite_db_do(db, &bad.head, NULL), ERR_NOT_FOUND);
    assert_string_equal(bad.head.why.text, "item 2");
    assert_int_equal(rows("n > 0"), 1);
}

static void waits_for_what_was_put_before_it_ends(void **state)
{
    (void)state;
    struct insert items[600];
    for (int i = 0; i < 600; i++) {
        items[i] = insert(i + 1, ERR_OK);
        sqlite_db_put(db, &items[i].head);
    }
    sqlite_close((struct inbox *)db);
    db = NULL;
    for (int i = 0; i < 600; i++)
        assert_err(items[i].told, ERR_OK);
    assert_int_equal(rows("n > 0"), 600);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static enum err apply_nonsense(struct sqlite_db *d, struct sqlite_item *item, struct why *why)
{
    static const char sql[] = "SELECT no FROM nowhere WHERE n = ?1";
    int64_t n;
    (void)item;
    sqlite3_stmt *q = sqlite_db_statement(d, sql, why);
    sqlite3_bind_int(q, 1, 7);
    sqlite_bind_text(q, 1, "seven");
    assert_err(sqlite_db_each(d, q, NULL, NULL, "read", why), ERR_STORE);
    return sqlite_db_step(d, q, &n, 1, "read", why);
}

static void a_statement_that_cannot_be_prepared_is_an_error_with_its_story(void **state)
{
    (void)state;
    struct sqlite_item item = {.apply = apply_nonsense};
    struct insert later = insert(1, ERR_OK);
    struct why why;
    later.head.done = NULL;
    assert_err(sqlite_db_do(db, &item, &why), ERR_STORE);
    assert_non_null(strstr(why.text, "no such table: nowhere"));
    assert_err(sqlite_db_do(db, &later.head, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keeps_an_items_own_trouble_from_the_others),
        TEST(keeps_nothing_when_storage_fails),
        TEST(tells_who_waits),
        TEST(waits_for_what_was_put_before_it_ends),
        TEST(a_statement_that_cannot_be_prepared_is_an_error_with_its_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
