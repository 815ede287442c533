/* leave.h - how a member leaves its consumer group. One thread, the one that polls. */
#ifndef LS_KAFKA_LEAVE_H
#define LS_KAFKA_LEAVE_H

#include "kafka/client.h"

enum { LS_LEAVE_LOOK_MS = 20 }; /* between two looks whether it is left */

/* Waits LS_LEAVE_LOOK_MS for a message or an event of the queue, and throws it away. Calls the client's callbacks. */
void ls_group_pass(rd_kafka_queue_t *q);

/* Calls the client's rebalance callback. Takes up to wait_ms; then the group finds out by its session's time-out. The client can be destroyed
 * after it, with RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE. */
void ls_group_leave(rd_kafka_t *rk, int wait_ms, const ls_log *log);

#endif
