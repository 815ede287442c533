/* bench_hooks.c - what hooks and `columns` cost a row of a 4-column table, on one core, beside filling the batch without them.
 *
 *   bench_hooks [ROUNDS]     batches of 1,024 rows a measurement (2,000) */
#include "base/clock.h"
#include "change/columns.h"
#include "change/row.h"
#include "change/value.h"
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = LS_BATCH_ROWS, REPEATS = 5 };

static const char script[] =
    "local ls = require 'list_sync'\n"
    "local function stage(name, hooks)\n"
    "  ls.connector { name = name, db_type = 'postgres', host = 'h', user = 'u', database = 'd', table = 'public.t',\n"
    "                 kafka_conf = 'memory', filter = hooks.filter, map = hooks.map, topic = hooks.topic or 't', key = hooks.key, headers = hooks.headers,\n"
    "                 format = hooks.format }\n"
    "end\n"
    "stage('filter', { filter = function(row) return row.image.status ~= 'draft' end })\n"
    "stage('filter_map', { filter = function(row) return row.image.status ~= 'draft' end, map = function(row) row.new.note = 'x' end })\n"
    "local hash = ls.hmac 'pepper'\n"
    "stage('mask', { map = function(row) row:mask('email', hash) end })\n"
    "stage('clone', { map = function(row) row:clone() end })\n"
    "stage('topic', { topic = function(row) return 't_' .. row.image.status end })\n"
    "stage('topic_key', { topic = function(row) return 't_' .. row.image.status end, key = function(row) return row.image.id end })\n"
    "stage('headers', { headers = function(row) return { status = row.image.status, zone = 'eu' } end })\n"
    "stage('format_text', { format = function(row)\n"
    "  local new = row.new\n"
    "  return '{\"id\":' .. new.id .. ',\"status\":' .. ls.quoted(new.status) .. ',\"email\":' .. ls.quoted(new.email) .. ',\"note\":' .. ls.quoted(new.note) ..\n"
    "    ',\"ts\":' .. row.ts .. '}'\n"
    "end })\n"
    "stage('format_json', { format = function(row)\n"
    "  local new = row.new\n"
    "  return ls.json { id = new.id, status = new.status, email = new.email, note = new.note, ts = row.ts }\n"
    "end })\n";

static ls_error err;

static void must(int rc, const char *what) {
    if (rc == 0) return;
    fprintf(stderr, "bench_hooks: %s: %s\n", what, err.text);
    abort();
}

static void fill(ls_work *w, const ls_schema *s) {
    ls_tx t = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742"};
    uint64_t seq = 0;
    ls_work_reset(w);
    const ls_tx *tx = ls_work_tx(w, &t);
    for (int i = 0; i < ROWS; i++) {
        ls_value *v = ls_work_values(w, s->ncols);
        v[0] = ls_value_int(i);
        v[1] = ls_value_text("paid", 4);
        v[2] = ls_value_text("somebody@example.org", 20);
        v[3] = ls_value_state(LS_NULL);
        must(ls_row_insert(w, s, tx, &seq, v), "filling a batch");
    }
}

/* Nanoseconds a row, the best of some. */
static double measure(ls_work *w, const ls_schema *s, ls_script *hooks, ls_columns *columns, int rounds) {
    double best = 1e9;
    for (int k = 0; k < REPEATS; k++) {
        int64_t from = ls_clock_wall_us();
        for (int r = 0; r < rounds; r++) {
            fill(w, s);
            if (columns) must(ls_columns_run(columns, w, &err), "columns");
            if (hooks) must(ls_script_run(hooks, &w->seen, &err), "a hook");
        }
        double ns = (double)(ls_clock_wall_us() - from) * 1e3 / ((double)rounds * ROWS);
        if (ns < best) best = ns;
    }
    return best;
}

int main(int argc, char **argv) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"status", 6, LS_TYPE_STRING}, {"email", 5, LS_TYPE_STRING}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    static const ls_column_rule mask = {.name = "email", .cast = -1, .mask = LS_MASK_HMAC, .text = "pepper", .text_len = 6},
                                keep = {.name = "email", .cast = -1, .mask = LS_MASK_KEEP_LAST, .keep = 4}, drop = {.name = "note", .drop = true, .cast = -1};
    static const char *const stages[] = {"filter", "filter_map", "mask", "clone", "topic", "topic_key", "headers", "format_text", "format_json"};
    const struct { const char *name; const ls_column_rule *rule; } rules[] = {{"columns.mask hmac", &mask}, {"columns.mask keep_last", &keep}, {"columns.drop", &drop}};
    int rounds = argc > 1 ? atoi(argv[1]) : 2000;
    ls_schemas schemas = {0};
    ls_log log = {.least = LS_ERROR};
    char path[] = "/tmp/bench_hooks.XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, script, sizeof script - 1) != (ssize_t)(sizeof script - 1)) abort();
    close(fd);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *s = ls_schema_new(&schemas, "public", 6, "t", 1, cols, 4, key, 1);
    double none = measure(w, s, NULL, NULL, rounds);
    printf("%-24s %7.1f ns a row\n", "no hook", none);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        ls_script *hooks;
        const ls_script_env env = {0};
        must(ls_script_open(&hooks, path, &env, &err), "opening the script");
        must(ls_script_use(hooks, stages[i], &err), "using a stage");
        printf("%-24s %+7.1f\n", stages[i], measure(w, s, hooks, NULL, rounds) - none);
        ls_script_close(hooks);
    }
    w->isolate = w->keep = true; /* on_error = "dead_letter": what a hook writes to is kept as it was */
    for (size_t i = 0; i < sizeof stages / sizeof *stages && i < 2; i++) {
        ls_script *hooks;
        must(ls_script_open(&hooks, path, &(const ls_script_env){0}, &err), "opening the script");
        must(ls_script_use(hooks, stages[i], &err), "using a stage");
        printf("%-10s, dead letters %+7.1f\n", stages[i], measure(w, s, hooks, NULL, rounds) - none);
        ls_script_close(hooks);
    }
    w->isolate = w->keep = false;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        ls_columns *c = ls_columns_new(&(ls_column_set){.rules = rules[i].rule, .nrules = 1, .strict = true}, 1, &schemas, &log);
        printf("%-24s %+7.1f\n", rules[i].name, measure(w, s, NULL, c, rounds) - none);
        ls_work_reset(w);
        ls_columns_free(c);
    }
    ls_work_free(w);
    ls_schema_unref(s);
    unlink(path);
    return 0;
}
