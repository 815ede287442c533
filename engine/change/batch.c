#include "change/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct kept {
    void *buffer;
    void (*drop)(void *);
} kept;

struct ls_batch_memory {
    const ls_schema **schemas;
    size_t nschemas, cap_schemas;
    kept *kept;
    size_t nkept, cap_kept;
};

/* Room for one more element in a growing array; false when memory is out. */
static bool grow(void *array, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return true;
    size_t more = *cap ? *cap * 2 : 64;
    void *p;
    memcpy(&p, array, sizeof p);
    p = realloc(p, more * size);
    if (!p) return false;
    memcpy(array, &p, sizeof p);
    *cap = more;
    return true;
}

ls_work *ls_work_new(ls_schemas *schemas, const char *connector, const char *db) {
    ls_work *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->memory = calloc(1, sizeof *w->memory);
    if (!w->memory) {
        free(w);
        return NULL;
    }
    w->schemas = schemas;
    w->seen.generation = 1;
    w->connector = connector;
    w->db = db;
    return w;
}

static void let_go(ls_work *w) {
    ls_batch_memory *m = w->memory;
    for (size_t i = 0; i < m->nschemas; i++) ls_schema_unref(m->schemas[i]);
    for (size_t i = 0; i < m->nkept; i++) m->kept[i].drop(m->kept[i].buffer);
    m->nschemas = m->nkept = 0;
}

void ls_work_free(ls_work *w) {
    if (!w) return;
    let_go(w);
    free(w->memory->schemas);
    free(w->memory->kept);
    free(w->memory);
    free(w->seen.changes);
    free(w->marks);
    free(w->parents);
    ls_buf_free(&w->text);
    ls_buf_free(&w->source);
    ls_arena_free(&w->arena);
    free(w);
}

void ls_work_reset(ls_work *w) {
    let_go(w);
    ls_arena_reset(&w->arena);
    if (w->text.cap > LS_BATCH_BYTES) ls_buf_free(&w->text); /* a large value's room goes back */
    w->source_of = NULL;
    w->seen.count = 0;
    w->seen.generation++;
    w->nmarks = w->nclones = 0;
    w->cells = NULL;
    w->half_cells = NULL;
    w->has_read_to = false;
    w->kept_bytes = 0;
    w->invalid = 0;
    w->out_of_memory = false;
    w->last_schema = NULL;
    w->seen.frozen = 0;
    w->half = LS_WHOLE;
}

int ls_refuse(ls_batch *b, const char *fmt, ...) {
    ls_work *w = ls_work_of(b);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->why, sizeof w->why, fmt, ap);
    va_end(ap);
    return -1;
}

int ls_refuse_memory(ls_batch *b) {
    ls_work_of(b)->out_of_memory = true;
    return ls_refuse(b, "out of memory");
}

bool ls_work_full(const ls_work *w) {
    return w->seen.count >= LS_BATCH_ROWS || w->arena.bytes + w->kept_bytes >= LS_BATCH_BYTES ||
           w->nmarks >= LS_BATCH_MARKS;
}

int ls_work_hold(ls_work *w, const ls_schema *s) {
    ls_batch_memory *m = w->memory;
    if (s == w->last_schema) return 0;
    if (!grow(&m->schemas, m->nschemas, &m->cap_schemas, sizeof *m->schemas)) return -1;
    m->schemas[m->nschemas++] = ls_schema_ref(s);
    w->last_schema = s;
    return 0;
}

ls_change *ls_work_add(ls_work *w, const ls_schema *s, const ls_tx *tx, uint8_t action, uint64_t seq) {
    size_t cap = w->cap_changes;
    if (!grow(&w->seen.changes, w->seen.count, &cap, sizeof *w->seen.changes)) return NULL;
    w->cap_changes = (uint32_t)cap;
    if (s && ls_work_hold(w, s)) return NULL;
    ls_change *c = &w->seen.changes[w->seen.count++];
    *c = (ls_change){.schema = s, .tx = tx, .action = action, .seq = seq, .whole_table = 1};
    return c;
}

int ls_work_clone(ls_work *w, uint32_t of, const ls_change *like, uint32_t most) {
    uint32_t first = w->seen.count - w->nclones, parent = of < first ? of : w->parents[of - first], siblings = 0;
    while (siblings < w->nclones && w->parents[w->nclones - 1 - siblings] == parent) siblings++;
    if (siblings == most) return -2;
    size_t cap = w->cap_parents;
    if (!grow(&w->parents, w->nclones, &cap, sizeof *w->parents)) return -1;
    w->cap_parents = (uint32_t)cap;
    ls_change *c = ls_work_add(w, like->schema, like->tx, like->action, like->seq);
    if (!c) return -1;
    *c = *like;
    c->sub = w->seen.changes[parent].sub + siblings + 1;
    w->parents[w->nclones++] = parent;
    return (int)(w->seen.count - 1);
}

int ls_work_order(ls_work *w) {
    uint32_t left = w->nclones, at = w->seen.count, parent = at - left;
    if (!left) return 0;
    ls_change *all = w->seen.changes, *clones = ls_arena_alloc(&w->arena, left * sizeof *clones);
    if (!clones) return -1;
    memcpy(clones, all + parent, left * sizeof *clones);
    for (uint32_t i = 0; i < w->nmarks; i++)
        for (uint32_t k = 0, was = w->marks[i].changes; k < left && w->parents[k] < was; k++) w->marks[i].changes++;
    while (left) { /* from the end on: what is written over has been moved */
        bool behind = w->parents[left - 1] == parent - 1;
        all[--at] = behind ? clones[--left] : all[--parent];
    }
    w->nclones = 0;
    return 0;
}

ls_value *ls_work_values(ls_work *w, size_t n) {
    ls_value *v = ls_arena_alloc(&w->arena, n * sizeof *v);
    for (size_t i = 0; v && i < n; i++) v[i] = (ls_value){.state = LS_ABSENT};
    return v;
}

const ls_tx *ls_work_tx(ls_work *w, const ls_tx *tx) {
    ls_tx *t = ls_arena_alloc(&w->arena, sizeof *t);
    if (!t) return NULL;
    *t = *tx;
    if (!t->connector) t->connector = w->connector;
    if (!t->db) t->db = w->db;
    return t;
}

int ls_work_mark(ls_work *w, const ls_place *place) {
    ls_mark *last = w->nmarks ? &w->marks[w->nmarks - 1] : NULL;
    /* Two transactions' GTIDs may be of different domains: only a mark that adds none is merged. */
    if (last && last->changes == w->seen.count && (!*last->place.gtid || !*place->gtid)) {
        char gtid[LS_GTID_TEXT];
        memcpy(gtid, *place->gtid ? place->gtid : last->place.gtid, sizeof gtid);
        last->place = *place;
        memcpy(last->place.gtid, gtid, sizeof gtid);
        return 0;
    }
    size_t cap = w->cap_marks;
    if (!grow(&w->marks, w->nmarks, &cap, sizeof *w->marks)) return -1;
    w->cap_marks = (uint32_t)cap;
    w->marks[w->nmarks++] = (ls_mark){w->seen.count, *place};
    return 0;
}

int ls_work_keep(ls_work *w, void *buffer, size_t bytes, void (*drop)(void *)) {
    ls_batch_memory *m = w->memory;
    if (!grow(&m->kept, m->nkept, &m->cap_kept, sizeof *m->kept)) {
        drop(buffer);
        return -1;
    }
    m->kept[m->nkept++] = (kept){buffer, drop};
    w->kept_bytes += bytes;
    return 0;
}
