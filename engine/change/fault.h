/* fault.h - a row that is in error: what is wrong, and the row as it was before its hooks, for a stage whose on_error is not "stop".
 *
 * Only what a hook writes to is kept, at its first write (ls_work.keep), so that rows which pass cost nothing. */
#ifndef LS_FAULT_H
#define LS_FAULT_H

#include "change/batch.h"

/* Lives in the batch's arena. Texts are NUL-terminated. */
typedef struct ls_fault {
    const char *hook; /* what met the error: a function by its option ("map"), or "columns.cast", "encoding", "max_topics", "size", "text" */
    const char *text; /* the error, as it is told */
    const char *path; /* of the script; NULL: no line of it raised the error */
    int line;
    size_t bytes;     /* of a message that is too large; 0: it is not */
} ls_fault;

/* Keeps the row as it is, unless it is kept already. -1: memory, as ls_refuse_memory(). */
int ls_fault_keep(ls_batch *b, uint32_t change) LS_MUST_CHECK;
/* A row's functions stopped half-way: no row is looked at as a half, or cannot be written, any more, and the changes from number `first` on,
 * which they made of it, are gone. */
void ls_fault_undo(ls_work *w, uint32_t first);
/* The change is LS_DROPPED for an error, and as it was before its hooks where it was kept (its sub stays). Copies *f. The first error of a
 * change counts. -1: memory. */
int ls_fault_set(ls_work *w, uint32_t change, const ls_fault *f) LS_MUST_CHECK;

#endif
