#include "capture/binlog_json.h"

#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_json_parts.h"
#include "capture/binlog_value_parts.h"
#include "capture/invalid.h"
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

/* "at byte 7 of the document" */
static int fail(const ls_jsonb *r, size_t at, const char *what) {
    if (!r->change) return ls_fail(r->err, LS_FAIL, "JSON: at byte %zu of the document %s", at, what);
    return ls_fail(r->err, LS_FAIL, "JSON: at byte %zu of the value of change %u %s", at, r->change, what);
}

static int bad(const ls_jsonb *r, const uint8_t *at, const char *what) {
    return fail(r, (size_t)(at - r->start), what);
}

static int cut(const ls_jsonb *r, const ls_cursor *in) {
    char what[96];
    snprintf(what, sizeof what, "%zu bytes are wanted, %zu remain", in->fail_wanted, in->fail_remaining);
    return fail(r, (size_t)(in->start - r->start) + in->fail_offset, what);
}

static int spend(ls_jsonb *r, const uint8_t *at, size_t n) {
    if (n > r->budget) return bad(r, at, "stands what another value has taken");
    r->budget -= n;
    return 0;
}

/* ---- scalars ---- */

static int literal(ls_jsonb *r, const uint8_t *at, uint64_t v) {
    static const char *const texts[] = {"null", "true", "false"};
    if (v >= sizeof texts / sizeof *texts) return bad(r, at, "there is no literal");
    ls_buf_str(r->out, texts[v]);
    return 0;
}

/* As the server lays out the shortest digits: without an exponent from 1e-15 to 1e15, or with digits behind the point; and never
 * like an integer. */
static int print_double(ls_jsonb *r, const uint8_t *at, double d) {
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

int ls_jsonb_take_text(ls_jsonb *r, const uint8_t *p, size_t n) {
    if (spend(r, p, n)) return -1;
    return r->mended || ls_utf8_valid((const char *)p, n) ? 0 : bad(r, p, "text is not valid UTF-8; " LS_INVALID_MEND);
}

void ls_jsonb_put_text(ls_jsonb *r, const uint8_t *p, size_t n) {
    ls_buf text = {0};
    if (!r->mended || ls_utf8_valid((const char *)p, n)) {
        ls_json_string(r->out, (const char *)p, n);
        return;
    }
    *r->mended = true;
    ls_utf8_mend(&text, (const char *)p, n);
    ls_json_string(r->out, text.data, text.len);
    if (text.failed) r->out->failed = true;
    ls_buf_free(&text);
}

static int text_of(ls_jsonb *r, ls_cursor *in, size_t n) {
    const uint8_t *p = ls_cursor_take(in, n);
    if (!p) return cut(r, in);
    if (ls_jsonb_take_text(r, p, n)) return -1;
    ls_jsonb_put_text(r, p, n);
    return 0;
}

/* ---- opaque values: a column type of the server and its bytes ---- */

static int opaque_decimal(ls_jsonb *r, ls_cursor in) {
    ls_wire_column c = {.code = LS_WIRE_NEWDECIMAL, .type = LS_TYPE_DECIMAL};
    ls_arena arena = {0};
    ls_buf text = {0};
    ls_value v;
    const uint8_t *at = in.at;
    c.meta = ls_cursor_u8(&in);
    c.scale = ls_cursor_u8(&in);
    if (in.failed || !ls_wire_decimal_fits(c.meta, c.scale)) return bad(r, at, "there is no DECIMAL");
    int rc = ls_wire_read(&c, &in, &arena, &text, NULL, &v, r->err);
    if (rc && r->change)
        ls_fail_in(r->err, "JSON: at byte %zu of the value of change %u", (size_t)(at - r->start), r->change);
    else if (rc)
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
static int opaque_time(ls_jsonb *r, ls_cursor in, uint8_t type) {
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
static void opaque_other(ls_jsonb *r, const uint8_t *p, size_t n, uint8_t type) {
    enum { LINE = 57 }; /* bytes that give 76 characters */
    ls_buf_fmt(r->out, "\"base64:type%u:", type);
    for (size_t i = 0; i < n; i += LINE) {
        if (i) ls_buf_str(r->out, "\\n");
        ls_base64_add(r->out, p + i, n - i < LINE ? n - i : LINE);
    }
    ls_buf_char(r->out, '"');
}

static int opaque(ls_jsonb *r, ls_cursor *in) {
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

static int number(ls_jsonb *r, uint8_t type, ls_cursor *in) {
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

static ls_cursor entry_at(const ls_cursor *entries, uint64_t i, size_t size) {
    ls_cursor c = *entries;
    ls_cursor_take(&c, (size_t)i * size);
    return c;
}

/* Its value stands in the entry itself where it fits. */
int ls_jsonb_entry(const ls_jsonb *r, const ls_jsonb_container *c, uint64_t i, uint8_t *type, ls_cursor *in) {
    ls_cursor entry = entry_at(&c->values, i, c->width + 1);
    *type = ls_cursor_u8(&entry);
    bool wide = c->width == 4;
    *in = entry;
    uint64_t offset = ls_cursor_le(&entry, c->width);
    if (entry.failed) return cut(r, &entry);
    if (*type == LITERAL || *type == INT16 || *type == UINT16 || (wide && (*type == INT32 || *type == UINT32))) return 0;
    *in = from(&c->all, offset);
    return in->failed ? cut(r, in) : 0;
}

int ls_jsonb_key(const ls_jsonb *r, const ls_jsonb_container *c, uint64_t i, const uint8_t **key, size_t *n) {
    ls_cursor entry = entry_at(&c->keys, i, c->width + 2);
    uint64_t offset = ls_cursor_le(&entry, c->width);
    *n = (size_t)ls_cursor_le(&entry, 2);
    if (entry.failed) return cut(r, &entry);
    ls_cursor in = from(&c->all, offset);
    *key = ls_cursor_take(&in, *n);
    return *key ? 0 : cut(r, &in);
}

bool ls_jsonb_is_container(uint8_t type) {
    return type <= LARGE_ARRAY;
}

int ls_jsonb_open(ls_jsonb *r, uint8_t type, ls_cursor in, int depth, ls_jsonb_container *out) {
    bool object = type == SMALL_OBJECT || type == LARGE_OBJECT;
    size_t width = type == SMALL_OBJECT || type == SMALL_ARRAY ? 2 : 4;
    in.start = in.at;
    uint64_t count = ls_cursor_le(&in, width), size = ls_cursor_le(&in, width);
    if (in.failed) return cut(r, &in);
    if (size > (size_t)(in.end - in.start) || size < 2 * width) return bad(r, in.start, "an object or array is longer than what it stands in");
    if (depth == DEPTH_MAX) return bad(r, in.start, "objects and arrays are too deep");
    in.end = in.start + size;
    if (count > size || spend(r, in.start, (size_t)count * ENTRY)) return bad(r, in.start, "there are more values than bytes");
    *out = (ls_jsonb_container){.all = in, .keys = in, .values = in, .count = count, .width = width, .object = object};
    return object && !ls_cursor_take(&out->values, (size_t)count * (width + 2)) ? cut(r, &out->values) : 0;
}

int ls_jsonb_print_entries(ls_jsonb *r, const ls_jsonb_container *c, uint64_t first, uint64_t n, int depth) {
    const uint8_t *key;
    ls_cursor in;
    uint8_t type;
    size_t len;
    for (uint64_t i = first; i < first + n; i++) {
        if (i > first) ls_buf_char(r->out, ',');
        if (c->object) {
            if (ls_jsonb_key(r, c, i, &key, &len) || ls_jsonb_take_text(r, key, len)) return -1;
            ls_jsonb_put_text(r, key, len);
            ls_buf_char(r->out, ':');
        }
        if (ls_jsonb_entry(r, c, i, &type, &in) || ls_jsonb_print(r, type, in, depth)) return -1;
    }
    return 0;
}

static int container(ls_jsonb *r, uint8_t type, ls_cursor in, int depth) {
    ls_jsonb_container c;
    if (ls_jsonb_open(r, type, in, depth, &c)) return -1;
    ls_buf_char(r->out, c.object ? '{' : '[');
    if (ls_jsonb_print_entries(r, &c, 0, c.count, depth + 1)) return -1;
    ls_buf_char(r->out, c.object ? '}' : ']');
    return 0;
}

int ls_jsonb_print(ls_jsonb *r, uint8_t type, ls_cursor in, int depth) {
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

int ls_jsonb_text(ls_buf *out, const uint8_t *p, size_t n, bool *mended, ls_error *err) {
    ls_jsonb r = {.start = p, .budget = n, .mended = mended, .out = out, .err = err};
    ls_cursor in = ls_cursor_over(p, n);
    if (n == 0) {
        ls_buf_str(out, "null");
        return 0;
    }
    uint8_t type = ls_cursor_u8(&in);
    if (ls_jsonb_print(&r, type, in, 0)) return -1;
    return out->failed ? ls_fail_memory(err, "a JSON document") : 0;
}
