/* powers.h - powers of ten to 128 bits, for shortest.c. */
#ifndef LS_POWERS_H
#define LS_POWERS_H

#include <stdint.h>

enum { LS_POWERS_FROM = -292, LS_POWERS_TO = 324 };

typedef struct ls_power {
    uint64_t high, low;
} ls_power;

/* [k - LS_POWERS_FROM]: 10^k times the power of two that puts its first bit into bit 127, rounded up to an integer.
 * powers.c is written by scripts/powers; test_number.c computes it again. */
extern const ls_power ls_powers[LS_POWERS_TO - LS_POWERS_FROM + 1];

#endif
