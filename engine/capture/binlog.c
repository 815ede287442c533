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
    EV_PARTIAL_UPDATE = 39,
    EV_TRANSACTION_PAYLOAD = 40,
    EV_GTID = 162,
    EV_QUERY_COMPRESSED = 165,
    EV_ROWS_COMPRESSED_LAST = 171
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
    header now; /* the event that is decoded, for errors */
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
    switch (type) {
    case EV_QUERY: return "QUERY";
    case EV_STOP: return "STOP";
    case EV_ROTATE: return "ROTATE";
    case EV_FORMAT_DESCRIPTION: return "FORMAT_DESCRIPTION";
    case EV_XID: return "XID";
    case EV_TABLE_MAP: return "TABLE_MAP";
    case EV_WRITE_V1:
    case EV_WRITE_V2: return "WRITE_ROWS";
    case EV_WRITE_V1 + 1:
    case EV_WRITE_V2 + 1: return "UPDATE_ROWS";
    case EV_DELETE_V1:
    case EV_DELETE_V2: return "DELETE_ROWS";
    case EV_INCIDENT: return "INCIDENT";
    case EV_HEARTBEAT: return "HEARTBEAT";
    case EV_ANONYMOUS_GTID:
    case EV_GTID_MYSQL:
    case EV_GTID: return "GTID";
    case EV_XA_PREPARE: return "XA_PREPARE";
    case EV_PARTIAL_UPDATE: return "PARTIAL_UPDATE_ROWS";
    case EV_TRANSACTION_PAYLOAD: return "TRANSACTION_PAYLOAD";
    default: return "other";
    }
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
                   "transaction %s rolls back %" PRIu64 " rows that were sent already: a transaction of more than %d MiB, or one on "
                   "MySQL, must not mix tables without transactions (MyISAM, Aria, MEMORY) with others",
                   b->tx.id, b->seq, LS_BINLOG_HOLD_MAX / (1024 * 1024));
}

static int rollback(ls_binlog *b, ls_work *w, ls_error *err) {
    if (!b->in_tx) return ls_fail(err, LS_FAIL, "a transaction ends that did not begin");
    if (!b->hold.on && b->seq) return taken_back(b, err);
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
    if (b->seq) return taken_back(b, err);
    h->events.len = 0; /* set before the first row: all goes */
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

/* Can a table of this database be captured? */
static bool database_matches(const ls_binlog *b, const char *schema) {
    char part[LS_NAME_MAX * 2];
    for (size_t i = 0; i < b->conf.ntables; i++) {
        const char *p = b->conf.tables[i];
        size_t n = 0;
        if (*p == '!') continue;
        while (p[n] && p[n] != '.') n += p[n] == '\\' && p[n + 1] ? 2 : 1;
        if (!p[n] || n >= sizeof part) continue;
        memcpy(part, p, n);
        part[n] = '\0';
        if (ls_glob(part, schema)) return true;
    }
    return false;
}

static int table_changes(ls_binlog *b, ls_query *q, ls_work *w, ls_error *err) {
    uint8_t action = q->kind == LS_QUERY_TRUNCATE ? 'T' : q->kind == LS_QUERY_RENAME ? 'R' : 'X';
    ls_query_names n;
    int more;
    while ((more = ls_query_next(q, &n)) == 1) {
        char *const names[] = {n.schema, n.table, n.to_schema, n.to_table};
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            fold(b, names[i]);
            if (!ls_utf8_valid(names[i], strlen(names[i]))) return ls_fail(err, LS_FAIL, "a table's name is not valid");
        }
        bool wanted = q->kind == LS_QUERY_DROP_DATABASE ? database_matches(b, n.schema)
                                                        : ls_tables_match(b->conf.tables, b->conf.ntables, n.schema, n.table);
        if (wanted && add_table_change(b, action, &n, w, err)) return -1;
    }
    return more ? ls_fail(err, LS_FAIL, "the table that a statement names cannot be read") : 0;
}

static int warn_partition(ls_binlog *b, ls_query *q, ls_error *err) {
    ls_query_names n;
    char text[LS_NAME_MAX * 2 + 256];
    if (ls_query_next(q, &n) < 0) return ls_fail(err, LS_FAIL, "the table that a statement names cannot be read");
    if (!ls_tables_match(b->conf.tables, b->conf.ntables, n.schema, n.table)) return 0;
    snprintf(text, sizeof text, "table %s.%s: ALTER TABLE changed its partitions; rows that went or came with them are not in the log",
             n.schema, n.table);
    b->conf.ask.warn(b->conf.ask.ctx, text);
    return 0;
}

static int statement_logging(const ls_query *q, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "a statement in database \"%s\" changed rows that are not in the log: statement logging; "
                   "SET GLOBAL binlog_format = 'ROW', and reconnect the applications: a session keeps the format that it began with",
                   q->schema);
}

static int savepoint_query(ls_binlog *b, ls_query *q, ls_error *err) {
    ls_query_names n;
    if (ls_query_next(q, &n) != 1) return ls_fail(err, LS_FAIL, "a savepoint's name cannot be read");
    return q->kind == LS_QUERY_SAVEPOINT ? set_savepoint(b, n.table, err) : rollback_to(b, n.table, err);
}

static int statement(ls_binlog *b, const header *h, ls_query *q, ls_work *w, ls_error *err) {
    int rc = 0;
    if (!b->in_tx) {
        if (begin_tx(b, h, err)) return -1;
        b->standalone = true;
    }
    switch (q->kind) {
    case LS_QUERY_BEGIN:
    case LS_QUERY_XA_START:
        b->standalone = false;
        b->xa = b->xa || q->kind == LS_QUERY_XA_START;
        return 0;
    case LS_QUERY_COMMIT: return commit(b, w, err);
    case LS_QUERY_ROLLBACK: return rollback(b, w, err);
    case LS_QUERY_XA_DECIDED: return end_tx(b, w, err);
    case LS_QUERY_SAVEPOINT:
    case LS_QUERY_ROLLBACK_TO: rc = savepoint_query(b, q, err); break;
    case LS_QUERY_DML: return statement_logging(q, err);
    case LS_QUERY_TRUNCATE: rc = table_changes(b, q, w, err); break;
    case LS_QUERY_DROP_TABLE:
    case LS_QUERY_DROP_DATABASE:
    case LS_QUERY_RENAME: rc = b->conf.ddl ? table_changes(b, q, w, err) : 0; break;
    case LS_QUERY_PARTITION: rc = warn_partition(b, q, err); break;
    case LS_QUERY_OTHER: break;
    }
    return rc || !b->standalone ? rc : end_tx(b, w, err);
}

/* The client's collation among a QUERY event's status variables; 0: not there. Those before it have known lengths. */
static uint32_t client_collation(ls_cursor vars) {
    while (ls_cursor_left(&vars)) {
        switch (ls_cursor_u8(&vars)) {
        case 0: ls_cursor_take(&vars, 4); break;                  /* flags2 */
        case 1: ls_cursor_take(&vars, 8); break;                  /* sql_mode */
        case 3: ls_cursor_take(&vars, 4); break;                  /* auto_increment */
        case 6: ls_cursor_take(&vars, ls_cursor_u8(&vars)); break; /* catalog */
        case 4: return (uint32_t)ls_cursor_le(&vars, 2);
        default: return 0;
        }
    }
    return 0;
}

/* The statement's text as UTF-8 where names may need it. */
static void to_utf8(ls_binlog *b, uint32_t collation, const char **p, size_t *n) {
    const char *name = NULL;
    const ls_charset *c = NULL;
    if (ls_utf8_valid(*p, *n) || !collation) return;
    if ((name = b->conf.ask.charset(b->conf.ask.ctx, collation))) c = ls_charset_find(name);
    ls_buf_clear(&b->text);
    if (!c || ls_charset_read(c, &b->text, *p, *n) || b->text.failed) return; /* a name that is not ASCII is refused later */
    *p = b->text.data;
    *n = b->text.len;
}

static int query(ls_binlog *b, const header *h, ls_cursor in, ls_work *w, ls_error *err) {
    char schema[LS_NAME_MAX];
    ls_query q;
    ls_cursor_take(&in, 8); /* thread, seconds */
    size_t nschema = ls_cursor_u8(&in);
    ls_cursor_take(&in, 2); /* error code */
    size_t nvars = (size_t)ls_cursor_le(&in, 2);
    const uint8_t *vars = ls_cursor_take(&in, nvars), *name = ls_cursor_take(&in, nschema);
    ls_cursor_take(&in, 1);
    if (in.failed) return ls_fail_cut(err, &in);
    if (nschema) memcpy(schema, name, nschema); /* its length is one byte */
    schema[nschema] = '\0';
    const char *text = (const char *)in.at;
    size_t n = ls_cursor_left(&in);
    to_utf8(b, client_collation(ls_cursor_over(vars, nvars)), &text, &n);
    ls_query_read(&q, text, n, schema);
    return statement(b, h, &q, w, err);
}

/* ---- the other events ---- */

static int gtid(ls_binlog *b, const header *h, ls_cursor in, ls_error *err) {
    ls_gtid g = {.server = h->server_id};
    g.seq = ls_cursor_le(&in, 8);
    g.domain = (uint32_t)ls_cursor_le(&in, 4);
    uint8_t flags = ls_cursor_u8(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (begin_tx(b, h, err)) return -1;
    ls_gtid_print(b->gtid, &g);
    memcpy(b->tx.id, b->gtid, sizeof b->gtid);
    b->standalone = flags & GTID_STANDALONE;
    b->xa = flags & GTID_PREPARED_XA;
    b->hold.on = !(flags & (GTID_STANDALONE | GTID_TRANSACTIONAL | GTID_PREPARED_XA)) && b->drop_to != UINT64_MAX;
    return 0;
}

static int gtid_mysql(ls_binlog *b, const header *h, ls_cursor in, ls_error *err) {
    ls_cursor_take(&in, 1); /* flags */
    const uint8_t *u = ls_cursor_take(&in, 16);
    uint64_t number = ls_cursor_le(&in, 8);
    if (in.failed) return ls_fail_cut(err, &in);
    if (begin_tx(b, h, err)) return -1;
    b->standalone = true; /* until a BEGIN follows */
    if (h->type == EV_GTID_MYSQL)
        snprintf(b->tx.id, sizeof b->tx.id,
                 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x:%" PRIu64, u[0], u[1], u[2], u[3], u[4],
                 u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15], number);
    return 0;
}

/* The server died while it wrote a transaction: what came of it was never committed. */
static void break_off(ls_binlog *b) {
    char text[LS_GTID_TEXT + 200];
    if (!b->in_tx) return;
    snprintf(text, sizeof text, "the log breaks off in transaction %s, which was not committed; %" PRIu64 " rows of it were sent", b->tx.id,
             b->seq);
    b->conf.ask.warn(b->conf.ask.ctx, text);
    b->in_tx = false;
    forget_held(b);
}

static int rotate(ls_binlog *b, const header *h, ls_cursor in, ls_error *err) {
    uint64_t offset = ls_cursor_le(&in, 8), file;
    size_t n = ls_cursor_left(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (ls_binlog_name_read((const char *)in.at, n, b->base, sizeof b->base, &file))
        return ls_fail(err, LS_FAIL, "\"%.*s\" is no binary log's name", (int)(n < 64 ? n : 64), (const char *)in.at);
    bool behind = file == b->file && offset <= b->offset; /* started by GTID, it says where the file begins */
    if (!(h->flags & FLAG_ARTIFICIAL) || !behind) {
        b->marked = b->marked && file == b->file && offset == b->offset;
        b->file = file;
        b->offset = offset;
        break_off(b);
    }
    b->statement_open = false;
    ls_maps_forget_ids(b->maps);
    return 0;
}

static int format_description(ls_binlog *b, ls_cursor in, ls_error *err) {
    enum { VERSION = 4, SERVER_NAME = 50, CREATED = 4 };
    uint64_t version = ls_cursor_le(&in, 2);
    ls_cursor_take(&in, SERVER_NAME + CREATED);
    uint8_t header_len = ls_cursor_u8(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (version != VERSION || header_len != HEADER)
        return ls_fail(err, LS_FAIL, "binlog version %" PRIu64 " with headers of %u bytes; only version %d with %d is known", version,
                       header_len, VERSION, HEADER);
    b->described = true;
    b->statement_open = false;
    ls_maps_forget_ids(b->maps);
    return 0;
}

/* The place is the server's, which may have passed over events. */
static void heartbeat(ls_binlog *b, const header *h) {
    uint64_t at = (b->offset & ~UINT64_C(0xffffffff)) | h->next_pos;
    if (b->in_tx || h->next_pos == 0 || at <= b->offset) return;
    b->offset = at;
    b->marked = false;
}

static int incident(ls_cursor in, ls_error *err) {
    ls_cursor_take(&in, 2);
    size_t n = ls_cursor_u8(&in);
    const uint8_t *p = ls_cursor_take(&in, n);
    return ls_fail(err, LS_FAIL, "the server could not write all changes to its log (\"%.*s\"): the log has a gap", p ? (int)n : 0,
                   p ? (const char *)p : "");
}

static int unknown(const header *h, ls_error *err) {
    if (h->type >= EV_QUERY_COMPRESSED && h->type <= EV_ROWS_COMPRESSED_LAST)
        return ls_fail(err, LS_FAIL, "compressed events cannot be captured: SET GLOBAL log_bin_compress = OFF");
    switch (h->type) {
    case 3: case 5: case 13: case 14: /* STOP; INTVAR, RAND, USER_VAR: only statements need them */
    case 28: case 29: case 35: case 36: case 37: case 41: /* IGNORABLE, ROWS_QUERY, PREVIOUS_GTIDS, group replication, HEARTBEAT_V2 */
    case 160: case 161: case 163: case 164: return 0; /* ANNOTATE_ROWS, BINLOG_CHECKPOINT, GTID_LIST, START_ENCRYPTION */
    case 6: case 8: case 9: case 10: case 11: case 12: case 17: case 18:
        return ls_fail(err, LS_FAIL, "LOAD DATA was logged as a statement: SET GLOBAL binlog_format = 'ROW', and reconnect the "
                       "applications: a session keeps the format that it began with");
    case EV_PARTIAL_UPDATE:
        return ls_fail(err, LS_FAIL, "partial JSON updates cannot be captured: SET GLOBAL binlog_row_value_options = ''");
    case EV_TRANSACTION_PAYLOAD:
        return ls_fail(err, LS_FAIL, "compressed transactions cannot be captured: SET GLOBAL binlog_transaction_compression = OFF");
    default:
        if (h->flags & FLAG_IGNORABLE) return 0;
        return ls_fail(err, LS_FAIL, "events of type %u are not known", h->type);
    }
}

static bool is_rows(uint8_t type) {
    return (type >= EV_WRITE_V1 && type <= EV_DELETE_V1) || (type >= EV_WRITE_V2 && type <= EV_DELETE_V2);
}

static int decode(ls_binlog *b, const header *h, const uint8_t *event, size_t n, ls_cursor in, ls_work *w, ls_error *err) {
    if (b->hold.on && (is_rows(h->type) || h->type == EV_TABLE_MAP)) {
        if (hold_event(b, event, n, err)) return -1;
        if (b->hold.events.len <= LS_BINLOG_HOLD_MAX) return 0;
        b->hold.passed_on = true;
        return release(b, w, err);
    }
    if (is_rows(h->type)) return rows(b, h, in, w, err);
    switch (h->type) {
    case EV_TABLE_MAP: return table_map(b, in, err);
    case EV_XID: return commit(b, w, err);
    case EV_GTID: return gtid(b, h, in, err);
    case EV_QUERY: return query(b, h, in, w, err);
    case EV_HEARTBEAT: heartbeat(b, h); return 0;
    case EV_ROTATE: return rotate(b, h, in, err);
    case EV_FORMAT_DESCRIPTION: return format_description(b, in, err);
    case EV_GTID_MYSQL:
    case EV_ANONYMOUS_GTID: return gtid_mysql(b, h, in, err);
    case EV_XA_PREPARE: return commit(b, w, err); /* with rows of captured tables it did not get here */
    case EV_INCIDENT: return incident(in, err);
    default: return unknown(h, err);
    }
}

static int drain(ls_binlog *b, ls_work *w, ls_error *err) {
    hold *h = &b->hold;
    while (h->at < h->events.len) {
        uint32_t n;
        memcpy(&n, h->events.data + h->at, sizeof n);
        const uint8_t *event = (const uint8_t *)h->events.data + h->at + sizeof n;
        ls_cursor in = ls_cursor_over(event, n);
        header inner = b->now;
        ls_cursor_take(&in, HEADER);
        inner.type = event[4];
        h->at += sizeof n + n;
        int rc = inner.type == EV_TABLE_MAP ? table_map(b, in, err) : rows(b, &inner, in, w, err);
        if (rc) return rc;
    }
    ls_buf_clear(&h->events);
    h->at = 0;
    b->draining = false;
    return 0;
}

/* Takes the checksum off *n once it is proven. */
static int verify(ls_binlog *b, const header *h, const uint8_t *event, size_t *n, ls_error *err) {
    bool rotates = h->type == EV_ROTATE && (h->flags & FLAG_ARTIFICIAL); /* made up by the server, with a checksum or without */
    if (h->type == EV_FORMAT_DESCRIPTION) {
        if (*n < HEADER + CHECKSUM + 1) return ls_fail(err, LS_FAIL, "%zu bytes are too few", *n);
        b->checksum = event[*n - CHECKSUM - 1] == 1;
    } else if (!b->described && !rotates) {
        return ls_fail(err, LS_FAIL, "it comes before the first FORMAT_DESCRIPTION event");
    }
    if (!b->checksum && !rotates && h->type != EV_FORMAT_DESCRIPTION) return 0;
    if (*n < HEADER + CHECKSUM) return rotates ? 0 : ls_fail(err, LS_FAIL, "%zu bytes are too few", *n);
    ls_cursor in = ls_cursor_over(event + *n - CHECKSUM, CHECKSUM);
    uint32_t given = (uint32_t)ls_cursor_le(&in, CHECKSUM);
    uint32_t computed = (uint32_t)crc32_z(0, event, *n - CHECKSUM);
    if (given == computed || (!rotates && !b->checksum)) {
        *n -= CHECKSUM;
        return 0;
    }
    if (rotates) return 0;
    return ls_fail(err, LS_FAIL, "its checksum is %08" PRIx32 ", its bytes give %08" PRIx32 ": the log or the connection is corrupt", given,
                   computed);
}

static int read_header(ls_binlog *b, const uint8_t *event, size_t n, header *h, ls_error *err) {
    ls_cursor in = ls_cursor_over(event, n);
    h->ts = (uint32_t)ls_cursor_le(&in, 4);
    h->type = ls_cursor_u8(&in);
    h->server_id = (uint32_t)ls_cursor_le(&in, 4);
    h->len = (uint32_t)ls_cursor_le(&in, 4);
    h->next_pos = (uint32_t)ls_cursor_le(&in, 4);
    h->flags = (uint16_t)ls_cursor_le(&in, 2);
    h->start = h->end = b->offset;
    b->now = *h;
    if (in.failed) return ls_fail_cut(err, &in);
    if (h->len != n) return ls_fail(err, LS_FAIL, "its header says %" PRIu32 " bytes, %zu came", h->len, n);
    return 0;
}

/* The header's position has 32 bits, a file may be longer: counted on from where the stream stands. */
static int locate(ls_binlog *b, header *h, ls_error *err) {
    if (h->next_pos == 0 || (h->flags & FLAG_ARTIFICIAL) || h->type == EV_HEARTBEAT) return 0;
    h->end = (b->offset & ~UINT64_C(0xffffffff)) | h->next_pos;
    if (h->end < b->offset) h->end += UINT64_C(1) << 32;
    if (h->end < h->len) return ls_fail(err, LS_FAIL, "its end position %" PRIu32 " is below its length", h->next_pos);
    h->start = h->end - h->len;
    b->marked = b->marked && b->offset == h->end;
    b->offset = h->end;
    b->now = *h;
    return 0;
}

static int finish(ls_binlog *b, ls_work *w, int rc, ls_error *err) {
    if (rc == 0 && !b->in_tx && !b->marked) rc = mark(b, w, "", err);
    if (rc < 0)
        ls_fail_in(err, "%s.%06" PRIu64 ", offset %" PRIu64 ", %s event", b->base[0] ? b->base : "binary log", b->file, b->now.start,
                   event_name(b->now.type));
    return rc;
}

int ls_binlog_event(ls_binlog *b, const uint8_t *event, size_t n, ls_work *w, ls_error *err) {
    header h;
    int rc = read_header(b, event, n, &h, err);
    if (!rc) rc = verify(b, &h, event, &n, err);
    if (!rc) rc = locate(b, &h, err);
    if (!rc) {
        ls_cursor in = ls_cursor_over(event, n);
        ls_cursor_take(&in, HEADER);
        rc = decode(b, &h, event, n, in, w, err);
    }
    return finish(b, w, rc, err);
}

int ls_binlog_more(ls_binlog *b, ls_work *w, ls_error *err) {
    int rc = b->rows_open ? run_rows(b, w, err) : 0;
    if (rc == 0 && b->draining) rc = drain(b, w, err);
    if (rc == 0 && b->ending) rc = end_tx(b, w, err);
    return finish(b, w, rc, err);
}
