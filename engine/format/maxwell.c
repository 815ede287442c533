/* maxwell.c - the format "maxwell": Maxwell's JSON, with its options output_gtid_position, output_binlog_position and output_xoffset. */
#include "format/parts.h"

#include "base/json.h"
#include "change/value.h"

enum { US_A_SECOND = 1000000 };

/* names: {"database":"s","table":"t","type":" */
static void fill(ls_parts *p, const ls_schema *s) {
    ls_buf_str(&p->text, "{\"database\":");
    ls_json_string(&p->text, s->schema, s->schema_len);
    ls_buf_str(&p->text, ",\"table\":");
    ls_json_string(&p->text, s->table, s->table_len);
    ls_buf_str(&p->text, ",\"type\":\"");
    p->names = ls_parts_since(p, 0);
    ls_parts_members(p, s);
}

static const char *type_of(const ls_change *c) {
    switch (c->action) {
    case 'I': return c->flags & LS_SNAPSHOT ? "bootstrap-insert" : "insert";
    case 'U': return "update";
    case 'D': return "delete";
    default: return "table-truncate";
    }
}

static void put_position(ls_message *m) {
    const ls_tx *tx = m->change->tx;
    bool postgres = strcmp(tx->db, "postgres") == 0;
    uint64_t epoch;
    ls_place place;
    if (*tx->id && postgres) {
        ls_buf_str(m->out, ",\"xid\":");
        ls_buf_str(m->out, tx->id); /* a number */
    } else if (*tx->id) {
        ls_put_text(m->out, ",\"gtid\":", tx->id);
    }
    if (ls_place_read_pos(tx->pos, &epoch, &place) == 0) {
        if (postgres)
            ls_buf_fmt(m->out, ",\"position\":\"%llX/%llX\"", (unsigned long long)(place.offset >> 32), (unsigned long long)(place.offset & UINT32_MAX));
        else
            ls_buf_fmt(m->out, ",\"position\":\"%06llu:%llu\"", (unsigned long long)place.file, (unsigned long long)place.offset);
        if (epoch) ls_put_u64(m->out, ",\"epoch\":", epoch);
    }
    if (m->change->seq) ls_put_u64(m->out, ",\"xoffset\":", m->change->seq - 1);
    if (m->change->sub) ls_put_u64(m->out, ",\"sub\":", m->change->sub);
}

/* The row after; of a delete what is known of the row before. */
static void put_data(ls_message *m) {
    bool first = true;
    ls_buf_str(m->out, ",\"data\":{");
    if (m->change->after)
        for (uint32_t i = 0; i < m->schema->ncols; i++) ls_put_column(m, &first, i, &m->change->after[i]);
    else
        ls_put_identity(m, &first);
    ls_buf_char(m->out, '}');
}

/* Of the row before what its identity tells and is otherwise now. */
static void put_old(ls_message *m) {
    const ls_value *before = m->change->before, *after = m->change->after;
    bool first = true, whole = !m->schema->nkey || m->change->flags & LS_WHOLE_IDENTITY;
    size_t from = m->out->len;
    ls_buf_str(m->out, ",\"old\":{");
    for (uint32_t i = 0; i < m->schema->ncols; i++)
        if ((whole || m->schema->cols[i].key_at) && after[i].state <= LS_NULL && before[i].state <= LS_NULL && !ls_value_same(&before[i], &after[i])) ls_put_column(m, &first, i, &before[i]);
    if (first)
        m->out->len = from;
    else
        ls_buf_char(m->out, '}');
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    ls_message m;
    if (ls_message_begin(&m, o, b, i, out, fill, err)) return -1;
    if (!ls_format_is_row(c) && c->action != 'T') return ls_message_no_ddl(&m, "maxwell", err);
    ls_put_span(&m, m.parts->names);
    ls_buf_str(out, type_of(c));
    ls_put_i64(out, "\",\"ts\":", c->tx->ts / US_A_SECOND);
    if (!o->no_source) put_position(&m);
    if (c->after || c->before) put_data(&m);
    if (c->after && c->before) put_old(&m);
    ls_buf_char(out, '}');
    return ls_message_end(&m, err);
}

const ls_format_ops ls_format_maxwell = {.name = "maxwell", .encode = encode};
