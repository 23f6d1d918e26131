/* wake.c - a condition for threads, and datagrams for processes. */
#include "inbox/wake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"

#define SUFFIX       ".wake."
#define NAME_MAX_LEN 255 /* bytes of a file's name */

struct wake {
    int folder;                    /* where the sockets are */
    char prefix[NAME_MAX_LEN + 1]; /* of their names */
    mode_t mode;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t told;
    uint64_t heard;
    int socket; /* ours; -1: nobody has waited yet */
    char name[NAME_MAX_LEN + 1];
    bool opened;  /* or tried to */
    bool reading; /* one of those who wait reads it, for all */
    bool stopped;
};

/* ------------------------------------------------------------------------ sockets */

/* The folder's path may be longer than an address, so it goes by its descriptor. False: no name of
 * ours is that long. */
static bool address_of(const struct wake *w, const char *name, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", w->folder, name);
    return n > 0 && (size_t)n < sizeof ret->sun_path;
}

/* Without one, waits end in time all the same. */
static void open_socket(struct wake *w)
{
    struct sockaddr_un at;
    w->opened = true;
    snprintf(w->name, sizeof w->name, "%.200s%ld.%08x", w->prefix, (long)getpid(),
             (unsigned)randombytes_random());
    w->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->socket >= 0 && address_of(w, w->name, &at) &&
        bind(w->socket, (struct sockaddr *)&at, sizeof at) == 0 &&
        fchmodat(w->folder, w->name, w->mode, 0) == 0)
        return;
    log_warn("socket %s: %s; what other processes store is noticed late", w->name, strerror(errno));
    if (w->socket >= 0)
        close(w->socket);
    w->socket = -1;
}

static void send_to(const struct wake *w, int from, const char *name)
{
    struct sockaddr_un at;
    if (!address_of(w, name, &at))
        return;
    /* Full is as good as sent: it has something to read. */
    if (sendto(from, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&at, sizeof at) < 0 &&
        errno == ECONNREFUSED)
        unlinkat(w->folder, name, 0);
}

static void send_to_all(const struct wake *w)
{
    int folder = openat(w->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = folder >= 0 ? fdopendir(folder) : NULL;
    int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (names != NULL && from >= 0)
        for (const struct dirent *one; (one = readdir(names)) != NULL;)
            if (strncmp(one->d_name, w->prefix, strlen(w->prefix)) == 0)
                send_to(w, from, one->d_name);
    if (from >= 0)
        close(from);
    if (names != NULL)
        closedir(names);
    else if (folder >= 0)
        close(folder);
}

/* ------------------------------------------------------------------------- waiting */

/* For all who wait. Unlocks meanwhile. */
static void read_socket(struct wake *w, int64_t until)
{
    struct pollfd fd = {.fd = w->socket, .events = POLLIN};
    char byte;
    bool got = false;
    w->reading = true;
    pthread_mutex_unlock(&w->lock);
    if (poll(&fd, 1, clk_left_ms(until)) > 0)
        while (recv(fd.fd, &byte, 1, MSG_DONTWAIT) >= 0)
            got = true;
    pthread_mutex_lock(&w->lock);
    w->reading = false;
    w->heard += got;
    pthread_cond_broadcast(&w->told); /* somebody else is to read, if not to go on */
}

uint64_t wake_heard(struct wake *w)
{
    pthread_mutex_lock(&w->lock);
    if (!w->opened)
        open_socket(w);
    uint64_t heard = w->heard;
    pthread_mutex_unlock(&w->lock);
    return heard;
}

enum err wake_wait(struct wake *w, uint64_t heard, int64_t until)
{
    pthread_mutex_lock(&w->lock);
    while (w->heard == heard && !w->stopped && clk_mono_ms() < until) {
        if (w->socket >= 0 && !w->reading)
            read_socket(w, until);
        else
            clk_cond_wait(&w->told, &w->lock, until);
    }
    enum err e = w->stopped ? ERR_STOPPED : w->heard == heard ? ERR_TIMEOUT : ERR_OK;
    pthread_mutex_unlock(&w->lock);
    return e;
}

void wake_tell(struct wake *w)
{
    pthread_mutex_lock(&w->lock);
    w->heard++;
    pthread_cond_broadcast(&w->told);
    pthread_mutex_unlock(&w->lock);
    send_to_all(w);
}

void wake_stop(struct wake *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopped = true;
    pthread_mutex_unlock(&w->lock);
    wake_tell(w);
}

/* ------------------------------------------------------------------------- making */

enum err wake_new(const char *file, mode_t mode, struct wake **ret, struct why *why)
{
    const char *slash = strrchr(file, '/');
    char *folder = slash != NULL ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
    struct wake *w = calloc(1, sizeof *w);
    if (folder == NULL || w == NULL) {
        free(folder);
        free(w);
        return why_no_memory(why);
    }
    w->socket = -1;
    w->mode = mode;
    w->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(w->prefix, sizeof w->prefix, "%.200s" SUFFIX, slash != NULL ? slash + 1 : file);
    pthread_mutex_init(&w->lock, NULL);
    clk_cond_init(&w->told);
    enum err e = w->folder >= 0 ? ERR_OK
                                : why_set(why, ERR_STORE, "%s: %s", folder, strerror(errno));
    free(folder);
    if (e == ERR_OK)
        *ret = w;
    else
        wake_free(w);
    return e;
}

void wake_free(struct wake *w)
{
    if (w == NULL)
        return;
    if (w->socket >= 0) {
        unlinkat(w->folder, w->name, 0);
        close(w->socket);
    }
    if (w->folder >= 0)
        close(w->folder);
    pthread_cond_destroy(&w->told);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
