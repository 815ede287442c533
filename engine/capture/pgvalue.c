#include "capture/pgvalue.h"

#include "base/text.h"
#include "change/number.h"
#include "change/time.h"
#include "change/value.h"

#include <string.h>

static int not_a(const char *type, size_t n, ls_error *err) {
    return ls_fail(err, LS_FAIL, "the server's text (%zu bytes) is no %s", n, type);
}

/* What stands in scratch, as a text value in the arena. */
static int from_scratch(ls_work *w, const ls_buf *scratch, ls_value *out, ls_error *err) {
    char *p = scratch->failed ? NULL : ls_arena_copy(&w->arena, scratch->data, scratch->len);
    if (!p) return ls_fail_memory(err, "reading a value");
    *out = ls_value_text(p, scratch->len);
    return 0;
}

static int read_bool(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    (void)w, (void)scratch;
    if (n != 1 || (*p != 't' && *p != 'f')) return not_a("bool", n, err);
    *out = (ls_value){.kind = LS_KIND_BOOL, .as.i = *p == 't'};
    return 0;
}

static int read_integer(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    (void)w, (void)scratch;
    if (n > 20 || !ls_number_is_integer(p, n)) return not_a("integer", n, err); /* 20: -9223372036854775808 */
    *out = ls_value_text(p, n);
    return 0;
}

static int read_float(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    ls_buf_clear(scratch);
    if (ls_number_rewrite(scratch, p, n)) return not_a("float", n, err);
    return from_scratch(w, scratch, out, err);
}

static bool is(const char *p, size_t n, const char *word) {
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

static int read_numeric(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    (void)w, (void)scratch;
    if (!ls_number_is_decimal(p, n) && !is(p, n, "NaN") && !is(p, n, "Infinity") && !is(p, n, "-Infinity"))
        return not_a("numeric", n, err);
    *out = ls_value_text(p, n);
    return 0;
}

static int read_text(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    (void)w, (void)scratch;
    if (!ls_utf8_valid(p, n))
        return ls_fail(err, LS_FAIL,
                       "the text (%zu bytes) is not valid UTF-8: mend the value in the database, or make the "
                       "database's encoding UTF8 so that the server checks what it stores",
                       n);
    *out = ls_value_text(p, n);
    return 0;
}

/* char(n) is stored with its padding, which is no part of the value. */
static int read_bpchar(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    while (n && p[n - 1] == ' ') n--;
    return read_text(w, scratch, p, n, out, err);
}

static int read_bytea(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    (void)scratch;
    if (n < 2 || p[0] != '\\' || p[1] != 'x' || n % 2) return not_a("bytea in hex", n, err);
    uint8_t *bytes = ls_arena_alloc(&w->arena, n / 2 - 1);
    if (!bytes) return ls_fail_memory(err, "reading a bytea");
    if (ls_hex_read(bytes, p + 2, n - 2)) return not_a("bytea in hex", n, err);
    *out = ls_value_bytes_of(LS_KIND_BYTES, (const char *)bytes, n / 2 - 1);
    return 0;
}

static int iso(ls_work *w, ls_buf *scratch, const char *p, size_t n, bool zoned, const char *type, ls_value *out,
               ls_error *err) {
    ls_buf_clear(scratch);
    if (ls_time_from_postgres(scratch, p, n, zoned)) return not_a(type, n, err);
    return from_scratch(w, scratch, out, err);
}

static int read_date(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    return iso(w, scratch, p, n, false, "date in ISO form", out, err);
}

static int read_time(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    return iso(w, scratch, p, n, false, "time in ISO form", out, err);
}

static int read_timestamp(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    return iso(w, scratch, p, n, false, "timestamp in ISO form", out, err);
}

static int read_timestamptz(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err) {
    return iso(w, scratch, p, n, true, "timestamptz in ISO form and UTC", out, err);
}

static const ls_pg_type types[] = {
    /* in the oids' order */
    {16, "bool", LS_TYPE_BOOLEAN, read_bool},
    {17, "bytea", LS_TYPE_BYTES, read_bytea},
    {18, "char", LS_TYPE_STRING, read_text},
    {19, "name", LS_TYPE_STRING, read_text},
    {20, "int8", LS_TYPE_INTEGER, read_integer},
    {21, "int2", LS_TYPE_INTEGER, read_integer},
    {23, "int4", LS_TYPE_INTEGER, read_integer},
    {25, "text", LS_TYPE_STRING, read_text},
    {26, "oid", LS_TYPE_INTEGER, read_integer},
    {700, "float4", LS_TYPE_FLOAT, read_float},
    {701, "float8", LS_TYPE_FLOAT, read_float},
    {1042, "bpchar", LS_TYPE_STRING, read_bpchar},
    {1043, "varchar", LS_TYPE_STRING, read_text},
    {1082, "date", LS_TYPE_DATE, read_date},
    {1083, "time", LS_TYPE_TIME, read_time},
    {1114, "timestamp", LS_TYPE_DATETIME, read_timestamp},
    {1184, "timestamptz", LS_TYPE_TIMESTAMP, read_timestamptz},
    {1700, "numeric", LS_TYPE_DECIMAL, read_numeric},
};
enum { NTYPES = sizeof types / sizeof *types };

static const ls_pg_type citext = {0, "citext", LS_TYPE_STRING, read_text};
const ls_pg_type ls_pg_type_enum = {0, "enum", LS_TYPE_STRING, read_text};

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

const ls_pg_type *ls_pg_type_by_name(const char *schema, const char *name) {
    if (strcmp(name, citext.name) == 0) return &citext;
    if (*schema) return NULL;
    for (size_t i = 0; i < NTYPES; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}
