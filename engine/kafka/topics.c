#include "kafka/client.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LS_TOPIC_NAME_MAX = 249,     /* bytes: Kafka's own limit */
    LS_REPLICATION_WANTED = 3,
    LS_TOPIC_WAIT_MS = 100,      /* between two looks at a topic that was just made */
    LS_ASK_AGAIN_MS = 50,        /* between two tries to learn where partitions end */
    LS_BROKERS_ASKED = 64,       /* brokers that are asked whether they know a topic, at most */
    LS_COMPACT_SEGMENT = 16777216 /* bytes: only closed segments are compacted, and a start reads the topic whole */
};

/* What one broker knows of the cluster. */
typedef struct listing {
    int partitions, led; /* of the topic; led: those with a leader. 0: it does not exist */
    int nbrokers;
    int32_t brokers[LS_BROKERS_ASKED]; /* ids, of the first ones */
} listing;

/* The whole listing is asked for: asking for one topic by name would make it with the brokers' defaults. */
static int list(rd_kafka_t *rk, const struct rd_kafka_metadata **md, ls_error *err) {
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 1, NULL, md, LS_KAFKA_ASK_MS);
    if (e) return ls_fail(err, ls_kafka_code(e), "the brokers do not answer (%s): see that kafka_conf's bootstrap.servers is right and that they run", rd_kafka_err2str(e));
    return 0;
}

int ls_topics_list(rd_kafka_t *rk, int (*each)(void *ctx, const char *topic), void *ctx, ls_error *err) {
    const struct rd_kafka_metadata *md;
    int rc = 0;
    if (list(rk, &md, err)) return -1;
    for (int i = 0; rc == 0 && i < md->topic_cnt; i++)
        if (md->topics[i].partition_cnt) rc = each(ctx, md->topics[i].topic);
    rd_kafka_metadata_destroy(md);
    return rc ? ls_fail_memory(err, "listing the topics") : 0;
}

static int look(rd_kafka_t *rk, const char *topic, listing *l, ls_error *err) {
    const struct rd_kafka_metadata *md;
    if (list(rk, &md, err)) return -1;
    *l = (listing){.nbrokers = md->broker_cnt};
    for (int i = 0; i < md->broker_cnt && i < LS_BROKERS_ASKED; i++) l->brokers[i] = md->brokers[i].id;
    for (int i = 0; i < md->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *t = &md->topics[i];
        if (strcmp(t->topic, topic) != 0 || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
        l->partitions = t->partition_cnt;
        for (int p = 0; p < t->partition_cnt; p++) l->led += t->partitions[p].leader >= 0;
    }
    rd_kafka_metadata_destroy(md);
    return 0;
}

int ls_topic_partitions(rd_kafka_t *rk, const char *topic, int *has, ls_error *err) {
    listing l;
    if (look(rk, topic, &l, err)) return -1;
    *has = l.partitions;
    return 0;
}

/* Not by rd_kafka_query_watermark_offsets(): before 2.3 it does not keep to its time-out, and waits for a leader that is gone until that is there again (librdkafka's issue 2588). */
rd_kafka_resp_err_t ls_topic_offsets(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *l, int64_t at, int wait_ms) {
    int64_t until = ls_clock_ms() + wait_ms, left = wait_ms;
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
    do {
        if (e) usleep(LS_ASK_AGAIN_MS * 1000);
        for (int i = 0; i < l->cnt; i++) l->elems[i].offset = at;
        e = rd_kafka_offsets_for_times(rk, l, left > 0 ? (int)left : 0);
        for (int i = 0; !e && i < l->cnt; i++) e = l->elems[i].err;
        left = until - ls_clock_ms();
    } while (e && ls_kafka_code(e) == LS_AGAIN && left > LS_ASK_AGAIN_MS);
    return e;
}

rd_kafka_resp_err_t ls_topic_offset(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t at, int64_t *offset) {
    rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(one, topic, partition);
    rd_kafka_resp_err_t e = ls_topic_offsets(rk, one, at, LS_KAFKA_ASK_MS);
    *offset = one->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(one);
    return e;
}

static void ask(rd_kafka_t *rk, const char *const *topics, size_t n, int32_t broker, int wait_ms, rd_kafka_queue_t *q) {
    char why[256];
    rd_kafka_ConfigResource_t **r = malloc(n * sizeof(*r));
    if (!r) return; /* no answer comes: not known */
    for (size_t i = 0; i < n; i++) r[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i]);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(o, wait_ms, why, sizeof why);
    rd_kafka_AdminOptions_set_broker(o, broker, why, sizeof why);
    rd_kafka_DescribeConfigs(rk, r, n, o, q);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_ConfigResource_destroy_array(r, n);
    free(r);
}

/* Which of the topics one broker does not know. */
static void take_unknown(rd_kafka_event_t *ev, const char *const *topics, size_t n, bool *known) {
    const rd_kafka_DescribeConfigs_result_t *result = ev ? rd_kafka_event_DescribeConfigs_result(ev) : NULL;
    size_t got = 0;
    const rd_kafka_ConfigResource_t **about = result ? rd_kafka_DescribeConfigs_result_resources(result, &got) : NULL;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < got && strcmp(rd_kafka_ConfigResource_name(about[k]), topics[i]) != 0) k++;
        known[i] = known[i] && k < got && ls_kafka_code(rd_kafka_ConfigResource_error(about[k])) != LS_AGAIN;
    }
}

void ls_topics_known(rd_kafka_t *rk, const char *const *topics, size_t n, const int32_t *brokers, size_t nbrokers, int wait_ms, bool *known) {
    for (size_t i = 0; i < n; i++) known[i] = true;
    if (nbrokers > LS_BROKERS_ASKED) nbrokers = LS_BROKERS_ASKED;
    if (!n || !nbrokers) return;
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    for (size_t i = 0; i < nbrokers; i++) ask(rk, topics, n, brokers[i], wait_ms, q);
    for (size_t i = 0; i < nbrokers; i++) {
        rd_kafka_event_t *ev = rd_kafka_queue_poll(q, wait_ms + 1000);
        take_unknown(ev, topics, n, known);
        if (ev) rd_kafka_event_destroy(ev);
    }
    rd_kafka_queue_destroy(q);
}

static bool known_everywhere(rd_kafka_t *rk, const char *topic, const listing *l) {
    bool known;
    ls_topics_known(rk, &topic, 1, l->brokers, (size_t)l->nbrokers, LS_KAFKA_ASK_MS, &known);
    return known;
}

static int creation_outcome(const char *topic, rd_kafka_event_t *ev, ls_error *err) {
    if (!ev) return ls_fail(err, LS_AGAIN, "topic %s could not be made: the brokers do not answer", topic);
    const rd_kafka_CreateTopics_result_t *r = rd_kafka_event_CreateTopics_result(ev);
    size_t n = 0;
    const rd_kafka_topic_result_t **results = r ? rd_kafka_CreateTopics_result_topics(r, &n) : NULL;
    rd_kafka_resp_err_t e = n ? rd_kafka_topic_result_error(results[0]) : rd_kafka_event_error(ev);
    const char *why = n ? rd_kafka_topic_result_error_string(results[0]) : rd_kafka_event_error_string(ev);
    if (!e || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return 0;
    if (!why) why = rd_kafka_err2str(e);
    switch (e) {
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        return ls_fail(err, LS_USAGE, "topic %s could not be made: %s: set `replication` to at most the number of brokers", topic, why);
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        return ls_fail(err, LS_USAGE, "topic %s could not be made: %s: see `partitions`", topic, why);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return ls_fail(err, LS_USAGE, "topic %s could not be made: %s: make it by hand with max.message.bytes=%d, or give the user the right to create it",
                       topic, why, LS_MESSAGE_MAX);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: /* the text names the topic that it collides with: dot and underscore are one to Kafka */
        return ls_fail(err, LS_USAGE, "topic %s could not be made: %s: choose another `topic`", topic, why);
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        return ls_fail(err, LS_USAGE, "topic %s could not be made: %s: make it by hand with max.message.bytes=%d", topic, why, LS_MESSAGE_MAX);
    default: return ls_fail(err, ls_kafka_code(e), "topic %s could not be made: %s", topic, why);
    }
}

static int create(rd_kafka_t *rk, const char *topic, int partitions, int replication, bool compact, ls_error *err) {
    char why[256], bytes[24], segment[24];
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, replication, why, sizeof why);
    if (!t) return ls_fail(err, LS_USAGE, "topic %s: %s", topic, why);
    snprintf(bytes, sizeof bytes, "%d", LS_MESSAGE_MAX);
    rd_kafka_NewTopic_set_config(t, "max.message.bytes", bytes);
    snprintf(segment, sizeof segment, "%d", LS_COMPACT_SEGMENT);
    if (compact) rd_kafka_NewTopic_set_config(t, "cleanup.policy", "compact");
    if (compact) rd_kafka_NewTopic_set_config(t, "segment.bytes", segment);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(o, LS_KAFKA_ASK_MS, why, sizeof why);
    rd_kafka_CreateTopics(rk, &t, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_KAFKA_ASK_MS + 1000);
    int rc = creation_outcome(topic, ev, err);
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_queue_destroy(q);
    rd_kafka_NewTopic_destroy(t);
    return rc;
}

int ls_topic_make(rd_kafka_t *rk, const ls_kafka_conf *conf, const char *topic, int partitions, int replication, bool compact,
                  int *has, ls_error *err) {
    listing l;
    if (look(rk, topic, &l, err)) return -1;
    bool made = !l.partitions;
    if (made) {
        if (!replication) replication = l.nbrokers < LS_REPLICATION_WANTED ? l.nbrokers : LS_REPLICATION_WANTED;
        if (conf->memory ? ls_memory_broker_topic(conf->memory, topic, partitions, err)
                         : create(rk, topic, partitions, replication, compact, err))
            return -1;
    }
    for (int64_t until = ls_clock_ms() + LS_KAFKA_ASK_MS;;) {
        if (!l.partitions && look(rk, topic, &l, err)) return -1;
        bool led = l.partitions && (!made || l.led == l.partitions);
        if (led && (conf->memory || known_everywhere(rk, topic, &l))) {
            *has = l.partitions;
            return 0;
        }
        if (ls_clock_ms() >= until) return ls_fail(err, LS_AGAIN, "topic %s is not known to all brokers yet", topic);
        usleep(LS_TOPIC_WAIT_MS * 1000);
        l.partitions = 0;
    }
}

/* murmur2 as org.apache.kafka.common.utils.Utils.murmur2 has it (seed 0x9747b28c). */
uint32_t ls_murmur2(const void *key, size_t n) {
    const uint32_t m = 0x5bd1e995;
    const uint8_t *p = key;
    uint32_t h = 0x9747b28c ^ (uint32_t)n;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (n == 3) h ^= (uint32_t)p[2] << 16;
    if (n >= 2) h ^= (uint32_t)p[1] << 8;
    if (n >= 1) h = (h ^ p[0]) * m;
    h = (h ^ h >> 13) * m;
    return h ^ h >> 15;
}

int ls_partition_for(const void *key, size_t n, int partitions) {
    return (int)((ls_murmur2(key, n) & 0x7fffffff) % (uint32_t)partitions);
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

/* Injective: bytes outside [A-Za-z0-9_-] become _hh, and an underscore that would read as such an escape becomes _5f. */
static void escape(ls_buf *out, const char *name) {
    for (const char *p = name; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' ||
                     (*p == '_' && !(is_hex(p[1]) && is_hex(p[2])));
        if (plain)
            ls_buf_char(out, *p);
        else
            ls_buf_fmt(out, "_%02x", (unsigned)(unsigned char)*p);
    }
}

static int expand(ls_buf *b, const char *template_, const char *const *names, const char *const *values, size_t n, ls_error *err) {
    for (const char *p = template_; *p;) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (*p == '{' && !close) return ls_fail(err, LS_USAGE, "topic \"%s\": a { without its }", template_);
        if (!close) {
            ls_buf_char(b, *p++);
            continue;
        }
        size_t len = (size_t)(close - p - 1), i = 0;
        while (i < n && (strlen(names[i]) != len || memcmp(names[i], p + 1, len) != 0)) i++;
        if (i == n)
            return ls_fail(err, LS_USAGE, "topic \"%s\": {%.*s} is not known: use {database}, {schema} or {table}", template_, (int)len, p + 1);
        escape(b, values[i]);
        p = close + 1;
    }
    return 0;
}

int ls_topic_name(char out[250], const char *template_, const char *database, const char *schema, const char *table, ls_error *err) {
    const char *names[] = {"database", "schema", "table"}, *values[] = {database, schema, table};
    ls_buf b = {0};
    int rc = expand(&b, template_, names, values, 3, err);
    if (rc == 0 && b.failed) rc = ls_fail_memory(err, "naming a topic");
    if (rc == 0 && b.len > LS_TOPIC_NAME_MAX) {
        uint64_t h = ls_hash(LS_HASH_START, b.data, b.len);
        b.len = LS_TOPIC_NAME_MAX - 17;
        ls_buf_fmt(&b, "-%016llx", (unsigned long long)h);
    }
    if (rc == 0) snprintf(out, LS_TOPIC_NAME_MAX + 1, "%.*s", (int)b.len, b.data ? b.data : "");
    ls_buf_free(&b);
    return rc;
}
