/*
 * reader.h - who keeps an SQLite database from being taken over from its WAL. For sqlite_files.c
 * alone.
 */
#ifndef INBOX_READER_H
#define INBOX_READER_H

#include <stdbool.h>
#include <sys/types.h>

#define READER_MAX 128 /* bytes of the text, with the NUL */

/*
 * The process, other than this one, that holds a lock of a reader on the database's index, its
 * "-shm" file: "process 4711 (sqlite3) has been reading it all the time". False if none is found.
 * By /proc/locks, for a descriptor of that file must never be closed here: that would end our own
 * locks, too (https://www.sqlite.org/wal.html,
 * https://man7.org/linux/man-pages/man5/proc_locks.5.html).
 */
bool reader_find(dev_t dev, ino_t ino, char ret[READER_MAX]);

#endif
