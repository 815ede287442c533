/* eight.h - eight bytes of a text at once. The first byte is the lowest of the word, on any machine. */
#ifndef LS_EIGHT_H
#define LS_EIGHT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LS_EIGHT_TIMES(byte) (0x0101010101010101u * (unsigned char)(byte))
#define LS_EIGHT_TOPS 0x8080808080808080u

static inline uint64_t ls_eight_loaded(uint64_t v) { return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v; }

static inline uint64_t ls_eight(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return ls_eight_loaded(v);
}

/* n: 1 to 7. The bytes behind them are `rest`. */
static inline uint64_t ls_eight_or_less(const char *p, size_t n, char rest) {
    uint64_t v = LS_EIGHT_TIMES(rest);
    if (n >= 4) { /* two words that overlap */
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) low = __builtin_bswap32(low), high = __builtin_bswap32(high);
        return (v << 8 * (n - 1) << 8) | (uint64_t)high << 8 * (n - 4) | low;
    }
    v <<= 8 * n;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return v;
}

/* The highest bit of each byte that is 0: none if there is none, and right up to the first. ("Bit Twiddling Hacks", "determine if a word has a zero
 * byte".) */
static inline uint64_t ls_zero_bytes(uint64_t v) { return (v - LS_EIGHT_TIMES(1)) & ~v & LS_EIGHT_TOPS; }

/* Which byte is the first that has its highest bit in a word with no other bits; 8: none. */
static inline size_t ls_first_byte(uint64_t tops) { return tops ? (size_t)__builtin_ctzll(tops) / 8 : 8; }

#endif
