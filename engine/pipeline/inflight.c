#include "pipeline/inflight.h"

#include <stdlib.h>

int ls_inflight_init(ls_inflight *f) {
    f->ring = calloc(LS_SEGMENTS, sizeof *f->ring);
    return f->ring ? 0 : -1;
}

void ls_inflight_free(ls_inflight *f) {
    if (!f->ring) return;
    for (size_t i = 0; i < LS_SEGMENTS; i++) free(f->ring[i].gtid);
    free(f->ring);
    f->ring = NULL;
}

ls_segment *ls_inflight_open(ls_inflight *f) {
    uint64_t tail = atomic_load_explicit(&f->tail, memory_order_relaxed);
    if (tail - atomic_load_explicit(&f->head, memory_order_acquire) == LS_SEGMENTS) return NULL;
    ls_segment *s = &f->ring[tail % LS_SEGMENTS];
    s->rows = 0;
    s->has_place = false;
    s->pos[0] = '\0';
    s->seq = 0;
    s->ts = 0;
    atomic_store_explicit(&s->outstanding, 1, memory_order_relaxed);
    atomic_store_explicit(&f->tail, tail + 1, memory_order_release);
    return s;
}

void ls_inflight_add(ls_inflight *f, ls_segment *s, size_t bytes) {
    atomic_fetch_add_explicit(&s->outstanding, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&f->bytes, bytes + LS_MESSAGE_OVERHEAD, memory_order_relaxed);
}

void ls_inflight_unsent(ls_inflight *f, ls_segment *s, size_t bytes) {
    atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&f->bytes, bytes + LS_MESSAGE_OVERHEAD, memory_order_relaxed);
}

void ls_inflight_close(ls_inflight *f, ls_segment *s) {
    (void)f;
    atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_release);
}

void ls_inflight_done(ls_inflight *f, ls_segment *s, size_t bytes) {
    atomic_fetch_sub_explicit(&f->bytes, bytes + LS_MESSAGE_OVERHEAD, memory_order_relaxed);
    atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_release);
}

ls_segment *ls_inflight_oldest(ls_inflight *f) {
    uint64_t head = atomic_load_explicit(&f->head, memory_order_relaxed);
    if (head == atomic_load_explicit(&f->tail, memory_order_acquire)) return NULL;
    ls_segment *s = &f->ring[head % LS_SEGMENTS];
    return atomic_load_explicit(&s->outstanding, memory_order_acquire) ? NULL : s;
}

void ls_inflight_pop(ls_inflight *f) {
    uint64_t head = atomic_load_explicit(&f->head, memory_order_relaxed);
    ls_segment *s = &f->ring[head % LS_SEGMENTS];
    free(s->gtid);
    s->gtid = NULL;
    atomic_store_explicit(&f->head, head + 1, memory_order_release);
}

void ls_inflight_reset(ls_inflight *f) {
    while (ls_inflight_popped(f) != ls_inflight_opened(f)) ls_inflight_pop(f);
    atomic_store(&f->bytes, 0);
}
