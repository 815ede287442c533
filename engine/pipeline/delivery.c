#include "pipeline/delivery_parts.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ls_delivery_fail(ls_delivery *d, const ls_error *err) {
    pthread_mutex_lock(&d->mutex);
    if (!atomic_load(&d->failed)) d->err = *err;
    atomic_store(&d->failed, true);
    pthread_cond_broadcast(&d->room);
    pthread_mutex_unlock(&d->mutex);
}

void ls_delivery_news(ls_delivery *d) {
    pthread_mutex_lock(&d->mutex);
    pthread_cond_broadcast(&d->room);
    pthread_mutex_unlock(&d->mutex);
}

static void take_report(void *ctx, const ls_report *r) {
    ls_delivery *d = ctx;
    if (r->failed) { /* the segment keeps its count: the position stays before the lost message */
        ls_error err;
        ls_fail(&err, r->code == LS_AGAIN ? LS_FAIL : r->code,
                "Kafka did not take a message: %s; nothing after the last checkpoint is passed over: mend it and start again", r->why);
        ls_delivery_fail(d, &err);
        return;
    }
    ls_inflight_done(&d->inflight, r->opaque, r->bytes);
}

void ls_delivery_pass(ls_delivery *d, const ls_segment *s) {
    ls_progress *p = d->progress;
    if (s->pos[0]) {
        memcpy(p->delivered_pos, s->pos, sizeof p->delivered_pos);
        p->delivered_seq = s->seq;
        d->rows_moved = true;
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

/* Moves the position over every segment of which nothing is outstanding. */
static void advance(ls_delivery *d) {
    for (ls_segment *s; (s = ls_inflight_oldest(&d->inflight)); ls_inflight_pop(&d->inflight)) {
        ls_delivery_pass(d, s);
        if (!s->pos[0]) continue;
        atomic_fetch_add(&d->worker->rows, s->rows);
        if (s->ts) atomic_store(&d->worker->lag, ls_clock_wall_us() - s->ts);
    }
}

static void add_pairs(ls_buf *to, const ls_buf *pairs) {
    if (to->len && pairs->len) ls_buf_char(to, ',');
    ls_buf_add(to, pairs->data, pairs->len);
}

int ls_delivery_compose(ls_delivery *d, ls_error *err) {
    pthread_mutex_lock(&d->mutex);
    d->progress->server = d->server;
    add_pairs(&d->progress->sent, &d->sent);
    bool failed = d->sent.failed || d->progress->sent.failed;
    ls_buf_clear(&d->sent);
    pthread_mutex_unlock(&d->mutex);
    ls_buf_clear(&d->json);
    ls_progress_write(d->progress, &d->json);
    return failed || d->json.failed || d->progress->gtid.failed ? ls_fail_memory(err, "writing the checkpoint") : 0;
}

void ls_delivery_stored(ls_delivery *d) {
    char title[64];
    d->rows_moved = d->place_moved = false;
    pthread_mutex_lock(&d->mutex);
    d->confirmed = d->progress->restart;
    pthread_mutex_unlock(&d->mutex);
    atomic_fetch_add(&d->commits, 1);
    ls_progress_title(d->progress, title);
    ls_worker_show_checkpoint(d->worker, title);
}

static int store(ls_delivery *d, ls_error *err) {
    if (ls_delivery_compose(d, err) || ls_checkpoints_store(d->checkpoints, d->json.data, d->json.len, err)) return -1;
    ls_delivery_stored(d);
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
        ls_delivery_fail(d, &err);
    } else if (!d->store_failed) {
        d->store_failed = true;
        ls_log_line(&d->worker->log, LS_WARN, "cannot store the checkpoint: %s; trying again until it works", err.text);
    }
}

/* --until-caught-up does not wait for ever, and does not end well with rows that nobody has acknowledged. */
void ls_delivery_look_for_silence(ls_delivery *d, bool heard) {
    ls_error err;
    int64_t now = ls_clock_ms();
    if (heard) d->heard_at = now;
    if (!d->worker->run->until_caught_up || now - d->heard_at < LS_SILENCE_MS) return;
    ls_fail(&err, LS_FAIL, "Kafka has acknowledged nothing for %d s, and --until-caught-up does not wait longer: see that the brokers "
                           "run and that the topics have enough replicas in sync", LS_SILENCE_MS / 1000);
    ls_delivery_fail(d, &err);
}

/* Ends with what is not acknowledged: not lost, since the checkpoint stands before it. */
void ls_delivery_leave_undelivered(ls_delivery *d) {
    ls_error err;
    ls_fail(&err, LS_FAIL, "Kafka has not acknowledged everything: those rows come again at the next start");
    if (d->worker->run->until_caught_up)
        ls_delivery_fail(d, &err);
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
        if (ls_producer_health(d->producer, &err)) ls_delivery_fail(d, &err);
        ls_delivery_look_for_silence(d, taken || !ls_inflight_bytes(&d->inflight));
        advance(d);
        if (taken) ls_delivery_news(d);
        if (finish_by && (ls_inflight_bytes(&d->inflight) == 0 || ls_clock_ms() >= finish_by || atomic_load(&d->failed))) break;
        store_if_due(d, false);
    }
    if (ls_inflight_bytes(&d->inflight) && !atomic_load(&d->failed)) ls_delivery_leave_undelivered(d);
    store_if_due(d, true);
    return NULL;
}

int ls_delivery_start(ls_delivery **out, ls_worker *w, ls_producer *producer, ls_checkpoints *checkpoints,
                      ls_progress *progress, bool exact, ls_error *err) {
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
    d->exact = exact;
    d->stored_at = ls_clock_ms();
    pthread_mutex_init(&d->sending, NULL);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (exact && ls_checkpoints_begin(checkpoints, err)) {
        ls_delivery_free(d);
        return -1;
    }
    int e = pthread_create(&d->thread, NULL, exact ? ls_delivery_exact : body, d);
    if (e) {
        ls_delivery_free(d);
        return ls_fail(err, LS_FAIL, "cannot start the delivery thread: %s", strerror(e));
    }
    d->running = true;
    *out = d;
    return 0;
}

ls_inflight *ls_delivery_inflight(ls_delivery *d) { return &d->inflight; }

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

uint64_t ls_delivery_commits(ls_delivery *d) { return atomic_load(&d->commits); }

int ls_delivery_check(ls_delivery *d, ls_error *err) {
    if (!atomic_load_explicit(&d->failed, memory_order_relaxed)) {
        if (!d->exact || !ls_delivery_is_undone(d)) return 0;
        return ls_fail(err, LS_AGAIN, "the transaction is undone");
    }
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
        int64_t until = ls_clock_ms() + drain_ms;
        if (d->exact) ls_delivery_cut_last(d, until);
        atomic_store(&d->finish_by, until);
        if (d->exact) ls_producer_wake(d->producer);
        pthread_join(d->thread, NULL);
        d->running = false;
    }
    return ls_delivery_check(d, err);
}

void ls_delivery_free(ls_delivery *d) {
    if (!d) return;
    ls_inflight_free(&d->inflight);
    ls_buf_free(&d->json);
    ls_buf_free(&d->sent);
    pthread_cond_destroy(&d->room);
    pthread_mutex_destroy(&d->mutex);
    pthread_mutex_destroy(&d->sending);
    free(d);
}
