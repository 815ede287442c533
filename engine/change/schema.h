/* schema.h - a table's columns and key at one time.
 * A schema is immutable and reference-counted; its registry (one a stage thread) gives out the ids and must outlive it. */
#ifndef LS_SCHEMA_H
#define LS_SCHEMA_H

#include "base/error.h"
#include "base/pattern.h"
#include "list_sync.h"

#include <stdbool.h>

enum {
    LS_COLUMNS_MAX = 65535, /* columns of one table that the key's uint16_t can name */
    LS_RULES_MAX = 1000,    /* tables or patterns with options of their own */
    LS_SHAPES_MAX = 4096    /* schemas made by hooks that a registry holds at a time: beyond it a name is made from data */
};

/* What becomes of the rows before of a table with a key. */
typedef enum ls_before {
    LS_BEFORE_KEY,  /* their key is kept alone */
    LS_BEFORE_KEPT, /* all that the server sends is kept, for the hooks; the identity is the key */
    LS_BEFORE_SENT  /* identity = "full": it is the identity, too */
} ls_before;

/* The tables that have options of their own. */
typedef struct ls_table_rule {
    const char *pattern; /* schema.table; the most specific one that matches is the table's */
    ls_before before;
} ls_table_rule;

/* Zeroed: no rules. */
typedef struct ls_schemas {
    uint32_t last_id;
    uint32_t shapes; /* schemas that ls_schema_with, _without, _renamed, _retyped and _named have made and that live */
    const ls_table_rule *rules; /* borrowed; set before the first schema is made; fewer than LS_RULES_MAX */
    uint32_t nrules;
    ls_before before; /* of the tables that no rule names */
} ls_schemas;

/* 1 + the number of the table's rule, or 0: none names it. */
uint32_t ls_schemas_rule(const ls_schemas *reg, const char *schema, const char *table);
ls_before ls_schemas_before(const ls_schemas *reg, uint32_t rule);

/* What ls_schema_new() copies from. */
typedef struct ls_column_def {
    const char *name; /* name_len bytes of UTF-8 */
    size_t name_len;
    uint8_t type; /* enum ls_type */
} ls_column_def;

/* A new schema with one reference. key: nkey column numbers in the key's own order. NULL when memory is out. */
ls_schema *ls_schema_new(ls_schemas *reg, const char *schema, size_t schema_len, const char *table, size_t table_len,
                         const ls_column_def *cols, size_t ncols, const uint16_t *key, size_t nkey);
const ls_schema *ls_schema_ref(const ls_schema *s);
void ls_schema_unref(const ls_schema *s); /* NULL is fine */

const char *ls_type_name(int type); /* of enum ls_type: "integer" */

/* Column number of that name, or -1. Exact bytes. */
int ls_schema_find(const ls_schema *s, const char *name, size_t n);

/* The schema with a column more, less, under another name or of another type, or under another table name: made once, then found again, owned by s (borrowed
 * by the caller, who takes a reference to keep it). NULL when memory is out, or at LS_SHAPES_MAX: ls_schema_at_limit(). */
const ls_schema *ls_schema_with(const ls_schema *s, const char *name, size_t n, int type);
const ls_schema *ls_schema_without(const ls_schema *s, uint32_t col);
const ls_schema *ls_schema_renamed(const ls_schema *s, uint32_t col, const char *name, size_t n);
const ls_schema *ls_schema_retyped(const ls_schema *s, uint32_t col, int type);
const ls_schema *ls_schema_named(const ls_schema *s, const char *schema, size_t sn, const char *table, size_t tn);

bool ls_schema_at_limit(const ls_schema *s); /* are there LS_SHAPES_MAX of them? */

/* One slot for what a format works out once a schema; freed with the schema by `drop`, by which a format knows its own. NULL: there is
 * nothing, or another's. */
void *ls_schema_cache(const ls_schema *s, void (*drop)(void *));
void ls_schema_set_cache(const ls_schema *s, void *cache, void (*drop)(void *)); /* in the place of what is there */

#endif
