/* binlog.h - binlog events -> changes and marks.
 *
 * A pure decoder: event bytes as the server sends them (behind the packet's first byte) go in, whatever transport
 * brought them; what only a server knows is asked through ls_binlog_conf.ask. Bytes that are no event give an error
 * with the place in the log, the event, and what is wrong with it. One thread.
 *
 * A transaction begins with its GTID event, whose place and time its rows carry, and ends with XID, COMMIT or ROLLBACK,
 * or is one statement (DDL). The log may still take rows back (a group can end in ROLLBACK, or roll back to a savepoint: one
 * with tables without transactions, or with temporary tables), so its events are held until it ends. */
#ifndef LS_BINLOG_H
#define LS_BINLOG_H

#include "capture/binlog_map.h"
#include "change/batch.h"

typedef struct ls_binlog ls_binlog;

int ls_binlog_new(ls_binlog **out, const ls_binlog_conf *conf, ls_error *err) LS_MUST_CHECK;
void ls_binlog_free(ls_binlog *b);
/* Where the events to come begin, and what of them is delivered already: rows up to (delivered_pos, delivered_seq) are
 * counted and left out; delivered_pos "" for none. from_beginning: a stream by GTIDs, which begins with the head of its
 * file and then leaves out what was executed, so that positions jump. */
void ls_binlog_start(ls_binlog *b, const ls_place *at, const char *delivered_pos, uint64_t delivered_seq, bool from_beginning);
/* The places are of this epoch (0 without this call), and of the transaction `gtid`, whose place was of another one, the rows up to
 * seq are delivered; "": of none. Behind ls_binlog_start(). */
void ls_binlog_epoch(ls_binlog *b, uint64_t epoch, const char *gtid, uint64_t seq);
/* One event. 0: done. 1: the batch is full and the event has more: keep its bytes, and call ls_binlog_more() with the
 * next batch until that gives 0. */
/* LS_LOST: the log is not the one that ls_binlog_start()'s place is of. */
int ls_binlog_event(ls_binlog *b, const uint8_t *event, size_t n, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_binlog_more(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
/* The binlog files' common name as the last ROTATE gave it, "" before. */
const char *ls_binlog_base(const ls_binlog *b);

/* "binlog.000003" -> its base ("binlog", size bytes) and number. -1: no such name. */
int ls_binlog_name_read(const char *name, size_t n, char *base, size_t size, uint64_t *number) LS_MUST_CHECK;

#endif
