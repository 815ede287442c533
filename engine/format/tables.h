/* tables.h - what a consumer remembers of the tables whose messages it reads: messages name their columns, and a row that
 * carries some of them (a key-only delete) is still a row of its table. One thread. */
#ifndef LS_TABLES_H
#define LS_TABLES_H

#include "base/buf.h"
#include "change/schema.h"

enum {
    LS_TABLES_BUCKETS = 1024,
    LS_TABLES_A_BUCKET = 16, /* tables remembered in a bucket; past it those longest unseen go */
    LS_TABLE_SHAPES = 8,     /* shapes remembered of one table; past it the one longest unseen goes */
    LS_TABLES_RECENT = 8     /* shapes that the quick reader tries */
};

/* A column as a message has it. */
typedef struct ls_seen_column {
    const char *name;
    size_t name_len;
    uint8_t type; /* enum ls_type; LS_TYPE_UNKNOWN for null, and where there is no value */
    bool nan;     /* the string "NaN", "Infinity" or "-Infinity": a float has no other form for it */
} ls_seen_column;

/* What a message says of its table's columns. */
typedef struct ls_seen_row {
    const char *schema, *table;
    size_t schema_len, table_len;
    const ls_seen_column *cols; /* a name may come twice, as in an update's columns and identity */
    size_t ncols;
    size_t ordered; /* the first so many stand in the table's order */
    bool whole;     /* they are all of its columns (an insert, an update) */
    const ls_seen_column *key; /* in the key's own order */
    size_t nkey;
} ls_seen_row;

/* A table's columns, key and types, with the texts that its messages begin with and that stand in front of each value. */
typedef struct ls_shape {
    const ls_schema *schema; /* a reference */
    uint32_t *by_name;       /* its column numbers in the names' order */
    ls_buf text;
    size_t head;  /* bytes of text that follow the action: ","schema":"s","table":"t","pk":[{"name":"id"}] */
    size_t *piece; /* ncols + 1 offsets: column i's {"name":"c","value": is text[piece[i]] up to text[piece[i + 1]] */
} ls_shape;

typedef struct ls_tables {
    ls_schemas *schemas;
    struct ls_table *buckets[LS_TABLES_BUCKETS]; /* the table seen last first */
    ls_shape *recent[LS_TABLES_RECENT];          /* NULL behind the last */
} ls_tables;

ls_tables *ls_tables_new(ls_schemas *schemas); /* NULL: memory */
void ls_tables_free(ls_tables *t);

/* A table's schema for a message's columns: one that is remembered, or else a new one. Of a row that is not whole the
 * columns need only be among the schema's. at[i] becomes the number of cols[i] in it. The schema is borrowed until the next
 * call: the batch takes its own reference. NULL: what is wrong with the row stands in *why, or *why is NULL: memory. */
const ls_schema *ls_tables_schema(ls_tables *t, const ls_seen_row *row, uint32_t *at, const char **why);
/* Does a column of this type take the value, or must the table get another schema? */
bool ls_tables_takes(int type, const ls_seen_column *c);

#endif
