#include "write/csv_layout.h"

#include "base/hash.h"
#include "base/pattern.h"
#include "base/text.h"
#include "change/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SHOWN = 100 }; /* bytes of a value in a message */

/* ---- a lane */

static void make_header(ls_csv_lane *l) {
    char delimiter = l->conf.delimiter;
    if (!l->conf.bare) ls_buf_fmt(&l->header, "action%ctable", delimiter);
    for (size_t i = 0; i < l->layout->ncolumns; i++) {
        const char *title = l->layout->columns[i].title;
        if (i || !l->conf.bare) ls_buf_char(&l->header, delimiter);
        ls_csv_put_text(&l->dialect, &l->header, title, strlen(title));
    }
}

int ls_csv_lane_open(ls_csv_lane *l, ls_csv_disk *d, const ls_csv_conf *conf, const ls_layout *layout, ls_error *err) {
    *l = (ls_csv_lane){.conf = *conf, .layout = layout};
    l->dialect = ls_csv_dialect_of(&l->conf);
    if (ls_csv_lane_is_laid(l)) {
        make_header(l);
        l->had = calloc(layout->ncolumns, sizeof *l->had);
        if (!l->had || !ls_buf_cstr(&l->header)) return ls_fail_memory(err, "opening CSV files");
    }
    l->conf.begins = !l->conf.bare ? NULL : l->header.len ? l->header.data : "";
    return ls_csv_routes_open(&l->routes, d, &l->conf, err);
}

void ls_csv_lane_close(ls_csv_lane *l) {
    ls_csv_routes_close(&l->routes);
    ls_buf_free(&l->header);
    free(l->had);
}

/* ---- the columns of a table */

uint32_t *ls_csv_lane_find(const ls_csv_lane *l, const ls_schema *s) {
    uint32_t *at = malloc(l->layout->ncolumns * sizeof *at);
    for (size_t i = 0; at && i < l->layout->ncolumns; i++) {
        const char *from = l->layout->columns[i].from;
        int col = from ? ls_schema_find(s, from, strlen(from)) : -1;
        at[i] = col < 0 ? LS_CSV_NO_COLUMN : (uint32_t)col;
    }
    return at;
}

static int refuse(const ls_csv_lane *l, const ls_schema *s, const char *from, ls_error *err) {
    const char **names = malloc((s->ncols + 1) * sizeof *names), *near = NULL;
    for (uint32_t i = 0; names && i < s->ncols; i++) names[i] = s->cols[i].name;
    if (names) near = ls_nearest(from, names, s->ncols);
    ls_fail(err, LS_FAIL,
            "layout \"%s\": %s.%s has no column \"%s\"%s%s%s (for rows from before the column came or from after it went: { \"%s\", from = \"%s\", "
            "optional = true })",
            l->layout->pattern, s->schema, s->table, from, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "", from, from);
    free(names);
    return -1;
}

static void warn_once(ls_csv_lane *l, const ls_schema *s, const char *from) {
    uint64_t what = ls_hash(LS_HASH_START, s->schema, s->schema_len + 1); /* with the NULs, which part the names */
    what = ls_hash(ls_hash(what, s->table, s->table_len + 1), from, strlen(from) + 1);
    for (size_t i = 0; i < l->nwarned; i++)
        if (l->warned[i] == what) return;
    if (l->nwarned == LS_CSV_WARNED) return;
    l->warned[l->nwarned++] = what;
    if (l->conf.log)
        ls_log_line(l->conf.log, LS_WARN, "layout \"%s\": %s.%s has no column \"%s\": its cells are absent", l->layout->pattern, s->schema, s->table,
                    from);
}

int ls_csv_lane_check(ls_csv_lane *l, const ls_schema *s, const uint32_t *at, ls_error *err) {
    bool one_table = ls_pattern_is_exact(l->layout->pattern);
    for (size_t i = 0; i < l->layout->ncolumns; i++) {
        const ls_layout_column *c = &l->layout->columns[i];
        if (at[i] != LS_CSV_NO_COLUMN) l->had[i] = true;
        if (at[i] != LS_CSV_NO_COLUMN || !c->from || c->optional) continue;
        if (one_table && !l->had[i]) return refuse(l, s, c->from, err);
        warn_once(l, s, c->from);
    }
    return 0;
}

/* ---- the cells of a row */

static int put_date(const ls_csv_lane *l, const ls_layout_column *col, const ls_change *c, const ls_value *v, ls_buf *out, ls_buf *text, ls_error *err) {
    ls_buf date = {0};
    ls_buf_clear(text);
    ls_value_print(text, v);
    if (text->failed) return ls_fail_memory(err, "writing a CSV row");
    int rc = ls_layout_date(&date, col->date, text->data ? text->data : "", text->len);
    if (rc)
        ls_fail(err, LS_FAIL,
                "layout \"%s\": %.100s.%.100s, position %s/%" PRIu64 ": column \"%s\" holds no point in time but \"%.*s\": take its date out, or give the "
                "cell by value = function(row)",
                l->layout->pattern, c->schema->schema, c->schema->table, c->tx->pos, c->seq, col->from,
                (int)(text->len < VALUE_SHOWN ? text->len : VALUE_SHOWN), text->len ? text->data : "");
    ls_buf_char(out, l->conf.delimiter);
    ls_csv_put_text(&l->dialect, out, date.data, date.len);
    out->failed |= date.failed;
    ls_buf_free(&date);
    return rc;
}

int ls_csv_lane_put(const ls_csv_lane *l, const ls_change *c, const ls_value *row, const ls_value *cells, const uint32_t *at, ls_buf *out,
                    ls_buf *text, ls_error *err) {
    for (size_t i = 0; i < l->layout->ncolumns; i++) {
        const ls_layout_column *col = &l->layout->columns[i];
        const ls_value *v = !col->from ? (cells ? &cells[i] : NULL) : at[i] != LS_CSV_NO_COLUMN ? &row[at[i]] : NULL;
        if (!v)
            ls_csv_put_absent(&l->dialect, out);
        else if (!col->date || v->state != LS_PRESENT)
            ls_csv_put_cell(&l->dialect, out, v, text);
        else if (put_date(l, col, c, v, out, text, err))
            return -1;
    }
    return 0;
}
