#include "pipeline/delivery.h"

#include "base/clock.h"
#include "pipeline/refused.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ls_delivery {
    ls_worker *worker;
    ls_producer *producer;
    ls_checkpoints *checkpoints;
    ls_inflight inflight;
    ls_refused *refused; /* NULL: a message that Kafka refuses for its size is an error like any other */
    pthread_t thread;
    bool running;

    /* the delivery thread's own */
    ls_progress *progress;
    bool rows_moved, place_moved; /* since the last stored checkpoint */
    bool store_failed;            /* said once a change of state */
    int64_t stored_at;            /* ls_clock_ms() */
    int64_t heard_at;             /* the last report, or nothing was outstanding: ls_clock_ms() */
    ls_buf json;

    atomic_int_fast64_t finish_by; /* ls_clock_ms() until which to drain; 0: go on */
    atomic_bool failed;

    pthread_mutex_t mutex; /* below */
    pthread_cond_t room;   /* something was acknowledged, or failed */
    ls_place confirmed;
    ls_source_identity server;
    ls_buf sent; /* not yet in progress */
    ls_error err;
};

static void fail(ls_delivery *d, const ls_error *err) {
    pthread_mutex_lock(&d->mutex);
    if (!atomic_load(&d->failed)) d->err = *err;
    atomic_store(&d->failed, true);
    pthread_cond_broadcast(&d->room);
    pthread_mutex_unlock(&d->mutex);
}

static void take_report(void *ctx, const ls_report *r) {
    ls_delivery *d = ctx;
    if (r->failed && r->too_large && d->refused && ls_refused_take(d->refused, r)) return; /* its segment waits for the letter */
    if (r->failed) { /* the segment keeps its count: the position stays before the lost message */
        ls_error err;
        ls_fail(&err, r->code == LS_AGAIN ? LS_FAIL : r->code,
                "Kafka did not take a message: %s; nothing after the last checkpoint is passed over: mend it and start again", r->why);
        fail(d, &err);
        return;
    }
    ls_inflight_done(&d->inflight, ls_refused_segment(d->refused, r->opaque), r->bytes);
}

/* Moves the position over every segment of which nothing is outstanding. */
static void advance(ls_delivery *d) {
    ls_progress *p = d->progress;
    for (ls_segment *s; (s = ls_inflight_oldest(&d->inflight)); ls_inflight_pop(&d->inflight)) {
        if (s->pos[0]) {
            memcpy(p->delivered_pos, s->pos, sizeof p->delivered_pos);
            p->delivered_seq = s->seq;
            d->rows_moved = true;
            atomic_fetch_add(&d->worker->rows, s->rows);
            if (s->ts) atomic_store(&d->worker->lag, ls_clock_wall_us() - s->ts);
        }
        if (s->has_place) {
            p->restart = s->place;
            d->place_moved = true;
            if (s->gtid) {
                ls_buf_clear(&p->gtid);
                ls_buf_str(&p->gtid, s->gtid);
            }
        }
    }
}

static void add_pairs(ls_buf *to, const ls_buf *pairs) {
    if (to->len && pairs->len) ls_buf_char(to, ',');
    ls_buf_add(to, pairs->data, pairs->len);
}

static int store(ls_delivery *d, ls_error *err) {
    pthread_mutex_lock(&d->mutex);
    d->progress->server = d->server;
    add_pairs(&d->progress->sent, &d->sent);
    bool failed = d->sent.failed || d->progress->sent.failed;
    ls_buf_clear(&d->sent);
    pthread_mutex_unlock(&d->mutex);
    ls_buf_clear(&d->json);
    ls_progress_write(d->progress, &d->json);
    if (failed || d->json.failed || d->progress->gtid.failed) return ls_fail_memory(err, "writing the checkpoint");
    if (ls_checkpoints_store(d->checkpoints, d->json.data, d->json.len, err)) return -1;
    d->rows_moved = d->place_moved = false;
    pthread_mutex_lock(&d->mutex);
    d->confirmed = d->progress->restart;
    pthread_mutex_unlock(&d->mutex);
    char title[64];
    ls_progress_title(d->progress, title);
    ls_worker_show_checkpoint(d->worker, title);
    return 0;
}

static void store_if_due(ls_delivery *d, bool last) {
    ls_error err;
    int64_t now = ls_clock_ms();
    bool due = (d->rows_moved && now - d->stored_at >= LS_CHECKPOINT_MS) ||
               (d->place_moved && now - d->stored_at >= LS_IDLE_CHECKPOINT_MS) || now - d->stored_at >= LS_ALIVE_MS || (last && (d->rows_moved || d->place_moved));
    if (!due) return;
    d->stored_at = now;
    if (store(d, &err) == 0) {
        if (d->store_failed) ls_log_line(&d->worker->log, LS_INFO, "checkpoints are stored again");
        d->store_failed = false;
    } else if (err.code != LS_AGAIN || last) {
        if (err.code == LS_AGAIN) {
            err.code = LS_FAIL;
            ls_fail_in(&err, "cannot store the checkpoint (the rows since the last one come again at the next start)");
        }
        fail(d, &err);
    } else if (!d->store_failed) {
        d->store_failed = true;
        ls_log_line(&d->worker->log, LS_WARN, "cannot store the checkpoint: %s; trying again until it works", err.text);
    }
}

/* --until-caught-up does not wait for ever, and does not end well with rows that nobody has acknowledged. */
static void look_for_silence(ls_delivery *d, int taken) {
    ls_error err;
    int64_t now = ls_clock_ms();
    if (taken || !ls_inflight_bytes(&d->inflight)) d->heard_at = now;
    if (!d->worker->run->until_caught_up || now - d->heard_at < LS_SILENCE_MS) return;
    ls_fail(&err, LS_FAIL, "Kafka has acknowledged nothing for %d s, and --until-caught-up does not wait longer: see that the brokers "
                           "run and that the topics have enough replicas in sync", LS_SILENCE_MS / 1000);
    fail(d, &err);
}

/* Ends with what is not acknowledged: not lost, since the checkpoint stands before it. */
static void leave_undelivered(ls_delivery *d) {
    ls_error err;
    ls_fail(&err, LS_FAIL, "Kafka has not acknowledged everything: those rows come again at the next start");
    if (d->worker->run->until_caught_up)
        fail(d, &err);
    else
        ls_log_line(&d->worker->log, LS_WARN, "%s", err.text);
}

static void *body(void *arg) {
    ls_delivery *d = arg;
    ls_error err;
    d->heard_at = ls_clock_ms();
    for (;;) {
        int64_t finish_by = atomic_load(&d->finish_by);
        int taken = ls_producer_reports(d->producer, LS_REPORT_WAIT_MS, take_report, d);
        if (ls_producer_health(d->producer, &err) || (d->refused && ls_refused_send(d->refused, &err))) fail(d, &err);
        look_for_silence(d, taken);
        advance(d);
        if (taken) {
            pthread_mutex_lock(&d->mutex);
            pthread_cond_broadcast(&d->room);
            pthread_mutex_unlock(&d->mutex);
        }
        if (finish_by && (ls_inflight_bytes(&d->inflight) == 0 || ls_clock_ms() >= finish_by || atomic_load(&d->failed))) break;
        store_if_due(d, false);
    }
    if (ls_inflight_bytes(&d->inflight) && !atomic_load(&d->failed)) leave_undelivered(d);
    store_if_due(d, true);
    return NULL;
}

int ls_delivery_start(ls_delivery **out, ls_worker *w, ls_producer *producer, ls_checkpoints *checkpoints,
                      ls_progress *progress, ls_error *err) {
    ls_delivery *d = calloc(1, sizeof *d);
    pthread_condattr_t monotonic;
    if (!d || ls_inflight_init(&d->inflight) || pthread_condattr_init(&monotonic)) {
        free(d);
        return ls_fail_memory(err, "starting the delivery thread");
    }
    d->worker = w;
    d->producer = producer;
    d->checkpoints = checkpoints;
    d->progress = progress;
    d->confirmed = progress->restart;
    d->server = progress->server;
    d->stored_at = ls_clock_ms();
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int e = pthread_create(&d->thread, NULL, body, d);
    if (e) {
        ls_delivery_free(d);
        return ls_fail(err, LS_FAIL, "cannot start the delivery thread: %s", strerror(e));
    }
    d->running = true;
    *out = d;
    return 0;
}

ls_inflight *ls_delivery_inflight(ls_delivery *d) { return &d->inflight; }

int ls_delivery_letters(ls_delivery *d, ls_dead *dead, ls_topic *letters, ls_error *err) {
    if (ls_dead_on_oversize(dead) == LS_POLICY_STOP) return 0;
    d->refused = ls_refused_new(dead, d->producer, letters, &d->inflight);
    return d->refused ? 0 : ls_fail_memory(err, "starting the delivery thread");
}

void *ls_delivery_opaque(ls_delivery *d, ls_segment *s, const ls_change *change, size_t bytes, ls_error *err) {
    void *opaque = d->refused && change ? ls_refused_opaque(d->refused, s, change, bytes) : s;
    if (!opaque) ls_fail_memory(err, "sending a message");
    return opaque;
}

void ls_delivery_wait(ls_delivery *d, int ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&d->mutex);
    if (!atomic_load(&d->failed)) pthread_cond_timedwait(&d->room, &d->mutex, &until);
    pthread_mutex_unlock(&d->mutex);
}

int ls_delivery_check(ls_delivery *d, ls_error *err) {
    if (!atomic_load_explicit(&d->failed, memory_order_relaxed)) return 0;
    pthread_mutex_lock(&d->mutex);
    *err = d->err;
    pthread_mutex_unlock(&d->mutex);
    return -1;
}

ls_place ls_delivery_confirmed(ls_delivery *d) {
    pthread_mutex_lock(&d->mutex);
    ls_place p = d->confirmed;
    pthread_mutex_unlock(&d->mutex);
    return p;
}

void ls_delivery_server(ls_delivery *d, const ls_source_identity *server) {
    pthread_mutex_lock(&d->mutex);
    d->server = *server;
    pthread_mutex_unlock(&d->mutex);
}

void ls_delivery_sent(ls_delivery *d, const ls_buf *pairs) {
    pthread_mutex_lock(&d->mutex);
    add_pairs(&d->sent, pairs);
    pthread_mutex_unlock(&d->mutex);
}

int ls_delivery_finish(ls_delivery *d, int drain_ms, ls_error *err) {
    if (d->running) {
        atomic_store(&d->finish_by, ls_clock_ms() + drain_ms);
        pthread_join(d->thread, NULL);
        d->running = false;
    }
    return ls_delivery_check(d, err);
}

void ls_delivery_free(ls_delivery *d) {
    if (!d) return;
    ls_refused_free(d->refused);
    ls_inflight_free(&d->inflight);
    ls_buf_free(&d->json);
    ls_buf_free(&d->sent);
    pthread_cond_destroy(&d->room);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}
