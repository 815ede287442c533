/* batch.h - changes handed over together, with the memory that they point to.
 * A batch is filled by one decoder, passed through hooks and format, and reset. One thread. */
#ifndef LS_BATCH_H
#define LS_BATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limit.h"
#include "change/place.h"
#include "change/schema.h"

enum {
    LS_BATCH_ROWS = LS_LIMIT(1024, 16), /* changes at which a batch closes */
    LS_BATCH_BYTES = 1024 * 1024, /* bytes of arena and kept buffers at which a batch closes */
    LS_BATCH_MARKS = LS_LIMIT(4096, 16) /* marks at which a batch closes */
};

/* "Once the batch's first `changes` changes are delivered, the source may be started again at `place`." */
typedef struct ls_mark {
    uint32_t changes;
    ls_place place;
} ls_mark;

typedef struct ls_batch_memory ls_batch_memory; /* schemas referenced and buffers kept: private to batch.c */

typedef struct ls_work {   /* the whole of a batch: `seen` is its part in the ABI and stands first */
    ls_batch seen;
    ls_arena arena;
    ls_mark *marks; /* in order */
    uint32_t nmarks;
    ls_place read_to; /* if has_read_to: the log is read up to here, though marks are kept back; gtid unused */
    bool has_read_to;
    size_t kept_bytes; /* bytes of the kept buffers */
    uint32_t invalid; /* rows with text that was not valid in its character set: mended, or left out */
    ls_schemas *schemas;
    const char *connector, *db; /* borrowed: what ls_work_tx() puts into a transaction that names none */
    ls_buf text;        /* ls_row_text()'s result */
    const ls_tx *source_of; /* the transaction whose `source` stands in the next as the format list_sync writes it, up to the row's number; NULL: none */
    ls_buf source;
    char why[512];      /* ls_row_error() */
    uint32_t cap_changes, cap_marks;
    uint32_t *parents; /* of the clones that hooks have made, in order: the changes they go behind */
    uint32_t nclones, cap_parents;
    /* CSV layouts (change/layout.h). */
    const ls_value **cells; /* two a change: what functions gave for its row before, and after; NULL: none was asked */
    ls_value *half_cells;   /* of the half that a function is asked for; NULL: none is */
    const ls_value **half_at; /* where they go in `cells` */
    uint32_t half_of;       /* the change that it, or the half that ls_row_look() shows, is a half of */
    ls_value *hidden;   /* the other half's image, while ls_row_look() shows one */
    uint8_t half;       /* enum ls_half: which is shown */
    /* Errors of rows (change/fault.h). */
    bool isolate; /* the stage goes on behind a row that is in error; set when the batch is made */
    bool keep;    /* ... and wants it as it was before its hooks */
    bool masks;   /* `columns` mask values, so that none that was not masked yet is for the log */
    bool out_of_memory; /* an ls_row_* or ls_layout_* call gave up for want of memory: no row is to blame */
    struct ls_blame { const char *hook, *path; int line; } blame; /* of the last error that a function raised; hook NULL: none was noted */
    ls_batch_memory *memory;
    const ls_schema *last_schema; /* the newest one held: a run of rows of one table takes one reference */
} ls_work;

/* connector, db: borrowed for the batch's life. NULL when memory is out. */
ls_work *ls_work_new(ls_schemas *schemas, const char *connector, const char *db);
void ls_work_free(ls_work *w);
/* Forgets all changes and marks, frees what they pointed to; generation grows. */
void ls_work_reset(ls_work *w);
/* At a limit: the filler stops and hands the batch over. */
bool ls_work_full(const ls_work *w);

/* A cleared change at the end, its schema held by the batch; NULL when memory is out. */
ls_change *ls_work_add(ls_work *w, const ls_schema *s, const ls_tx *tx, uint8_t action, uint64_t seq);
/* Holds a reference to s until the reset (for a change whose schema a hook replaced). -1: memory. */
int ls_work_hold(ls_work *w, const ls_schema *s) LS_MUST_CHECK;
/* A change like *like, added at the end until ls_work_order() puts it behind number `of`, a change or one of its clones, and the clones that
 * it has. A change's clones are made before those of the next. Its number; -1: memory; -2: there are `most` of them. */
int ls_work_clone(ls_work *w, uint32_t of, const ls_change *like, uint32_t most) LS_MUST_CHECK;
/* Puts the clones in their places, the marks behind them. -1: memory. */
int ls_work_order(ls_work *w) LS_MUST_CHECK;
/* n values, all LS_ABSENT; NULL when memory is out. */
ls_value *ls_work_values(ls_work *w, size_t n);
/* A copy of *tx in the arena, its connector and db the work's own where they are NULL; NULL when memory is out. A transaction that goes on in the next batch is copied again. */
const ls_tx *ls_work_tx(ls_work *w, const ls_tx *tx);
/* Notes that everything so far may be passed over once delivered. -1: memory. */
int ls_work_mark(ls_work *w, const ls_place *place) LS_MUST_CHECK;
/* The batch takes over a receive buffer: freed by drop(buffer) at the reset. On -1 (memory) the buffer is dropped at once. */
int ls_work_keep(ls_work *w, void *buffer, size_t bytes, void (*drop)(void *)) LS_MUST_CHECK;

/* Notes why an ls_row_* call gives -1, which it gives. */
int ls_refuse(ls_batch *b, const char *fmt, ...) LS_PRINTF(2, 3);
int ls_refuse_memory(ls_batch *b);

static inline ls_work *ls_work_of(ls_batch *b) { return (ls_work *)(void *)b; }

#endif
