/* binlog_payload.h - MySQL's TRANSACTION_PAYLOAD event: a transaction's events, compressed together. Of what it holds, one event at a
 * time is in memory. One thread. */
#ifndef LS_BINLOG_PAYLOAD_H
#define LS_BINLOG_PAYLOAD_H

#include "base/buf.h"
#include "base/cursor.h"

typedef struct ZSTD_DCtx_s ls_zstd;

typedef struct ls_payload {
    bool open;     /* there may be more */
    ls_zstd *zstd; /* made at the first compressed one, and kept; NULL before */
    bool plain;    /* the events are not compressed */
    ls_cursor in;  /* over the outer event, whose bytes must stay while it is open */
    ls_buf event;  /* the inner one: header and body, no checksum */
} ls_payload;

void ls_payload_free(ls_payload *p);
/* in: the event behind its header, up to its checksum. */
int ls_payload_open(ls_payload *p, ls_cursor in, ls_error *err) LS_MUST_CHECK;
/* 1: the next event is in p->event; 0: there is none, and it is closed. */
int ls_payload_next(ls_payload *p, ls_error *err) LS_MUST_CHECK;

#endif
