/*
 * sql.c - runs the statements on its standard input, for tests of the shims: sql DATABASE
 *
 * One statement a line; each is answered with a line, "ok" or SQLite's message. An "ok" after a
 * COMMIT is a promise.
 */
#include <sqlite3.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    sqlite3 *db;
    if (argc != 2 || sqlite3_open(argv[1], &db) != SQLITE_OK)
        return 2;
    char sql[4096];
    while (fgets(sql, sizeof sql, stdin) != NULL) {
        sqlite3_stmt *q;
        int result = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
        if (result == SQLITE_OK)
            while ((result = sqlite3_step(q)) == SQLITE_ROW)
                continue;
        puts(result == SQLITE_DONE ? "ok" : sqlite3_errmsg(db));
        fflush(stdout);
        sqlite3_finalize(q);
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
