#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ls_command *const commands[] = {&ls_command_run, &ls_command_check, &ls_command_print, &ls_command_test,
                                           &ls_command_position, &ls_command_options};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const char about[] = "streams row changes from PostgreSQL, MariaDB and MySQL into Kafka, and from Kafka into files";

/* What the command line may have. --help, the manual page and the completions are made of this table and of the commands' own. */
enum { OPT_ONLY, OPT_UNTIL, OPT_OFFLINE, OPT_ROWS, OPT_CASES, OPT_UPDATE, OPT_SET, OPT_FORMAT, OPT_JSON, OPT_SLOT, OPT_YES, OPT_LOG, OPT_VERBOSE, OPT_QUIET, OPT_HELP, OPT_VERSION, OPTIONS };
enum { OPT_CODE = 256 }; /* getopt's code of the first: above all letters */

static const ls_usage_option options[OPTIONS] = {
    [OPT_ONLY] = {.name = "only", .value = "NAME", .of = LS_ARG_ONLY, .help = "this stage alone; may come several times"},
    [OPT_UNTIL] = {.name = "until-caught-up", .of = LS_ARG_UNTIL, .help = "up to the databases' and then the topics' ends as of now"},
    [OPT_OFFLINE] = {.name = "offline", .of = LS_ARG_OFFLINE, .help = "asks no server"},
    [OPT_ROWS] = {.letter = 'n', .value = "N", .of = LS_ARG_ROWS, .help = "ends after N rows"},
    [OPT_CASES] = {.name = "cases", .value = "FILE", .of = LS_ARG_RECORD, .help = "also writes the rows, real data, as cases for `test` into a new file"},
    [OPT_UPDATE] = {.name = "update", .of = LS_ARG_UPDATE, .help = "writes what the failing cases got into their file"},
    [OPT_SET] = {.name = "set", .value = "NAME=VALUE", .of = LS_ARG_SET, .help = "a value for the script's ls.param(NAME, default)"},
    [OPT_FORMAT] = {.name = "format", .value = "FORMAT", .choices = "text lua man bash zsh fish", .of = LS_ARG_FORMAT,
                    .help = "text, annotations for editors (lua), the manual page (man), or a shell's completion"},
    [OPT_JSON] = {.name = "json", .of = LS_ARG_JSON, .help = "show: as one line of JSON"},
    [OPT_SLOT] = {.name = "slot", .of = LS_ARG_SLOT, .help = "drop: PostgreSQL's replication slot as well"},
    [OPT_YES] = {.name = "yes", .of = LS_ARG_YES, .help = "set and drop: asks nothing"},
    [OPT_LOG] = {.name = "log-format", .value = "FORMAT", .choices = "text json", .help = "how log lines on stderr look: text or json"},
    [OPT_VERBOSE] = {.letter = 'v', .help = "more log lines"},
    [OPT_QUIET] = {.letter = 'q', .help = "fewer log lines"},
    [OPT_HELP] = {.name = "help", .letter = 'h', .help = "tells this"},
    [OPT_VERSION] = {.name = "version", .help = "tells the version"},
};

static const ls_usage_exit exits[] = {
    {LS_OK, "clean stop"},
    {LS_FAIL, "failure while running"},
    {LS_USAGE, "usage or script"},
    {LS_LOST, "position lost"},
    {LS_FENCED, "fenced by another instance"},
};
enum { EXITS = sizeof exits / sizeof *exits };

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

/* Is the word one of those that have blanks between them? */
static bool among(const char *choices, const char *word) {
    size_t n = strlen(word);
    for (const char *p = choices; n && p; p = strchr(p, ' ')) {
        p += *p == ' ';
        if (strncmp(p, word, n) == 0 && (p[n] == ' ' || p[n] == '\0')) return true;
    }
    return false;
}

/* The option that getopt's code stands for; OPTIONS: none. */
static int option_of(int code) {
    int i = 0;
    if (code >= OPT_CODE) return code - OPT_CODE;
    while (i < OPTIONS && options[i].letter != code) i++;
    return i;
}

static int one_option(ls_args *a, int code, char *value, unsigned *given, char **argv, ls_error *err) {
    int which = option_of(code);
    if (code == ':') return ls_fail(err, LS_USAGE, "%s wants a value (list_sync --help)", argv[optind - 1]);
    if (which == OPTIONS) return ls_fail(err, LS_USAGE, "unknown option %s (list_sync --help)", argv[optind - 1]);
    const ls_usage_option *o = &options[which];
    *given |= o->of;
    if (o->choices && !among(o->choices, value))
        return ls_fail(err, LS_USAGE, "--%s is one of %s, not \"%s\"", o->name, o->choices, value);
    switch (which) {
    case OPT_ONLY: a->only[a->nonly++] = value; return 0;
    case OPT_UNTIL: a->until_caught_up = true; return 0;
    case OPT_OFFLINE: a->offline = true; return 0;
    case OPT_ROWS: return read_rows(a, value, err);
    case OPT_CASES: a->cases = value; return 0;
    case OPT_UPDATE: a->update = true; return 0;
    case OPT_SET: return add_param(a, value, err);
    case OPT_FORMAT: a->format = value; return 0;
    case OPT_JSON: a->json = true; return 0;
    case OPT_SLOT: a->slot = true; return 0;
    case OPT_YES: a->yes = true; return 0;
    case OPT_LOG: a->json_log = strcmp(value, "json") == 0; return 0;
    case OPT_VERBOSE: a->least = LS_DEBUG; return 0;
    case OPT_QUIET: a->least = LS_WARN; return 0;
    case OPT_HELP: a->help = true; return 0;
    default: a->version = true; return 0;
    }
}

/* The table as getopt_long() takes it. */
static void for_getopt(struct option named[OPTIONS + 1], char letters[2 * OPTIONS + 2]) {
    *letters++ = ':';
    for (int i = 0; i < OPTIONS; i++) {
        const ls_usage_option *o = &options[i];
        if (o->name) *named++ = (struct option){o->name, o->value ? required_argument : no_argument, NULL, OPT_CODE + i};
        if (o->letter) *letters++ = o->letter;
        if (o->letter && o->value) *letters++ = ':';
    }
    *named = (struct option){0};
    *letters = '\0';
}

static int take_action(ls_args *a, int argc, char **argv, ls_error *err) {
    a->action = optind < argc ? argv[optind++] : "";
    if (among(a->command->words, a->action)) return 0;
    return ls_fail(err, LS_USAGE, "%s is followed by one of %s, not \"%s\": %s", a->command->name, a->command->words, a->action, a->command->usage);
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
    if (a->command->words && take_action(a, argc, argv, err)) return -1;
    if (optind < argc) a->script = argv[optind++];
    if (a->command->needs_script && !a->script) return ls_fail(err, LS_USAGE, "a script is missing: %s", a->command->usage);
    if (optind < argc && a->command->words) a->name = argv[optind++];
    if (optind < argc && a->command->words) a->position = argv[optind++];
    if (optind < argc && a->command->takes & LS_ARG_SECOND) a->cases = argv[optind++];
    if (optind < argc) return ls_fail(err, LS_USAGE, "one word too many: \"%s\"; %s", argv[optind], a->command->usage);
    if (given & ~a->command->takes)
        return ls_fail(err, LS_USAGE, "an option does not go with \"%s\": %s", a->command->name, a->command->usage);
    return 0;
}

int ls_args_read(ls_args *a, int argc, char **argv, ls_error *err) {
    unsigned given = 0;
    struct option named[OPTIONS + 1];
    char letters[2 * OPTIONS + 2];
    *a = (ls_args){.least = LS_INFO, .format = "text"};
    a->only = calloc((size_t)argc + 1, sizeof *a->only);
    a->params = calloc((size_t)argc + 1, sizeof *a->params);
    if (!a->only || !a->params) return ls_fail_memory(err, "reading the command line");
    opterr = 0;
    for_getopt(named, letters);
    for (int code; (code = getopt_long(argc, argv, letters, named, NULL)) != -1;)
        if (one_option(a, code, optarg, &given, argv, err)) return -1;
    return take_words(a, argc, argv, given, err);
}

void ls_args_free(ls_args *a) {
    free(a->only);
    free(a->params);
}

enum { HELP_COLUMN = 26 };

static void show_option(const ls_usage_option *o) {
    int n = o->letter && o->name ? printf("  -%c, --%s", o->letter, o->name)
            : o->letter          ? printf("  -%c", o->letter)
                                 : printf("  --%s", o->name);
    if (o->value) n += printf(" %s", o->value);
    printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", o->help);
}

void ls_args_help(const ls_args *a) {
    if (a->command) {
        printf("usage: %s\n\n%s\n", a->command->usage, a->command->help);
    } else {
        printf("list_sync %s.\n\n", about);
        for (size_t i = 0; i < COMMANDS; i++) printf("  %s\n      %s\n", commands[i]->usage, commands[i]->help);
        printf("\nA first word with a / or ending in .lua is a script to run.\n");
    }
    unsigned takes = a->command ? a->command->takes : ~0u;
    printf("\n");
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].of & takes) show_option(&options[i]);
    printf("\neverywhere:\n");
    for (int i = 0; i < OPTIONS; i++)
        if (!options[i].of) show_option(&options[i]);
    printf("\nexit codes:");
    if (a->command && a->command->exits)
        printf(" %s", a->command->exits);
    else
        for (int i = 0; i < EXITS; i++) printf("%s %d %s", i ? "," : "", exits[i].code, exits[i].meaning);
    printf("\n");
}

int ls_args_page(const char *format, ls_buf *out, ls_error *err) {
    ls_usage_command of[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        const ls_command *c = commands[i];
        of[i] = (ls_usage_command){.name = c->name, .usage = c->usage, .help = c->help, .words = c->words, .script = c->needs_script, .takes = c->takes};
    }
    const ls_usage u = {.about = about, .version = LIST_SYNC_VERSION, .commands = of, .ncommands = COMMANDS,
                        .options = options, .noptions = OPTIONS, .exits = exits, .nexits = EXITS};
    return ls_script_page(format, &u, out, err);
}

ls_script_env ls_args_env(const ls_args *a, const ls_log *log) {
    return (ls_script_env){.params = a->params, .nparams = a->nparams, .offline = a->offline || a->command->offline, .log = log};
}

void ls_args_cases_path(const ls_args *a, ls_buf *out) {
    size_t n = strlen(a->script);
    if (a->cases) {
        ls_buf_str(out, a->cases);
        return;
    }
    ls_buf_add(out, a->script, n > 4 && strcmp(a->script + n - 4, ".lua") == 0 ? n - 4 : n);
    ls_buf_str(out, ".cases.lua");
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
