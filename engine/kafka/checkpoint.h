/* checkpoint.h - a connector's checkpoint in the topic __list_sync_offsets: key JSON [1, connector], the value the caller's.
 *
 * A transactional client (transactional.id "list_sync.<connector>") writes it, so that a second instance under the same name fences the first. With
 * delivery = "at_least_once" the client writes checkpoints alone, each in a transaction of its own (ls_checkpoints_store). With "exactly_once" rows go through
 * the same client (ls_producer_over), and a checkpoint ends the transaction of the rows before it: begin, rows, put, end.
 * One thread at a time; what is said of rows apart. */
#ifndef LS_KAFKA_CHECKPOINT_H
#define LS_KAFKA_CHECKPOINT_H

#include "base/buf.h"
#include "kafka/client.h"

typedef struct ls_checkpoints ls_checkpoints;

/* rows: 0, or the bytes of rows that may wait in the client, which are to go through it. Makes or verifies the topic (one partition, compact), and runs
 * init_transactions (which fences). LS_AGAIN: brokers do not answer. */
int ls_checkpoints_open(ls_checkpoints **out, const ls_kafka_conf *conf, const char *connector, size_t rows, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* The newest committed value of the connector's key: 1 with it appended to *value, 0 when there is none. */
int ls_checkpoints_load(ls_checkpoints *c, ls_buf *value, ls_error *err) LS_MUST_CHECK;
/* Stores a value in a transaction of its own, outside of ls_checkpoints_begin() to _end(); 0 only when it is committed. LS_FENCED, LS_AGAIN: call again with this
 * value or a newer one. */
int ls_checkpoints_store(ls_checkpoints *c, const char *value, size_t n, ls_error *err) LS_MUST_CHECK;
void ls_checkpoints_close(ls_checkpoints *c);

/* ---- with rows */

/* The client, for ls_producer_over(); another one after ls_checkpoints_renew(). */
rd_kafka_t *ls_checkpoints_client(ls_checkpoints *c);
/* From now on what is sent through the client is in a transaction. */
int ls_checkpoints_begin(ls_checkpoints *c, ls_error *err) LS_MUST_CHECK;
/* Sends the value into the open transaction; its report, with opaque NULL, comes among those of the rows. begun_at: ls_clock_ms() of the first thing sent
 * in it, or of now. */
int ls_checkpoints_put(ls_checkpoints *c, const char *value, size_t n, int64_t begun_at, ls_error *err) LS_MUST_CHECK;
/* Ends the transaction, of which every report has been taken if it is to be committed; else wanted false: it is aborted, and reports come meanwhile. 1: rows and value are stored. 0: they are
 * not (or, with a client that is lost, it is not known yet): ls_checkpoints_renew() comes next, and *err says why. -1: LS_AGAIN: take reports, then call again; or final. */
int ls_checkpoints_end(ls_checkpoints *c, bool wanted, ls_error *err) LS_MUST_CHECK;
/* Was the client lost? Then ls_producer_release() comes before ls_checkpoints_renew(), and ls_producer_renew() behind it. */
bool ls_checkpoints_lost(const ls_checkpoints *c);
/* After a transaction that is undone: takes the connector's place again if the client was lost (LS_FENCED: another instance has taken it; LS_AGAIN), and gives the newest
 * stored value: 1 with it appended to *value, 0 when there is none. */
int ls_checkpoints_renew(ls_checkpoints *c, ls_buf *value, ls_error *err) LS_MUST_CHECK;

#endif
