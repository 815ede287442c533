/* binlog_query.h - what the SQL text of a QUERY event means for row changes. No SQL parser: it looks at the words that
 * begin a statement, and reads the table names of the few statements that matter. Pure. */
#ifndef LS_BINLOG_QUERY_H
#define LS_BINLOG_QUERY_H

#include "capture/source.h"

typedef enum ls_query_kind {
    LS_QUERY_OTHER, /* changes no rows of tables, or in a way that the rows that follow show */
    LS_QUERY_BEGIN,
    LS_QUERY_COMMIT,
    LS_QUERY_ROLLBACK,
    LS_QUERY_SAVEPOINT,   /* names: its name as `table` */
    LS_QUERY_ROLLBACK_TO, /* the same */
    LS_QUERY_XA_START,
    LS_QUERY_XA_COMMIT,     /* ls_query_xid() */
    LS_QUERY_XA_ROLLBACK,   /* the same */
    LS_QUERY_TRUNCATE,      /* names: the table */
    LS_QUERY_DROP_TABLE,    /* names: the tables; also CREATE OR REPLACE TABLE */
    LS_QUERY_DROP_DATABASE, /* names: the schema, table "" */
    LS_QUERY_RENAME,        /* names: pairs */
    LS_QUERY_PARTITION,     /* ALTER TABLE that empties or takes away partitions: rows go without row events */
    LS_QUERY_DML            /* statement logging: rows change, but none are in the log */
} ls_query_kind;

enum { LS_XID_PART = 64, LS_XID_TEXT = 4 * LS_XID_PART + 24 }; /* bytes of each of an XA name's two parts, of its text */

typedef struct ls_query_names {
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    char to_schema[LS_NAME_MAX], to_table[LS_NAME_MAX]; /* RENAME */
} ls_query_names;

typedef struct ls_query {
    ls_query_kind kind;
    const char *at, *end; /* where the names go on */
    const char *schema;   /* for names without one */
    bool done;
} ls_query;

/* text: UTF-8 or ASCII; schema: the session's default, NUL-terminated. Both are borrowed by *q. */
void ls_query_read(ls_query *q, const char *text, size_t n, const char *schema);
/* The next table that the statement names. 1, 0: no more; -1: what stands there is no name (or one that is too long).
 */
int ls_query_next(ls_query *q, ls_query_names *out) LS_MUST_CHECK;

/* The transaction that an XA statement names, as ls_xid_print() writes it. -1: no such name stands there. */
int ls_query_xid(ls_query *q, char out[LS_XID_TEXT]) LS_MUST_CHECK;
/* gtrid and bqual: bytes, up to 64 each: X'6162',X'',1 in lower case. */
void ls_xid_print(char out[LS_XID_TEXT], const uint8_t *gtrid, size_t ngtrid, const uint8_t *bqual, size_t nbqual,
                  uint32_t format);

#endif
