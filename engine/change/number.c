#include "change/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 40 }; /* significant digits of a server's shortest float text: 17 at most, plus slack for zeros */

/* 0.d1d2...dk x 10^point, written as ECMA-262 Number::toString does, which RFC 8785 takes over. */
static void put_digits(ls_buf *out, bool negative, const char *d, int k, int point) {
    if (negative) ls_buf_char(out, '-');
    if (k == 0) {
        ls_buf_char(out, '0');
    } else if (k <= point && point <= 21) {
        ls_buf_add(out, d, (size_t)k);
        for (int i = k; i < point; i++) ls_buf_char(out, '0');
    } else if (0 < point && point <= 21) {
        ls_buf_add(out, d, (size_t)point);
        ls_buf_char(out, '.');
        ls_buf_add(out, d + point, (size_t)(k - point));
    } else if (-6 < point && point <= 0) {
        ls_buf_add(out, "0.", 2);
        for (int i = point; i < 0; i++) ls_buf_char(out, '0');
        ls_buf_add(out, d, (size_t)k);
    } else {
        ls_buf_char(out, d[0]);
        if (k > 1) {
            ls_buf_char(out, '.');
            ls_buf_add(out, d + 1, (size_t)(k - 1));
        }
        ls_buf_add(out, point - 1 < 0 ? "e-" : "e+", 2);
        ls_buf_u64(out, (uint64_t)abs(point - 1));
    }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool equals(const char *p, size_t n, const char *s) { return strlen(s) == n && memcmp(p, s, n) == 0; }

static int exponent(const char *p, size_t n, int *out) {
    bool negative = n && *p == '-';
    if (n && (*p == '-' || *p == '+')) p++, n--;
    if (n == 0 || n > 4) return -1;
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(p[i])) return -1;
        *out = *out * 10 + (p[i] - '0');
    }
    if (negative) *out = -*out;
    return 0;
}

int ls_number_rewrite(ls_buf *out, const char *p, size_t n) {
    char digits[DIGITS_MAX];
    int k = 0, point = 0, e = 0;
    size_t i = 0, seen = 0;
    bool negative = false, fraction = false;
    if (equals(p, n, "NaN") || equals(p, n, "Infinity") || equals(p, n, "-Infinity")) {
        ls_buf_add(out, p, n);
        return 0;
    }
    if (i < n && p[i] == '-') negative = true, i++;
    for (; i < n && (is_digit(p[i]) || (p[i] == '.' && !fraction)); i++) {
        if (p[i] == '.') {
            fraction = true;
            continue;
        }
        seen++;
        if (k == 0 && p[i] == '0') {
            point -= fraction; /* a leading zero only shifts the point */
            continue;
        }
        if (k == DIGITS_MAX) {
            if (p[i] != '0') return -1;
        } else {
            digits[k++] = p[i];
        }
        point += !fraction;
    }
    if (seen == 0) return -1;
    if (i < n && ((p[i] != 'e' && p[i] != 'E') || exponent(p + i + 1, n - i - 1, &e))) return -1;
    while (k && digits[k - 1] == '0') k--;
    put_digits(out, negative, digits, k, point + e);
    return 0;
}

/* The first precision that reads back the same is the shortest: %e rounds correctly, so no shorter text lies nearer.
 * Below 15 (6) digits every decimal text survives the way through a normal double (float), hence the start there. */
static void shortest(ls_buf *out, double d, bool single) {
    char text[64];
    int from = single ? 6 : 15, to = single ? 9 : 17;
    double least = single ? (double)FLT_MIN : DBL_MIN;
    if (isnan(d)) {
        ls_buf_str(out, "NaN");
        return;
    }
    if (isinf(d)) {
        ls_buf_str(out, d < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (fabs(d) < least) from = 1; /* subnormals have fewer digits */
    for (int digits = from; digits <= to; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, d);
        if (single ? strtof(text, NULL) == (float)d : strtod(text, NULL) == d) break;
    }
    if (ls_number_rewrite(out, text, strlen(text))) out->failed = true;
}

void ls_number_double(ls_buf *out, double d) {
    if (d > -9007199254740992.0 && d < 9007199254740992.0 && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        ls_buf_i64(out, (int64_t)d);
    else
        shortest(out, d, false);
}

void ls_number_float(ls_buf *out, double d) {
    if (d > -1e6 && d < 1e6 && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        ls_buf_i64(out, (int64_t)d);
    else
        shortest(out, d, true);
}

bool ls_number_is_integer(const char *p, size_t n) {
    if (n && *p == '-') p++, n--;
    if (n == 0 || (n > 1 && *p == '0')) return false;
    for (size_t i = 0; i < n; i++)
        if (!is_digit(p[i])) return false;
    return true;
}

bool ls_number_is_decimal(const char *p, size_t n) {
    size_t digits = 0, points = 0;
    if (n && *p == '-') p++, n--;
    for (size_t i = 0; i < n; i++) {
        if (is_digit(p[i]))
            digits++;
        else if (p[i] != '.' || points++)
            return false;
    }
    return digits > 0;
}
