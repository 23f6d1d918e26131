/*
 * oracle.c - the policy program of the duel: it has the model decide.
 *
 *   oracle SOCKET
 *
 * What comes on standard input goes to the socket, and what comes from there to standard output;
 * but for lines that begin with '!', which are orders of the model's to misbehave:
 *
 *   !exit N         end at once, with this status
 *   !error N TEXT   write so many bytes to standard error, and then the text
 *   !deaf           close standard output and stay
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1 << 20)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n <= 0)
            exit(1); /* nobody is there any more */
        bytes += n;
        len -= (size_t)n;
    }
}

static void obey(const char *order)
{
    char *text;
    long n = strtol(order + strcspn(order, " \n"), &text, 10);
    if (strncmp(order, "!exit", 5) == 0)
        exit((int)n);
    if (strncmp(order, "!deaf", 5) == 0)
        close(STDOUT_FILENO);
    if (strncmp(order, "!error", 6) == 0) {
        for (; n > 0; n--)
            put(STDERR_FILENO, "e", 1);
        put(STDERR_FILENO, text, strcspn(text, "\n") + 1);
    }
}

/* Pass on what has come whole; returns how much is left. */
static size_t pass_lines(char *line, size_t len)
{
    char *begin = line, *end;
    while ((end = memchr(begin, '\n', len)) != NULL) {
        size_t n = (size_t)(end - begin) + 1;
        if (begin[0] == '!')
            obey(begin);
        else
            put(STDOUT_FILENO, begin, n);
        begin += n;
        len -= n;
    }
    memmove(line, begin, len);
    return len;
}

int main(int argc, char **argv)
{
    static char asked[4096], line[LINE_MAX_BYTES];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = 0;
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof address) == -1)
        die(argv[1]);
    struct pollfd in[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        if (poll(in, 2, -1) == -1)
            die("poll");
        if (in[0].revents != 0) {
            ssize_t n = read(STDIN_FILENO, asked, sizeof asked);
            if (n > 0) {
                put(fd, asked, (size_t)n);
            } else {
                shutdown(fd, SHUT_WR);
                in[0].fd = -1;
            }
        }
        if (in[1].revents != 0) {
            ssize_t n = read(fd, line + len, sizeof line - len);
            if (n <= 0)
                return 0;
            len = pass_lines(line, len + (size_t)n);
        }
    }
}
