#include "format/parts.h"

#include <stdlib.h>

static void drop(void *parts) {
    ls_parts *p = parts;
    ls_buf_free(&p->text);
    free(p);
}

static const ls_parts *parts_of(const ls_schema *s, void (*fill)(ls_parts *p, const ls_schema *s)) {
    ls_parts *p = ls_schema_cache(s, drop);
    if (p && p->fill == fill) return p;
    p = calloc(1, sizeof *p + s->ncols * sizeof(ls_span));
    if (!p) return NULL;
    p->fill = fill;
    p->clash = -1;
    fill(p, s);
    if (p->text.failed) {
        drop(p);
        return NULL;
    }
    ls_schema_set_cache(s, p, drop);
    return p;
}

int ls_message_begin(ls_message *m, const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out,
                     void (*fill)(ls_parts *p, const ls_schema *s), ls_error *err) {
    const ls_change *c = &b->changes[i];
    *m = (ls_message){.options = o, .parts = parts_of(c->schema, fill), .change = c, .schema = c->schema, .out = out, .bad = -1};
    return m->parts ? 0 : ls_fail_memory(err, "encoding a message");
}

int ls_message_end(const ls_message *m, ls_error *err) {
    const ls_schema *s = m->schema;
    if (m->bad >= 0)
        return ls_fail(err, LS_FAIL,
                       "table %s.%s, column \"%s\", position %s/%llu: the text is no JSON document, or nests deeper than %d, and cannot be "
                       "embedded: mend the value, or take json = \"text\"",
                       s->schema, s->table, s->cols[m->bad].name, m->change->tx->pos, (unsigned long long)m->change->seq, LS_JSON_DEPTH);
    return m->out->failed ? ls_fail_memory(err, "encoding a message") : 0;
}

int ls_message_no_ddl(const ls_message *m, const char *format, ls_error *err) {
    return ls_fail(err, LS_FAIL, "table %s.%s: the format \"%s\" has no form for a drop or a rename: take ddl = false, or format = \"list_sync\"",
                   m->schema->schema, m->change->whole_table ? m->schema->table : "*", format);
}

void ls_parts_members(ls_parts *p, const ls_schema *s) {
    p->separator = 1;
    for (uint32_t i = 0; i < s->ncols; i++) {
        size_t from = p->text.len;
        ls_buf_char(&p->text, ',');
        ls_json_string(&p->text, s->cols[i].name, s->cols[i].name_len);
        ls_buf_char(&p->text, ':');
        p->columns[i] = ls_parts_since(p, from);
    }
}

void ls_put_identity(ls_message *m, bool *first) {
    const ls_schema *s = m->schema;
    bool whole = !s->nkey || m->change->flags & LS_WHOLE_IDENTITY;
    uint32_t n = whole ? s->ncols : s->nkey;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t col = whole ? i : s->key[i];
        ls_put_column(m, first, col, &m->change->before[col]);
    }
}

void ls_put_moved(ls_message *m, bool *first) {
    for (uint32_t i = 0; i < m->schema->nkey; i++) ls_put_column(m, first, m->schema->key[i], &m->change->moved[i]);
}

void ls_put_unchanged(ls_message *m, const char *title) {
    const ls_schema *s = m->schema;
    bool any = false;
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (m->change->after[i].state != LS_UNCHANGED) continue;
        ls_buf_str(m->out, any ? "," : title);
        ls_json_string(m->out, s->cols[i].name, s->cols[i].name_len);
        any = true;
    }
    if (any) ls_buf_char(m->out, ']');
}
