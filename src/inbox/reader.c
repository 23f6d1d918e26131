/* reader.c - locks of readers in /proc/locks. */
#include "inbox/reader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/proc.h"

/* The bytes of the index that SQLite's readers lock (wal.c: WAL_READ_LOCK; os_unix.c:
 * UNIX_SHM_BASE). */
#define FIRST_MARK 123
#define LAST_MARK  127

/* Of "1: POSIX ADVISORY READ 4711 fe:00:1835010 124 124". */
static bool is_reader(const char *line, dev_t dev, ino_t ino, long *ret_pid)
{
    char pid[16], file[64], first[24], want[64];
    if (sscanf(line, "%*s POSIX %*s READ %15s %63s %23s", pid, file, first) != 3)
        return false;
    snprintf(want, sizeof want, "%02x:%02x:%ju", major(dev), minor(dev), (uintmax_t)ino);
    long mark = strtol(first, NULL, 10);
    *ret_pid = strtol(pid, NULL, 10);
    return strcmp(file, want) == 0 && mark >= FIRST_MARK && mark <= LAST_MARK && *ret_pid > 0 &&
           *ret_pid != getpid();
}

bool reader_find(dev_t dev, ino_t ino, char ret[READER_MAX])
{
    FILE *f = fopen("/proc/locks", "re");
    char line[256], path[64], name[32];
    long pid = 0;
    bool found = false;
    if (f == NULL)
        return false;
    while (!found && fgets(line, sizeof line, f) != NULL)
        found = is_reader(line, dev, ino, &pid);
    fclose(f);
    if (!found)
        return false;
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    proc_line(path, name, sizeof name);
    snprintf(ret, READER_MAX, "process %ld (%s) has been reading it all the time", pid, name);
    return true;
}
