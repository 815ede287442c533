#include "kafka/leave.h"

#include "base/clock.h"

void ls_group_pass(rd_kafka_queue_t *q) {
    rd_kafka_message_t *m; /* one that was fetched and not wanted, or an event */
    if (rd_kafka_consume_batch_queue(q, LS_LEAVE_LOOK_MS, &m, 1) == 1) rd_kafka_message_destroy(m);
}

void ls_group_leave(rd_kafka_t *rk, int wait_ms, const ls_log *log) {
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_error_t *e = rd_kafka_consumer_close_queue(rk, q);
    int64_t until = ls_clock_ms() + wait_ms;
    if (e) ls_log_line(log, LS_DEBUG, "leaving the group: %s", rd_kafka_error_string(e));
    if (e) rd_kafka_error_destroy(e);
    while (!rd_kafka_consumer_closed(rk) && ls_clock_ms() < until) ls_group_pass(q); /* the coordinator may be away */
    rd_kafka_queue_destroy(q);
}
