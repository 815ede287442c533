/* assigned.h - partitions without a group, of which each instance has its share for good; and where partitions begin. Parts of a consumer: of its
 * thread. */
#ifndef LS_KAFKA_ASSIGNED_H
#define LS_KAFKA_ASSIGNED_H

#include "kafka/consumer.h"
#include "kafka/presence.h"

typedef struct ls_assigned {
    int instance, instances;      /* instance: from 1 */
    const ls_presence *presence;  /* borrowed; the topics, too, are its */
    int *known;                   /* of each topic the partitions that have been given out, or are others'; owned */
    int64_t look_at;              /* ls_clock_ms(): when they are counted again */
    rd_kafka_topic_t **held;      /* handles of topics whose partitions are new, until ls_assigned_begun(); NULL: none */
} ls_assigned;

/* -1: memory. */
int ls_assigned_init(ls_assigned *a, int instance, int instances, const ls_presence *presence) LS_MUST_CHECK;
void ls_assigned_free(ls_assigned *a);
static inline bool ls_assigned_is_ours(const ls_assigned *a, int32_t partition) { return partition % a->instances == a->instance - 1; }

/* Asks the brokers when it is time, or (now) at once. Gives the partitions of this instance that have come since the last call, to be
 * destroyed, and ls_assigned_begun() to be called; NULL: none. An offset is RD_KAFKA_OFFSET_BEGINNING for one that a topic has got while it was read, else RD_KAFKA_OFFSET_INVALID. */
rd_kafka_topic_partition_list_t *ls_assigned_look(ls_assigned *a, rd_kafka_t *rk, bool now);
/* The partitions that ls_assigned_look() gave are read, or will not be. */
void ls_assigned_begun(ls_assigned *a);

/* Has the client read the partitions that have come: in a group instead of those it had, else beside them. Each begins where the caller says, or (in a group)
 * where the group stands, or as auto_offset_reset says. The client itself is told to fail rather than to choose: an offset that is not there any more is a loss
 * to be spoken of, not one to be passed over. Waits for the group's coordinator, LS_KAFKA_ASK_MS a try. The offsets are set in l, which stays the caller's;
 * `opaque`, too, of a partition whose offset is the end as of now: the group is to be told of it before there are rows. */
rd_kafka_resp_err_t ls_begin(rd_kafka_t *rk, const ls_consumer_conf *conf, const ls_log *log, rd_kafka_topic_partition_list_t *l);

#endif
