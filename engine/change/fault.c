#include "change/fault.h"

#include <string.h>

/* NULL is copied as NULL. */
static int copy_text(ls_arena *a, const char **text) {
    if (!*text) return 0;
    *text = ls_arena_copy(a, *text, strlen(*text));
    return *text ? 0 : -1;
}

static int copy_values(ls_work *w, ls_value **row, uint32_t ncols) {
    if (!*row) return 0;
    ls_value *copy = ls_arena_alloc(&w->arena, ncols * sizeof *copy);
    if (!copy) return -1;
    if (ncols) memcpy(copy, *row, ncols * sizeof *copy);
    *row = copy;
    return 0;
}

int ls_fault_keep(ls_batch *b, uint32_t change) {
    ls_work *w = ls_work_of(b);
    ls_change *c = &b->changes[change];
    if (c->original) return 0;
    ls_change *kept = ls_arena_alloc(&w->arena, sizeof *kept);
    if (!kept) return ls_refuse_memory(b);
    *kept = *c;
    if (copy_values(w, &kept->after, c->schema->ncols) || copy_values(w, &kept->before, c->schema->ncols)) return ls_refuse_memory(b);
    c->original = kept;
    return 0;
}

void ls_fault_undo(ls_work *w, uint32_t first) {
    ls_batch *b = &w->seen;
    if (w->half != LS_WHOLE) ls_row_look(b, w->half_of, LS_WHOLE);
    b->frozen = 0;
    w->half_cells = NULL;
    if (first >= b->count) return;
    w->nclones -= b->count - first;
    b->count = first;
}

int ls_fault_set(ls_work *w, uint32_t change, const ls_fault *f) {
    ls_change *c = &w->seen.changes[change];
    if (c->fault) return 0;
    ls_fault *mine = ls_arena_alloc(&w->arena, sizeof *mine);
    if (!mine) return -1;
    *mine = *f;
    if (copy_text(&w->arena, &mine->hook) || copy_text(&w->arena, &mine->text) || copy_text(&w->arena, &mine->path)) return -1;
    uint32_t sub = c->sub;
    if (c->original) *c = *c->original;
    c->sub = sub;
    c->sending = NULL;
    c->original = NULL;
    c->fault = mine;
    c->flags |= LS_DROPPED;
    return 0;
}

void ls_row_blame(ls_batch *b, const char *hook, const char *path, int line) {
    ls_work *w = ls_work_of(b);
    struct ls_blame blame = {hook, path, line};
    if (copy_text(&w->arena, &blame.hook) || copy_text(&w->arena, &blame.path)) w->out_of_memory = true;
    w->blame = blame;
}
