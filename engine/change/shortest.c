/* shortest.c - after Raffaello Giulietti, "The Schubfach way to render doubles".
 *
 * A number c x 2^q stands for every real between the middles to its two neighbours. With 10^k the largest power of ten that
 * is no larger than that interval is wide, at most one multiple of 10^(k+1) and at least one of 10^k lies within: the former is
 * shorter, and of the latter the nearer of the two around the number is taken. All is computed in quarters of 10^k, from a
 * product with a 128-bit power of ten whose last bit is 1 where the true value has more bits ("round to odd"), which is
 * enough to compare it with integers. */
#include "change/shortest.h"

#include "change/powers.h"

#include <stdbool.h>
#include <string.h>

enum {
    DOUBLE_FRACTION = 52, DOUBLE_BIAS = 1075, /* of the exponent of an integer mantissa */
    FLOAT_FRACTION = 23, FLOAT_BIAS = 150
};

/* floor(log10(2^e)), floor(log10(3/4 2^e)), floor(log2(10^e)) for |e| below 1200. */
static int log10_pow2(int e) { return (e * 1262611) >> 22; }
static int log10_three_quarters_pow2(int e) { return (e * 1262611 - 524031) >> 22; }
static int log2_pow10(int e) { return (e * 1741647) >> 19; }

/* g x c / 2^128, rounded to odd. */
static uint64_t multiply(ls_power g, uint64_t c) {
    unsigned __int128 low = (unsigned __int128)g.low * c, high = (unsigned __int128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest decimal of c x 2^q. lower_is_closer: the neighbour below is half as far as the one above. */
static ls_decimal shortest(uint64_t c, int q, bool lower_is_closer) {
    uint64_t out = c & 1; /* the interval's ends round to the even neighbour: they belong to an even c only */
    int k = lower_is_closer ? log10_three_quarters_pow2(q) : log10_pow2(q);
    int h = q + log2_pow10(-k) + 1;
    ls_power g = ls_powers[-k - LS_POWERS_FROM];
    uint64_t lower = multiply(g, (4 * c - 2 + lower_is_closer) << h) + out;
    uint64_t middle = multiply(g, 4 * c << h);
    uint64_t upper = multiply(g, (4 * c + 2) << h) - out;

    uint64_t s = middle / 4, tens = s / 10;
    bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
    if (s >= 10 && below != above) return (ls_decimal){tens + above, k + 1};
    below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return (ls_decimal){s + above, k};
    uint64_t half = 4 * s + 2;
    return (ls_decimal){s + (middle > half || (middle == half && (s & 1))), k};
}

static ls_decimal trimmed(ls_decimal d) {
    if (!d.digits) return (ls_decimal){0, 0};
    while (d.digits % 100 == 0) d.digits /= 100, d.exponent += 2;
    if (d.digits % 10 == 0) d.digits /= 10, d.exponent++;
    return d;
}

/* From a number's fields: the fraction, and the exponent as it is stored. */
static ls_decimal from_fields(uint64_t fraction, int exponent, int bits, int bias) {
    if (!exponent) return trimmed(fraction ? shortest(fraction, 1 - bias, false) : (ls_decimal){0, 0});
    return trimmed(shortest(fraction | UINT64_C(1) << bits, exponent - bias, !fraction && exponent > 1));
}

ls_decimal ls_shortest_double(double d) {
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return from_fields(u & ((UINT64_C(1) << DOUBLE_FRACTION) - 1), (int)(u >> DOUBLE_FRACTION & 0x7ff), DOUBLE_FRACTION,
                       DOUBLE_BIAS);
}

ls_decimal ls_shortest_float(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return from_fields(u & ((UINT32_C(1) << FLOAT_FRACTION) - 1), (int)(u >> FLOAT_FRACTION & 0xff), FLOAT_FRACTION,
                       FLOAT_BIAS);
}
