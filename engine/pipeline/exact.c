/* exact.c - delivery = "exactly_once": rows and the checkpoint behind them in one Kafka transaction. The capture thread cuts it, by age and size, between two batches;
 * this thread puts the checkpoint in, waits for the acknowledgements and commits. What is undone comes again: capture goes back to the stored checkpoint. */
#include "pipeline/delivery_parts.h"

#include "base/clock.h"

enum {
    LS_CUT_MS = 100,                  /* a transaction is cut when it is so old */
    LS_CUT_BYTES = 8 * 1024 * 1024,   /* ... or so large */
    LS_CUT_SEGMENTS = LS_SEGMENTS / 4, /* ... or of so many batches */
    LS_CUT_LATE_MS = 1000,            /* with LS_CUT_LATE, whatever its size: a commit, and the brokers' leave for the next one, cost some 50 ms in which nothing is sent */
    LS_CUT_LATE_SEGMENTS = LS_SEGMENTS - LS_SEGMENTS / 4, /* the others are of the next one */
    LS_CUT_ALONE_MS = 1000,           /* and when it is so old without the capture thread, which a hook or the database keeps */
    LS_ACK_LOOK_MS = 10,
    LS_GIVE_UP_MS = 3000,             /* how long a program that ends tries to abort what it leaves */
    LS_TROUBLED_GIVE_UP_MS = 500      /* ... when Kafka has not answered the last tries */
};

static bool is_shut(ls_delivery *d) { return atomic_load_explicit(&d->gate, memory_order_acquire) != LS_GATE_OPEN; }

/* ---- the capture thread's side */

bool ls_delivery_enter(ls_delivery *d) {
    if (!d->exact) return true;
    pthread_mutex_lock(&d->sending);
    if (!is_shut(d)) {
        d->whole = false;
        return true;
    }
    pthread_mutex_unlock(&d->sending);
    return false;
}

void ls_delivery_leave(ls_delivery *d, size_t bytes) {
    if (!d->exact) return;
    if (bytes && !d->began_at) d->began_at = ls_clock_ms();
    d->bytes += bytes;
    pthread_mutex_unlock(&d->sending);
}

/* Under `sending`. */
static void shut_gate(ls_delivery *d) { atomic_store_explicit(&d->gate, LS_GATE_SHUT, memory_order_release); }

/* Is the transaction, if there is something in it, to be ended? Segments without rows only move the place. */
static bool is_due(ls_delivery *d, ls_cut cut, int *wait_ms) {
    bool late = cut == LS_CUT_LATE;
    uint64_t segments = ls_inflight_opened(&d->inflight) - ls_inflight_popped(&d->inflight);
    int64_t at = ls_clock_ms(), last = d->stored_at + (segments ? LS_IDLE_CHECKPOINT_MS : LS_ALIVE_MS), age = late ? LS_CUT_LATE_MS : LS_CUT_MS;
    if (d->began_at && d->began_at + age < last) last = d->began_at + age;
    *wait_ms = last > at ? (int)(last - at) : 0;
    return last <= at || (!late && d->bytes >= LS_CUT_BYTES) || segments >= (late ? LS_CUT_LATE_SEGMENTS : LS_CUT_SEGMENTS) ||
           (cut == LS_CUT_NOW && (segments || d->began_at));
}

int ls_delivery_cut(ls_delivery *d, ls_cut cut) {
    int wait_ms = LS_CUT_MS;
    if (!d->exact) return wait_ms;
    pthread_mutex_lock(&d->sending);
    if (!is_shut(d) && is_due(d, cut, &wait_ms)) {
        d->cut_to = ls_inflight_opened(&d->inflight);
        shut_gate(d);
        ls_producer_wake(d->producer);
        wait_ms = LS_CUT_MS;
    }
    d->whole = true;
    d->whole_to = ls_inflight_opened(&d->inflight);
    pthread_mutex_unlock(&d->sending);
    return wait_ms;
}

void ls_delivery_spoil(ls_delivery *d) {
    if (!d->exact) return;
    atomic_store(&d->spoiled, true);
    ls_producer_wake(d->producer);
}

void ls_delivery_cut_last(ls_delivery *d, int64_t until) {
    while (is_shut(d) && !ls_delivery_is_undone(d) && !atomic_load(&d->failed) && ls_clock_ms() < until) ls_delivery_wait(d, LS_ACK_LOOK_MS);
    ls_delivery_cut(d, LS_CUT_NOW);
}

bool ls_delivery_is_undone(ls_delivery *d) { return d->exact && atomic_load(&d->gate) == LS_GATE_UNDONE; }

int ls_delivery_again(ls_delivery *d, ls_error *err) {
    ls_inflight_reset(&d->inflight);
    ls_refused_forget(d->refused);
    ls_producer_anew(d->producer);
    ls_delivery_server(d, &d->progress->server);
    atomic_store(&d->spoiled, false);
    d->began_at = 0;
    d->bytes = 0;
    d->whole = false;
    if (ls_checkpoints_begin(d->checkpoints, err)) return -1;
    atomic_store_explicit(&d->gate, LS_GATE_OPEN, memory_order_release);
    ls_delivery_news(d);
    return 0;
}

/* ---- the delivery thread's side */

static void take_report(void *ctx, const ls_report *r) {
    ls_delivery *d = ctx;
    ls_error err;
    bool kept = r->failed && r->too_large && d->refused && ls_refused_keep(d->refused, r);
    if (r->opaque && !kept) ls_inflight_done(&d->inflight, ls_refused_segment(d->refused, r->opaque), r->bytes); /* all bytes of a spoiled one are forgotten */
    if (!r->failed) return;
    atomic_store(&d->spoiled, true);
    if (kept || !r->final) return;
    ls_fail(&err, LS_FAIL, "Kafka did not take a message: %s; nothing after the last checkpoint is passed over: mend it and start again", r->why);
    ls_delivery_fail(d, &err);
}

static int take_reports(ls_delivery *d, int wait_ms) {
    ls_error err;
    int taken = ls_producer_reports(d->producer, wait_ms, take_report, d);
    if (ls_producer_health(d->producer, &err)) atomic_store(&d->spoiled, true);
    if (taken) ls_delivery_news(d);
    ls_delivery_look_at_turn(d);
    return taken;
}

static bool is_late(ls_delivery *d) {
    int64_t finish_by = atomic_load(&d->finish_by);
    return finish_by && ls_clock_ms() >= finish_by;
}

static void shut(ls_delivery *d) {
    pthread_mutex_lock(&d->sending);
    shut_gate(d);
    pthread_mutex_unlock(&d->sending);
}

/* What the capture thread has sent is cut without it, or a hook that takes long would hold the transaction open until the brokers give it up, each time anew. A segment that
 * was opened meanwhile is of the next one. */
static void cut_alone(ls_delivery *d) {
    pthread_mutex_lock(&d->sending);
    if (!is_shut(d) && d->whole && d->began_at && ls_clock_ms() - d->began_at >= LS_CUT_ALONE_MS) {
        d->cut_to = d->whole_to;
        shut_gate(d);
    }
    pthread_mutex_unlock(&d->sending);
}

/* Moves the position over the transaction, and puts the checkpoint into it. */
static int put_checkpoint(ls_delivery *d, ls_error *err) {
    d->rows = 0;
    d->newest = 0;
    for (uint64_t i = ls_inflight_popped(&d->inflight); i < d->cut_to; i++) {
        const ls_segment *s = ls_inflight_number(&d->inflight, i);
        ls_delivery_pass(d, s);
        d->rows += s->rows;
        if (s->pos[0] && s->ts) d->newest = s->ts;
    }
    if (ls_delivery_compose(d, err)) return -1;
    return ls_checkpoints_put(d->checkpoints, d->json.data, d->json.len, d->began_at ? d->began_at : ls_clock_ms(), err);
}

/* With all that the client had acknowledged: was everything given to it? A capture thread that has failed may have kept messages. */
static bool is_whole(ls_delivery *d) {
    for (uint64_t i = ls_inflight_popped(&d->inflight); i < d->cut_to; i++)
        if (atomic_load_explicit(&ls_inflight_number(&d->inflight, i)->outstanding, memory_order_acquire)) return false;
    return true;
}

/* True: all is acknowledged. False: the transaction is spoiled, or the time is over. */
static bool await_acknowledgements(ls_delivery *d) {
    while (!atomic_load(&d->spoiled) && !atomic_load(&d->failed) && !is_late(d)) {
        if (ls_producer_flush(d->producer)) return !atomic_load(&d->spoiled) && is_whole(d);
        ls_delivery_look_for_silence(d, take_reports(d, LS_ACK_LOOK_MS) > 0);
    }
    return false;
}

/* It is stored: the capture thread may begin the next one. */
static int committed(ls_delivery *d, ls_error *err) {
    while (ls_inflight_popped(&d->inflight) < d->cut_to) ls_inflight_pop(&d->inflight);
    atomic_fetch_add(&d->worker->rows, d->rows);
    if (d->newest) atomic_store(&d->worker->lag, ls_clock_wall_us() - d->newest);
    d->heard_at = ls_clock_ms();
    ls_delivery_works(d);
    ls_delivery_stored(d);
    pthread_mutex_lock(&d->sending);
    d->stored_at = d->heard_at;
    d->began_at = 0;
    d->bytes = 0;
    pthread_mutex_unlock(&d->sending);
    if (ls_checkpoints_begin(d->checkpoints, err)) return -1;
    atomic_store_explicit(&d->gate, LS_GATE_OPEN, memory_order_release);
    ls_delivery_news(d);
    return 0;
}

static void undone(ls_delivery *d, ls_error *err) {
    ls_fail_in(err, "the transaction is undone, and its rows come again");
    ls_delivery_trouble(d, err->text);
    atomic_store_explicit(&d->gate, LS_GATE_UNDONE, memory_order_release);
    ls_delivery_news(d);
}

/* Ends the transaction, for as long as that takes. The gate is shut. */
static void end(ls_delivery *d) {
    ls_error err;
    bool wanted = !atomic_load(&d->spoiled);
    ls_fail(&err, LS_AGAIN, "Kafka did not take everything");
    if (wanted) wanted = put_checkpoint(d, &err) == 0 && await_acknowledgements(d);
    while (!atomic_load(&d->failed) && !is_late(d)) {
        int rc = ls_checkpoints_end(d->checkpoints, wanted, &err);
        if (rc == 1) rc = committed(d, &err) ? 0 : 1;
        if (rc == 1) return;
        if (rc == 0) {
            undone(d, &err);
            return;
        }
        if (err.code != LS_AGAIN) {
            ls_delivery_fail(d, &err);
            return;
        }
        ls_delivery_trouble(d, err.text);
        ls_delivery_look_for_silence(d, take_reports(d, LS_REPORT_WAIT_MS) > 0);
    }
}

/* What a program that ends leaves in the transaction would hold up those who read the topics until it times out. */
static void give_up(ls_delivery *d) {
    ls_error err;
    int64_t until = ls_clock_ms() + (d->troubled_at ? LS_TROUBLED_GIVE_UP_MS : LS_GIVE_UP_MS);
    int rc = -1;
    if (!atomic_load(&d->failed)) ls_delivery_leave_undelivered(d);
    shut(d);
    while (rc < 0 && ls_clock_ms() < until) {
        rc = ls_checkpoints_end(d->checkpoints, false, &err);
        if (rc < 0 && err.code != LS_AGAIN) return;
        take_reports(d, 0);
    }
}

/* Between two transactions, or in one that the capture thread adds to. */
static bool has_something(ls_delivery *d) {
    return ls_inflight_popped(&d->inflight) != ls_inflight_opened(&d->inflight);
}

void *ls_delivery_exact(void *delivery) {
    ls_delivery *d = delivery;
    d->heard_at = ls_clock_ms();
    for (;;) {
        bool finish = atomic_load(&d->finish_by) != 0; /* read first: what was cut before it is ended below */
        if (ls_delivery_is_undone(d)) {
            if (finish) {
                ls_delivery_leave_undelivered(d);
                return NULL;
            }
            ls_delivery_wait(d, LS_REPORT_WAIT_MS);
            continue;
        }
        int taken = take_reports(d, finish ? 0 : LS_REPORT_WAIT_MS);
        ls_delivery_look_for_silence(d, taken || !ls_inflight_bytes(&d->inflight));
        cut_alone(d);
        if (atomic_load(&d->spoiled) && !atomic_load(&d->failed)) {
            shut(d);
            end(d);
        } else if (is_shut(d) && !atomic_load(&d->failed)) {
            end(d);
        }
        if (finish && (!has_something(d) || is_late(d) || atomic_load(&d->failed))) break;
    }
    if (has_something(d)) give_up(d);
    return NULL;
}
