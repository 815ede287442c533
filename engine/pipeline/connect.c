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
    LS_CONFIRM_MS = 1000,    /* the source is answered at least this often */
    LS_TURN_LOOK_MS = 100,   /* a standby looks this often whether it is its turn */
    LS_BEHIND_MS = 2000,     /* MariaDB's commit times are whole seconds */
    LS_PUSH_ROWS = 256,      /* a batch of fewer rows goes out at once */
    LS_PUSH_WAIT_MS = 100,   /* ... and is waited for so long at most */
    LS_GATE_LOOK_MS = 2,     /* exactly_once: longest wait for a change while encoded ones wait for the next transaction */
    LS_UNDONE_FIRST_MS = 100, /* wait after a transaction that was undone; doubles until one is committed */
    LS_UNDONE_MAX_MS = 10000
};

typedef struct connector {
    ls_worker *worker;
    ls_run *run;
    const ls_connector_options *opt;
    bool exact; /* delivery = "exactly_once" */
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
    int undone_ms;             /* exactly_once: how long the next undone transaction is waited after */
    uint64_t commits;          /* ... as of the last one */
    ls_source_identity proven; /* the server that could serve from where capture stood; not set before the first one */
    bool has_proven;

    /* what was captured last: where the next session goes on */
    ls_place place;
    ls_buf gtid;
    uint64_t epoch; /* of place */
    char pos[40];
    char tx[LS_GTID_TEXT]; /* see ls_segment */
    uint64_t seq;
    bool behind; /* its row was committed longer than LS_BEHIND_MS before it was captured, and more of them came since */
    bool kept_back; /* an XA transaction that is prepared keeps marks back: `place` is before whole transactions that were captured */

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

static int store(connector *c, ls_error *err) {
    ls_buf json = {0};
    ls_progress_write(&c->progress, &json);
    int rc = json.failed ? ls_fail_memory(err, "writing the checkpoint")
                         : ls_checkpoints_store(c->checkpoints, json.data, json.len, err);
    ls_buf_free(&json);
    return rc;
}

/* A stored checkpoint is taken as this program's own before anything else: one that ran under this name before, and is fenced now, sees by it that it
 * was not an outage. */
static int claim(connector *c, ls_error *err) {
    if (!c->stored) return 0;
    ls_progress_new_instance(&c->progress);
    return store(c, err);
}

static int open_kafka_once(connector *c, ls_error *err) {
    ls_progress_free(&c->progress);
    c->progress = (ls_progress){0};
    /* the client's own bound must let the largest message through; routes.c keeps to the budget */
    size_t queue = (c->opt->memory > LS_MESSAGE_MAX ? c->opt->memory : LS_MESSAGE_MAX) + LS_BATCH_BYTES;
    bool exact = c->exact;
    if (!c->checkpoints && ls_checkpoints_open(&c->checkpoints, &c->kafka, c->opt->name, exact ? queue : 0, &c->worker->log, err)) return -1;
    if (load_checkpoint(c, err) || claim(c, err)) return -1;
    if (!c->producer && (exact ? ls_producer_over(&c->producer, ls_checkpoints_client(c->checkpoints), &c->kafka, &c->worker->log, err)
                               : ls_producer_open(&c->producer, &c->kafka, queue, &c->worker->log, err)))
        return -1;
    if (!c->routes && ls_routes_open(&c->routes, c->worker, c->producer, c->encoder, &c->progress, err)) return -1;
    return ls_routes_open_letters(c->routes, c->dead, err);
}

/* standby = true: until it is this program's turn. Only from then on a checkpoint is read: until then others write it. */
static int await_turn(connector *c, ls_error *err) {
    ls_worker *w = c->worker;
    ls_retry retry = {0};
    int turn;
    if (!c->opt->standby) return 0;
    while (!w->standby && ls_standby_open(&w->standby, &c->kafka, c->opt->name, &w->log, err))
        if (ls_retry_wait(&retry, w, err)) return -1;
    ls_retry_ok(&retry, w, "Kafka answers");
    while ((turn = ls_standby_turn(w->standby, err)) == 0) {
        atomic_store(&w->waits, true);
        ls_run_wait(w->run, LS_TURN_LOOK_MS);
        if (ls_run_stopping(w->run)) return ls_fail(err, LS_OK, "stopping");
    }
    atomic_store(&w->waits, false);
    return turn < 0 ? -1 : 0;
}

static int still_its_turn(const connector *c, ls_error *err) {
    return c->worker->standby ? ls_standby_check(c->worker->standby, err) : 0;
}

static int open_kafka(connector *c, ls_error *err) {
    ls_retry retry = {0};
    while (still_its_turn(c, err) || open_kafka_once(c, err))
        if (ls_retry_wait(&retry, c->worker, err)) return -1;
    ls_retry_ok(&retry, c->worker, "Kafka answers");
    return 0;
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
    ls_progress_new_instance(p);
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

/* A stored checkpoint. */
static int next_start(connector *c, ls_error *err) {
    ls_progress *p = &c->progress;
    uint64_t options = options_hash(c->opt);
    char title[64];
    ls_progress_title(p, title);
    if (p->options != options && ls_progress_mid_transaction(p)) {
        if (c->exact)
            return ls_fail(err, LS_USAGE,
                           "tables, publication or plugin differ from the checkpoint's, in the middle of the transaction at %s, of which rows have been sent: with "
                           "exactly_once it must be finished under the former options: put them back, run the script with --until-caught-up, then change them", p->delivered_pos);
        ls_log_line(&c->worker->log, LS_WARN,
                    "tables, publication or plugin differ from the checkpoint's, in the middle of a transaction: "
                    "the transaction at %s is sent again from its first row", p->delivered_pos);
        p->delivered_pos[0] = p->delivered_gtid[0] = '\0';
        p->delivered_seq = 0;
    }
    p->options = options;
    ls_worker_show_checkpoint(c->worker, title);
    ls_log_line(&c->worker->log, LS_INFO, "continues at %s", title);
    return 0;
}

/* The source has found the tables of exact names, or warned of those that were known: from now on all of them are. */
static int note_tables(connector *c, ls_error *err) {
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    for (size_t i = 0; i < c->opt->ntables; i++)
        if (ls_pattern_is_exact(c->opt->tables[i]) && ls_pattern_split(c->opt->tables[i], schema, table) == 0)
            ls_progress_add_table(&c->progress, schema, table);
    return c->progress.tables.failed ? ls_fail_memory(err, "noting the tables") : 0;
}

/* Capture stands at the checkpoint. */
static int stand_at_checkpoint(connector *c, ls_error *err) {
    const ls_progress *p = &c->progress;
    c->place = p->restart;
    c->epoch = p->epoch;
    memcpy(c->pos, p->delivered_pos, sizeof c->pos);
    memcpy(c->tx, p->delivered_gtid, sizeof c->tx);
    c->seq = p->delivered_seq;
    ls_buf_clear(&c->gtid);
    ls_buf_add(&c->gtid, p->gtid.data, p->gtid.len);
    return c->gtid.failed ? ls_fail_memory(err, "starting") : 0;
}

static int start_delivery(connector *c, ls_error *err) {
    if (note_tables(c, err) || (c->stored ? next_start(c, err) : first_start(c, err)) || stand_at_checkpoint(c, err)) return -1;
    const ls_delivery_conf conf = {.worker = c->worker,
                                   .producer = c->producer,
                                   .checkpoints = c->checkpoints,
                                   .progress = &c->progress,
                                   .exact = c->exact,
                                   .dead = c->dead,
                                   .letters = ls_routes_letters(c->routes)};
    return ls_delivery_start(&c->delivery, &conf, err);
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

/* Capture goes on in another server's log: that is stored before a row of it is sent, so that its rows' positions never come again
 * for others. */
static int move(connector *c, const ls_source_identity *now, ls_error *err) {
    ls_segment *s;
    while (!(s = ls_inflight_open(ls_delivery_inflight(c->delivery))))
        if (pause_for_room(c, err)) return -1;
    s->has_place = true;
    s->place = c->source->place;
    s->gtid = strdup(ls_buf_cstr(&c->gtid));
    s->moved = malloc(sizeof *s->moved);
    bool fine = s->gtid && s->moved;
    if (fine) *s->moved = (ls_moved){*now, c->source->epoch};
    ls_inflight_close(ls_delivery_inflight(c->delivery), s);
    if (!fine) return ls_fail_memory(err, "noting a position");
    c->place = c->source->place;
    c->epoch = c->source->epoch;
    c->has_goal = false; /* of the other log */
    while (ls_delivery_epoch(c->delivery) < c->epoch) {
        ls_delivery_cut(c->delivery, LS_CUT_NOW);
        if (pause_for_room(c, err)) return -1;
    }
    return 0;
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
    c->work->masks = ls_columns_mask(c->columns);
    const char *gtid = ls_buf_cstr(&c->gtid);
    if (!gtid) return ls_fail_memory(err, "starting");
    ls_resume from = {.restart = c->place,
                      .epoch = c->epoch,
                      .gtid = gtid,
                      .delivered_pos = c->pos,
                      .delivered_seq = c->seq,
                      .delivered_gtid = c->tx,
                      .identity = then.json,
                      .binlog = then.binlog};
    if (c->ops->start(c->source, &from, err)) return -1;
    bool moved = c->source->epoch > c->epoch;
    c->proven = now;
    c->has_proven = true;
    if (moved && move(c, &now, err)) return -1;
    if (!moved) ls_delivery_server(c->delivery, &now);
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

/* Capture, and what is delivered with the segment, stand behind the row. */
static void note_row(connector *c, ls_segment *s, const ls_change *last) {
    memcpy(s->pos, last->tx->pos, sizeof s->pos);
    s->seq = last->seq;
    s->ts = last->tx->ts;
    memcpy(c->pos, s->pos, sizeof c->pos);
    c->seq = s->seq;
    c->behind = s->ts && ls_clock_wall_us() + c->source->ahead - s->ts >= (int64_t)LS_BEHIND_MS * 1000;
    snprintf(c->tx, sizeof c->tx, "%s", *c->server.binlog && !c->kept_back ? last->tx->id : "");
    memcpy(s->tx, c->tx, sizeof s->tx);
}

/* Moves what was captured over the batch's marks, and gives the segment what it needs to move the checkpoint. */
static int note_place(connector *c, ls_segment *s, ls_error *err) {
    ls_work *w = c->work;
    if (w->has_read_to || w->nmarks) c->kept_back = w->has_read_to;
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
 * each time the program is started and meets the same fault. exactly_once: what went of the row itself would, so nobody may see it. */
static void note_sent(connector *c, ls_segment *s, uint32_t i) {
    const ls_change *all = c->work->seen.changes;
    uint32_t n = i;
    while (n && all[n - 1].seq == all[i].seq && strcmp(all[n - 1].tx->pos, all[i].tx->pos) == 0) n--; /* a row's copies and halves come together */
    if (n < i || ls_routes_begun(c->routes)) ls_delivery_spoil(c->delivery);
    c->kept_back = c->kept_back || c->work->nmarks; /* the batch's marks are not reached, though transactions of it may be whole */
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
    if (!b->count && !c->work->nmarks) {
        c->behind = false;
        return 0;
    }
    if (c->columns && ls_columns_run(c->columns, c->work, err)) return -1;
    if (c->script && b->count && ls_script_run(c->script, b, err)) return -1;
    if (c->script) atomic_store(&c->worker->script, ls_script_memory(c->script));
    if (ls_routes_prepare(c->routes, b, pause_for_room, c, err)) return -1;
    while (!(s = ls_inflight_open(ls_delivery_inflight(c->delivery))))
        if (pause_for_room(c, err)) return -1;
    int rc = ls_delivery_check(c->delivery, err) || send_rows(c, s, err) ? -1 : 0; /* hooks may have taken long */
    if (rc) s->has_place = false; /* the batch's marks are not reached */
    ls_inflight_close(ls_delivery_inflight(c->delivery), s);
    return rc;
}

/* exactly_once: has what is encoded go into a transaction, and the transaction be ended when it is time. Gives how long the source may be waited for. */
static int settle(connector *c, int *wait_ms, ls_error *err) {
    *wait_ms = LS_READ_WAIT_MS;
    if (ls_routes_drain(c->routes, c->delivery, err)) return -1;
    if (ls_routes_waiting(c->routes)) {
        *wait_ms = LS_GATE_LOOK_MS;
        return 0;
    }
    int cut_ms = ls_delivery_cut(c->delivery, c->behind ? LS_CUT_LATE : LS_CUT_SOON);
    if (cut_ms < *wait_ms) *wait_ms = cut_ms;
    return 0;
}

/* The same before a wait whose end is not known, or at the end: all that is encoded is sent, as far as that is possible. until: ls_clock_ms(); 0: until the
 * run stops. */
static void settle_all(connector *c, int64_t until) {
    ls_error err;
    if (!c->delivery) return;
    while (ls_routes_drain(c->routes, c->delivery, &err) == 0 && ls_routes_waiting(c->routes) && ls_delivery_check(c->delivery, &err) == 0 &&
           (until ? ls_clock_ms() < until : !ls_run_stopping(c->run)))
        ls_delivery_wait(c->delivery, LS_PAUSE_MS);
    if (!ls_routes_waiting(c->routes)) ls_delivery_cut(c->delivery, LS_CUT_NOW);
}

/* exactly_once: what was captured up to the goal may yet be undone, and is captured again then. */
static int await_commits(connector *c, ls_error *err) {
    ls_inflight *f = ls_delivery_inflight(c->delivery);
    while (c->exact && ls_inflight_popped(f) != ls_inflight_opened(f)) {
        if (ls_routes_drain(c->routes, c->delivery, err)) return -1;
        if (!ls_routes_waiting(c->routes)) ls_delivery_cut(c->delivery, LS_CUT_NOW);
        if (pause_for_room(c, err)) return -1;
    }
    return 0;
}

/* The source had no more: its rows go out at once. What it has by the time that they are acknowledged makes the next batch, so that brokers that
 * take long get fewer and larger requests. (librdkafka's threads also turn idly where a sixth request waits behind five that are not answered.) */
static void push(const connector *c) {
    uint32_t n = c->work->seen.count;
    if (!c->exact && n && n < LS_PUSH_ROWS && !ls_work_full(c->work)) ls_producer_push(c->producer, LS_PUSH_WAIT_MS);
}

/* One session: until the run stops, the goal is reached, or something fails. */
static int pump(connector *c, ls_retry *retry, ls_error *err) {
    c->confirmed_at = ls_clock_ms();
    while (!ls_run_stopping(c->run)) {
        if (c->has_goal && (ls_place_cmp(&c->place, &c->goal) >= 0 || ls_place_cmp(&c->read_to, &c->goal) >= 0)) return await_commits(c, err);
        int wait_ms;
        ls_work_reset(c->work);
        c->source->behind = c->behind;
        if (settle(c, &wait_ms, err) || ls_delivery_check(c->delivery, err) || c->ops->read(c->source, c->work, wait_ms, err)) return -1;
        ls_retry_ok(retry, c->worker, "the database answers");
        if (send_batch(c, err)) return -1;
        push(c);
        atomic_fetch_add(&c->worker->invalid, c->work->invalid);
        if (c->work->has_read_to) c->read_to = c->work->read_to;
        if (ls_clock_ms() - c->confirmed_at >= LS_CONFIRM_MS && confirm(c, err)) return -1;
    }
    return 0;
}

/* Takes over what was stored last: of it, what says how far it goes. */
static int read_stored(connector *c, const ls_buf *json, ls_error *err) {
    ls_progress stored, *p = &c->progress;
    int rc = ls_progress_read(&stored, json->data, json->len, err);
    if (rc == 0) {
        ls_buf gtid = p->gtid;
        p->gtid = stored.gtid;
        stored.gtid = gtid;
        p->restart = stored.restart;
        p->epoch = stored.epoch;
        p->server = stored.server;
        memcpy(p->delivered_gtid, stored.delivered_gtid, sizeof p->delivered_gtid);
        memcpy(p->delivered_pos, stored.delivered_pos, sizeof p->delivered_pos);
        p->delivered_seq = stored.delivered_seq;
    }
    ls_progress_free(&stored);
    return rc;
}

static int renew_once(connector *c, ls_error *err) {
    ls_buf json = {0};
    bool lost = ls_checkpoints_lost(c->checkpoints);
    if (lost) ls_producer_release(c->producer);
    int found = ls_checkpoints_renew(c->checkpoints, &json, err), rc = found < 0 ? -1 : 0;
    if (found == 0) rc = ls_fail(err, LS_LOST, "the checkpoint is gone: somebody has deleted it while the program ran");
    if (rc == 0) rc = read_stored(c, &json, err);
    if (rc == 0 && lost) rc = ls_producer_renew(c->producer, ls_checkpoints_client(c->checkpoints), err);
    ls_buf_free(&json);
    return rc || ls_delivery_again(c->delivery, err) ? -1 : 0;
}

/* exactly_once: the transaction was undone. What was captured since the stored checkpoint is forgotten, and captured again. */
static int go_back(connector *c, ls_error *err) {
    ls_retry retry = {.said = true}; /* by the delivery thread */
    uint64_t commits = ls_delivery_commits(c->delivery);
    c->undone_ms = commits != c->commits || !c->undone_ms ? LS_UNDONE_FIRST_MS : c->undone_ms * 2 < LS_UNDONE_MAX_MS ? c->undone_ms * 2 : LS_UNDONE_MAX_MS;
    c->commits = commits;
    ls_run_wait(c->run, c->undone_ms);
    ls_routes_undo(c->routes);
    if (ls_run_stopping(c->run)) return ls_fail(err, LS_OK, "stopping");
    while (still_its_turn(c, err) || renew_once(c, err))
        if (ls_retry_wait(&retry, c->worker, err)) return -1;
    c->has_proven = false; /* a move to another server may be undone, too */
    c->read_to = (ls_place){0};
    c->kept_back = false;
    return stand_at_checkpoint(c, err);
}

static int sessions(connector *c, ls_error *err) {
    ls_retry retry = {0};
    for (;;) {
        if (still_its_turn(c, err)) return -1;
        int rc = open_session(c, err);
        if (rc == 0) rc = pump(c, &retry, err);
        if (rc == 0 || ls_run_stopped(c->run, err)) return 0;
        close_session(c);
        if (!c->delivery || !ls_delivery_is_undone(c->delivery)) settle_all(c, 0);
        bool undone = c->delivery && ls_delivery_is_undone(c->delivery);
        if (!undone && c->delivery && ls_delivery_check(c->delivery, err)) return -1; /* its thread is through: another turn has to begin */
        if (undone ? go_back(c, err) : ls_retry_wait(&retry, c->worker, err)) return ls_run_stopped(c->run, err) ? 0 : -1;
    }
}

/* From a checkpoint to the end of the run, or of the program's turn. */
static int take_turn(ls_worker *w, ls_error *err) {
    connector c = {.worker = w, .run = w->run, .opt = &w->stage->as.connector, .kafka = ls_stage_kafka(w->stage, w->run->memory)};
    ls_error late;
    c.exact = strcmp(c.opt->delivery, "exactly_once") == 0;
    if (ls_connector_rules(&c.schemas, &c.rules, w->stage, err)) return -1;
    c.conf = ls_connector_source(w->stage, &c.schemas, &w->run->stop);
    c.conf.script = w->run->script;
    int rc = -1;
    if (!(c.ops = ls_source_find(c.opt->db_type))) {
        ls_fail(err, LS_USAGE, "there is no source for db_type \"%s\"", c.opt->db_type);
        goto out;
    }
    if (ls_dead_new(&c.dead, w, err)) goto out;
    if (ls_encoder_open(&c.encoder, w->stage, err) || ls_worker_script(w, &c.script, err) || ls_connector_columns(&c.columns, w->stage, &c.schemas, &w->log, err)) goto out;
    if (await_turn(&c, err) || open_kafka(&c, err)) {
        rc = ls_run_stopped(c.run, err) ? 0 : -1;
        goto out;
    }
    rc = sessions(&c, err);
    uint64_t invalid = atomic_load(&w->invalid);
    if (invalid) ls_log_line(&w->log, LS_WARN, "rows with text that was not valid in its character set: %" PRIu64 " in this run", invalid);
    int64_t until = ls_clock_ms() + LS_DRAIN_MS, left;
    settle_all(&c, until);
    left = until - ls_clock_ms();
    if (c.delivery && ls_delivery_finish(c.delivery, left > 0 ? (int)left : 0, &late) && rc == 0) {
        *err = late;
        rc = -1;
    }
    if (c.producer && ls_producer_ends(c.producer, &w->run->ends, &late) && rc == 0) { /* of a turn that failed, too: the next one begins behind it */
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

/* A turn that the group was silent about is begun anew if it is this program's again: what was sent meanwhile, by whomever, is in the checkpoint. */
/* Takes another turn: the group has given it, or the producer has to be another one. */
static bool goes_on(ls_worker *w, ls_retry *retry, int64_t began, ls_error *err) {
    ls_error over;
    if (ls_clock_ms() - began >= LS_SILENCE_MS) *retry = (ls_retry){0}; /* it went well for a while */
    if (err->code == LS_AGAIN) return ls_retry_wait(retry, w, err) == 0;
    return err->code == LS_FENCED && w->standby && ls_standby_check(w->standby, &over) && ls_standby_turn(w->standby, &over) >= 0;
}

int ls_connect_run(ls_worker *w, ls_error *err) {
    ls_retry retry = {0};
    int64_t began;
    int rc;
    do {
        began = ls_clock_ms();
        rc = take_turn(w, err);
    } while (rc && goes_on(w, &retry, began, err));
    if (rc && ls_run_stopped(w->run, err)) rc = 0; /* asked to stop while it waited: what was not acknowledged comes again */
    if (w->standby) ls_standby_close(w->standby);
    w->standby = NULL;
    return rc;
}
