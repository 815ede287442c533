/* consumer_error.h - what a consumer is told in the place of a message, and what it means. */
#ifndef LS_KAFKA_CONSUMER_ERROR_H
#define LS_KAFKA_CONSUMER_ERROR_H

#include "kafka/client.h"

/* 0: it passes, or is no failure. -1: the consumer cannot go on. LS_LOST: the group's offset is not in the partition any more;
 * LS_USAGE: the cluster refuses this member; LS_FAIL: the rest. It may ask the brokers for a partition's ends.
 * places: NULL, or where the places are kept, if not by the group. */
int ls_consumer_final(rd_kafka_t *rk, const char *group, const char *places, const rd_kafka_message_t *m, ls_error *err) LS_MUST_CHECK;

#endif
