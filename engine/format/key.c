/* key.c - the Kafka key, which is the same whatever format the message has. */
#include "format/format.h"

#include "base/json.h"
#include "change/value.h"

/* A column's value in the row that the message is about, or NULL when nobody sent it. */
static const ls_value *value_of(const ls_change *c, uint32_t col) {
    if (c->after && c->after[col].state <= LS_NULL) return &c->after[col];
    if (c->before && c->before[col].state <= LS_NULL) return &c->before[col];
    return NULL;
}

static int no_value(const ls_format_options *o, const ls_schema *s, const ls_column *column, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "table %s.%s, column \"%s\": a key column came without a value, so the message has no key; %s", s->schema, s->table, column->name,
                   o->nkey ? "take columns of the table's own key, or identity = \"full\", so that a delete has them too"
                           : "the server must send whole keys (REPLICA IDENTITY on PostgreSQL, binlog_row_image=FULL on MariaDB and MySQL)");
}

/* The number of the key's k-th column; -1 with the error. */
static int key_column(const ls_format_options *o, const ls_schema *s, size_t k, ls_error *err) {
    if (!o->nkey) return s->key[k];
    int col = ls_schema_find(s, o->key[k], strlen(o->key[k]));
    if (col < 0)
        ls_fail(err, LS_FAIL, "table %s.%s has no column \"%s\", which `key` names: take another, or leave the table out of `tables`", s->schema, s->table,
                o->key[k]);
    return col;
}

static void put_table(const ls_schema *s, ls_buf *out) {
    ls_json_string(out, s->schema, s->schema_len);
    ls_buf_char(out, ',');
    ls_json_string(out, s->table, s->table_len);
    ls_buf_char(out, ',');
}

/* The values between brackets, with their names or without. */
static int put_several(const ls_format_options *o, const ls_change *c, size_t n, ls_buf *out, ls_error *err) {
    const ls_schema *s = c->schema;
    ls_buf_char(out, o->object_key ? '{' : '[');
    if (o->table_key) put_table(s, out);
    for (size_t k = 0; k < n; k++) {
        int col = key_column(o, s, k, err);
        if (col < 0) return -1;
        const ls_column *column = &s->cols[col];
        const ls_value *v = value_of(c, (uint32_t)col);
        if (!v) return no_value(o, s, column, err);
        if (k) ls_buf_char(out, ',');
        if (o->object_key) {
            ls_json_string(out, column->name, column->name_len);
            ls_buf_char(out, ':');
        }
        ls_value_json(out, v, column->type);
    }
    ls_buf_char(out, o->object_key ? '}' : ']');
    return 1;
}

static int put_one(const ls_format_options *o, const ls_change *c, ls_buf *out, ls_error *err) {
    int col = key_column(o, c->schema, 0, err);
    if (col < 0) return -1;
    const ls_value *v = value_of(c, (uint32_t)col);
    if (!v) return no_value(o, c->schema, &c->schema->cols[col], err);
    if (v->state == LS_NULL) return 0;
    ls_value_print(out, v);
    return 1;
}

int ls_format_key(const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_change *c = &b->changes[i];
    size_t n = o->nkey ? o->nkey : c->schema->nkey;
    if (!ls_format_is_row(c) || !n) return 0;
    int rc = n > 1 || o->table_key || o->object_key ? put_several(o, c, n, out, err) : put_one(o, c, out, err);
    return out->failed ? ls_fail_memory(err, "encoding a message's key") : rc;
}
