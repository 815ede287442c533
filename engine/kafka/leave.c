#include "kafka/leave.h"

#include "base/clock.h"

enum { LS_LEAVE_LOOK_MS = 20 }; /* between two looks whether it is left */

static void pass(rd_kafka_queue_t *q) {
    rd_kafka_message_t *m; /* one that was fetched and not wanted, or an event */
    if (rd_kafka_consume_batch_queue(q, LS_LEAVE_LOOK_MS, &m, 1) == 1) rd_kafka_message_destroy(m);
}

static bool is_member(rd_kafka_t *rk) {
    char *id = rd_kafka_memberid(rk);
    bool member = id && *id;
    if (id) rd_kafka_mem_free(rk, id);
    return member;
}

/* librdkafka before 2.3 aborts the process when a cooperative-sticky client that is a member, but was never given an
 * assignment, is destroyed. So the first assignment is waited for; false: it did not come. */
static bool wait_until_joined(rd_kafka_t *rk, rd_kafka_queue_t *queue, const bool *joined, int wait_ms, const ls_log *log) {
    int64_t until = ls_clock_ms() + wait_ms;
    if (!*joined && is_member(rk)) ls_log_line(log, LS_INFO, "waits for the group's answer before it leaves, up to %d s", wait_ms / 1000);
    while (!*joined && is_member(rk) && ls_clock_ms() < until) pass(queue);
    return *joined || !is_member(rk);
}

bool ls_group_leave(rd_kafka_t *rk, rd_kafka_queue_t *queue, const bool *joined, int wait_ms, const ls_log *log) {
    if (!wait_until_joined(rk, queue, joined, wait_ms, log)) return false;
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(rk, q);
    int64_t until = ls_clock_ms() + wait_ms;
    if (e) ls_log_line(log, LS_DEBUG, "leaving the group: %s", rd_kafka_error_string(e));
    if (e) rd_kafka_error_destroy(e);
    while (!rd_kafka_consumer_closed(rk) && ls_clock_ms() < until) pass(q); /* the coordinator may be away */
    rd_kafka_queue_destroy(q);
    return true;
}
