/* outbox.h - messages that wait, in their order, while a transaction is being ended. Capture thread only. */
#ifndef LS_OUTBOX_H
#define LS_OUTBOX_H

#include "base/buf.h"
#include "kafka/producer.h"

enum { LS_OUTBOX_BYTES = 4 * 1024 * 1024 }; /* it holds so much at most: what is encoded while a commit takes some tens of milliseconds */

typedef struct ls_outbox {
    ls_buf bytes;
    size_t at; /* of the oldest */
} ls_outbox;

/* A message as ls_producer_send() takes it. */
typedef struct ls_parcel {
    ls_topic *topic;
    int partition;
    const void *key, *value; /* NULL: none */
    size_t key_len, value_len;
    const ls_producer_header *headers;
    size_t nheaders;
    void *opaque;
} ls_parcel;

static inline bool ls_outbox_is_empty(const ls_outbox *o) { return o->at == o->bytes.len; }
/* Copies it. 1: there is no room. -1: memory. */
int ls_outbox_add(ls_outbox *o, const ls_parcel *p) LS_MUST_CHECK;
/* Sends the oldest. -1: it stays the oldest. */
int ls_outbox_send(ls_outbox *o, ls_producer *producer, ls_error *err) LS_MUST_CHECK;
void ls_outbox_clear(ls_outbox *o);
void ls_outbox_free(ls_outbox *o);

#endif
