/* json.c - changes to messages: the format "list_sync". */
#include "format/parts.h"

#include "base/json.h"

static void put_pk(ls_buf *out, const ls_schema *s) {
    for (uint32_t i = 0; i < s->nkey; i++) {
        const ls_column *c = &s->cols[s->key[i]];
        ls_buf_str(out, i ? ",{\"name\":" : ",\"pk\":[{\"name\":");
        ls_json_string(out, c->name, c->name_len);
        ls_buf_char(out, '}');
    }
    if (s->nkey) ls_buf_char(out, ']');
}

/* names: ","schema":"s","table":"t"; pk: ,"pk":[{"name":"id"}], or nothing; a column: },{"name":"c","value": */
static void fill(ls_parts *p, const ls_schema *s) {
    ls_buf_str(&p->text, "\",\"schema\":");
    ls_json_string(&p->text, s->schema, s->schema_len);
    ls_buf_str(&p->text, ",\"table\":");
    ls_json_string(&p->text, s->table, s->table_len);
    p->names = ls_parts_since(p, 0);
    put_pk(&p->text, s);
    p->pk = ls_parts_since(p, p->names.len);
    p->separator = 2;
    for (uint32_t i = 0; i < s->ncols; i++) {
        size_t from = p->text.len;
        ls_buf_str(&p->text, "},{\"name\":");
        ls_json_string(&p->text, s->cols[i].name, s->cols[i].name_len);
        ls_buf_str(&p->text, ",\"value\":");
        p->columns[i] = ls_parts_since(p, from);
    }
}

/* A list of named values; without one it leaves no trace. */
typedef struct list {
    size_t from; /* where its title begins */
    bool empty;
} list;

static list list_begin(ls_buf *out, const char *title) {
    list l = {.from = out->len, .empty = true};
    ls_buf_str(out, title);
    return l;
}

static void list_end(const list *l, ls_buf *out) {
    if (l->empty)
        out->len = l->from;
    else
        ls_buf_add(out, "}]", 2);
}

static void put_columns(ls_message *m) {
    list l = list_begin(m->out, ",\"columns\":[");
    for (uint32_t i = 0; i < m->schema->ncols; i++) ls_put_column(m, &l.empty, i, &m->change->after[i]);
    list_end(&l, m->out);
}

static void put_identity(ls_message *m) {
    list l = list_begin(m->out, ",\"identity\":[");
    ls_put_identity(m, &l.empty);
    list_end(&l, m->out);
}

static void put_moved(ls_message *m, const char *title) {
    list l = list_begin(m->out, title);
    ls_put_moved(m, &l.empty);
    list_end(&l, m->out);
}

static void write_source(ls_work *w, const ls_tx *tx) {
    ls_buf *out = &w->source;
    ls_buf_clear(out);
    ls_put_text(out, ",\"source\":{\"v\":1,\"connector\":", tx->connector);
    ls_put_text(out, ",\"db\":", tx->db);
    ls_put_i64(out, ",\"ts\":", tx->ts);
    ls_put_text(out, ",\"tx\":", tx->id);
    ls_put_text(out, ",\"pos\":", tx->pos);
    ls_buf_str(out, ",\"seq\":");
    w->source_of = out->failed ? NULL : tx;
}

/* A row that a consumer read from a message without `source` has none either. */
static void put_source(ls_work *w, ls_buf *out, const ls_change *c) {
    const ls_tx *tx = c->tx;
    if (!*tx->connector && !*tx->db && !*tx->pos && !*tx->id && !tx->ts && !c->seq && !c->sub && !(c->flags & LS_SNAPSHOT)) return;
    if (w->source_of != tx) write_source(w, tx);
    if (!w->source_of) {
        out->failed = true;
        return;
    }
    ls_buf_add(out, w->source.data, w->source.len);
    ls_buf_u64(out, c->seq);
    if (c->sub) ls_put_u64(out, ",\"sub\":", c->sub);
    if (c->flags & LS_SNAPSHOT) ls_buf_str(out, ",\"snapshot\":true");
    ls_buf_char(out, '}');
}

static void put_row(ls_message *m) {
    const ls_change *c = m->change;
    ls_put_span(m, m->parts->pk);
    if (c->after) put_columns(m);
    if (c->flags & LS_MOVED_FROM) put_moved(m, ",\"moved_from\":[");
    if (c->before) put_identity(m);
    if (c->flags & LS_MOVED_TO) put_moved(m, ",\"moved_to\":[");
    if (c->after) ls_put_unchanged(m, ",\"unchanged\":[");
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    ls_message m;
    if (ls_message_begin(&m, o, b, i, out, fill, err)) return -1;
    ls_buf_str(out, "{\"action\":\"");
    ls_buf_char(out, (char)c->action);
    if (c->whole_table) {
        ls_put_span(&m, m.parts->names);
    } else {
        ls_put_text(out, "\",\"schema\":", c->schema->schema);
        ls_buf_str(out, ",\"table\":null");
    }
    if (c->to_table) {
        ls_put_text(out, ",\"to_schema\":", c->to_schema);
        ls_put_text(out, ",\"to_table\":", c->to_table);
    }
    if (ls_format_is_row(c)) put_row(&m);
    if (!o->no_source) put_source(ls_work_of(b), out, c);
    ls_buf_char(out, '}');
    return ls_message_end(&m, err);
}

const ls_format_ops ls_format_list_sync = {.name = "list_sync", .encode = encode};
