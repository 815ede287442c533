#include "pipeline/probe.h"

#include "capture/source.h"
#include "kafka/producer.h"
#include "pipeline/encode.h"
#include "pipeline/incoming.h"
#include "pipeline/progress.h"
#include "pipeline/worker.h"
#include "script/cases.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LS_PRINT_WAIT_MS = 100, LS_PRINT_MESSAGES = 256, LS_PRINT_BYTES = 1024 * 1024 };

typedef struct printer {
    const ls_stage *stage;
    const ls_log *log;
    ls_script *script;
    ls_columns *columns;
    ls_encoder *encoder;
    ls_schemas schemas;
    ls_table_rule *rules; /* of schemas */
    ls_work *work;
    ls_buf line;
    ls_cases *cases; /* --cases: writes texts, which go to record; else NULL */
    FILE *record;
    size_t recorded; /* cases */
    uint64_t left; /* rows still to print; counts down from rows, or from UINT64_MAX */
} printer;

/* What moves = "keep" leaves behind. */
static void warn_of_moves(const ls_stage *stage, const ls_log *log) {
    const ls_connector_options *o = &stage->as.connector;
    for (size_t i = 0; i < o->nsets; i++)
        if (o->sets[i].filtered && strcmp(o->sets[i].moves, "split") != 0)
            ls_log_line(log, LS_WARN,
                        "%s%s%s filter and moves = \"keep\": an update whose row leaves the filter is not sent, and readers keep the row as it was; "
                        "moves = \"split\" makes a delete of it, and needs rows before whole",
                        o->sets[i].pattern ? "tables[\"" : "", o->sets[i].pattern ? o->sets[i].pattern : "", o->sets[i].pattern ? "\"] has a" : "it has a");
}

static int try_table(void *ctx, const ls_source_table *t, ls_error *err) { return ls_try_table(ctx, t->schema, t->columns, err); }

static int probe_connector(const ls_stage *stage, ls_try *tried, const ls_log *log, ls_error *err) {
    ls_source_conf conf = ls_connector_source(stage, ls_try_schemas(tried), NULL);
    conf.inspect = true;
    warn_of_moves(stage, log);
    const ls_source_ops *ops = ls_source_find(conf.db_type);
    ls_source_identity id = {0};
    ls_source *source = NULL;
    int rc = ops ? ops->open(&source, &conf, log, NULL, &id, err)
                 : ls_fail(err, LS_USAGE, "there is no source for db_type \"%s\"", conf.db_type);
    if (rc == 0) rc = ops->tables(source, try_table, tried, err);
    if (source) ops->close(source);
    return rc;
}

/* Do brokers answer, and are the topics there that a consumer wants? */
static int probe_kafka(const ls_stage *stage, const ls_log *log, ls_error *err) {
    const ls_consumer_options *o = stage->is_connector ? NULL : &stage->as.consumer;
    ls_kafka_conf conf = ls_stage_kafka(stage, NULL);
    ls_producer *client;
    int has, rc = 0;
    if (stage->kafka.memory) return 0;
    if (ls_producer_open(&client, &conf, LS_MESSAGE_MAX, log, err)) return -1;
    for (size_t i = 0; rc == 0 && i < (o ? o->ntopics : 1); i++) {
        rc = ls_topic_partitions(ls_producer_handle(client), o ? o->topics[i] : "", &has, err);
        if (rc == 0 && o && !has) ls_log_line(log, LS_WARN, "topic %s does not exist yet: a connector makes its topics at its first start; else see how it is spelt", o->topics[i]);
    }
    ls_producer_close(client);
    return rc;
}

/* The folder of the files, or the nearest one above it that there is: the others are made. */
static int probe_folder(const char *filename, ls_error *err) {
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(filename, "{"), filename); /* a template's folders are made from its first brace on */
    for (;;) {
        char *slash = strrchr(path, '/');
        if (!slash)
            strcpy(path, ".");
        else
            slash[slash == path] = '\0';
        if (stat(path, &st) == 0) break;
        if (errno != ENOENT || !slash || slash == path) return ls_fail(err, LS_USAGE, "filename: folder %s: %s: choose another one", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) return ls_fail(err, LS_USAGE, "filename: %s is no folder: choose another one", path);
    if (access(path, W_OK | X_OK))
        return ls_fail(err, LS_USAGE, "filename: cannot write into folder %s: %s: give the user the right, or choose another one", path, strerror(errno));
    return 0;
}

static int probe_folders(const ls_csv_options *csv, ls_error *err) {
    int rc = probe_folder(csv->filename, err);
    for (size_t i = 0; rc == 0 && i < csv->nlayouts; i++) rc = probe_folder(csv->layouts[i].csv.filename, err);
    return rc;
}

int ls_probe_stage(const ls_stage *stage, ls_try *tried, const ls_log *log, ls_error *err) {
    ls_log stage_log = ls_log_for(log, stage->name);
    int rc = stage->is_connector ? probe_connector(stage, tried, &stage_log, err) : stage->as.consumer.lua_writer ? 0 : probe_folders(&stage->as.consumer.csv, err);
    if (rc == 0) rc = probe_kafka(stage, &stage_log, err);
    if (rc && err->code == LS_AGAIN) err->code = LS_FAIL;
    return rc;
}

/* While messages are printed SIGINT and SIGTERM wait: print ends well then, between two messages. */
static void hold_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool interrupted(void) {
    sigset_t pending;
    return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM));
}

/* Appends a case: the row that was noted, and what became of it. */
static int record(printer *p, ls_error *err) {
    ls_buf text = {0};
    int rc = ls_cases_record(p->cases, p->stage->name, &p->work->seen, &text, err);
    if (rc == 0 && (fwrite(text.data, 1, text.len, p->record) != text.len || fflush(p->record)))
        rc = ls_fail(err, LS_FAIL, "writing cases: %s", strerror(errno));
    ls_buf_free(&text);
    p->recorded += rc == 0;
    return rc;
}

/* 1: the last wanted row is out, or nobody reads any more. */
static int print_rows(printer *p, ls_error *err) {
    ls_batch *b = &p->work->seen;
    bool row = b->count == 1 && (b->changes[0].after || b->changes[0].before);
    if (p->record && row && ls_cases_note(p->cases, b, err)) return -1;
    if (p->columns && ls_columns_run(p->columns, p->work, err)) return -1;
    if (p->script && b->count && ls_script_run(p->script, b, err)) return -1;
    if (p->record && row && record(p, err)) return -1;
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->changes[i].flags & LS_DROPPED) continue;
        ls_buf_clear(&p->line);
        int value = ls_encoder_message(p->encoder, b, i, &p->line, err);
        if (value < 0) return -1;
        if (!value) ls_buf_str(&p->line, "null");
        ls_buf_char(&p->line, '\n');
        if (p->line.failed) return ls_fail_memory(err, "printing a row");
        if (fwrite(p->line.data, 1, p->line.len, stdout) != p->line.len) return 1;
        if (--p->left == 0) break;
    }
    return fflush(stdout) || p->left == 0;
}

/* Rows are recorded one by one, so that of each it is known what the hooks made of it. */
static int print_batch(printer *p, ls_error *err) {
    ls_batch *b = &p->work->seen;
    uint32_t count = b->count;
    if (!p->record || !count) return print_rows(p, err);
    ls_change *all = malloc(count * sizeof *all);
    if (!all) return ls_fail_memory(err, "printing a row");
    memcpy(all, b->changes, count * sizeof *all);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        b->changes[0] = all[i];
        b->count = 1;
        rc = print_rows(p, err);
    }
    free(all);
    return rc;
}

static int open_record(printer *p, const char *path, ls_error *err) {
    static const char head[] = "-- Recorded by list_sync print: these are rows of the database, with all that stands in them.\nlocal ls = require \"list_sync\"\n";
    if (!path) return 0;
    if (!(p->record = fopen(path, "wx")))
        return ls_fail(err, LS_USAGE, "--cases %s: %s%s", path, strerror(errno), errno == EEXIST ? ": print writes a new file, name another one" : "");
    fwrite(head, 1, sizeof head - 1, p->record);
    return ls_cases_open(&p->cases, NULL, err);
}

static int print_source(printer *p, ls_error *err) {
    ls_source_conf conf = ls_connector_source(p->stage, &p->schemas, NULL);
    const ls_source_ops *ops = ls_source_find(conf.db_type);
    ls_source_identity id = {0};
    ls_source *source = NULL;
    ls_place at = {0};
    ls_buf gtid = {0};
    conf.temporary_slot = true;
    conf.server_id = (uint32_t)getpid() | 0x40000000u; /* one of its own, so that the connector's dump goes on */
    conf.any_id = true;
    int rc = -1;
    if (!ops) {
        ls_fail(err, LS_USAGE, "there is no source for db_type \"%s\"", conf.db_type);
        goto out;
    }
    if (ops->open(&source, &conf, p->log, NULL, &id, err) || ops->create(source, false, &at, &gtid, err)) goto out;
    p->work = ls_work_new(&p->schemas, p->stage->name, id.db);
    const char *gtid_text = ls_buf_cstr(&gtid);
    if (!p->work || !gtid_text) {
        ls_fail_memory(err, "starting");
        goto out;
    }
    p->work->masks = ls_columns_mask(p->columns);
    ls_resume from = {.restart = at, .gtid = gtid_text, .delivered_pos = "", .delivered_gtid = "", .binlog = id.binlog};
    if (ops->start(source, &from, err)) goto out;
    hold_signals();
    do {
        ls_work_reset(p->work);
        if ((rc = ops->read(source, p->work, LS_PRINT_WAIT_MS, err))) break;
        if (p->work->nmarks) at = p->work->marks[p->work->nmarks - 1].place;
        rc = print_batch(p, err);
        if (rc == 0) rc = ops->confirm(source, &at, err);
    } while (rc == 0 && !interrupted());
    rc = rc < 0 ? -1 : 0;
out:
    if (source) ops->close(source);
    ls_buf_free(&gtid);
    return rc;
}

static void nothing_to_commit(void *ctx) { (void)ctx; }

static int read_message(printer *p, ls_decoder *decoder, const ls_message *m, ls_error *err) {
    uint32_t from = p->work->seen.count;
    ls_origin *origin = ls_arena_alloc(&p->work->arena, sizeof *origin);
    if (!origin) return ls_fail_memory(err, "reading messages");
    *origin = (ls_origin){m->topic, m->partition};
    if (ls_incoming_read(decoder, p->work, m, err)) return -1;
    for (; from < p->work->seen.count; from++) p->work->seen.changes[from].origin = origin;
    return 0;
}

static int print_messages(printer *p, ls_consumer *consumer, ls_decoder *decoder, ls_error *err) {
    ls_message m[LS_PRINT_MESSAGES];
    size_t n;
    int rc = 0;
    hold_signals();
    while (rc == 0 && !interrupted()) {
        ls_work_reset(p->work);
        if (ls_consumer_poll(consumer, m, LS_PRINT_MESSAGES, LS_PRINT_BYTES, LS_PRINT_WAIT_MS, &n, err)) return -1;
        for (size_t i = 0; i < n; i++)
            if (read_message(p, decoder, &m[i], err)) return -1;
        rc = print_batch(p, err);
        ls_work_reset(p->work);
        ls_consumer_release(consumer);
    }
    return rc < 0 ? -1 : 0;
}

static int print_topics(printer *p, ls_error *err) {
    ls_progress own = {0};
    char group[64];
    ls_progress_new_instance(&own);
    snprintf(group, sizeof group, "list_sync-print-%s", own.instance);
    const ls_consumer_options *o = &p->stage->as.consumer;
    ls_consumer_conf conf = {.kafka = ls_stage_kafka(p->stage, NULL),
                             .group_id = group,
                             .topics = o->topics,
                             .ntopics = o->ntopics,
                             .auto_offset_reset = "earliest",
                             .budget = o->memory,
                             .revoked = nothing_to_commit};
    ls_consumer *consumer = NULL;
    ls_decoder *decoder = ls_decoder_for(&p->schemas, o->decode);
    p->work = ls_work_new(&p->schemas, "", "");
    int rc = decoder && p->work ? ls_consumer_open(&consumer, &conf, p->log, err) : ls_fail_memory(err, "starting");
    if (rc == 0) rc = print_messages(p, consumer, decoder, err);
    ls_work_free(p->work);
    p->work = NULL;
    if (consumer) ls_consumer_close(consumer);
    ls_decoder_free(decoder);
    return rc;
}

int ls_probe_print(const ls_stage *stage, const char *script, const ls_script_env *env, uint64_t rows, const char *cases, const ls_log *log,
                   ls_error *err) {
    ls_log stage_log = ls_log_for(log, stage->name);
    printer p = {.stage = stage, .log = &stage_log, .left = rows ? rows : UINT64_MAX};
    int rc = open_record(&p, cases, err);
    if (rc) goto out;
    rc = -1;
    if (ls_encoder_open(&p.encoder, stage, err)) goto out;
    ls_encoder_as_text(p.encoder);
    if (stage->has_hooks && (ls_script_open(&p.script, script, env, err) || ls_script_use(p.script, stage->name, err))) goto out;
    if (stage->is_connector) {
        rc = ls_connector_rules(&p.schemas, &p.rules, stage, err) || ls_connector_columns(&p.columns, stage, &p.schemas, &stage_log, err)
                 ? -1 : print_source(&p, err);
    } else if (stage->kafka.memory) {
        ls_fail(err, LS_USAGE, "kafka_conf = \"memory\" is an in-process broker: print finds nothing in it; give the brokers with --set or in the script");
    } else {
        rc = print_topics(&p, err);
    }
    if (rc && err->code == LS_AGAIN) err->code = LS_FAIL;
out:
    ls_work_free(p.work);
    ls_columns_free(p.columns);
    ls_script_close(p.script);
    ls_cases_close(p.cases);
    if (p.record && fclose(p.record) && rc == 0) rc = ls_fail(err, LS_FAIL, "writing cases: %s", strerror(errno));
    if (p.record && !p.recorded) unlink(cases); /* so that another try may write it */
    ls_encoder_free(p.encoder);
    free(p.rules);
    ls_buf_free(&p.line);
    return rc;
}
