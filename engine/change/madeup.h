/* madeup.h - rows that no server has sent: `check` tries hooks on them. Pure: works in the batch's memory. */
#ifndef LS_MADEUP_H
#define LS_MADEUP_H

#include "change/batch.h"

#define LS_MADEUP_TS INT64_C(1769867999000000) /* when they were committed: microseconds since 1970 */

/* What values a column can have, as far as its logical type does not say it. */
typedef struct ls_madeup_column {
    bool nullable;
    bool large;       /* an update may come without its value */
    int64_t least;    /* of an integer */
    uint64_t most;
    uint32_t chars;   /* characters of a text, or bits, at most; 0: any number */
    const char *text; /* what every text in it is, as of an enum; borrowed for the batch's life; NULL: any text will do */
} ls_madeup_column;

/* In this order: what an ordinary row meets is known before the others. */
typedef enum ls_madeup {
    LS_MADEUP_INSERT,
    LS_MADEUP_UPDATE,
    LS_MADEUP_LARGEST,      /* an insert of long texts, late dates ... */
    LS_MADEUP_SMALLEST,     /* ... of empty texts, zeros */
    LS_MADEUP_INTS_MOST,    /* an insert whose integers are the type's greatest, all else ordinary */
    LS_MADEUP_INTS_LEAST,
    LS_MADEUP_DELETE,       /* as it comes: its key alone, or all of the row */
    LS_MADEUP_INSERT_NULLS, /* an insert with NULL wherever there may be one */
    LS_MADEUP_UPDATE_NULLS,
    LS_MADEUP_NOT_SENT,     /* an update without its large values */
    LS_MADEUP_MOVED,        /* an update of the key: a D and an I */
    LS_MADEUP_KINDS
} ls_madeup;

/* cols[0 .. s->ncols): what can be said by the types alone. */
void ls_madeup_columns(const ls_schema *s, ls_madeup_column *cols);
/* Adds the changes of a made-up row. 1; 0: the table has no such row; -1: memory. */
int ls_madeup_add(ls_work *w, const ls_schema *s, const ls_madeup_column *cols, ls_madeup kind);
/* "delete with its key only", for messages. */
const char *ls_madeup_title(const ls_schema *s, ls_madeup kind);
/* Are its values but examples? Then what a hook says of them need not be true of the table's. */
bool ls_madeup_is_example(ls_madeup kind);

#endif
