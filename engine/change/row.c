#include "change/row.h"

#include "change/value.h"

#include <string.h>

int ls_row_insert(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *after) {
    ls_change *c = ls_work_add(w, s, tx, 'I', ++*seq);
    if (!c) return -1;
    c->after = after;
    return 0;
}

/* What a message says of the row before: the key alone where there is one, or all that came. */
static void keep_identity(ls_change *c) {
    const ls_schema *s = c->schema;
    ls_value *before = c->before;
    if (!s->nkey) return;
    if (s->before == LS_BEFORE_SENT) c->flags |= LS_WHOLE_IDENTITY;
    if (s->before != LS_BEFORE_KEY) return;
    for (uint32_t i = 0; i < s->ncols; i++)
        if (!s->cols[i].key_at) before[i] = ls_value_state(LS_ABSENT);
}

int ls_row_remove(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *before) {
    ls_change *c = ls_work_add(w, s, tx, 'D', ++*seq);
    if (!c) return -1;
    c->before = before;
    keep_identity(c);
    return 0;
}

static bool same_key(const ls_schema *s, const ls_value *before, const ls_value *after) {
    for (uint32_t i = 0; i < s->nkey; i++)
        if (!ls_value_same(&before[s->key[i]], &after[s->key[i]])) return false;
    return true;
}

static const ls_value *key_values(ls_work *w, const ls_schema *s, const ls_value *row) {
    ls_value *key = ls_work_values(w, s->nkey);
    for (uint32_t i = 0; key && i < s->nkey; i++) key[i] = row[s->key[i]];
    return key;
}

/* The key changed: a D of the old key, then an I of the new one, each naming the other. */
static int move(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *before, ls_value *after) {
    const ls_value *from = key_values(w, s, before), *to = key_values(w, s, after);
    if (!from || !to || ls_row_remove(w, s, tx, seq, before) || ls_row_insert(w, s, tx, seq, after)) return -1;
    ls_change *d = &w->seen.changes[w->seen.count - 2], *i = d + 1;
    d->flags |= LS_MOVED_TO;
    d->moved = to;
    i->flags |= LS_MOVED_FROM;
    i->moved = from;
    return 0;
}

int ls_row_update(ls_work *w, const ls_schema *s, const ls_tx *tx, uint64_t *seq, ls_value *before, ls_value *after) {
    if (!before && !(before = ls_work_values(w, s->ncols))) return -1;
    for (uint32_t i = 0; i < s->ncols; i++)
        if (after[i].state == LS_UNCHANGED && before[i].state <= LS_NULL) after[i] = before[i];
    for (uint32_t i = 0; i < s->nkey; i++) {
        uint16_t k = s->key[i];
        if (before[k].state == LS_ABSENT) before[k] = after[k];
        if (after[k].state == LS_UNCHANGED) after[k] = before[k];
    }
    if (s->nkey && !same_key(s, before, after)) return move(w, s, tx, seq, before, after);
    ls_change *c = ls_work_add(w, s, tx, 'U', ++*seq);
    if (!c) return -1;
    c->before = before;
    c->after = after;
    keep_identity(c);
    return 0;
}
