#include "capture/binlog_json.h"

#include "base/cursor.h"
#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_value_parts.h"
#include "change/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 128, /* the server takes 100 */
    ENTRY = 3        /* bytes that a value takes in its container, at least */
};

enum value_type {
    SMALL_OBJECT = 0,
    LARGE_OBJECT = 1,
    SMALL_ARRAY = 2,
    LARGE_ARRAY = 3,
    LITERAL = 4,
    INT16 = 5,
    UINT16 = 6,
    INT32 = 7,
    UINT32 = 8,
    INT64 = 9,
    UINT64 = 10,
    DOUBLE = 11,
    STRING = 12,
    OPAQUE = 15
};

typedef struct reader {
    const uint8_t *start;
    size_t budget; /* bytes that values may still take: no two share any, or a small document would print without end */
    ls_buf *out;
    ls_error *err;
} reader;

static int value(reader *r, uint8_t type, ls_cursor in, int depth);

static int bad(const reader *r, const uint8_t *at, const char *what) {
    return ls_fail(r->err, LS_FAIL, "JSON: at byte %zu of the document %s", (size_t)(at - r->start), what);
}

static int cut(const reader *r, const ls_cursor *in) {
    return ls_fail(r->err, LS_FAIL, "JSON: at byte %zu of the document %zu bytes are wanted, %zu remain",
                   (size_t)(in->start - r->start) + in->fail_offset, in->fail_wanted, in->fail_remaining);
}

static int spend(reader *r, const uint8_t *at, size_t n) {
    if (n > r->budget) return bad(r, at, "stands what another value has taken");
    r->budget -= n;
    return 0;
}

/* ---- scalars ---- */

static int literal(reader *r, const uint8_t *at, uint64_t v) {
    static const char *const texts[] = {"null", "true", "false"};
    if (v >= sizeof texts / sizeof *texts) return bad(r, at, "there is no literal");
    ls_buf_str(r->out, texts[v]);
    return 0;
}

/* As the server lays out the shortest digits: without an exponent from 1e-15 to 1e15, or with digits behind the point; and never
 * like an integer. */
static int print_double(reader *r, const uint8_t *at, double d) {
    enum { FIXED_MAX = 15, DIGITS = 32 };
    char text[64], digits[DIGITS];
    size_t n = 0;
    int point = 0, exponent = 0;
    bool behind = false;
    ls_buf shortest = {0};
    if (!isfinite(d)) return bad(r, at, "a number is not finite");
    ls_number_double(&shortest, d);
    const char *p = ls_buf_cstr(&shortest);
    if (!p) return ls_fail_memory(r->err, "a number");
    if (*p == '-') ls_buf_char(r->out, *p++);
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') behind = true;
        if (*p == '.' || (*p == '0' && n == 0 && !behind)) continue;
        if (*p == '0' && n == 0) {
            point--;
            continue;
        }
        if (n < DIGITS) digits[n++] = *p;
        point += !behind;
    }
    if (*p == 'e') exponent = (int)strtol(p + 1, NULL, 10);
    ls_buf_free(&shortest);
    point += exponent;
    while (n && digits[n - 1] == '0') n--;
    if (n == 0) {
        ls_buf_str(r->out, "0.0");
    } else if ((point > FIXED_MAX && (int)n <= point) || point < 1 - FIXED_MAX) {
        ls_buf_char(r->out, digits[0]);
        if (n > 1) ls_buf_char(r->out, '.');
        ls_buf_add(r->out, digits + 1, n - 1);
        snprintf(text, sizeof text, "e%d", point - 1);
        ls_buf_str(r->out, text);
    } else {
        if (point <= 0) ls_buf_str(r->out, "0.");
        for (int i = point; i < 0; i++) ls_buf_char(r->out, '0');
        for (int i = 0; i < (int)n || i < point; i++) {
            if (i && i == point) ls_buf_char(r->out, '.');
            ls_buf_char(r->out, i < (int)n ? digits[i] : '0');
        }
        if (point >= (int)n) ls_buf_str(r->out, ".0");
    }
    return 0;
}

/* Seven bits a byte, low ones first; the last byte has its top bit clear. */
static size_t length(ls_cursor *in) {
    enum { BYTES_MAX = 5 };
    uint64_t n = 0;
    for (int i = 0; i < BYTES_MAX; i++) {
        uint8_t b = ls_cursor_u8(in);
        n |= (uint64_t)(b & 0x7f) << 7 * i;
        if (!(b & 0x80)) return (size_t)n;
    }
    ls_cursor_take(in, SIZE_MAX);
    return 0;
}

static int text_of(reader *r, ls_cursor *in, size_t n) {
    const uint8_t *p = ls_cursor_take(in, n);
    if (!p) return cut(r, in);
    if (spend(r, p, n)) return -1;
    if (!ls_utf8_valid((const char *)p, n)) return bad(r, p, "text is not valid UTF-8");
    ls_json_string(r->out, (const char *)p, n);
    return 0;
}

/* ---- opaque values: a column type of the server and its bytes ---- */

static int opaque_decimal(reader *r, ls_cursor in) {
    ls_wire_column c = {.code = LS_WIRE_NEWDECIMAL, .type = LS_TYPE_DECIMAL};
    ls_arena arena = {0};
    ls_buf text = {0};
    ls_value v;
    const uint8_t *at = in.at;
    c.meta = ls_cursor_u8(&in);
    c.scale = ls_cursor_u8(&in);
    if (in.failed || !ls_wire_decimal_fits(c.meta, c.scale)) return bad(r, at, "there is no DECIMAL");
    int rc = ls_wire_read(&c, &in, &arena, &text, &v, r->err);
    if (rc)
        ls_fail_in(r->err, "JSON: at byte %zu of the document", (size_t)(at - r->start));
    else if (in.failed)
        rc = cut(r, &in);
    else
        ls_buf_add(r->out, v.as.p, v.len);
    ls_arena_free(&arena);
    ls_buf_free(&text);
    return rc;
}

/* Microseconds in the low 24 bits; above them hours, minutes and seconds, and for dates days and months above those. */
static int opaque_time(reader *r, ls_cursor in, uint8_t type) {
    const uint8_t *at = in.at;
    int64_t packed = (int64_t)ls_cursor_le(&in, 8);
    if (in.failed) return cut(r, &in);
    bool negative = packed < 0;
    uint64_t v = negative ? 0 - (uint64_t)packed : (uint64_t)packed, micro = v & 0xffffff, clock = v >> 24 & 0x1ffff, date = v >> 41;
    unsigned minute = (unsigned)(clock >> 6 & 63), second = (unsigned)(clock & 63);
    uint64_t months = date >> 5;
    if (micro > 999999 || minute > 59 || second > 59 || (type != LS_WIRE_TIME && (negative || months / 13 > 9999)))
        return bad(r, at, "there is no date or time");
    ls_buf_char(r->out, '"');
    if (type == LS_WIRE_TIME) {
        ls_buf_fmt(r->out, "%s%02" PRIu64, negative ? "-" : "", v >> 36 & 0x3ff);
    } else {
        ls_buf_fmt(r->out, "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64, months / 13, months % 13, date & 31);
        if (type != LS_WIRE_DATE) ls_buf_fmt(r->out, " %02" PRIu64, clock >> 12 & 31);
    }
    if (type != LS_WIRE_DATE) ls_buf_fmt(r->out, ":%02u:%02u.%06" PRIu64, minute, second, micro);
    ls_buf_char(r->out, '"');
    return 0;
}

/* The server's base64 has a line end behind every 76 characters but the last. */
static void opaque_other(reader *r, const uint8_t *p, size_t n, uint8_t type) {
    enum { LINE = 57 }; /* bytes that give 76 characters */
    ls_buf_fmt(r->out, "\"base64:type%u:", type);
    for (size_t i = 0; i < n; i += LINE) {
        if (i) ls_buf_str(r->out, "\\n");
        ls_base64_add(r->out, p + i, n - i < LINE ? n - i : LINE);
    }
    ls_buf_char(r->out, '"');
}

static int opaque(reader *r, ls_cursor *in) {
    uint8_t type = ls_cursor_u8(in);
    size_t n = length(in);
    const uint8_t *p = ls_cursor_take(in, n);
    if (!p) return cut(r, in);
    if (spend(r, p, n)) return -1;
    ls_cursor inner = *in;
    inner.at = p, inner.end = p + n;
    switch (type) {
    case LS_WIRE_NEWDECIMAL:
        return opaque_decimal(r, inner);
    case LS_WIRE_DATE:
    case LS_WIRE_TIME:
    case LS_WIRE_DATETIME:
    case LS_WIRE_TIMESTAMP:
        return opaque_time(r, inner, type);
    default:
        opaque_other(r, p, n, type);
        return 0;
    }
}

static int number(reader *r, uint8_t type, ls_cursor *in) {
    static const uint8_t sizes[] = {[INT16] = 2, [UINT16] = 2, [INT32] = 4, [UINT32] = 4, [INT64] = 8, [UINT64] = 8, [DOUBLE] = 8};
    const uint8_t *at = in->at;
    uint64_t v = ls_cursor_le(in, sizes[type]);
    double d;
    if (in->failed) return cut(r, in);
    if (type == DOUBLE) {
        memcpy(&d, &v, sizeof d);
        return print_double(r, at, d);
    }
    if (type == INT16 || type == INT32 || type == INT64)
        ls_buf_i64(r->out, ls_wire_signed(v, sizes[type]));
    else
        ls_buf_u64(r->out, v);
    return 0;
}

/* ---- objects and arrays ---- */

/* A container's offsets count from where it begins. */
static ls_cursor from(const ls_cursor *all, uint64_t offset) {
    ls_cursor c = *all;
    c.at = c.start;
    ls_cursor_take(&c, (size_t)offset);
    return c;
}

/* Its value stands in the entry itself where it fits. */
static int member(reader *r, const ls_cursor *all, ls_cursor *entry, size_t width, int depth) {
    uint8_t type = ls_cursor_u8(entry);
    bool inlined = type == LITERAL || type == INT16 || type == UINT16 || (width == 4 && (type == INT32 || type == UINT32));
    if (inlined) {
        ls_cursor in = *entry;
        ls_cursor_take(entry, width);
        return entry->failed ? cut(r, entry) : value(r, type, in, depth);
    }
    uint64_t offset = ls_cursor_le(entry, width);
    if (entry->failed) return cut(r, entry);
    ls_cursor in = from(all, offset);
    return in.failed ? cut(r, &in) : value(r, type, in, depth);
}

static int key(reader *r, const ls_cursor *all, ls_cursor *entry, size_t width) {
    uint64_t offset = ls_cursor_le(entry, width);
    size_t n = (size_t)ls_cursor_le(entry, 2);
    if (entry->failed) return cut(r, entry);
    ls_cursor in = from(all, offset);
    if (in.failed) return cut(r, &in);
    if (text_of(r, &in, n)) return -1;
    ls_buf_char(r->out, ':');
    return 0;
}

static int container(reader *r, uint8_t type, ls_cursor in, int depth) {
    bool object = type == SMALL_OBJECT || type == LARGE_OBJECT;
    size_t width = type == SMALL_OBJECT || type == SMALL_ARRAY ? 2 : 4;
    in.start = in.at;
    uint64_t count = ls_cursor_le(&in, width), size = ls_cursor_le(&in, width);
    if (in.failed) return cut(r, &in);
    if (size > (size_t)(in.end - in.start) || size < 2 * width) return bad(r, in.start, "an object or array is longer than what it stands in");
    if (depth == DEPTH_MAX) return bad(r, in.start, "objects and arrays are too deep");
    in.end = in.start + size;
    ls_cursor keys = in, values = in;
    if (count > size || spend(r, in.start, (size_t)count * ENTRY)) return bad(r, in.start, "there are more values than bytes");
    if (object && !ls_cursor_take(&values, (size_t)count * (width + 2))) return cut(r, &values);
    ls_buf_char(r->out, object ? '{' : '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i) ls_buf_char(r->out, ',');
        if (object && key(r, &in, &keys, width)) return -1;
        if (member(r, &in, &values, width, depth + 1)) return -1;
    }
    ls_buf_char(r->out, object ? '}' : ']');
    return 0;
}

static int value(reader *r, uint8_t type, ls_cursor in, int depth) {
    const uint8_t *at = in.at;
    switch (type) {
    case SMALL_OBJECT:
    case LARGE_OBJECT:
    case SMALL_ARRAY:
    case LARGE_ARRAY:
        return container(r, type, in, depth);
    case LITERAL: {
        uint64_t v = ls_cursor_u8(&in);
        return in.failed ? cut(r, &in) : literal(r, at, v);
    }
    case INT16:
    case UINT16:
    case INT32:
    case UINT32:
    case INT64:
    case UINT64:
    case DOUBLE:
        return number(r, type, &in);
    case STRING: {
        size_t n = length(&in);
        return in.failed ? cut(r, &in) : text_of(r, &in, n);
    }
    case OPAQUE:
        return opaque(r, &in);
    default:
        return bad(r, at, "there is a value of a type that is not known");
    }
}

int ls_jsonb_text(ls_buf *out, const uint8_t *p, size_t n, ls_error *err) {
    reader r = {.start = p, .budget = n, .out = out, .err = err};
    ls_cursor in = ls_cursor_over(p, n);
    if (n == 0) {
        ls_buf_str(out, "null");
        return 0;
    }
    uint8_t type = ls_cursor_u8(&in);
    if (value(&r, type, in, 0)) return -1;
    return out->failed ? ls_fail_memory(err, "a JSON document") : 0;
}
