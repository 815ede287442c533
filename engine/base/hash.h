/* hash.h - FNV-1a, 64 bits: for tables in memory and for what must be the same in every run. */
#ifndef LS_HASH_H
#define LS_HASH_H

#include <stddef.h>
#include <stdint.h>

#define LS_HASH_START UINT64_C(0xcbf29ce484222325)

/* Goes on from h. */
static inline uint64_t ls_hash(uint64_t h, const void *p, size_t n) {
    const uint8_t *at = p;
    for (size_t i = 0; i < n; i++) h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

#endif
