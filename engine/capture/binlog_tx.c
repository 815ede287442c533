#include "capture/binlog_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    GIVE_BACK = 512 * 1024, /* bytes of events whose memory is given back at once, while they are decoded */
    SAVEPOINTS_MAX = 65536, /* of different names, in one held transaction */
    LONG_PREPARED = 3600    /* seconds after which a warning is due */
};

/* ---- transactions and marks ---- */

static void warn_prepared(ls_binlog *b, ls_xa *xa) {
    char text[LS_XID_TEXT + 256];
    xa->said = true;
    snprintf(text, sizeof text,
             "XA transaction %s has been prepared for an hour or more: the position stays before it, at offset %" PRIu64
             " of log %" PRIu64 ", until it is decided (XA RECOVER lists it; XA COMMIT or XA ROLLBACK)",
             xa->xid, xa->begin.offset, xa->begin.file);
    b->conf.ask.warn(b->conf.ask.ctx, text);
}

int ls_bl_mark(ls_binlog *b, ls_work *w, const char *gtid, ls_error *err) {
    ls_place p = {.file = b->file, .offset = b->offset, .created = b->created};
    memcpy(p.gtid, gtid, strlen(gtid) + 1);
    b->marked = true;
    if (b->seeking && ls_place_cmp(&p, &b->sought) < 0) return 0;
    b->seeking = false;
    ls_xa *oldest = ls_xas_oldest(&b->xas);
    if (!oldest) return ls_work_mark(w, &p) ? ls_fail_memory(err, "a position") : 0;
    w->read_to = p;
    w->has_read_to = true;
    if (!oldest->said && (int64_t)b->now.ts - oldest->since >= LONG_PREPARED) warn_prepared(b, oldest);
    return ls_xas_wait(&b->xas, &p, err);
}

int ls_bl_begin(ls_binlog *b, const ls_event *h, ls_error *err) {
    if (b->in_tx) return ls_fail(err, LS_FAIL, "a transaction begins inside another one");
    b->in_tx = true;
    b->standalone = b->xa = false;
    b->seq = 0;
    b->tx_copy = NULL;
    b->gtid[0] = '\0';
    b->begin = (ls_place){.file = b->file, .offset = h->start};
    /* The commit's own event has its time in whole seconds too, and comes after the rows: the GTID event's, written at
     * the commit as well, is known before them. */
    b->tx = (ls_tx){.ts = (int64_t)h->ts * 1000000};
    ls_place_pos_binlog(b->tx.pos, b->epoch, b->file, h->start);
    int order = b->delivered_pos[0] ? strcmp(b->tx.pos, b->delivered_pos) : 1;
    b->drop_to = order < 0 ? UINT64_MAX : order == 0 ? b->delivered_seq : 0;
    return 0;
}

void ls_bl_forget_held(ls_binlog *b) {
    if (b->hold.events.cap > LS_BATCH_BYTES) ls_buf_free(&b->hold.events);
    ls_buf_clear(&b->hold.events);
    b->hold.on = b->hold.prepared = false;
    b->hold.at = b->hold.spent = b->hold.nsavepoints = 0;
}

int ls_bl_end(ls_binlog *b, ls_work *w, ls_error *err) {
    b->in_tx = b->ending = b->draining = false;
    ls_bl_forget_held(b);
    if (b->inflated.cap > LS_BATCH_BYTES) ls_buf_free(&b->inflated);
    if (b->deciding) {
        b->deciding = false;
        if (ls_xas_decided(&b->xas, ls_xas_find(&b->xas, b->xid), w, err)) return -1;
    }
    return ls_bl_mark(b, w, b->gtid, err);
}

const ls_tx *ls_bl_tx(ls_binlog *b, ls_work *w) {
    if (!b->tx_copy || b->tx_batch != w || b->tx_generation != w->seen.generation) {
        b->tx_copy = ls_work_tx(w, &b->tx);
        b->tx_batch = w;
        b->tx_generation = w->seen.generation;
    }
    return b->tx_copy;
}

void ls_bl_drop_delivered(const ls_binlog *b, ls_work *w, uint32_t from) {
    uint32_t kept = from;
    if (!b->drop_to) return;
    for (uint32_t i = from; i < w->seen.count; i++)
        if (w->seen.changes[i].seq > b->drop_to) w->seen.changes[kept++] = w->seen.changes[i];
    w->seen.count = kept;
}

/* ---- rows ---- */

static void warn_partial(ls_binlog *b, ls_map *map) {
    char text[LS_NAME_MAX * 2 + 256];
    if (map->partial_said) return;
    map->partial_said = true;
    snprintf(
        text, sizeof text,
        "table %s.%s: a session logs partial rows (its binlog_row_image is not FULL); columns that it leaves out are "
        "sent as unchanged, those of an insert, or of a row before, not at all",
        map->schema_name, map->table_name);
    b->conf.ask.warn(b->conf.ask.ctx, text);
}

static void warn_lost(ls_binlog *b, ls_map *map) {
    char text[LS_NAME_MAX * 2 + 512];
    if (map->lost_said) return;
    map->lost_said = true;
    snprintf(text, sizeof text,
             "table %s.%s: a session logs changes of JSON documents without the documents (its binlog_row_value_options is PARTIAL_JSON "
             "and its binlog_row_image is not FULL): such updates are sent without these columns, whose new values are not in the log; "
             "SET GLOBAL binlog_row_value_options = '' or SET GLOBAL binlog_row_image = 'FULL', reconnect the applications, and update "
             "the rows once more",
             map->schema_name, map->table_name);
    b->conf.ask.warn(b->conf.ask.ctx, text);
}

/* One row, and what is to be done with it if it has mended text. */
static int next_row(ls_binlog *b, ls_work *w, const ls_tx *tx, ls_error *err) {
    bool mend = b->conf.on_invalid_text != LS_INVALID_STOP || b->seq < b->drop_to; /* what was delivered before stops nothing */
    uint32_t from = w->seen.count;
    if (ls_rows_next(&b->rows, w, tx, &b->seq, mend, &b->text, err)) return -1;
    if (b->rows.lost) warn_lost(b, b->rows.map);
    ls_bl_drop_delivered(b, w, from);
    if (!b->rows.mended) return 0;
    const ls_invalid how = {b->conf.on_invalid_text, b->conf.ask.ctx, b->conf.ask.warn};
    return ls_invalid_settle(&how, w, from, &b->rows.map->invalid_said, err);
}

int ls_bl_run_rows(ls_binlog *b, ls_work *w, ls_error *err) {
    while (ls_rows_left(&b->rows)) {
        if (ls_work_full(w)) return 1;
        const ls_tx *tx = ls_bl_tx(b, w);
        if (!tx) return ls_fail_memory(err, "a transaction");
        if (next_row(b, w, tx, err)) return -1;
    }
    b->rows_open = false;
    return 0;
}

int ls_bl_rows(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) {
    if (!b->in_tx || b->standalone) return ls_fail(err, LS_FAIL, "rows outside a transaction");
    if (ls_rows_open(&b->rows, b->maps, h->type, in, err)) return -1;
    b->statement_open = !b->rows.ends_statement;
    if (!b->rows.map || b->drop_to == UINT64_MAX) return 0;
    ls_map *map = b->rows.map;
    if (ls_map_prepare(b->maps, map, b->rows.id, err)) return -1;
    if (ls_rows_inflate(&b->rows, &b->inflated, err)) return -1;
    if ((b->rows.partial && !b->conf.partial_rows) || (b->rows.part_before && map->schema->before != LS_BEFORE_KEY)) warn_partial(b, map);
    b->rows_open = true;
    return ls_bl_run_rows(b, w, err);
}

int ls_bl_table_map(ls_binlog *b, ls_cursor in, ls_error *err) {
    uint64_t id = ls_cursor_le(&in, 6);
    ls_cursor_take(&in, 2); /* flags */
    if (in.failed) return ls_fail_cut(err, &in);
    bool begins = !b->statement_open;
    b->statement_open = true;
    return ls_maps_put(b->maps, id, in.at, ls_cursor_left(&in), begins, err);
}

/* ---- held transactions ---- */

/* An XA transaction may wait for long: only captured tables' events are kept of it. 1: this is one. */
static int is_captured(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    if (h->type == LS_EV_TABLE_MAP && ls_bl_table_map(b, in, err)) return -1;
    uint64_t id = ls_cursor_le(&in, 6);
    if (in.failed) return ls_fail_cut(err, &in);
    const ls_map *map = ls_maps_find(b->maps, id);
    return map && map->captured;
}

static int too_much_prepared(const ls_binlog *b, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "transaction %s: XA transactions that are prepared and not decided hold more than %zu MiB of changes, which have to be "
                   "kept until each is decided: XA COMMIT or XA ROLLBACK those that XA RECOVER lists, make them smaller, or leave "
                   "their tables out of tables",
                   b->tx.id, b->conf.hold_max / (1024 * 1024));
}

int ls_bl_hold(ls_binlog *b, const ls_event *h, const uint8_t *event, size_t n, ls_cursor in, ls_work *w, ls_error *err) {
    uint32_t len = (uint32_t)n;
    int wanted = b->xa ? is_captured(b, h, in, err) : 1;
    if (wanted <= 0) return wanted;
    ls_buf_add(&b->hold.events, &len, sizeof len);
    ls_buf_add(&b->hold.events, event, n);
    if (b->hold.events.failed) return ls_fail_memory(err, "a transaction that may be rolled back");
    if (b->hold.events.len + (b->xa ? b->xas.bytes : 0) <= b->conf.hold_max) return 0;
    return b->xa ? too_much_prepared(b, err) : ls_bl_release(b, w, err);
}

int ls_bl_release(ls_binlog *b, ls_work *w, ls_error *err) {
    b->hold.on = false;
    b->draining = b->hold.events.len > 0;
    return b->draining ? ls_bl_drain(b, w, err) : 0;
}

int ls_bl_commit(ls_binlog *b, ls_work *w, ls_error *err) {
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction ends that did not begin");
    if (!b->hold.on) return ls_bl_end(b, w, err);
    b->ending = true;
    int rc = ls_bl_release(b, w, err);
    return rc || !b->ending ? rc : ls_bl_end(b, w, err);
}

static int taken_back(const ls_binlog *b, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "transaction %s rolls back %" PRIu64
                   " rows that were sent already: a transaction of more than %zu MiB must not mix tables without transactions (MyISAM, Aria, MEMORY) or the making of temporary tables with others",
                   b->tx.id, b->seq, b->conf.hold_max / (1024 * 1024));
}

int ls_bl_rollback(ls_binlog *b, ls_work *w, ls_error *err) {
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction ends that did not begin");
    if (!b->hold.on && b->seq) return taken_back(b, err);
    return ls_bl_end(b, w, err);
}

int ls_bl_savepoint(ls_binlog *b, const char *name, ls_error *err) {
    ls_hold *h = &b->hold;
    if (!h->on) return 0;
    for (size_t i = 0; i < h->nsavepoints; i++) { /* one of the same name is forgotten, as the server does */
        if (strcasecmp(h->savepoints[i].name, name) != 0) continue;
        memmove(h->savepoints + i, h->savepoints + i + 1, (--h->nsavepoints - i) * sizeof *h->savepoints);
        break;
    }
    if (h->nsavepoints == h->cap_savepoints) {
        size_t cap = h->cap_savepoints ? 2 * h->cap_savepoints : 16;
        ls_savepoint *more = cap <= SAVEPOINTS_MAX ? realloc(h->savepoints, cap * sizeof *more) : NULL;
        if (cap > SAVEPOINTS_MAX) return ls_fail(err, LS_FAIL, "more than %d savepoints in one transaction", SAVEPOINTS_MAX);
        if (!more) return ls_fail_memory(err, "a savepoint");
        h->savepoints = more;
        h->cap_savepoints = cap;
    }
    ls_savepoint *s = &h->savepoints[h->nsavepoints++];
    snprintf(s->name, sizeof s->name, "%s", name);
    s->held = h->events.len;
    return 0;
}

int ls_bl_rollback_to(ls_binlog *b, const char *name, ls_error *err) {
    ls_hold *h = &b->hold;
    if (h->on)
        for (size_t i = h->nsavepoints; i-- > 0;)
            if (strcasecmp(h->savepoints[i].name, name) == 0) {
                h->events.len = h->savepoints[i].held;
                h->nsavepoints = i + 1;
                return 0;
            }
    if (b->seq) return taken_back(b, err);
    h->events.len = 0; /* set before the first row: all goes */
    return 0;
}

/* Where a held event stands, for errors: behind it comes what has been read since, less than 4 GiB. */
static uint64_t start_of(const ls_binlog *b, const uint8_t *event) {
    enum { LENGTH_AT = 9 };
    ls_cursor in = ls_cursor_over(event + LENGTH_AT, 8);
    uint32_t len = (uint32_t)ls_cursor_le(&in, 4), end = (uint32_t)ls_cursor_le(&in, 4);
    return b->offset - (uint32_t)((uint32_t)b->offset - end) - len;
}

int ls_bl_drain(ls_binlog *b, ls_work *w, ls_error *err) {
    ls_hold *h = &b->hold;
    while (h->at < h->events.len) {
        uint32_t n;
        if (h->at - h->spent >= GIVE_BACK) { /* their messages, which are larger, take its place */
            ls_buf_spent(&h->events, h->spent, h->at);
            h->spent = h->at;
        }
        memcpy(&n, h->events.data + h->at, sizeof n);
        const uint8_t *event = (const uint8_t *)h->events.data + h->at + sizeof n;
        ls_cursor in = ls_cursor_over(event, n);
        ls_event inner = b->now;
        ls_cursor_take(&in, LS_EVENT_HEADER);
        inner.type = event[4];
        if (!h->prepared && !b->payload.open) inner.start = start_of(b, event); /* else it stands elsewhere: the commit is what can be named */
        b->now = inner;
        h->at += sizeof n + n;
        int rc = inner.type == LS_EV_TABLE_MAP ? ls_bl_table_map(b, in, err) : ls_bl_rows(b, &inner, in, w, err);
        if (rc) return rc;
    }
    if (h->events.cap > LS_BATCH_BYTES) ls_buf_free(&h->events); /* the rest of the transaction may be long */
    ls_buf_clear(&h->events);
    h->at = h->spent = 0;
    b->draining = false;
    return 0;
}

/* ---- XA ---- */

int ls_bl_prepare(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) {
    char text[LS_XID_TEXT + 128];
    bool one_phase = ls_cursor_u8(&in), replaced;
    uint32_t format = (uint32_t)ls_cursor_le(&in, 4);
    size_t ngtrid = (size_t)ls_cursor_le(&in, 4), nbqual = (size_t)ls_cursor_le(&in, 4);
    if (!in.failed && (ngtrid > LS_XID_PART || nbqual > LS_XID_PART))
        return ls_fail(err, LS_FAIL, "an XA transaction's name of %zu and %zu bytes, %d at most each", ngtrid, nbqual, LS_XID_PART);
    const uint8_t *gtrid = ls_cursor_take(&in, ngtrid), *bqual = ls_cursor_take(&in, nbqual);
    if (in.failed) return ls_fail_cut(err, &in);
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction is prepared that did not begin");
    if (one_phase) return ls_bl_commit(b, w, err);
    ls_xid_print(b->xid, gtrid, ngtrid, bqual, nbqual, format);
    if (ls_xas_prepare(&b->xas, b->xid, &b->begin, h->ts, &b->hold.events, &replaced, err)) return -1;
    if (replaced) {
        snprintf(text, sizeof text, "XA transaction %s is prepared again, and the log never said what became of the first one: it is forgotten",
                 b->xid);
        b->conf.ask.warn(b->conf.ask.ctx, text);
    }
    return ls_bl_end(b, w, err);
}

int ls_bl_decide(ls_binlog *b, const char *xid, bool commit, ls_work *w, ls_error *err) {
    char text[LS_XID_TEXT + 256];
    ls_xa *xa = ls_xas_find(&b->xas, xid);
    if (!xa && commit && b->drop_to != UINT64_MAX) {
        snprintf(text, sizeof text,
                 "XA transaction %s is committed, and was prepared before the place where reading began: its rows, if any are of "
                 "captured tables, are not sent",
                 xid);
        b->conf.ask.warn(b->conf.ask.ctx, text);
    }
    if (!xa) return ls_bl_end(b, w, err);
    memcpy(b->xid, xa->xid, sizeof b->xid);
    b->deciding = true;
    if (!commit || !xa->held || b->drop_to == UINT64_MAX) return ls_bl_end(b, w, err);
    ls_buf_free(&b->hold.events);
    b->hold.events = xa->events;
    xa->events = (ls_buf){0};
    b->hold.on = b->standalone = b->xa = false;
    b->hold.prepared = b->ending = true;
    int rc = ls_bl_release(b, w, err);
    return rc || !b->ending ? rc : ls_bl_end(b, w, err);
}
