#include "kafka/offsets.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

enum {
    LS_STABLE_WAIT_MS = 30000,   /* for other connectors' open transactions in the topic: that long, and the broker's own look every 10 s */
    LS_SCAN_POLL_MS = 200
};

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
static int verify_compact(const ls_offsets *o, rd_kafka_t *rk, ls_error *err) {
    char why[256];
    if (o->conf->memory) return 0; /* the in-process broker has no topic settings, and nothing on it outlives the program */
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, LS_OFFSETS_TOPIC);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *how = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(how, LS_KAFKA_ASK_MS, why, sizeof why);
    rd_kafka_DescribeConfigs(rk, &ask, 1, how, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_KAFKA_ASK_MS + 1000);
    const rd_kafka_DescribeConfigs_result_t *r = ev ? rd_kafka_event_DescribeConfigs_result(ev) : NULL;
    size_t n = 0;
    const rd_kafka_ConfigResource_t **got = r ? rd_kafka_DescribeConfigs_result_resources(r, &n) : NULL;
    int rc = n ? compact_or_not(got[0], o->log, err)
               : ls_fail(err, LS_AGAIN, "topic " LS_OFFSETS_TOPIC ": its settings could not be read: %s",
                         ev ? rd_kafka_event_error_string(ev) : "the brokers do not answer");
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(how);
    rd_kafka_queue_destroy(q);
    rd_kafka_ConfigResource_destroy(ask);
    return rc;
}

int ls_offsets_make(const ls_offsets *o, rd_kafka_t *rk, ls_error *err) {
    int has;
    if (ls_topic_make(rk, o->conf, LS_OFFSETS_TOPIC, 1, 0, true, &has, err)) return -1;
    if (has != 1)
        return ls_fail(err, LS_USAGE, "topic " LS_OFFSETS_TOPIC " has %d partitions, and must have one: delete it if it is not in use, and start again", has);
    return verify_compact(o, rk, err);
}

/* A reader of the one partition, from its beginning. */
static int open_reader(const ls_offsets *o, const char *isolation, rd_kafka_t **out, ls_error *err) {
    char why[512];
    const ls_pair ours[] = {{"auto.offset.reset", "earliest"}, {"enable.partition.eof", "true"}, {"isolation.level", isolation}, {"check.crcs", "true"}, {"fetch.wait.max.ms", "10"}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, o->conf, ours, sizeof ours / sizeof *ours, o->log, err)) return -1;
    *out = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (*out) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* The partition's end, open transactions included. */
static int whole_end(const ls_offsets *o, int64_t *end, ls_error *err) {
    rd_kafka_t *rk;
    if (open_reader(o, "read_uncommitted", &rk, err)) return -1;
    rd_kafka_resp_err_t e = ls_topic_offset(rk, LS_OFFSETS_TOPIC, 0, RD_KAFKA_OFFSET_END, end);
    rd_kafka_destroy(rk);
    return e ? ls_fail(err, ls_kafka_code(e), "topic " LS_OFFSETS_TOPIC ": %s", rd_kafka_err2str(e)) : 0;
}

static void take(const ls_offsets *o, const rd_kafka_message_t *m, ls_buf *value, int64_t *stored_at, int *found) {
    if (m->key_len != o->key_len || memcmp(m->key, o->key, m->key_len) != 0) return;
    ls_buf_clear(value);
    *found = m->payload != NULL;
    ls_buf_add(value, m->payload, m->len);
    *stored_at = rd_kafka_message_timestamp(m, NULL);
}

static int scan(const ls_offsets *o, rd_kafka_topic_t *t, int64_t end, ls_buf *value, int64_t *stored_at, ls_error *err) {
    int found = 0;
    int64_t until = ls_clock_ms() + LS_STABLE_WAIT_MS;
    for (int64_t at = 0; at < end;) {
        rd_kafka_message_t *m = rd_kafka_consume(t, 0, LS_SCAN_POLL_MS);
        if (m && !m->err) {
            take(o, m, value, stored_at, &found);
            at = m->offset + 1;
        } else if (m && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            at = m->offset;
        }
        if (m) rd_kafka_message_destroy(m);
        if (at < end && ls_clock_ms() >= until)
            return ls_fail(err, LS_AGAIN, "topic " LS_OFFSETS_TOPIC " could not be read to its end (offset %" PRId64 " of %" PRId64
                           "): the brokers do not answer, or another connector's transaction in it stays open, which they end after its time-out; one that "
                           "hangs for longer is found and ended by kafka-transactions.sh find-hanging and abort", at, end);
    }
    return value->failed ? ls_fail_memory(err, "reading the checkpoint") : found;
}

/* Read without a consumer group, which would only cost the time to find its coordinator. */
static int read_newest(const ls_offsets *o, ls_buf *value, int64_t *stored_at, ls_error *err) {
    rd_kafka_t *rk;
    int64_t end, low;
    if (whole_end(o, &end, err)) return -1;
    if (end == 0) return 0;
    if (open_reader(o, "read_committed", &rk, err)) return -1;
    /* asked for here, the client knows the partition's leader and beginning at once; by itself it looks twice a second */
    if (ls_topic_offset(rk, LS_OFFSETS_TOPIC, 0, RD_KAFKA_OFFSET_BEGINNING, &low)) low = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, LS_OFFSETS_TOPIC, NULL);
    int found;
    if (!t || rd_kafka_consume_start(t, 0, low)) {
        found = ls_fail(err, LS_FAIL, "topic " LS_OFFSETS_TOPIC ": %s", rd_kafka_err2str(rd_kafka_last_error()));
    } else {
        found = scan(o, t, end, value, stored_at, err);
        rd_kafka_consume_stop(t, 0);
    }
    if (t) rd_kafka_topic_destroy(t);
    rd_kafka_destroy(rk);
    return found;
}

int ls_offsets_read(const ls_offsets *o, ls_buf *value, ls_error *err) {
    int64_t stored_at;
    return read_newest(o, value, &stored_at, err);
}

int ls_offsets_peek(const ls_offsets *o, ls_buf *value, int64_t *stored_at, ls_error *err) {
    rd_kafka_t *rk;
    int has;
    *stored_at = 0;
    if (open_reader(o, "read_committed", &rk, err)) return -1;
    int rc = ls_topic_partitions(rk, LS_OFFSETS_TOPIC, &has, err);
    rd_kafka_destroy(rk);
    return rc || !has ? rc : read_newest(o, value, stored_at, err);
}
