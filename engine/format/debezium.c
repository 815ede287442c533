/* debezium.c - the format "debezium": what Debezium's connectors send with the JSON converter and schemas off. docs/formats.md tells
 * which of Debezium's modes the values follow. */
#include "format/parts.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>

/* What stands for a value that the server did not send; bytes are base64 and arrays are arrays here, too. */
#define UNAVAILABLE "\"__debezium_unavailable_value\""
#define UNAVAILABLE_BYTES "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\""
#define UNAVAILABLE_ARRAY "[" UNAVAILABLE "]"

/* names: "s","table":"t" */
static void fill(ls_parts *p, const ls_schema *s) {
    ls_json_string(&p->text, s->schema, s->schema_len);
    ls_buf_str(&p->text, ",\"table\":");
    ls_json_string(&p->text, s->table, s->table_len);
    p->names = ls_parts_since(p, 0);
    ls_parts_members(p, s);
}

static void put_before(ls_message *m) {
    bool first = true;
    ls_buf_str(m->out, "{\"before\":");
    if (!m->change->before) {
        ls_buf_str(m->out, "null");
        return;
    }
    ls_buf_char(m->out, '{');
    ls_put_identity(m, &first);
    ls_buf_char(m->out, '}');
}

static const char *unavailable(int type) {
    switch (type) {
    case LS_TYPE_BYTES: return UNAVAILABLE_BYTES;
    case LS_TYPE_ARRAY:
    case LS_TYPE_SET:
    case LS_TYPE_VECTOR: return UNAVAILABLE_ARRAY;
    default: return UNAVAILABLE;
    }
}

static void put_after(ls_message *m) {
    const ls_schema *s = m->schema;
    bool first = true;
    ls_buf_str(m->out, ",\"after\":");
    if (!m->change->after) {
        ls_buf_str(m->out, "null");
        return;
    }
    ls_buf_char(m->out, '{');
    for (uint32_t i = 0; i < s->ncols; i++) {
        const ls_value *v = &m->change->after[i];
        if (v->state == LS_UNCHANGED) {
            ls_put_name(m, &first, i);
            ls_buf_str(m->out, unavailable(s->cols[i].type));
        } else {
            ls_put_column(m, &first, i, v);
        }
    }
    ls_buf_char(m->out, '}');
}

static bool is_postgres(const ls_change *c) { return strcmp(c->tx->db, "postgres") == 0; }

/* The place: what PostgreSQL's connector calls txId and lsn, the others gtid, file and pos. */
static void put_place(ls_message *m) {
    const ls_change *c = m->change;
    uint64_t epoch;
    ls_place place;
    bool known = ls_place_read_pos(c->tx->pos, &epoch, &place) == 0;
    if (is_postgres(c)) {
        ls_buf_str(m->out, ",\"txId\":");
        ls_buf_str(m->out, *c->tx->id ? c->tx->id : "null"); /* a number */
        if (known) ls_put_u64(m->out, ",\"lsn\":", place.offset);
        ls_buf_str(m->out, ",\"xmin\":null");
    } else {
        if (*c->tx->id)
            ls_put_text(m->out, ",\"gtid\":", c->tx->id);
        else
            ls_buf_str(m->out, ",\"gtid\":null");
        if (known) ls_buf_fmt(m->out, ",\"file\":\"%06llu\",\"pos\":%llu", (unsigned long long)place.file, (unsigned long long)place.offset);
    }
    if (known && epoch) ls_put_u64(m->out, ",\"epoch\":", epoch);
    ls_put_u64(m->out, ",\"seq\":", c->seq);
    if (c->sub) ls_put_u64(m->out, ",\"sub\":", c->sub);
}

/* Without source = true it tells the table alone, which stands nowhere else. */
static void put_source(ls_message *m) {
    const ls_change *c = m->change;
    const ls_tx *tx = c->tx;
    const char *database = m->options->database ? m->options->database : "";
    bool whole = !m->options->no_source;
    ls_buf_str(m->out, ",\"source\":{");
    if (whole) {
        ls_put_text(m->out, "\"version\":", LIST_SYNC_VERSION);
        ls_put_text(m->out, ",\"connector\":", is_postgres(c) ? "postgresql" : tx->db);
        ls_put_text(m->out, ",\"name\":", tx->connector);
        ls_put_i64(m->out, ",\"ts_ms\":", tx->ts / 1000);
        ls_buf_str(m->out, c->flags & LS_SNAPSHOT ? ",\"snapshot\":\"true\"," : ",\"snapshot\":\"false\",");
    }
    if (is_postgres(c)) ls_put_text(m->out, "\"db\":", database);
    ls_buf_str(m->out, is_postgres(c) ? ",\"schema\":" : "\"db\":");
    ls_put_span(m, m->parts->names);
    if (whole) {
        ls_put_i64(m->out, ",\"ts_us\":", tx->ts);
        put_place(m);
    }
    ls_buf_char(m->out, '}');
}

static char operation(const ls_change *c) {
    switch (c->action) {
    case 'I': return c->flags & LS_SNAPSHOT ? 'r' : 'c';
    case 'U': return 'u';
    case 'D': return 'd';
    default: return 't';
    }
}

static int encode(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    ls_message m;
    if (ls_message_begin(&m, o, b, i, out, fill, err)) return -1;
    if (!ls_format_is_row(m.change) && m.change->action != 'T') return ls_message_no_ddl(&m, "debezium", err);
    put_before(&m);
    put_after(&m);
    put_source(&m);
    ls_buf_str(out, ",\"op\":\"");
    ls_buf_char(out, operation(m.change));
    ls_put_i64(out, "\",\"ts_ms\":", ls_clock_wall_us() / 1000);
    ls_buf_str(out, ",\"transaction\":null}");
    return ls_message_end(&m, err);
}

const ls_format_ops ls_format_debezium = {.name = "debezium", .encode = encode};
