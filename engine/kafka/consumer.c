#include "kafka/consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_FETCH_BYTES = 1024 * 1024,     /* of one partition in one fetch, at most; a larger message still comes, alone */
    LS_FETCH_WAIT_MS = 50,            /* how long a broker waits for more when nothing is there */
    LS_SESSION_MS = 10000             /* a member that is silent for so long loses its partitions */
};

/* What is known of one partition: next offsets. */
typedef struct place {
    char *topic;
    int32_t partition;
    int64_t done;      /* behind the last released message, or the end that was reached; -1: nothing yet */
    int64_t committed; /* as we committed it; -1: not yet */
    int64_t eof;       /* offset at which the end was seen; -1 */
    int64_t goal;      /* noted end; 0: none */
    bool mine;
} place;

struct ls_consumer {
    rd_kafka_t *rk;
    ls_consumer_conf conf;
    const ls_log *log;
    place *places;
    size_t nplaces;
    rd_kafka_message_t **held; /* of the last poll */
    size_t nheld, cap_held;
    bool rebalanced;             /* during the poll under way */
    bool down, missing, commit_failed; /* said once a change of state */
};

static place *find(ls_consumer *c, const char *topic, int32_t partition) {
    for (size_t i = 0; i < c->nplaces; i++)
        if (c->places[i].partition == partition && strcmp(c->places[i].topic, topic) == 0) return &c->places[i];
    return NULL;
}

static place *find_or_add(ls_consumer *c, const char *topic, int32_t partition) {
    place *p = find(c, topic, partition);
    if (p) return p;
    place *all = realloc(c->places, (c->nplaces + 1) * sizeof *all);
    if (!all) return NULL;
    c->places = all;
    char *name = strdup(topic);
    if (!name) return NULL;
    p = &c->places[c->nplaces++];
    *p = (place){.topic = name, .partition = partition, .done = -1, .committed = -1, .eof = -1};
    return p;
}

static void library_line(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    const ls_consumer *c = rd_kafka_opaque(rk);
    (void)level;
    if (c) ls_log_line(c->log, LS_DEBUG, "librdkafka %s: %s", facility, text);
}

static void forget(ls_consumer *c, const rd_kafka_topic_partition_list_t *l, bool mine) {
    for (int i = 0; i < l->cnt; i++) {
        place *p = find_or_add(c, l->elems[i].topic, l->elems[i].partition);
        if (!p) continue; /* without memory the partition's offsets are not committed: its rows come again */
        p->mine = mine;
        p->done = p->committed = p->eof = -1;
    }
}

/* Runs inside ls_consumer_poll(), or close. */
static void rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *l, void *opaque) {
    ls_consumer *c = opaque;
    rd_kafka_error_t *error;
    c->rebalanced = true;
    if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        forget(c, l, true);
        error = rd_kafka_incremental_assign(rk, l);
    } else {
        /* lost partitions belong to somebody else already: their offsets are not ours to commit */
        if (!rd_kafka_assignment_lost(rk)) c->conf.revoked(c->conf.ctx);
        forget(c, l, false);
        error = rd_kafka_incremental_unassign(rk, l);
    }
    if (!error) return;
    ls_log_line(c->log, LS_WARN, "rebalance: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static int make_client(ls_consumer *c, ls_error *err) {
    char kbytes[24], fetch[24], wait[24], session[24], largest[24], why[512];
    snprintf(kbytes, sizeof kbytes, "%zu", c->conf.budget / 2 / 1024);
    snprintf(fetch, sizeof fetch, "%d", LS_FETCH_BYTES);
    snprintf(wait, sizeof wait, "%d", LS_FETCH_WAIT_MS);
    snprintf(session, sizeof session, "%d", LS_SESSION_MS);
    snprintf(largest, sizeof largest, "%d", LS_MESSAGE_MAX);
    const ls_pair ours[] = {{"group.id", c->conf.group_id},
                            {"enable.auto.commit", "false"},
                            {"enable.auto.offset.store", "false"},
                            {"auto.offset.reset", c->conf.auto_offset_reset},
                            {"partition.assignment.strategy", "cooperative-sticky"},
                            {"isolation.level", "read_committed"},
                            {"enable.partition.eof", "true"},
                            {"session.timeout.ms", session},
                            {"message.max.bytes", largest},
                            {"fetch.message.max.bytes", fetch},
                            {"fetch.wait.max.ms", wait},
                            {"queued.max.messages.kbytes", kbytes}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf.kafka, ours, sizeof ours / sizeof *ours, c->log, err)) return -1;
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, library_line);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (c->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

static int subscribe(ls_consumer *c, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)c->conf.ntopics);
    for (size_t i = 0; i < c->conf.ntopics; i++)
        rd_kafka_topic_partition_list_add(l, c->conf.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(c->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    return e ? ls_fail(err, LS_USAGE, "topic_list: %s", rd_kafka_err2str(e)) : 0;
}

int ls_consumer_open(ls_consumer **out, const ls_consumer_conf *conf, const ls_log *log, ls_error *err) {
    ls_consumer *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "starting a consumer");
    c->conf = *conf;
    c->log = log;
    if (make_client(c, err)) {
        free(c);
        return -1;
    }
    rd_kafka_poll_set_consumer(c->rk);
    if (subscribe(c, err)) {
        ls_consumer_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

/* What stands in the queue beside messages. 0, or -1 when the consumer cannot go on. */
static int take_event(ls_consumer *c, const rd_kafka_message_t *m, ls_error *err) {
    place *p;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
        if (p && p->mine) p->eof = m->offset;
        return 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        if (!c->missing)
            ls_log_line(c->log, LS_WARN, "%s: start its connector, or make the topic; looking again until it is there", rd_kafka_message_errstr(m));
        c->missing = true;
        return 0;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        if (!c->down)
            ls_log_line(c->log, LS_WARN, "no broker answers: see that bootstrap.servers is right and that they run; trying again until one does");
        c->down = true;
        return 0;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__FATAL:
        return ls_fail(err, LS_FAIL, "Kafka refuses: %s; give the user the right to read the topic and to use group \"%s\"", rd_kafka_message_errstr(m), c->conf.group_id);
    default:
        ls_log_line(c->log, LS_DEBUG, "consumer: %s", rd_kafka_message_errstr(m));
        return 0;
    }
}

static void heard(ls_consumer *c) {
    if (c->down || c->missing) ls_log_line(c->log, LS_INFO, "messages come again");
    c->down = c->missing = false;
}

static int make_room(ls_consumer *c, size_t max) {
    if (c->cap_held >= max) return 0;
    rd_kafka_message_t **p = realloc(c->held, max * sizeof(*p));
    if (!p) return -1;
    c->held = p;
    c->cap_held = max;
    return 0;
}

/* Keeps a message, or acts on an event and lets it go. -1: cannot go on. */
static int sort_in(ls_consumer *c, rd_kafka_message_t *m, ls_error *err) {
    if (!m->err) {
        c->held[c->nheld++] = m;
        return 0;
    }
    int rc = take_event(c, m, err);
    rd_kafka_message_destroy(m);
    return rc;
}

/* Messages of partitions that went away while the poll ran are not ours to write. */
static void drop_foreign(ls_consumer *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->nheld; i++) {
        rd_kafka_message_t *m = c->held[i];
        place *p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
        if (p && p->mine)
            c->held[kept++] = m;
        else
            rd_kafka_message_destroy(m);
    }
    c->nheld = kept;
}

static int fetch(ls_consumer *c, size_t max, size_t max_bytes, int wait_ms, ls_error *err) {
    size_t bytes = 0;
    while (c->nheld < max && bytes < max_bytes) {
        /* consumer_poll, not consume_batch: it is what tells the group that this member is alive (max.poll.interval.ms),
         * and it hands a message over one at a time, so that max_bytes holds. */
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, c->nheld ? 0 : wait_ms);
        if (!m) break;
        size_t n = c->nheld;
        bytes += m->err ? 0 : m->len;
        if (sort_in(c, m, err)) return -1;
        if (c->nheld == n) wait_ms = 0; /* an event: look once more, do not wait again */
    }
    return 0;
}

int ls_consumer_poll(ls_consumer *c, ls_message *out, size_t max, size_t max_bytes, int wait_ms, size_t *n, ls_error *err) {
    *n = 0;
    if (make_room(c, max)) return ls_fail_memory(err, "reading messages");
    c->rebalanced = false;
    if (fetch(c, max, max_bytes, wait_ms, err)) return -1;
    if (c->rebalanced) drop_foreign(c);
    if (c->nheld) heard(c);
    for (size_t i = 0; i < c->nheld; i++) {
        const rd_kafka_message_t *m = c->held[i];
        out[i] = (ls_message){.topic = rd_kafka_topic_name(m->rkt),
                              .partition = m->partition,
                              .offset = m->offset,
                              .key = m->key,
                              .value = m->payload,
                              .key_len = m->key_len,
                              .value_len = m->len};
    }
    *n = c->nheld;
    return 0;
}

void ls_consumer_release(ls_consumer *c) {
    const rd_kafka_topic_t *last = NULL;
    place *p = NULL;
    for (size_t i = 0; i < c->nheld; i++) {
        rd_kafka_message_t *m = c->held[i];
        if (m->rkt != last || !p || p->partition != m->partition) p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
        last = m->rkt;
        if (p && m->offset + 1 > p->done) p->done = m->offset + 1;
    }
    for (size_t i = 0; i < c->nheld; i++) rd_kafka_message_destroy(c->held[i]);
    c->nheld = 0;
}

/* Offsets that moved since they were committed. */
static rd_kafka_topic_partition_list_t *to_commit(ls_consumer *c) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < c->nplaces; i++) {
        place *p = &c->places[i];
        if (p->mine && p->eof > p->done) p->done = p->eof; /* past what is no message (transaction markers) */
        if (p->mine && p->done >= 0 && p->done != p->committed)
            rd_kafka_topic_partition_list_add(l, p->topic, p->partition)->offset = p->done;
    }
    return l;
}

static bool moved_on(rd_kafka_resp_err_t e) { /* the group goes on without this commit: the rows come again elsewhere */
    return e == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || e == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
           e == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || e == RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST ||
           e == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

static void note_committed(ls_consumer *c, const rd_kafka_topic_partition_list_t *l) {
    for (int i = 0; i < l->cnt; i++) {
        place *p = find(c, l->elems[i].topic, l->elems[i].partition);
        if (p) p->committed = l->elems[i].offset;
    }
}

int ls_consumer_commit(ls_consumer *c, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = to_commit(c);
    rd_kafka_resp_err_t e = l->cnt ? rd_kafka_commit(c->rk, l, 0) : 0;
    int rc = 0;
    if (!e) {
        note_committed(c, l);
        if (c->commit_failed) ls_log_line(c->log, LS_INFO, "offsets are committed again");
        c->commit_failed = false;
    } else if (moved_on(e) || ls_kafka_code(e) == LS_AGAIN) {
        /* kept, and committed with the next ones: nothing is lost, and a crash before that repeats rows */
        if (!c->commit_failed) ls_log_line(c->log, moved_on(e) ? LS_DEBUG : LS_WARN, "offsets not committed yet: %s", rd_kafka_err2str(e));
        c->commit_failed = true;
    } else {
        rc = ls_fail(err, LS_FAIL, "offsets cannot be committed: %s; give the user the right to use group \"%s\"", rd_kafka_err2str(e), c->conf.group_id);
    }
    rd_kafka_topic_partition_list_destroy(l);
    return rc;
}

static int note_topic(ls_consumer *c, const char *topic, ls_error *err) {
    int n;
    if (ls_topic_partitions(c->rk, topic, &n, err)) return -1;
    for (int32_t k = 0; k < n; k++) {
        int64_t low, high;
        rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(c->rk, topic, k, &low, &high, LS_KAFKA_ASK_MS);
        if (e) return ls_fail(err, ls_kafka_code(e), "topic %s, partition %" PRId32 ": %s", topic, k, rd_kafka_err2str(e));
        place *p = find_or_add(c, topic, k);
        if (!p) return ls_fail_memory(err, "noting a topic's end");
        p->goal = high > low ? high : 0; /* nothing in it: at its end */
    }
    return 0;
}

int ls_consumer_note_ends(ls_consumer *c, ls_error *err) {
    for (size_t i = 0; i < c->conf.ntopics; i++)
        if (note_topic(c, c->conf.topics[i], err)) return -1;
    return 0;
}

/* Partitions that other members hold: has the group committed up to their goals? */
static int others_at_ends(ls_consumer *c, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    int all = 1;
    for (size_t i = 0; i < c->nplaces; i++)
        if (c->places[i].goal && !c->places[i].mine) rd_kafka_topic_partition_list_add(l, c->places[i].topic, c->places[i].partition);
    rd_kafka_resp_err_t e = l->cnt ? rd_kafka_committed(c->rk, l, LS_KAFKA_ASK_MS) : 0;
    if (e) all = ls_fail(err, ls_kafka_code(e), "the group's offsets: %s", rd_kafka_err2str(e));
    for (int i = 0; i < l->cnt && all == 1; i++) {
        const place *p = find(c, l->elems[i].topic, l->elems[i].partition);
        if (l->elems[i].err || l->elems[i].offset < p->goal) all = 0;
    }
    rd_kafka_topic_partition_list_destroy(l);
    return all;
}

int ls_consumer_at_ends(ls_consumer *c, ls_error *err) {
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        if (p->goal && p->mine && p->committed < p->goal) return 0;
    }
    return others_at_ends(c, err);
}

int64_t ls_consumer_lag(ls_consumer *c) {
    int64_t lag = -1;
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        int64_t low, high;
        if (!p->mine || rd_kafka_get_watermark_offsets(c->rk, p->topic, p->partition, &low, &high) || high < 0) continue;
        int64_t at = p->done > p->eof ? p->done : p->eof;
        if (lag < 0) lag = 0;
        if (high > at) lag += high - (at < 0 ? low : at);
    }
    return lag;
}

int ls_consumer_assigned(ls_consumer *c) {
    int n = 0;
    for (size_t i = 0; i < c->nplaces; i++) n += c->places[i].mine;
    return n;
}

void ls_consumer_close(ls_consumer *c) {
    for (size_t i = 0; i < c->nheld; i++) rd_kafka_message_destroy(c->held[i]);
    rd_kafka_consumer_close(c->rk);
    rd_kafka_destroy(c->rk);
    for (size_t i = 0; i < c->nplaces; i++) free(c->places[i].topic);
    free(c->places);
    free(c->held);
    free(c);
}
