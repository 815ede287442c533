/* cli.h - the command line: one command a file, each a const entry in the table of args.c. */
#ifndef LS_CLI_H
#define LS_CLI_H

#include "base/log.h"
#include "script/pages.h"
#include "script/script.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ls_command ls_command;

typedef struct ls_args { /* strings are argv's */
    const ls_command *command;
    const char *script; /* or the option that `options` is asked for; NULL: none */
    const char **only;
    size_t nonly;
    ls_conf_pair *params;
    size_t nparams;
    const char *cases; /* the second word, or --cases; NULL: none */
    const char *action, *name, *position; /* of a command with words of its own: the first, what follows the script, and what follows that */
    bool until_caught_up, offline, update, json_log, help, version, json, slot, yes;
    const char *format; /* of `options`: "text", or a generated page's */
    uint64_t rows; /* print -n; 0: no end */
    ls_level least;
} ls_args;

enum ls_arg {
    LS_ARG_ONLY = 1, LS_ARG_UNTIL = 2, LS_ARG_OFFLINE = 4, LS_ARG_ROWS = 8, LS_ARG_SET = 16, LS_ARG_FORMAT = 32, LS_ARG_UPDATE = 64, LS_ARG_RECORD = 128,
    LS_ARG_SECOND = 256, /* a second word, which names cases */
    LS_ARG_JSON = 512, LS_ARG_SLOT = 1024, LS_ARG_YES = 2048
};

struct ls_command {
    const char *name;
    const char *usage;
    const char *help;
    const char *exits; /* what its exit codes mean, where that is not the program's own; NULL */
    const char *words; /* of which one stands before the script, with blanks between them; a name and another word follow it then. NULL: none */
    bool needs_script;
    bool offline; /* it asks no server, so that secrets may be missing */
    unsigned takes; /* enum ls_arg */
    int (*run)(const ls_args *args, const ls_log *log, ls_error *err);
};

extern const ls_command ls_command_run, ls_command_check, ls_command_print, ls_command_test, ls_command_position, ls_command_options;

/* Fills *args (freed by ls_args_free); LS_USAGE names the word that is wrong. */
int ls_args_read(ls_args *args, int argc, char **argv, ls_error *err) LS_MUST_CHECK;
void ls_args_free(ls_args *args);
/* --help: of the command, or of the program. */
void ls_args_help(const ls_args *args);
/* A generated page, of all commands and their options: see ls_script_page(). */
int ls_args_page(const char *format, ls_buf *out, ls_error *err) LS_MUST_CHECK;

/* Before any thread: how malloc is used; and for so many workers. has_connector: of one worker. */
void ls_malloc_begin(void);
void ls_malloc_share(size_t workers, bool has_connector);

/* Evaluates the script and leaves in *config the stages that --only names (all without it). */
int ls_args_config(const ls_args *args, ls_config *config, ls_error *err) LS_MUST_CHECK;
/* log: borrowed; see ls_script_env. */
ls_script_env ls_args_env(const ls_args *args, const ls_log *log);
/* Appends the cases that are given, or those beside the script: orders.cases.lua of orders.lua. */
void ls_args_cases_path(const ls_args *args, ls_buf *out);

#endif
