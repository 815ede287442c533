/* arena.h - memory that is given back all at once. Allocations are 8-byte aligned and never move.
 * ls_arena_reset() keeps at most one chunk (of LS_ARENA_CHUNK bytes), so that a large row's memory goes back. One thread. */
#ifndef LS_ARENA_H
#define LS_ARENA_H

#include "base/limit.h"

#include <stddef.h>

enum { LS_ARENA_CHUNK = LS_LIMIT(256 * 1024, 2048) }; /* bytes; a larger allocation gets a chunk of its own */

typedef struct ls_arena_chunk ls_arena_chunk;
typedef struct ls_arena {
    ls_arena_chunk *chunks; /* newest first */
    char *at, *end;         /* room in the chunk in use */
    size_t bytes;           /* handed out since the last reset */
} ls_arena;

/* n bytes, not cleared; NULL when memory is out. n = 0 gives a valid pointer. */
void *ls_arena_alloc(ls_arena *a, size_t n);
void *ls_arena_zalloc(ls_arena *a, size_t n);
/* A copy of n bytes with a NUL behind. */
char *ls_arena_copy(ls_arena *a, const void *p, size_t n);
void ls_arena_reset(ls_arena *a);
void ls_arena_free(ls_arena *a);

#endif
