#include "change/number.h"

#include "change/shortest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS_MAX = 20,     /* decimal digits of 64 bits */
    FLOAT_TEXT_MAX = 64  /* bytes of a float's text that is read; the shortest has 24 at most */
};

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

/* NaN and the infinities; false of any other number. */
static bool put_special(ls_buf *out, double d) {
    if (isfinite(d)) return false;
    ls_buf_str(out, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
    return true;
}

static void put_decimal(ls_buf *out, bool negative, ls_decimal d) {
    char digits[DIGITS_MAX];
    int at = DIGITS_MAX;
    for (; d.digits; d.digits /= 10) digits[--at] = (char)('0' + d.digits % 10);
    put_digits(out, negative, digits + at, DIGITS_MAX - at, DIGITS_MAX - at + d.exponent);
}

void ls_number_double(ls_buf *out, double d) {
    if (d > -9007199254740992.0 && d < 9007199254740992.0 && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        ls_buf_i64(out, (int64_t)d);
    else if (!put_special(out, d))
        put_decimal(out, signbit(d), ls_shortest_double(d));
}

void ls_number_float(ls_buf *out, double d) {
    if (d > -1e6 && d < 1e6 && d == (double)(int64_t)d && !(d == 0 && signbit(d)))
        ls_buf_i64(out, (int64_t)d);
    else if (!put_special(out, d))
        put_decimal(out, signbit(d), ls_shortest_float((float)d));
}

/* Copies a number's text to where strtod() finds its end, and knows the names as servers write them: 1 when *special is
 * the value, 0 when the text is to be converted, -1 when it is no number. */
static int number_text(const char *p, size_t n, char text[FLOAT_TEXT_MAX], double *special) {
    if (n == 0 || n >= FLOAT_TEXT_MAX) return -1;
    if (equals(p, n, "NaN")) return *special = NAN, 1;
    if (equals(p, n, "Infinity")) return *special = INFINITY, 1;
    if (equals(p, n, "-Infinity")) return *special = -INFINITY, 1;
    for (size_t i = 0; i < n; i++) /* no blanks, no hexadecimal, no other names */
        if (!is_digit(p[i]) && p[i] != '-' && p[i] != '.' && !(i && (p[i] == 'e' || p[i] == 'E' || p[i] == '+'))) return -1;
    memcpy(text, p, n);
    text[n] = '\0';
    return 0;
}

int ls_number_read_double(const char *p, size_t n, double *out) {
    char text[FLOAT_TEXT_MAX], *end;
    int special = number_text(p, n, text, out);
    if (special) return special < 0 ? -1 : 0;
    *out = strtod(text, &end);
    return end == text + n && isfinite(*out) ? 0 : -1;
}

int ls_number_read_float(const char *p, size_t n, double *out) {
    char text[FLOAT_TEXT_MAX], *end;
    int special = number_text(p, n, text, out);
    if (special) return special < 0 ? -1 : 0;
    *out = (double)strtof(text, &end);
    return end == text + n && isfinite(*out) ? 0 : -1;
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
