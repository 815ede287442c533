#include "cli/cli.h"
#include "pipeline/probe.h"

static int check(const ls_args *args, const ls_log *log, ls_error *err) {
    ls_config config;
    if (ls_args_config(args, &config, err)) return -1;
    int rc = 0;
    for (size_t i = 0; i < config.nstages && rc == 0; i++) {
        if (!args->offline) rc = ls_probe_stage(&config.stages[i], log, err);
        if (rc) ls_fail_in(err, "%s \"%s\"", config.stages[i].is_connector ? "connector" : "consumer", config.stages[i].name);
        if (rc == 0) ls_log_line(log, LS_INFO, "%s \"%s\": ok", config.stages[i].is_connector ? "connector" : "consumer", config.stages[i].name);
    }
    ls_config_free(&config);
    return rc;
}

const ls_command ls_command_check = {
    .name = "check",
    .usage = "list_sync check SCRIPT [--offline] [--only NAME]... [--set K=V]...",
    .help = "looks the script over, and (without --offline) each connector's server, settings, grants and tables",
    .needs_script = true,
    .takes = LS_ARG_ONLY | LS_ARG_OFFLINE | LS_ARG_SET,
    .run = check,
};
