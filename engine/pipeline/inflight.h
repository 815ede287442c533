/* inflight.h - the ring of what was handed to Kafka and is not acknowledged. Each segment is one batch's rows: the position
 * moves over a segment when it is the oldest and nothing of it is outstanding.
 *
 * Threads: one (capture) opens and closes segments, another (delivery) reports and pops; no locks. */
#ifndef LS_INFLIGHT_H
#define LS_INFLIGHT_H

#include "change/place.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LS_SEGMENTS = 4096 }; /* batches in flight, at most; a power of two */

typedef struct ls_segment {
    atomic_uint_fast32_t outstanding; /* messages, and one more while the segment is open */
    uint32_t rows;
    bool has_place;
    ls_place place; /* where to start again once all up to here is delivered; if has_place */
    char *gtid;     /* the GTID position there, malloc'd, owned by the segment; NULL: none */
    char pos[40];   /* the last row's transaction, "" when the batch had no row */
    uint64_t seq;
    int64_t ts;
} ls_segment;

typedef struct ls_inflight {
    ls_segment *ring; /* LS_SEGMENTS of them */
    _Alignas(64) atomic_uint_fast64_t head; /* next to pop: delivery's */
    _Alignas(64) atomic_uint_fast64_t tail; /* next to open: capture's */
    _Alignas(64) atomic_uint_fast64_t bytes; /* of messages outstanding */
} ls_inflight;

enum { LS_MESSAGE_OVERHEAD = 256 }; /* bytes that a queued message costs the client library beside its key and value */

int ls_inflight_init(ls_inflight *f) LS_MUST_CHECK; /* -1: memory */
void ls_inflight_free(ls_inflight *f);

/* Capture: the next segment, open; NULL while the ring is full. */
ls_segment *ls_inflight_open(ls_inflight *f);
void ls_inflight_add(ls_inflight *f, ls_segment *s, size_t bytes); /* before the message is sent */
void ls_inflight_unsent(ls_inflight *f, ls_segment *s, size_t bytes); /* it was not sent after all */
void ls_inflight_close(ls_inflight *f, ls_segment *s);

/* How many were opened so far. The number of the next one. */
static inline uint64_t ls_inflight_opened(ls_inflight *f) { return atomic_load_explicit(&f->tail, memory_order_relaxed); }

/* Delivery: a message of the segment was acknowledged. */
void ls_inflight_done(ls_inflight *f, ls_segment *s, size_t bytes);
/* The oldest segment if nothing of it is outstanding, else NULL; after use ls_inflight_pop() frees its place in the ring. */
ls_segment *ls_inflight_oldest(ls_inflight *f);
void ls_inflight_pop(ls_inflight *f);
static inline uint64_t ls_inflight_popped(ls_inflight *f) { return atomic_load_explicit(&f->head, memory_order_relaxed); }
/* The segment of that number, which is in the ring. */
static inline ls_segment *ls_inflight_number(ls_inflight *f, uint64_t number) { return &f->ring[number % LS_SEGMENTS]; }
/* Forgets all segments. Neither thread is at work on one. */
void ls_inflight_reset(ls_inflight *f);

static inline size_t ls_inflight_bytes(ls_inflight *f) { return (size_t)atomic_load_explicit(&f->bytes, memory_order_relaxed); }

#endif
