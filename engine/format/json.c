/* json.c - changes to messages: the format "list_sync". */
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

/* A message on its way. */
typedef struct message {
    const ls_format_options *options;
    const template_ *t;
    const ls_schema *schema;
    ls_buf *out;
    int bad; /* a column whose text is no JSON document, which it was to be; -1: none */
} message;

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

static void put_value(list *l, message *m, uint32_t col, const ls_value *v) {
    if (v->state > LS_NULL) return;
    span name = m->t->columns[col];
    size_t skip = l->filled ? 0 : 2;
    int type = m->schema->cols[col].type;
    ls_buf_add(m->out, m->t->text.data + name.at + skip, name.len - skip);
    l->filled = true;
    if (m->options->embed_json && type == LS_TYPE_JSON && v->state == LS_PRESENT && v->kind == LS_KIND_TEXT) {
        if (!ls_json_is_document(v->as.p, v->len)) m->bad = (int)col; /* a server may keep what is none: MariaDB does where the check was off */
        ls_buf_add(m->out, v->as.p, v->len);
    } else {
        ls_value_json(m->out, v, type);
    }
}

static void list_end(const list *l, ls_buf *out) {
    if (l->filled)
        ls_buf_add(out, "}]", 2);
    else
        out->len = l->from;
}

static void put_columns(message *m, const ls_value *row) {
    list l = list_begin(m->out, ",\"columns\":[");
    for (uint32_t i = 0; i < m->schema->ncols; i++) put_value(&l, m, i, &row[i]);
    list_end(&l, m->out);
}

/* The key's columns in the key's own order; without a key, or asked for, the whole row. */
static void put_identity(message *m, const ls_value *row, bool whole) {
    const ls_schema *s = m->schema;
    list l = list_begin(m->out, ",\"identity\":[");
    uint32_t n = whole ? s->ncols : s->nkey;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t col = whole ? i : s->key[i];
        put_value(&l, m, col, &row[col]);
    }
    list_end(&l, m->out);
}

static void put_moved(message *m, const char *title, const ls_value *key) {
    list l = list_begin(m->out, title);
    for (uint32_t i = 0; i < m->schema->nkey; i++) put_value(&l, m, m->schema->key[i], &key[i]);
    list_end(&l, m->out);
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

static void put_row(message *m, const ls_change *c) {
    put(m->out, m->t, m->t->pk);
    if (c->after) put_columns(m, c->after);
    if (c->flags & LS_MOVED_FROM) put_moved(m, ",\"moved_from\":[", c->moved);
    if (c->before) put_identity(m, c->before, !c->schema->nkey || c->flags & LS_WHOLE_IDENTITY);
    if (c->flags & LS_MOVED_TO) put_moved(m, ",\"moved_to\":[", c->moved);
    if (c->after) put_unchanged(m->out, c->schema, c->after);
}

static int no_document(const ls_change *c, int col, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "table %s.%s, column \"%s\", position %s/%llu: the text is no JSON document, or nests deeper than %d, and cannot be "
                   "embedded: mend the value, or take json = \"text\"",
                   c->schema->schema, c->schema->table, c->schema->cols[col].name, c->tx->pos, (unsigned long long)c->seq, LS_JSON_DEPTH);
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    const template_ *t = template_of(c->schema);
    message m = {.options = o, .t = t, .schema = c->schema, .out = out, .bad = -1};
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
    if (ls_format_is_row(c)) put_row(&m, c);
    if (m.bad >= 0) return no_document(c, m.bad, err);
    if (!o->no_source) put_source(out, c);
    ls_buf_char(out, '}');
    return out->failed ? ls_fail_memory(err, "encoding a message") : 0;
}

const ls_format_ops ls_format_list_sync = {.name = "list_sync", .encode = encode};
