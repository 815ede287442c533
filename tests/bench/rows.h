/* rows.h - what the benchmarks' made-up rows have in common. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "change/batch.h"

#include <stdio.h>

/* The transaction of row i of a batch: a new one every tx_rows, with whose first row *seq begins anew; last: that of the row before. */
static inline const ls_tx *tx_of_row(ls_work *w, int i, int tx_rows, const ls_tx *last, uint64_t *seq) {
    if (i % tx_rows) return last;
    ls_tx t = {.ts = 1732313405123456 + i};
    snprintf(t.pos, sizeof t.pos, "%016x", 0x1a3b748 + i);
    snprintf(t.id, sizeof t.id, "%d", 742 + i);
    *seq = 0;
    return ls_work_tx(w, &t);
}

#endif
