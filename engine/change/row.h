/* row.h - what every decoder does with a row once its values are known: FORMAT.md's rules for identity, key changes and
 * values that were not sent. Pure: works in the batch's memory. */
#ifndef LS_ROW_H
#define LS_ROW_H

#include "change/batch.h"

/* Each adds one change (an update that changes the key: two) and raises *seq, the transaction's count so far, before
 * each one. Values are borrowed for the batch's life; arrays of schema->ncols. -1: memory.
 *
 * insert: `after` whole.
 * remove: `before` as far as sent; a schema with a key keeps its key columns only, unless schema->before says otherwise.
 * update: before NULL: the server says the key is unchanged. Else what it sent of the row before (LS_ABSENT the rest).
 *   LS_UNCHANGED values of after are filled from before where it has them; key columns before lacks come from after.
 *   Without a key the identity is the whole row before. */
int ls_row_insert(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *after) LS_MUST_CHECK;
int ls_row_remove(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *before) LS_MUST_CHECK;
int ls_row_update(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *before,
                  ls_value *after) LS_MUST_CHECK;

#endif
