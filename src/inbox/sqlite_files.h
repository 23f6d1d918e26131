/*
 * sqlite_files.h - the files of an SQLite inbox: their rights, which ones they are, and whether
 * they are still there. For sqlite_db.c alone.
 *
 * A file can be deleted or replaced under a program that has it open: SQLite would go on writing
 * where nobody will ever read, and others would no longer wait for our lock. `path` is the
 * database's, of SQLITE_FILES_PATH_MAX bytes at most.
 */
#ifndef INBOX_SQLITE_FILES_H
#define INBOX_SQLITE_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "inbox/reader.h"

#define SQLITE_FILES_PATH_MAX 4000 /* bytes */

/* The rights that the folder gives: one with a set-group-id bit is shared by a group (the handler,
 * the worker, the operator), any other is a single user's. ERR_STORE: there is no folder. */
enum err sqlite_files_mode(const char *path, mode_t *ret, struct why *why);

/* The lock beside the database: filelock_open(). */
enum err sqlite_files_lock(const char *path, mode_t mode, int *ret_fd, struct why *why);
/* The database, empty, if it is not there. SQLite gives its other files the mode of this one. */
enum err sqlite_files_make(const char *path, mode_t mode, struct why *why);
/* It is to be there, and to be written: who only reads has to write, too, into the WAL's index.
 * ERR_NOT_FOUND, ERR_STORE. */
enum err sqlite_files_look(const char *path, struct why *why);

#define SQLITE_FILES 3 /* the database, its WAL, and the lock */

/* Which ones they were when we opened them. */
struct sqlite_files {
    struct {
        dev_t dev;
        ino_t ino;
    } ids[SQLITE_FILES];
};
/* Once all are there. ERR_STORE: one is not. */
enum err sqlite_files_remember(struct sqlite_files *f, const char *path, struct why *why);
/* Will the next one who opens the inbox find them? ERR_STORE: not these. */
enum err sqlite_files_check(const struct sqlite_files *f, const char *path, struct why *why);

/* Who keeps the WAL from being taken over: reader_find(). */
bool sqlite_files_reader(const char *path, char ret[READER_MAX]);

#endif
