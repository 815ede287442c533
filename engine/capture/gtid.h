/* gtid.h - MariaDB's GTIDs (domain-server-sequence) and positions: a list of them, one a domain, sorted by domain. MySQL's are
 * sets: gtid_set.h. Pure functions over text. */
#ifndef LS_GTID_H
#define LS_GTID_H

#include "base/buf.h"
#include "change/place.h"

enum { LS_GTID_DOMAINS = 4096 }; /* most domains in one position */

typedef struct ls_gtid {
    uint32_t domain, server;
    uint64_t seq;
} ls_gtid;

void ls_gtid_print(char out[LS_GTID_TEXT], const ls_gtid *g);
/* Reads the GTID at *at and passes it and one comma behind it. 1: read, 0: at the end, -1: no GTID stands there. */
int ls_gtid_next(const char **at, const char *end, ls_gtid *g) LS_MUST_CHECK;
/* Puts a transaction's GTID into a position, in the place of its domain's former one; MySQL's (uuid:number) into a set. */
int ls_gtid_add(ls_buf *position, const char *gtid, ls_error *err) LS_MUST_CHECK;
/* Can `stored` be a position of the log whose position at the same place is `server`? Each domain of the server's must
 * stand at the same transaction; domains that only `stored` has were taken out of the log by an administrator, unless
 * the server has none at all. -1: one of them is no position. */
int ls_gtid_same_log(const char *stored, const char *server) LS_MUST_CHECK;

/* Is all that `inner` has in `outer`, both positions or both sets? 1 or 0; -1: one of them is neither, or memory. */
int ls_gtid_within(const char *inner, const char *outer) LS_MUST_CHECK;

#endif
