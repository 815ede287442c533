#include "change/layout.h"

#include "base/text.h"
#include "change/time.h"
#include "change/value.h"

#include <string.h>
#include <time.h>

enum { LS_DATE_TEXT_MAX = 1024 }; /* bytes of a time as text */

const ls_value ls_cells_left_out[1] = {{.state = LS_ABSENT}};

/* ---- cells that functions give ---- */

const ls_value *ls_layout_cells(const ls_work *w, uint32_t change, int image) {
    return w->cells ? w->cells[2 * (size_t)change + (size_t)image] : NULL;
}

int ls_layout_begin(ls_batch *b, uint32_t change, int image, uint32_t ncells) {
    ls_work *w = ls_work_of(b);
    const ls_change *c = &b->changes[change];
    if (!(image ? c->after : c->before)) return 0;
    if (!w->cells) w->cells = ls_arena_zalloc(&w->arena, 2 * (size_t)b->count * sizeof(*w->cells));
    ls_value *cells = w->cells ? ls_work_values(w, ncells) : NULL;
    if (!cells) return ls_refuse_memory(b);
    w->half_of = change;
    w->half_cells = cells;
    w->half_at = &w->cells[2 * (size_t)change + (size_t)image];
    *w->half_at = cells;
    if (c->action == 'U') ls_row_look(b, change, image ? LS_HALF_AFTER : LS_HALF_BEFORE);
    b->frozen = 1;
    return 1;
}

void ls_layout_end(ls_batch *b, int keep) {
    ls_work *w = ls_work_of(b);
    if (!keep) *w->half_at = ls_cells_left_out;
    if (w->half != LS_WHOLE) ls_row_look(b, w->half_of, LS_WHOLE);
    b->frozen = 0;
    w->half_cells = NULL;
}

static int put_bytes(ls_batch *b, uint32_t cell, enum ls_kind kind, const char *p, size_t n) {
    ls_work *w = ls_work_of(b);
    const char *copy = n < UINT32_MAX ? ls_arena_copy(&w->arena, p, n) : NULL;
    if (!copy) return ls_refuse_memory(b);
    w->half_cells[cell] = ls_value_bytes_of(kind, copy, n);
    return 0;
}

int ls_layout_set_text(ls_batch *b, uint32_t cell, const char *p, size_t n) {
    return ls_utf8_valid(p, n) ? put_bytes(b, cell, LS_KIND_TEXT, p, n) : 1;
}

int ls_layout_set_bytes(ls_batch *b, uint32_t cell, const char *p, size_t n) { return put_bytes(b, cell, LS_KIND_BYTES, p, n); }

static void put(ls_batch *b, uint32_t cell, ls_value v) { ls_work_of(b)->half_cells[cell] = v; }

void ls_layout_set_null(ls_batch *b, uint32_t cell) { put(b, cell, ls_value_state(LS_NULL)); }
void ls_layout_set_number(ls_batch *b, uint32_t cell, double d) { put(b, cell, (ls_value){.kind = LS_KIND_DOUBLE, .as.d = d}); }
void ls_layout_set_int(ls_batch *b, uint32_t cell, int64_t i) { put(b, cell, ls_value_int(i)); }
void ls_layout_set_uint(ls_batch *b, uint32_t cell, uint64_t u) { put(b, cell, ls_value_uint(u)); }
void ls_layout_set_bool(ls_batch *b, uint32_t cell, int on) { put(b, cell, (ls_value){.kind = LS_KIND_BOOL, .as.i = on}); }

/* ---- dates ---- */

int ls_layout_date(ls_buf *out, const char *format, const char *p, size_t n) {
    char text[LS_DATE_TEXT_MAX];
    struct tm tm;
    int64_t us;
    int kind = ls_time_read(p, n, &us);
    if (kind > 1) ls_buf_add(out, p, n);
    if (kind != 1) return kind ? 0 : -1;
    time_t second = us / 1000000 - (us % 1000000 < 0);
    if (!gmtime_r(&second, &tm)) return -1;
    ls_buf_add(out, text, strftime(text, sizeof text, format, &tm));
    return 0;
}
