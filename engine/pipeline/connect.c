/* connect.c - a connector: source -> hooks -> format -> Kafka. This is its capture thread; delivery.c is the other. */
#include "pipeline/worker.h"

#include "base/clock.h"
#include "base/hash.h"
#include "capture/gtid.h"
#include "pipeline/delivery.h"
#include "pipeline/routes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_READ_WAIT_MS = 100,   /* longest wait for a change */
    LS_PAUSE_MS = 50,        /* wait between two looks at a full budget */
    LS_CONFIRM_MS = 1000     /* the source is answered at least this often */
};

typedef struct connector {
    ls_worker *worker;
    ls_run *run;
    const ls_connector_options *opt;
    ls_source_conf conf;
    ls_kafka_conf kafka;
    ls_checkpoints *checkpoints;
    ls_producer *producer;
    ls_delivery *delivery;
    ls_encoder *encoder;
    ls_routes *routes;
    ls_dead *dead;
    ls_columns *columns; /* NULL: none */
    ls_script *script; /* NULL: no hooks */
    const ls_source_ops *ops;
    ls_source *source; /* NULL between two sessions */
    ls_schemas schemas;
    ls_table_rule *rules; /* of schemas */
    ls_work *work;
    ls_source_identity server; /* of the present session */
    ls_progress progress;      /* the delivery thread's own once it runs */
    bool stored;               /* a "running" checkpoint is stored */
    ls_source_identity proven; /* the server that could serve from where capture stood; not set before the first one */
    bool has_proven;

    /* what was captured last: where the next session goes on */
    ls_place place;
    ls_buf gtid;
    char pos[40];
    uint64_t seq;

    ls_place goal; /* --until-caught-up: the log's end at the start */
    bool has_goal;
    ls_place read_to; /* may be beyond place: see ls_work */
    int64_t confirmed_at; /* ls_clock_ms() */
} connector;

/* Of the options that change which rows of a transaction are counted. Not on_invalid_text: a row that it leaves out is
 * counted like any other, so that what has stopped in the middle of a transaction goes on there under another policy. */
static uint64_t options_hash(const ls_connector_options *o) {
    uint64_t h = LS_HASH_START;
    const char *texts[] = {o->db_type, o->plugin ? o->plugin : "", o->publication ? o->publication : "",
                           o->partition_root ? "root" : "leaves", o->ddl ? "ddl" : ""};
    size_t fixed = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < fixed + o->ntables; i++) {
        const char *text = i < fixed ? texts[i] : o->tables[i - fixed];
        h = ls_hash(h, text, strlen(text) + 1);
    }
    return h;
}

static int load_checkpoint(connector *c, ls_error *err) {
    ls_buf json = {0};
    int found = ls_checkpoints_load(c->checkpoints, &json, err);
    int rc = found < 0 ? -1 : found ? ls_progress_read(&c->progress, json.data, json.len, err) : 0;
    c->stored = found > 0 && !c->progress.creating;
    ls_buf_free(&json);
    return rc;
}

static int open_kafka_once(connector *c, ls_error *err) {
    ls_progress_free(&c->progress);
    c->progress = (ls_progress){0};
    if (!c->checkpoints && ls_checkpoints_open(&c->checkpoints, &c->kafka, c->opt->name, &c->worker->log, err)) return -1;
    if (load_checkpoint(c, err)) return -1;
    /* the client's own bound must let the largest message through; routes.c keeps to the budget */
    size_t queue = c->opt->memory > LS_MESSAGE_MAX ? c->opt->memory : LS_MESSAGE_MAX;
    if (!c->producer && ls_producer_open(&c->producer, &c->kafka, queue + LS_BATCH_BYTES, &c->worker->log, err)) return -1;
    if (!c->routes && ls_routes_open(&c->routes, c->worker, c->producer, c->encoder, &c->progress, err)) return -1;
    return ls_routes_open_letters(c->routes, c->dead, err);
}

static int open_kafka(connector *c, ls_error *err) {
    ls_retry retry = {0};
    while (open_kafka_once(c, err))
        if (ls_retry_wait(&retry, c->worker, err)) return -1;
    ls_retry_ok(&retry, c->worker, "Kafka answers");
    return 0;
}

static int store(connector *c, ls_error *err) {
    ls_buf json = {0};
    ls_progress_write(&c->progress, &json);
    int rc = json.failed ? ls_fail_memory(err, "writing the checkpoint")
                         : ls_checkpoints_store(c->checkpoints, json.data, json.len, err);
    ls_buf_free(&json);
    return rc;
}

/* A first start: first a "creating" checkpoint, then the slot, then the real one, so that a crash in between is known
 * for what it is: nothing was sent yet. */
static int first_start(connector *c, ls_error *err) {
    bool again = c->progress.creating;
    ls_progress *p = &c->progress;
    if (!again && c->ops->vacant(c->source, err)) return -1;
    p->creating = true;
    p->server = c->server;
    p->options = options_hash(c->opt);
    if (!again) ls_progress_new_instance(p);
    if (store(c, err)) {
        p->creating = again;
        return -1;
    }
    ls_buf_clear(&p->gtid);
    if (c->ops->create(c->source, again, &p->restart, &p->gtid, err)) return -1;
    p->creating = false;
    if (store(c, err)) {
        p->creating = true;
        return -1;
    }
    c->stored = true;
    char title[64];
    ls_progress_title(p, title);
    ls_worker_show_checkpoint(c->worker, title);
    ls_log_line(&c->worker->log, LS_INFO, "first start: captures from %s on", title);
    return 0;
}

/* A stored checkpoint: takes it over as this program's own. */
static void next_start(connector *c) {
    ls_progress *p = &c->progress;
    uint64_t options = options_hash(c->opt);
    char title[64];
    ls_progress_title(p, title);
    if (p->options != options && ls_progress_mid_transaction(p)) {
        ls_log_line(&c->worker->log, LS_WARN,
                    "tables, publication or plugin differ from the checkpoint's, in the middle of a transaction: "
                    "the transaction at %s is sent again from its first row", p->delivered_pos);
        p->delivered_pos[0] = '\0';
        p->delivered_seq = 0;
    }
    p->options = options;
    ls_progress_new_instance(p);
    ls_worker_show_checkpoint(c->worker, title);
    ls_log_line(&c->worker->log, LS_INFO, "continues at %s", title);
}

/* The source has found the tables of exact names, or warned of those that were known: from now on all of them are. */
static int note_tables(connector *c, ls_error *err) {
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    for (size_t i = 0; i < c->opt->ntables; i++)
        if (ls_pattern_is_exact(c->opt->tables[i]) && ls_pattern_split(c->opt->tables[i], schema, table) == 0)
            ls_progress_add_table(&c->progress, schema, table);
    return c->progress.tables.failed ? ls_fail_memory(err, "noting the tables") : 0;
}

static int start_delivery(connector *c, ls_error *err) {
    ls_progress *p = &c->progress;
    if (note_tables(c, err)) return -1;
    if (c->stored)
        next_start(c);
    else if (first_start(c, err))
        return -1;
    c->place = p->restart;
    memcpy(c->pos, p->delivered_pos, sizeof c->pos);
    c->seq = p->delivered_seq;
    ls_buf_clear(&c->gtid);
    ls_buf_add(&c->gtid, p->gtid.data, p->gtid.len);
    if (c->gtid.failed) return ls_fail_memory(err, "starting");
    if (ls_delivery_start(&c->delivery, c->worker, c->producer, c->checkpoints, p, err)) return -1;
    return ls_delivery_letters(c->delivery, c->dead, ls_routes_letters(c->routes), err);
}

/* Opens the source and begins to stream from where capture stands. */
static int open_session(connector *c, ls_error *err) {
    ls_source_identity now = {0};
    const char *known = c->stored ? ls_buf_cstr(&c->progress.tables) : NULL; /* the delivery thread only reads it, too */
    if (c->ops->open(&c->source, &c->conf, &c->worker->log, known, &now, err)) return -1;
    c->server = now;
    ls_source_identity then = c->has_proven ? c->proven : c->stored ? c->progress.server : now;
    if (!c->delivery && start_delivery(c, err)) return -1;
    if (!c->work && !(c->work = ls_work_new(&c->schemas, c->opt->name, c->server.db))) return ls_fail_memory(err, "starting");
    c->work->isolate = ls_dead_on_error(c->dead) != LS_POLICY_STOP;
    c->work->keep = ls_dead_on_error(c->dead) == LS_POLICY_DEAD_LETTER;
    const char *gtid = ls_buf_cstr(&c->gtid);
    if (!gtid) return ls_fail_memory(err, "starting");
    ls_resume from = {.restart = c->place,
                      .gtid = gtid,
                      .delivered_pos = c->pos,
                      .delivered_seq = c->seq,
                      .identity = then.json,
                      .binlog = then.binlog};
    if (c->ops->start(c->source, &from, err)) return -1;
    c->proven = now;
    c->has_proven = true;
    ls_delivery_server(c->delivery, &now);
    if (c->run->until_caught_up && !c->has_goal) {
        if (c->ops->end(c->source, &c->goal, err)) return -1;
        c->has_goal = true;
    }
    return 0;
}

static void close_session(connector *c) {
    if (c->source) c->ops->close(c->source);
    c->source = NULL;
}

static int confirm(connector *c, ls_error *err) {
    ls_place safe = ls_delivery_confirmed(c->delivery);
    c->confirmed_at = ls_clock_ms();
    return c->ops->confirm(c->source, &safe, err);
}

/* Waits for room: the source goes on being answered; a failed delivery, or the end of the run, ends the wait. */
static int pause_for_room(void *ctx, ls_error *err) {
    connector *c = ctx;
    if (ls_run_stopping(c->run)) return ls_fail(err, LS_OK, "stopping");
    ls_delivery_wait(c->delivery, LS_PAUSE_MS);
    if (ls_delivery_check(c->delivery, err)) return -1;
    if (ls_clock_ms() - c->confirmed_at >= LS_CONFIRM_MS) return confirm(c, err);
    return 0;
}

/* Capture, and what is delivered with the segment, stand behind the row. */
static void note_row(connector *c, ls_segment *s, const ls_change *last) {
    memcpy(s->pos, last->tx->pos, sizeof s->pos);
    s->seq = last->seq;
    s->ts = last->tx->ts;
    memcpy(c->pos, s->pos, sizeof c->pos);
    c->seq = s->seq;
}

/* Moves what was captured over the batch's marks, and gives the segment what it needs to move the checkpoint. */
static int note_place(connector *c, ls_segment *s, ls_error *err) {
    ls_work *w = c->work;
    for (uint32_t i = 0; i < w->nmarks; i++)
        if (*w->marks[i].place.gtid && ls_gtid_add(&c->gtid, w->marks[i].place.gtid, err)) return -1;
    if (w->nmarks) {
        const char *gtid = ls_buf_cstr(&c->gtid);
        s->has_place = true;
        s->place = c->place = w->marks[w->nmarks - 1].place;
        s->gtid = gtid ? strdup(gtid) : NULL;
        if (!s->gtid) return ls_fail_memory(err, "noting a position");
    }
    if (w->seen.count) note_row(c, s, &w->seen.changes[w->seen.count - 1]);
    return 0;
}

/* The batch ends at change i, which could not be sent: capture stands behind the row before it, so that what was sent does not come again
 * each time the program is started and meets the same fault. */
static void note_sent(connector *c, ls_segment *s, uint32_t i) {
    const ls_change *all = c->work->seen.changes;
    uint32_t n = i;
    while (n && all[n - 1].seq == all[i].seq && strcmp(all[n - 1].tx->pos, all[i].tx->pos) == 0) n--; /* a row's copies and halves come together */
    if (n) note_row(c, s, &all[n - 1]);
}

static int send_rows(connector *c, ls_segment *s, ls_error *err) {
    ls_batch *b = &c->work->seen;
    for (uint32_t i = 0; i < b->count; i++) {
        const ls_change *row = &b->changes[i];
        if (row->flags & LS_DROPPED && !row->fault) continue;
        if (ls_routes_send(c->routes, b, i, c->delivery, s, pause_for_room, c, err)) {
            note_sent(c, s, i);
            return -1;
        }
        s->rows += !row->fault;
    }
    return note_place(c, s, err);
}

static int send_batch(connector *c, ls_error *err) {
    ls_batch *b = &c->work->seen;
    ls_segment *s;
    if (!b->count && !c->work->nmarks) return 0;
    if (c->columns && ls_columns_run(c->columns, c->work, err)) return -1;
    if (c->script && b->count && ls_script_run(c->script, b, err)) return -1;
    if (c->script) atomic_store(&c->worker->script, ls_script_memory(c->script));
    if (ls_routes_prepare(c->routes, b, pause_for_room, c, err)) return -1;
    while (!(s = ls_inflight_open(ls_delivery_inflight(c->delivery))))
        if (pause_for_room(c, err)) return -1;
    int rc = send_rows(c, s, err);
    if (rc) s->has_place = false; /* the batch's marks are not reached */
    ls_inflight_close(ls_delivery_inflight(c->delivery), s);
    return rc;
}

/* One session: until the run stops, the goal is reached, or something fails. */
static int pump(connector *c, ls_retry *retry, ls_error *err) {
    c->confirmed_at = ls_clock_ms();
    while (!ls_run_stopping(c->run)) {
        if (c->has_goal && (ls_place_cmp(&c->place, &c->goal) >= 0 || ls_place_cmp(&c->read_to, &c->goal) >= 0)) return 0;
        ls_work_reset(c->work);
        if (ls_delivery_check(c->delivery, err) || c->ops->read(c->source, c->work, LS_READ_WAIT_MS, err)) return -1;
        ls_retry_ok(retry, c->worker, "the database answers");
        if (send_batch(c, err)) return -1;
        atomic_fetch_add(&c->worker->invalid, c->work->invalid);
        if (c->work->has_read_to) c->read_to = c->work->read_to;
        if (ls_clock_ms() - c->confirmed_at >= LS_CONFIRM_MS && confirm(c, err)) return -1;
    }
    return 0;
}

static int sessions(connector *c, ls_error *err) {
    ls_retry retry = {0};
    for (;;) {
        int rc = open_session(c, err);
        if (rc == 0) rc = pump(c, &retry, err);
        if (rc == 0 || err->code == LS_OK) return 0;
        close_session(c);
        if (ls_retry_wait(&retry, c->worker, err)) return err->code == LS_OK ? 0 : -1;
    }
}

int ls_connect_run(ls_worker *w, ls_error *err) {
    connector c = {.worker = w, .run = w->run, .opt = &w->stage->as.connector, .kafka = ls_stage_kafka(w->stage, w->run->memory)};
    ls_error late;
    if (ls_connector_rules(&c.schemas, &c.rules, w->stage, err)) return -1;
    c.conf = ls_connector_source(w->stage, &c.schemas, &w->run->stop);
    int rc = -1;
    if (!(c.ops = ls_source_find(c.opt->db_type))) {
        ls_fail(err, LS_USAGE, "there is no source for db_type \"%s\"", c.opt->db_type);
        goto out;
    }
    if (ls_dead_new(&c.dead, w, err)) goto out;
    if (ls_encoder_open(&c.encoder, w->stage, err) || ls_worker_script(w, &c.script, err) || ls_connector_columns(&c.columns, w->stage, &c.schemas, &w->log, err)) goto out;
    if (open_kafka(&c, err)) {
        rc = err->code == LS_OK ? 0 : -1;
        goto out;
    }
    rc = sessions(&c, err);
    uint64_t invalid = atomic_load(&w->invalid);
    if (invalid) ls_log_line(&w->log, LS_WARN, "rows with text that was not valid in its character set: %" PRIu64 " in this run", invalid);
    if (c.delivery && ls_delivery_finish(c.delivery, LS_DRAIN_MS, &late) && rc == 0) {
        *err = late;
        rc = -1;
    }
    ls_dead_total(c.dead);
    /* the slot follows the last checkpoint; a server that is gone by now hears it at the next start */
    if (c.source && c.delivery && confirm(&c, &late)) ls_log_line(&w->log, LS_DEBUG, "last confirmation: %s", late.text);
out:
    close_session(&c);
    ls_work_free(c.work);
    ls_columns_free(c.columns);
    ls_routes_free(c.routes);
    ls_encoder_free(c.encoder);
    if (c.producer) ls_producer_close(c.producer);
    ls_delivery_free(c.delivery);
    if (c.checkpoints) ls_checkpoints_close(c.checkpoints);
    ls_dead_free(c.dead);
    ls_script_close(c.script);
    ls_progress_free(&c.progress);
    ls_buf_free(&c.gtid);
    free(c.rules);
    return rc;
}
