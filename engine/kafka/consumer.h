/* consumer.h - topics to batches of messages; offsets are committed by hand. One thread. */
#ifndef LS_KAFKA_CONSUMER_H
#define LS_KAFKA_CONSUMER_H

#include "kafka/client.h"
#include "kafka/ends.h"

#include <stdint.h>

typedef struct ls_consumer ls_consumer;

typedef struct ls_consumer_conf {
    ls_kafka_conf kafka;
    const char *group_id;
    const char *const *topics;
    size_t ntopics;
    const char *auto_offset_reset; /* "earliest" | "latest" */
    size_t budget;                 /* bytes of fetched messages waiting in the client */
    ls_ends *ends;                 /* NULL, or what this run's producers say, too, of where the partitions end */
    bool wants_ends;               /* ls_consumer_note_ends() will be called: ends are to be known soon */
    /* instances not 0: no group shares out. This is number `instance` (from 1) of so many, and reads the partitions p with p mod instances =
     * instance - 1. Places are the caller's, who gives them in `begin`; commits only show the group's lag, and may fail without harm. */
    int instance, instances;
    const char *places;            /* where these places are kept, for messages; NULL: the group has them */
    /* Partitions are being taken away: flush what was written and commit (ls_consumer_commit) before this returns. */
    void (*revoked)(void *ctx);
    /* NULL, or: all partitions are lost, and other members may have them already. What was written and not flushed is theirs to write. */
    void (*lost)(void *ctx);
    /* NULL, or asked of each partition that comes: where to begin, whatever the group has committed. 1: at *offset; 2: at its beginning; 0: at
     * the group's, or without one as auto_offset_reset says. */
    int (*begin)(void *ctx, const char *topic, int32_t partition, int64_t *offset);
    void *ctx;
} ls_consumer_conf;

/* A message, or with value NULL a null message (a tombstone). Bytes live until ls_consumer_release(). */
typedef struct ls_message {
    const char *topic;
    int32_t partition;
    int64_t offset, time; /* time: milliseconds since 1970 UTC; -1: the message has none */
    const void *key, *value;
    size_t key_len, value_len;
    const rd_kafka_message_t *raw;
} ls_message;
/* Header number i of the message, in its order; value NULL: a null one. false: it has no more. Lives as long as the message. */
bool ls_message_header(const ls_message *m, size_t i, const char **name, const void **value, size_t *len);

/* Subscribes (or takes its share of the partitions): group with roundrobin or range, no auto commit, read_committed. */
int ls_consumer_open(ls_consumer **out, const ls_consumer_conf *conf, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Up to max messages, and about max_bytes; waits up to wait_ms for the first. *n may be 0. Rebalances happen in here. LS_AGAIN is not
 * given: what is transient is logged once a change of state and tried for ever. LS_LOST: the group's offset is not in its partition any more. */
int ls_consumer_poll(ls_consumer *c, ls_message *out, size_t max, size_t max_bytes, int wait_ms, size_t *n, ls_error *err) LS_MUST_CHECK;
/* Frees the messages of the last poll. Their offsets count as handled from now on, for the next commit. */
void ls_consumer_release(ls_consumer *c);
/* Commits the offsets of all released messages, at once; 0 also when there was nothing to commit. */
int ls_consumer_commit(ls_consumer *c, ls_error *err) LS_MUST_CHECK;
/* The places behind the released messages of the partitions held: those that a commit would store. Up to max; gives how many there are. */
typedef struct ls_consumer_place {
    const char *topic; /* borrowed until the next call */
    int32_t partition;
    int64_t next;
} ls_consumer_place;
size_t ls_consumer_places(const ls_consumer *c, ls_consumer_place *out, size_t max);
/* Notes the topics' ends as of now (a topic not made yet is an end); then: has this member passed all of them in the partitions that it holds,
 * and does the group hold every partition? 1 yes, 0 no. Without a group: has this instance passed those of its share? */
int ls_consumer_note_ends(ls_consumer *c, ls_error *err) LS_MUST_CHECK;
int ls_consumer_at_ends(ls_consumer *c, ls_error *err) LS_MUST_CHECK;
/* A number that changes while this member, or as of the last ls_consumer_at_ends() another one, gets on. */
uint64_t ls_consumer_progress(const ls_consumer *c);
/* Messages behind the partitions' ends, as last seen; -1: unknown. assigned: partitions held. */
int64_t ls_consumer_lag(ls_consumer *c);
int ls_consumer_assigned(ls_consumer *c);
void ls_consumer_close(ls_consumer *c); /* leaves the group */

#endif
