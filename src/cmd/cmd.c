/* cmd.c - what programs and subcommands share: the command line, and how to complain. */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"

#define OPTION_BASE 256 /* what getopt_long() returns for the first of a table */

/* "connect-webhook check" */
static void print_name(const struct cmd *self)
{
    if (self->program != NULL)
        fputs(self->program, stderr);
    else
        fprintf(stderr, "connect-webhook %s", self->name);
}

__attribute__((format(printf, 2, 0))) static void complain(const struct cmd *self, const char *fmt,
                                                           va_list ap)
{
    print_name(self);
    fputs(": ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

int cmd_usage(const struct cmd *self, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(self, fmt, ap);
    va_end(ap);
    fputs("Try '", stderr);
    print_name(self);
    fputs(" --help'.\n", stderr);
    return CMD_USAGE;
}

int cmd_failed(const struct cmd *self, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(self, fmt, ap);
    va_end(ap);
    return CMD_FAILED;
}

int cmd_help(const struct cmd *self)
{
    fputs(self->help, stdout);
    return CMD_OK;
}

enum err cmd_number(const char *name, const char *value, int64_t min, int64_t max, int64_t *ret,
                    struct why *why)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || n < min || n > max)
        return why_set(why, ERR_RANGE, "%s is a number from %" PRId64 " to %" PRId64 ", not '%s'",
                       name, min, max, value);
    *ret = n;
    return ERR_OK;
}

void cmd_print_plain(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
}

int cmd_print_json(const struct cmd *self, struct json_object *o)
{
    struct buf b;
    buf_init(&b, JSONX_SIZE_MAX);
    enum err e = o != NULL ? jsonx_print(&b, o) : ERR_NOMEM;
    json_object_put(o);
    if (e == ERR_OK)
        puts(b.data);
    buf_free(&b);
    return e == ERR_OK ? CMD_OK : cmd_failed(self, "%s", err_text(e));
}

/* ------------------------------------------------------------------ the command line */

/* For getopt_long(): the table's, and everybody's. */
static void list_options(const struct cmd *self, struct option *longs, char *letters)
{
    const struct cmd_option *table = self->options;
    size_t n = 0;
    *letters++ = 'h';
    longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
    if (self->program != NULL) {
        *letters++ = 'V';
        longs[n++] = (struct option){"version", no_argument, NULL, 'V'};
    }
    for (size_t i = 0; i < CMD_OPTIONS_MAX && table[i].name != NULL; i++) {
        int has_value = table[i].has_value ? required_argument : no_argument;
        longs[n++] = (struct option){table[i].name, has_value, NULL, OPTION_BASE + (int)i};
        if (table[i].letter != 0) {
            *letters++ = table[i].letter;
            if (table[i].has_value)
                *letters++ = ':';
        }
    }
    longs[n] = (struct option){0};
    *letters = '\0';
}

static const struct cmd_option *find_option(const struct cmd_option *table, int returned)
{
    if (returned >= OPTION_BASE)
        return &table[returned - OPTION_BASE];
    while (table->name != NULL && table->letter != returned)
        table++;
    return table->name != NULL ? table : NULL;
}

static enum err keep(const struct cmd_option *o, void *options, const char *value, struct why *why)
{
    void *at = (char *)options + o->at;
    if (o->take != NULL)
        return o->take(at, value, why);
    if (o->has_value)
        *(const char **)at = value;
    else
        *(bool *)at = true;
    return ERR_OK;
}

/* Help or the version, if that is what was asked for. */
static bool tell_about(const struct cmd *self, int option)
{
    if (option == 'h')
        cmd_help(self);
    else if (option == 'V' && self->program != NULL)
        printf("%s %s\n", self->program, PACKAGE_VERSION);
    else
        return false;
    return true;
}

/* CMD_OK to go on; *ret_told: there is nothing to go on with. */
static int read_options(const struct cmd *self, void *options, int argc, char **argv,
                        bool *ret_told)
{
    struct option longs[CMD_OPTIONS_MAX + 3];
    char letters[2 * CMD_OPTIONS_MAX + 3];
    struct why why;
    list_options(self, longs, letters);
    optind = 0; /* from the beginning, whoever has used it before */
    for (int c; (c = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        const struct cmd_option *o = find_option(self->options, c);
        *ret_told = tell_about(self, c);
        if (*ret_told)
            return CMD_OK;
        if (o == NULL)
            return cmd_usage(self, "unknown option, or one without its value");
        if (keep(o, options, optarg, &why) != ERR_OK)
            return cmd_usage(self, "%s", why.text);
    }
    const char *extra = argc - optind > self->arguments_max ? argv[optind + self->arguments_max]
                                                            : NULL;
    if (extra == NULL)
        return CMD_OK;
    return self->arguments_max > 0
               ? cmd_usage(self, "'%s' is one argument too many", extra)
               : cmd_usage(self, "takes no arguments, but was given '%s'", extra);
}

static int run_one(const struct cmd *self, int argc, char **argv)
{
    void *options = calloc(1, self->size);
    bool told = false;
    if (options == NULL)
        return cmd_failed(self, "%s", err_text(ERR_NOMEM));
    if (self->defaults != NULL)
        memcpy(options, self->defaults, self->size);
    int status = read_options(self, options, argc, argv, &told);
    if (status == CMD_OK && !told)
        status = self->run(self, options, argv + optind);
    if (self->free != NULL)
        self->free(options);
    free(options);
    return status;
}

int cmd_run(const struct cmd *self, int argc, char **argv)
{
    const struct cmd_verb *v = self->verbs;
    if (v == NULL)
        return run_one(self, argc, argv);
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return cmd_help(self);
    while (v->name != NULL && strcmp(v->name, name) != 0)
        v++;
    if (v->name != NULL) {
        struct cmd one = v->cmd;
        one.name = self->name;
        one.help = self->help;
        return run_one(&one, argc - 1, argv + 1);
    }
    v = self->verbs;
    if (v[1].name == NULL)
        return cmd_usage(self, "there is one thing to do: %s %s", self->name, v[0].name);
    char names[128];
    size_t len = 0;
    for (; v->name != NULL && len < sizeof names; v++) {
        const char *between = v == self->verbs ? "" : v[1].name != NULL ? ", " : " or ";
        int n = snprintf(names + len, sizeof names - len, "%s'%s'", between, v->name);
        len += n > 0 ? (size_t)n : 0;
    }
    return cmd_usage(self, "say %s", names);
}
