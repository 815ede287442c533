/* leave.h - how a member leaves its consumer group. One thread, the one that polls. */
#ifndef LS_KAFKA_LEAVE_H
#define LS_KAFKA_LEAVE_H

#include "kafka/client.h"

/* queue: the client's consumer queue. Calls the client's rebalance callback, which sets *joined: the group has given this member an
 * assignment, be it empty. Takes up to wait_ms, twice that for a member without an assignment; then the group finds out by its session's
 * time-out. true: the client can be destroyed, with RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE; false: it must be left to the end of the process. */
bool ls_group_leave(rd_kafka_t *rk, rd_kafka_queue_t *queue, const bool *joined, int wait_ms, const ls_log *log) LS_MUST_CHECK;

#endif
