#include "capture/wal2json.h"

#include "capture/wal2json_table.h"
#include "change/row.h"
#include "change/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OID_BYTEA = 17 };

struct ls_wal2json {
    ls_wal2json_conf conf;
    ls_w2j_tables tables;
    ls_w2j_message m;
    ls_arena names; /* the message's, until the next one */
    ls_buf text;
    ls_pg_reader reader;
    ls_pg_tx tx;
};

ls_wal2json *ls_wal2json_new(const ls_wal2json_conf *conf) {
    ls_wal2json *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->conf = *conf;
    d->tx = (ls_pg_tx){.plugin = "wal2json", .delivered_seq = conf->delivered_seq};
    snprintf(d->tx.delivered_pos, sizeof d->tx.delivered_pos, "%s", conf->delivered_pos);
    d->conf.delivered_pos = d->tx.delivered_pos;
    d->tables.conf = &d->conf;
    d->tables.types.catalog = &d->conf.catalog.base;
    return d;
}

void ls_wal2json_free(ls_wal2json *d) {
    if (!d) return;
    ls_w2j_tables_free(&d->tables);
    ls_w2j_message_free(&d->m);
    ls_arena_free(&d->names);
    ls_buf_free(&d->text);
    ls_pg_reader_free(&d->reader);
    free(d);
}

bool ls_wal2json_in_transaction(const ls_wal2json *d) {
    return d->tx.open;
}

/* ---- values */

/* A string's characters: in the message, or in the batch if it holds escapes. */
static int plain_text(ls_wal2json *d, ls_work *w, const ls_json_value *v, const char **p, size_t *n, ls_error *err) {
    *p = v->p;
    *n = v->n;
    if (!v->escaped) return 0;
    ls_buf_clear(&d->text);
    if (ls_json_unescape(v, &d->text, err)) return -1;
    *p = ls_arena_copy(&w->arena, d->text.data, d->text.len);
    *n = d->text.len;
    return *p ? 0 : ls_fail_memory(err, "reading a value");
}

/* The server's own text of a value, as pgoutput sends it. wal2json prints by the column's own type: booleans as true and
 * false, bytea without its \x, numbers bare; a domain's value, whatever it is over, as a string. */
static int server_text(ls_wal2json *d, ls_work *w, const ls_w2j_field *f, const char **p, size_t *n, ls_error *err) {
    const ls_json_value *v = &f->value;
    switch (v->kind) {
    case LS_JSON_TRUE:
    case LS_JSON_FALSE:
        *p = v->kind == LS_JSON_TRUE ? "t" : "f";
        *n = 1;
        return 0;
    case LS_JSON_NUMBER:
        *p = v->p;
        *n = v->n;
        return 0;
    case LS_JSON_STRING:
        if (f->type != OID_BYTEA) return plain_text(d, w, v, p, n, err);
        ls_buf_clear(&d->text); /* its reader copies what it reads */
        ls_buf_add(&d->text, "\\x", 2);
        ls_buf_add(&d->text, v->p, v->n);
        *p = d->text.data;
        *n = d->text.len;
        return d->text.failed ? ls_fail_memory(err, "reading a value") : 0;
    default:
        return ls_fail(err, LS_FAIL, "an array or object (%zu bytes) stands where a value was wanted", v->n);
    }
}

/* A value of the row under way is wrong: says where, and what the message has of the row's key. */
static int in_row(const ls_wal2json *d, const ls_w2j_table *t, uint32_t col, ls_error *err) {
    const ls_w2j_fields *row = d->m.columns.n ? &d->m.columns : &d->m.identity;
    ls_buf key = {0};
    for (size_t i = 0; i < row->n; i++)
        for (uint32_t k = 0; k < t->schema->nkey; k++) {
            const ls_column *c = &t->schema->cols[t->schema->key[k]];
            const ls_w2j_field *f = &row->at[i];
            if (c->name_len == f->name_len && memcmp(c->name, f->name, f->name_len) == 0) ls_pg_show_key(&key, c->name, f->value.p, f->value.n);
        }
    ls_pg_tx_in_row(&d->tx, t->schema, col, ls_buf_cstr(&key), err);
    ls_buf_free(&key);
    return -1;
}

static int read_value(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, const ls_w2j_field *f, uint32_t col, ls_value *out,
                      ls_error *err) {
    const char *p = "";
    size_t n = 0;
    if (f->value.kind == LS_JSON_NULL) {
        *out = ls_value_state(LS_NULL);
        return 0;
    }
    const ls_pg_type *type = t->cols[col].type;
    d->reader.arena = &w->arena;
    if (server_text(d, w, f, &p, &n, err) == 0 && type->read(type, &d->reader, p, n, out, err) == 0) return 0;
    return in_row(d, t, col, err);
}

/* ---- rows */

/* The row after: what an update lacks it did not change. The shape fits the message. NULL with the error. */
static ls_value *row_after(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, ls_error *err) {
    const ls_w2j_fields *row = &d->m.columns;
    ls_value *v = ls_work_values(w, t->schema->ncols);
    if (!v) ls_fail_memory(err, "reading a row");
    d->reader.mend = d->conf.on_invalid_text != LS_INVALID_STOP || ls_pg_tx_again(&d->tx);
    size_t f = 0;
    for (uint32_t col = 0; v && col < t->schema->ncols; col++) {
        if (f < row->n && row->at[f].position == t->cols[col].position) {
            if (read_value(d, w, t, &row->at[f++], col, &v[col], err)) return NULL;
        } else {
            v[col] = ls_value_state(LS_UNCHANGED);
        }
    }
    return v;
}

/* The row before, as far as it was sent. An update whose key is the same has the new row's values there. */
static ls_value *row_before(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, ls_error *err) {
    ls_value *v = ls_work_values(w, t->schema->ncols);
    if (!v) ls_fail_memory(err, "reading a row");
    d->reader.mend = true; /* not all of it is sent: what is, ls_invalid_settle() looks at */
    for (size_t i = 0; v && i < d->m.identity.n; i++)
        if (read_value(d, w, t, &d->m.identity.at[i], t->identity[i], &v[t->identity[i]], err)) return NULL;
    return v;
}

static int row_memory(ls_error *err) {
    return ls_fail_memory(err, "adding a row");
}

static int insert(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, const ls_tx *tx, ls_error *err) {
    ls_value *after = row_after(d, w, t, err);
    if (!after) return -1;
    return ls_row_insert(w, t->schema, tx, &d->tx.seq, after) ? row_memory(err) : 0;
}

static int update(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, const ls_tx *tx, ls_error *err) {
    ls_value *before = row_before(d, w, t, err);
    ls_value *after = before ? row_after(d, w, t, err) : NULL;
    if (!after) return -1;
    return ls_row_update(w, t->schema, tx, &d->tx.seq, before, after) ? row_memory(err) : 0;
}

static int remove_row(ls_wal2json *d, ls_work *w, const ls_w2j_table *t, const ls_tx *tx, ls_error *err) {
    ls_value *before = row_before(d, w, t, err);
    if (!before) return -1;
    for (uint32_t i = 0; i < t->schema->nkey; i++) {
        uint16_t k = t->schema->key[i];
        if (before[k].state != LS_ABSENT) continue;
        ls_fail(err, LS_FAIL,
                "the server did not send this column of the deleted row's key; give the table a REPLICA IDENTITY that has it");
        return ls_pg_tx_in_row(&d->tx, t->schema, k, NULL, err);
    }
    return ls_row_remove(w, t->schema, tx, &d->tx.seq, before) ? row_memory(err) : 0;
}

static int outside(const ls_wal2json *d, ls_error *err) {
    return ls_fail(err, LS_FAIL, "wal2json %c message outside of a transaction", d->m.action);
}

/* What is to be done with a row that has mended text, `from` being the number of its first change. */
static int settle(const ls_wal2json *d, ls_work *w, ls_w2j_table *t, uint32_t from, ls_error *err) {
    const ls_pg_catalog *catalog = &d->conf.catalog.base;
    const ls_invalid how = {d->conf.on_invalid_text, catalog->ctx, catalog->warn};
    return ls_invalid_settle(&how, w, from, &t->invalid_said, err);
}

/* An I, U, D or T. */
static int change(ls_wal2json *d, ls_work *w, ls_error *err) {
    ls_w2j_table *t;
    if (!d->tx.open) return outside(d, err);
    if (d->tx.past) return 0;
    if (ls_w2j_tables_find(&d->tables, &d->tx, &d->m, &t, err)) return -1;
    if (!t->captured) return 0;
    const ls_tx *tx = ls_pg_tx_held(&d->tx, w);
    if (!tx) return row_memory(err);
    uint32_t from = w->seen.count;
    int rc = 0;
    d->reader.mended = false;
    if (d->m.action == 'I') {
        rc = insert(d, w, t, tx, err);
    } else if (d->m.action == 'U') {
        rc = update(d, w, t, tx, err);
    } else if (d->m.action == 'D') {
        rc = remove_row(d, w, t, tx, err);
    } else if (!ls_work_add(w, t->schema, tx, 'T', ++d->tx.seq)) {
        rc = row_memory(err);
    }
    if (rc == 0) ls_pg_tx_leave_out(&d->tx, w, from);
    return rc == 0 && d->reader.mended ? settle(d, w, t, from, err) : rc;
}

/* ---- messages */

int ls_wal2json_message(ls_wal2json *d, ls_work *w, const void *p, size_t n, ls_error *err) {
    ls_w2j_message *m = &d->m;
    ls_arena_reset(&d->names);
    if (ls_w2j_read(m, &d->names, p, n, err)) return -1;
    switch (m->action) {
    case 'B':
        return ls_pg_tx_begin(&d->tx, m->lsn, m->ts, m->xid, err);
    case 'C':
        return d->tx.open ? ls_pg_tx_commit(&d->tx, w, m->lsn, m->nextlsn, err) : outside(d, err);
    case 'M':
        return 0; /* pg_logical_emit_message(): not a row's change */
    default:
        return change(d, w, err);
    }
}
