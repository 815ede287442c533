/* wal2json_table.h - the tables that wal2json's messages are of. Part of the decoder.
 *
 * No message says what a table looks like: an insert names all columns, an update leaves out what it did not change of
 * large values, a delete names its identity alone, and DDL is not announced. So a table's shape is kept from message to
 * message, by the columns' positions (pg_attribute.attnum, which is never used again), and made anew, with the catalog's
 * help, when a message's columns, key or identity are not those of the shape. A column that an update leaves out was
 * either not changed or dropped before: the catalog says which, asked once for all that had committed when it answered. */
#ifndef LS_WAL2JSON_TABLE_H
#define LS_WAL2JSON_TABLE_H

#include "capture/pgtx.h"
#include "capture/pgtype.h"
#include "capture/wal2json.h"
#include "capture/wal2json_read.h"

typedef struct ls_w2j_column { /* of schema->cols, in the positions' order */
    int32_t position;
    uint32_t type_oid;
    bool toastable;
    uint32_t ends; /* the transaction that, the catalog says, will have dropped or renamed it; 0: none is known */
    const ls_pg_type *type;
} ls_w2j_column;

typedef struct ls_w2j_table {
    char *schema_name, *name;
    bool captured; /* the patterns want it, and it is a table */
    bool warned;   /* of its missing identity */
    bool invalid_said; /* a warning about text that is not valid was given */
    uint64_t known_to;       /* what committed up to this place is in what the catalog said last */
    const ls_schema *schema; /* a reference; NULL: no shape yet. What follows is set with it */
    ls_w2j_column *cols;     /* schema->ncols */
    uint16_t *pk, *identity; /* column numbers, in the messages' order */
    size_t npk, nidentity;
    bool has_pk, has_identity; /* a message told */
    struct ls_w2j_computed *computed; /* virtual generated columns: taken out of each message */
    size_t ncomputed;
} ls_w2j_table;

typedef struct ls_w2j_computed {
    int32_t position;
    char name[LS_PG_NAME_MAX];
} ls_w2j_computed;

typedef struct ls_w2j_tables {
    const ls_wal2json_conf *conf;
    ls_w2j_table **tables; /* in the names' order */
    size_t ntables, cap_tables;
    ls_w2j_table *last; /* found last */
    ls_pg_types types;
    ls_arena scratch;
} ls_w2j_tables;

void ls_w2j_tables_free(ls_w2j_tables *r);
/* The table of an I, U, D or T, with a shape that fits the message if it is captured; what is no value of the row is taken out of
 * the message. Valid until the next call. */
int ls_w2j_tables_find(ls_w2j_tables *r, const ls_pg_tx *tx, ls_w2j_message *m, ls_w2j_table **out, ls_error *err) LS_MUST_CHECK;

#endif
