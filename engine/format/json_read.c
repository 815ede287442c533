/* Messages of the format "list_sync" to changes: a consumer's side of json.c. Reads the text once. */
#include "format/format.h"

#include "base/json.h"
#include "base/text.h"
#include "change/value.h"
#include "format/tables.h"

#include <stdlib.h>
#include <string.h>

typedef struct named { /* {"name":..., "value":...}, or a bare name */
    ls_json_value name, value;
} named;

typedef struct list {
    named *at;
    size_t n, cap;
} list;

enum { LS_LISTS = 6 };
static const char *const list_names[LS_LISTS] = {"columns", "identity", "pk", "unchanged", "moved_from", "moved_to"};
enum { COLUMNS, IDENTITY, PK, UNCHANGED, MOVED_FROM, MOVED_TO };

struct ls_decoder {
    ls_tables *tables;
    list lists[LS_LISTS];
    ls_json_value action, schema, table, to_schema, to_table, connector, db, tx, pos;
    uint64_t seq, sub;
    int64_t ts;
    bool snapshot;
    ls_seen_column *cols; /* of the row under way */
    uint32_t *at;
    size_t cap_cols;
    uint32_t generation; /* of the batch that last_tx is in */
    const ls_tx *last_tx;
    ls_buf text; /* an unescaped string */
};

ls_decoder *ls_decoder_new(ls_schemas *schemas) {
    ls_decoder *d = calloc(1, sizeof *d);
    if (d) d->tables = ls_tables_new(schemas);
    if (d && d->tables) return d;
    free(d);
    return NULL;
}

void ls_decoder_free(ls_decoder *d) {
    if (!d) return;
    ls_tables_free(d->tables);
    for (size_t i = 0; i < LS_LISTS; i++) free(d->lists[i].at);
    free(d->cols);
    free(d->at);
    ls_buf_free(&d->text);
    free(d);
}

/* ---- the text */

static int add(list *l, const named *v, ls_error *err) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        named *p = realloc(l->at, cap * sizeof *p);
        if (!p) return ls_fail_memory(err, "reading a message");
        l->at = p;
        l->cap = cap;
    }
    l->at[l->n++] = *v;
    return 0;
}

static int read_named(ls_json *j, named *v, ls_error *err) {
    bool first = true;
    ls_json_value key, other;
    int more;
    *v = (named){.value.kind = LS_JSON_NULL};
    if (ls_json_open(j, '{', err)) return -1;
    while ((more = ls_json_more(j, '}', &first, err)) == 1) {
        if (ls_json_name(j, &key, err)) return -1;
        if (ls_json_read(j, ls_json_is(&key, "name") ? &v->name : ls_json_is(&key, "value") ? &v->value : &other, err)) return -1;
    }
    if (more < 0) return -1;
    return v->name.p && v->name.kind == LS_JSON_STRING ? 0 : ls_fail(err, LS_FAIL, "a column without \"name\"");
}

static int read_list(ls_json *j, list *l, bool bare, ls_error *err) {
    bool first = true;
    named v = {0};
    int more;
    if (ls_json_open(j, '[', err)) return -1;
    while ((more = ls_json_more(j, ']', &first, err)) == 1) {
        if (bare ? ls_json_read(j, &v.name, err) : read_named(j, &v, err)) return -1;
        if (v.name.kind != LS_JSON_STRING) return ls_fail(err, LS_FAIL, "a column's name is no string");
        if (add(l, &v, err)) return -1;
    }
    return more;
}

static int read_source(ls_decoder *d, ls_json *j, ls_error *err) {
    bool first = true;
    ls_json_value key, v;
    int more;
    if (ls_json_open(j, '{', err)) return -1;
    while ((more = ls_json_more(j, '}', &first, err)) == 1) {
        if (ls_json_name(j, &key, err) || ls_json_read(j, &v, err)) return -1;
        int bad = 0;
        if (ls_json_is(&key, "connector")) d->connector = v;
        else if (ls_json_is(&key, "db")) d->db = v;
        else if (ls_json_is(&key, "tx")) d->tx = v;
        else if (ls_json_is(&key, "pos")) d->pos = v;
        else if (ls_json_is(&key, "ts")) bad = ls_json_i64(&v, &d->ts);
        else if (ls_json_is(&key, "seq")) bad = ls_json_u64(&v, &d->seq);
        else if (ls_json_is(&key, "sub")) bad = ls_json_u64(&v, &d->sub) || d->sub > UINT32_MAX;
        else if (ls_json_is(&key, "snapshot")) d->snapshot = v.kind == LS_JSON_TRUE;
        if (bad) return ls_fail(err, LS_FAIL, "\"source\": \"%.*s\" is no number of its range", (int)key.n, key.p);
    }
    return more;
}

static int read_member(ls_decoder *d, ls_json *j, const ls_json_value *key, ls_error *err) {
    ls_json_value other;
    for (size_t i = 0; i < LS_LISTS; i++)
        if (ls_json_is(key, list_names[i])) return read_list(j, &d->lists[i], i == UNCHANGED, err);
    if (ls_json_is(key, "source")) return read_source(d, j, err);
    return ls_json_read(j, ls_json_is(key, "action")      ? &d->action
                           : ls_json_is(key, "schema")    ? &d->schema
                           : ls_json_is(key, "table")     ? &d->table
                           : ls_json_is(key, "to_schema") ? &d->to_schema
                           : ls_json_is(key, "to_table")  ? &d->to_table
                                                          : &other, err);
}

static int read_text(ls_decoder *d, const char *p, size_t n, ls_error *err) {
    ls_json j = ls_json_over(p, n);
    bool first = true;
    ls_json_value key;
    int more;
    static const ls_json_value none = {.kind = LS_JSON_NULL};
    for (size_t i = 0; i < LS_LISTS; i++) d->lists[i].n = 0;
    d->action = d->schema = d->table = d->to_schema = d->to_table = d->connector = d->db = d->tx = d->pos = none;
    d->seq = d->sub = 0;
    d->ts = 0;
    d->snapshot = false;
    if (!ls_utf8_valid(p, n)) return ls_fail(err, LS_FAIL, "the text is not valid UTF-8");
    if (ls_json_open(&j, '{', err)) return -1;
    while ((more = ls_json_more(&j, '}', &first, err)) == 1)
        if (ls_json_name(&j, &key, err) || read_member(d, &j, &key, err)) return -1;
    return more < 0 ? -1 : ls_json_end(&j, err);
}

/* ---- strings and values */

/* A string's text: in the message where it has no escapes, else in the arena. Not NUL-terminated. */
static int text_of(ls_decoder *d, ls_work *w, const ls_json_value *v, const char **p, size_t *n, ls_error *err) {
    *p = v->p;
    *n = v->n;
    if (!v->escaped) return 0;
    ls_buf_clear(&d->text);
    if (ls_json_unescape(v, &d->text, err)) return -1;
    *n = d->text.len;
    *p = ls_arena_copy(&w->arena, d->text.data, d->text.len);
    return *p ? 0 : ls_fail_memory(err, "reading a message");
}

static int cstr_of(ls_decoder *d, ls_work *w, const ls_json_value *v, const char **out, ls_error *err) {
    const char *p;
    size_t n;
    if (v->kind != LS_JSON_STRING) {
        *out = "";
        return 0;
    }
    if (text_of(d, w, v, &p, &n, err)) return -1;
    *out = v->escaped ? p : ls_arena_copy(&w->arena, p, n);
    if (*out && memchr(p, 0, n)) return ls_fail(err, LS_FAIL, "a name holds a NUL character");
    return *out ? 0 : ls_fail_memory(err, "reading a message");
}

static int copy_into(char *to, size_t size, ls_decoder *d, ls_work *w, const ls_json_value *v, const char *what, ls_error *err) {
    const char *p;
    if (cstr_of(d, w, v, &p, err)) return -1;
    size_t n = strlen(p);
    if (n >= size) return ls_fail(err, LS_FAIL, "\"source\": \"%s\" is longer than %zu bytes", what, size - 1);
    memcpy(to, p, n + 1);
    return 0;
}

static uint8_t type_of(const ls_json_value *v) {
    switch (v->kind) {
    case LS_JSON_STRING: return LS_TYPE_STRING;
    case LS_JSON_TRUE:
    case LS_JSON_FALSE: return LS_TYPE_BOOLEAN;
    case LS_JSON_ARRAY:
    case LS_JSON_OBJECT: return LS_TYPE_ARRAY;
    case LS_JSON_NULL: return LS_TYPE_UNKNOWN;
    case LS_JSON_NUMBER: break;
    }
    for (size_t i = 0; i < v->n; i++)
        if (v->p[i] == '.' || v->p[i] == 'e' || v->p[i] == 'E') return LS_TYPE_FLOAT;
    return LS_TYPE_INTEGER;
}

static int value_of(ls_decoder *d, ls_work *w, const ls_json_value *v, ls_value *out, ls_error *err) {
    const char *p = v->p;
    size_t n = v->n;
    switch (v->kind) {
    case LS_JSON_NULL: *out = ls_value_state(LS_NULL); return 0;
    case LS_JSON_TRUE:
    case LS_JSON_FALSE: *out = (ls_value){.kind = LS_KIND_BOOL, .as.i = v->kind == LS_JSON_TRUE}; return 0;
    case LS_JSON_ARRAY:
    case LS_JSON_OBJECT: *out = ls_value_bytes_of(LS_KIND_JSON, p, n); return 0;
    case LS_JSON_STRING:
        if (text_of(d, w, v, &p, &n, err)) return -1;
        break;
    case LS_JSON_NUMBER: break;
    }
    *out = ls_value_text(p, n);
    return 0;
}

/* ---- the change */

static int room_for_columns(ls_decoder *d, size_t n, ls_error *err) {
    if (n <= d->cap_cols) return 0;
    ls_seen_column *c = realloc(d->cols, n * sizeof *c);
    if (c) d->cols = c;
    uint32_t *a = c ? realloc(d->at, n * sizeof *a) : NULL;
    if (a) d->at = a;
    if (!a) return ls_fail_memory(err, "reading a message");
    d->cap_cols = n;
    return 0;
}

static int see(ls_decoder *d, ls_work *w, const list *l, ls_seen_column *out, ls_error *err) {
    for (size_t i = 0; i < l->n; i++) {
        if (text_of(d, w, &l->at[i].name, &out[i].name, &out[i].name_len, err)) return -1;
        out[i].type = type_of(&l->at[i].value);
    }
    return 0;
}

/* The row's schema; d->at[] then holds the column numbers of the row's list, and behind them those of `unchanged`. */
static const ls_schema *schema_of(ls_decoder *d, ls_work *w, const list *row, bool whole, ls_error *err) {
    const list *unchanged = &d->lists[UNCHANGED], *pk = &d->lists[PK];
    size_t more = whole ? unchanged->n : 0, n = row->n + more;
    const char *schema, *table;
    bool bad_key = false;
    if (cstr_of(d, w, &d->schema, &schema, err) || cstr_of(d, w, &d->table, &table, err) ||
        room_for_columns(d, n + pk->n + 1, err) || see(d, w, row, d->cols, err) ||
        (more && see(d, w, unchanged, d->cols + row->n, err)) || see(d, w, pk, d->cols + n, err))
        return NULL;
    const ls_schema *s = ls_tables_schema(d->tables, schema, strlen(schema), table, strlen(table), d->cols, n, whole, d->cols + n,
                                          pk->n, d->at, &bad_key);
    if (!s && bad_key) ls_fail(err, LS_FAIL, "%s.%s: \"pk\" names a column that the row does not carry", schema, table);
    else if (!s) ls_fail_memory(err, "reading a message");
    return s;
}

static const ls_tx *tx_of(ls_decoder *d, ls_work *w, ls_error *err) {
    ls_tx tx = {.ts = d->ts};
    const ls_tx *last = d->generation == w->seen.generation ? d->last_tx : NULL;
    if (copy_into(tx.pos, sizeof tx.pos, d, w, &d->pos, "pos", err) || copy_into(tx.id, sizeof tx.id, d, w, &d->tx, "tx", err)) return NULL;
    if (cstr_of(d, w, &d->connector, &tx.connector, err) || cstr_of(d, w, &d->db, &tx.db, err)) return NULL;
    if (last && last->ts == tx.ts && strcmp(last->pos, tx.pos) == 0 && strcmp(last->id, tx.id) == 0 &&
        strcmp(last->connector, tx.connector) == 0 && strcmp(last->db, tx.db) == 0)
        return last;
    d->last_tx = ls_work_tx(w, &tx);
    d->generation = w->seen.generation;
    if (!d->last_tx) ls_fail_memory(err, "reading a message");
    return d->last_tx;
}

static ls_value *image_of(ls_decoder *d, ls_work *w, const ls_schema *s, const list *l, const uint32_t *at, ls_error *err) {
    ls_value *row = ls_work_values(w, s->ncols);
    if (!row) {
        ls_fail_memory(err, "reading a message");
        return NULL;
    }
    for (size_t i = 0; i < l->n; i++)
        if (value_of(d, w, &l->at[i].value, &row[at[i]], err)) return NULL;
    return row;
}

/* The identity of an update: its columns are among the schema's, which the row after has named. */
static ls_value *identity_of(ls_decoder *d, ls_work *w, const ls_schema *s, ls_error *err) {
    const list *l = &d->lists[IDENTITY];
    if (room_for_columns(d, l->n, err) || see(d, w, l, d->cols, err)) return NULL;
    for (size_t i = 0; i < l->n; i++) {
        int k = ls_schema_find(s, d->cols[i].name, d->cols[i].name_len);
        if (k < 0) {
            ls_fail(err, LS_FAIL, "%s.%s: \"identity\" names column \"%.*s\", which the row does not carry", s->schema, s->table,
                    (int)d->cols[i].name_len, d->cols[i].name);
            return NULL;
        }
        d->at[i] = (uint32_t)k;
    }
    return image_of(d, w, s, l, d->at, err);
}

static int add_moved(ls_decoder *d, ls_work *w, ls_change *c, const list *l, uint8_t flag, ls_error *err) {
    if (!l->n || l->n != c->schema->nkey) return 0;
    ls_value *key = ls_work_values(w, l->n);
    if (!key) return ls_fail_memory(err, "reading a message");
    for (size_t i = 0; i < l->n; i++)
        if (value_of(d, w, &l->at[i].value, &key[i], err)) return -1;
    c->moved = key;
    c->flags |= flag;
    return 0;
}

static int add_change(ls_decoder *d, ls_work *w, char action, ls_error *err) {
    bool has_row = action == 'I' || action == 'U';
    static const list empty = {0};
    const list *row = has_row ? &d->lists[COLUMNS] : action == 'D' ? &d->lists[IDENTITY] : &empty;
    const ls_schema *s = schema_of(d, w, row, has_row, err);
    const ls_tx *tx = s ? tx_of(d, w, err) : NULL;
    if (!tx) return -1;
    ls_value *image = row == &empty ? NULL : image_of(d, w, s, row, d->at, err), *before = NULL;
    if (row != &empty && !image) return -1;
    for (size_t i = 0; has_row && i < d->lists[UNCHANGED].n; i++) image[d->at[row->n + i]] = ls_value_state(LS_UNCHANGED);
    if (action == 'U' && !(before = identity_of(d, w, s, err))) return -1;
    ls_change *c = ls_work_add(w, s, tx, (uint8_t)action, d->seq);
    if (!c) return ls_fail_memory(err, "reading a message");
    c->sub = (uint32_t)d->sub;
    c->flags = d->snapshot ? LS_SNAPSHOT : 0;
    c->after = has_row ? image : NULL;
    c->before = action == 'D' ? image : before;
    c->whole_table = d->table.kind == LS_JSON_STRING;
    if (action == 'R' && (cstr_of(d, w, &d->to_schema, &c->to_schema, err) || cstr_of(d, w, &d->to_table, &c->to_table, err))) return -1;
    return add_moved(d, w, c, &d->lists[MOVED_FROM], LS_MOVED_FROM, err) || add_moved(d, w, c, &d->lists[MOVED_TO], LS_MOVED_TO, err) ? -1 : 0;
}

static int check(const ls_decoder *d, ls_error *err) {
    char a = d->action.kind == LS_JSON_STRING && d->action.n == 1 ? *d->action.p : 0;
    if (!a || !strchr("IUDTXR", a)) return ls_fail(err, LS_FAIL, "\"action\" is none of I, U, D, T, X, R");
    if (d->schema.kind != LS_JSON_STRING || (d->table.kind != LS_JSON_STRING && a != 'X'))
        return ls_fail(err, LS_FAIL, "\"schema\" or \"table\" is missing");
    if ((a == 'I' || a == 'U') && !d->lists[COLUMNS].n && !d->lists[UNCHANGED].n) return ls_fail(err, LS_FAIL, "\"columns\" is missing");
    if (a == 'D' && !d->lists[IDENTITY].n) return ls_fail(err, LS_FAIL, "\"identity\" is missing");
    if (d->lists[COLUMNS].n + d->lists[UNCHANGED].n > LS_COLUMNS_MAX || d->lists[IDENTITY].n > LS_COLUMNS_MAX)
        return ls_fail(err, LS_FAIL, "more than %d columns", LS_COLUMNS_MAX);
    return 0;
}

int ls_decoder_read(ls_decoder *d, ls_work *w, const char *p, size_t n, ls_error *err) {
    uint32_t count = w->seen.count;
    if (read_text(d, p, n, err) == 0 && check(d, err) == 0 && add_change(d, w, *d->action.p, err) == 0) return 0;
    w->seen.count = count;
    return ls_fail_in(err, "this is no list_sync message (take the topic out of topic_list if others write to it)");
}
