#include "kafka/checkpoint.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_TXN_TIMEOUT_MS = 15000,   /* after which the broker aborts the transaction of a program that is silent or dead */
    LS_STABLE_WAIT_MS = 30000,   /* for other connectors' open transactions in the topic: that long, and the broker's own look every 10 s */
    LS_SCAN_POLL_MS = 200
};

/* A transaction that a call could not end: the next call ends it first. */
typedef enum unended { LS_TXN_NONE, LS_TXN_COMMIT, LS_TXN_ABORT } unended;

struct ls_checkpoints {
    rd_kafka_t *rk; /* the transactional producer; NULL: to be made again */
    ls_kafka_conf conf;
    const ls_log *log;
    ls_buf key;
    const char *connector;
    unended unended;
    int64_t begun_at;   /* the last transaction: ls_clock_ms() */
    int64_t stored_at;  /* of the value that was read last: milliseconds since 1970 */
    ls_buf known, sent; /* values: the newest that is known to be stored, and the last that was sent */
};

static int fenced(const ls_checkpoints *c, ls_error *err) {
    return ls_fail(err, LS_FENCED, "another instance runs under the name \"%s\" and has taken over: stop one of them, or give it another name", c->connector);
}

static int compact_or_not(const rd_kafka_ConfigResource_t *r, const ls_log *log, ls_error *err) {
    size_t n;
    const rd_kafka_ConfigEntry_t **e = rd_kafka_ConfigResource_configs(r, &n);
    rd_kafka_resp_err_t why = rd_kafka_ConfigResource_error(r);
    if (ls_kafka_code(why) == LS_AGAIN)
        return ls_fail(err, LS_AGAIN, "topic " LS_OFFSETS_TOPIC ": its settings could not be read: %s", rd_kafka_err2str(why));
    if (why)
        ls_log_line(log, LS_WARN, "topic " LS_OFFSETS_TOPIC ": its settings could not be read (%s): see that cleanup.policy is compact, "
                                  "or checkpoints could be deleted by age; the right to describe the topic's configs lets the program look", rd_kafka_err2str(why));
    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(e[i]);
        if (strcmp(rd_kafka_ConfigEntry_name(e[i]), "cleanup.policy") != 0 || !value || strcmp(value, "compact") == 0) continue;
        return ls_fail(err, LS_USAGE,
                       "topic " LS_OFFSETS_TOPIC " has cleanup.policy=%s, so checkpoints could be deleted by age: kafka-configs.sh --alter "
                       "--entity-type topics --entity-name " LS_OFFSETS_TOPIC " --add-config cleanup.policy=compact", value);
    }
    return 0;
}

/* cleanup.policy=compact, or checkpoints could be deleted by age. */
static int verify_compact(ls_checkpoints *c, ls_error *err) {
    char why[256];
    if (c->conf.memory) return 0; /* the in-process broker has no topic settings, and nothing on it outlives the program */
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, LS_OFFSETS_TOPIC);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(o, LS_KAFKA_ASK_MS, why, sizeof why);
    rd_kafka_DescribeConfigs(c->rk, &ask, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_KAFKA_ASK_MS + 1000);
    const rd_kafka_DescribeConfigs_result_t *r = ev ? rd_kafka_event_DescribeConfigs_result(ev) : NULL;
    size_t n = 0;
    const rd_kafka_ConfigResource_t **got = r ? rd_kafka_DescribeConfigs_result_resources(r, &n) : NULL;
    int rc = n ? compact_or_not(got[0], c->log, err)
               : ls_fail(err, LS_AGAIN, "topic " LS_OFFSETS_TOPIC ": its settings could not be read: %s",
                         ev ? rd_kafka_event_error_string(ev) : "the brokers do not answer");
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_queue_destroy(q);
    rd_kafka_ConfigResource_destroy(ask);
    return rc;
}

static int make_topic(ls_checkpoints *c, ls_error *err) {
    int has;
    if (ls_topic_make(c->rk, &c->conf, LS_OFFSETS_TOPIC, 1, 0, true, &has, err)) return -1;
    if (has != 1)
        return ls_fail(err, LS_USAGE, "topic " LS_OFFSETS_TOPIC " has %d partitions, and must have one: delete it if it is not in use, and start again", has);
    return verify_compact(c, err);
}

static int open_producer(ls_checkpoints *c, ls_error *err) {
    char id[512], timeout[24], why[512];
    snprintf(id, sizeof id, "list_sync.%s", c->connector);
    snprintf(timeout, sizeof timeout, "%d", LS_TXN_TIMEOUT_MS);
    const ls_pair ours[] = {{"transactional.id", id}, {"transaction.timeout.ms", timeout}, {"message.timeout.ms", timeout}, {"linger.ms", "0"}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf, ours, sizeof ours / sizeof *ours, c->log, err)) return -1;
    c->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (c->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* From here on whoever ran under this name before is fenced, and its open transaction is aborted. */
static int take_over(ls_checkpoints *c, ls_error *err) {
    rd_kafka_error_t *e = rd_kafka_init_transactions(c->rk, LS_TXN_TIMEOUT_MS);
    c->unended = LS_TXN_NONE;
    if (!e) return 0;
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    bool again = rd_kafka_error_is_retriable(e) || ls_kafka_code(code) == LS_AGAIN;
    if (ls_kafka_code(code) == LS_FENCED)
        fenced(c, err);
    else if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        ls_fail(err, LS_USAGE, "Kafka refuses: %s: give the user the right to write with the transactional.id \"list_sync.%s\"",
                rd_kafka_error_string(e), c->connector);
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

int ls_checkpoints_open(ls_checkpoints **out, const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_error *err) {
    ls_checkpoints *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "opening the checkpoints");
    c->conf = *conf;
    c->log = log;
    c->connector = connector;
    if (name_key(c, err) || open_producer(c, err) || make_topic(c, err) || take_over(c, err)) {
        ls_checkpoints_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

/* A reader of the one partition, from its beginning. */
static int open_reader(const ls_checkpoints *c, const char *isolation, rd_kafka_t **out, ls_error *err) {
    char why[512];
    const ls_pair ours[] = {{"auto.offset.reset", "earliest"}, {"enable.partition.eof", "true"}, {"isolation.level", isolation}, {"check.crcs", "true"}, {"fetch.wait.max.ms", "10"}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf, ours, sizeof ours / sizeof *ours, c->log, err)) return -1;
    *out = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (*out) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* The partition's end, open transactions included. */
static int whole_end(const ls_checkpoints *c, int64_t *end, ls_error *err) {
    rd_kafka_t *rk;
    int64_t low;
    if (open_reader(c, "read_uncommitted", &rk, err)) return -1;
    rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(rk, LS_OFFSETS_TOPIC, 0, &low, end, LS_KAFKA_ASK_MS);
    rd_kafka_destroy(rk);
    return e ? ls_fail(err, ls_kafka_code(e), "topic " LS_OFFSETS_TOPIC ": %s", rd_kafka_err2str(e)) : 0;
}

static void take(ls_checkpoints *c, const rd_kafka_message_t *m, ls_buf *value, int *found) {
    if (m->key_len != c->key.len || memcmp(m->key, c->key.data, m->key_len) != 0) return;
    ls_buf_clear(value);
    *found = m->payload != NULL;
    ls_buf_add(value, m->payload, m->len);
    c->stored_at = rd_kafka_message_timestamp(m, NULL);
}

static int scan(ls_checkpoints *c, rd_kafka_topic_t *t, int64_t end, ls_buf *value, ls_error *err) {
    int found = 0;
    int64_t until = ls_clock_ms() + LS_STABLE_WAIT_MS;
    for (int64_t at = 0; at < end;) {
        rd_kafka_message_t *m = rd_kafka_consume(t, 0, LS_SCAN_POLL_MS);
        if (m && !m->err) {
            take(c, m, value, &found);
            at = m->offset + 1;
        } else if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            at = m->offset;
        }
        if (m) rd_kafka_message_destroy(m);
        if (at < end && ls_clock_ms() >= until)
            return ls_fail(err, LS_AGAIN, "topic " LS_OFFSETS_TOPIC " could not be read to its end (offset %" PRId64 " of %" PRId64
                           "): the brokers do not answer, or a transaction in it stays open", at, end);
    }
    return value->failed ? ls_fail_memory(err, "reading the checkpoint") : found;
}

/* The newest committed value of the connector's key, appended: 1, or 0 when there is none. Read without a consumer group,
 * which would only cost the time to find its coordinator. */
static int read_newest(ls_checkpoints *c, ls_buf *value, ls_error *err) {
    rd_kafka_t *rk;
    int64_t end, low, stable;
    if (whole_end(c, &end, err)) return -1;
    if (end == 0) return 0;
    if (open_reader(c, "read_committed", &rk, err)) return -1;
    /* asked for here, the client knows the partition's leader and beginning at once; by itself it looks twice a second */
    if (rd_kafka_query_watermark_offsets(rk, LS_OFFSETS_TOPIC, 0, &low, &stable, LS_KAFKA_ASK_MS)) low = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, LS_OFFSETS_TOPIC, NULL);
    int found;
    if (!t || rd_kafka_consume_start(t, 0, low)) {
        found = ls_fail(err, LS_FAIL, "topic " LS_OFFSETS_TOPIC ": %s", rd_kafka_err2str(rd_kafka_last_error()));
    } else {
        found = scan(c, t, end, value, err);
        rd_kafka_consume_stop(t, 0);
    }
    if (t) rd_kafka_topic_destroy(t);
    rd_kafka_destroy(rk);
    return found;
}

static void keep(ls_buf *b, const char *p, size_t n) {
    ls_buf_clear(b);
    ls_buf_add(b, p, n);
}

int ls_checkpoints_load(ls_checkpoints *c, ls_buf *value, ls_error *err) {
    size_t from = value->len;
    int found = read_newest(c, value, err);
    if (found > 0) keep(&c->known, value->data + from, value->len - from);
    return found > 0 && c->known.failed ? ls_fail_memory(err, "reading the checkpoint") : found;
}

int ls_checkpoints_peek(const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_buf *value, int64_t *stored_at, ls_error *err) {
    ls_checkpoints c = {.conf = *conf, .log = log, .connector = connector};
    rd_kafka_t *rk = NULL;
    int has = 0;
    int found = name_key(&c, err) || open_reader(&c, "read_committed", &rk, err) || ls_topic_partitions(rk, LS_OFFSETS_TOPIC, &has, err) ? -1 : 0;
    if (rk) rd_kafka_destroy(rk);
    if (found == 0 && has) found = read_newest(&c, value, err);
    *stored_at = c.stored_at;
    ls_buf_free(&c.key);
    return found;
}

static void drop_producer(ls_checkpoints *c) {
    if (c->rk) rd_kafka_destroy(c->rk);
    c->rk = NULL;
}

static bool same(const ls_buf *a, const ls_buf *b) { return a->len == b->len && (!a->len || memcmp(a->data, b->data, a->len) == 0); }

/* The producer is of no use any more. Was it another instance, or ourselves? After an outage that a transaction does not
 * outlive, the broker aborts it and fences the producer that began it, as a second instance would. The newest stored value
 * tells: if it is ours, this program takes its place again. (A second instance that has stored nothing yet is fenced by
 * that: one of the two goes on in any case.) */
static int recover(ls_checkpoints *c, ls_error *err) {
    ls_buf newest = {0};
    drop_producer(c);
    int found = read_newest(c, &newest, err);
    bool ours = found == 0 ? c->known.len == 0 : same(&newest, &c->known) || same(&newest, &c->sent);
    if (found > 0 && ours) keep(&c->known, newest.data, newest.len);
    ls_buf_free(&newest);
    if (found < 0) return -1;
    if (!ours) return fenced(c, err);
    if (open_producer(c, err) == 0 && take_over(c, err) == 0) return 0;
    drop_producer(c); /* the next call begins with this again */
    return -1;
}

/* What follows from a transactional call's error, which is freed. Gives -1. */
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
    if (kind == LS_FENCED && ls_clock_ms() - c->begun_at < LS_TXN_TIMEOUT_MS) return fenced(c, err);
    if (fatal || kind == LS_FENCED) {
        if (recover(c, err)) return -1;
        return ls_fail(err, LS_AGAIN, "storing the checkpoint: the brokers gave up its transaction in an outage");
    }
    if (must_abort) {
        c->unended = LS_TXN_ABORT;
        e = rd_kafka_abort_transaction(c->rk, LS_KAFKA_ASK_MS);
        if (e) /* the next call goes on with it */
            rd_kafka_error_destroy(e);
        else
            c->unended = LS_TXN_NONE;
    }
    return -1;
}

/* Ends what an earlier call could not: a call that timed out is gone on with by the same call. */
static int end_unended(ls_checkpoints *c, ls_error *err) {
    rd_kafka_error_t *e = NULL;
    bool commit = c->unended == LS_TXN_COMMIT;
    if (commit)
        e = rd_kafka_commit_transaction(c->rk, LS_KAFKA_ASK_MS);
    else if (c->unended == LS_TXN_ABORT)
        e = rd_kafka_abort_transaction(c->rk, LS_KAFKA_ASK_MS);
    if (e) return failed(c, e, err);
    c->unended = LS_TXN_NONE;
    if (commit) keep(&c->known, c->sent.data, c->sent.len);
    return 0;
}

int ls_checkpoints_store(ls_checkpoints *c, const char *value, size_t n, ls_error *err) {
    if (!c->rk && recover(c, err)) return -1;
    if (end_unended(c, err)) return -1;
    c->begun_at = ls_clock_ms();
    rd_kafka_error_t *e = rd_kafka_begin_transaction(c->rk);
    if (e) return failed(c, e, err);
    keep(&c->sent, value, n);
    rd_kafka_resp_err_t produced =
        rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(LS_OFFSETS_TOPIC), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(c->key.data, c->key.len), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, n), RD_KAFKA_V_END);
    if (produced || c->sent.failed) {
        c->unended = LS_TXN_ABORT;
        if (c->sent.failed) return ls_fail_memory(err, "storing the checkpoint");
        return ls_fail(err, ls_kafka_code(produced), "storing the checkpoint: %s", rd_kafka_err2str(produced));
    }
    c->unended = LS_TXN_COMMIT;
    return end_unended(c, err);
}

void ls_checkpoints_close(ls_checkpoints *c) {
    drop_producer(c);
    ls_buf_free(&c->key);
    ls_buf_free(&c->known);
    ls_buf_free(&c->sent);
    free(c);
}
