/* Floating-point numbers to their shortest text, and the table of powers that it takes. */
#include "change/number.h"
#include "change/powers.h"
#include "change/shortest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANDOM_DOUBLES = 1000000, RANDOM_FLOATS = 1000000 };

static ls_buf out; /* the tests' own: freed at the end */

static const char *printed(double d, bool single) {
    ls_buf_clear(&out);
    if (single)
        ls_number_float(&out, d);
    else
        ls_number_double(&out, d);
    return ls_buf_cstr(&out);
}

static void prints(double d, const char *want) { assert_string_equal(printed(d, false), want); }
static void prints_float(float f, const char *want) { assert_string_equal(printed((double)f, true), want); }

static void test_double(void **state) { /* the table of RFC 8785, appendix B, and its neighbours */
    (void)state;
    prints(0.0, "0");
    prints(-0.0, "-0");
    prints(5e-324, "5e-324");
    prints(-5e-324, "-5e-324");
    prints(1.7976931348623157e308, "1.7976931348623157e+308");
    prints(2.2250738585072014e-308, "2.2250738585072014e-308"); /* the smallest normal one, and the largest below */
    prints(2.225073858507201e-308, "2.225073858507201e-308");
    prints(9007199254740992.0, "9007199254740992");
    prints(9007199254740993.0, "9007199254740992");
    prints(9007199254740994.0, "9007199254740994");
    prints(295147905179352830000.0, "295147905179352830000");
    prints(9.999999999999997e22, "9.999999999999997e+22");
    prints(1e23, "1e+23");
    prints(1.0000000000000001e23, "1.0000000000000001e+23");
    prints(999999999999999900000.0, "999999999999999900000");
    prints(1e21, "1e+21");
    prints(1e-6, "0.000001");
    prints(9.999999999999997e-7, "9.999999999999997e-7");
    prints(1e-7, "1e-7");
    prints(333333333.3333332, "333333333.3333332");
    prints(0.1, "0.1");
    prints(-(0.1 + 0.2), "-0.30000000000000004");
    prints(7.120236347223045e-307, "7.120236347223045e-307"); /* a power of two: its neighbour below is nearer */
    prints(0x1p-1022, "2.2250738585072014e-308");
    prints(NAN, "NaN");
    prints(-INFINITY, "-Infinity");
}

static void test_float(void **state) {
    (void)state;
    prints_float(0.1f, "0.1");
    prints_float(FLT_MAX, "3.4028235e+38");
    prints_float(1e-45f, "1e-45");
    prints_float(0x1p-96f, "1.2621775e-29"); /* 1.2621774e-29 lies nearer, and reads back as the neighbour */
    prints_float(16777216.0f, "16777216");
    prints_float(33554432.0f, "33554432");
    prints_float(8589973000.0f, "8589974000"); /* 8589973000 reads back, too, and is not as near */
    prints_float(-0.0f, "-0");
    prints_float((float)NAN, "NaN");
    prints_float(-INFINITY, "-Infinity");
}

/* ---- is it the shortest, and the nearest of them? */

static bool reads_back(const char *text, double d, bool single) {
    return single ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d;
}

static int digits_of(uint64_t v) {
    int n = 1;
    while (v >= 10) v /= 10, n++;
    return n;
}

/* Of decimals with one digit less the two around the number are the nearest: neither reads back. And correctly rounded to as
 * many digits it is the same, unless that does not read back (at a power of two). */
static void is_shortest(double d, bool single) {
    char text[64];
    d = fabs(d);
    ls_decimal s = single ? ls_shortest_float((float)d) : ls_shortest_double(d);
    int n = digits_of(s.digits);
    assert_true(s.digits % 10 != 0);
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)s.digits, s.exponent);
    if (!reads_back(text, d, single)) fail_msg("%a is not %s", d, text);
    for (unsigned up = 0; n > 1 && up < 2; up++) {
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)s.digits / 10 + up, s.exponent + 1);
        if (reads_back(text, d, single)) fail_msg("%a is also %s", d, text);
    }
    char want[64];
    snprintf(want, sizeof want, "%.*e", n - 1, d);
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)s.digits, s.exponent);
    if (reads_back(want, d, single) && strtold(want, NULL) != strtold(text, NULL)) fail_msg("%a is rather %s than %s", d, want, text);
}

static double of_bits(uint64_t u) {
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}

static float of_bits_float(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint64_t next_random(uint64_t *seed) { /* Marsaglia's xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void test_each_exponent(void **state) {
    (void)state;
    static const uint64_t fractions[] = {0, 1, 2, 3, UINT64_C(0x7ffffffffffff), UINT64_C(0x8000000000000), UINT64_C(0xffffffffffffe),
                                         UINT64_C(0xfffffffffffff)};
    static const uint32_t single[] = {0, 1, 2, 3, 0x3fffff, 0x400000, 0x7ffffe, 0x7fffff};
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        for (uint64_t e = 0; e < 0x7ff; e++)
            if (e || fractions[i]) is_shortest(of_bits(e << 52 | fractions[i]), false);
        for (uint32_t e = 0; e < 0xff; e++)
            if (e || single[i]) is_shortest((double)of_bits_float(e << 23 | single[i]), true);
    }
}

static void test_powers_of_ten_and_neighbours(void **state) {
    (void)state;
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        double d = strtod(text, NULL);
        ls_decimal s = ls_shortest_double(d);
        assert_true(s.digits == 1 && s.exponent == e);
        is_shortest(nextafter(d, 0), false);
        is_shortest(nextafter(d, INFINITY), false);
    }
}

static void test_random_numbers(void **state) {
    (void)state;
    uint64_t seed = 20;
    for (int i = 0; i < RANDOM_DOUBLES; i++) {
        double d = of_bits(next_random(&seed));
        if (!isfinite(d)) continue;
        is_shortest(d, false);
        if (i % 16 == 0) assert_true(strtod(printed(d, false), NULL) == d);
    }
    for (int i = 0; i < RANDOM_FLOATS; i++) {
        float f = of_bits_float((uint32_t)(next_random(&seed) >> 16));
        if (!isfinite(f) || f == 0) continue;
        is_shortest((double)f, true);
        if (i % 16 == 0) assert_true(strtof(printed((double)f, true), NULL) == f);
    }
}

/* ---- the table of powers, by long arithmetic */

enum { WORDS = 80 }; /* 32 bits each, the least first: 2^2400 at most */

/* The first 128 bits, and whether any bit follows them. */
static ls_power leading(const uint32_t w[WORDS], bool *more) {
    int top = WORDS * 32;
    unsigned __int128 v = 0;
    do top--;
    while (!(w[top / 32] >> top % 32 & 1));
    for (int i = 0; i < 128; i++, top--) v = v << 1 | (top >= 0 ? w[top / 32] >> top % 32 & 1 : 0);
    for (*more = false; top >= 0; top--) *more = *more || (w[top / 32] >> top % 32 & 1);
    return (ls_power){(uint64_t)(v >> 64), (uint64_t)v};
}

static void times_ten(uint32_t w[WORDS]) {
    uint64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (uint64_t)w[i] * 10;
        w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_true(carry == 0);
}

static bool over_ten(uint32_t w[WORDS]) {
    uint64_t rest = 0;
    for (int i = WORDS; i-- > 0;) {
        rest = rest << 32 | w[i];
        w[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
    return rest != 0;
}

static void same_power(int k, ls_power is, bool more) {
    unsigned __int128 v = ((unsigned __int128)is.high << 64 | is.low) + more; /* rounded up */
    const ls_power *have = &ls_powers[k - LS_POWERS_FROM];
    if (have->high != (uint64_t)(v >> 64) || have->low != (uint64_t)v) fail_msg("10^%d", k);
}

static void test_powers(void **state) {
    (void)state;
    uint32_t up[WORDS] = {1}, down[WORDS] = {0};
    bool more, rest = false;
    for (int k = 0; k <= LS_POWERS_TO; k++, times_ten(up)) {
        ls_power p = leading(up, &more);
        same_power(k, p, more);
    }
    down[WORDS - 1] = 1U << 31;
    for (int k = -1; k >= LS_POWERS_FROM; k--) {
        rest = over_ten(down) || rest;
        ls_power p = leading(down, &more);
        same_power(k, p, more || rest);
    }
}

/* ---- reading */

static void reads(const char *text, double d, double f) {
    double got = 0;
    assert_int_equal(ls_number_read_double(text, strlen(text), &got), 0);
    assert_true(isnan(d) ? isnan(got) : got == d && !signbit(got) == !signbit(d));
    assert_int_equal(ls_number_read_float(text, strlen(text), &got), 0);
    assert_true(isnan(f) ? isnan(got) : got == f);
}

static void test_read(void **state) {
    (void)state;
    reads("1e+20", 1e20, (double)1e20f);
    reads("1.5e-05", 1.5e-5, (double)1.5e-5f);
    reads("-0", -0.0, -0.0);
    reads("123456.75", 123456.75, 123456.75);
    reads("0.1", 0.1, (double)0.1f);
    reads("NaN", NAN, NAN);
    reads("Infinity", INFINITY, INFINITY);
    reads("-Infinity", -INFINITY, -INFINITY);
    static const char *const bad[] = {"", "-", ".", "1e", "1e+", "x", "1.2.3", "1e99999", "0x1", "1 ", " 1", "nan", "inf", "+1", "e5",
                                      "1111111111111111111111111111111111111111111111111111111111111111111"};
    double d;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ls_number_read_double(bad[i], strlen(bad[i]), &d), -1);
        assert_int_equal(ls_number_read_float(bad[i], strlen(bad[i]), &d), -1);
    }
    assert_int_equal(ls_number_read_float("1e39", 4, &d), -1); /* beyond a float */
}

static int free_out(void **state) {
    (void)state;
    ls_buf_free(&out);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_float),
        cmocka_unit_test(test_each_exponent),
        cmocka_unit_test(test_powers_of_ten_and_neighbours),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_powers),
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, free_out);
}
