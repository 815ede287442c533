#include "capture/pgtx.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_KEY_MAX = 100 }; /* bytes of a key's value in an error's text */

int ls_pg_tx_begin(ls_pg_tx *t, uint64_t commit_lsn, int64_t ts, uint32_t xid, ls_error *err) {
    if (t->open) return ls_fail(err, LS_FAIL, "%s Begin message inside transaction %s", t->plugin, t->tx.id);
    t->tx = (ls_tx){.ts = ts};
    ls_place_pos_postgres(t->tx.pos, 0, commit_lsn);
    snprintf(t->tx.id, sizeof t->tx.id, "%" PRIu32, xid);
    t->commit_lsn = commit_lsn;
    t->xid = xid;
    t->open = true;
    t->held = NULL;
    t->seq = 0;
    int cmp = strcmp(t->tx.pos, t->delivered_pos);
    t->past = cmp < 0;
    t->within = cmp == 0;
    return 0;
}

int ls_pg_tx_commit(ls_pg_tx *t, ls_work *w, uint64_t commit_lsn, uint64_t end, ls_error *err) {
    ls_place place = {.offset = end};
    if (commit_lsn != t->commit_lsn || end < commit_lsn)
        return ls_fail(err, LS_FAIL,
                       "%s Commit message at %016" PRIx64 " to %016" PRIx64
                       " does not end the transaction %s that was begun",
                       t->plugin, commit_lsn, end, t->tx.pos);
    t->open = false;
    return ls_work_mark(w, &place) ? ls_fail_memory(err, "noting a position") : 0;
}

const ls_tx *ls_pg_tx_held(ls_pg_tx *t, ls_work *w) {
    if (t->held && t->held_in == w && t->held_generation == w->seen.generation) return t->held;
    t->held_in = w;
    t->held_generation = w->seen.generation;
    return t->held = ls_work_tx(w, &t->tx);
}

void ls_pg_tx_leave_out(const ls_pg_tx *t, ls_work *w, uint32_t from) {
    if (!t->within) return;
    uint32_t kept = from;
    for (uint32_t i = from; i < w->seen.count; i++)
        if (w->seen.changes[i].seq > t->delivered_seq) w->seen.changes[kept++] = w->seen.changes[i];
    w->seen.count = kept;
}

void ls_pg_show_key(ls_buf *key, const char *name, const char *p, size_t n) {
    size_t shown = n < SHOWN_KEY_MAX ? n : SHOWN_KEY_MAX;
    while (shown < n && shown && ((uint8_t)p[shown] & 0xc0) == 0x80) shown--; /* not within a character */
    ls_buf_fmt(key, "%s%s=", key->len ? ", " : ", key ", name);
    if (!ls_utf8_valid(p, shown)) {
        ls_buf_str(key, "(no valid text)");
        return;
    }
    ls_buf_add(key, p, shown);
    if (shown < n) ls_buf_str(key, "...");
}

int ls_pg_tx_in_row(const ls_pg_tx *t, const ls_schema *s, uint32_t col, const char *key, ls_error *err) {
    return ls_fail_in(err, "table %s.%s, column \"%s\"%s, transaction %s (xid %s), row %" PRIu64, s->schema, s->table,
                      s->cols[col].name, key ? key : "", t->tx.pos, t->tx.id, t->seq + 1);
}
