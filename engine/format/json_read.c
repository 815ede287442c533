/* Messages of the format "list_sync" to changes: a consumer's side of json.c. Members may come in any order, and unknown
 * ones are passed over. */
#include "format/read.h"

#include "base/text.h"
#include "change/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is wrong at p, or with p NULL: missing when the message ended. */
LS_PRINTF(4, 5) static int refuse(const ls_decoder *d, const char *p, ls_error *err, const char *fmt, ...) {
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return ls_fail(err, LS_FAIL, "byte %zu: %s", p ? (size_t)(p - d->start) : d->bytes, what);
}

static int no_memory(ls_error *err) { return ls_fail_memory(err, "reading a message"); }

/* ---- the text */

static int add(ls_named_list *l, const ls_named *v, ls_error *err) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        ls_named *p = realloc(l->at, cap * sizeof *p);
        if (!p) return no_memory(err);
        l->at = p;
        l->cap = cap;
    }
    l->at[l->n++] = *v;
    return 0;
}

static int read_named(ls_decoder *d, ls_json *j, ls_named *v, ls_error *err) {
    bool first = true;
    ls_json_value key, other;
    int more;
    *v = (ls_named){.name.kind = LS_JSON_NULL, .value.kind = LS_JSON_NULL};
    if (ls_json_open(j, '{', err)) return -1;
    while ((more = ls_json_more(j, '}', &first, err)) == 1) {
        if (ls_json_name(j, &key, err)) return -1;
        if (ls_json_read(j, ls_json_is(&key, "name") ? &v->name : ls_json_is(&key, "value") ? &v->value : &other, err)) return -1;
    }
    if (more < 0) return -1;
    return v->name.kind == LS_JSON_STRING ? 0 : refuse(d, j->at, err, "a column's \"name\", a string, was wanted");
}

static int read_list(ls_decoder *d, ls_json *j, size_t which, ls_error *err) {
    bool first = true, bare = which == LS_NOT_SENT;
    ls_named_list *l = &d->lists[which];
    ls_named v = {.value.kind = LS_JSON_NULL};
    int more;
    l->n = 0; /* of a member that comes twice the last one counts */
    if (ls_json_open(j, '[', err)) return -1;
    while ((more = ls_json_more(j, ']', &first, err)) == 1) {
        if (bare ? ls_json_read(j, &v.name, err) : read_named(d, j, &v, err)) return -1;
        if (v.name.kind != LS_JSON_STRING) return refuse(d, v.name.p, err, "a column's name, a string, was wanted");
        if (l->n == (which == LS_PK ? LS_KEY_MAX : LS_COLUMNS_MAX))
            return refuse(d, v.name.p, err, "no more than %d %s were wanted", which == LS_PK ? LS_KEY_MAX : LS_COLUMNS_MAX,
                          which == LS_PK ? "key columns" : "columns");
        if (add(l, &v, err)) return -1;
    }
    return more;
}

static int source_member(ls_decoder *d, const ls_json_value *key, const ls_json_value *v, ls_error *err) {
    static const char *const names[] = {"connector", "db", "tx", "pos"};
    ls_read_source *s = &d->source;
    ls_json_value *const texts[] = {&s->connector, &s->db, &s->tx, &s->pos};
    uint64_t version = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!ls_json_is(key, names[i])) continue;
        *texts[i] = *v;
        return v->kind == LS_JSON_STRING || v->kind == LS_JSON_NULL ? 0 : refuse(d, v->p, err, "source.%s is a string", names[i]);
    }
    bool bad = ls_json_is(key, "ts")         ? ls_json_i64(v, &s->ts) != 0
               : ls_json_is(key, "seq")      ? ls_json_u64(v, &s->seq) != 0
               : ls_json_is(key, "sub")      ? ls_json_u64(v, &s->sub) || s->sub > UINT32_MAX
               : ls_json_is(key, "v")        ? ls_json_u64(v, &version) != 0
               : ls_json_is(key, "snapshot") ? v->kind != LS_JSON_TRUE && v->kind != LS_JSON_FALSE
                                             : false;
    if (bad) return refuse(d, v->p, err, "source.%.*s has another type or is out of range", (int)(key->n < 32 ? key->n : 32), key->p);
    if (version != 1) return refuse(d, v->p, err, "source.v is %llu; this program reads version 1", (unsigned long long)version);
    if (ls_json_is(key, "snapshot")) s->snapshot = v->kind == LS_JSON_TRUE;
    return 0;
}

static int read_source(ls_decoder *d, ls_json *j, ls_error *err) {
    bool first = true;
    ls_json_value key, v;
    int more;
    if (ls_json_open(j, '{', err)) return -1;
    while ((more = ls_json_more(j, '}', &first, err)) == 1)
        if (ls_json_name(j, &key, err) || ls_json_read(j, &v, err) || source_member(d, &key, &v, err)) return -1;
    return more;
}

static int read_member(ls_decoder *d, ls_json *j, const ls_json_value *key, ls_error *err) {
    static const char *const lists[LS_LISTS] = {[LS_COLUMNS] = "columns",    [LS_IDENTITY] = "identity",
                                                [LS_PK] = "pk",              [LS_NOT_SENT] = "unchanged",
                                                [LS_WAS_AT] = "moved_from",  [LS_WENT_TO] = "moved_to"};
    ls_json_value other;
    for (size_t i = 0; i < LS_LISTS; i++)
        if (ls_json_is(key, lists[i])) return read_list(d, j, i, err);
    if (ls_json_is(key, "source")) return read_source(d, j, err);
    return ls_json_read(j, ls_json_is(key, "action")      ? &d->action
                           : ls_json_is(key, "schema")    ? &d->schema
                           : ls_json_is(key, "table")     ? &d->table
                           : ls_json_is(key, "to_schema") ? &d->to_schema
                           : ls_json_is(key, "to_table")  ? &d->to_table
                                                          : &other, err);
}

static int read_text(ls_decoder *d, ls_error *err) {
    static const ls_json_value none = {.kind = LS_JSON_NULL};
    ls_json j = ls_json_over(d->start, d->bytes);
    bool first = true;
    ls_json_value key;
    int more;
    for (size_t i = 0; i < LS_LISTS; i++) d->lists[i].n = 0;
    d->action = d->schema = d->table = d->to_schema = d->to_table = none;
    d->source = (ls_read_source){.connector = none, .db = none, .tx = none, .pos = none};
    if (ls_json_open(&j, '{', err)) return -1;
    while ((more = ls_json_more(&j, '}', &first, err)) == 1)
        if (ls_json_name(&j, &key, err) || read_member(d, &j, &key, err)) return -1;
    return more < 0 ? -1 : ls_json_end(&j, err);
}

static int check_names(const ls_decoder *d, char action, ls_error *err) {
    const struct { const ls_json_value *v; const char *name; bool wanted; } all[] = {
        {&d->schema, "schema", true},
        {&d->table, "table", action != 'X'},
        {&d->to_schema, "to_schema", action == 'R'},
        {&d->to_table, "to_table", action == 'R'}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].wanted && all[i].v->kind != LS_JSON_STRING)
            return refuse(d, all[i].v->p, err, "\"%s\", a string, was wanted", all[i].name);
    return 0;
}

/* The action's letter; 0: none that there is. */
static char action_of(const ls_decoder *d) {
    static const char *const all[] = {"I", "U", "D", "T", "X", "R"};
    for (size_t i = 0; d->action.kind == LS_JSON_STRING && i < sizeof all / sizeof *all; i++)
        if (ls_json_is(&d->action, all[i])) return *all[i];
    return 0;
}

static int check(const ls_decoder *d, ls_error *err) {
    char a = action_of(d);
    if (!a) return refuse(d, d->action.p, err, "\"action\", one of I, U, D, T, X and R, was wanted");
    if (check_names(d, a, err)) return -1;
    if (!d->lists[LS_PK].n) return 0; /* a table may have no columns at all */
    if ((a == 'I' || a == 'U') && !d->lists[LS_COLUMNS].n && !d->lists[LS_NOT_SENT].n)
        return refuse(d, NULL, err, "\"columns\" was wanted");
    return a == 'D' && !d->lists[LS_IDENTITY].n ? refuse(d, NULL, err, "\"identity\" was wanted") : 0;
}

/* ---- strings and values */

/* A string's text: in the message where it has no escapes, else in the arena. Not NUL-terminated. */
static int text_of(ls_decoder *d, ls_work *w, const ls_json_value *v, const char **p, size_t *n, ls_error *err) {
    *p = v->p;
    *n = v->n;
    if (!v->escaped) return 0;
    ls_buf_clear(&d->text);
    if (d->text.cap > LS_BATCH_BYTES) ls_buf_free(&d->text); /* a large value's room goes back */
    if (ls_json_unescape(v, &d->text, err)) return ls_fail_in(err, "byte %zu", (size_t)(v->p - d->start));
    *n = d->text.len;
    *p = ls_arena_copy(&w->arena, d->text.data, d->text.len);
    return *p ? 0 : no_memory(err);
}

/* A name's text; "" for null. */
static int name_of(ls_decoder *d, ls_work *w, const ls_json_value *v, const char **p, size_t *n, ls_error *err) {
    *p = "";
    *n = 0;
    if (v->kind != LS_JSON_STRING) return 0;
    if (text_of(d, w, v, p, n, err)) return -1;
    return memchr(*p, 0, *n) ? refuse(d, v->p, err, "a name without a NUL character was wanted") : 0;
}

static int cstr_of(ls_decoder *d, ls_work *w, const ls_json_value *v, const char **out, ls_error *err) {
    size_t n;
    if (name_of(d, w, v, out, &n, err)) return -1;
    *out = ls_arena_copy(&w->arena, *out, n);
    return *out ? 0 : no_memory(err);
}

void ls_read_type(const ls_json_value *v, ls_seen_column *out) {
    out->nan = false;
    switch (v->kind) {
    case LS_JSON_STRING:
        out->type = LS_TYPE_STRING;
        out->nan = (v->n == 3 && memcmp(v->p, "NaN", 3) == 0) || (v->n == 8 && memcmp(v->p, "Infinity", 8) == 0) ||
                   (v->n == 9 && memcmp(v->p, "-Infinity", 9) == 0);
        return;
    case LS_JSON_TRUE:
    case LS_JSON_FALSE: out->type = LS_TYPE_BOOLEAN; return;
    case LS_JSON_ARRAY:
    case LS_JSON_OBJECT: out->type = LS_TYPE_ARRAY; return;
    case LS_JSON_NULL: out->type = LS_TYPE_UNKNOWN; return;
    case LS_JSON_NUMBER: break;
    }
    out->type = v->n == 2 && memcmp(v->p, "-0", 2) == 0 ? LS_TYPE_FLOAT : LS_TYPE_INTEGER; /* no integer has a signed zero */
    for (size_t i = 0; i < v->n; i++)
        if (v->p[i] == '.' || v->p[i] == 'e' || v->p[i] == 'E') out->type = LS_TYPE_FLOAT;
}

/* An array's or object's text without the blanks between its tokens. */
static int compact(ls_decoder *d, ls_work *w, const ls_json_value *v, ls_value *out, ls_error *err) {
    *out = ls_value_bytes_of(LS_KIND_JSON, v->p, v->n);
    if (ls_json_is_compact(v->p, v->n)) return 0;
    ls_buf_clear(&d->text);
    ls_json_compact(&d->text, v->p, v->n);
    char *copy = d->text.failed ? NULL : ls_arena_copy(&w->arena, d->text.data, d->text.len);
    if (!copy) return no_memory(err);
    *out = ls_value_bytes_of(LS_KIND_JSON, copy, d->text.len);
    return 0;
}

int ls_read_value(ls_decoder *d, ls_work *w, const ls_json_value *v, ls_value *out, ls_error *err) {
    const char *p = v->p;
    size_t n = v->n;
    switch (v->kind) {
    case LS_JSON_NULL: *out = ls_value_state(LS_NULL); return 0;
    case LS_JSON_TRUE:
    case LS_JSON_FALSE: *out = (ls_value){.kind = LS_KIND_BOOL, .as.i = v->kind == LS_JSON_TRUE}; return 0;
    case LS_JSON_ARRAY:
    case LS_JSON_OBJECT: return compact(d, w, v, out, err);
    case LS_JSON_STRING:
        if (text_of(d, w, v, &p, &n, err)) return -1;
        break;
    case LS_JSON_NUMBER: break;
    }
    *out = ls_value_text(p, n);
    return 0;
}

/* ---- the transaction */

static bool same_text(const char *s, const ls_json_value *v) {
    if (v->kind != LS_JSON_STRING) return !*s;
    return !v->escaped && strncmp(s, v->p, v->n) == 0 && !s[v->n];
}

static bool same_tx(const ls_tx *tx, const ls_read_source *s) {
    return tx->ts == s->ts && same_text(tx->pos, &s->pos) && same_text(tx->id, &s->tx) && same_text(tx->connector, &s->connector) &&
           same_text(tx->db, &s->db);
}

static int copy_into(char *to, size_t size, ls_decoder *d, ls_work *w, const ls_json_value *v, const char *what, ls_error *err) {
    const char *p;
    size_t n;
    if (name_of(d, w, v, &p, &n, err)) return -1;
    if (n >= size) return refuse(d, v->p, err, "source.%s of no more than %zu bytes was wanted", what, size - 1);
    memcpy(to, p, n);
    to[n] = '\0';
    return 0;
}

const ls_tx *ls_read_tx(ls_decoder *d, ls_work *w, ls_error *err) {
    const ls_read_source *s = &d->source;
    const ls_tx *last = d->last_work == w && d->last_generation == w->seen.generation ? d->last_tx : NULL;
    ls_tx tx = {.ts = s->ts};
    if (last && same_tx(last, s)) return last;
    if (copy_into(tx.pos, sizeof tx.pos, d, w, &s->pos, "pos", err) || copy_into(tx.id, sizeof tx.id, d, w, &s->tx, "tx", err)) return NULL;
    if (last && same_text(last->connector, &s->connector))
        tx.connector = last->connector;
    else if (cstr_of(d, w, &s->connector, &tx.connector, err))
        return NULL;
    if (last && same_text(last->db, &s->db))
        tx.db = last->db;
    else if (cstr_of(d, w, &s->db, &tx.db, err))
        return NULL;
    d->last_tx = ls_work_tx(w, &tx);
    d->last_work = w;
    d->last_generation = w->seen.generation;
    if (!d->last_tx) no_memory(err);
    return d->last_tx;
}

/* ---- the change */

static int see(ls_decoder *d, ls_work *w, const ls_named_list *l, ls_seen_column **out, ls_error *err) {
    for (size_t i = 0; i < l->n; i++, ++*out) {
        if (name_of(d, w, &l->at[i].name, &(*out)->name, &(*out)->name_len, err)) return -1;
        ls_read_type(&l->at[i].value, *out);
    }
    return 0;
}

/* The row's schema. d->at[] then holds the column numbers of columns, unchanged and identity, one behind the other, as far
 * as the action has them. */
static const ls_schema *schema_of(ls_decoder *d, ls_work *w, char action, ls_error *err) {
    const ls_named_list *l = d->lists;
    bool after = action == 'I' || action == 'U', before = action == 'U' || action == 'D';
    size_t n = (after ? l[LS_COLUMNS].n + l[LS_NOT_SENT].n : 0) + (before ? l[LS_IDENTITY].n : 0), nkey = after || before ? l[LS_PK].n : 0;
    const char *why;
    ls_seen_row r = {.ncols = n, .ordered = after ? l[LS_COLUMNS].n : 0, .whole = after, .nkey = nkey};
    if (name_of(d, w, &d->schema, &r.schema, &r.schema_len, err) || name_of(d, w, &d->table, &r.table, &r.table_len, err) ||
        ls_read_room(d, n + nkey + 1, err))
        return NULL;
    ls_seen_column *c = d->cols;
    if (after && (see(d, w, &l[LS_COLUMNS], &c, err) || see(d, w, &l[LS_NOT_SENT], &c, err))) return NULL;
    if (before && see(d, w, &l[LS_IDENTITY], &c, err)) return NULL;
    r.cols = d->cols;
    r.key = c;
    if (nkey && see(d, w, &l[LS_PK], &c, err)) return NULL;
    const ls_schema *s = ls_tables_schema(d->tables, &r, d->at, &why);
    if (!s && why)
        refuse(d, d->schema.p, err, "%.*s.%.*s: %s", (int)r.schema_len, r.schema, (int)r.table_len, r.table, why);
    else if (!s)
        no_memory(err);
    return s;
}

/* A number in a column of texts, or the other way round: held as its text alone it would be taken for one. */
static bool is_misfit(const ls_json_value *v, const ls_column *c) {
    bool number = c->type == LS_TYPE_INTEGER || c->type == LS_TYPE_FLOAT;
    ls_seen_column seen;
    ls_read_type(v, &seen);
    return v->kind == LS_JSON_STRING ? number && !seen.nan : v->kind == LS_JSON_NUMBER && !number;
}

/* An embedded document may be a number in one image of a row and a text in the other: which of them the column's type does not fit is held
 * as JSON. */
static int fill_value(ls_decoder *d, ls_work *w, const ls_named *from, const ls_column *c, ls_value *out, ls_error *err) {
    const ls_json_value *v = &from->value;
    size_t quotes = v->kind == LS_JSON_STRING;
    if (!is_misfit(v, c)) return ls_read_value(d, w, v, out, err);
    *out = ls_value_bytes_of(LS_KIND_JSON, v->p - quotes, v->n + 2 * quotes);
    return 0;
}

/* Puts a list's values into a row; at[] are their columns. A list of names alone has LS_UNCHANGED for values. */
static int fill(ls_decoder *d, ls_work *w, const ls_schema *s, size_t which, const uint32_t *at, ls_value *row, ls_error *err) {
    const ls_named_list *l = &d->lists[which];
    for (size_t i = 0; i < l->n; i++) {
        ls_value *v = &row[at[i]];
        if (v->state != LS_ABSENT) return refuse(d, l->at[i].name.p, err, "a column that was not named before was wanted");
        if (which == LS_NOT_SENT)
            *v = ls_value_state(LS_UNCHANGED);
        else if (fill_value(d, w, &l->at[i], &s->cols[at[i]], v, err))
            return -1;
    }
    return 0;
}

/* An identity is the key, whole. */
static int check_key(const ls_decoder *d, const ls_schema *s, const ls_value *before, ls_error *err) {
    const ls_named_list *l = &d->lists[LS_IDENTITY];
    for (uint32_t i = 0; l->n && i < s->nkey; i++)
        if (before[s->key[i]].state > LS_NULL)
            return refuse(d, l->at[0].name.p, err, "an identity with column \"%.100s\" of \"pk\" was wanted", s->cols[s->key[i]].name);
    return 0;
}

static int fill_moved(ls_decoder *d, ls_work *w, ls_change *c, size_t which, uint8_t flag, ls_error *err) {
    const ls_named_list *l = &d->lists[which];
    const ls_schema *s = c->schema;
    if (!l->n) return 0;
    if (l->n != s->nkey) return refuse(d, l->at[0].name.p, err, "the %u columns of \"pk\" were wanted", s->nkey);
    ls_value *key = ls_work_values(w, l->n);
    if (!key) return no_memory(err);
    for (size_t i = 0; i < l->n; i++) {
        const char *name;
        size_t n;
        if (name_of(d, w, &l->at[i].name, &name, &n, err)) return -1;
        int col = ls_schema_find(s, name, n);
        uint16_t k = col < 0 ? 0 : s->cols[col].key_at;
        if (!k || key[k - 1].state != LS_ABSENT) return refuse(d, l->at[i].name.p, err, "each column of \"pk\" was wanted once");
        if (is_misfit(&l->at[i].value, &s->cols[col]))
            return refuse(d, l->at[i].value.p, err, "a value of the same type as the column's other one was wanted");
        if (fill_value(d, w, &l->at[i], &s->cols[col], &key[k - 1], err)) return -1;
    }
    c->moved = key;
    c->flags |= flag;
    return 0;
}

static int add_change(ls_decoder *d, ls_work *w, ls_error *err) {
    char action = action_of(d);
    const ls_schema *s = schema_of(d, w, action, err);
    const ls_tx *tx = s ? ls_read_tx(d, w, err) : NULL;
    ls_change *c = tx ? ls_work_add(w, s, tx, (uint8_t)action, d->source.seq) : NULL;
    if (!c) return tx ? no_memory(err) : -1;
    const uint32_t *at = d->at;
    c->sub = (uint32_t)d->source.sub;
    c->flags = d->source.snapshot ? LS_SNAPSHOT : 0;
    c->whole_table = d->table.kind == LS_JSON_STRING;
    if (action == 'I' || action == 'U') {
        if (!(c->after = ls_work_values(w, s->ncols))) return no_memory(err);
        if (fill(d, w, s, LS_COLUMNS, at, c->after, err)) return -1;
        at += d->lists[LS_COLUMNS].n;
        if (fill(d, w, s, LS_NOT_SENT, at, c->after, err)) return -1;
        at += d->lists[LS_NOT_SENT].n;
    }
    if (action == 'U' || action == 'D') {
        if (!(c->before = ls_work_values(w, s->ncols))) return no_memory(err);
        if (fill(d, w, s, LS_IDENTITY, at, c->before, err) || check_key(d, s, c->before, err)) return -1;
        if (s->nkey && d->lists[LS_IDENTITY].n > s->nkey) c->flags |= LS_WHOLE_IDENTITY;
    }
    if (action == 'I') return fill_moved(d, w, c, LS_WAS_AT, LS_MOVED_FROM, err);
    if (action == 'D') return fill_moved(d, w, c, LS_WENT_TO, LS_MOVED_TO, err);
    if (action == 'R') return cstr_of(d, w, &d->to_schema, &c->to_schema, err) || cstr_of(d, w, &d->to_table, &c->to_table, err) ? -1 : 0;
    return 0;
}

static int check_bytes(const ls_decoder *d, ls_error *err) {
    if (d->bytes >= UINT32_MAX) return ls_fail(err, LS_FAIL, "a message of %zu bytes, and the limit is 4 GiB", d->bytes);
    if (ls_utf8_valid(d->start, d->bytes)) return 0;
    for (size_t at = 0, step; at < d->bytes; at += step) {
        for (step = 1; step <= 4 && step <= d->bytes - at && !ls_utf8_valid(d->start + at, step);) step++;
        if (step > 4 || step > d->bytes - at) return refuse(d, d->start + at, err, "UTF-8 was wanted");
    }
    return 0;
}

static int read_message(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err) {
    uint32_t count = w->seen.count;
    d->start = m->value;
    d->bytes = m->value_len;
    int rc = check_bytes(d, err);
    if (rc == 0) {
        int quick = ls_read_quickly(d, w, err);
        if (quick > 0) return 0;
        rc = quick < 0 || read_text(d, err) || check(d, err) || add_change(d, w, err) ? -1 : 0;
    }
    if (rc == 0) return 0;
    w->seen.count = count;
    return ls_read_other(d, m, err);
}

const ls_reader ls_read_json = {.name = "list_sync", .read = read_message};
