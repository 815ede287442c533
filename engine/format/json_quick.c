/* Messages in json.c's own order, of a table seen lately: each text but the values' is known before it is read. Whatever is
 * otherwise is left to json_read.c: other members or blanks, a moved row, a value of a type that its column does not take. */
#include "format/read.h"

#include "change/value.h"

enum { LS_SOURCE_KEPT = 4096 }; /* bytes of a `source` that the next message's is compared with */

/* Passes n bytes of text if they are next. */
static bool pass(ls_json *j, const char *text, size_t n) {
    if ((size_t)(j->end - j->at) < n || memcmp(j->at, text, n) != 0) return false;
    j->at += n;
    return true;
}

#define PASS(j, literal) pass(j, literal, sizeof(literal) - 1)

static bool pass_piece(ls_json *j, const ls_shape *s, uint32_t col) {
    return pass(j, s->text.data + s->piece[col], s->piece[col + 1] - s->piece[col]);
}

/* A list's values behind its opening bracket. Columns come in the key's order, or the schema's; those that are not named
 * stay as they are. *count grows with each. 1: the list is read; 0: it is otherwise; -1: memory. */
static int read_values(ls_decoder *d, ls_work *w, ls_json *j, const ls_shape *shape, bool key, ls_value *row, uint32_t *count,
                       ls_error *err) {
    const ls_schema *s = shape->schema;
    uint32_t n = key ? s->nkey : s->ncols;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t col = key ? s->key[i] : i;
        ls_json_value v;
        ls_seen_column seen;
        if (!pass_piece(j, shape, col)) continue;
        if (ls_json_read(j, &v, err)) return 0;
        ls_read_type(&v, &seen);
        if (!ls_tables_takes(s->cols[col].type, &seen)) return 0;
        if (ls_read_value(d, w, &v, &row[col], err)) return -1;
        ++*count;
        if (PASS(j, "}]")) return 1;
        if (!PASS(j, "},")) return 0;
    }
    return 0;
}

/* The names of `unchanged`, in the schema's order: a piece holds the quoted name between {"name": and ,"value": */
static int read_unchanged(ls_json *j, const ls_shape *shape, ls_value *row, uint32_t *count) {
    const ls_schema *s = shape->schema;
    const size_t front = sizeof "{\"name\":" - 1, around = front + sizeof ",\"value\":" - 1;
    for (uint32_t i = 0; i < s->ncols; i++) {
        size_t from = shape->piece[i];
        if (row[i].state != LS_ABSENT || !pass(j, shape->text.data + from + front, shape->piece[i + 1] - from - around)) continue;
        row[i] = ls_value_state(LS_UNCHANGED);
        ++*count;
        if (PASS(j, "]")) return 1;
        if (!PASS(j, ",")) return 0;
    }
    return 0;
}

static bool read_string(ls_json *j, ls_json_value *v, ls_error *err) {
    return ls_json_read(j, v, err) == 0 && v->kind == LS_JSON_STRING;
}

static bool read_u64(ls_json *j, uint64_t *n, ls_error *err) {
    ls_json_value v;
    return ls_json_read(j, &v, err) == 0 && ls_json_u64(&v, n) == 0;
}

static bool read_names(ls_json *j, ls_read_source *s, ls_error *err) {
    ls_json_value ts;
    if (!PASS(j, ",\"source\":{\"v\":1,\"connector\":") || !read_string(j, &s->connector, err)) return false;
    if (!PASS(j, ",\"db\":") || !read_string(j, &s->db, err)) return false;
    if (!PASS(j, ",\"ts\":") || ls_json_read(j, &ts, err) || ls_json_i64(&ts, &s->ts)) return false;
    if (!PASS(j, ",\"tx\":") || !read_string(j, &s->tx, err)) return false;
    return PASS(j, ",\"pos\":") && read_string(j, &s->pos, err) && PASS(j, ",\"seq\":");
}

/* Rows of one transaction come one behind the other, and have all but their numbers in common. NULL: it is otherwise, or memory. */
static const ls_tx *read_tx(ls_decoder *d, ls_work *w, ls_json *j, ls_error *err) {
    bool known = d->source_tx && d->source_work == w && d->source_generation == w->seen.generation;
    const char *from = j->at;
    if (known && pass(j, d->source_text.data, d->source_text.len)) return d->source_tx;
    if (!read_names(j, &d->source, err)) return NULL;
    const ls_tx *tx = ls_read_tx(d, w, err);
    ls_buf_clear(&d->source_text);
    if (j->at - from <= LS_SOURCE_KEPT) ls_buf_add(&d->source_text, from, (size_t)(j->at - from));
    d->source_tx = d->source_text.failed || !d->source_text.len ? NULL : tx;
    d->source_work = w;
    d->source_generation = w->seen.generation;
    return tx;
}

static bool read_number(ls_json *j, ls_read_source *s, ls_error *err) {
    s->sub = 0;
    if (!read_u64(j, &s->seq, err)) return false;
    if (PASS(j, ",\"sub\":") && (!read_u64(j, &s->sub, err) || s->sub > UINT32_MAX)) return false;
    s->snapshot = PASS(j, ",\"snapshot\":true");
    return PASS(j, "}}") && j->at == j->end;
}

/* The identity: the key, or the whole row. 1, 0 or -1 as read_values(). */
static int read_identity(ls_decoder *d, ls_work *w, ls_json *j, const ls_shape *shape, ls_value *row, bool *whole, ls_error *err) {
    const ls_schema *s = shape->schema;
    const ls_json from = *j;
    uint32_t n = 0;
    int rc = read_values(d, w, j, shape, s->nkey > 0, row, &n, err);
    *whole = rc == 0 && s->nkey;
    if (!*whole) return rc == 1 && n < s->nkey ? 0 : rc;
    for (uint32_t i = 0; i < s->nkey; i++) row[s->key[i]].state = LS_ABSENT;
    *j = from;
    n = 0;
    if ((rc = read_values(d, w, j, shape, false, row, &n, err)) != 1 || n <= s->nkey) return rc < 0 ? -1 : 0;
    for (uint32_t i = 0; i < s->nkey; i++)
        if (row[s->key[i]].state == LS_ABSENT) return 0;
    return 1;
}

/* The images; 1, 0 or -1 as read_values(). */
static int read_row(ls_decoder *d, ls_work *w, ls_json *j, const ls_shape *shape, char action, ls_value **after, ls_value **before,
                    bool *whole, ls_error *err) {
    const ls_schema *s = shape->schema;
    uint32_t count = 0;
    int rc = 1;
    *after = *before = NULL;
    *whole = false;
    if (action != 'D') {
        if (!(*after = ls_work_values(w, s->ncols))) return ls_fail_memory(err, "reading a message");
        if (!PASS(j, ",\"columns\":[")) return 0;
        if ((rc = read_values(d, w, j, shape, false, *after, &count, err)) != 1) return rc;
    }
    if (action != 'I') {
        if (!(*before = ls_work_values(w, s->ncols))) return ls_fail_memory(err, "reading a message");
        if (!PASS(j, ",\"identity\":[")) return 0;
        if ((rc = read_identity(d, w, j, shape, *before, whole, err)) != 1) return rc;
    }
    if (action == 'D') return 1;
    if (PASS(j, ",\"unchanged\":[") && (rc = read_unchanged(j, shape, *after, &count)) != 1) return rc;
    return count == s->ncols; /* else it is another shape's row */
}

/* 1, 0 or -1 as read_values(). */
static int read_change(ls_decoder *d, ls_work *w, ls_json *j, const ls_shape *shape, char action, ls_error *err) {
    ls_value *after, *before;
    bool whole;
    int rc = read_row(d, w, j, shape, action, &after, &before, &whole, err);
    if (rc != 1) return rc;
    const ls_tx *tx = read_tx(d, w, j, err);
    if (!tx || !read_number(j, &d->source, err)) return 0; /* a text that is too long, or memory: said again by the reader that gives offsets */
    ls_change *c = ls_work_add(w, shape->schema, tx, (uint8_t)action, d->source.seq);
    if (!c) return ls_fail_memory(err, "reading a message");
    c->sub = (uint32_t)d->source.sub;
    c->flags = (d->source.snapshot ? LS_SNAPSHOT : 0) | (whole ? LS_WHOLE_IDENTITY : 0);
    c->after = after;
    c->before = before;
    return 1;
}

int ls_read_quickly(ls_decoder *d, ls_work *w, ls_error *err) {
    static const char front[] = "{\"action\":\"";
    size_t n = sizeof front - 1;
    if (d->bytes <= n || memcmp(d->start, front, n) != 0) return 0;
    char action = d->start[n];
    if (action != 'I' && action != 'U' && action != 'D') return 0;
    for (size_t i = 0; i < LS_TABLES_RECENT && d->tables->recent[i]; i++) {
        const ls_shape *shape = d->tables->recent[i];
        ls_json j = ls_json_over(d->start, d->bytes);
        j.at += n + 1;
        if (!pass(&j, shape->text.data, shape->head)) continue;
        int rc = read_change(d, w, &j, shape, action, err);
        if (rc) return rc;
    }
    return 0;
}
