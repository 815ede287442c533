#include "kafka/checkpoint.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_TXN_TIMEOUT_MS = 15000,   /* after which the broker aborts a checkpoint's transaction of a dead program */
    LS_STABLE_WAIT_MS = 70000,   /* wait for other connectors' open transactions in the topic (60 s is the longest of ours, plus slack) */
    LS_SCAN_POLL_MS = 200,
    LS_STORE_TRIES = 5           /* of a commit that says it may be tried again */
};

struct ls_checkpoints {
    rd_kafka_t *rk; /* the transactional producer */
    ls_kafka_conf conf;
    const ls_log *log;
    ls_buf key;
    const char *connector;
};

/* Turns a transactional call's error into ours, and frees it. Gives -1. */
static int txn_error(ls_checkpoints *c, rd_kafka_error_t *e, const char *what, ls_error *err) {
    rd_kafka_resp_err_t code = rd_kafka_error_code(e);
    ls_code kind = ls_kafka_code(code);
    if (rd_kafka_error_is_fatal(e) && rd_kafka_fatal_error(c->rk, NULL, 0)) kind = ls_kafka_code(rd_kafka_fatal_error(c->rk, NULL, 0));
    if (kind == LS_FENCED)
        ls_fail(err, LS_FENCED, "another instance runs under the name \"%s\" and has taken over: stop one of them, or give it another name", c->connector);
    else if (kind == LS_AGAIN || rd_kafka_error_is_retriable(e))
        ls_fail(err, LS_AGAIN, "%s: %s", what, rd_kafka_error_string(e));
    else
        ls_fail(err, LS_FAIL, "%s: %s", what, rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return -1;
}

/* One partition and cleanup.policy=compact, or checkpoints could be spread, or be deleted by age. */
static int verify_compact(ls_checkpoints *c, ls_error *err) {
    char why[256];
    int rc = 0;
    if (c->conf.memory) return 0; /* the in-process broker has no topic settings, and nothing on it outlives the program */
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, LS_OFFSETS_TOPIC), **got;
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(o, LS_KAFKA_ASK_MS, why, sizeof why);
    rd_kafka_DescribeConfigs(c->rk, &ask, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_KAFKA_ASK_MS + 1000);
    size_t n = 0, nentries = 0;
    const rd_kafka_DescribeConfigs_result_t *r = ev ? rd_kafka_event_DescribeConfigs_result(ev) : NULL;
    got = r ? (rd_kafka_ConfigResource_t **)(uintptr_t)rd_kafka_DescribeConfigs_result_resources(r, &n) : NULL;
    const rd_kafka_ConfigEntry_t **e = n ? rd_kafka_ConfigResource_configs(got[0], &nentries) : NULL;
    for (size_t i = 0; i < nentries; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(e[i]), "cleanup.policy") == 0 && strcmp(rd_kafka_ConfigEntry_value(e[i]), "compact") != 0)
            rc = ls_fail(err, LS_USAGE,
                         "topic " LS_OFFSETS_TOPIC " has cleanup.policy=%s, so checkpoints could be deleted by age: "
                         "kafka-configs.sh --alter --topic " LS_OFFSETS_TOPIC " --add-config cleanup.policy=compact", rd_kafka_ConfigEntry_value(e[i]));
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
    const ls_pair ours[] = {{"transactional.id", id}, {"transaction.timeout.ms", timeout}, {"message.timeout.ms", timeout}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf, ours, sizeof ours / sizeof *ours, c->log, err)) return -1;
    c->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (c->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

int ls_checkpoints_open(ls_checkpoints **out, const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_error *err) {
    ls_checkpoints *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "opening the checkpoints");
    c->conf = *conf;
    c->log = log;
    c->connector = connector;
    ls_buf_str(&c->key, "[1,");
    ls_json_string(&c->key, connector, strlen(connector));
    ls_buf_char(&c->key, ']');
    int rc = c->key.failed ? ls_fail_memory(err, "opening the checkpoints") : open_producer(c, err);
    if (rc == 0) rc = make_topic(c, err);
    if (rc == 0) {
        rd_kafka_error_t *e = rd_kafka_init_transactions(c->rk, LS_TXN_TIMEOUT_MS);
        if (e) rc = txn_error(c, e, "Kafka does not give this program its place (init_transactions)", err);
    }
    if (rc) {
        ls_checkpoints_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

/* A reader of the one partition, from its beginning. */
static int open_reader(const ls_checkpoints *c, const char *isolation, rd_kafka_t **out, ls_error *err) {
    char why[512];
    const ls_pair ours[] = {{"group.id", LS_OFFSETS_TOPIC}, {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"},
                            {"enable.partition.eof", "true"}, {"isolation.level", isolation}};
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

static void take(const ls_checkpoints *c, const rd_kafka_message_t *m, ls_buf *value, int *found) {
    if (m->key_len != c->key.len || memcmp(m->key, c->key.data, m->key_len) != 0) return;
    ls_buf_clear(value);
    *found = m->payload != NULL;
    ls_buf_add(value, m->payload, m->len);
}

static int scan(const ls_checkpoints *c, rd_kafka_t *rk, int64_t end, ls_buf *value, ls_error *err) {
    int found = 0;
    int64_t until = ls_clock_ms() + LS_STABLE_WAIT_MS;
    for (int64_t at = 0; at < end;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, LS_SCAN_POLL_MS);
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

int ls_checkpoints_load(ls_checkpoints *c, ls_buf *value, ls_error *err) {
    rd_kafka_t *rk;
    int64_t end;
    if (whole_end(c, &end, err)) return -1;
    if (end == 0) return 0;
    if (open_reader(c, "read_committed", &rk, err)) return -1;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, LS_OFFSETS_TOPIC, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t e = rd_kafka_assign(rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    int rc = e ? ls_fail(err, LS_FAIL, "topic " LS_OFFSETS_TOPIC ": %s", rd_kafka_err2str(e)) : scan(c, rk, end, value, err);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return rc;
}

static int commit(ls_checkpoints *c, ls_error *err) {
    for (int tries = 1;; tries++) {
        rd_kafka_error_t *e = rd_kafka_commit_transaction(c->rk, LS_KAFKA_ASK_MS);
        if (!e) return 0;
        if (rd_kafka_error_is_retriable(e) && tries < LS_STORE_TRIES) {
            rd_kafka_error_destroy(e);
            continue;
        }
        bool abortable = rd_kafka_error_txn_requires_abort(e);
        txn_error(c, e, "storing the checkpoint", err);
        if (abortable) {
            e = rd_kafka_abort_transaction(c->rk, LS_KAFKA_ASK_MS);
            if (e) return txn_error(c, e, "storing the checkpoint", err);
            if (err->code == LS_FAIL) err->code = LS_AGAIN;
        }
        return -1;
    }
}

int ls_checkpoints_store(ls_checkpoints *c, const char *value, size_t n, ls_error *err) {
    rd_kafka_error_t *e = rd_kafka_begin_transaction(c->rk);
    /* a transaction that an earlier call could not end is ended first */
    if (e && rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR__STATE && !rd_kafka_error_is_fatal(e)) {
        rd_kafka_error_destroy(e);
        e = rd_kafka_abort_transaction(c->rk, LS_KAFKA_ASK_MS);
        if (!e) e = rd_kafka_begin_transaction(c->rk);
    }
    if (e) return txn_error(c, e, "storing the checkpoint", err);
    rd_kafka_resp_err_t produced =
        rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(LS_OFFSETS_TOPIC), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(c->key.data, c->key.len), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, n), RD_KAFKA_V_END);
    if (produced) {
        e = rd_kafka_abort_transaction(c->rk, LS_KAFKA_ASK_MS);
        if (e) return txn_error(c, e, "storing the checkpoint", err);
        return ls_fail(err, LS_AGAIN, "storing the checkpoint: %s", rd_kafka_err2str(produced));
    }
    return commit(c, err);
}

void ls_checkpoints_close(ls_checkpoints *c) {
    if (c->rk) rd_kafka_destroy(c->rk);
    ls_buf_free(&c->key);
    free(c);
}
