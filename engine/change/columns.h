/* columns.h - `columns` of a connector: the columns that a script leaves out, casts, masks or renames without a hook. */
#ifndef LS_COLUMNS_H
#define LS_COLUMNS_H

#include "base/log.h"
#include "change/batch.h"

typedef enum ls_mask {
    LS_MASK_NONE,
    LS_MASK_TEXT,     /* `text` instead of each value */
    LS_MASK_SHA256,   /* of the canonical text, in lower-case hex */
    LS_MASK_HMAC,     /* HMAC-SHA-256 under `text` */
    LS_MASK_KEEP_LAST /* a * for each character but the last `keep` */
} ls_mask;

/* What happens to one column, named as the source names it. In this order: drop, or cast, then mask, then rename. */
typedef struct ls_column_rule {
    const char *name;
    bool drop;
    int cast; /* enum ls_type; -1: none */
    ls_mask mask;
    const char *text;
    size_t text_len;
    unsigned keep;
    const char *rename; /* NULL: it keeps its name */
} ls_column_rule;

/* The rules of some tables. as_schema, as_table: the names that the tables' changes get, truncates too, with {schema} and {table} for those of
 * the source; NULL: they keep theirs. strict: one of them without one of the columns is an error; else a column that none has had so far is warned of. */
typedef struct ls_column_set {
    const ls_column_rule *rules;
    size_t nrules;
    bool strict;
    const char *as_schema, *as_table;
} ls_column_set;

typedef struct ls_columns ls_columns; /* of one stage thread */

/* sets: by ls_schema.rule; copied; the rules in them are borrowed for its life. NULL: memory. */
ls_columns *ls_columns_new(const ls_column_set *sets, size_t n, ls_schemas *schemas, const ls_log *log);
void ls_columns_free(ls_columns *c);
bool ls_columns_mask(const ls_columns *c); /* Is there a rule that masks? NULL: there is none */
/* Applies the rules to the batch's rows, in both images and in the keys of moved rows. NULL stays NULL, and what was not sent is not
 * made up. A value that cannot be cast: LS_FAIL with table, column, key and position; under ls_work.isolate it
 * stays as it is, and its row is set aside (change/fault.h) with all else done. */
int ls_columns_run(ls_columns *c, ls_work *w, ls_error *err) LS_MUST_CHECK;

#endif
