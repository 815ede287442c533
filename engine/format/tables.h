/* tables.h - what a consumer remembers of the tables whose messages it reads: messages name their columns, and a row that
 * carries some of them (a key-only delete) is still a row of its table. One thread. */
#ifndef LS_TABLES_H
#define LS_TABLES_H

#include "change/schema.h"

enum {
    LS_TABLES_BUCKETS = 1024,
    LS_TABLES_A_BUCKET = 16, /* tables remembered in a bucket; past it the one longest unseen goes */
    LS_TABLE_SHAPES = 8      /* column lists remembered of one table; past it the one longest unseen goes */
};

/* A column as a message has it. */
typedef struct ls_seen_column {
    const char *name;
    size_t name_len;
    uint8_t type; /* enum ls_type; LS_TYPE_UNKNOWN for null */
} ls_seen_column;

typedef struct ls_tables ls_tables;

ls_tables *ls_tables_new(ls_schemas *schemas); /* NULL: memory */
void ls_tables_free(ls_tables *t);

/* A table's schema for a message's columns. whole: they are all of its columns (an insert, an update); else a schema that
 * has them among its columns will do. at[i] becomes the number of cols[i] in it. key: nkey names, in the key's order.
 * The schema is borrowed until the next call: the batch takes its own reference. NULL: memory, or a key that is not among the
 * columns (*bad_key). */
const ls_schema *ls_tables_schema(ls_tables *t, const char *schema, size_t schema_len, const char *table, size_t table_len,
                                  const ls_seen_column *cols, size_t ncols, bool whole, const ls_seen_column *key, size_t nkey,
                                  uint32_t *at, bool *bad_key);

#endif
