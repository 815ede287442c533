#include "capture/pgoutput.h"

#include "capture/pgrelation.h"
#include "capture/pgtx.h"
#include "change/row.h"
#include "change/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US_1970_TO_2000 UINT64_C(946684800000000) /* PostgreSQL counts from 2000-01-01 */

struct ls_pgoutput {
    ls_pgoutput_conf conf;
    ls_pg_relations relations;
    ls_pg_reader reader;
    ls_pg_tx tx;
};

/* One message on its way. */
typedef struct message {
    ls_cursor c;
    ls_cursor values; /* of the tuple under way, from its first on */
    const char *name;
    ls_error *err;
} message;

ls_pgoutput *ls_pgoutput_new(const ls_pgoutput_conf *conf) {
    ls_pgoutput *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->conf = *conf;
    d->tx = (ls_pg_tx){.plugin = "pgoutput", .delivered_seq = conf->delivered_seq};
    snprintf(d->tx.delivered_pos, sizeof d->tx.delivered_pos, "%s", conf->delivered_pos);
    d->conf.delivered_pos = d->tx.delivered_pos;
    d->relations.conf = &d->conf;
    d->relations.types.catalog = &d->conf.catalog;
    return d;
}

void ls_pgoutput_free(ls_pgoutput *d) {
    if (!d) return;
    ls_pg_relations_free(&d->relations);
    ls_pg_reader_free(&d->reader);
    free(d);
}

bool ls_pgoutput_in_transaction(const ls_pgoutput *d) {
    return d->tx.open;
}

/* ---- errors */

static int short_message(const message *m) {
    return ls_fail(m->err, LS_FAIL, "pgoutput %s message ends early: at byte %zu %zu bytes were wanted, %zu remained",
                   m->name, m->c.fail_offset, m->c.fail_wanted, m->c.fail_remaining);
}

static int wrong_byte(const message *m, uint8_t found, const char *wanted) {
    return ls_fail(m->err, LS_FAIL,
                   "pgoutput %s message has 0x%02x at byte %zu, where %s was wanted, with %zu bytes remaining", m->name,
                   found, ls_cursor_offset(&m->c) - 1, wanted, ls_cursor_left(&m->c));
}

/* Was all of the message read? */
static int ended(const message *m) {
    if (m->c.failed) return short_message(m);
    if (!ls_cursor_left(&m->c)) return 0;
    return ls_fail(m->err, LS_FAIL, "pgoutput %s message goes on: at byte %zu its end was wanted, %zu bytes remained",
                   m->name, ls_cursor_offset(&m->c), ls_cursor_left(&m->c));
}

static int outside(const message *m) {
    return ls_fail(m->err, LS_FAIL, "pgoutput %s message outside of a transaction", m->name);
}

/* Appends ", key id=7": what a tuple has of the row's key, in the server's text, since its values may be what is wrong. */
static void show_key(ls_buf *out, const ls_pg_relation *t, ls_cursor values) {
    for (uint32_t i = 0; i < t->ncols && !values.failed; i++) {
        if (ls_cursor_u8(&values) != 't') continue;
        size_t n = (size_t)ls_cursor_be(&values, 4);
        const char *p = (const char *)ls_cursor_take(&values, n);
        if (p && t->schema->cols[i].key_at) ls_pg_show_key(out, t->schema->cols[i].name, p, n);
    }
}

static int in_row(const ls_pgoutput *d, const message *m, const ls_pg_relation *t, uint32_t col) {
    ls_buf key = {0};
    show_key(&key, t, m->values);
    ls_pg_tx_in_row(&d->tx, t->schema, col, ls_buf_cstr(&key), m->err);
    ls_buf_free(&key);
    return -1;
}

/* ---- transactions */

static int begin(ls_pgoutput *d, message *m) {
    uint64_t commit_lsn = ls_cursor_be(&m->c, 8);
    uint64_t ts = ls_cursor_be(&m->c, 8);
    uint32_t xid = (uint32_t)ls_cursor_be(&m->c, 4);
    if (ended(m)) return -1;
    d->relations.xid = xid;
    return ls_pg_tx_begin(&d->tx, commit_lsn, (int64_t)(ts + US_1970_TO_2000), xid, m->err);
}

static int commit(ls_pgoutput *d, ls_work *w, message *m) {
    ls_cursor_u8(&m->c); /* flags: none is defined */
    uint64_t commit_lsn = ls_cursor_be(&m->c, 8);
    uint64_t end = ls_cursor_be(&m->c, 8);
    ls_cursor_be(&m->c, 8); /* commit time, as in Begin */
    if (ended(m)) return -1;
    return d->tx.open ? ls_pg_tx_commit(&d->tx, w, commit_lsn, end, m->err) : outside(m);
}

/* ---- rows */

/* One value of a tuple; `what` is its kind byte. */
static int read_value(ls_pgoutput *d, message *m, const ls_pg_relation *t, uint32_t col, bool skip, ls_value *out) {
    uint8_t what = ls_cursor_u8(&m->c);
    if (m->c.failed) return short_message(m);
    switch (what) {
    case 'n':
        *out = ls_value_state(LS_NULL);
        return 0;
    case 'u':
        *out = ls_value_state(LS_UNCHANGED);
        return 0;
    case 't':
        break;
    default:
        return wrong_byte(m, what, "the kind of a value (n, u or t)");
    }
    size_t n = (size_t)ls_cursor_be(&m->c, 4);
    const char *p = (const char *)ls_cursor_take(&m->c, n);
    if (!p) return short_message(m);
    if (skip) return 0;
    const ls_pg_type *type = t->types[col];
    return type->read(type, &d->reader, p, n, out, m->err) ? in_row(d, m, t, col) : 0;
}

/* A tuple: 'N' a row after, 'O' a whole row before, 'K' a row before of which only the replica identity was sent, the
 * rest standing as NULL (an identity's own columns are never NULL). NULL with the error. */
static ls_value *read_tuple(ls_pgoutput *d, ls_work *w, message *m, const ls_pg_relation *t, uint8_t kind) {
    uint32_t ncols = (uint32_t)ls_cursor_be(&m->c, 2);
    if (m->c.failed) {
        short_message(m);
        return NULL;
    }
    if (ncols != t->ncols) {
        ls_fail(m->err, LS_FAIL,
                "pgoutput %s message for table %s.%s has %u values at byte %zu, where the table's %u were wanted, with "
                "%zu bytes remaining",
                m->name, t->schema->schema, t->schema->table, ncols, ls_cursor_offset(&m->c) - 2, t->ncols,
                ls_cursor_left(&m->c));
        return NULL;
    }
    ls_value *v = ls_work_values(w, ncols);
    if (!v) {
        ls_fail_memory(m->err, "reading a row");
        return NULL;
    }
    d->reader.arena = &w->arena;
    /* of a row before not all is sent: what is, ls_invalid_settle() looks at */
    d->reader.mend = kind == 'O' || d->conf.on_invalid_text != LS_INVALID_STOP || ls_pg_tx_again(&d->tx);
    m->values = m->c;
    for (uint32_t i = 0; i < ncols; i++) {
        if (read_value(d, m, t, i, kind == 'K' && !t->identity[i], &v[i])) return NULL;
        bool sent = v[i].state == LS_PRESENT || (v[i].state == LS_NULL && kind == 'O');
        if (kind != 'N' && !sent) v[i] = ls_value_state(LS_ABSENT);
    }
    return v;
}

static int row_memory(const message *m) {
    return ls_fail_memory(m->err, "adding a row");
}

static int insert(ls_pgoutput *d, ls_work *w, message *m, const ls_pg_relation *t, const ls_tx *tx) {
    uint8_t kind = ls_cursor_u8(&m->c);
    if (m->c.failed) return short_message(m);
    if (kind != 'N') return wrong_byte(m, kind, "the row after (N)");
    ls_value *after = read_tuple(d, w, m, t, kind);
    if (!after || ended(m)) return -1;
    return ls_row_insert(w, t->schema, tx, &d->tx.seq, after) ? row_memory(m) : 0;
}

static int update(ls_pgoutput *d, ls_work *w, message *m, const ls_pg_relation *t, const ls_tx *tx) {
    ls_value *before = NULL;
    uint8_t kind = ls_cursor_u8(&m->c);
    if (kind == 'K' || kind == 'O') {
        if (!(before = read_tuple(d, w, m, t, kind))) return -1;
        kind = ls_cursor_u8(&m->c);
    }
    if (m->c.failed) return short_message(m);
    if (kind != 'N') return wrong_byte(m, kind, before ? "the row after (N)" : "a row (K, O or N)");
    ls_value *after = read_tuple(d, w, m, t, kind);
    if (!after || ended(m)) return -1;
    return ls_row_update(w, t->schema, tx, &d->tx.seq, before, after) ? row_memory(m) : 0;
}

static int remove_row(ls_pgoutput *d, ls_work *w, message *m, const ls_pg_relation *t, const ls_tx *tx) {
    uint8_t kind = ls_cursor_u8(&m->c);
    if (m->c.failed) return short_message(m);
    if (kind != 'K' && kind != 'O') return wrong_byte(m, kind, "the row before (K or O)");
    ls_value *before = read_tuple(d, w, m, t, kind);
    if (!before || ended(m)) return -1;
    for (uint32_t i = 0; i < t->schema->nkey; i++) {
        uint16_t k = t->schema->key[i];
        if (before[k].state != LS_ABSENT) continue;
        ls_fail(m->err, LS_FAIL,
                "the server did not send this column of the deleted row's key; give the table (of a partitioned one "
                "each partition) the same REPLICA IDENTITY");
        return in_row(d, m, t, k);
    }
    return ls_row_remove(w, t->schema, tx, &d->tx.seq, before) ? row_memory(m) : 0;
}

/* What is to be done with a row that has mended text, `from` being the number of its first change. */
static int settle(const ls_pgoutput *d, ls_work *w, ls_pg_relation *t, uint32_t from, ls_error *err) {
    const ls_pg_catalog *catalog = &d->conf.catalog;
    const ls_invalid how = {d->conf.on_invalid_text, catalog->ctx, catalog->warn};
    return ls_invalid_settle(&how, w, from, &t->invalid_said, err);
}

/* An Insert, Update or Delete. */
static int row(ls_pgoutput *d, ls_work *w, message *m, uint8_t kind) {
    uint32_t oid = (uint32_t)ls_cursor_be(&m->c, 4);
    if (m->c.failed) return short_message(m);
    if (!d->tx.open) return outside(m);
    ls_pg_relation *t = ls_pg_relations_find(&d->relations, oid);
    if (!t)
        return ls_fail(m->err, LS_FAIL, "pgoutput %s message for table %u, which no Relation message named", m->name,
                       oid);
    if (!t->captured || d->tx.past) return 0;
    const ls_tx *tx = ls_pg_tx_held(&d->tx, w);
    if (!tx) return row_memory(m);
    uint32_t from = w->seen.count;
    d->reader.mended = false;
    int rc = kind == 'I' ? insert(d, w, m, t, tx) : kind == 'U' ? update(d, w, m, t, tx) : remove_row(d, w, m, t, tx);
    if (rc == 0) ls_pg_tx_leave_out(&d->tx, w, from);
    return rc == 0 && d->reader.mended ? settle(d, w, t, from, m->err) : rc;
}

static int truncate(ls_pgoutput *d, ls_work *w, message *m) {
    uint32_t ntables = (uint32_t)ls_cursor_be(&m->c, 4);
    ls_cursor_u8(&m->c); /* CASCADE, RESTART IDENTITY: what they did comes as changes of its own, or not at all */
    ls_cursor tables = m->c;
    ls_cursor_take(&m->c, 4 * (size_t)ntables);
    if (ended(m)) return -1;
    if (!d->tx.open) return outside(m);
    uint32_t from = w->seen.count;
    for (uint32_t i = 0; i < ntables; i++) {
        uint32_t oid = (uint32_t)ls_cursor_be(&tables, 4);
        const ls_pg_relation *t = ls_pg_relations_find(&d->relations, oid);
        if (!t)
            return ls_fail(m->err, LS_FAIL, "pgoutput Truncate message for table %u, which no Relation message named",
                           oid);
        if (!t->captured || d->tx.past) continue;
        const ls_tx *tx = ls_pg_tx_held(&d->tx, w);
        if (!tx || !ls_work_add(w, t->schema, tx, 'T', ++d->tx.seq)) return row_memory(m);
    }
    ls_pg_tx_leave_out(&d->tx, w, from);
    return 0;
}

/* ---- messages */

static const char *name_of(uint8_t kind) {
    static const struct {
        char kind;
        const char *name;
    } names[] = {{'B', "Begin"},  {'C', "Commit"}, {'O', "Origin"}, {'R', "Relation"}, {'Y', "Type"},
                 {'I', "Insert"}, {'U', "Update"}, {'D', "Delete"}, {'T', "Truncate"}, {'M', "logical decoding"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].kind == (char)kind) return names[i].name;
    return NULL;
}

static int relation_or_type(ls_pgoutput *d, message *m, uint8_t kind) {
    int rc = kind == 'R' ? ls_pg_relations_relation(&d->relations, &m->c, m->err)
                         : ls_pg_relations_type(&d->relations, &m->c, m->err);
    return rc ? -1 : ended(m);
}

int ls_pgoutput_message(ls_pgoutput *d, ls_work *w, const void *p, size_t n, ls_error *err) {
    message m = {.c = ls_cursor_over(p, n), .name = "empty", .err = err};
    uint8_t kind = ls_cursor_u8(&m.c);
    if (m.c.failed) return short_message(&m);
    if (!(m.name = name_of(kind)))
        return ls_fail(
            err, LS_FAIL,
            "pgoutput message has 0x%02x at byte 0, where a message's kind was wanted, with %zu bytes remaining", kind,
            ls_cursor_left(&m.c));
    switch (kind) {
    case 'B':
        return begin(d, &m);
    case 'C':
        return commit(d, w, &m);
    case 'R':
    case 'Y':
        return relation_or_type(d, &m, kind);
    case 'I':
    case 'U':
    case 'D':
        return row(d, w, &m, kind);
    case 'T':
        return truncate(d, w, &m);
    default:
        return 0; /* Origin: where a replicated transaction came from; a logical decoding message: not asked for */
    }
}
