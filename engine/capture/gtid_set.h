/* gtid_set.h - MySQL's GTID sets: "uuid:1-5:7,uuid:tag:1-3". Pure; one thread.
 *
 * A source is a UUID, or a UUID and a tag (MySQL 8.3 and later); each has the numbers of its transactions as intervals. */
#ifndef LS_GTID_SET_H
#define LS_GTID_SET_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LS_GTID_UUID = 16, LS_GTID_TAG_MAX = 32 }; /* bytes */

typedef struct ls_gtid_interval {
    uint64_t first, last; /* both are in it */
} ls_gtid_interval;

typedef struct ls_gtid_source {
    uint8_t uuid[LS_GTID_UUID];
    char tag[LS_GTID_TAG_MAX + 1]; /* "": none */
    ls_gtid_interval *intervals;   /* rising, neither meeting nor touching */
    size_t n, cap;
} ls_gtid_source;

typedef struct ls_gtid_set {
    ls_gtid_source *sources; /* by uuid, then tag */
    size_t n, cap;
} ls_gtid_set;

/* Adds what the text holds; blanks and line ends between its parts are passed over. -1: it is no GTID set, or memory; the set is
 * then to be freed. */
int ls_gtid_set_read(ls_gtid_set *s, const char *text, size_t n, ls_error *err) LS_MUST_CHECK;
void ls_gtid_set_print(const ls_gtid_set *s, ls_buf *out);
/* Is every transaction of b in a? */
bool ls_gtid_set_contains(const ls_gtid_set *a, const ls_gtid_set *b);
/* As COM_BINLOG_DUMP_GTID takes it: mysql/gtids' own encoding, the newer one only where there are tags. */
void ls_gtid_set_encode(const ls_gtid_set *s, ls_buf *out);
void ls_gtid_set_free(ls_gtid_set *s);

/* Makes "uuid:4-7" of "uuid:4-6" and "uuid:7", in `was`, of size bytes. false: gtid is not the next one. */
bool ls_gtid_set_extend(char *was, size_t size, const char *gtid);
/* Puts one transaction, or such a row of them, into a set's text. */
int ls_gtid_set_add(ls_buf *set, const char *gtid, ls_error *err) LS_MUST_CHECK;

#endif
