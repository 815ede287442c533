#include "kafka/standby.h"

#include "base/clock.h"
#include "kafka/consumer_error.h"
#include "kafka/leave.h"
#include "kafka/offsets.h"
#include "kafka/presence.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_TURN_SESSION_MS = 6000,  /* a program that is silent for so long loses its turn; brokers take no less by default */
    LS_TURN_HEARTBEAT_MS = 1000, /* ... and hears so often from the group, of its turn too */
    LS_TURN_POLL_MS = 200,
    LS_TURN_DOUBT_MS = 2000,    /* after a pause as long as a session: by then the client has found out what the group made of it */
    LS_TURN_CLOSE_MS = 2000     /* for leaving the group */
};

typedef enum turn {
    TURN_WAITS,  /* for its first turn */
    TURN_HELD,
    TURN_DOUBT,  /* it was this program's, and the group has not said yet whose it is now */
    TURN_LOST,   /* it is another program's */
    TURN_REFUSED /* err says why */
} turn;

struct ls_standby {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    const char *connector;
    const ls_log *log;
    char group[256];
    int session_ms;
    pthread_t thread;
    bool running;
    atomic_bool ending;
    atomic_int turn;
    atomic_bool begun; /* ls_standby_turn() gave 1, and there was no doubt since */
    atomic_int_fast64_t sure_until; /* ls_clock_ms(): without news from the group the turn counts up to then */

    /* the thread's own */
    bool joined, said;
    int64_t polled_at, doubt_until; /* ls_clock_ms() */
    ls_presence brokers;            /* spoken of while this is the program's only client */

    ls_error err; /* written before TURN_REFUSED is */
};

static void library_line(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    const ls_standby *s = rd_kafka_opaque(rk);
    (void)level;
    if (s) ls_log_line(s->log, LS_DEBUG, "librdkafka %s: %s", facility, text);
}

static void connection_error(rd_kafka_t *rk, int e, const char *why, void *opaque) {
    ls_standby *s = opaque;
    (void)rk;
    if (atomic_load(&s->turn) == TURN_WAITS) ls_presence_failed(&s->brokers, e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, why);
}

/* ---- what the group says; inside a poll */

static void take_turn(ls_standby *s) {
    if (atomic_load(&s->turn) == TURN_LOST) return; /* this program is on its way out */
    if (atomic_load(&s->turn) == TURN_DOUBT)
        ls_log_line(s->log, LS_INFO, "the group \"%s\" answers: it is still this program's turn", s->group);
    else if (s->said)
        ls_log_line(s->log, LS_INFO, "takes over");
    atomic_store(&s->sure_until, ls_clock_ms() + s->session_ms);
    atomic_store(&s->turn, TURN_HELD);
}

static void nothing_given(ls_standby *s) {
    int now = atomic_load(&s->turn);
    if (now == TURN_DOUBT) atomic_store(&s->turn, TURN_LOST);
    if (now != TURN_WAITS || s->said || atomic_load(&s->ending)) return;
    s->said = true;
    ls_log_line(s->log, LS_INFO, "waits as standby, the group \"%s\" is held by another program", s->group);
}

static void give_up(ls_standby *s, bool lost) {
    if (atomic_load(&s->turn) != TURN_HELD || atomic_load(&s->ending)) return;
    atomic_store(&s->turn, lost ? TURN_DOUBT : TURN_LOST);
    atomic_store(&s->begun, false);
    if (lost)
        ls_log_line(s->log, LS_WARN, "the group \"%s\" was silent, or this program was, for %d s (session.timeout.ms): nothing is sent until the "
                                     "group says whose turn it is", s->group, s->session_ms / 1000);
}

/* The partition stands for the turn; its messages are of no use here, so it is paused at its end. */
static void rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *l, void *opaque) {
    ls_standby *s = opaque;
    rd_kafka_error_t *error;
    s->joined = true;
    ls_presence_answered(&s->brokers);
    if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        for (int i = 0; i < l->cnt; i++) l->elems[i].offset = RD_KAFKA_OFFSET_END;
        error = rd_kafka_incremental_assign(rk, l);
        rd_kafka_pause_partitions(rk, l);
        if (l->cnt)
            take_turn(s);
        else
            nothing_given(s);
    } else {
        give_up(s, rd_kafka_assignment_lost(rk));
        error = rd_kafka_incremental_unassign(rk, l);
    }
    if (!error) return;
    ls_log_line(s->log, LS_WARN, "the group \"%s\": %s", s->group, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

static void take_event(ls_standby *s, const rd_kafka_message_t *m) {
    if (!m->err) return;
    ls_log_line(s->log, LS_DEBUG, "the group \"%s\": %s", s->group, rd_kafka_message_errstr(m));
    if (ls_consumer_final(s->rk, s->group, NULL, m, &s->err)) atomic_store(&s->turn, TURN_REFUSED);
}

/* A program that was stopped, or its machine, wakes up with a turn that may be another's by now, and its client needs a moment to see it. */
static void look_at_clock(ls_standby *s) {
    int64_t now = ls_clock_ms();
    if (now - s->polled_at >= s->session_ms) {
        s->doubt_until = now + LS_TURN_DOUBT_MS;
        atomic_store(&s->begun, false);
    }
    if (now >= s->doubt_until) atomic_store(&s->sure_until, now + s->session_ms);
    s->polled_at = now;
}

static void *body(void *arg) {
    ls_standby *s = arg;
    s->polled_at = ls_clock_ms();
    while (!atomic_load(&s->ending) && atomic_load(&s->turn) != TURN_REFUSED) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(s->rk, LS_TURN_POLL_MS);
        look_at_clock(s);
        if (m) take_event(s, m);
        if (m) rd_kafka_message_destroy(m);
        (void)!ls_presence_look(&s->brokers, s->rk); /* no topics are looked for */
    }
    return NULL;
}

/* ---- joining and leaving */

static int make_client(ls_standby *s, const ls_kafka_conf *kafka, ls_error *err) {
    char session[24], heartbeat[24], why[512];
    size_t n = sizeof session;
    snprintf(session, sizeof session, "%d", LS_TURN_SESSION_MS);
    snprintf(heartbeat, sizeof heartbeat, "%d", LS_TURN_HEARTBEAT_MS);
    const ls_pair ours[] = {{"group.id", s->group},
                            {"enable.auto.commit", "false"},
                            {"auto.offset.reset", "latest"},
                            {"partition.assignment.strategy", "cooperative-sticky"}, /* a new member takes nobody's turn */
                            {"session.timeout.ms", session},
                            {"heartbeat.interval.ms", heartbeat},
                            {"message.max.bytes", "65536"}, /* nothing is read: the least memory */
                            {"fetch.max.bytes", "65536"},
                            {"fetch.message.max.bytes", "65536"},
                            {"queued.min.messages", "1"},
                            {"queued.max.messages.kbytes", "1"}};
    rd_kafka_conf_t *conf;
    if (ls_kafka_conf_make(&conf, kafka, ours, sizeof ours / sizeof *ours, s->log, err)) return -1;
    if (rd_kafka_conf_get(conf, "session.timeout.ms", session, &n) == RD_KAFKA_CONF_OK) s->session_ms = atoi(session); /* the script's, if it has one */
    rd_kafka_conf_set_opaque(conf, s);
    rd_kafka_conf_set_log_cb(conf, library_line);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_conf_set_error_cb(conf, connection_error);
    s->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (s->rk) return 0;
    rd_kafka_conf_destroy(conf);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

/* The group's leader gives nobody a topic that its broker does not know: it must be there, on every broker, before. */
static int join(ls_standby *s, const ls_kafka_conf *kafka, ls_error *err) {
    int has;
    if (ls_topic_make(s->rk, kafka, LS_OFFSETS_TOPIC, 1, 0, true, &has, err)) return -1;
    rd_kafka_poll_set_consumer(s->rk);
    s->queue = rd_kafka_queue_get_consumer(s->rk);
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(l, LS_OFFSETS_TOPIC, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(s->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
    if (e) return ls_fail(err, LS_FAIL, "the group \"%s\": %s", s->group, rd_kafka_err2str(e));
    int failed = pthread_create(&s->thread, NULL, body, s);
    if (failed) return ls_fail(err, LS_FAIL, "cannot start the standby's thread: %s", strerror(failed));
    s->running = true;
    return 0;
}

int ls_standby_open(ls_standby **out, const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_error *err) {
    ls_standby *s = calloc(1, sizeof *s);
    if (!s) return ls_fail_memory(err, "joining the connector's group");
    s->connector = connector;
    s->log = log;
    s->session_ms = LS_TURN_SESSION_MS;
    snprintf(s->group, sizeof s->group, "__list_sync.%s", connector);
    int rc = ls_presence_init(&s->brokers, NULL, 0, conf->memory, log) ? ls_fail_memory(err, "joining the connector's group") : 0;
    if (rc || make_client(s, conf, err) || join(s, conf, err)) {
        ls_standby_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

static int taken_over(const ls_standby *s, ls_error *err) {
    return ls_fail(err, LS_FENCED, "another instance runs under the name \"%s\" and has taken over: the group \"%s\" gave this one's turn to it", s->connector,
                   s->group);
}

int ls_standby_turn(ls_standby *s, ls_error *err) {
    atomic_store(&s->begun, true); /* before the look: a doubt that comes in between takes it back */
    switch (atomic_load(&s->turn)) {
    case TURN_HELD: return ls_clock_ms() < atomic_load(&s->sure_until);
    case TURN_LOST: return taken_over(s, err);
    case TURN_REFUSED: *err = s->err; return -1;
    default: return 0;
    }
}

int ls_standby_check(ls_standby *s, ls_error *err) {
    int now = atomic_load_explicit(&s->turn, memory_order_relaxed);
    bool begun = atomic_load_explicit(&s->begun, memory_order_relaxed);
    if (now == TURN_HELD && begun && ls_clock_ms() < atomic_load_explicit(&s->sure_until, memory_order_relaxed)) return 0;
    return now == TURN_LOST ? taken_over(s, err) : ls_fail(err, LS_FENCED, "the group \"%s\" does not say whether it is still this program's turn", s->group);
}

static const ls_log silent = {.fd = -1, .least = LS_ERROR + 1, .stage = ""};

static bool is_member(rd_kafka_t *rk) {
    char *id = rd_kafka_memberid(rk);
    bool member = id && *id;
    if (id) rd_kafka_mem_free(rk, id);
    return member;
}

/* librdkafka before 2.3 aborts the process when a cooperative-sticky client that is a member, but was never given an assignment, is
 * destroyed. So the first assignment is waited for; false: it did not come. */
static bool wait_until_joined(ls_standby *s) {
    int64_t until = ls_clock_ms() + LS_TURN_CLOSE_MS;
    if (!s->joined && is_member(s->rk)) ls_log_line(s->log, LS_INFO, "waits for the group's answer before it leaves, up to %d s", LS_TURN_CLOSE_MS / 1000);
    while (!s->joined && is_member(s->rk) && ls_clock_ms() < until) ls_group_pass(s->queue);
    return s->joined || !is_member(s->rk);
}

void ls_standby_close(ls_standby *s) {
    atomic_store(&s->ending, true);
    if (s->running) pthread_join(s->thread, NULL);
    if (s->rk && s->queue && !wait_until_joined(s)) {
        s->log = &silent; /* the client's threads refer to what is left with it */
        return;
    }
    if (s->rk && s->queue) ls_group_leave(s->rk, LS_TURN_CLOSE_MS, s->log);
    if (s->queue) rd_kafka_queue_destroy(s->queue);
    if (s->rk) rd_kafka_destroy_flags(s->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    ls_presence_free(&s->brokers);
    free(s);
}
