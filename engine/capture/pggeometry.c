#include "capture/pggeometry.h"

#include "base/cursor.h"
#include "base/text.h"

#include <inttypes.h>

/* Flags of EWKB's type; what is left of it without them is the kind. */
#define FLAG_Z UINT32_C(0x80000000)
#define FLAG_M UINT32_C(0x40000000)
#define FLAG_SRID UINT32_C(0x20000000)

enum kind { /* as OGC 06-103r4 and SQL/MM number them; Curve and Surface (13, 14) are abstract */
    POINT = 1, LINE_STRING, POLYGON, MULTI_POINT, MULTI_LINE_STRING, MULTI_POLYGON, COLLECTION, CIRCULAR_STRING, COMPOUND_CURVE,
    CURVE_POLYGON, MULTI_CURVE, MULTI_SURFACE, POLYHEDRAL_SURFACE = 15, TIN, TRIANGLE
};

typedef struct reader {
    ls_cursor c;
    ls_buf *out;
    uint32_t srid;
    ls_error *err;
} reader;

static int wrong(const reader *r, size_t at, const char *what, uint32_t found) {
    return ls_fail(r->err, LS_FAIL, "the server's EWKB (%zu bytes) has %s %" PRIu32 " at byte %zu",
                   (size_t)(r->c.end - r->c.start), what, found, at);
}

static int short_text(const reader *r) {
    return ls_fail(r->err, LS_FAIL, "the server's EWKB ends early: at byte %zu %zu bytes were wanted, %zu remained",
                   r->c.fail_offset, r->c.fail_wanted, r->c.fail_remaining);
}

static void put_le(ls_buf *out, uint64_t v, int bytes) {
    for (; bytes-- > 0; v >>= 8) ls_buf_char(out, (char)(v & 0xff));
}

static uint32_t read_u32(reader *r, bool little) {
    return (uint32_t)(little ? ls_cursor_le(&r->c, 4) : ls_cursor_be(&r->c, 4));
}

static uint32_t copy_count(reader *r, bool little) {
    uint32_t n = read_u32(r, little);
    put_le(r->out, n, 4);
    return n;
}

/* Doubles, bit for bit. */
static void copy_points(reader *r, bool little, uint64_t points, int axes) {
    size_t n = (size_t)points * (size_t)axes * 8; /* 2^32 points of 32 bytes at most */
    const uint8_t *p = ls_cursor_take(&r->c, n);
    if (p && little) ls_buf_add(r->out, p, n);
    for (size_t i = 0; p && !little && i < n; i += 8)
        for (size_t b = 8; b-- > 0;) ls_buf_char(r->out, (char)p[i + b]);
}

static int copy_geometry(reader *r, unsigned depth);

/* What stands behind a geometry's type. */
static int copy_body(reader *r, uint32_t kind, bool little, int axes, unsigned depth) {
    if (kind == POINT) {
        copy_points(r, little, 1, axes);
        return 0;
    }
    uint32_t n = copy_count(r, little);
    if (kind == LINE_STRING || kind == CIRCULAR_STRING) {
        copy_points(r, little, n, axes);
        return 0;
    }
    for (uint32_t i = 0; i < n && !r->c.failed; i++) {
        if (kind == POLYGON || kind == TRIANGLE)
            copy_points(r, little, copy_count(r, little), axes);
        else if (copy_geometry(r, depth + 1))
            return -1;
    }
    return 0;
}

static int copy_geometry(reader *r, unsigned depth) {
    size_t at = ls_cursor_offset(&r->c);
    if (depth == LS_PG_GEOMETRY_DEPTH) return wrong(r, at, "a geometry at depth", depth);
    uint8_t order = ls_cursor_u8(&r->c);
    if (order > 1) return wrong(r, at, "byte order", order);
    uint32_t type = read_u32(r, order), kind = type & ~(FLAG_Z | FLAG_M | FLAG_SRID);
    bool z = type & FLAG_Z, m = type & FLAG_M;
    uint32_t srid = type & FLAG_SRID ? read_u32(r, order) : 0;
    if (r->c.failed) return short_text(r);
    if (kind < POINT || kind > TRIANGLE || kind == POLYHEDRAL_SURFACE - 1 || kind == POLYHEDRAL_SURFACE - 2)
        return wrong(r, at + 1, "type", kind);
    if (depth == 0) r->srid = srid;
    ls_buf_char(r->out, 1);
    put_le(r->out, kind + (z ? 1000 : 0) + (m ? 2000 : 0), 4);
    if (copy_body(r, kind, order, 2 + z + m, depth)) return -1;
    return r->c.failed ? short_text(r) : 0;
}

int ls_pg_geometry(ls_buf *out, const uint8_t *ewkb, size_t n, ls_error *err) {
    ls_buf wkb = {0};
    reader r = {.c = ls_cursor_over(ewkb, n), .out = &wkb, .err = err};
    int rc = copy_geometry(&r, 0);
    if (rc == 0 && ls_cursor_left(&r.c))
        rc = ls_fail(err, LS_FAIL, "the server's EWKB goes on: at byte %zu its end was wanted, %zu bytes remained",
                     ls_cursor_offset(&r.c), ls_cursor_left(&r.c));
    if (rc == 0) {
        ls_buf_fmt(out, "{\"srid\":%" PRIu32 ",\"wkb\":\"", r.srid);
        ls_base64_add(out, wkb.data, wkb.len);
        ls_buf_str(out, "\"}");
        if (wkb.failed || out->failed) rc = ls_fail_memory(err, "reading a geometry");
    }
    ls_buf_free(&wkb);
    return rc;
}
