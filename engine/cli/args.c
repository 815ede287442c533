#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ls_command *const commands[] = {&ls_command_run, &ls_command_check, &ls_command_print, &ls_command_options};
enum { COMMANDS = sizeof commands / sizeof *commands };

enum { OPT_ONLY = 256, OPT_UNTIL, OPT_OFFLINE, OPT_SET, OPT_LOG, OPT_HELP, OPT_VERSION };

static const struct option longopts[] = {
    {"only", required_argument, NULL, OPT_ONLY},       {"until-caught-up", no_argument, NULL, OPT_UNTIL},
    {"offline", no_argument, NULL, OPT_OFFLINE},       {"set", required_argument, NULL, OPT_SET},
    {"log-format", required_argument, NULL, OPT_LOG},  {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},       {NULL, 0, NULL, 0}};

static const ls_command *find(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static bool is_script(const char *word) {
    size_t n = strlen(word);
    return strchr(word, '/') || (n > 4 && strcmp(word + n - 4, ".lua") == 0);
}

static int unknown_command(const char *word, ls_error *err) {
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i]->name;
    const char *near = ls_nearest(word, names, COMMANDS);
    return ls_fail(err, LS_USAGE, "unknown command \"%s\"%s%s%s; a script's name ends in .lua or has a slash (list_sync --help)", word,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int add_param(ls_args *a, char *text, ls_error *err) {
    char *eq = strchr(text, '=');
    if (!eq || eq == text) return ls_fail(err, LS_USAGE, "--set takes NAME=VALUE, not \"%s\"", text);
    *eq = '\0';
    a->params[a->nparams++] = (ls_conf_pair){text, eq + 1};
    return 0;
}

static int read_rows(ls_args *a, const char *text, ls_error *err) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end || *text == '-' || !n) return ls_fail(err, LS_USAGE, "-n takes a number of rows from 1, not \"%s\"", text);
    a->rows = n;
    return 0;
}

static int one_option(ls_args *a, int opt, char *value, unsigned *given, char **argv, ls_error *err) {
    switch (opt) {
    case OPT_ONLY: *given |= LS_ARG_ONLY; a->only[a->nonly++] = value; return 0;
    case OPT_UNTIL: *given |= LS_ARG_UNTIL; a->until_caught_up = true; return 0;
    case OPT_OFFLINE: *given |= LS_ARG_OFFLINE; a->offline = true; return 0;
    case OPT_SET: *given |= LS_ARG_SET; return add_param(a, value, err);
    case 'n': *given |= LS_ARG_ROWS; return read_rows(a, value, err);
    case 'v': a->least = LS_DEBUG; return 0;
    case 'q': a->least = LS_WARN; return 0;
    case 'h':
    case OPT_HELP: a->help = true; return 0;
    case OPT_VERSION: a->version = true; return 0;
    case OPT_LOG:
        if (strcmp(value, "text") && strcmp(value, "json")) return ls_fail(err, LS_USAGE, "--log-format is text or json, not \"%s\"", value);
        a->json_log = value[0] == 'j';
        return 0;
    case ':': return ls_fail(err, LS_USAGE, "%s wants a value (list_sync --help)", argv[optind - 1]);
    default: return ls_fail(err, LS_USAGE, "unknown option %s (list_sync --help)", argv[optind - 1]);
    }
}

static int take_words(ls_args *a, int argc, char **argv, unsigned given, ls_error *err) {
    const char *first = optind < argc ? argv[optind] : NULL;
    a->command = first ? find(first) : NULL;
    if (first && strcmp(first, "help") == 0) {
        a->help = true;
        a->command = optind + 1 < argc ? find(argv[optind + 1]) : NULL;
        return 0;
    }
    if (a->command)
        optind++;
    else if (first && is_script(first))
        a->command = &ls_command_run;
    else if (first)
        return unknown_command(first, err);
    if (a->help || a->version) return 0;
    if (!a->command) return ls_fail(err, LS_USAGE, "a script is missing: list_sync pipeline.lua (list_sync --help)");
    if (optind < argc) a->script = argv[optind++];
    if (a->command->needs_script && !a->script) return ls_fail(err, LS_USAGE, "a script is missing: %s", a->command->usage);
    if (optind < argc) return ls_fail(err, LS_USAGE, "one word too many: \"%s\"; %s", argv[optind], a->command->usage);
    if (given & ~a->command->takes)
        return ls_fail(err, LS_USAGE, "an option does not go with \"%s\": %s", a->command->name, a->command->usage);
    return 0;
}

int ls_args_read(ls_args *a, int argc, char **argv, ls_error *err) {
    unsigned given = 0;
    *a = (ls_args){.least = LS_INFO};
    a->only = calloc((size_t)argc + 1, sizeof *a->only);
    a->params = calloc((size_t)argc + 1, sizeof *a->params);
    if (!a->only || !a->params) return ls_fail_memory(err, "reading the command line");
    opterr = 0;
    for (int opt; (opt = getopt_long(argc, argv, ":n:vqh", longopts, NULL)) != -1;)
        if (one_option(a, opt, optarg, &given, argv, err)) return -1;
    return take_words(a, argc, argv, given, err);
}

void ls_args_free(ls_args *a) {
    free(a->only);
    free(a->params);
}

void ls_args_help(const ls_args *a) {
    if (a->command) {
        printf("usage: %s\n\n%s\n", a->command->usage, a->command->help);
    } else {
        printf("list_sync streams row changes from PostgreSQL and MariaDB into Kafka, and from Kafka into CSV files.\n\n");
        for (size_t i = 0; i < COMMANDS; i++) printf("  %s\n      %s\n", commands[i]->usage, commands[i]->help);
        printf("\nA first word with a / or ending in .lua is a script to run.\n");
    }
    unsigned takes = a->command ? a->command->takes : ~0u;
    printf("\n");
    if (takes & LS_ARG_ONLY) printf("  --only NAME             this stage alone; may come several times\n");
    if (takes & LS_ARG_UNTIL) printf("  --until-caught-up       up to the databases' and then the topics' ends as of now\n");
    if (takes & LS_ARG_OFFLINE) printf("  --offline               asks no server\n");
    if (takes & LS_ARG_ROWS) printf("  -n N                    ends after N rows\n");
    printf("\neverywhere:\n"
           "  --set NAME=VALUE        a value for the script's ls.param(NAME, default)\n"
           "  --log-format text|json  how log lines on stderr look (default text)\n"
           "  -v, -q                  more, or fewer, log lines\n"
           "  --help, --version\n"
           "\nexit codes: 0 clean stop, 1 failure while running, 2 usage or script, 3 position lost, 4 fenced by another instance\n");
}

ls_script_env ls_args_env(const ls_args *a, const ls_log *log) {
    return (ls_script_env){.params = a->params, .nparams = a->nparams, .offline = a->offline, .log = log};
}

static bool wanted(const ls_args *a, const char *name) {
    for (size_t i = 0; i < a->nonly; i++)
        if (strcmp(a->only[i], name) == 0) return true;
    return a->nonly == 0;
}

static int check_only(const ls_args *a, const ls_config *c, ls_error *err) {
    for (size_t i = 0; i < a->nonly; i++) {
        size_t k = 0;
        ls_buf names = {0};
        while (k < c->nstages && strcmp(a->only[i], c->stages[k].name)) k++;
        if (k < c->nstages) continue;
        for (k = 0; k < c->nstages; k++) ls_buf_fmt(&names, "%s%s", k ? ", " : "", c->stages[k].name);
        const char *list = ls_buf_cstr(&names);
        ls_fail(err, LS_USAGE, "--only %s: %s has no such stage; it has: %s", a->only[i], a->script, list ? list : "");
        ls_buf_free(&names);
        return -1;
    }
    return 0;
}

int ls_args_config(const ls_args *a, ls_config *config, ls_error *err) {
    ls_script *script = NULL;
    ls_script_env env = ls_args_env(a, NULL);
    *config = (ls_config){0};
    int rc = ls_script_open(&script, a->script, &env, err) || ls_script_config(script, config, err) || check_only(a, config, err) ? -1 : 0;
    ls_script_close(script);
    if (rc == 0 && !config->nstages)
        rc = ls_fail(err, LS_USAGE, "%s declares no stage: call ls.connector or ls.consumer in it", a->script);
    if (rc) {
        ls_config_free(config);
        return -1;
    }
    size_t kept = 0;
    for (size_t i = 0; i < config->nstages; i++)
        if (wanted(a, config->stages[i].name)) config->stages[kept++] = config->stages[i];
    config->nstages = kept;
    return 0;
}
