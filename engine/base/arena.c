#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ls_arena_chunk {
    ls_arena_chunk *next;
    size_t size;
    char data[] __attribute__((aligned(16)));
};

static void *from_new_chunk(ls_arena *a, size_t n) {
    size_t size = n > LS_ARENA_CHUNK ? n : LS_ARENA_CHUNK;
    if (size > SIZE_MAX - sizeof(ls_arena_chunk)) return NULL;
    ls_arena_chunk *c = malloc(sizeof *c + size);
    if (!c) return NULL;
    c->size = size;
    a->bytes += n;
    if (n > LS_ARENA_CHUNK / 2 && a->chunks) { /* stands behind the chunk in use, whose room stays of use */
        c->next = a->chunks->next;
        a->chunks->next = c;
        return c->data;
    }
    c->next = a->chunks;
    a->chunks = c;
    a->at = c->data + n;
    a->end = c->data + size;
    return c->data;
}

void *ls_arena_alloc(ls_arena *a, size_t n) {
    if (n > SIZE_MAX - 7) return NULL;
    n = (n + 7) & ~(size_t)7;
    if (n > (size_t)(a->end - a->at) || !a->at) return from_new_chunk(a, n);
    void *p = a->at;
    a->at += n;
    a->bytes += n;
    return p;
}

void *ls_arena_zalloc(ls_arena *a, size_t n) {
    void *p = ls_arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

char *ls_arena_copy(ls_arena *a, const void *p, size_t n) {
    char *c = n < SIZE_MAX ? ls_arena_alloc(a, n + 1) : NULL;
    if (!c) return NULL;
    if (n) memcpy(c, p, n);
    c[n] = '\0';
    return c;
}

void ls_arena_reset(ls_arena *a) {
    ls_arena_chunk *keep = NULL;
    for (ls_arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        if (!keep && c->size == LS_ARENA_CHUNK)
            keep = c;
        else
            free(c);
    }
    a->chunks = keep;
    a->bytes = 0;
    a->at = a->end = NULL;
    if (!keep) return;
    keep->next = NULL;
    a->at = keep->data;
    a->end = keep->data + keep->size;
}

void ls_arena_free(ls_arena *a) {
    for (ls_arena_chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *a = (ls_arena){0};
}
