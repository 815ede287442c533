/* json.c - changes to messages and keys: the format "list_sync". */
#include "format/format.h"

#include "base/json.h"
#include "change/value.h"

#include <stdlib.h>

typedef struct span {
    size_t at, len;
} span;

/* What is the same in every message of a schema. */
typedef struct template_ {
    ls_buf text;
    span names;      /* ","schema":"s","table":"t" */
    span pk;         /* ,"pk":[{"name":"id"}], or nothing */
    span columns[];  /* for each },{"name":"c","value": of which a list's first element leaves out the first two bytes */
} template_;

static void template_free(void *p) {
    template_ *t = p;
    ls_buf_free(&t->text);
    free(t);
}

static span since(const template_ *t, size_t from) { return (span){from, t->text.len - from}; }

static void put_pk(ls_buf *out, const ls_schema *s) {
    for (uint32_t i = 0; i < s->nkey; i++) {
        const ls_column *c = &s->cols[s->key[i]];
        ls_buf_str(out, i ? ",{\"name\":" : ",\"pk\":[{\"name\":");
        ls_json_string(out, c->name, c->name_len);
        ls_buf_char(out, '}');
    }
    if (s->nkey) ls_buf_char(out, ']');
}

static template_ *template_new(const ls_schema *s) {
    template_ *t = calloc(1, sizeof *t + s->ncols * sizeof(span));
    if (!t) return NULL;
    ls_buf_str(&t->text, "\",\"schema\":");
    ls_json_string(&t->text, s->schema, s->schema_len);
    ls_buf_str(&t->text, ",\"table\":");
    ls_json_string(&t->text, s->table, s->table_len);
    t->names = since(t, 0);
    put_pk(&t->text, s);
    t->pk = since(t, t->names.len);
    for (uint32_t i = 0; i < s->ncols; i++) {
        size_t from = t->text.len;
        ls_buf_str(&t->text, "},{\"name\":");
        ls_json_string(&t->text, s->cols[i].name, s->cols[i].name_len);
        ls_buf_str(&t->text, ",\"value\":");
        t->columns[i] = since(t, from);
    }
    if (!t->text.failed) return t;
    template_free(t);
    return NULL;
}

static const template_ *template_of(const ls_schema *s) {
    template_ *t = ls_schema_cache(s);
    if (t) return t;
    t = template_new(s);
    if (t) ls_schema_set_cache(s, t, template_free);
    return t;
}

static void put(ls_buf *out, const template_ *t, span s) { ls_buf_add(out, t->text.data + s.at, s.len); }

/* A list of named values, which put_value() fills; without one it leaves no trace. */
typedef struct list {
    size_t from; /* where its title begins */
    bool filled;
} list;

static list list_begin(ls_buf *out, const char *title) {
    list l = {.from = out->len};
    ls_buf_str(out, title);
    return l;
}

static void put_value(list *l, ls_buf *out, const template_ *t, const ls_schema *s, uint32_t col, const ls_value *v) {
    if (v->state > LS_NULL) return;
    span name = t->columns[col];
    size_t skip = l->filled ? 0 : 2;
    ls_buf_add(out, t->text.data + name.at + skip, name.len - skip);
    ls_value_json(out, v, s->cols[col].type);
    l->filled = true;
}

static void list_end(const list *l, ls_buf *out) {
    if (l->filled)
        ls_buf_add(out, "}]", 2);
    else
        out->len = l->from;
}

static void put_columns(ls_buf *out, const template_ *t, const ls_schema *s, const ls_value *row) {
    list l = list_begin(out, ",\"columns\":[");
    for (uint32_t i = 0; i < s->ncols; i++) put_value(&l, out, t, s, i, &row[i]);
    list_end(&l, out);
}

/* The key's columns in the key's own order; without a key the whole row. */
static void put_identity(ls_buf *out, const template_ *t, const ls_schema *s, const ls_value *row) {
    list l = list_begin(out, ",\"identity\":[");
    uint32_t n = s->nkey ? s->nkey : s->ncols;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t col = s->nkey ? s->key[i] : i;
        put_value(&l, out, t, s, col, &row[col]);
    }
    list_end(&l, out);
}

static void put_moved(ls_buf *out, const template_ *t, const ls_schema *s, const char *title, const ls_value *key) {
    list l = list_begin(out, title);
    for (uint32_t i = 0; i < s->nkey; i++) put_value(&l, out, t, s, s->key[i], &key[i]);
    list_end(&l, out);
}

static void put_unchanged(ls_buf *out, const ls_schema *s, const ls_value *row) {
    bool any = false;
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (row[i].state != LS_UNCHANGED) continue;
        ls_buf_str(out, any ? "," : ",\"unchanged\":[");
        ls_json_string(out, s->cols[i].name, s->cols[i].name_len);
        any = true;
    }
    if (any) ls_buf_char(out, ']');
}

static void put_text(ls_buf *out, const char *title, const char *text) {
    ls_buf_str(out, title);
    ls_json_string(out, text, strlen(text));
}

/* A row that a consumer read from a message without `source` has none either. */
static void put_source(ls_buf *out, const ls_change *c) {
    const ls_tx *tx = c->tx;
    if (!*tx->connector && !*tx->db && !*tx->pos && !*tx->id && !tx->ts && !c->seq && !c->sub && !(c->flags & LS_SNAPSHOT)) return;
    put_text(out, ",\"source\":{\"v\":1,\"connector\":", tx->connector);
    put_text(out, ",\"db\":", tx->db);
    ls_buf_str(out, ",\"ts\":");
    ls_buf_i64(out, tx->ts);
    put_text(out, ",\"tx\":", tx->id);
    put_text(out, ",\"pos\":", tx->pos);
    ls_buf_str(out, ",\"seq\":");
    ls_buf_u64(out, c->seq);
    if (c->sub) {
        ls_buf_str(out, ",\"sub\":");
        ls_buf_u64(out, c->sub);
    }
    if (c->flags & LS_SNAPSHOT) ls_buf_str(out, ",\"snapshot\":true");
    ls_buf_char(out, '}');
}

static void put_row(ls_buf *out, const template_ *t, const ls_change *c) {
    const ls_schema *s = c->schema;
    put(out, t, t->pk);
    if (c->after) put_columns(out, t, s, c->after);
    if (c->flags & LS_MOVED_FROM) put_moved(out, t, s, ",\"moved_from\":[", c->moved);
    if (c->before) put_identity(out, t, s, c->before);
    if (c->flags & LS_MOVED_TO) put_moved(out, t, s, ",\"moved_to\":[", c->moved);
    if (c->after) put_unchanged(out, s, c->after);
}

static bool is_row(const ls_change *c) { return c->action == 'I' || c->action == 'U' || c->action == 'D'; }

static int encode(ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    const template_ *t = template_of(c->schema);
    if (!t) return ls_fail_memory(err, "encoding a message");
    ls_buf_str(out, "{\"action\":\"");
    ls_buf_char(out, (char)c->action);
    if (c->whole_table) {
        put(out, t, t->names);
    } else {
        put_text(out, "\",\"schema\":", c->schema->schema);
        ls_buf_str(out, ",\"table\":null");
    }
    if (c->to_table) {
        put_text(out, ",\"to_schema\":", c->to_schema);
        put_text(out, ",\"to_table\":", c->to_table);
    }
    if (is_row(c)) put_row(out, t, c);
    put_source(out, c);
    ls_buf_char(out, '}');
    return out->failed ? ls_fail_memory(err, "encoding a message") : 0;
}

/* The value of the i-th key column in the row that the message is about, or NULL when nobody sent it. */
static const ls_value *key_value(const ls_change *c, uint32_t i) {
    uint16_t col = c->schema->key[i];
    if (c->after && c->after[col].state <= LS_NULL) return &c->after[col];
    if (c->before && c->before[col].state <= LS_NULL) return &c->before[col];
    return NULL;
}

static int key(ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    const ls_schema *s = c->schema;
    if (!is_row(c) || !s->nkey) return 0;
    for (uint32_t k = 0; k < s->nkey; k++) {
        const ls_column *column = &s->cols[s->key[k]];
        const ls_value *v = key_value(c, k);
        if (!v)
            return ls_fail(err, LS_FAIL,
                           "table %s.%s, column \"%s\": a key column came without a value, so the message has no key; the server "
                           "must send whole keys (REPLICA IDENTITY on PostgreSQL, binlog_row_image=FULL on MariaDB and MySQL)",
                           s->schema, s->table, column->name);
        if (s->nkey == 1) {
            if (v->state == LS_NULL) return 0;
            ls_value_print(out, v);
        } else {
            ls_buf_char(out, k ? ',' : '[');
            ls_value_json(out, v, column->type);
        }
    }
    if (s->nkey > 1) ls_buf_char(out, ']');
    return out->failed ? ls_fail_memory(err, "encoding a message's key") : 1;
}

const ls_format_ops ls_format_list_sync = {.name = "list_sync", .encode = encode, .key = key};
