#include "kafka/producer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_QUEUE_MESSAGES = 1000000, /* the client's own bound on queued messages; the budget in bytes comes first */
    LS_LINGER_MS = 50,           /* how long a batch waits for more, unless it is pushed; a script may set linger.ms */
    LS_HEADER_ROOM = 10,         /* bytes that a header takes beside its name and value, at most */
    LS_REPORTS_AT_ONCE = 20000   /* reports taken in one call, so that the caller gets to its other work */
};

struct ls_topic {
    ls_topic *next;
    rd_kafka_topic_t *rkt;
    int partitions;
    int64_t *ends; /* of each partition, as ls_end has it; the delivery thread's own */
    char name[250];
};

struct ls_producer {
    rd_kafka_t *rk; /* NULL: released */
    bool owns;      /* rk is its own */
    atomic_bool abandoned;
    rd_kafka_queue_t *events;
    ls_kafka_conf conf;
    const ls_log *log;
    ls_topic *topics;
    bool down; /* all brokers are away; the delivery thread's own */
    char cause[256]; /* what the last connection failed of; the delivery thread's own */
    pthread_mutex_t mutex;
    bool fatal; /* below: under the mutex */
    ls_error err;
};

int ls_producer_client(rd_kafka_t **out, const ls_kafka_conf *conf, size_t budget, const ls_pair *more, size_t nmore, const ls_log *log, ls_error *err) {
    enum { MORE = 4 };
    char kbytes[24], messages[24], linger[24], largest[24], why[512];
    snprintf(kbytes, sizeof kbytes, "%zu", budget / 1024);
    snprintf(messages, sizeof messages, "%d", LS_QUEUE_MESSAGES);
    snprintf(linger, sizeof linger, "%d", LS_LINGER_MS);
    snprintf(largest, sizeof largest, "%d", LS_MESSAGE_MAX);
    ls_pair ours[8 + MORE] = {{"enable.idempotence", "true"},
                              {"acks", "all"},
                              {"message.timeout.ms", "0"},
                              {"message.max.bytes", largest},
                              {"compression.type", "lz4"},
                              {"linger.ms", linger},
                              {"queue.buffering.max.messages", messages},
                              {"queue.buffering.max.kbytes", kbytes}};
    rd_kafka_conf_t *c;
    for (size_t i = 0; i < nmore && i < MORE; i++) ours[8 + i] = more[i];
    if (ls_kafka_conf_make(&c, conf, ours, 8 + nmore, log, err)) return -1;
    rd_kafka_conf_set_events(c, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    *out = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof why);
    if (*out) return 0;
    rd_kafka_conf_destroy(c);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

int ls_producer_open(ls_producer **out, const ls_kafka_conf *conf, size_t budget, const ls_log *log, ls_error *err) {
    rd_kafka_t *rk;
    if (ls_producer_client(&rk, conf, budget, NULL, 0, log, err)) return -1;
    if (ls_producer_over(out, rk, conf, log, err)) {
        rd_kafka_destroy(rk);
        return -1;
    }
    (*out)->owns = true;
    return 0;
}

int ls_producer_over(ls_producer **out, rd_kafka_t *rk, const ls_kafka_conf *conf, const ls_log *log, ls_error *err) {
    ls_producer *p = calloc(1, sizeof *p);
    if (!p) return ls_fail_memory(err, "starting a producer");
    p->conf = *conf;
    p->log = log;
    snprintf(p->cause, sizeof p->cause, "no connection");
    pthread_mutex_init(&p->mutex, NULL);
    p->rk = rk;
    p->events = rd_kafka_queue_get_main(rk);
    *out = p;
    return 0;
}

/* Its reports lead to t. */
static rd_kafka_topic_t *open_topic(rd_kafka_t *rk, const char *name, ls_topic *t) {
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(rk);
    rd_kafka_topic_conf_set_opaque(conf, t);
    return rd_kafka_topic_new(rk, name, conf);
}

void ls_producer_release(ls_producer *p) {
    for (ls_topic *t = p->topics; t; t = t->next) {
        if (t->rkt) rd_kafka_topic_destroy(t->rkt);
        t->rkt = NULL;
    }
    if (p->events) rd_kafka_queue_destroy(p->events);
    p->events = NULL;
    p->rk = NULL;
}

int ls_producer_renew(ls_producer *p, rd_kafka_t *rk, ls_error *err) {
    p->rk = rk;
    p->events = rd_kafka_queue_get_main(rk);
    for (ls_topic *t = p->topics; t; t = t->next)
        if (!(t->rkt = open_topic(rk, t->name, t))) return ls_fail(err, LS_FAIL, "topic %s: %s", t->name, rd_kafka_err2str(rd_kafka_last_error()));
    return 0;
}

rd_kafka_t *ls_producer_handle(ls_producer *p) { return p->rk; }

int ls_producer_topic(ls_producer *p, const char *name, int partitions, int replication, ls_topic **out, ls_error *err) {
    for (ls_topic *t = p->topics; t; t = t->next)
        if (strcmp(t->name, name) == 0) {
            *out = t;
            return 0;
        }
    int has;
    if (ls_topic_make(p->rk, &p->conf, name, partitions, replication, false, &has, err)) return -1;
    ls_topic *t = calloc(1, sizeof *t);
    int64_t *ends = calloc((size_t)has + 1, sizeof *ends);
    rd_kafka_topic_t *rkt = t && ends ? open_topic(p->rk, name, t) : NULL;
    if (!rkt) {
        bool memory = !t || !ends;
        free(t);
        free(ends);
        return memory ? ls_fail_memory(err, "starting a producer") : ls_fail(err, LS_FAIL, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    }
    *t = (ls_topic){.next = p->topics, .rkt = rkt, .partitions = has, .ends = ends};
    snprintf(t->name, sizeof t->name, "%s", name);
    p->topics = t;
    *out = t;
    return 0;
}

int ls_topic_count(const ls_topic *t) { return t->partitions; }
const char *ls_topic_title(const ls_topic *t) { return t->name; }

static int too_large(const ls_topic *t, size_t bytes, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "a message of %zu bytes for topic %s is over the limit of %d: the producer's message.max.bytes and the topic's "
                   "max.message.bytes are %d, and a batch's head goes off; leave the large column out of the row with a map",
                   bytes, t->name, LS_LARGEST, LS_MESSAGE_MAX);
}

/* With headers, which rd_kafka_produce() does not take. */
static rd_kafka_resp_err_t produce_with(ls_producer *p, const ls_topic *t, int partition, const void *key, size_t key_len, const void *value,
                                        size_t value_len, const ls_producer_header *headers, size_t n, void *opaque) {
    rd_kafka_headers_t *all = rd_kafka_headers_new(n);
    for (size_t i = 0; i < n; i++) rd_kafka_header_add(all, headers[i].name, -1, headers[i].value, (ssize_t)headers[i].len);
    rd_kafka_resp_err_t e = rd_kafka_producev(
        p->rk, RD_KAFKA_V_RKT(t->rkt), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_len), RD_KAFKA_V_HEADERS(all), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
    if (e) rd_kafka_headers_destroy(all); /* else it is the message's */
    return e;
}

static rd_kafka_resp_err_t produce(const ls_topic *t, int partition, const void *key, size_t key_len, const void *value, size_t value_len, void *opaque) {
    int rc = rd_kafka_produce(t->rkt, partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value, value_len, key, key_len, opaque);
    return rc ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The transaction has failed: why shows when it is ended. */
static int refuse(ls_producer *p, ls_error *err) {
    ls_fail(err, LS_AGAIN, "the transaction takes no more messages");
    pthread_mutex_lock(&p->mutex);
    p->fatal = true;
    p->err = *err;
    pthread_mutex_unlock(&p->mutex);
    return -1;
}

size_t ls_producer_bytes(size_t key_len, size_t value_len, const ls_producer_header *headers, size_t nheaders) {
    size_t bytes = key_len + value_len;
    for (size_t i = 0; i < nheaders; i++) bytes += strlen(headers[i].name) + headers[i].len + LS_HEADER_ROOM;
    return bytes;
}

size_t ls_producer_alone(const ls_producer *p) {
    char text[32] = "";
    size_t n = sizeof text;
    if (rd_kafka_conf_get(rd_kafka_conf(p->rk), "batch.size", text, &n) != RD_KAFKA_CONF_OK) return LS_MESSAGE_MAX;
    return strtoul(text, NULL, 10);
}

int ls_producer_send(ls_producer *p, ls_topic *t, int partition, const void *key, size_t key_len, const void *value,
                     size_t value_len, const ls_producer_header *headers, size_t nheaders, void *opaque, ls_error *err) {
    if (atomic_load_explicit(&p->abandoned, memory_order_relaxed)) return ls_fail(err, LS_AGAIN, "the producer takes no more messages");
    size_t bytes = ls_producer_bytes(key_len, value_len, headers, nheaders);
    if (bytes > LS_LARGEST) return too_large(t, bytes, err);
    rd_kafka_resp_err_t e = nheaders ? produce_with(p, t, partition, key, key_len, value, value_len, headers, nheaders, opaque)
                                     : produce(t, partition, key, key_len, value, value_len, opaque);
    if (!e) return 0;
    if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL) return ls_fail(err, LS_AGAIN, "the producer's queue is full");
    if (e == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return too_large(t, bytes, err);
    if (!p->owns && (e == RD_KAFKA_RESP_ERR__STATE || e == RD_KAFKA_RESP_ERR__FATAL || e == RD_KAFKA_RESP_ERR__FENCED)) return refuse(p, err);
    if (e == RD_KAFKA_RESP_ERR__FATAL) return ls_fail(err, LS_AGAIN, "the producer cannot go on"); /* why comes as an event */
    return ls_fail(err, LS_FAIL, "topic %s, partition %d: %s", t->name, partition, rd_kafka_err2str(e));
}

/* Of a message that is given up with its transaction the next try may be taken; not of one that itself, or its topic, is at fault. */
static bool is_final(rd_kafka_resp_err_t e) {
    switch (e) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return true;
    default: return false;
    }
}

static void note_end(const rd_kafka_message_t *m) {
    ls_topic *t = m->rkt ? rd_kafka_topic_opaque(m->rkt) : NULL;
    if (t && m->partition < t->partitions && m->offset >= t->ends[m->partition]) t->ends[m->partition] = m->offset + 1;
}

static void take_messages(rd_kafka_event_t *ev, void (*take)(void *, const ls_report *), void *ctx, int *n) {
    const rd_kafka_message_t *m;
    while ((m = rd_kafka_event_message_next(ev))) {
        ls_report r = {.opaque = m->_private, .bytes = m->len + m->key_len, .failed = m->err != 0, .key = m->key, .key_len = m->key_len};
        if (m->err) {
            r.code = ls_kafka_code(m->err);
            r.final = is_final(m->err);
            r.too_large = m->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
            r.topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "?";
            snprintf(r.why, sizeof r.why, "topic %s, partition %d: %s%s", r.topic, m->partition, rd_kafka_err2str(m->err),
                     r.too_large ? " (raise the topic's max.message.bytes to the producer's message.max.bytes, 67108864, or make batch.size in kafka_conf no larger than it)" : "");
        }
        if (!m->err) note_end(m);
        take(ctx, &r);
        ++*n;
    }
}

void ls_producer_abandon(ls_producer *p) {
    atomic_store(&p->abandoned, true);
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void take_fatal(ls_producer *p) {
    char why[256] = "";
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(p->rk, why, sizeof why);
    pthread_mutex_lock(&p->mutex);
    p->fatal = true;
    ls_fail(&p->err, ls_kafka_code(cause) == LS_FENCED ? LS_FENCED : LS_AGAIN, "the producer cannot go on: %s", why);
    pthread_mutex_unlock(&p->mutex);
}

static void take_error(ls_producer *p, rd_kafka_event_t *ev) {
    rd_kafka_resp_err_t e = rd_kafka_event_error(ev);
    if (e == RD_KAFKA_RESP_ERR__FATAL) {
        take_fatal(p);
    } else if (e != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        snprintf(p->cause, sizeof p->cause, "%s", rd_kafka_event_error_string(ev));
        ls_log_line(p->log, LS_DEBUG, "producer: %s", p->cause);
    } else {
        p->down = true;
    }
}

const char *ls_producer_down(const ls_producer *p) { return p->down ? p->cause : NULL; }
void ls_producer_up(ls_producer *p) { p->down = false; }

int ls_producer_reports(ls_producer *p, int wait_ms, void (*take)(void *, const ls_report *), void *ctx) {
    int n = 0;
    rd_kafka_event_t *ev = rd_kafka_queue_poll(p->events, wait_ms);
    for (; ev; ev = rd_kafka_queue_poll(p->events, 0)) {
        if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_DR)
            take_messages(ev, take, ctx, &n);
        else if (rd_kafka_event_type(ev) == RD_KAFKA_EVENT_ERROR)
            take_error(p, ev);
        rd_kafka_event_destroy(ev);
        if (n >= LS_REPORTS_AT_ONCE) break;
    }
    if (n) p->down = false;
    return n;
}

int ls_producer_health(ls_producer *p, ls_error *err) {
    pthread_mutex_lock(&p->mutex);
    bool fatal = p->fatal;
    if (fatal) *err = p->err;
    if (!p->owns) p->fatal = false;
    pthread_mutex_unlock(&p->mutex);
    return fatal ? -1 : 0;
}

void ls_producer_anew(ls_producer *p) {
    pthread_mutex_lock(&p->mutex);
    p->fatal = false;
    pthread_mutex_unlock(&p->mutex);
}

int ls_producer_ends(const ls_producer *p, ls_ends *out, ls_error *err) {
    for (const ls_topic *t = p->topics; t; t = t->next)
        for (int k = 0; k < t->partitions; k++)
            if (t->ends[k] && ls_ends_add(out, ls_kafka_cluster(&p->conf), t->name, k, t->ends[k])) return ls_fail_memory(err, "noting a topic's end");
    return 0;
}

int ls_producer_outstanding(ls_producer *p) { return rd_kafka_outq_len(p->rk); }

void ls_producer_wake(ls_producer *p) {
    if (p->events) rd_kafka_queue_yield(p->events);
}

void ls_producer_push(ls_producer *p, int wait_ms) { rd_kafka_flush(p->rk, wait_ms); }

bool ls_producer_flush(ls_producer *p) { return rd_kafka_flush(p->rk, 1) == RD_KAFKA_RESP_ERR_NO_ERROR && rd_kafka_outq_len(p->rk) == 0; }

void ls_producer_purge(ls_producer *p) {
    rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void ls_producer_close(ls_producer *p) {
    rd_kafka_t *rk = p->owns ? p->rk : NULL;
    if (rk) ls_producer_purge(p);
    ls_producer_release(p);
    for (ls_topic *t = p->topics, *next; t; t = next) {
        next = t->next;
        free(t->ends);
        free(t);
    }
    if (rk) rd_kafka_destroy(rk);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}
