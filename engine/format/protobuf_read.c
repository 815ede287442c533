/* protobuf_read.c - messages of the format "protobuf" to changes: a consumer's side of protobuf.c. The same change comes from the JSON message
 * of it, but that types are known here which have to be guessed there. */
#include "format/protobuf.h"
#include "format/read.h"

#include "base/text.h"
#include "change/number.h"
#include "change/value.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    LS_UNPACK_A_COLUMN = 160, /* bytes that protobuf-c takes for a column, beside those of its name and value */
    LS_UNPACK_LISTS = 3       /* lists of as many columns as a table may have: memory that a message may unpack to */
};

/* A list of columns by its field's name. */
typedef struct list {
    const char *name;
    ListSync__Column *const *at;
    size_t n;
} list;

/* The names of pk or unchanged. */
typedef struct names {
    const char *name;
    const ProtobufCBinaryData *at;
    size_t n;
} names;

static int no_memory(ls_error *err) { return ls_fail_memory(err, "reading a message"); }

LS_PRINTF(2, 3) static int refuse(ls_error *err, const char *fmt, ...) {
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return ls_fail(err, LS_FAIL, "field %s was wanted", what);
}

static int refuse_column(ls_error *err, const list *l, size_t i, const char *wanted) {
    const ProtobufCBinaryData *name = &l->at[i]->name;
    bool shown = name->len && name->len < 100 && ls_utf8_valid((const char *)name->data, name->len);
    return refuse(err, "%s[%zu]%s%.*s%s: %s", l->name, i, shown ? " (" : "", shown ? (int)name->len : 0, shown ? (const char *)name->data : "",
                  shown ? ")" : "", wanted);
}

/* ---- memory: a bounded part of the scratch arena, given back whole */

typedef struct bounded {
    ls_arena *arena;
    size_t left;
    bool full, failed; /* beyond the bound; memory is out */
} bounded;

static void *take(void *ctx, size_t n) {
    bounded *b = ctx;
    if (n > b->left) b->full = true;
    void *p = b->full ? NULL : ls_arena_alloc(b->arena, n);
    if (p) b->left -= n;
    b->failed |= !p && !b->full;
    return p;
}

static void give_back(void *ctx, void *p) { (void)ctx, (void)p; }

/* ---- names */

static const char *text_at(const ProtobufCBinaryData *b) { return b->len ? (const char *)b->data : ""; }

static bool is_name(const ProtobufCBinaryData *b) { return !memchr(text_at(b), 0, b->len) && ls_utf8_valid(text_at(b), b->len); }

/* A name that must be there. */
static int check_name(const ProtobufCBinaryData *b, const char *field, ls_error *err) {
    if (!b->len) return refuse(err, "%s: a name", field);
    return is_name(b) ? 0 : refuse(err, "%s: a name in UTF-8 without a NUL character", field);
}

/* A text of the source; most: bytes; 0: no limit. */
static int read_text(const ProtobufCBinaryData *b, const char *field, size_t most, ls_json_value *out, ls_error *err) {
    if (!is_name(b)) return refuse(err, "source.%s: UTF-8 without a NUL character", field);
    if (most && b->len > most) return refuse(err, "source.%s: no more than %zu bytes", field, most);
    *out = (ls_json_value){.kind = LS_JSON_STRING, .p = text_at(b), .n = b->len};
    return 0;
}

static int read_source(ls_decoder *d, const ListSync__Source *s, ls_error *err) {
    static const ls_json_value none = {.kind = LS_JSON_NULL};
    d->source = (ls_read_source){.connector = none, .db = none, .tx = none, .pos = none};
    if (!s) return 0;
    if (s->v > 1) return ls_fail(err, LS_FAIL, "field source.v is %u; this program reads version 1", s->v);
    d->source.ts = s->ts;
    d->source.seq = s->seq;
    d->source.sub = s->sub;
    d->source.snapshot = s->snapshot;
    return read_text(&s->connector, "connector", 0, &d->source.connector, err) || read_text(&s->db, "db", 0, &d->source.db, err) ||
                   read_text(&s->tx, "tx", sizeof((ls_tx *)0)->id - 1, &d->source.tx, err) ||
                   read_text(&s->pos, "pos", sizeof((ls_tx *)0)->pos - 1, &d->source.pos, err)
               ? -1
               : 0;
}

/* ---- values */

/* Of a column that comes without its type. */
static int type_of_value(const ListSync__Column *c) {
    switch (c->value_case) {
    case LIST_SYNC__COLUMN__VALUE_INT_VALUE:
    case LIST_SYNC__COLUMN__VALUE_UINT_VALUE: return LS_TYPE_INTEGER;
    case LIST_SYNC__COLUMN__VALUE_DOUBLE_VALUE:
    case LIST_SYNC__COLUMN__VALUE_FLOAT_VALUE: return LS_TYPE_FLOAT;
    case LIST_SYNC__COLUMN__VALUE_BOOL_VALUE: return LS_TYPE_BOOLEAN;
    case LIST_SYNC__COLUMN__VALUE_TEXT_VALUE: return LS_TYPE_STRING;
    case LIST_SYNC__COLUMN__VALUE_BYTES_VALUE: return LS_TYPE_BYTES;
    case LIST_SYNC__COLUMN__VALUE_JSON_VALUE: return LS_TYPE_ARRAY;
    default: return LS_TYPE_UNKNOWN;
    }
}

/* -1: there is no such type. */
static int type_of(const ListSync__Column *c) {
    int type = ls_protobuf_type_read(c->type);
    return type == LS_TYPE_UNKNOWN ? type_of_value(c) : type;
}

static bool is_nested(int type) {
    return type == LS_TYPE_ARRAY || type == LS_TYPE_SET || type == LS_TYPE_GEOMETRY || type == LS_TYPE_VECTOR;
}

/* Does the field that holds the value go with the type? */
static bool fits(const ListSync__Column *c, int type) {
    switch (c->value_case) {
    case LIST_SYNC__COLUMN__VALUE_NULL_VALUE: return true;
    case LIST_SYNC__COLUMN__VALUE_INT_VALUE:
    case LIST_SYNC__COLUMN__VALUE_UINT_VALUE: return type == LS_TYPE_INTEGER || type == LS_TYPE_FLOAT;
    case LIST_SYNC__COLUMN__VALUE_DOUBLE_VALUE:
    case LIST_SYNC__COLUMN__VALUE_FLOAT_VALUE: return type == LS_TYPE_FLOAT;
    case LIST_SYNC__COLUMN__VALUE_BOOL_VALUE: return type == LS_TYPE_BOOLEAN;
    case LIST_SYNC__COLUMN__VALUE_TEXT_VALUE: return type != LS_TYPE_BOOLEAN && type != LS_TYPE_BYTES && type != LS_TYPE_JSON && !is_nested(type);
    case LIST_SYNC__COLUMN__VALUE_BYTES_VALUE: return type == LS_TYPE_BYTES;
    case LIST_SYNC__COLUMN__VALUE_JSON_VALUE: return type == LS_TYPE_JSON || is_nested(type);
    default: return false;
    }
}

static bool is_number_text(const char *p, size_t n, int type) {
    ls_json j = ls_json_over(p, n);
    ls_json_value v;
    ls_error ignored;
    if (type == LS_TYPE_INTEGER) return ls_number_is_integer(p, n);
    return ls_json_read(&j, &v, &ignored) == 0 && v.kind == LS_JSON_NUMBER && v.n == n;
}

/* Bytes into the batch: what they were unpacked to goes with the message. */
static int keep(ls_work *w, enum ls_kind kind, const char *p, size_t n, ls_value *out, ls_error *err) {
    const char *copy = ls_arena_copy(&w->arena, p, n);
    if (!copy) return no_memory(err);
    *out = ls_value_bytes_of(kind, copy, n);
    return 0;
}

static int read_nested(ls_decoder *d, ls_work *w, const list *l, size_t i, ls_value *out, ls_error *err) {
    const char *p = text_at(&l->at[i]->json_value);
    size_t n = l->at[i]->json_value.len;
    if (!ls_json_is_document(p, n)) return refuse_column(err, l, i, "json_value that is a JSON document");
    if (ls_json_is_compact(p, n)) return keep(w, LS_KIND_JSON, p, n, out, err);
    ls_buf_clear(&d->text);
    ls_json_compact(&d->text, p, n);
    return d->text.failed ? no_memory(err) : keep(w, LS_KIND_JSON, d->text.data, d->text.len, out, err);
}

static int read_string(ls_decoder *d, ls_work *w, const list *l, size_t i, int type, ls_value *out, ls_error *err) {
    const ListSync__Column *c = l->at[i];
    bool json = c->value_case == LIST_SYNC__COLUMN__VALUE_JSON_VALUE;
    const ProtobufCBinaryData *b = json ? &c->json_value : &c->text_value;
    if (!ls_utf8_valid(text_at(b), b->len)) return refuse_column(err, l, i, json ? "json_value in UTF-8" : "text_value in UTF-8");
    if (json && type != LS_TYPE_JSON) return read_nested(d, w, l, i, out, err);
    if ((type == LS_TYPE_INTEGER || type == LS_TYPE_FLOAT) && !is_number_text(text_at(b), b->len, type))
        return refuse_column(err, l, i, "text_value that is a number");
    return keep(w, LS_KIND_TEXT, text_at(b), b->len, out, err);
}

static int read_value(ls_decoder *d, ls_work *w, const list *l, size_t i, int type, ls_value *out, ls_error *err) {
    const ListSync__Column *c = l->at[i];
    switch (c->value_case) {
    case LIST_SYNC__COLUMN__VALUE_NULL_VALUE: *out = ls_value_state(LS_NULL); return 0;
    case LIST_SYNC__COLUMN__VALUE_INT_VALUE: *out = ls_value_int(c->int_value); return 0;
    case LIST_SYNC__COLUMN__VALUE_UINT_VALUE: *out = ls_value_uint(c->uint_value); return 0;
    case LIST_SYNC__COLUMN__VALUE_DOUBLE_VALUE: *out = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = c->double_value}; return 0;
    case LIST_SYNC__COLUMN__VALUE_FLOAT_VALUE: *out = (ls_value){.kind = LS_KIND_FLOAT, .as.d = (double)c->float_value}; return 0;
    case LIST_SYNC__COLUMN__VALUE_BOOL_VALUE: *out = (ls_value){.kind = LS_KIND_BOOL, .as.i = c->bool_value != 0}; return 0;
    case LIST_SYNC__COLUMN__VALUE_BYTES_VALUE: return keep(w, LS_KIND_BYTES, text_at(&c->bytes_value), c->bytes_value.len, out, err);
    default: return read_string(d, w, l, i, type, out, err);
    }
}

/* As JSON, where the column's type does not take it: the two images of a column without a type may hold values of two. */
static int read_misfit(ls_decoder *d, ls_work *w, int type, ls_value *v, ls_error *err) {
    ls_buf_clear(&d->text);
    ls_value_json(&d->text, v, type);
    return d->text.failed ? no_memory(err) : keep(w, LS_KIND_JSON, d->text.data, d->text.len, v, err);
}

/* ---- the schema */

static int see(const list *l, ls_seen_column **out, ls_error *err) {
    for (size_t i = 0; i < l->n; i++, ++*out) {
        const ListSync__Column *c = l->at[i];
        int type = type_of(c);
        if (!is_name(&c->name)) return refuse_column(err, l, i, "a name in UTF-8 without a NUL character");
        if (type < 0) return refuse_column(err, l, i, "a type of column that this program knows");
        if (c->value_case == LIST_SYNC__COLUMN__VALUE__NOT_SET) return refuse_column(err, l, i, "a value that this program knows (NULL is null_value)");
        if (!fits(c, type)) return refuse_column(err, l, i, "a value of the column's type");
        **out = (ls_seen_column){.name = text_at(&c->name), .name_len = c->name.len, .type = (uint8_t)type};
    }
    return 0;
}

static int see_names(const names *l, ls_seen_column **out, ls_error *err) {
    for (size_t i = 0; i < l->n; i++, ++*out) {
        if (!is_name(&l->at[i])) return refuse(err, "%s[%zu]: a name in UTF-8 without a NUL character", l->name, i);
        **out = (ls_seen_column){.name = text_at(&l->at[i]), .name_len = l->at[i].len, .type = LS_TYPE_UNKNOWN};
    }
    return 0;
}

/* A message's sections, as far as its action has them. */
typedef struct sections {
    list columns, identity, moved;
    names pk, unchanged;
} sections;

static sections sections_of(const ListSync__Change *m, char action) {
    sections s = {.columns = {"columns", m->columns, 0}, .identity = {"identity", m->identity, 0}, .moved = {"moved_to", m->moved_to, 0},
                  .pk = {"pk", m->pk, 0},                .unchanged = {"unchanged", m->unchanged, 0}};
    if (action == 'I' || action == 'U') {
        s.columns.n = m->n_columns;
        s.unchanged.n = m->n_unchanged;
    }
    if (action == 'U' || action == 'D') s.identity.n = m->n_identity;
    if (action == 'D') s.moved.n = m->n_moved_to;
    if (action == 'I') s.moved = (list){"moved_from", m->moved_from, m->n_moved_from};
    if (action == 'I' || action == 'U' || action == 'D') s.pk.n = m->n_pk;
    return s;
}

/* The row's schema. d->at[] then holds the column numbers of columns, unchanged and identity, one behind the other. */
static const ls_schema *schema_of(ls_decoder *d, const ListSync__Change *m, const sections *s, char action, ls_error *err) {
    size_t n = s->columns.n + s->unchanged.n + s->identity.n;
    const char *why;
    ls_seen_row r = {.schema = text_at(&m->schema),
                     .schema_len = m->schema.len,
                     .table = text_at(&m->table),
                     .table_len = m->table.len,
                     .ncols = n,
                     .ordered = s->columns.n,
                     .whole = action == 'I' || action == 'U',
                     .nkey = s->pk.n};
    if (ls_read_room(d, n + r.nkey + 1, err)) return NULL;
    ls_seen_column *c = d->cols;
    if (see(&s->columns, &c, err) || see_names(&s->unchanged, &c, err) || see(&s->identity, &c, err)) return NULL;
    r.cols = d->cols;
    r.key = c;
    if (see_names(&s->pk, &c, err)) return NULL;
    const ls_schema *schema = ls_tables_schema(d->tables, &r, d->at, &why);
    if (!schema && why)
        ls_fail(err, LS_FAIL, "%.*s.%.*s: %s", (int)r.schema_len, r.schema, (int)r.table_len, r.table, why);
    else if (!schema)
        no_memory(err);
    return schema;
}

/* ---- the change */

/* Puts a list's values into a row; at[] are their columns. */
static int fill(ls_decoder *d, ls_work *w, const ls_schema *s, const list *l, const uint32_t *at, ls_value *row, ls_error *err) {
    for (size_t i = 0; i < l->n; i++) {
        const ls_seen_column seen = {.type = (uint8_t)type_of(l->at[i])};
        ls_value *v = &row[at[i]];
        if (v->state != LS_ABSENT) return refuse_column(err, l, i, "a column that was not named before");
        if (read_value(d, w, l, i, seen.type, v, err)) return -1;
        if (v->state == LS_PRESENT && !ls_tables_takes(s->cols[at[i]].type, &seen) && read_misfit(d, w, seen.type, v, err)) return -1;
    }
    return 0;
}

static int fill_unchanged(const names *l, const uint32_t *at, ls_value *row, ls_error *err) {
    for (size_t i = 0; i < l->n; i++) {
        if (row[at[i]].state != LS_ABSENT) return refuse(err, "%s[%zu]: a column that was not named before", l->name, i);
        row[at[i]] = ls_value_state(LS_UNCHANGED);
    }
    return 0;
}

/* An identity is the key, whole. */
static int check_key(const list *identity, const ls_schema *s, const ls_value *before, ls_error *err) {
    for (uint32_t i = 0; identity->n && i < s->nkey; i++)
        if (before[s->key[i]].state > LS_NULL) return refuse(err, "identity: column \"%.100s\" of pk", s->cols[s->key[i]].name);
    return 0;
}

static int fill_moved(ls_decoder *d, ls_work *w, ls_change *c, const list *l, ls_error *err) {
    const ls_schema *s = c->schema;
    if (!l->n) return 0;
    if (l->n != s->nkey) return refuse(err, "%s: each of the %u columns of pk, once,", l->name, s->nkey);
    ls_value *key = ls_work_values(w, l->n);
    if (!key) return no_memory(err);
    for (size_t i = 0; i < l->n; i++) {
        const ListSync__Column *m = l->at[i];
        int col = ls_schema_find(s, text_at(&m->name), m->name.len), type = type_of(m);
        uint16_t k = col < 0 ? 0 : s->cols[col].key_at;
        if (!k || key[k - 1].state != LS_ABSENT) return refuse_column(err, l, i, "each column of pk once");
        if (type < 0 || !fits(m, type) || !ls_tables_takes(s->cols[col].type, &(const ls_seen_column){.type = (uint8_t)type}))
            return refuse_column(err, l, i, "a value of the same type as the column's other one");
        if (read_value(d, w, l, i, type, &key[k - 1], err)) return -1;
    }
    c->moved = key;
    c->flags |= c->action == 'I' ? LS_MOVED_FROM : LS_MOVED_TO;
    return 0;
}

static int fill_row(ls_decoder *d, ls_work *w, ls_change *c, const sections *s, ls_error *err) {
    const ls_schema *schema = c->schema;
    const uint32_t *at = d->at;
    if (c->action != 'D') {
        if (!(c->after = ls_work_values(w, schema->ncols))) return no_memory(err);
        if (fill(d, w, schema, &s->columns, at, c->after, err)) return -1;
        at += s->columns.n;
        if (fill_unchanged(&s->unchanged, at, c->after, err)) return -1;
        at += s->unchanged.n;
    }
    if (c->action != 'I') {
        if (!(c->before = ls_work_values(w, schema->ncols))) return no_memory(err);
        if (fill(d, w, schema, &s->identity, at, c->before, err) || check_key(&s->identity, schema, c->before, err)) return -1;
        if (schema->nkey && s->identity.n > schema->nkey) c->flags |= LS_WHOLE_IDENTITY;
    }
    return fill_moved(d, w, c, &s->moved, err);
}

static int fill_rename(ls_work *w, ls_change *c, const ListSync__Change *m, ls_error *err) {
    if (check_name(&m->to_schema, "to_schema", err) || check_name(&m->to_table, "to_table", err)) return -1;
    c->to_schema = ls_arena_copy(&w->arena, m->to_schema.data, m->to_schema.len);
    c->to_table = ls_arena_copy(&w->arena, m->to_table.data, m->to_table.len);
    return c->to_schema && c->to_table ? 0 : no_memory(err);
}

static int check_sections(const sections *s, char action, ls_error *err) {
    const struct { const char *name; size_t n, most; } all[] = {{"columns", s->columns.n, LS_COLUMNS_MAX},
                                                                {"identity", s->identity.n, LS_COLUMNS_MAX},
                                                                {"unchanged", s->unchanged.n, LS_COLUMNS_MAX},
                                                                {"pk", s->pk.n, LS_KEY_MAX}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].n > all[i].most) return refuse(err, "%s: no more than %zu columns", all[i].name, all[i].most);
    if (!s->pk.n) return 0; /* a table may have no columns at all */
    if (action != 'D' && !s->columns.n && !s->unchanged.n) return refuse(err, "columns");
    return action == 'D' && !s->identity.n ? refuse(err, "identity") : 0;
}

/* The action's letter; 0: none that there is. */
static char letter_of(const ListSync__Change *m) {
    static const char letters[] = {[LIST_SYNC__CHANGE__ACTION__ACTION_INSERT] = 'I',       [LIST_SYNC__CHANGE__ACTION__ACTION_UPDATE] = 'U',
                                   [LIST_SYNC__CHANGE__ACTION__ACTION_DELETE] = 'D',       [LIST_SYNC__CHANGE__ACTION__ACTION_TRUNCATE] = 'T',
                                   [LIST_SYNC__CHANGE__ACTION__ACTION_DROP_TABLE] = 'X',   [LIST_SYNC__CHANGE__ACTION__ACTION_DROP_DATABASE] = 'X',
                                   [LIST_SYNC__CHANGE__ACTION__ACTION_RENAME_TABLE] = 'R'};
    size_t i = (size_t)m->action;
    return i < sizeof letters ? letters[i] : 0;
}

static int add_change(ls_decoder *d, ls_work *w, const ListSync__Change *m, ls_error *err) {
    char action = letter_of(m);
    bool whole_table = m->action != LIST_SYNC__CHANGE__ACTION__ACTION_DROP_DATABASE;
    if (!action) return refuse(err, "action: one that this program knows");
    if (check_name(&m->schema, "schema", err) || (whole_table && check_name(&m->table, "table", err))) return -1;
    if (!whole_table && m->table.len) return refuse(err, "table: none, of a database that was dropped,");
    const sections s = sections_of(m, action);
    if (((action == 'I' || action == 'U' || action == 'D') && check_sections(&s, action, err)) || read_source(d, m->source, err)) return -1;
    const ls_schema *schema = schema_of(d, m, &s, action, err);
    const ls_tx *tx = schema ? ls_read_tx(d, w, err) : NULL;
    ls_change *c = tx ? ls_work_add(w, schema, tx, (uint8_t)action, d->source.seq) : NULL;
    if (!c) return tx ? no_memory(err) : -1;
    c->sub = (uint32_t)d->source.sub;
    c->flags = d->source.snapshot ? LS_SNAPSHOT : 0;
    c->whole_table = whole_table;
    if (action == 'R') return fill_rename(w, c, m, err);
    return ls_format_is_row(c) ? fill_row(d, w, c, &s, err) : 0;
}

/* ---- the message */

static int read_message(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err) {
    uint32_t count = w->seen.count;
    bounded memory = {.arena = &d->scratch, .left = 2 * m->value_len + (size_t)LS_UNPACK_LISTS * LS_COLUMNS_MAX * LS_UNPACK_A_COLUMN};
    ProtobufCAllocator allocator = {.alloc = take, .free = give_back, .allocator_data = &memory};
    const uint8_t *bytes = (const uint8_t *)m->value;
    ProtobufCMessage *u = NULL;
    if (m->value_len < UINT32_MAX) u = protobuf_c_message_unpack(&list_sync__change__descriptor, &allocator, m->value_len, bytes);
    int rc = u               ? add_change(d, w, (const ListSync__Change *)(const void *)u, err)
             : memory.failed ? no_memory(err)
             : memory.full   ? refuse(err, "columns: no more than %d columns in each list", LS_COLUMNS_MAX)
             : m->value_len >= UINT32_MAX
                 ? ls_fail(err, LS_FAIL, "a message of %zu bytes, and the limit is 4 GiB", m->value_len)
                 : ls_protobuf_refuse(&list_sync__change__descriptor, bytes, m->value_len, err);
    ls_arena_reset(&d->scratch);
    if (d->text.cap > LS_BATCH_BYTES) ls_buf_free(&d->text); /* a large value's room goes back */
    if (rc == 0) return 0;
    w->seen.count = count;
    return ls_read_other(d, m, err);
}

const ls_reader ls_read_protobuf = {.name = "protobuf", .read = read_message};
