/* shortest.h - the shortest decimal digits that read back as a floating-point number. Pure. */
#ifndef LS_SHORTEST_H
#define LS_SHORTEST_H

#include <stdint.h>

/* digits x 10^exponent, its last digit not 0 (but for 0 itself). */
typedef struct ls_decimal {
    uint64_t digits;
    int exponent;
} ls_decimal;

/* Of a finite number's magnitude: no decimal with fewer digits reads back the same (round half to even), and of those
 * with as many none lies nearer. 0 gives 0. */
ls_decimal ls_shortest_double(double d);
ls_decimal ls_shortest_float(float f);

#endif
