#include "base/clock.h"
#include "kafka/consumer_error.h"
#include "kafka/consumer_parts.h"
#include "kafka/leave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_FETCH_WAIT_MS = 500,      /* how long a broker waits for more when nothing is there */
    LS_FETCH_WAIT_ENDS_MS = 50,  /* ... and so says that it is the end, where that is waited for. The in-process broker does not look up meanwhile */
    LS_SESSION_MS = 20000,       /* a member that is silent for so long loses its partitions; a broker that dies takes 10 s to be replaced */
    LS_JOIN_QUIET_MS = 5000,     /* an assignment that takes longer is spoken of */
    LS_COMMIT_WAIT_MS = 5000,    /* for the answer to a commit; it may still come later, and then counts */
    LS_COMMIT_AGAIN_MS = 1000,   /* a commit that failed is tried again so often */
    LS_QUIET_MS = 25,            /* after so long without a message the client may sleep; brokers under load take as long to answer */
    LS_DEAD_MS = 20000,          /* a connection without the answer that is due is dead (socket.timeout.ms): below a stop's time, which waits for a commit's */
    LS_CLOSE_MS = 10000,         /* for leaving the group; after it the group finds out by LS_SESSION_MS */
    LS_FETCH_SHARE = 96,         /* of the budget: one fetch takes 1/96 of it, compressed; what it unpacks to may be ten times that */
    LS_FETCH_LEAST = 64 * 1024,  /* bytes; below it each fetch is mostly overhead */
    LS_QUEUE_SHARE = 48          /* of the budget: no fetch is begun while 1/48 of it waits; each message costs as much again, and each broker may have one batch under way */
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
    *p = (place){.topic = name, .partition = partition, .done = -1, .wanted = -1, .committed = -1, .end_seen = -1};
    return p;
}

static void library_line(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    const ls_consumer *c = rd_kafka_opaque(rk);
    (void)level;
    if (c) ls_log_line(c->log, LS_DEBUG, "librdkafka %s: %s", facility, text);
}

/* Runs inside ls_consumer_poll(), or close: what is wrong with the connections. */
static void connection_error(rd_kafka_t *rk, int e, const char *why, void *opaque) {
    ls_consumer *c = opaque;
    (void)rk;
    ls_presence_failed(&c->presence, e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, why);
}

/* ---- joining, and what rebalances do */

static void forget(ls_consumer *c, const rd_kafka_topic_partition_list_t *l, bool mine) {
    for (int i = 0; i < l->cnt; i++) {
        place *p = find_or_add(c, l->elems[i].topic, l->elems[i].partition);
        if (!p) continue; /* without memory the partition's messages are dropped and its offsets not committed: they come again */
        p->mine = mine;
        p->done = p->wanted = p->committed = p->end_seen = -1;
    }
}

static int commit_wanted(ls_consumer *c, int wait_ms, ls_error *err);

/* What may pass is tried again in polls, for as long as there are any; what is final shows at the caller's next commit. */
static void commit_inside(ls_consumer *c, int wait_ms) {
    ls_error err;
    if (commit_wanted(c, wait_ms, &err)) ls_log_line(c->log, LS_WARN, "%s", err.text);
}

/* Of what ls_begin() has read. */
static void keep_ends(ls_consumer *c, const rd_kafka_topic_partition_list_t *l) {
    bool some = false;
    for (int i = 0; i < l->cnt; i++) {
        place *p = l->elems[i].opaque ? find(c, l->elems[i].topic, l->elems[i].partition) : NULL;
        if (p) p->done = p->wanted = l->elems[i].offset, some = true;
    }
    if (some) commit_inside(c, LS_COMMIT_WAIT_MS);
}

/* Runs inside ls_consumer_poll(), or close. All partitions are given back before a member joins anew, when their offsets can be committed. Where they
 * move one by one (cooperative-sticky) a commit may meet the joining: it waits behind it on the coordinator's connection, is refused for its
 * generation, and librdkafka before 2.10 then takes the partitions for lost: their rows come twice (its issue 4059). */
static void rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *l, void *opaque) {
    ls_consumer *c = opaque;
    rd_kafka_resp_err_t failed;
    c->rebalanced = c->joined = true;
    if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        forget(c, l, true);
        failed = ls_begin(rk, &c->conf, c->log, l);
        if (!failed) keep_ends(c, l);
    } else {
        /* lost partitions belong to somebody else already: their offsets are not ours to commit */
        if (!rd_kafka_assignment_lost(rk)) {
            c->conf.revoked(c->conf.ctx);
            commit_inside(c, LS_COMMIT_WAIT_MS); /* an earlier commit that failed, or whose answer is still to come */
        } else if (c->conf.lost) {
            c->conf.lost(c->conf.ctx);
        }
        forget(c, l, false);
        failed = rd_kafka_assign(rk, NULL);
    }
    if (failed) ls_log_line(c->log, LS_WARN, "rebalance: %s", rd_kafka_err2str(failed));
}

/* Without a group: the partitions of this instance that have come. */
static int take_share(ls_consumer *c, bool now, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = ls_assigned_look(&c->assigned, c->rk, now);
    if (!l) return 0;
    forget(c, l, true);
    rd_kafka_resp_err_t e = ls_begin(c->rk, &c->conf, c->log, l);
    ls_assigned_begun(&c->assigned);
    rd_kafka_topic_partition_list_destroy(l);
    return e ? ls_fail(err, LS_FAIL, "the partitions cannot be read: %s", rd_kafka_err2str(e)) : 0;
}

static int make_client(ls_consumer *c, ls_error *err) {
    char queue[24], fetch[24], wait[24], session[24], dead[24], why[512];
    size_t one = c->conf.budget / LS_FETCH_SHARE;
    if (one < LS_FETCH_LEAST) one = LS_FETCH_LEAST;
    if (one > LS_MESSAGE_MAX) one = LS_MESSAGE_MAX;
    size_t kbytes = c->conf.budget / LS_QUEUE_SHARE / 1024;
    snprintf(queue, sizeof queue, "%zu", kbytes ? kbytes : 1);
    snprintf(fetch, sizeof fetch, "%zu", one);
    snprintf(wait, sizeof wait, "%d", c->conf.wants_ends || c->conf.kafka.memory ? LS_FETCH_WAIT_ENDS_MS : LS_FETCH_WAIT_MS);
    snprintf(session, sizeof session, "%d", LS_SESSION_MS);
    snprintf(dead, sizeof dead, "%d", LS_DEAD_MS);
    const ls_pair ours[] = {{"group.id", c->conf.group_id},
                            {"enable.auto.commit", "false"},
                            {"enable.auto.offset.store", "false"},
                            {"auto.offset.reset", "error"}, /* see ls_begin() */
                            {"check.crcs", "true"},
                            {"partition.assignment.strategy", "roundrobin,range"}, /* see rebalance() */
                            {"isolation.level", "read_committed"},
                            {"enable.partition.eof", "true"},
                            {"session.timeout.ms", session},
                            {"socket.timeout.ms", dead},
                            {"fetch.message.max.bytes", fetch},
                            {"fetch.max.bytes", fetch}, /* a larger message still comes, alone, up to receive.message.max.bytes */
                            {"message.max.bytes", "65536"}, /* fetch.max.bytes may not be below it; a consumer sends nothing */
                            {"fetch.wait.max.ms", wait},
                            {"queued.max.messages.kbytes", queue},
                            {"fetch.queue.backoff.ms", "2"}}; /* instead of nudge.c; last: not each release knows it */
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, &c->conf.kafka, ours, sizeof ours / sizeof *ours - !ls_client_looks_itself(), c->log, err)) return -1;
    if (ls_nudges_init(&c->nudges, conf)) {
        rd_kafka_conf_destroy(conf);
        return ls_fail_memory(err, "starting a consumer");
    }
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, library_line);
    if (!c->conf.instances) rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_conf_set_error_cb(conf, connection_error);
    c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (c->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* To the topics that every broker knows. The group's leader shares out what one broker, whichever, then tells it: a topic that
 * this one does not know yet would be given to nobody, and nothing would make the group look again. The in-process broker
 * makes a topic for whoever names it, with partitions of its own choice. */
static int subscribe(ls_consumer *c, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)c->conf.ntopics);
    for (size_t i = 0; i < c->conf.ntopics; i++)
        if (ls_presence_has(&c->presence, i)) rd_kafka_topic_partition_list_add(l, c->conf.topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(c->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    c->subscribed_at = ls_clock_ms();
    return e ? ls_fail(err, LS_USAGE, "topic_list: %s", rd_kafka_err2str(e)) : 0;
}

int ls_consumer_open(ls_consumer **out, const ls_consumer_conf *conf, const ls_log *log, ls_error *err) {
    ls_consumer *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "starting a consumer");
    c->conf = *conf;
    c->log = log;
    if (ls_presence_init(&c->presence, conf->topics, conf->ntopics, conf->kafka.memory, log) ||
        (conf->instances && ls_assigned_init(&c->assigned, conf->instance, conf->instances, &c->presence))) {
        ls_fail_memory(err, "starting a consumer");
        goto fail;
    }
    if (make_client(c, err)) goto fail;
    rd_kafka_poll_set_consumer(c->rk);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    c->commits = rd_kafka_queue_new(c->rk);
    *out = c;
    return 0;
fail:
    ls_consumer_close(c);
    return -1;
}

/* ---- messages */

/* What may pass: said once a change of state, unless it is of the kind that presence.c speaks of. */
static void passing(ls_consumer *c, const rd_kafka_message_t *m) {
    bool news = m->err != c->said && ls_kafka_code(m->err) != LS_AGAIN;
    ls_log_line(c->log, news ? LS_WARN : LS_DEBUG, "consumer: %s", rd_kafka_message_errstr(m));
    if (news) c->said = m->err;
}

/* What stands in the queue beside messages. 0, or -1 when the consumer cannot go on. */
static int take_event(ls_consumer *c, const rd_kafka_message_t *m, ls_error *err) {
    place *p;
    switch (m->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
        if (p && p->mine) p->end_seen = m->offset;
        ls_presence_answered(&c->presence);
        return 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        if (m->rkt) ls_presence_missing(&c->presence, rd_kafka_topic_name(m->rkt));
        return 0;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        if (!c->slow_said)
            ls_log_line(c->log, LS_WARN, "a batch took longer than max.poll.interval.ms, so the group took the partitions away and rows "
                                         "come again: raise it in kafka_conf, or make the hooks or the disk faster");
        c->slow_said = true;
        return 0;
    default:
        if (ls_consumer_final(c->rk, c->conf.group_id, c->conf.places, m, err)) return -1;
        passing(c, m);
        return 0;
    }
}

static int make_room(ls_consumer *c, size_t max) {
    if (c->cap_batch >= max) return 0;
    rd_kafka_message_t **p = realloc(c->batch, max * sizeof(*p));
    if (!p) return -1;
    c->batch = p;
    c->cap_batch = max;
    return 0;
}

/* Keeps the messages, acts on the events. A message of a partition that went away while the batch was fetched is not ours
 * to write; one that went and came back meanwhile may be here twice, but not be missing. */
static int sort(ls_consumer *c, ls_error *err) {
    size_t kept = 0, bytes = 0;
    int rc = 0;
    for (size_t i = 0; i < c->nbatch; i++) {
        rd_kafka_message_t *m = c->batch[i];
        bool keep = !m->err;
        if (m->err && rc == 0) rc = take_event(c, m, err);
        if (keep && c->rebalanced) {
            const place *p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
            keep = p && p->mine;
        }
        if (keep) {
            bytes += m->len + m->key_len;
            c->batch[kept++] = m;
        } else {
            rd_kafka_message_destroy(m);
        }
    }
    c->nbatch = kept;
    if (kept) {
        c->said = RD_KAFKA_RESP_ERR_NO_ERROR;
        c->mean = bytes / kept + 1;
        ls_presence_answered(&c->presence);
    }
    return rc;
}

/* Fills the empty batch with about max_bytes of messages: waits for the first, then takes what is there. */
static int fetch(ls_consumer *c, size_t max, size_t max_bytes, int wait_ms, ls_error *err) {
    size_t ask = c->mean ? max_bytes / c->mean + 1 : 1;
    if (ask > max) ask = max;
    c->given = c->next = c->nbatch = 0;
    c->rebalanced = false;
    int quiet = wait_ms < LS_QUIET_MS ? wait_ms : LS_QUIET_MS;
    ssize_t n = rd_kafka_consume_batch_queue(c->queue, quiet, c->batch, 1);
    if (n == 0) ls_nothing_comes(c);
    if (n == 0 && wait_ms > quiet) n = rd_kafka_consume_batch_queue(c->queue, wait_ms - quiet, c->batch, 1);
    if (n <= 0) return 0;
    c->nbatch = (size_t)n;
    ls_look_at_queue(c);
    if (ask > 1 && (n = rd_kafka_consume_batch_queue(c->queue, 0, c->batch + 1, ask - 1)) > 0) c->nbatch += (size_t)n;
    ls_look_at_queue(c);
    return sort(c, err);
}

/* The ends that were reached count once no message before them is outstanding. */
static void reach_ends(ls_consumer *c) {
    if (c->given < c->nbatch) return;
    for (size_t i = 0; i < c->nplaces; i++) {
        place *p = &c->places[i];
        if (p->mine && p->end_seen > p->done) p->done = p->end_seen; /* past what is no message: transaction markers */
    }
}

static void commit_again(ls_consumer *c);

static void speak_of_the_wait(ls_consumer *c) {
    if (c->joined) c->subscribed_at = 0;
    if (!c->subscribed_at || ls_clock_ms() - c->subscribed_at < LS_JOIN_QUIET_MS) return;
    c->subscribed_at = 0;
    ls_log_line(c->log, LS_INFO, "waits for the group \"%s\" to share out its partitions; members that ended without leaving are waited for, up "
                                 "to %d s (session.timeout.ms)", c->conf.group_id, LS_SESSION_MS / 1000);
}

int ls_consumer_poll(ls_consumer *c, ls_message *out, size_t max, size_t max_bytes, int wait_ms, size_t *n, ls_error *err) {
    size_t bytes = 0;
    *n = 0;
    if (c->given != c->next) return ls_fail(err, LS_FAIL, "the last poll's messages were not released");
    if (make_room(c, max)) return ls_fail_memory(err, "reading messages");
    bool come = ls_presence_look(&c->presence, c->rk);
    if (c->conf.instances ? take_share(c, come, err) : come && subscribe(c, err)) return -1;
    commit_again(c);
    speak_of_the_wait(c);
    if (c->next == c->nbatch && fetch(c, max, max_bytes, wait_ms, err)) return -1;
    for (; c->next < c->nbatch && *n < max && (*n == 0 || bytes < max_bytes); ++*n) {
        const rd_kafka_message_t *m = c->batch[c->next++];
        rd_kafka_timestamp_type_t has_time;
        out[*n] = (ls_message){.topic = rd_kafka_topic_name(m->rkt),
                               .partition = m->partition,
                               .offset = m->offset,
                               .time = rd_kafka_message_timestamp(m, &has_time),
                               .key = m->key,
                               .value = m->payload,
                               .key_len = m->key_len,
                               .value_len = m->len,
                               .raw = m};
        bytes += m->len + m->key_len;
    }
    reach_ends(c);
    return 0;
}

bool ls_message_header(const ls_message *m, size_t i, const char **name, const void **value, size_t *len) {
    rd_kafka_headers_t *all;
    return !rd_kafka_message_headers(m->raw, &all) && !rd_kafka_header_get_all(all, i, name, value, len);
}

void ls_consumer_release(ls_consumer *c) {
    const rd_kafka_topic_t *last = NULL;
    place *p = NULL;
    for (size_t i = c->given; i < c->next; i++) {
        rd_kafka_message_t *m = c->batch[i];
        if (m->rkt != last || !p || p->partition != m->partition) p = find(c, rd_kafka_topic_name(m->rkt), m->partition);
        last = m->rkt;
        if (p && m->offset + 1 > p->done) p->done = m->offset + 1;
    }
    c->released += c->given < c->next;
    for (; c->given < c->next; c->given++) rd_kafka_message_destroy(c->batch[c->given]);
    reach_ends(c);
}

/* ---- offsets */

/* The group goes on without this commit: the rows come again elsewhere. */
static bool moved_on(rd_kafka_resp_err_t e) {
    return e == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || e == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
           e == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || e == RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST ||
           e == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

/* A commit's answer: what failed is kept and committed with the next ones. Nothing is lost by that, and a crash before it
 * repeats rows. */
static int take_commit(ls_consumer *c, rd_kafka_event_t *ev, ls_error *err) {
    rd_kafka_resp_err_t e = ev ? rd_kafka_event_error(ev) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const rd_kafka_topic_partition_list_t *l = ev ? rd_kafka_event_topic_partition_list(ev) : NULL;
    c->committing = !ev;
    for (int i = 0; !e && l && i < l->cnt; i++) e = l->elems[i].err;
    for (int i = 0; ev && l && i < l->cnt; i++) {
        place *p = find(c, l->elems[i].topic, l->elems[i].partition);
        if (p && p->mine && !rd_kafka_event_error(ev) && !l->elems[i].err) p->committed = l->elems[i].offset;
    }
    if (!e) {
        if (c->commit_failed) ls_log_line(c->log, LS_INFO, "offsets are committed again");
        c->commit_failed = false;
        return 0;
    }
    if (!c->conf.instances && !moved_on(e) && ls_kafka_code(e) != LS_AGAIN)
        return ls_fail(err, LS_FAIL, "offsets cannot be committed: %s: give the user the right to use the group \"%s\"",
                       rd_kafka_err2str(e), c->conf.group_id);
    if ((c->conf.instances || !moved_on(e)) && !c->commit_failed)
        ls_log_line(c->log, LS_WARN, "offsets are not committed yet%s: %s; trying again until they are",
                    c->conf.instances ? " (which show the group's lag, and are needed for nothing else)" : "", rd_kafka_err2str(e));
    c->commit_failed |= c->conf.instances || !moved_on(e);
    c->commit_again_at = ls_clock_ms() + LS_COMMIT_AGAIN_MS;
    return 0;
}

/* Takes the answer of a commit that is under way; waits for it up to wait_ms. */
static int finish_commit(ls_consumer *c, int wait_ms, ls_error *err) {
    rd_kafka_event_t *ev = rd_kafka_queue_poll(c->commits, wait_ms);
    int rc = take_commit(c, ev, err);
    if (ev) rd_kafka_event_destroy(ev);
    return rc;
}

/* Commits what is wanted and not committed. One commit is under way at a time. */
static int commit_wanted(ls_consumer *c, int wait_ms, ls_error *err) {
    if (c->committing && finish_commit(c, wait_ms, err)) return -1;
    if (c->committing) return 0;
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < c->nplaces; i++) {
        place *p = &c->places[i];
        if (p->mine && p->wanted >= 0 && p->wanted != p->committed)
            rd_kafka_topic_partition_list_add(l, p->topic, p->partition)->offset = p->wanted;
    }
    int rc = 0;
    if (l->cnt) {
        rd_kafka_resp_err_t e = rd_kafka_commit_queue(c->rk, l, c->commits, NULL, NULL);
        rc = e ? ls_fail(err, LS_FAIL, "offsets cannot be committed: %s", rd_kafka_err2str(e)) : finish_commit(c, wait_ms, err);
    }
    rd_kafka_topic_partition_list_destroy(l);
    return rc;
}

int ls_consumer_commit(ls_consumer *c, ls_error *err) {
    for (size_t i = 0; i < c->nplaces; i++) c->places[i].wanted = c->places[i].done;
    return commit_wanted(c, LS_COMMIT_WAIT_MS, err);
}

/* Inside polls: tries again what failed, without waiting. */
static void commit_again(ls_consumer *c) {
    if (!c->committing && !c->commit_failed) return;
    if (ls_clock_ms() < c->commit_again_at) return;
    c->commit_again_at = ls_clock_ms() + LS_COMMIT_AGAIN_MS;
    commit_inside(c, 0);
}

size_t ls_consumer_places(const ls_consumer *c, ls_consumer_place *out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        if (!p->mine || p->done < 0) continue;
        if (n < max) out[n] = (ls_consumer_place){p->topic, p->partition, p->done};
        n++;
    }
    return n;
}

/* ---- --until-caught-up */

static int64_t filled_to(const ls_consumer *c, const char *topic, int32_t partition) {
    return c->conf.ends ? ls_ends_of(c->conf.ends, ls_kafka_cluster(&c->conf.kafka), topic, partition) : 0;
}

static int note_topic(ls_consumer *c, size_t i, ls_error *err) {
    const char *topic = c->conf.topics[i];
    int n;
    if (ls_topic_partitions(c->rk, topic, &n, err)) return -1;
    /* a broker that has just come back may not have heard of it */
    if (!n && (ls_presence_has(&c->presence, i) || filled_to(c, topic, -1))) return ls_fail(err, LS_AGAIN, "topic %s is not known to the broker that was asked", topic);
    rd_kafka_topic_partition_list_t *lows = rd_kafka_topic_partition_list_new(n ? n : 1);
    for (int32_t k = 0; k < n; k++) rd_kafka_topic_partition_list_add(lows, topic, k);
    rd_kafka_topic_partition_list_t *highs = rd_kafka_topic_partition_list_copy(lows);
    rd_kafka_resp_err_t e = n ? ls_topic_offsets(c->rk, lows, RD_KAFKA_OFFSET_BEGINNING, LS_KAFKA_ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (n && !e) e = ls_topic_offsets(c->rk, highs, RD_KAFKA_OFFSET_END, LS_KAFKA_ASK_MS);
    int rc = e ? ls_fail(err, ls_kafka_code(e), "where topic %s ends: %s", topic, rd_kafka_err2str(e)) : 0;
    for (int k = 0; rc == 0 && k < n; k++) {
        int64_t high = highs->elems[k].offset, filled = filled_to(c, topic, highs->elems[k].partition);
        const rd_kafka_topic_partition_t *low = rd_kafka_topic_partition_list_find(lows, topic, highs->elems[k].partition);
        place *p = find_or_add(c, topic, highs->elems[k].partition);
        if (!p || !low) {
            rc = ls_fail_memory(err, "noting a topic's end");
        } else {
            if (filled > high) high = filled;
            p->goal = high > low->offset ? high : 0; /* nothing in it: at its end */
        }
    }
    rd_kafka_topic_partition_list_destroy(lows);
    rd_kafka_topic_partition_list_destroy(highs);
    return rc;
}

int ls_consumer_note_ends(ls_consumer *c, ls_error *err) {
    for (size_t i = 0; i < c->conf.ntopics; i++)
        if (note_topic(c, i, err)) return -1;
    return 0;
}

/* Partitions that other members hold: has the group committed up to their goals? */
static int others_at_ends(ls_consumer *c, ls_error *err) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    int all = 1;
    for (size_t i = 0; i < c->nplaces; i++)
        if (c->places[i].goal && !c->places[i].mine) rd_kafka_topic_partition_list_add(l, c->places[i].topic, c->places[i].partition);
    rd_kafka_resp_err_t e = l->cnt ? rd_kafka_committed(c->rk, l, LS_KAFKA_ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (e) all = ls_fail(err, ls_kafka_code(e), "the group's offsets: %s", rd_kafka_err2str(e));
    for (int i = 0; !e && i < l->cnt; i++) {
        place *p = find(c, l->elems[i].topic, l->elems[i].partition);
        if (l->elems[i].err || l->elems[i].offset < p->goal) all = 0;
        if (!l->elems[i].err) p->elsewhere = l->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(l);
    return all;
}

/* Without a group each instance answers for its own share. */
static int share_at_ends(const ls_consumer *c) {
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        if (p->goal && ls_assigned_is_ours(&c->assigned, p->partition) && (!p->mine || p->done < p->goal)) return 0;
    }
    return 1;
}

int ls_consumer_at_ends(ls_consumer *c, ls_error *err) {
    if (c->conf.instances) return share_at_ends(c);
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        if (p->goal && p->mine && p->committed < p->goal) return 0;
    }
    return others_at_ends(c, err);
}

uint64_t ls_consumer_progress(const ls_consumer *c) {
    uint64_t sum = 0;
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        int64_t at = p->mine ? p->done : p->elsewhere;
        if (at > 0) sum += (uint64_t)at;
    }
    return sum;
}

int64_t ls_consumer_lag(ls_consumer *c) {
    int64_t lag = -1;
    for (size_t i = 0; i < c->nplaces; i++) {
        const place *p = &c->places[i];
        int64_t low, high;
        if (!p->mine) continue;
        if (p->done < 0 || rd_kafka_get_watermark_offsets(c->rk, p->topic, p->partition, &low, &high) || high < 0) return -1;
        if (lag < 0) lag = 0;
        if (high > p->done) lag += high - p->done;
    }
    return lag;
}

int ls_consumer_assigned(ls_consumer *c) {
    int n = 0;
    for (size_t i = 0; i < c->nplaces; i++) n += c->places[i].mine;
    return n;
}

/* ---- the end */

void ls_consumer_close(ls_consumer *c) {
    for (size_t i = c->given; i < c->nbatch; i++) rd_kafka_message_destroy(c->batch[i]);
    c->given = c->next = c->nbatch = 0;
    if (c->rk && c->queue) ls_group_leave(c->rk, LS_CLOSE_MS, c->log);
    if (c->commits) rd_kafka_queue_destroy(c->commits);
    if (c->queue) rd_kafka_queue_destroy(c->queue);
    if (c->rk) rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    for (size_t i = 0; i < c->nplaces; i++) free(c->places[i].topic);
    free(c->places);
    ls_presence_free(&c->presence);
    ls_assigned_free(&c->assigned);
    ls_nudges_free(&c->nudges);
    free(c->batch);
    free(c);
}
