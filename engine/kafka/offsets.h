/* offsets.h - the topic __list_sync_offsets: one compacted partition, a key for each connector. Making it, and reading a key's newest value. */
#ifndef LS_KAFKA_OFFSETS_H
#define LS_KAFKA_OFFSETS_H

#include "base/buf.h"
#include "kafka/client.h"

#define LS_OFFSETS_TOPIC "__list_sync_offsets"

/* Who reads what; all borrowed. */
typedef struct ls_offsets {
    const ls_kafka_conf *conf;
    const ls_log *log;
    const void *key;
    size_t key_len;
} ls_offsets;

/* Makes or verifies the topic: one partition, compact. rk: the client that asks. LS_AGAIN: brokers do not answer. */
int ls_offsets_make(const ls_offsets *o, rd_kafka_t *rk, ls_error *err) LS_MUST_CHECK;
/* The newest committed value of the key, appended: 1, or 0 when there is none. Waits until read_committed reaches the topic's end as of now, so that
 * what transactions were about to store is stored or is not; LS_AGAIN: it does not, since brokers do not answer or somebody's transaction stays open. */
int ls_offsets_read(const ls_offsets *o, ls_buf *value, ls_error *err) LS_MUST_CHECK;

#endif
