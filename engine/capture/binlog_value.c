#include "capture/binlog_value.h"

#include "base/text.h"
#include "capture/binlog_value_parts.h"
#include "capture/invalid.h"

#include <string.h>

enum {
    DIGITS = 9, /* in 4 bytes */
    DECIMAL_DIGITS_MAX = 65,
    DECIMAL_SCALE_MAX = 38
};

static const uint8_t digit_bytes[DIGITS + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

bool ls_wire_decimal_fits(unsigned precision, unsigned scale) {
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
    case LS_WIRE_BLOB_COMPRESSED:
    case LS_WIRE_GEOMETRY:
    case LS_WIRE_JSON:
    case LS_WIRE_VECTOR:
        return c->meta >= 1 && c->meta <= 4;
    case LS_WIRE_BIT:
        return (c->meta & 0xff) < 8 && c->meta && (c->meta >> 8) + ((c->meta & 0xff) != 0) <= 8;
    case LS_WIRE_TIMESTAMP2:
    case LS_WIRE_DATETIME2:
    case LS_WIRE_TIME2:
        return c->meta <= 6;
    case LS_WIRE_NEWDECIMAL:
        return ls_wire_decimal_fits(c->meta, c->scale);
    case LS_WIRE_STRING:
        return true;
    case LS_WIRE_ENUM:
        return c->meta == 1 || c->meta == 2;
    case LS_WIRE_SET:
        return c->meta >= 1 && c->meta <= 8;
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

bool ls_wire_is_labelled(uint8_t code) {
    return code == LS_WIRE_ENUM || code == LS_WIRE_SET;
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
    default:
        return "a type that is never in a log";
    }
}

static size_t decimal_bytes(const ls_wire_column *c) {
    unsigned whole = (unsigned)c->meta - c->scale, part = c->scale;
    return whole / DIGITS * 4u + digit_bytes[whole % DIGITS] + part / DIGITS * 4u + digit_bytes[part % DIGITS];
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
        return 3;
    case LS_WIRE_LONG:
    case LS_WIRE_FLOAT:
        return 4;
    case LS_WIRE_LONGLONG:
    case LS_WIRE_DOUBLE:
        return 8;
    case LS_WIRE_DATE:
    case LS_WIRE_NEWDATE:
    case LS_WIRE_TIME:
    case LS_WIRE_DATETIME:
    case LS_WIRE_TIMESTAMP:
    case LS_WIRE_TIME2:
    case LS_WIRE_DATETIME2:
    case LS_WIRE_TIMESTAMP2:
        return ls_wire_temporal_bytes(c);
    case LS_WIRE_NEWDECIMAL:
        return decimal_bytes(c);
    case LS_WIRE_BIT:
        return (size_t)(c->meta >> 8) + ((c->meta & 0xff) != 0);
    case LS_WIRE_ENUM:
    case LS_WIRE_SET:
        return c->meta;
    default:
        return 0;
    }
}

static bool has_width_of_length(uint8_t code) {
    return code == LS_WIRE_BLOB || code == LS_WIRE_BLOB_COMPRESSED || code == LS_WIRE_GEOMETRY || code == LS_WIRE_JSON ||
           code == LS_WIRE_VECTOR;
}

const uint8_t *ls_wire_take(const ls_wire_column *c, ls_cursor *in, size_t *n) {
    size_t prefix = has_width_of_length(c->code) ? c->meta : c->meta > 255 ? 2 : 1;
    *n = (size_t)ls_cursor_le(in, prefix);
    return ls_cursor_take(in, *n);
}

void ls_wire_skip(const ls_wire_column *c, ls_cursor *in) {
    size_t n = fixed_bytes(c);
    if (n)
        ls_cursor_take(in, n);
    else
        ls_wire_take(c, in, &n);
}

static void read_integer(const ls_wire_column *c, ls_cursor *in, ls_value *out) {
    unsigned bytes = (unsigned)fixed_bytes(c);
    uint64_t v = ls_cursor_le(in, bytes);
    *out = c->is_unsigned ? ls_value_uint(v) : ls_value_int(ls_wire_signed(v, bytes));
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

int ls_wire_text(ls_arena *arena, const ls_buf *text, ls_value *out, ls_error *err) {
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
    return ls_wire_text(arena, text, out, err);
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

/* Text of no valid UTF-8, or in another character set. */
static int read_converted(const ls_wire_column *c, const char *p, size_t n, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out,
                          ls_error *err) {
    if (ls_charset_read(c->charset, text, p, n) == 0) return ls_wire_text(arena, text, out, err);
    if (!mended) return ls_fail(err, LS_FAIL, "text that is not valid in its character set: " LS_INVALID_MEND);
    ls_buf_clear(text);
    ls_charset_mend(c->charset, text, p, n);
    if (ls_wire_mended_text(arena, text, true, mended, out, err)) return -1;
    if (c->type != LS_TYPE_JSON) return 0;
    if (ls_wire_json(out->as.p, out->len, arena, text, out, err)) return -1;
    out->mended = 1;
    return 0;
}

/* Text, bytes, and what looks like bytes on the wire. */
static int read_string(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out,
                       ls_error *err) {
    size_t n;
    const uint8_t *p = ls_wire_take(c, in, &n);
    if (!p) return 0;
    if (c->code == LS_WIRE_GEOMETRY) return ls_wire_geometry(p, n, arena, text, out, err);
    if (c->code == LS_WIRE_VECTOR) return ls_wire_vector(p, n, arena, text, out, err);
    if (c->code == LS_WIRE_JSON) return ls_wire_binary_json(p, n, arena, text, mended, out, err);
    if (c->asked == LS_ASKED_UUID || c->asked == LS_ASKED_INET4 || c->asked == LS_ASKED_INET6)
        return ls_wire_address(c, p, n, arena, text, out, err);
    if ((c->code == LS_WIRE_BLOB_COMPRESSED || c->code == LS_WIRE_VARCHAR_COMPRESSED) && ls_wire_inflate(&p, &n, arena, err))
        return -1;
    if (!c->charset) return read_raw(c, p, n, arena, out, err);
    if (ls_charset_is_utf8(c->charset) && ls_utf8_valid((const char *)p, n)) {
        if (c->type == LS_TYPE_JSON) return ls_wire_json((const char *)p, n, arena, text, out, err);
        char *copy = ls_arena_alloc(arena, n); /* no second copy */
        if (!copy) return ls_fail_memory(err, "a value");
        if (n) memcpy(copy, p, n);
        *out = ls_value_text(copy, n);
        return 0;
    }
    return read_converted(c, (const char *)p, n, arena, text, mended, out, err);
}

int ls_wire_read(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out,
                 ls_error *err) {
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
    case LS_TYPE_DATE:
    case LS_TYPE_TIME:
    case LS_TYPE_DATETIME:
    case LS_TYPE_TIMESTAMP:
        return ls_wire_temporal(c, in, arena, out, err);
    case LS_TYPE_BITS:
        return ls_wire_bits(c, in, arena, out, err);
    default:
        if (ls_wire_is_labelled(c->code)) return ls_wire_label(c, in, arena, text, out, err);
        return read_string(c, in, arena, text, mended, out, err);
    }
}
