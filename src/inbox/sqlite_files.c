/* sqlite_files.c - the files of an SQLite inbox. */
#include "inbox/sqlite_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "inbox/filelock.h"

static const char lock_suffix[] = ".lock", index_suffix[] = "-shm";
static const char *const suffixes[SQLITE_FILES] = {"", "-wal", lock_suffix};

static void name_file(const char *path, const char *suffix, char ret[SQLITE_FILES_PATH_MAX + 8])
{
    snprintf(ret, SQLITE_FILES_PATH_MAX + 8, "%s%s", path, suffix);
}

/* ------------------------------------------------------------------------------ rights */

enum err sqlite_files_mode(const char *path, mode_t *ret, struct why *why)
{
    char folder[SQLITE_FILES_PATH_MAX + 1];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder] = '\0';
    struct stat st;
    if (stat(folder, &st) != 0)
        return why_set(why, ERR_STORE, "inbox %s: folder %s: %s; create it first", path, folder,
                       strerror(errno));
    *ret = (st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IWGRP) != 0 ? 0660 : 0600;
    return ERR_OK;
}

enum err sqlite_files_lock(const char *path, mode_t mode, int *ret_fd, struct why *why)
{
    char name[SQLITE_FILES_PATH_MAX + 8];
    name_file(path, lock_suffix, name);
    return filelock_open(name, mode, ret_fd, why);
}

enum err sqlite_files_make(const char *path, mode_t mode, struct why *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0) {
        bool ok = fchmod(fd, mode) == 0;
        close(fd);
        if (!ok)
            return why_set(why, ERR_STORE, "inbox %s: %s", path, strerror(errno));
    } else if (errno != EEXIST) {
        return why_set(why, ERR_STORE, "inbox %s: %s", path, strerror(errno));
    }
    return ERR_OK;
}

enum err sqlite_files_look(const char *path, struct why *why)
{
    if (access(path, F_OK) != 0)
        return why_set(why, ERR_NOT_FOUND,
                       "inbox %s: %s (the handler or a worker makes it when it starts)", path,
                       strerror(errno));
    if (access(path, R_OK | W_OK) != 0)
        return why_set(why, ERR_STORE,
                       "inbox %s: %s; run this as the handler's user, or as one of its group", path,
                       strerror(errno));
    return ERR_OK;
}

/* -------------------------------------------------------------------------- which ones */

/*
 * Which file is at a path now. Its times are not asked for: since Linux 6.13 each who saw them
 * makes the next write store new ones, which then have to reach the disk, too
 * (https://docs.kernel.org/filesystems/multigrain-ts.html).
 */
static enum err identify(const char *path, const char *suffix, dev_t *ret_dev, ino_t *ret_ino)
{
    char name[SQLITE_FILES_PATH_MAX + 8];
    struct statx st;
    name_file(path, suffix, name);
    if (statx(AT_FDCWD, name, AT_STATX_DONT_SYNC, STATX_INO, &st) != 0)
        return ERR_NOT_FOUND;
    *ret_dev = makedev(st.stx_dev_major, st.stx_dev_minor);
    *ret_ino = st.stx_ino;
    return ERR_OK;
}

enum err sqlite_files_remember(struct sqlite_files *f, const char *path, struct why *why)
{
    for (size_t i = 0; i < SQLITE_FILES; i++)
        if (identify(path, suffixes[i], &f->ids[i].dev, &f->ids[i].ino) != ERR_OK)
            return why_set(why, ERR_STORE, "inbox %s%s: is gone already", path, suffixes[i]);
    return ERR_OK;
}

enum err sqlite_files_check(const struct sqlite_files *f, const char *path, struct why *why)
{
    for (size_t i = 0; i < SQLITE_FILES; i++) {
        dev_t dev;
        ino_t ino;
        if (identify(path, suffixes[i], &dev, &ino) == ERR_OK && dev == f->ids[i].dev &&
            ino == f->ids[i].ino)
            continue;
        return why_set(
            why, ERR_STORE,
            "inbox %s%s: was deleted or replaced while this program has it open: what is "
            "stored would be lost; put the file back, or start the program again",
            path, suffixes[i]);
    }
    return ERR_OK;
}

bool sqlite_files_reader(const char *path, char ret[READER_MAX])
{
    dev_t dev;
    ino_t ino;
    return identify(path, index_suffix, &dev, &ino) == ERR_OK && reader_find(dev, ino, ret);
}
