#include "cli/cli.h"
#include "pipeline/probe.h"
#include "pipeline/try.h"

static const char *kind(const ls_stage *stage) { return stage->is_connector ? "connector" : "consumer"; }

/* The stage's hooks on the tables that cases beside the script declare, and if servers are asked on its real ones. */
static int check_stage(const ls_args *args, const ls_stage *stage, const ls_script_env *env, const char *cases, const ls_log *log, ls_error *err) {
    static const char declare[] = "declared: put cases beside the script (list_sync test)";
    static const char or_ask[] = "declared: put cases beside the script (list_sync test), or check with the servers";
    ls_try *tried;
    ls_log stage_log = ls_log_for(log, stage->name);
    if (ls_try_open(&tried, stage, args->script, env, &stage_log, err)) return -1;
    bool declared = args->offline || !stage->is_connector;
    int rc = args->offline ? 0 : ls_probe_stage(stage, tried, log, err);
    if (rc == 0 && declared) rc = ls_try_declared(tried, cases, err);
    if (rc == 0) rc = ls_try_end(tried, !declared ? "captured yet" : stage->is_connector ? or_ask : declare, err);
    ls_try_close(tried);
    return rc;
}

static int check(const ls_args *args, const ls_log *log, ls_error *err) {
    ls_config config;
    ls_script_env env = ls_args_env(args);
    ls_buf path = {0};
    if (ls_args_config(args, &config, err)) return -1;
    ls_args_cases_path(args, &path);
    const char *cases = ls_buf_cstr(&path);
    int rc = cases ? 0 : ls_fail_memory(err, "checking");
    for (size_t i = 0; i < config.nstages && rc == 0; i++) {
        const ls_stage *stage = &config.stages[i];
        rc = check_stage(args, stage, &env, cases, log, err);
        if (rc) ls_fail_in(err, "%s \"%s\"", kind(stage), stage->name);
        if (rc == 0) ls_log_line(log, LS_INFO, "%s \"%s\": ok", kind(stage), stage->name);
    }
    ls_buf_free(&path);
    ls_config_free(&config);
    return rc;
}

const ls_command ls_command_check = {
    .name = "check",
    .usage = "list_sync check SCRIPT [--offline] [--only NAME]... [--set K=V]...",
    .help = "looks the script over, and (without --offline) each connector's server, settings, grants and tables; runs hooks on made-up rows",
    .exits = "0: nothing is in the way, warnings may be; 1: a server or broker does not answer; 2: what must be mended, in script, server or hooks",
    .needs_script = true,
    .takes = LS_ARG_ONLY | LS_ARG_OFFLINE | LS_ARG_SET,
    .run = check,
};
