#include "capture/source.h"
#include "cli/cli.h"
#include "pipeline/trial.h"
#include "script/cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct testing {
    const ls_args *args;
    const ls_log *log;
    ls_script_env env;
    ls_config config;
    const char *path; /* of the cases */
    ls_cases *cases;
    size_t *failed; /* their numbers */
    size_t nfailed, passed;
    ls_buf said; /* what the case at hand has to say */
} testing;

static int broken(const ls_case *c, ls_error *err, const char *what, const char *name) {
    return ls_fail(err, LS_USAGE, "%s:%d: case \"%s\": %s%s", c->path, c->line, c->name, what, name);
}

/* The stage that a case is for; NULL with the error. *skip: --only leaves it out. */
static const ls_stage *stage_of(const testing *t, const ls_case *c, bool *skip, ls_error *err) {
    *skip = false;
    for (size_t i = 0; i < t->config.nstages; i++)
        if (c->stage ? strcmp(t->config.stages[i].name, c->stage) == 0 : t->config.nstages == 1) return &t->config.stages[i];
    *skip = c->stage && t->args->nonly;
    if (!*skip && c->stage) broken(c, err, "the script has no stage ", c->stage);
    if (!*skip && !c->stage) broken(c, err, "the script has several stages: add stage = ", "\"name\"");
    return NULL;
}

static int check_table(const ls_case *c, const ls_stage *stage, const ls_schema *s, ls_error *err) {
    const ls_connector_options *o = &stage->as.connector;
    if (!stage->is_connector || ls_tables_match(o->tables, o->ntables, s->schema, s->table)) return 0;
    return ls_fail(err, LS_USAGE, "%s:%d: case \"%s\": connector \"%s\" does not capture table %s.%s: see its `tables`", c->path, c->line, c->name, stage->name,
                   s->schema, s->table);
}

/* The rows of case i, in the trial. */
static int give(const testing *t, size_t i, const ls_stage *stage, ls_trial *trial, const ls_case_tables *tables, ls_error *err) {
    const ls_case *c = ls_cases_at(t->cases, i);
    for (size_t r = 0; r < c->nrows; r++)
        if (check_table(c, stage, tables->at[ls_cases_table_of(t->cases, i, r)], err)) return -1;
    for (size_t k = 0; k < tables->n; k++)
        if (ls_trial_teach(trial, tables->at[k], err)) return -1;
    return ls_cases_give(t->cases, i, ls_trial_begin(trial), tables, stage->is_connector, err);
}

/* What a connector sends for each row of *got. */
static int encode(ls_trial *trial, const ls_work *got, ls_case_message *list, ls_error *err) {
    const char *format;
    for (uint32_t i = 0; i < got->seen.count; i++)
        if (!(got->seen.changes[i].flags & LS_DROPPED) && ls_trial_message(trial, i, &list[i], &format, err)) return -1;
    return 0;
}

/* 1: as the case wants it; 0: *said tells; -1. */
static int compare(testing *t, size_t i, const ls_stage *stage, ls_trial *trial, ls_error *err) {
    ls_work *got;
    ls_buf places = {0};
    ls_error why;
    ls_case_message *messages = NULL;
    int rc = ls_trial_run(trial, &got, &why);
    if (rc == 0 && stage->is_connector) {
        messages = calloc(got->seen.count ? got->seen.count : 1, sizeof *messages);
        rc = messages ? encode(trial, got, messages, &why) : ls_fail_memory(&why, "testing");
    }
    if (rc) {
        rc = ls_cases_raised(t->cases, i, why.text, &t->said, err);
    } else if (ls_trial_places(trial, &places, err)) {
        rc = -1;
    } else {
        const char *text = ls_buf_cstr(&places);
        rc = text ? ls_cases_compare(t->cases, i, &got->seen, text, messages, &t->said, err) : ls_fail_memory(err, "testing");
    }
    free(messages);
    ls_buf_free(&places);
    return rc;
}

/* Each case meets a script that was just evaluated, so that what hooks remember is its own. 1, 0, or -1 as compare(). */
static int run_case(testing *t, size_t i, const ls_stage *stage, ls_error *err) {
    ls_trial *trial;
    ls_case_tables tables = {0};
    int rc = ls_trial_open(&trial, stage, t->args->script, &t->env, t->log, err);
    if (rc == 0 && stage->is_connector) ls_trial_as_text(trial);
    if (rc == 0 && !stage->is_connector) ls_trial_schemas(trial)->before = LS_BEFORE_SENT; /* its row before is what the case says */
    if (rc == 0) rc = ls_cases_tables(t->cases, ls_trial_schemas(trial), &tables, err);
    if (rc == 0) rc = give(t, i, stage, trial, &tables, err);
    if (rc == 0) rc = compare(t, i, stage, trial, err);
    if (trial) ls_trial_begin(trial); /* lets go of the tables */
    ls_cases_drop_tables(&tables);
    ls_trial_close(trial);
    return rc;
}

static int run_cases(testing *t, ls_error *err) {
    t->failed = calloc(ls_cases_count(t->cases) + 1, sizeof *t->failed);
    if (!t->failed) return ls_fail_memory(err, "testing");
    for (size_t i = 0; i < ls_cases_count(t->cases); i++) {
        bool skip;
        const ls_stage *stage = stage_of(t, ls_cases_at(t->cases, i), &skip, err);
        if (skip) continue;
        ls_buf_clear(&t->said);
        int rc = stage ? run_case(t, i, stage, err) : -1;
        if (rc < 0) return -1;
        if (rc == 0) t->failed[t->nfailed++] = i;
        t->passed += rc == 1;
        if (t->said.len) fwrite(t->said.data, 1, t->said.len, stdout);
        fflush(stdout); /* a hook that hangs in the next one ends the program */
    }
    if (t->passed + t->nfailed) return 0;
    return ls_fail(err, LS_USAGE, "%s: there is no case%s in it: ls.case { name = ..., give = ..., want = ... }", t->path, t->args->nonly ? " of these stages" : "");
}

static int finish(testing *t, ls_error *err) {
    size_t written = 0;
    int rc = t->args->update && t->nfailed ? ls_cases_update(t->cases, t->failed, t->nfailed, &written, err) : 0;
    if (written) printf("%s: %zu written anew\n", t->path, written);
    printf("%zu passed, %zu failed\n", t->passed, t->nfailed - written);
    if (rc) return -1;
    if (t->nfailed == written) return 0;
    return ls_fail(err, LS_FAIL, "%zu of %zu cases failed", t->nfailed - written, t->passed + t->nfailed);
}

static int test(const ls_args *args, const ls_log *log, ls_error *err) {
    testing t = {.args = args, .log = log, .env = ls_args_env(args, log)};
    ls_buf path = {0};
    int rc = ls_args_config(args, &t.config, err);
    if (rc) return -1;
    ls_args_cases_path(args, &path);
    t.path = ls_buf_cstr(&path);
    if (!t.path)
        rc = ls_fail_memory(err, "testing");
    else if (access(t.path, F_OK))
        rc = ls_fail(err, LS_USAGE, "%s: there are no cases: write some there, or record some with list_sync print %s --cases %s -n 10", t.path, args->script, t.path);
    else
        rc = ls_cases_open(&t.cases, t.path, err);
    if (rc == 0) rc = run_cases(&t, err) || finish(&t, err) ? -1 : 0;
    ls_cases_close(t.cases);
    ls_config_free(&t.config);
    ls_buf_free(&t.said);
    ls_buf_free(&path);
    free(t.failed);
    return rc;
}

const ls_command ls_command_test = {
    .name = "test",
    .usage = "list_sync test SCRIPT [CASES.lua] [--update] [--only NAME]... [--set K=V]...",
    .help = "gives stages the rows of cases (default: SCRIPT's name with .cases.lua) and compares what they make of them; asks no server",
    .exits = "0: all are as wanted; 1: some are not, a line each says which and where; 2: script or cases are broken, or there are none",
    .needs_script = true,
    .offline = true,
    .takes = LS_ARG_ONLY | LS_ARG_SET | LS_ARG_SECOND | LS_ARG_UPDATE,
    .run = test,
};
