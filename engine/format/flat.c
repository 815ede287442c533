/* flat.c - the format "flat": the row's columns as one JSON object, with what else there is to tell in members that begin with _. */
#include "format/parts.h"

#include "base/json.h"

/* No column may have one of these names, whether or not a message has the member: it is refused at once and not at the first delete. */
static const char *const members[] = {"_action", "_schema", "_table", "_to_schema", "_to_table", "_identity", "_moved_from", "_moved_to",
                                      "_unchanged", "_connector", "_ts", "_pos", "_seq", "_sub", "_snapshot"};

/* names: "_schema":"s","_table":"t" */
static void fill(ls_parts *p, const ls_schema *s) {
    ls_buf_str(&p->text, "\"_schema\":");
    ls_json_string(&p->text, s->schema, s->schema_len);
    ls_buf_str(&p->text, ",\"_table\":");
    ls_json_string(&p->text, s->table, s->table_len);
    p->names = ls_parts_since(p, 0);
    ls_parts_members(p, s);
    for (size_t i = 0; p->clash < 0 && i < sizeof members / sizeof *members; i++) p->clash = ls_schema_find(s, members[i], strlen(members[i]));
}

static int clashes(const ls_message *m, ls_error *err) {
    const ls_schema *s = m->schema;
    const char *name = s->cols[m->parts->clash].name;
    return ls_fail(err, LS_FAIL,
                   "table %s.%s, column \"%s\": the format \"flat\" has a member of that name: rename the column with columns = { rename = { %s = "
                   "\"%s_\" } }, or take another format", s->schema, s->table, name, name, name);
}

static void put_object(ls_message *m, const char *title, void (*put)(ls_message *m, bool *first)) {
    bool first = true;
    ls_buf_str(m->out, title);
    put(m, &first);
    ls_buf_char(m->out, '}');
}

static void put_columns(ls_message *m, bool *first) {
    if (!m->change->after) {
        ls_put_identity(m, first);
        return;
    }
    for (uint32_t i = 0; i < m->schema->ncols; i++) ls_put_column(m, first, i, &m->change->after[i]);
}

static void put_source(ls_message *m) {
    const ls_change *c = m->change;
    ls_put_text(m->out, ",\"_connector\":", c->tx->connector);
    ls_put_i64(m->out, ",\"_ts\":", c->tx->ts);
    ls_put_text(m->out, ",\"_pos\":", c->tx->pos);
    ls_put_u64(m->out, ",\"_seq\":", c->seq);
    if (c->sub) ls_put_u64(m->out, ",\"_sub\":", c->sub);
    if (c->flags & LS_SNAPSHOT) ls_buf_str(m->out, ",\"_snapshot\":true");
}

/* What stands behind the action and the names: a row that is not named by its new key alone, and the columns that did not come. */
static void put_row(ls_message *m) {
    const ls_change *c = m->change;
    bool whole = !m->schema->nkey || c->flags & LS_WHOLE_IDENTITY;
    if (c->after && c->before && whole) put_object(m, ",\"_identity\":{", ls_put_identity);
    if (c->flags & LS_MOVED_FROM) put_object(m, ",\"_moved_from\":{", ls_put_moved);
    if (c->flags & LS_MOVED_TO) put_object(m, ",\"_moved_to\":{", ls_put_moved);
    if (c->after) ls_put_unchanged(m, ",\"_unchanged\":[");
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    ls_message m;
    bool first = true;
    if (ls_message_begin(&m, o, b, i, out, fill, err)) return -1;
    if (m.parts->clash >= 0) return clashes(&m, err);
    ls_buf_char(out, '{');
    if (ls_format_is_row(c)) put_columns(&m, &first);
    ls_buf_str(out, first ? "\"_action\":\"" : ",\"_action\":\"");
    ls_buf_char(out, (char)c->action);
    ls_buf_str(out, "\",");
    if (c->whole_table) {
        ls_put_span(&m, m.parts->names);
    } else {
        ls_put_text(out, "\"_schema\":", c->schema->schema);
        ls_buf_str(out, ",\"_table\":null");
    }
    if (c->to_table) {
        ls_put_text(out, ",\"_to_schema\":", c->to_schema);
        ls_put_text(out, ",\"_to_table\":", c->to_table);
    }
    if (ls_format_is_row(c)) put_row(&m);
    if (!o->no_source) put_source(&m);
    ls_buf_char(out, '}');
    return ls_message_end(&m, err);
}

const ls_format_ops ls_format_flat = {.name = "flat", .encode = encode};
