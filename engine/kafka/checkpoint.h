/* checkpoint.h - the topic __list_sync_offsets: one compacted partition, key JSON [1, connector], the value the caller's.
 * A transactional producer (transactional.id "list_sync.<connector>") writes it, also for at_least_once, so that a second
 * instance under the same name fences the first. One thread at a time. */
#ifndef LS_KAFKA_CHECKPOINT_H
#define LS_KAFKA_CHECKPOINT_H

#include "base/buf.h"
#include "kafka/client.h"

#define LS_OFFSETS_TOPIC "__list_sync_offsets"

typedef struct ls_checkpoints ls_checkpoints;

/* Makes or verifies the topic (one partition, compact), runs init_transactions (which fences), waits until
 * read_committed reaches the topic's end as of then. LS_AGAIN: brokers do not answer. */
int ls_checkpoints_open(ls_checkpoints **out, const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* The newest committed value of the connector's key: 1 with it appended to *value, 0 when there is none. */
int ls_checkpoints_load(ls_checkpoints *c, ls_buf *value, ls_error *err) LS_MUST_CHECK;
/* The same for somebody who only looks: makes no topic and fences nobody. *stored_at: milliseconds since 1970. */
int ls_checkpoints_peek(const ls_kafka_conf *conf, const char *connector, const ls_log *log, ls_buf *value, int64_t *stored_at, ls_error *err) LS_MUST_CHECK;
/* Stores a value in a transaction; 0 only when it is committed. n 0: there is none from now on. LS_FENCED, LS_AGAIN. */
int ls_checkpoints_store(ls_checkpoints *c, const char *value, size_t n, ls_error *err) LS_MUST_CHECK;
void ls_checkpoints_close(ls_checkpoints *c);

#endif
