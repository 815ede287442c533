#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_inflate.h"
#include "capture/binlog_json.h"
#include "capture/binlog_json_diff.h"
#include "capture/binlog_value_parts.h"
#include "change/number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A column of its own header: a byte (0: plain; 0x80: zlib, 8 of it: raw deflate, 7 of it: how long the length is), the length,
 * big endian, and the stream. */
int ls_wire_inflate(const uint8_t **p, size_t *n, ls_arena *arena, ls_error *err) {
    enum { ZLIB = 0x80, RAW = 8, LENGTH = 7 };
    ls_cursor in = ls_cursor_over(*p, *n);
    if (*n == 0) return 0;
    uint8_t head = ls_cursor_u8(&in);
    bool plain = head == 0;
    size_t width = plain ? 0 : head & LENGTH;
    if (!plain && ((head & ~(RAW | LENGTH)) != ZLIB || width == 0 || width > 4))
        return ls_fail(err, LS_FAIL, "a compressed value that begins with byte %u, which is not known", head);
    uint64_t want = width ? ls_cursor_be(&in, width) : 0;
    if (in.failed) return ls_fail(err, LS_FAIL, "a compressed value of %zu bytes is cut off", *n);
    const uint8_t *from = in.at;
    size_t left = ls_cursor_left(&in);
    *p = from;
    *n = left;
    if (plain) return 0;
    if (ls_inflate_check(left, want, err)) return -1;
    uint8_t *to = ls_arena_alloc(arena, (size_t)want);
    if (!to) return ls_fail_memory(err, "a value");
    *p = to;
    *n = (size_t)want;
    return ls_inflate(to, *n, from, left, head & RAW, err);
}

int ls_wire_mended_text(ls_arena *arena, const ls_buf *text, bool is, bool *mended, ls_value *out, ls_error *err) {
    if (ls_wire_text(arena, text, out, err)) return -1;
    if (is) out->mended = *mended = true;
    return 0;
}

int ls_wire_binary_json(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out, ls_error *err) {
    bool is = false;
    if (ls_jsonb_text(text, p, n, mended ? &is : NULL, err)) return -1;
    return ls_wire_mended_text(arena, text, is, mended, out, err);
}

int ls_wire_changed_json(const uint8_t *before, size_t nbefore, const uint8_t *changes, size_t nchanges, ls_arena *arena, ls_buf *text,
                         bool *mended, ls_value *out, ls_error *err) {
    bool is = false;
    ls_buf_clear(text);
    if (ls_jsonb_change(text, before, nbefore, changes, nchanges, arena, mended ? &is : NULL, err)) return -1;
    return ls_wire_mended_text(arena, text, is, mended, out, err);
}

/* What is no document (the column's check can be switched off) stays as it is. */
int ls_wire_json(const char *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) {
    ls_json j = ls_json_over(p, n);
    ls_json_value v;
    ls_error unused;
    ls_buf_clear(text);
    if (ls_json_read(&j, &v, &unused) == 0 && ls_json_end(&j, &unused) == 0)
        ls_json_compact(text, p, n);
    else
        ls_buf_add(text, p, n);
    return ls_wire_text(arena, text, out, err);
}

static void print_ipv4(ls_buf *out, const uint8_t *p) {
    ls_buf_fmt(out, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

/* As the server prints it: the first longest run of zero groups, be it one group, is "::"; behind ::, or ::ffff:, stands an
 * IPv4 address. */
static void print_ipv6(ls_buf *out, const uint8_t *p) {
    enum { GROUPS = 8 };
    unsigned g[GROUPS];
    int from = -1, n = 0, run = 0;
    for (int i = 0; i < GROUPS; i++) g[i] = (unsigned)p[2 * i] << 8 | p[2 * i + 1];
    for (int i = 0; i < GROUPS; i++) {
        run = g[i] ? 0 : run + 1;
        if (run > n) n = run, from = i - run + 1;
    }
    for (int i = 0; i < GROUPS; i++) {
        if (i == from) {
            ls_buf_str(out, i ? ":" : "::");
            i += n - 1;
        } else if (i == GROUPS - 2 && from == 0 && (n == GROUPS - 2 || (n == GROUPS - 3 && g[GROUPS - 3] == 0xffff))) {
            print_ipv4(out, p + 12);
            return;
        } else {
            ls_buf_fmt(out, i == GROUPS - 1 ? "%x" : "%x:", g[i]);
        }
    }
}

static void print_uuid(ls_buf *out, const uint8_t *p) {
    static const size_t parts[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; p += parts[i++]) {
        if (i) ls_buf_char(out, '-');
        ls_hex_add(out, p, parts[i]);
    }
}

int ls_wire_address(const ls_wire_column *c, const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out,
                    ls_error *err) {
    enum { LONGEST = 16 };
    uint8_t whole[LONGEST] = {0};
    size_t size = c->asked == LS_ASKED_INET4 ? 4 : LONGEST;
    if (n > size) return ls_fail(err, LS_FAIL, "%zu bytes where its type has %zu: the table was changed since", n, size);
    if (n) memcpy(whole, p, n);
    ls_buf_clear(text);
    if (c->asked == LS_ASKED_INET4)
        print_ipv4(text, whole);
    else if (c->asked == LS_ASKED_INET6)
        print_ipv6(text, whole);
    else
        print_uuid(text, whole);
    return ls_wire_text(arena, text, out, err);
}

/* SRID, then the well-known binary, which the server keeps little endian. */
int ls_wire_geometry(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) {
    enum { SRID = 4, LEAST = 9, LITTLE_ENDIAN_WKB = 1 }; /* bytes: SRID, byte order, type */
    ls_cursor in = ls_cursor_over(p, n);
    uint32_t srid = (uint32_t)ls_cursor_le(&in, SRID);
    if (n < LEAST || *in.at != LITTLE_ENDIAN_WKB) return ls_fail(err, LS_FAIL, "%zu bytes that are no geometry", n);
    ls_buf_clear(text);
    ls_buf_fmt(text, "{\"srid\":%" PRIu32 ",\"wkb\":\"", srid);
    ls_base64_add(text, in.at, ls_cursor_left(&in));
    ls_buf_str(text, "\"}");
    if (ls_wire_text(arena, text, out, err)) return -1;
    out->kind = LS_KIND_JSON;
    return 0;
}

/* MySQL's: floats, one behind the other. */
int ls_wire_vector(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) {
    ls_cursor in = ls_cursor_over(p, n);
    ls_buf_clear(text);
    ls_buf_char(text, '[');
    while (ls_cursor_left(&in)) {
        uint32_t bits = (uint32_t)ls_cursor_le(&in, sizeof bits);
        float f;
        memcpy(&f, &bits, sizeof f);
        if (in.failed || !isfinite(f)) return ls_fail(err, LS_FAIL, "%zu bytes that are no VECTOR", n);
        if (text->len > 1) ls_buf_char(text, ',');
        ls_number_float(text, (double)f);
    }
    ls_buf_char(text, ']');
    if (ls_wire_text(arena, text, out, err)) return -1;
    out->kind = LS_KIND_JSON;
    return 0;
}

static int no_label(const ls_wire_column *c, uint64_t v, ls_error *err) {
    return ls_fail(err, LS_FAIL, "%s value %" PRIu64 ", its column has %" PRIu32 " labels",
                   c->code == LS_WIRE_SET ? "SET" : "ENUM", v, c->labels ? c->labels->count : 0);
}

/* ENUM: a number from 1, 0 is the server's empty text of a value that was none of the labels. SET: a bit for each label. */
int ls_wire_label(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) {
    uint64_t v = ls_cursor_le(in, c->meta);
    const ls_labels *l = c->labels;
    uint32_t count = l ? l->count : 0;
    if (in->failed) return 0;
    ls_buf_clear(text);
    if (c->code == LS_WIRE_ENUM) {
        if (v > count) return no_label(c, v, err);
        if (v) ls_buf_add(text, l->of[v - 1].p, l->of[v - 1].n);
        return ls_wire_text(arena, text, out, err);
    }
    if (count < 64 && v >> count) return no_label(c, v, err);
    ls_buf_char(text, '[');
    for (uint32_t i = 0; i < count && i < 64; i++) {
        if (!(v >> i & 1)) continue;
        if (text->len > 1) ls_buf_char(text, ',');
        ls_json_string(text, l->of[i].p, l->of[i].n);
    }
    ls_buf_char(text, ']');
    if (ls_wire_text(arena, text, out, err)) return -1;
    out->kind = LS_KIND_JSON;
    return 0;
}

int ls_wire_bits(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_value *out, ls_error *err) {
    unsigned width = (unsigned)(c->meta >> 8) * 8 + (c->meta & 0xff);
    size_t bytes = (width + 7) / 8;
    uint64_t v = ls_cursor_be(in, bytes);
    if (in->failed) return 0;
    if (width < 64 && v >> width) return ls_fail(err, LS_FAIL, "bytes that are no BIT(%u)", width);
    char *to = ls_arena_alloc(arena, width);
    if (!to) return ls_fail_memory(err, "a value");
    for (unsigned i = 0; i < width; i++) to[i] = (char)('0' + (v >> (width - 1 - i) & 1));
    *out = ls_value_text(to, width);
    return 0;
}
