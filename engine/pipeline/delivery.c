#include "pipeline/delivery_parts.h"

#include "base/clock.h"
#include "pipeline/refused.h"

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
    if (r->failed && r->too_large && d->refused && ls_refused_take(d->refused, r)) return; /* its segment waits for the letter */
    if (r->failed) { /* the segment keeps its count: the position stays before the lost message */
        ls_error err;
        if (r->final || r->code == LS_FENCED)
            ls_fail(&err, r->final ? LS_FAIL : LS_FENCED,
                    "Kafka did not take a message: %s; nothing after the last checkpoint is passed over: mend it and start again", r->why);
        else /* after a broker's death, an idempotent producer may have lost count with it */
            ls_fail(&err, LS_AGAIN, "Kafka did not take a message: %s; goes back to the last checkpoint", r->why);
        if (err.code == LS_AGAIN) ls_producer_abandon(d->producer);
        ls_delivery_fail(d, &err);
        return;
    }
    ls_inflight_done(&d->inflight, ls_refused_segment(d->refused, r->opaque), r->bytes);
}

static void move(ls_delivery *d, const ls_moved *to) {
    pthread_mutex_lock(&d->mutex);
    d->server = to->server;
    pthread_mutex_unlock(&d->mutex);
    d->progress->epoch = to->epoch;
    d->rows_moved = true; /* rows of the new epoch wait for it to be stored */
}

void ls_delivery_pass(ls_delivery *d, const ls_segment *s) {
    ls_progress *p = d->progress;
    if (s->pos[0]) {
        memcpy(p->delivered_pos, s->pos, sizeof p->delivered_pos);
        memcpy(p->delivered_gtid, s->tx, sizeof p->delivered_gtid);
        p->delivered_seq = s->seq;
        d->rows_moved = true;
    }
    if (s->moved) move(d, s->moved);
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
    atomic_store(&d->epoch, d->progress->epoch);
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

void ls_delivery_trouble(ls_delivery *d, const char *what) {
    ls_log_line(&d->worker->log, d->troubled_at ? LS_DEBUG : LS_WARN, "%s; trying again until it works", what);
    if (!d->troubled_at) d->troubled_at = ls_clock_ms();
}

void ls_delivery_works(ls_delivery *d) {
    int64_t now = ls_clock_ms();
    if (!d->troubled_at || now - d->heard_at >= LS_UNHEARD_MS) return;
    ls_log_line(&d->worker->log, LS_INFO, "Kafka answers again after %.1f s", (double)(now - d->troubled_at) / 1000);
    d->troubled_at = 0;
    ls_producer_up(d->producer);
}

static void store_if_due(ls_delivery *d, bool last) {
    ls_error err;
    int64_t now = ls_clock_ms();
    bool due = (d->rows_moved && now - d->stored_at >= LS_CHECKPOINT_MS) ||
               (d->place_moved && now - d->stored_at >= LS_IDLE_CHECKPOINT_MS) || now - d->stored_at >= LS_ALIVE_MS || (last && (d->rows_moved || d->place_moved));
    if (!due) return;
    d->stored_at = now;
    if (store(d, &err) == 0) {
        ls_delivery_works(d);
    } else if (err.code != LS_AGAIN || last) {
        if (err.code == LS_AGAIN) {
            err.code = LS_FAIL;
            ls_fail_in(&err, "cannot store the checkpoint (the rows since the last one come again at the next start)");
        }
        ls_delivery_fail(d, &err);
    } else {
        ls_delivery_trouble(d, err.text);
    }
}

/* --until-caught-up does not wait for ever, and does not end well with rows that nobody has acknowledged. */
void ls_delivery_look_for_silence(ls_delivery *d, bool heard) {
    ls_error err;
    int64_t now = ls_clock_ms();
    const char *down = ls_producer_down(d->producer);
    if (heard) d->heard_at = now;
    if (down && !d->troubled_at) {
        ls_fail(&err, LS_AGAIN, "no broker answers (%s): see that they run and can be reached", down);
        ls_delivery_trouble(d, err.text);
    } else if (now - d->heard_at >= LS_UNHEARD_MS && !d->troubled_at) {
        ls_fail(&err, LS_AGAIN, "Kafka has acknowledged nothing for %d s: see that the brokers run and that the topics have enough replicas in sync",
                LS_UNHEARD_MS / 1000);
        ls_delivery_trouble(d, err.text);
    }
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

void ls_delivery_look_at_turn(ls_delivery *d) {
    ls_error err;
    if (!d->worker->standby || atomic_load(&d->failed) || ls_standby_check(d->worker->standby, &err) == 0) return;
    ls_delivery_fail(d, &err);
    ls_producer_purge(d->producer);
}

static bool is_fenced(ls_delivery *d) {
    if (!atomic_load(&d->failed)) return false;
    pthread_mutex_lock(&d->mutex);
    bool fenced = d->err.code == LS_FENCED;
    pthread_mutex_unlock(&d->mutex);
    return fenced;
}

static void *body(void *arg) {
    ls_delivery *d = arg;
    ls_error err;
    d->heard_at = ls_clock_ms();
    for (;;) {
        int64_t finish_by = atomic_load(&d->finish_by);
        int taken = ls_producer_reports(d->producer, LS_REPORT_WAIT_MS, take_report, d);
        ls_delivery_look_at_turn(d);
        if (ls_producer_health(d->producer, &err) || (d->refused && ls_refused_send(d->refused, &err))) ls_delivery_fail(d, &err);
        ls_delivery_look_for_silence(d, taken || !ls_inflight_bytes(&d->inflight));
        advance(d);
        if (taken) ls_delivery_news(d);
        if (finish_by && (ls_inflight_bytes(&d->inflight) == 0 || ls_clock_ms() >= finish_by || atomic_load(&d->failed))) break;
        bool waits = finish_by && d->troubled_at; /* for the rows alone: a try that does not come back would outlast the time there is */
        if (!is_fenced(d) && !waits) store_if_due(d, false);
    }
    if (ls_inflight_bytes(&d->inflight) && !atomic_load(&d->failed)) ls_delivery_leave_undelivered(d);
    bool hopeless = is_fenced(d) || (d->troubled_at && ls_inflight_bytes(&d->inflight)); /* Kafka has not answered for as long as it could be waited for */
    if (!hopeless) store_if_due(d, true);
    return NULL;
}

int ls_delivery_start(ls_delivery **out, const ls_delivery_conf *conf, ls_error *err) {
    ls_delivery *d = calloc(1, sizeof *d);
    pthread_condattr_t monotonic;
    if (!d || ls_inflight_init(&d->inflight) || pthread_condattr_init(&monotonic)) {
        free(d);
        return ls_fail_memory(err, "starting the delivery thread");
    }
    d->worker = conf->worker;
    d->producer = conf->producer;
    d->checkpoints = conf->checkpoints;
    d->progress = conf->progress;
    d->confirmed = conf->progress->restart;
    d->server = conf->progress->server;
    d->exact = conf->exact;
    d->stored_at = ls_clock_ms();
    pthread_mutex_init(&d->sending, NULL);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    bool sizes = conf->dead && ls_dead_on_oversize(conf->dead) != LS_POLICY_STOP;
    if (sizes) d->refused = ls_refused_new(conf->dead, d->producer, conf->letters, &d->inflight);
    if (sizes && !d->refused) ls_fail_memory(err, "starting the delivery thread");
    if ((sizes && !d->refused) || (d->exact && ls_checkpoints_begin(d->checkpoints, err))) {
        ls_delivery_free(d);
        return -1;
    }
    int e = pthread_create(&d->thread, NULL, d->exact ? ls_delivery_exact : body, d);
    if (e) {
        ls_delivery_free(d);
        return ls_fail(err, LS_FAIL, "cannot start the delivery thread: %s", strerror(e));
    }
    d->running = true;
    *out = d;
    return 0;
}

ls_inflight *ls_delivery_inflight(ls_delivery *d) { return &d->inflight; }

void *ls_delivery_opaque(ls_delivery *d, ls_segment *s, const ls_change *change, size_t bytes, ls_error *err) {
    void *opaque = d->refused && change ? ls_refused_opaque(d->refused, s, change, bytes) : s;
    if (!opaque) ls_fail_memory(err, "sending a message");
    return opaque;
}

bool ls_delivery_refused(ls_delivery *d, const ls_change *change, ls_error *err) { return d->exact && ls_refused_before(d->refused, change, err); }

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
    if (d->worker->standby && ls_standby_check(d->worker->standby, err)) return -1; /* the capture thread may see it first */
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

uint64_t ls_delivery_epoch(ls_delivery *d) { return atomic_load(&d->epoch); }

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
    int rc = ls_delivery_check(d, err);
    return rc && err->code == LS_AGAIN && ls_delivery_is_undone(d) ? 0 : rc; /* said by the delivery thread: its rows come again */
}

void ls_delivery_free(ls_delivery *d) {
    if (!d) return;
    ls_refused_free(d->refused);
    ls_inflight_free(&d->inflight);
    ls_buf_free(&d->json);
    ls_buf_free(&d->sent);
    pthread_cond_destroy(&d->room);
    pthread_mutex_destroy(&d->mutex);
    pthread_mutex_destroy(&d->sending);
    free(d);
}
