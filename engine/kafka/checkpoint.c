#include "kafka/checkpoint.h"

#include "base/clock.h"
#include "base/json.h"
#include "kafka/offsets.h"
#include "kafka/producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_TXN_TIMEOUT_MS = 15000,      /* after which the broker aborts the transaction of a program that is silent or dead */
    LS_TXN_ROWS_TIMEOUT_MS = 30000, /* ... with rows in it, which must outlive a broker's death: another takes its place within 10 to 20 s */
    LS_TXN_COMMIT_MS = 1000,        /* one try to commit a transaction that has rows */
    LS_TXN_ABORT_MS = 100,          /* one to abort it: reports are taken in between, or it would wait for them */
    LS_DRAIN_LOOK_MS = 20
};

/* Where the present transaction is. What a call could not end, the next call ends first. */
typedef enum txn { TXN_NONE, TXN_OPEN, TXN_COMMIT, TXN_ABORT } txn;

struct ls_checkpoints {
    rd_kafka_t *rk; /* the transactional client; NULL: to be made again */
    ls_kafka_conf conf;
    const ls_log *log;
    ls_buf key;
    const char *connector;
    size_t rows;        /* bytes of them that may wait; 0: none go through the client */
    txn txn;
    bool lost;          /* the client is of no use any more */
    int64_t begun_at;   /* the transaction: ls_clock_ms() */
    ls_buf known, sent; /* values: the newest that is known to be stored, and the last that was sent */
};

static int timeout_of(const ls_checkpoints *c) { return c->rows ? LS_TXN_ROWS_TIMEOUT_MS : LS_TXN_TIMEOUT_MS; }

static ls_offsets offsets_of(const ls_checkpoints *c) {
    return (ls_offsets){.conf = &c->conf, .log = c->log, .key = c->key.data, .key_len = c->key.len};
}

static int fenced(const ls_checkpoints *c, ls_error *err) {
    return ls_fail(err, LS_FENCED, "another instance runs under the name \"%s\" and has taken over: stop one of them, or give it another name", c->connector);
}

static int open_client(ls_checkpoints *c, ls_error *err) {
    char id[512], timeout[24], why[512];
    snprintf(id, sizeof id, "list_sync.%s", c->connector);
    snprintf(timeout, sizeof timeout, "%d", timeout_of(c));
    const ls_pair ours[] = {{"transactional.id", id}, {"transaction.timeout.ms", timeout}, {"message.timeout.ms", timeout}, {"linger.ms", "0"}};
    enum { ALONE = sizeof ours / sizeof *ours, ROWS = ALONE - 1 }; /* rows linger */
    if (c->rows) return ls_producer_client(&c->rk, &c->conf, c->rows, ours, ROWS, c->log, err);
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf, ours, ALONE, c->log, err)) return -1;
    c->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (c->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* From here on whoever ran under this name before is fenced, and its open transaction is aborted. */
static int take_over(ls_checkpoints *c, ls_error *err) {
    rd_kafka_error_t *e = rd_kafka_init_transactions(c->rk, LS_TXN_TIMEOUT_MS);
    c->txn = TXN_NONE;
    if (!e) return 0;
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    bool again = rd_kafka_error_is_retriable(e) || ls_kafka_code(code) == LS_AGAIN;
    if (ls_kafka_code(code) == LS_FENCED)
        fenced(c, err);
    else if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        ls_fail(err, LS_USAGE, "Kafka refuses: %s: give the user the right to write with the transactional.id \"list_sync.%s\"",
                rd_kafka_error_string(e), c->connector);
    else if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        ls_fail(err, LS_USAGE, "Kafka refuses: %s: set the brokers' transaction.max.timeout.ms to at least %d", rd_kafka_error_string(e), timeout_of(c));
    else
        ls_fail(err, again ? LS_AGAIN : LS_FAIL, "Kafka does not give this program its place (init_transactions): %s", rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return -1;
}

static int name_key(ls_checkpoints *c, ls_error *err) {
    ls_buf_str(&c->key, "[1,");
    ls_json_string(&c->key, c->connector, strlen(c->connector));
    ls_buf_char(&c->key, ']');
    return c->key.failed ? ls_fail_memory(err, "opening the checkpoints") : 0;
}

int ls_checkpoints_open(ls_checkpoints **out, const ls_kafka_conf *conf, const char *connector, size_t rows, const ls_log *log, ls_error *err) {
    ls_checkpoints *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "opening the checkpoints");
    c->conf = *conf;
    c->log = log;
    c->connector = connector;
    c->rows = rows;
    if (name_key(c, err)) {
        ls_checkpoints_close(c);
        return -1;
    }
    ls_offsets offsets = offsets_of(c);
    if (open_client(c, err) || ls_offsets_make(&offsets, c->rk, err) || take_over(c, err)) {
        ls_checkpoints_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

rd_kafka_t *ls_checkpoints_client(ls_checkpoints *c) { return c->rk; }
bool ls_checkpoints_lost(const ls_checkpoints *c) { return c->lost; }

static void keep(ls_buf *b, const char *p, size_t n) {
    ls_buf_clear(b);
    ls_buf_add(b, p, n);
}

int ls_checkpoints_load(ls_checkpoints *c, ls_buf *value, ls_error *err) {
    size_t from = value->len;
    ls_offsets offsets = offsets_of(c);
    int found = ls_offsets_read(&offsets, value, err);
    if (found > 0) keep(&c->known, value->data + from, value->len - from);
    return found > 0 && c->known.failed ? ls_fail_memory(err, "reading the checkpoint") : found;
}

int ls_checkpoints_peek(const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_buf *value, int64_t *stored_at, ls_error *err) {
    ls_checkpoints c = {.conf = *conf, .log = log, .connector = connector};
    int found = name_key(&c, err);
    ls_offsets offsets = offsets_of(&c);
    if (found == 0) found = ls_offsets_peek(&offsets, value, stored_at, err);
    ls_buf_free(&c.key);
    return found;
}

/* ---- one transaction */

/* What follows from a transactional call's error, which is freed: c->txn and c->lost say how to go on. Gives -1. A transaction that is older than its time-out may have been
 * ended by the broker, which fences whoever began it as a second instance would; in a younger one it was that. */
static int failed(ls_checkpoints *c, rd_kafka_error_t *e, ls_error *err) {
    rd_kafka_resp_err_t code = rd_kafka_error_code(e), fatal = rd_kafka_fatal_error(c->rk, NULL, 0);
    ls_code kind = ls_kafka_code(fatal ? fatal : code);
    bool must_abort = rd_kafka_error_txn_requires_abort(e), refused = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (refused)
        ls_fail(err, LS_USAGE, "storing the checkpoint: %s: give the user the right to write to " LS_OFFSETS_TOPIC, rd_kafka_error_string(e));
    else
        ls_fail(err, kind == LS_AGAIN || must_abort || rd_kafka_error_is_retriable(e) ? LS_AGAIN : LS_FAIL, "storing the checkpoint: %s",
                rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    if (kind == LS_FENCED && ls_clock_ms() - c->begun_at < timeout_of(c)) return fenced(c, err);
    if (fatal || kind == LS_FENCED) {
        c->lost = true;
        return ls_fail(err, LS_AGAIN, "storing the checkpoint: the brokers gave up its transaction in an outage");
    }
    if (must_abort) c->txn = TXN_ABORT;
    return -1;
}

/* As ls_checkpoints_end(). A call that timed out is gone on with by the same call. */
static int end(ls_checkpoints *c, int wait_ms, ls_error *err) {
    rd_kafka_error_t *e;
    if (c->txn == TXN_COMMIT) {
        if (!(e = rd_kafka_commit_transaction(c->rk, wait_ms))) {
            c->txn = TXN_NONE;
            keep(&c->known, c->sent.data, c->sent.len);
            return c->known.failed ? ls_fail_memory(err, "storing the checkpoint") : 1;
        }
        failed(c, e, err);
        if (err->code != LS_AGAIN || (!c->lost && c->txn == TXN_COMMIT)) return -1;
    }
    if (c->txn == TXN_ABORT && !c->lost && (e = rd_kafka_abort_transaction(c->rk, wait_ms))) {
        failed(c, e, err);
        if (!c->lost) return -1;
    }
    c->txn = TXN_NONE;
    return 0;
}

static void drop_client(ls_checkpoints *c) {
    if (c->rk) rd_kafka_destroy(c->rk);
    c->rk = NULL;
}

static bool same(const ls_buf *a, const ls_buf *b) { return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0); }

/* Is the newest stored value this program's? Then c->known is it. */
static int still_ours(ls_checkpoints *c, ls_error *err) {
    ls_buf newest = {0};
    ls_offsets offsets = offsets_of(c);
    int found = ls_offsets_read(&offsets, &newest, err);
    bool ours = found == 0 ? c->known.len == 0 : same(&newest, &c->known) || same(&newest, &c->sent);
    if (found > 0 && ours) keep(&c->known, newest.data, newest.len);
    ls_buf_free(&newest);
    return found < 0 ? -1 : ours ? 0 : fenced(c, err);
}

/* The client is of no use any more. Was it another instance, or ourselves, in an outage that a transaction does not outlive? The newest stored value
 * tells: if it is ours, this program takes its place again; then nobody has come in between if it still is. */
static int recover(ls_checkpoints *c, ls_error *err) {
    drop_client(c);
    if (still_ours(c, err)) return -1;
    if (open_client(c, err) || take_over(c, err) || still_ours(c, err)) {
        drop_client(c); /* the next call begins with this again */
        return -1;
    }
    c->lost = false;
    return 0;
}

int ls_checkpoints_begin(ls_checkpoints *c, ls_error *err) {
    c->begun_at = ls_clock_ms();
    rd_kafka_error_t *e = rd_kafka_begin_transaction(c->rk);
    if (e) return failed(c, e, err);
    c->txn = TXN_OPEN;
    return 0;
}

int ls_checkpoints_put(ls_checkpoints *c, const char *value, size_t n, int64_t begun_at, ls_error *err) {
    c->begun_at = begun_at;
    keep(&c->sent, value, n);
    if (c->sent.failed) return ls_fail_memory(err, "storing the checkpoint");
    rd_kafka_resp_err_t e =
        rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(LS_OFFSETS_TOPIC), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(c->key.data, c->key.len), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, n), RD_KAFKA_V_END);
    return e ? ls_fail(err, LS_AGAIN, "storing the checkpoint: %s", rd_kafka_err2str(e)) : 0;
}

/* Why the client has given up the open transaction: it answers so to a call that the state does not allow. -1: it would again. */
static int look_why(ls_checkpoints *c, ls_error *err) {
    rd_kafka_error_t *e = rd_kafka_begin_transaction(c->rk);
    bool given_up = e && rd_kafka_error_txn_requires_abort(e), refused = given_up && rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (refused)
        ls_fail(err, LS_USAGE, "%s: give the user the right to write to the connector's topics and to " LS_OFFSETS_TOPIC, rd_kafka_error_string(e));
    else if (given_up)
        ls_fail(err, LS_AGAIN, "%s", rd_kafka_error_string(e));
    if (e) rd_kafka_error_destroy(e);
    return refused ? -1 : 0;
}

int ls_checkpoints_end(ls_checkpoints *c, bool wanted, ls_error *err) {
    if (c->txn == TXN_NONE) return ls_fail(err, LS_FAIL, "there is no transaction to be ended");
    bool first = c->txn == TXN_OPEN;
    if (first || !wanted) c->txn = wanted ? TXN_COMMIT : TXN_ABORT;
    if (first && !wanted && look_why(c, err)) return -1;
    return end(c, c->txn == TXN_COMMIT ? LS_TXN_COMMIT_MS : LS_TXN_ABORT_MS, err);
}

int ls_checkpoints_renew(ls_checkpoints *c, ls_buf *value, ls_error *err) {
    if (c->lost && recover(c, err)) return -1;
    ls_buf_add(value, c->known.data, c->known.len);
    return value->failed ? ls_fail_memory(err, "reading the checkpoint") : c->known.len > 0;
}

/* ---- a value alone */

/* Nobody else takes the reports of a client for rows that sends none. */
static void take_report(const ls_checkpoints *c) {
    rd_kafka_queue_t *q = rd_kafka_queue_get_main(c->rk);
    rd_kafka_flush(c->rk, 1); /* has it go out at once */
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_DRAIN_LOOK_MS);
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_queue_destroy(q);
}

/* Commits, or ends what an earlier call could not. */
static int end_alone(ls_checkpoints *c, ls_error *err) {
    int64_t until = ls_clock_ms() + LS_KAFKA_ASK_MS;
    while (c->rows && rd_kafka_outq_len(c->rk) && ls_clock_ms() < until) take_report(c);
    return end(c, LS_KAFKA_ASK_MS, err);
}

int ls_checkpoints_store(ls_checkpoints *c, const char *value, size_t n, ls_error *err) {
    if (c->lost && recover(c, err)) return -1;
    if (c->txn != TXN_NONE && end_alone(c, err) < 0) return -1;
    if (c->lost) return -1; /* *err says of what */
    if (ls_checkpoints_begin(c, err)) return -1;
    if (ls_checkpoints_put(c, value, n, c->begun_at, err)) {
        c->txn = TXN_ABORT;
        return -1;
    }
    c->txn = TXN_COMMIT;
    return end_alone(c, err) == 1 ? 0 : -1;
}

void ls_checkpoints_close(ls_checkpoints *c) {
    drop_client(c);
    ls_buf_free(&c->key);
    ls_buf_free(&c->known);
    ls_buf_free(&c->sent);
    free(c);
}
