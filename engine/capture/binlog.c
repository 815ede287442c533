#include "capture/binlog.h"

#include "capture/binlog_query.h"
#include "capture/binlog_rows.h"
#include "capture/gtid.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEADER = 19, CHECKSUM = 4, SAVEPOINTS_MAX = 256 }; /* bytes; savepoints of one held transaction */

enum event_type {
    EV_QUERY = 2,
    EV_STOP = 3,
    EV_ROTATE = 4,
    EV_FORMAT_DESCRIPTION = 15,
    EV_XID = 16,
    EV_TABLE_MAP = 19,
    EV_WRITE_V1 = 23,
    EV_DELETE_V1 = 25,
    EV_INCIDENT = 26,
    EV_HEARTBEAT = 27,
    EV_WRITE_V2 = 30,
    EV_DELETE_V2 = 32,
    EV_GTID_MYSQL = 33,
    EV_ANONYMOUS_GTID = 34,
    EV_XA_PREPARE = 38,
    EV_GTID = 162
};

enum event_flag { FLAG_ARTIFICIAL = 0x20, FLAG_IGNORABLE = 0x80 };
enum gtid_flag { GTID_STANDALONE = 1, GTID_TRANSACTIONAL = 4, GTID_PREPARED_XA = 0x40 };

typedef struct header {
    uint32_t ts, server_id, len, next_pos;
    uint16_t flags;
    uint8_t type;
    uint64_t start, end; /* in the file; of an event that is not in it both are where the stream stands */
} header;

typedef struct savepoint {
    char name[LS_NAME_MAX];
    size_t held; /* bytes held when it was set */
} savepoint;

/* Events of a transaction whose rows may still be taken back: [u32 length][event] ... */
typedef struct hold {
    bool on;
    bool passed_on; /* it grew too large: what came of it is delivered */
    ls_buf events;
    size_t at; /* while they are decoded: the next one */
    savepoint *savepoints;
    size_t nsavepoints;
} hold;

struct ls_binlog {
    ls_binlog_conf conf;
    ls_maps *maps;
    char base[LS_BINLOG_NAME_MAX];
    uint64_t file, offset; /* behind the last event */
    bool checksum, described;
    char delivered_pos[40];
    uint64_t delivered_seq;

    bool in_tx, standalone, xa;
    bool statement_open; /* TABLE_MAPs came, the statement's last rows did not */
    ls_tx tx;
    char gtid[LS_GTID_TEXT]; /* of the transaction, for its mark */
    uint64_t seq, drop_to;   /* rows counted; those up to drop_to are left out */
    const ls_tx *tx_copy;    /* of batch tx_batch, generation tx_generation */
    const ls_work *tx_batch;
    uint32_t tx_generation;

    ls_rows rows;
    bool rows_open; /* rows is in the middle of an event */
    bool draining;  /* held events are being decoded */
    bool ending;    /* the transaction ends behind them */
    bool marked;    /* a mark stands at file, offset */
    hold hold;
    ls_buf text; /* scratch of values and queries */
};

static const char *event_name(uint8_t type) {
    static const char *const names[] = {[1] = "START_V3", [EV_QUERY] = "QUERY", [EV_STOP] = "STOP", [EV_ROTATE] = "ROTATE", [5] = "INTVAR", [13] = "RAND",
        [14] = "USER_VAR", [EV_FORMAT_DESCRIPTION] = "FORMAT_DESCRIPTION", [EV_XID] = "XID", [EV_TABLE_MAP] = "TABLE_MAP",
        [EV_WRITE_V1] = "WRITE_ROWS_V1", [24] = "UPDATE_ROWS_V1", [EV_DELETE_V1] = "DELETE_ROWS_V1", [EV_INCIDENT] = "INCIDENT",
        [EV_HEARTBEAT] = "HEARTBEAT", [EV_WRITE_V2] = "WRITE_ROWS", [31] = "UPDATE_ROWS", [EV_DELETE_V2] = "DELETE_ROWS",
        [EV_GTID_MYSQL] = "GTID", [EV_ANONYMOUS_GTID] = "ANONYMOUS_GTID", [EV_XA_PREPARE] = "XA_PREPARE", [39] = "PARTIAL_UPDATE_ROWS",
        [40] = "TRANSACTION_PAYLOAD", [42] = "GTID_TAGGED", [EV_GTID] = "GTID", [165] = "QUERY_COMPRESSED", [166] = "WRITE_ROWS_COMPRESSED"};
    const char *name = type < sizeof names / sizeof *names ? names[type] : NULL;
    return name ? name : "unknown";
}

int ls_binlog_new(ls_binlog **out, const ls_binlog_conf *conf, ls_error *err) {
    ls_binlog *b = calloc(1, sizeof *b);
    *out = b;
    if (!b) return ls_fail_memory(err, "the binlog decoder");
    b->conf = *conf;
    return ls_maps_new(&b->maps, &b->conf, err);
}

void ls_binlog_free(ls_binlog *b) {
    if (!b) return;
    ls_maps_free(b->maps);
    ls_buf_free(&b->hold.events);
    free(b->hold.savepoints);
    ls_buf_free(&b->text);
    free(b);
}

void ls_binlog_start(ls_binlog *b, const ls_place *at, const char *delivered_pos, uint64_t delivered_seq) {
    b->file = at->file;
    b->offset = at->offset;
    snprintf(b->delivered_pos, sizeof b->delivered_pos, "%s", delivered_pos);
    b->delivered_seq = delivered_seq;
    b->marked = true;
}

const char *ls_binlog_base(const ls_binlog *b) { return b->base; }

int ls_binlog_name_read(const char *name, size_t n, char *base, size_t size, uint64_t *number) {
    const char *dot = memrchr(name, '.', n), *end = name + n;
    if (!dot || dot == name || (size_t)(dot - name) >= size || end - dot < 2 || end - dot > 11 || memchr(name, 0, n)) return -1;
    *number = 0;
    for (const char *p = dot + 1; p < end; p++) {
        if (*p < '0' || *p > '9') return -1;
        *number = *number * 10 + (uint64_t)(*p - '0');
    }
    memcpy(base, name, (size_t)(dot - name));
    base[dot - name] = '\0';
    return *number > UINT32_MAX ? -1 : 0;
}

/* ---- transactions and marks ---- */

static int mark(ls_binlog *b, ls_work *w, const char *gtid, ls_error *err) {
    ls_place p = {.file = b->file, .offset = b->offset};
    memcpy(p.gtid, gtid, strlen(gtid) + 1);
    b->marked = true;
    return ls_work_mark(w, &p) ? ls_fail_memory(err, "a position") : 0;
}

static int begin_tx(ls_binlog *b, const header *h, ls_error *err) {
    if (b->in_tx) return ls_fail(err, LS_FAIL, "a transaction begins inside another one");
    b->in_tx = true;
    b->standalone = b->xa = false;
    b->seq = 0;
    b->tx_copy = NULL;
    b->gtid[0] = '\0';
    /* The commit's own event has its time in whole seconds too, and comes after the rows: the GTID event's, written at the
     * commit as well, is known before them. */
    b->tx = (ls_tx){.ts = (int64_t)h->ts * 1000000};
    ls_place_pos_binlog(b->tx.pos, 0, b->file, h->start);
    int order = b->delivered_pos[0] ? strcmp(b->tx.pos, b->delivered_pos) : 1;
    b->drop_to = order < 0 ? UINT64_MAX : order == 0 ? b->delivered_seq : 0;
    return 0;
}

static void forget_held(ls_binlog *b) {
    if (b->hold.events.cap > LS_BATCH_BYTES) ls_buf_free(&b->hold.events);
    ls_buf_clear(&b->hold.events);
    b->hold.on = b->hold.passed_on = false;
    b->hold.at = b->hold.nsavepoints = 0;
}

static int end_tx(ls_binlog *b, ls_work *w, ls_error *err) {
    b->in_tx = b->ending = b->draining = false;
    forget_held(b);
    return mark(b, w, b->gtid, err);
}

/* The transaction's copy in this batch. */
static const ls_tx *tx_in(ls_binlog *b, ls_work *w) {
    if (!b->tx_copy || b->tx_batch != w || b->tx_generation != w->seen.generation) {
        b->tx_copy = ls_work_tx(w, &b->tx);
        b->tx_batch = w;
        b->tx_generation = w->seen.generation;
    }
    return b->tx_copy;
}

/* Takes the changes behind the first `from` out again that are delivered already. */
static void drop_delivered(const ls_binlog *b, ls_work *w, uint32_t from) {
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
    snprintf(text, sizeof text,
             "table %s.%s: a session logs partial rows (its binlog_row_image is not FULL); columns that it leaves out are "
             "sent as unchanged, those of an insert not at all",
             map->schema_name, map->table_name);
    b->conf.ask.warn(b->conf.ask.ctx, text);
}

static int run_rows(ls_binlog *b, ls_work *w, ls_error *err) {
    while (ls_rows_left(&b->rows)) {
        if (ls_work_full(w)) return 1;
        const ls_tx *tx = tx_in(b, w);
        uint32_t from = w->seen.count;
        if (!tx) return ls_fail_memory(err, "a transaction");
        if (ls_rows_next(&b->rows, w, tx, &b->seq, &b->text, err)) return -1;
        drop_delivered(b, w, from);
    }
    b->rows_open = false;
    return 0;
}

static int rows(ls_binlog *b, const header *h, ls_cursor in, ls_work *w, ls_error *err) {
    if (!b->in_tx || b->standalone) return ls_fail(err, LS_FAIL, "rows outside a transaction");
    if (ls_rows_open(&b->rows, b->maps, h->type, in, err)) return -1;
    b->statement_open = !b->rows.ends_statement;
    if (!b->rows.map || b->drop_to == UINT64_MAX) return 0;
    ls_map *map = b->rows.map;
    if (b->xa)
        return ls_fail(err, LS_FAIL,
                       "table %s.%s: rows of a prepared XA transaction, which may still be rolled back, cannot be captured; "
                       "leave the table out of tables with \"!%s.%s\"",
                       map->schema_name, map->table_name, map->schema_name, map->table_name);
    if (ls_map_prepare(b->maps, map, b->rows.id, err)) return -1;
    if (b->rows.partial) warn_partial(b, map);
    b->rows_open = true;
    return run_rows(b, w, err);
}

static int table_map(ls_binlog *b, ls_cursor in, ls_error *err) {
    uint64_t id = ls_cursor_le(&in, 6);
    ls_cursor_take(&in, 2); /* flags */
    if (in.failed) return ls_fail_cut(err, &in);
    bool begins = !b->statement_open;
    b->statement_open = true;
    return ls_maps_put(b->maps, id, in.at, ls_cursor_left(&in), begins, err);
}

/* ---- held transactions ---- */

static int hold_event(ls_binlog *b, const uint8_t *event, size_t n, ls_error *err) {
    uint32_t len = (uint32_t)n;
    ls_buf_add(&b->hold.events, &len, sizeof len);
    ls_buf_add(&b->hold.events, event, n);
    return b->hold.events.failed ? ls_fail_memory(err, "a transaction that may be rolled back") : 0;
}

static int drain(ls_binlog *b, ls_work *w, ls_error *err);

/* From now on its events are decoded as they come. */
static int release(ls_binlog *b, ls_work *w, ls_error *err) {
    b->hold.on = false;
    b->draining = b->hold.events.len > 0;
    return b->draining ? drain(b, w, err) : 0;
}

static int commit(ls_binlog *b, ls_work *w, ls_error *err) {
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction ends that did not begin");
    if (!b->hold.on) return end_tx(b, w, err);
    b->ending = true;
    int rc = release(b, w, err);
    return rc || !b->ending ? rc : end_tx(b, w, err);
}

static int taken_back(const ls_binlog *b, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "rows of transaction %s are rolled back behind %d MiB of it: they were sent already; changes to tables "
                   "without transactions (MyISAM, Aria) must not be mixed with others in so large a transaction",
                   b->tx.id, LS_BINLOG_HOLD_MAX / (1024 * 1024));
}

static int rollback(ls_binlog *b, ls_work *w, ls_error *err) {
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction ends that did not begin");
    if (b->hold.passed_on && b->seq) return taken_back(b, err);
    return end_tx(b, w, err);
}

static int set_savepoint(ls_binlog *b, const char *name, ls_error *err) {
    hold *h = &b->hold;
    if (!h->on) return 0;
    if (!h->savepoints && !(h->savepoints = calloc(SAVEPOINTS_MAX, sizeof *h->savepoints))) return ls_fail_memory(err, "a savepoint");
    if (h->nsavepoints == SAVEPOINTS_MAX) return ls_fail(err, LS_FAIL, "more than %d savepoints in one transaction", SAVEPOINTS_MAX);
    savepoint *s = &h->savepoints[h->nsavepoints++];
    snprintf(s->name, sizeof s->name, "%s", name);
    s->held = h->events.len;
    return 0;
}

static int rollback_to(ls_binlog *b, const char *name, ls_error *err) {
    hold *h = &b->hold;
    if (h->on)
        for (size_t i = h->nsavepoints; i-- > 0;)
            if (strcasecmp(h->savepoints[i].name, name) == 0) {
                h->events.len = h->savepoints[i].held;
                h->nsavepoints = i + 1;
                return 0;
            }
    if (h->passed_on || b->seq) return taken_back(b, err);
    h->events.len = 0;
    return 0;
}

/* ---- statements ---- */

static int add_table_change(ls_binlog *b, uint8_t action, const ls_query_names *n, ls_work *w, ls_error *err) {
    const ls_schema *s = ls_maps_bare(b->maps, n->schema, n->table);
    const ls_tx *tx = tx_in(b, w);
    uint32_t from = w->seen.count;
    ls_change *c = s && tx ? ls_work_add(w, s, tx, action, ++b->seq) : NULL;
    if (!c) return ls_fail_memory(err, "a change");
    c->whole_table = n->table[0] != '\0';
    if (action == 'R') {
        c->to_schema = ls_arena_copy(&w->arena, n->to_schema, strlen(n->to_schema));
        c->to_table = ls_arena_copy(&w->arena, n->to_table, strlen(n->to_table));
        if (!c->to_schema || !c->to_table) return ls_fail_memory(err, "a change");
    }
    drop_delivered(b, w, from);
    return 0;
}

static void fold(const ls_binlog *b, char *name) {
    for (; b->conf.lower_case && *name; name++)
        if (*name >= 'A' && *name <= 'Z') *name = (char)(*name + ('a' - 'A'));
}

static bool database_matches(const ls_binlog *b, const char *schema) {
    return ls_tables_match(b->conf.tables, b->conf.ntables, schema, "") || ls_binlog_database_match(b->conf.tables, b->conf.ntables, schema);
}
