#include "cli/cli.h"
#include "pipeline/probe.h"

static int print(const ls_args *args, const ls_log *log, ls_error *err) {
    ls_config config;
    ls_script_env env = ls_args_env(args, log);
    if (ls_args_config(args, &config, err)) return -1;
    int rc;
    if (config.nstages != 1) {
        rc = ls_fail(err, LS_USAGE, "print shows one stage's rows, and %s has %zu: name one with --only", args->script, config.nstages);
    } else {
        rc = ls_probe_print(&config.stages[0], args->script, &env, args->rows, args->cases, log, err);
    }
    ls_config_free(&config);
    return rc;
}

const ls_command ls_command_print = {
    .name = "print",
    .usage = "list_sync print SCRIPT [--only NAME] [-n N] [--cases FILE] [--set K=V]...",
    .help = "shows a stage's messages, after its hooks, as JSON lines on stdout; moves no position",
    .needs_script = true,
    .takes = LS_ARG_ONLY | LS_ARG_ROWS | LS_ARG_SET | LS_ARG_RECORD,
    .run = print,
};
