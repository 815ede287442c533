#include "cli/cli.h"
#include "base/text.h"
#include "pipeline/probe.h"
#include "pipeline/try.h"

#include <stdlib.h>
#include <string.h>

enum { TOPICS_MAX = 1000 }; /* of the connectors, among which a misspelt one's nearest is looked for */

static const char *kind(const ls_stage *stage) { return stage->is_connector ? "connector" : "consumer"; }

typedef struct checking {
    const ls_args *args;
    const ls_log *log;
    ls_script_env env;
    ls_config config;
    ls_log *logs;   /* the stages' */
    ls_try **tried; /* ... */
    const char *cases; /* the file beside the script; it need not be there */
} checking;

/* A consumer is tried on what the script's connectors send to its topics. */
static int open_all(checking *c, ls_error *err) {
    size_t n = c->config.nstages;
    c->logs = calloc(n, sizeof *c->logs);
    c->tried = calloc(n, sizeof *c->tried);
    if (!c->logs || !c->tried) return ls_fail_memory(err, "checking");
    for (size_t i = 0; i < n; i++) {
        const ls_stage *stage = &c->config.stages[i];
        c->logs[i] = ls_log_for(c->log, stage->name);
        if (ls_try_open(&c->tried[i], stage, c->args->script, &c->env, &c->logs[i], err)) return ls_fail_in(err, "%s \"%s\"", kind(stage), stage->name);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            bool feeds = c->config.stages[i].is_connector && !c->config.stages[k].is_connector;
            if (feeds && ls_try_feed(c->tried[i], c->tried[k], err)) return -1;
        }
    return 0;
}

/* The topics that the script's connectors send to. False where some are not known before rows come, or there is none. */
static bool known_topics(const ls_config *config, const char **names, size_t most, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < config->nstages; i++) {
        const ls_connector_options *o = &config->stages[i].as.connector;
        for (size_t k = 0; config->stages[i].is_connector && k < o->nsets; k++) {
            bool function = !o->sets[k].ntopics && (k > 0 || o->nsets == 1);
            for (size_t t = 0; t < o->sets[k].ntopics; t++) {
                if (strchr(o->sets[k].topics[t], '{') || *n == most) return false;
                names[(*n)++] = o->sets[k].topics[t];
            }
            if (function) return false;
        }
    }
    return *n > 0;
}

/* A consumer's topic that no connector of the script sends to may be another program's, or misspelt. */
static void check_topics(const checking *c, const ls_stage *stage, const ls_log *log) {
    const char *names[TOPICS_MAX];
    size_t n;
    if (stage->is_connector || !known_topics(&c->config, names, TOPICS_MAX, &n)) return;
    for (size_t i = 0; i < stage->as.consumer.ntopics; i++) {
        const char *topic = stage->as.consumer.topics[i];
        size_t at = 0;
        while (at < n && strcmp(names[at], topic) != 0) at++;
        const char *near = at == n ? ls_nearest(topic, names, n) : NULL;
        if (at == n)
            ls_log_line(log, LS_WARN, "topic %s: no connector of this script sends to it; %s%s%s", topic, near ? "did you mean \"" : "is it another program's?",
                        near ? near : "", near ? "\"?" : "");
    }
}

static int check_stage(checking *c, size_t i, ls_error *err) {
    const ls_stage *stage = &c->config.stages[i];
    ls_try *tried = c->tried[i];
    bool declared = c->args->offline || !stage->is_connector;
    const char *mend = !declared           ? "captured yet"
                       : c->args->offline ? "declared: put cases beside the script (list_sync test), or check with the servers"
                                          : "declared: put cases beside the script (list_sync test)";
    int rc = c->args->offline ? 0 : ls_probe_stage(stage, tried, c->log, err);
    check_topics(c, stage, &c->logs[i]);
    if (rc == 0 && declared) rc = ls_try_declared(tried, c->cases, err);
    if (rc == 0) rc = ls_try_end(tried, mend, err);
    if (rc) return ls_fail_in(err, "%s \"%s\"", kind(stage), stage->name);
    ls_log_line(c->log, LS_INFO, "%s \"%s\": ok", kind(stage), stage->name);
    return 0;
}

/* Connectors come first: what they send is tried on consumers. */
static int check_all(checking *c, ls_error *err) {
    for (int connectors = 1; connectors >= 0; connectors--)
        for (size_t i = 0; i < c->config.nstages; i++)
            if (c->config.stages[i].is_connector == connectors && check_stage(c, i, err)) return -1;
    return 0;
}

static int check(const ls_args *args, const ls_log *log, ls_error *err) {
    checking c = {.args = args, .log = log, .env = ls_args_env(args, log)};
    ls_buf path = {0};
    if (ls_args_config(args, &c.config, err)) return -1;
    ls_args_cases_path(args, &path);
    c.cases = ls_buf_cstr(&path);
    int rc = c.cases ? 0 : ls_fail_memory(err, "checking");
    if (rc == 0) rc = open_all(&c, err) || check_all(&c, err) ? -1 : 0;
    for (size_t i = 0; c.tried && i < c.config.nstages; i++) ls_try_close(c.tried[i]);
    free(c.tried);
    free(c.logs);
    ls_buf_free(&path);
    ls_config_free(&c.config);
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
