#include "capture/binlog_value.h"

#include "base/text.h"
#include "change/time.h"

#include <string.h>

enum {
    DIGITS = 9, /* in 4 bytes */
    DECIMAL_DIGITS_MAX = 65,
    DECIMAL_SCALE_MAX = 38
};

static const uint8_t digit_bytes[DIGITS + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

static bool decimal_fits(unsigned precision, unsigned scale) {
    return precision >= 1 && precision <= DECIMAL_DIGITS_MAX && scale <= DECIMAL_SCALE_MAX && scale <= precision;
}

static bool read_meta(ls_wire_column *c, ls_cursor *meta) {
    switch (c->code) {
    case LS_WIRE_FLOAT:
    case LS_WIRE_DOUBLE:
    case LS_WIRE_TINY_BLOB:
    case LS_WIRE_MEDIUM_BLOB:
    case LS_WIRE_LONG_BLOB:
    case LS_WIRE_BLOB:
    case LS_WIRE_BLOB_COMPRESSED:
    case LS_WIRE_GEOMETRY:
    case LS_WIRE_JSON:
    case LS_WIRE_VECTOR:
    case LS_WIRE_TIMESTAMP2:
    case LS_WIRE_DATETIME2:
    case LS_WIRE_TIME2:
        c->meta = ls_cursor_u8(meta);
        break;
    case LS_WIRE_VARCHAR:
    case LS_WIRE_VAR_STRING:
    case LS_WIRE_VARCHAR_COMPRESSED:
    case LS_WIRE_BIT:
        c->meta = (uint16_t)ls_cursor_le(meta, 2);
        break;
    case LS_WIRE_NEWDECIMAL:
        c->meta = ls_cursor_u8(meta);
        c->scale = ls_cursor_u8(meta);
        break;
    case LS_WIRE_STRING:
    case LS_WIRE_ENUM:
    case LS_WIRE_SET: { /* the first byte holds the real type, and two bits of a long CHAR's length, inverted */
        uint8_t real = ls_cursor_u8(meta), low = ls_cursor_u8(meta);
        c->meta = low;
        if ((real & 0x30) != 0x30) {
            c->meta = (uint16_t)(low | ((real & 0x30) ^ 0x30) << 4);
            real |= 0x30;
        }
        if (c->code == LS_WIRE_STRING) c->code = real;
        break;
    }
    case LS_WIRE_DECIMAL_OLD:
    case LS_WIRE_TINY:
    case LS_WIRE_SHORT:
    case LS_WIRE_LONG:
    case LS_WIRE_LONGLONG:
    case LS_WIRE_INT24:
    case LS_WIRE_NULL:
    case LS_WIRE_YEAR:
    case LS_WIRE_DATE:
    case LS_WIRE_NEWDATE:
    case LS_WIRE_TIME:
    case LS_WIRE_DATETIME:
    case LS_WIRE_TIMESTAMP:
        break;
    default:
        return false;
    }
    return true;
}

/* Does the metadata make sense? What does not is a corrupt event, which must not be decoded by. */
static bool meta_fits(const ls_wire_column *c) {
    switch (c->code) {
    case LS_WIRE_BLOB:
        return c->meta >= 1 && c->meta <= 4;
    case LS_WIRE_TIMESTAMP2:
    case LS_WIRE_DATETIME2:
    case LS_WIRE_TIME2:
        return c->meta <= 6;
    case LS_WIRE_NEWDECIMAL:
        return decimal_fits(c->meta, c->scale);
    case LS_WIRE_STRING:
    case LS_WIRE_ENUM:
    case LS_WIRE_SET:
        return true;
    default:
        return c->code != LS_WIRE_NULL;
    }
}

bool ls_wire_meta(ls_wire_column *c, ls_cursor *meta) {
    return read_meta(c, meta) && !meta->failed && meta_fits(c);
}

bool ls_wire_is_numeric(uint8_t code) {
    switch (code) {
    case LS_WIRE_TINY:
    case LS_WIRE_SHORT:
    case LS_WIRE_INT24:
    case LS_WIRE_LONG:
    case LS_WIRE_LONGLONG:
    case LS_WIRE_FLOAT:
    case LS_WIRE_DOUBLE:
    case LS_WIRE_NEWDECIMAL:
    case LS_WIRE_YEAR:
        return true;
    default:
        return false;
    }
}

bool ls_wire_has_collation(const ls_wire_column *c, bool mariadb) {
    switch (c->code) {
    case LS_WIRE_VARCHAR:
    case LS_WIRE_VAR_STRING:
    case LS_WIRE_STRING:
    case LS_WIRE_TINY_BLOB:
    case LS_WIRE_MEDIUM_BLOB:
    case LS_WIRE_LONG_BLOB:
    case LS_WIRE_BLOB:
    case LS_WIRE_VECTOR:
    case LS_WIRE_BLOB_COMPRESSED:
    case LS_WIRE_VARCHAR_COMPRESSED:
        return true;
    case LS_WIRE_GEOMETRY:
        return mariadb;
    default:
        return false;
    }
}

const char *ls_wire_unsupported(uint8_t code) {
    switch (code) {
    case LS_WIRE_DECIMAL_OLD:
        return "DECIMAL of a table older than MySQL 5";
    case LS_WIRE_BIT:
        return "BIT";
    case LS_WIRE_ENUM:
        return "ENUM";
    case LS_WIRE_SET:
        return "SET";
    case LS_WIRE_JSON:
        return "JSON";
    case LS_WIRE_GEOMETRY:
        return "GEOMETRY";
    case LS_WIRE_VECTOR:
        return "VECTOR";
    case LS_WIRE_BLOB_COMPRESSED:
    case LS_WIRE_VARCHAR_COMPRESSED:
        return "COMPRESSED";
    default:
        return "a type that is never in a log";
    }
}

static size_t decimal_bytes(const ls_wire_column *c) {
    unsigned whole = (unsigned)c->meta - c->scale, part = c->scale;
    return whole / DIGITS * 4u + digit_bytes[whole % DIGITS] + part / DIGITS * 4u + digit_bytes[part % DIGITS];
}

static size_t fraction_bytes(const ls_wire_column *c) {
    return (c->meta + 1u) / 2;
}

/* Bytes of a type whose values are all as long; 0: it has a length in front. */
static size_t fixed_bytes(const ls_wire_column *c) {
    switch (c->code) {
    case LS_WIRE_TINY:
    case LS_WIRE_YEAR:
        return 1;
    case LS_WIRE_SHORT:
        return 2;
    case LS_WIRE_INT24:
    case LS_WIRE_DATE:
    case LS_WIRE_NEWDATE:
    case LS_WIRE_TIME:
        return 3;
    case LS_WIRE_LONG:
    case LS_WIRE_FLOAT:
    case LS_WIRE_TIMESTAMP:
        return 4;
    case LS_WIRE_LONGLONG:
    case LS_WIRE_DOUBLE:
    case LS_WIRE_DATETIME:
        return 8;
    case LS_WIRE_TIMESTAMP2:
        return 4 + fraction_bytes(c);
    case LS_WIRE_DATETIME2:
        return 5 + fraction_bytes(c);
    case LS_WIRE_TIME2:
        return 3 + fraction_bytes(c);
    case LS_WIRE_NEWDECIMAL:
        return decimal_bytes(c);
    default:
        return 0;
    }
}

/* STRING, VARCHAR and BLOB: the bytes behind their length. */
static const uint8_t *take_bytes(const ls_wire_column *c, ls_cursor *in, size_t *n) {
    size_t prefix = c->code == LS_WIRE_BLOB ? c->meta : c->meta > 255 ? 2 : 1;
    *n = (size_t)ls_cursor_le(in, prefix);
    return ls_cursor_take(in, *n);
}

void ls_wire_skip(const ls_wire_column *c, ls_cursor *in) {
    size_t n = fixed_bytes(c);
    if (n)
        ls_cursor_take(in, n);
    else
        take_bytes(c, in, &n);
}

static int64_t signed_of(uint64_t v, unsigned bytes) {
    unsigned unused = 64 - 8 * bytes;
    return (int64_t)(v << unused) >> unused;
}

static void read_integer(const ls_wire_column *c, ls_cursor *in, ls_value *out) {
    unsigned bytes = (unsigned)fixed_bytes(c);
    uint64_t v = ls_cursor_le(in, bytes);
    *out = c->is_unsigned ? ls_value_uint(v) : ls_value_int(signed_of(v, bytes));
}

static void read_float(const ls_wire_column *c, ls_cursor *in, ls_value *out) {
    if (c->code == LS_WIRE_FLOAT) {
        uint32_t bits = (uint32_t)ls_cursor_le(in, 4);
        float f;
        memcpy(&f, &bits, sizeof f);
        *out = (ls_value){.kind = LS_KIND_FLOAT, .as.d = (double)f};
    } else {
        uint64_t bits = ls_cursor_le(in, 8);
        double d;
        memcpy(&d, &bits, sizeof d);
        *out = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = d};
    }
}

static int finish_text(ls_arena *arena, const ls_buf *text, ls_value *out, ls_error *err) {
    char *p = text->failed ? NULL : ls_arena_copy(arena, text->data, text->len);
    if (!p) return ls_fail_memory(err, "a value");
    *out = ls_value_text(p, text->len);
    return 0;
}

/* A group of up to 9 digits. The whole number's leading zeros are left out: *some says whether a digit was written. */
static bool decimal_group(const uint8_t **p, uint8_t flip, unsigned digits, bool *some, ls_buf *text) {
    uint32_t v = 0, power = 1;
    for (unsigned i = 0; i < digit_bytes[digits]; i++) v = v << 8 | (uint8_t)(*(*p)++ ^ flip);
    for (unsigned i = 1; i < digits; i++) power *= 10;
    if (v / power > 9) return false;
    for (unsigned i = 0; i < digits; i++, power /= 10) {
        uint32_t digit = v / power % 10;
        if (digit || *some) {
            ls_buf_char(text, (char)('0' + digit));
            *some = true;
        }
    }
    return true;
}

static int read_decimal(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, ls_value *out,
                        ls_error *err) {
    size_t n = decimal_bytes(c);
    const uint8_t *p = ls_cursor_take(in, n);
    if (!p) return 0;
    uint8_t copy[64];
    memcpy(copy, p, n);
    uint8_t flip = copy[0] & 0x80 ? 0 : 0xff;
    copy[0] ^= 0x80;
    p = copy;
    bool some = false, fine = true;
    unsigned whole = (unsigned)c->meta - c->scale, part = c->scale;
    if (flip) ls_buf_char(text, '-');
    if (whole % DIGITS) fine = decimal_group(&p, flip, whole % DIGITS, &some, text);
    for (unsigned i = 0; i < whole / DIGITS; i++) fine = decimal_group(&p, flip, DIGITS, &some, text) && fine;
    if (!some) ls_buf_char(text, '0');
    some = true;
    if (part) ls_buf_char(text, '.');
    for (unsigned i = 0; i < part / DIGITS; i++) fine = decimal_group(&p, flip, DIGITS, &some, text) && fine;
    if (part % DIGITS) fine = decimal_group(&p, flip, part % DIGITS, &some, text) && fine;
    if (!fine) return ls_fail(err, LS_FAIL, "bytes that are no DECIMAL(%u,%u)", c->meta, c->scale);
    return finish_text(arena, text, out, err);
}

/* The fraction's bytes (big endian, in units of 100 to the power of what its width leaves) as microseconds. */
static int read_fraction(const ls_wire_column *c, ls_cursor *in) {
    static const int unit[] = {0, 10000, 100, 1};
    size_t n = fraction_bytes(c);
    return n ? (int)ls_cursor_be(in, n) * unit[n] : 0;
}

static int bad_time(const ls_wire_column *c, ls_error *err) {
    static const char *const names[] = {[LS_TYPE_DATE] = "DATE",
                                        [LS_TYPE_TIME] = "TIME",
                                        [LS_TYPE_DATETIME] = "DATETIME",
                                        [LS_TYPE_TIMESTAMP] = "TIMESTAMP"};
    return ls_fail(err, LS_FAIL, "bytes that are no %s", names[c->type]);
}

typedef struct moment {
    uint64_t year, month, day, hour, minute, second;
    int micro;
} moment;

static bool clock_fits(const moment *m) {
    return m->minute < 60 && m->second < 60 && m->micro < 1000000;
}

static bool moment_fits(const moment *m) {
    return m->year <= 9999 && m->month <= 12 && m->day <= 31 && m->hour < 24 && clock_fits(m);
}

/* What change/time.h prints, without its generality: the temporal columns are what decoding spends most time on. */
static char *put_digits(char *p, uint64_t v, int width) {
    for (int i = width; i-- > 0; v /= 10) p[i] = (char)('0' + v % 10);
    return p + width;
}

static char *put_date(char *p, const moment *m) {
    p = put_digits(p, m->year, 4);
    *p++ = '-';
    p = put_digits(p, m->month, 2);
    *p++ = '-';
    return put_digits(p, m->day, 2);
}

static char *put_clock(char *p, const moment *m) {
    p = put_digits(p, m->hour, m->hour > 99 ? 3 : 2);
    *p++ = ':';
    p = put_digits(p, m->minute, 2);
    *p++ = ':';
    p = put_digits(p, m->second, 2);
    if (!m->micro) return p;
    *p++ = '.';
    p = put_digits(p, (uint64_t)m->micro, 6);
    while (p[-1] == '0') p--;
    return p;
}

static char *put_moment(char *p, const moment *m) {
    p = put_date(p, m);
    *p++ = 'T';
    return put_clock(p, m);
}

static int read_date(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    uint64_t v = ls_cursor_le(in, 3);
    moment m = {.year = v >> 9, .month = v >> 5 & 15, .day = v & 31};
    if (!moment_fits(&m)) return bad_time(c, err);
    *p = put_date(*p, &m);
    return 0;
}

static const uint64_t DATETIME2_OFFSET = 0x8000000000;

static int read_datetime(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    moment m;
    if (c->code == LS_WIRE_DATETIME2) {
        uint64_t v = ls_cursor_be(in, 5) ^ DATETIME2_OFFSET, months = v >> 22; /* there are no negative ones */
        m = (moment){.year = months / 13, .month = months % 13, .day = v >> 17 & 31};
        m.hour = v >> 12 & 31, m.minute = v >> 6 & 63, m.second = v & 63;
        m.micro = read_fraction(c, in);
    } else {
        uint64_t v = ls_cursor_le(in, 8), d = v / 1000000, t = v % 1000000;
        m = (moment){.year = d / 10000, .month = d / 100 % 100, .day = d % 100};
        m.hour = t / 10000, m.minute = t / 100 % 100, m.second = t % 100;
    }
    if (!moment_fits(&m)) return bad_time(c, err);
    *p = put_moment(*p, &m);
    return 0;
}

static int read_timestamp(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    bool old = c->code == LS_WIRE_TIMESTAMP;
    int64_t seconds = (int64_t)(old ? ls_cursor_le(in, 4) : ls_cursor_be(in, 4));
    int micro = old ? 0 : read_fraction(c, in);
    if (micro >= 1000000) return bad_time(c, err);
    moment m = {0}; /* second 0 is the server's '0000-00-00 00:00:00' */
    if (seconds || micro) {
        ls_civil t = ls_time_civil(seconds * 1000000 + micro);
        m = (moment){(uint64_t)t.year,   (uint64_t)t.month,  (uint64_t)t.day, (uint64_t)t.hour,
                     (uint64_t)t.minute, (uint64_t)t.second, t.micro};
    }
    *p = put_moment(*p, &m);
    *(*p)++ = 'Z';
    return 0;
}

static int read_time(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    moment m;
    bool negative;
    if (c->code == LS_WIRE_TIME2) { /* whole and fraction are one number, kept with an offset of half its range */
        static const uint64_t unit[] = {0, 10000, 100, 1};
        size_t n = fraction_bytes(c);
        int64_t packed = (int64_t)ls_cursor_be(in, 3 + n) - ((int64_t)0x800000 << (8 * n));
        negative = packed < 0;
        uint64_t v = (uint64_t)(negative ? -packed : packed);
        uint64_t whole = v >> (8 * n), part = v & ((UINT64_C(1) << (8 * n)) - 1);
        m = (moment){.hour = whole >> 12 & 0x3ff, .minute = whole >> 6 & 63, .second = whole & 63};
        m.micro = (int)(part * unit[n]);
    } else {
        int64_t packed = signed_of(ls_cursor_le(in, 3), 3);
        negative = packed < 0;
        uint64_t v = (uint64_t)(negative ? -packed : packed);
        m = (moment){.hour = v / 10000, .minute = v / 100 % 100, .second = v % 100};
    }
    if (!clock_fits(&m) || m.hour > 838) return bad_time(c, err);
    if (negative) *(*p)++ = '-';
    *p = put_clock(*p, &m);
    return 0;
}

static int read_temporal(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_value *out, ls_error *err) {
    char text[40], *p = text; /* "9999-12-31T23:59:59.999999Z" is the longest */
    int rc = c->type == LS_TYPE_DATE       ? read_date(c, in, &p, err)
             : c->type == LS_TYPE_TIME     ? read_time(c, in, &p, err)
             : c->type == LS_TYPE_DATETIME ? read_datetime(c, in, &p, err)
                                           : read_timestamp(c, in, &p, err);
    if (rc || in->failed) return in->failed ? 0 : rc;
    size_t n = (size_t)(p - text);
    char *copy = ls_arena_alloc(arena, n);
    if (!copy) return ls_fail_memory(err, "a value");
    memcpy(copy, text, n);
    *out = ls_value_text(copy, n);
    return 0;
}

/* BINARY(n) loses its trailing zeros on the wire: they are put back. */
static int read_raw(const ls_wire_column *c, const uint8_t *p, size_t n, ls_arena *arena, ls_value *out,
                    ls_error *err) {
    size_t whole = c->code == LS_WIRE_STRING && c->meta > n ? c->meta : n;
    char *to = ls_arena_alloc(arena, whole);
    if (!to) return ls_fail_memory(err, "a value");
    if (n) memcpy(to, p, n);
    memset(to + n, 0, whole - n);
    *out = ls_value_bytes_of(LS_KIND_BYTES, to, whole);
    return 0;
}

static int read_string(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, ls_value *out,
                       ls_error *err) {
    size_t n;
    const uint8_t *p = take_bytes(c, in, &n);
    if (!p) return 0;
    if (!c->charset) return read_raw(c, p, n, arena, out, err);
    if (ls_charset_is_utf8(c->charset) && ls_utf8_valid((const char *)p, n)) { /* no second copy */
        char *copy = ls_arena_alloc(arena, n);
        if (!copy) return ls_fail_memory(err, "a value");
        if (n) memcpy(copy, p, n);
        *out = ls_value_text(copy, n);
        return 0;
    }
    if (ls_charset_read(c->charset, text, (const char *)p, n))
        return ls_fail(err, LS_FAIL, "text that is not valid in its character set");
    return finish_text(arena, text, out, err);
}

int ls_wire_read(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) {
    ls_buf_clear(text);
    switch (c->type) {
    case LS_TYPE_INTEGER:
        read_integer(c, in, out);
        if (c->code == LS_WIRE_YEAR && out->as.u) *out = ls_value_uint((out->as.u & 0xff) + 1900);
        return 0;
    case LS_TYPE_FLOAT:
        read_float(c, in, out);
        return 0;
    case LS_TYPE_DECIMAL:
        return read_decimal(c, in, arena, text, out, err);
    case LS_TYPE_STRING:
    case LS_TYPE_BYTES:
        return read_string(c, in, arena, text, out, err);
    default:
        return read_temporal(c, in, arena, out, err);
    }
}
