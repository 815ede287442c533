#include "capture/pgvalue.h"

#include "base/json.h"
#include "base/text.h"
#include "capture/invalid.h"
#include "capture/pggeometry.h"
#include "change/number.h"
#include "change/time.h"
#include "change/value.h"

#include <string.h>

enum {
    UUID_TEXT = 36,       /* bytes of a uuid's text */
    KEPT_MAX = 256 * 1024 /* bytes of scratch that are kept for the next value */
};

/* What every reader is given; see ls_pg_type.read. */
#define READ(name)                                                                                                     \
    static int name(const ls_pg_type *self, ls_pg_reader *r, const char *p, size_t n, ls_value *out, ls_error *err)

void ls_pg_reader_free(ls_pg_reader *r) {
    ls_buf_free(&r->text);
    ls_buf_free(&r->json);
    ls_arena_free(&r->elements);
}

int ls_pg_value_of(ls_pg_reader *r, ls_buf *b, enum ls_kind kind, ls_value *out, ls_error *err) {
    char *p = b->failed ? NULL : ls_arena_copy(r->arena, b->data, b->len);
    if (!p) return ls_fail_memory(err, "reading a value");
    *out = ls_value_bytes_of(kind, p, b->len);
    if (b->cap > KEPT_MAX) ls_buf_free(b);
    return 0;
}

static int not_a(const char *type, size_t n, ls_error *err) {
    return ls_fail(err, LS_FAIL, "the server's text (%zu bytes) is no %s", n, type);
}

static bool is(const char *p, size_t n, const char *word) {
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* Does it consist of these bytes alone? */
static bool made_of(const char *p, size_t n, const char *bytes) {
    size_t i = 0;
    while (i < n && p[i] && strchr(bytes, p[i])) i++;
    return i == n;
}

/* ---- numbers */

READ(read_bool) {
    (void)self, (void)r;
    if (n != 1 || (*p != 't' && *p != 'f')) return not_a("bool", n, err);
    *out = (ls_value){.kind = LS_KIND_BOOL, .as.i = *p == 't'};
    return 0;
}

READ(read_integer) {
    (void)self, (void)r;
    if (n > 20 || !ls_number_is_integer(p, n)) return not_a("integer", n, err); /* 20: -9223372036854775808 */
    *out = ls_value_text(p, n);
    return 0;
}

/* As a number, not as the server's digits: every source's floats are then printed by the same rules. */
READ(read_float4) {
    (void)self, (void)r;
    *out = (ls_value){.kind = LS_KIND_FLOAT};
    return ls_number_read_float(p, n, &out->as.d) ? not_a("float4", n, err) : 0;
}

READ(read_float8) {
    (void)self, (void)r;
    *out = (ls_value){.kind = LS_KIND_DOUBLE};
    return ls_number_read_double(p, n, &out->as.d) ? not_a("float8", n, err) : 0;
}

READ(read_numeric) {
    (void)self, (void)r;
    if (!ls_number_is_decimal(p, n) && !is(p, n, "NaN") && !is(p, n, "Infinity") && !is(p, n, "-Infinity"))
        return not_a("numeric", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

/* -$1,234.50 */
READ(read_money) {
    (void)self;
    bool negative = n && *p == '-';
    ls_buf_clear(&r->text);
    for (size_t i = 0; i < n; i++)
        if (p[i] != ',' && (p[i] != '$' || i != negative)) ls_buf_char(&r->text, p[i]);
    if (!r->text.failed && !ls_number_is_decimal(r->text.data, r->text.len))
        return not_a("money with lc_monetary = C", n, err);
    return ls_pg_value_of(r, &r->text, LS_KIND_TEXT, out, err);
}

/* ---- texts */

static int mend_text(ls_pg_reader *r, const char *p, size_t n, ls_value *out, ls_error *err) {
    if (!r->mend)
        return ls_fail(err, LS_FAIL,
                       "the text (%zu bytes) is not valid UTF-8: mend the value in the database, or make the "
                       "database's encoding UTF8 so that the server checks what it stores; " LS_INVALID_MEND,
                       n);
    ls_buf_clear(&r->text);
    ls_utf8_mend(&r->text, p, n);
    if (ls_pg_value_of(r, &r->text, LS_KIND_TEXT, out, err)) return -1;
    out->mended = r->mended = true;
    return 0;
}

READ(read_text) {
    (void)self;
    if (!ls_utf8_valid(p, n)) return mend_text(r, p, n, out, err);
    *out = ls_value_text(p, n);
    return 0;
}

/* char(n) is stored with its padding, which is no part of the value. */
READ(read_bpchar) {
    while (n && p[n - 1] == ' ') n--;
    return read_text(self, r, p, n, out, err);
}

READ(read_json) {
    if (ls_json_is_compact(p, n)) return read_text(self, r, p, n, out, err);
    ls_buf b = {.data = ls_arena_alloc(r->arena, n), .cap = n}; /* never grows: nothing is added */
    if (!b.data) return ls_fail_memory(err, "reading a JSON document");
    ls_json_compact(&b, p, n);
    return read_text(self, r, b.data, b.len, out, err);
}

READ(read_uuid) {
    (void)self, (void)r;
    if (n != UUID_TEXT || !made_of(p, n, "0123456789abcdef-")) return not_a("uuid", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

READ(read_bits) {
    (void)self, (void)r;
    if (!made_of(p, n, "01")) return not_a("bit string", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

READ(read_bytea) {
    (void)self;
    if (n < 2 || p[0] != '\\' || p[1] != 'x' || n % 2) return not_a("bytea in hex", n, err);
    uint8_t *bytes = ls_arena_alloc(r->arena, n / 2 - 1);
    if (!bytes) return ls_fail_memory(err, "reading a bytea");
    if (ls_hex_read(bytes, p + 2, n - 2)) return not_a("bytea in hex", n, err);
    *out = ls_value_bytes_of(LS_KIND_BYTES, (const char *)bytes, n / 2 - 1);
    return 0;
}

/* ---- times */

static int iso(ls_pg_reader *r, const char *p, size_t n, bool zoned, const char *type, ls_value *out, ls_error *err) {
    ls_buf_clear(&r->text);
    if (ls_time_from_postgres(&r->text, p, n, zoned)) return not_a(type, n, err);
    return ls_pg_value_of(r, &r->text, LS_KIND_TEXT, out, err);
}

READ(read_date) {
    (void)self;
    return iso(r, p, n, false, "date in ISO form", out, err);
}

READ(read_time) {
    (void)self;
    return iso(r, p, n, false, "time in ISO form", out, err);
}

READ(read_timestamp) {
    (void)self;
    return iso(r, p, n, false, "timestamp in ISO form", out, err);
}

READ(read_timestamptz) {
    (void)self;
    return iso(r, p, n, true, "timestamptz in ISO form and UTC", out, err);
}

/* 13:59:59.5+02:30; the server leaves out zeros at the fraction's end itself. */
READ(read_timetz) {
    (void)self, (void)r;
    if (n < 11 || p[2] != ':' || p[5] != ':' || !made_of(p, n, "0123456789:.+-")) return not_a("timetz", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

READ(read_interval) {
    (void)self, (void)r;
    bool parts = n > 2 && *p == 'P' && made_of(p + 1, n - 1, "0123456789YMDTHS.-");
    if (!parts && !is(p, n, "infinity") && !is(p, n, "-infinity")) return not_a("interval in ISO 8601 form", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

/* ---- PostGIS */

READ(read_geometry) {
    (void)self;
    uint8_t *ewkb = n % 2 ? NULL : ls_arena_alloc(r->arena, n / 2);
    if (n % 2) return not_a("EWKB in hex", n, err);
    if (!ewkb) return ls_fail_memory(err, "reading a geometry");
    if (ls_hex_read(ewkb, p, n)) return not_a("EWKB in hex", n, err);
    ls_buf_clear(&r->text);
    if (ls_pg_geometry(&r->text, ewkb, n / 2, err)) return -1;
    return ls_pg_value_of(r, &r->text, LS_KIND_JSON, out, err);
}

/* ---- which type is read how */

#define TYPE(o, n, t, f) {.oid = (o), .name = (n), .type = (t), .read = (f)}

static const ls_pg_type types[] = {
    /* in the oids' order */
    TYPE(16, "bool", LS_TYPE_BOOLEAN, read_bool),
    TYPE(17, "bytea", LS_TYPE_BYTES, read_bytea),
    TYPE(18, "char", LS_TYPE_STRING, read_text),
    TYPE(19, "name", LS_TYPE_STRING, read_text),
    TYPE(20, "int8", LS_TYPE_INTEGER, read_integer),
    TYPE(21, "int2", LS_TYPE_INTEGER, read_integer),
    TYPE(23, "int4", LS_TYPE_INTEGER, read_integer),
    TYPE(25, "text", LS_TYPE_STRING, read_text),
    TYPE(26, "oid", LS_TYPE_INTEGER, read_integer),
    TYPE(114, "json", LS_TYPE_JSON, read_json),
    TYPE(700, "float4", LS_TYPE_FLOAT, read_float4),
    TYPE(701, "float8", LS_TYPE_FLOAT, read_float8),
    TYPE(790, "money", LS_TYPE_DECIMAL, read_money),
    TYPE(1042, "bpchar", LS_TYPE_STRING, read_bpchar),
    TYPE(1043, "varchar", LS_TYPE_STRING, read_text),
    TYPE(1082, "date", LS_TYPE_DATE, read_date),
    TYPE(1083, "time", LS_TYPE_TIME, read_time),
    TYPE(1114, "timestamp", LS_TYPE_DATETIME, read_timestamp),
    TYPE(1184, "timestamptz", LS_TYPE_TIMESTAMP, read_timestamptz),
    TYPE(1186, "interval", LS_TYPE_INTERVAL, read_interval),
    TYPE(1266, "timetz", LS_TYPE_TIMETZ, read_timetz),
    TYPE(1560, "bit", LS_TYPE_BITS, read_bits),
    TYPE(1562, "varbit", LS_TYPE_BITS, read_bits),
    TYPE(1700, "numeric", LS_TYPE_DECIMAL, read_numeric),
    TYPE(2950, "uuid", LS_TYPE_UUID, read_uuid),
    TYPE(3802, "jsonb", LS_TYPE_JSON, read_json),
};
enum { NTYPES = sizeof types / sizeof *types };

const ls_pg_type ls_pg_type_string = TYPE(0, "string", LS_TYPE_STRING, read_text);
const ls_pg_type ls_pg_type_geometry = TYPE(0, "geometry", LS_TYPE_GEOMETRY, read_geometry);

const ls_pg_type *ls_pg_type_by_oid(uint32_t oid) {
    size_t low = 0, high = NTYPES;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (types[mid].oid == oid) return &types[mid];
        if (types[mid].oid < oid)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const ls_pg_type *ls_pg_type_by_name(const char *name) {
    for (size_t i = 0; i < NTYPES; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}
