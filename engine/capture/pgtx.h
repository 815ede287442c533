/* pgtx.h - the transaction that a PostgreSQL decoder is in: what pgoutput and wal2json do alike. Part of the decoders.
 *
 * Rows are counted (seq) as they are captured; those up to the one delivered last are counted, and then taken out. */
#ifndef LS_PGTX_H
#define LS_PGTX_H

#include "change/batch.h"

#include <stdbool.h>

typedef struct ls_pg_tx {
    const char *plugin;     /* its name, for errors; borrowed */
    char delivered_pos[40]; /* rows up to (delivered_pos, delivered_seq) are left out; "": none */
    uint64_t delivered_seq;

    bool open; /* between a begin and its commit */
    bool past; /* all of it was delivered before: its rows need not be read */
    ls_tx tx;
    uint64_t commit_lsn;
    uint32_t xid;
    uint64_t seq; /* of its last captured row */

    bool within;       /* its first rows were delivered before */
    const ls_tx *held; /* tx's copy in the batch that is being filled */
    const ls_work *held_in;
    uint32_t held_generation;
} ls_pg_tx;

/* ts: commit time, microseconds since 1970. */
int ls_pg_tx_begin(ls_pg_tx *t, uint64_t commit_lsn, int64_t ts, uint32_t xid, ls_error *err) LS_MUST_CHECK;
/* Ends it with a mark at `end`. The caller has looked that one is open. */
int ls_pg_tx_commit(ls_pg_tx *t, ls_work *w, uint64_t commit_lsn, uint64_t end, ls_error *err) LS_MUST_CHECK;
/* The transaction's data in this batch: one that goes on in the next batch is copied there again. NULL: memory. */
const ls_tx *ls_pg_tx_held(ls_pg_tx *t, ls_work *w);
/* Is the next row one that was delivered before? */
static inline bool ls_pg_tx_again(const ls_pg_tx *t) {
    return t->within && t->seq < t->delivered_seq;
}
/* Takes out of w's changes from number `from` on those that were delivered before. */
void ls_pg_tx_leave_out(const ls_pg_tx *t, ls_work *w, uint32_t from);
/* Appends a key column's value, as the server sent it, to the key that the next one shows: ", key id=7". It is cut where it is long. */
void ls_pg_show_key(ls_buf *key, const char *name, const char *p, size_t n);
/* Puts table, column, transaction and row in front of what *err says of a value; key: ", key id=7", or NULL. Gives -1. */
int ls_pg_tx_in_row(const ls_pg_tx *t, const ls_schema *s, uint32_t col, const char *key, ls_error *err);

#endif
