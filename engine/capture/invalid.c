#include "capture/invalid.h"

#include "change/fault.h"
#include "change/value.h"

#include <inttypes.h>

enum { KEY_MAX = 200 }; /* bytes of a row's key that are shown */

static bool is_mended(const ls_value *v) {
    return v->state == LS_PRESENT && v->mended;
}

/* The first column of which mended text is sent; NULL: there is none. */
static const ls_column *mended_column(const ls_change *c) {
    const ls_schema *s = c->schema;
    for (uint32_t i = 0; i < s->ncols; i++)
        if ((c->after && is_mended(&c->after[i])) || (c->before && is_mended(&c->before[i]))) return &s->cols[i];
    for (uint32_t i = 0; c->moved && i < s->nkey; i++)
        if (is_mended(&c->moved[i])) return &s->cols[s->key[i]];
    return NULL;
}

/* Appends ", key id=7". */
static void show_key(ls_buf *out, const ls_change *c) {
    const ls_schema *s = c->schema;
    const ls_value *row = c->action == 'I' ? c->after : c->before;
    size_t from = out->len;
    for (uint32_t i = 0; row && i < s->nkey; i++) {
        const ls_value *v = &row[s->key[i]];
        ls_buf_fmt(out, "%s%s=", i ? ", " : ", key ", s->cols[s->key[i]].name);
        if (v->state == LS_PRESENT)
            ls_value_print(out, v);
        else
            ls_buf_char(out, '?');
    }
    if (out->len - from <= KEY_MAX) return;
    out->len = from + KEY_MAX;
    while ((out->data[out->len] & 0xc0) == 0x80) out->len--; /* not inside a character */
    ls_buf_str(out, "...");
}

static void show_row(ls_buf *out, const ls_work *w, const ls_change *c, const ls_column *col) {
    ls_buf_fmt(out, "table %s.%s, column \"%s\"", c->schema->schema, c->schema->table, col->name);
    if (!w->masks) show_key(out, c);
    ls_buf_fmt(out, ", transaction %s (%s), row %" PRIu64 ": text that is not valid in its character set", c->tx->pos, c->tx->id,
               c->seq);
}

/* Says it, as the error that stops or as a warning. */
static int tell(const ls_invalid *how, const ls_work *w, const ls_change *c, const ls_column *col, ls_error *err) {
    ls_buf text = {0};
    show_row(&text, w, c, col);
    if (how->policy == LS_INVALID_STOP)
        ls_buf_str(&text, ": " LS_INVALID_MEND);
    else if (how->policy == LS_INVALID_SKIP)
        ls_buf_str(&text, ": the change is left out (on_invalid_text = \"skip\"); said once a table, counted for each row");
    else
        ls_buf_str(&text, ": U+FFFD is sent for what is invalid (on_invalid_text = \"replace\"); said once a table, counted for each row");
    const char *line = ls_buf_cstr(&text);
    int rc = !line ? ls_fail_memory(err, "a row") : how->policy == LS_INVALID_STOP ? ls_fail(err, LS_FAIL, "%s", line) : 0;
    if (rc == 0) how->warn(how->ctx, line);
    ls_buf_free(&text);
    return rc;
}

/* The text names no value: `columns` have not masked any yet. */
static int set_aside(ls_work *w, uint32_t from, const ls_column *col, ls_error *err) {
    const ls_schema *s = w->seen.changes[from].schema;
    ls_buf text = {0};
    ls_buf_fmt(&text, "table %s.%s, column \"%s\": text that is not valid in its character set; U+FFFD stands for what is invalid", s->schema, s->table, col->name);
    const ls_fault fault = {.hook = "text", .text = ls_buf_cstr(&text)};
    int rc = fault.text ? 0 : -1;
    for (uint32_t i = from; rc == 0 && i < w->seen.count; i++) rc = ls_fault_set(w, i, &fault);
    ls_buf_free(&text);
    return rc ? ls_fail_memory(err, "a row") : 0;
}

int ls_invalid_settle(const ls_invalid *how, ls_work *w, uint32_t from, bool *said, ls_error *err) {
    const ls_change *c = w->seen.changes + from, *end = w->seen.changes + w->seen.count;
    const ls_column *col = NULL;
    while (c < end && !(col = mended_column(c))) c++;
    if (!col) return 0;
    if (how->policy == LS_INVALID_ASIDE) {
        w->invalid++;
        return set_aside(w, from, col, err);
    }
    bool stop = how->policy == LS_INVALID_STOP;
    int rc = stop || !*said ? tell(how, w, c, col, err) : 0;
    *said = true;
    if (!stop) w->invalid++;
    if (rc || how->policy != LS_INVALID_REPLACE) w->seen.count = from;
    return rc;
}
