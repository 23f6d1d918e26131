/*
 * replay.c - give every file of a corpus to a fuzz target.
 *
 * With this main() a target is a plain test: what a fuzzer once found stays found, by any
 * compiler. To search for more, build the target without it, by clang with -fsanitize=fuzzer.
 * The corpus of tests/fuzz/NAME is the folder tests/fuzz/NAME.in.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/buf.h"

#define INPUT_MAX ((size_t)1024 * 1024) /* bytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_input(const char *path, struct buf *b)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -1;
    size_t n = 1;
    while (n > 0 && buf_reserve(b, BUFSIZ) == ERR_OK) {
        n = fread(b->data + b->len, 1, BUFSIZ, f);
        b->len += n;
    }
    int failed = ferror(f) || b->err != ERR_OK;
    fclose(f);
    return failed ? -1 : 0;
}

/* The target gets a copy that ends at the last byte, so that a sanitizer sees reads beyond it. */
static int replay_file(const char *path)
{
    struct buf b;
    buf_init(&b, INPUT_MAX);
    int status = read_input(path, &b);
    uint8_t *exact = status == 0 ? malloc(b.len > 0 ? b.len : 1) : NULL;
    if (exact != NULL) {
        memcpy(exact, b.data, b.len);
        LLVMFuzzerTestOneInput(exact, b.len);
    }
    buf_free(&b);
    if (exact == NULL)
        fprintf(stderr, "%s: cannot be read\n", path);
    free(exact);
    return exact != NULL ? 0 : -1;
}

/* Every file in the current folder; returns how many there were, or -1. */
static int replay_all(void)
{
    DIR *dir = opendir(".");
    int replayed = 0;
    if (dir == NULL)
        return -1;
    for (struct dirent *entry; replayed >= 0 && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            replayed = replay_file(entry->d_name) == 0 ? replayed + 1 : -1;
    closedir(dir);
    return replayed;
}

int main(int argc, char **argv)
{
    const char *source = getenv("srcdir"), *name = strrchr(argv[0], '/');
    char folder[4096];
    (void)argc;
    if (sodium_init() < 0)
        return 1;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/%s.in", source != NULL ? source : ".",
             name != NULL ? name + 1 : argv[0]);
    if (chdir(folder) != 0) {
        perror(folder);
        return 1;
    }
    int replayed = replay_all();
    printf("%s: %d inputs\n", folder, replayed);
    return replayed > 0 ? 0 : 1;
}
