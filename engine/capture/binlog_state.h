/* binlog_state.h - what the files of the binlog decoder share. Private to them. */
#ifndef LS_BINLOG_STATE_H
#define LS_BINLOG_STATE_H

#include "capture/binlog.h"
#include "capture/binlog_payload.h"
#include "capture/binlog_rows.h"
#include "capture/binlog_xa.h"

enum { LS_EVENT_HEADER = 19 }; /* bytes */

enum event_type {
    LS_EV_QUERY = 2,
    LS_EV_STOP = 3,
    LS_EV_ROTATE = 4,
    LS_EV_FORMAT_DESCRIPTION = 15,
    LS_EV_XID = 16,
    LS_EV_TABLE_MAP = 19,
    LS_EV_INCIDENT = 26,
    LS_EV_HEARTBEAT = 27,
    LS_EV_GTID_MYSQL = 33,
    LS_EV_ANONYMOUS_GTID = 34,
    LS_EV_XA_PREPARE = 38,
    LS_EV_TRANSACTION_PAYLOAD = 40,
    LS_EV_GTID_TAGGED = 42,
    LS_EV_GTID = 162,
    LS_EV_QUERY_COMPRESSED = 165
};

enum event_flag { LS_FLAG_ARTIFICIAL = 0x20, LS_FLAG_IGNORABLE = 0x80 };

typedef struct ls_event {
    uint32_t ts, server_id, len, next_pos;
    uint16_t flags;
    uint8_t type;
    uint64_t start, end; /* in the file; of an event that is not in it both are where the stream stands */
} ls_event;

typedef struct ls_savepoint {
    char name[LS_NAME_MAX];
    size_t held; /* bytes held when it was set */
} ls_savepoint;

/* Events of a transaction whose rows may still be taken back: [u32 length][event] ... */
typedef struct ls_hold {
    bool on; /* until the transaction ends, or grows too large */
    bool prepared; /* they come from an XA transaction that was prepared earlier */
    ls_buf events;
    size_t at;    /* while they are decoded: the next one */
    size_t spent; /* ... and up to where their memory is given back */
    ls_savepoint *savepoints;
    size_t nsavepoints, cap_savepoints;
} ls_hold;

struct ls_binlog {
    ls_binlog_conf conf;
    ls_maps *maps;
    char base[LS_BINLOG_NAME_MAX];
    uint64_t file, offset; /* behind the last event */
    bool checksum, described;
    ls_event now; /* the event that is decoded, for errors */
    bool seeking;    /* the transaction at `sought`, with which the stream was to begin, has not come yet */
    ls_place sought;
    ls_place from;    /* where the stream was to begin */
    uint64_t epoch;   /* of the places */
    uint32_t created; /* of the file, as in ls_place */
    char within[LS_GTID_TEXT]; /* of this transaction the first rows up to delivered_seq are delivered, under another epoch; "": none */
    char delivered_pos[40];
    uint64_t delivered_seq;

    bool in_tx, standalone, xa;
    bool statement_open; /* TABLE_MAPs came, the statement's last rows did not */
    ls_place begin; /* of the transaction's first event */
    bool deciding;  /* the XA transaction xid */
    char xid[LS_XID_TEXT];
    ls_xas xas;
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
    ls_hold hold;
    ls_buf text; /* scratch of values and queries */
    ls_payload payload;
    ls_buf inflated; /* the rows, or the statement, of a compressed event */
};

/* binlog_tx.c: transactions, rows, and what is held of them. Each that gives int: 0, -1, and where rows are decoded 1
 * when the batch is full before all are. */
int ls_bl_mark(ls_binlog *b, ls_work *w, const char *gtid, ls_error *err) LS_MUST_CHECK;
int ls_bl_begin(ls_binlog *b, const ls_event *h, ls_error *err) LS_MUST_CHECK;
int ls_bl_end(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_bl_commit(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_bl_rollback(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_bl_savepoint(ls_binlog *b, const char *name, ls_error *err) LS_MUST_CHECK;
int ls_bl_rollback_to(ls_binlog *b, const char *name, ls_error *err) LS_MUST_CHECK;
/* The transaction's copy in this batch; NULL: memory. */
const ls_tx *ls_bl_tx(ls_binlog *b, ls_work *w);
/* Takes the changes behind the first `from` out again that are delivered already. */
void ls_bl_drop_delivered(const ls_binlog *b, ls_work *w, uint32_t from);
int ls_bl_table_map(ls_binlog *b, ls_cursor in, ls_error *err) LS_MUST_CHECK;
int ls_bl_rows(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_bl_run_rows(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
/* Keeps a TABLE_MAP or rows event (n bytes, header included, without checksum; in stands behind its header) of a transaction
 * that may be taken back. One that grows too large is released, an XA transaction is refused then. */
int ls_bl_hold(ls_binlog *b, const ls_event *h, const uint8_t *event, size_t n, ls_cursor in, ls_work *w,
               ls_error *err) LS_MUST_CHECK;
/* From now on the transaction's events are decoded as they come. */
int ls_bl_release(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
int ls_bl_drain(ls_binlog *b, ls_work *w, ls_error *err) LS_MUST_CHECK;
void ls_bl_forget_held(ls_binlog *b);
/* The XA_PREPARE event, behind its header. */
int ls_bl_prepare(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) LS_MUST_CHECK;
/* XA COMMIT or XA ROLLBACK: its rows come now, as this transaction's, or are gone. */
int ls_bl_decide(ls_binlog *b, const char *xid, bool commit, ls_work *w, ls_error *err) LS_MUST_CHECK;

/* binlog_gtid.c: the event that begins a transaction, behind its header; MariaDB's and MySQL's. */
int ls_bl_gtid(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) LS_MUST_CHECK;

/* binlog_statement.c: a QUERY event behind its header. */
int ls_bl_query(ls_binlog *b, const ls_event *h, ls_cursor in, ls_work *w, ls_error *err) LS_MUST_CHECK;

#endif
