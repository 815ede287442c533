/* binlog_xa.h - XA transactions that are prepared and not decided: their events, and the marks that wait for them.
 *
 * Rows of such a transaction come when it is prepared; whether they count is said by XA COMMIT or XA ROLLBACK, which may come
 * much later, from another client, in another file. A new start has to read them again: so no mark may pass the place where the
 * oldest of them begins. Marks beyond it wait here. Pure. One thread. */
#ifndef LS_BINLOG_XA_H
#define LS_BINLOG_XA_H

#include "capture/binlog_query.h"
#include "change/batch.h"

enum { LS_XA_MAX = 65536 }; /* prepared transactions at a time */

typedef struct ls_xa {
    char xid[LS_XID_TEXT];
    ls_place begin; /* of its first event */
    int64_t since;  /* when it was prepared: seconds since 1970 */
    bool said;      /* a warning was given that it waits for long */
    size_t held;    /* bytes of its events; 0: none of a captured table, and marks do not wait for it */
    ls_buf events;  /* as ls_hold keeps them; whoever decides the transaction may take them */
} ls_xa;

typedef struct ls_xas {
    ls_xa *all; /* in the log's order */
    size_t n, cap;
    size_t bytes; /* of all events */
    ls_place *waiting; /* marks, in order, at most one a GTID domain between two transactions' begins */
    size_t nwaiting, cap_waiting;
} ls_xas;

void ls_xas_free(ls_xas *x);
/* A transaction was prepared; its events move out of *events. *replaced: one of that name was known. -1: memory, or too many. */
int ls_xas_prepare(ls_xas *x, const char *xid, const ls_place *begin, int64_t since, ls_buf *events, bool *replaced,
                   ls_error *err) LS_MUST_CHECK;
ls_xa *ls_xas_find(ls_xas *x, const char *xid); /* NULL: not known */
/* It is decided, and what it held is delivered or gone; the marks that waited for it alone go into the batch. */
int ls_xas_decided(ls_xas *x, ls_xa *xa, ls_work *w, ls_error *err) LS_MUST_CHECK;
/* The oldest one that marks wait for; NULL: none. */
ls_xa *ls_xas_oldest(ls_xas *x);
/* Keeps a mark back. */
int ls_xas_wait(ls_xas *x, const ls_place *mark, ls_error *err) LS_MUST_CHECK;

#endif
