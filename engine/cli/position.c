#include "cli/cli.h"
#include "pipeline/position.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The stage that the second word names; NULL with the error. */
static const ls_stage *stage_of(const ls_args *args, const ls_config *config, ls_error *err) {
    ls_buf names = {0};
    for (size_t i = 0; i < config->nstages; i++) {
        if (strcmp(config->stages[i].name, args->name) == 0) {
            ls_buf_free(&names);
            return &config->stages[i];
        }
        ls_buf_fmt(&names, "%s%s", i ? ", " : "", config->stages[i].name);
    }
    const char *list = ls_buf_cstr(&names);
    ls_fail(err, LS_USAGE, "%s has no stage \"%s\"; it has: %s", args->script, args->name, list ? list : "");
    ls_buf_free(&names);
    return NULL;
}

/* 1: go on; 0: no. */
static int agreed(const ls_args *args, const ls_stage *stage, const char *what, ls_error *err) {
    char answer[16] = "";
    if (args->yes) return 1;
    if (!isatty(STDIN_FILENO)) return ls_fail(err, LS_USAGE, "position %s asks before it changes anything, and there is no terminal: add --yes", args->action);
    fprintf(stderr, "%s of %s \"%s\"?%s [y/N] ", what, stage->is_connector ? "connector" : "consumer", stage->name,
            stage->is_connector ? " A program that runs under this name ends." : "");
    if (!fgets(answer, sizeof answer, stdin)) return 0;
    return *answer == 'y' || *answer == 'Y';
}

static int change(const ls_args *args, const ls_stage *stage, bool set, const ls_log *log, ls_buf *out, ls_error *err) {
    char what[256];
    if (set && !args->position) return ls_fail(err, LS_USAGE, "the position is missing: list_sync position set SCRIPT NAME POSITION");
    if (!set && args->position) return ls_fail(err, LS_USAGE, "one word too many: \"%s\"; list_sync position drop SCRIPT NAME", args->position);
    if (set && args->slot) return ls_fail(err, LS_USAGE, "--slot goes with position drop");
    if (set)
        snprintf(what, sizeof what, "set to \"%.100s\" the position", args->position);
    else
        snprintf(what, sizeof what, "drop %s", !stage->is_connector ? "the group and the offsets" : args->slot ? "the checkpoint and the replication slot" : "the checkpoint");
    int yes = agreed(args, stage, what, err);
    if (yes < 0) return -1;
    if (!yes) {
        ls_buf_str(out, "nothing has changed\n");
        return 0;
    }
    return set ? ls_position_set(stage, args->script, args->position, log, out, err) : ls_position_drop(stage, args->script, args->slot, log, out, err);
}

static int act(const ls_args *args, const ls_stage *stage, const ls_log *log, ls_buf *out, ls_error *err) {
    ls_log stage_log = ls_log_for(log, stage->name);
    bool show = strcmp(args->action, "show") == 0;
    if (!show && args->json) return ls_fail(err, LS_USAGE, "--json goes with position show");
    if (!show) return change(args, stage, strcmp(args->action, "set") == 0, &stage_log, out, err);
    if (args->position || args->slot || args->yes) return ls_fail(err, LS_USAGE, "position show takes a script and a stage's name, and --json: list_sync position show SCRIPT NAME");
    return ls_position_show(stage, args->script, args->json, &stage_log, out, err);
}

static int position(const ls_args *args, const ls_log *log, ls_error *err) {
    ls_config config;
    ls_buf out = {0};
    if (!args->name) return ls_fail(err, LS_USAGE, "the stage's name is missing: %s", args->command->usage);
    if (ls_args_config(args, &config, err)) return -1;
    const ls_stage *stage = stage_of(args, &config, err);
    int rc = stage ? act(args, stage, log, &out, err) : -1;
    if (out.len) fwrite(out.data, 1, out.len, stdout);
    ls_buf_free(&out);
    ls_config_free(&config);
    return rc;
}

const ls_command ls_command_position = {
    .name = "position",
    .usage = "list_sync position show|set|drop SCRIPT NAME [POSITION] [--json] [--slot] [--yes] [--set K=V]...",
    .help = "shows, sets or drops where a stage stands: a connector's checkpoint (set: to a WAL position, a binlog's file:offset, GTIDs, \"now\", or "
            "\"earliest\" on the binlog), a consumer's group; set and drop fence a program that runs it",
    .exits = "0: done; 1: a server or broker does not answer; 2: usage or script; 3: the server cannot serve from the position, and nothing has changed",
    .words = "show set drop",
    .needs_script = true,
    .takes = LS_ARG_SET | LS_ARG_JSON | LS_ARG_SLOT | LS_ARG_YES,
    .run = position,
};
