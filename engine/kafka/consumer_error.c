#include "kafka/consumer_error.h"

#include <inttypes.h>

typedef struct reader {
    rd_kafka_t *rk;
    const char *group, *places;
} reader;

static int refused(const reader *r, const rd_kafka_message_t *m, ls_error *err) {
    switch (m->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        return ls_fail(err, LS_USAGE, "Kafka refuses: %s: give the user the right to read the topics and to use the group \"%s\"",
                       rd_kafka_message_errstr(m), r->group);
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return ls_fail(err, LS_USAGE, "Kafka refuses: %s: see the names in topic_list", rd_kafka_message_errstr(m));
    default:
        return ls_fail(err, LS_FAIL, "the consumer cannot go on: %s: start the program again", rd_kafka_message_errstr(m));
    }
}

static int lost(const reader *r, const rd_kafka_message_t *m, ls_error *err) {
    const char *topic = rd_kafka_topic_name(m->rkt);
    int64_t low, high;
    if (ls_topic_offset(r->rk, topic, m->partition, RD_KAFKA_OFFSET_BEGINNING, &low) || ls_topic_offset(r->rk, topic, m->partition, RD_KAFKA_OFFSET_END, &high))
        return ls_fail(err, LS_LOST, "topic %s, partition %" PRId32 ": %s", topic, m->partition, rd_kafka_message_errstr(m));
    if (r->places)
        return ls_fail(err, LS_LOST,
                       "topic %s, partition %" PRId32 ": offset %" PRId64 ", where %s stands, is not there: the partition has %" PRId64 " to %" PRId64
                       " (its retention took what was not read yet, or the topic was made anew): rows are missing; to go on with what is there set the "
                       "partition's offset in %s to %" PRId64 " and start again",
                       topic, m->partition, m->offset, r->places, low, high, r->places, low);
    return ls_fail(err, LS_LOST,
                   "topic %s, partition %" PRId32 ": offset %" PRId64 ", where the group \"%s\" stands, is not there: the partition has %" PRId64
                   " to %" PRId64 " (its retention took what was not read yet, or the topic was made anew): rows are missing; to go on "
                   "with what is there set the group's offsets anew (kafka-consumer-groups.sh --reset-offsets), or take another group_id",
                   topic, m->partition, m->offset, r->group, low, high);
}

/* A partition whose bytes cannot be read, or a group that this member can never be in. */
static int unreadable(const rd_kafka_message_t *m, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "topic %s, partition %" PRId32 ", offset %" PRId64 ": %s: the message is corrupt, or was made by a client that this "
                   "one cannot read; nothing after it is passed over",
                   m->rkt ? rd_kafka_topic_name(m->rkt) : "?", m->partition, m->offset, rd_kafka_message_errstr(m));
}

static int no_member(const reader *r, const rd_kafka_message_t *m, ls_error *err) {
    const char *mend = m->err == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL
                           ? "other programs are in it that share partitions out in another way (not roundrobin or range): stop them, or take another group_id"
                       : m->err == RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED ? "the brokers allow no more members: take fewer instances"
                                                                              : "set session.timeout.ms in kafka_conf to what the brokers allow";
    return ls_fail(err, LS_USAGE, "the group \"%s\" does not take this member: %s: %s", r->group, rd_kafka_message_errstr(m), mend);
}

int ls_consumer_final(rd_kafka_t *rk, const char *group, const char *places, const rd_kafka_message_t *m, ls_error *err) {
    const reader r = {rk, group, places};
    switch (m->err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__FATAL: return refused(&r, m, err);
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: return lost(&r, m, err);
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return unreadable(m, err);
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT: return no_member(&r, m, err);
    default: return 0;
    }
}
