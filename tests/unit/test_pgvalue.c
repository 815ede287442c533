#include "capture/pgvalue.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_arena arena;
    ls_pg_reader r;
    char *text; /* allocated to its last byte, so that a read beyond it is seen */
} fixture;

static int setup(void **state) {
    static fixture f;
    f = (fixture){0};
    f.r.arena = &f.arena;
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_pg_reader_free(&f->r);
    ls_arena_free(&f->arena);
    free(f->text);
    return 0;
}

static int read_text(fixture *f, const ls_pg_type *t, const char *text, ls_value *v, ls_error *err) {
    size_t n = strlen(text);
    assert_non_null(t);
    free(f->text);
    f->text = malloc(n ? n : 1);
    assert_non_null(f->text);
    memcpy(f->text, text, n);
    return t->read(t, &f->r, f->text, n, v, err);
}

static void type_gives(fixture *f, const ls_pg_type *t, const char *text, int type, enum ls_kind kind, const char *want) {
    ls_error err = {0};
    ls_value v = {0};
    ls_buf out = {0};
    if (read_text(f, t, text, &v, &err)) fail_msg("%s: %s", text, err.text);
    assert_int_equal(t->type, type);
    assert_int_equal(v.state, LS_PRESENT);
    assert_int_equal(v.kind, kind);
    ls_value_print(&out, &v);
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
}

static void gives(fixture *f, uint32_t oid, const char *text, int type, enum ls_kind kind, const char *want) {
    type_gives(f, ls_pg_type_by_oid(oid), text, type, kind, want);
}

static void type_refuses(fixture *f, const ls_pg_type *t, const char *text, const char *because) {
    ls_error err = {0};
    ls_value v = {0};
    if (read_text(f, t, text, &v, &err) == 0) fail_msg("%s is taken for %s", text, t->name);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, because));
}

static void refuses(fixture *f, uint32_t oid, const char *text, const char *because) {
    type_refuses(f, ls_pg_type_by_oid(oid), text, because);
}

enum {
    BOOL = 16,
    BYTEA = 17,
    CHAR = 18,
    NAME = 19,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    OID = 26,
    JSON = 114,
    FLOAT4 = 700,
    FLOAT8 = 701,
    MONEY = 790,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIME = 1083,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    INTERVAL = 1186,
    TIMETZ = 1266,
    BIT = 1560,
    VARBIT = 1562,
    NUMERIC = 1700,
    UUID = 2950,
    JSONB = 3802
};

static void test_bool(void **state) {
    gives(*state, BOOL, "t", LS_TYPE_BOOLEAN, LS_KIND_BOOL, "true");
    gives(*state, BOOL, "f", LS_TYPE_BOOLEAN, LS_KIND_BOOL, "false");
    refuses(*state, BOOL, "true", "no bool");
    refuses(*state, BOOL, "", "no bool");
}

static void test_integers(void **state) {
    gives(*state, INT2, "-32768", LS_TYPE_INTEGER, LS_KIND_TEXT, "-32768");
    gives(*state, INT4, "0", LS_TYPE_INTEGER, LS_KIND_TEXT, "0");
    gives(*state, INT8, "-9223372036854775808", LS_TYPE_INTEGER, LS_KIND_TEXT, "-9223372036854775808");
    gives(*state, INT8, "9223372036854775807", LS_TYPE_INTEGER, LS_KIND_TEXT, "9223372036854775807");
    gives(*state, OID, "4294967295", LS_TYPE_INTEGER, LS_KIND_TEXT, "4294967295");
    refuses(*state, INT4, "", "no integer");
    refuses(*state, INT4, "-", "no integer");
    refuses(*state, INT4, "01", "no integer");
    refuses(*state, INT4, "1.0", "no integer");
    refuses(*state, INT8, "111111111111111111111", "no integer"); /* longer than any */
}

static void test_floats(void **state) {
    gives(*state, FLOAT8, "0.1", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "0.1");
    gives(*state, FLOAT8, "1e+20", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "100000000000000000000");
    gives(*state, FLOAT8, "1e+21", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "1e+21");
    gives(*state, FLOAT4, "1.5e-05", LS_TYPE_FLOAT, LS_KIND_FLOAT, "0.000015");
    gives(*state, FLOAT4, "0.1", LS_TYPE_FLOAT, LS_KIND_FLOAT, "0.1");
    gives(*state, FLOAT4, "16777216", LS_TYPE_FLOAT, LS_KIND_FLOAT, "16777216");
    gives(*state, FLOAT8, "-0", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "-0");
    gives(*state, FLOAT8, "NaN", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "NaN");
    gives(*state, FLOAT4, "-Infinity", LS_TYPE_FLOAT, LS_KIND_FLOAT, "-Infinity");
    gives(*state, FLOAT8, "7.120236347223045e-307", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "7.120236347223045e-307");
    gives(*state, FLOAT8, "5e-324", LS_TYPE_FLOAT, LS_KIND_DOUBLE, "5e-324");
    refuses(*state, FLOAT8, "nan", "no float");
    refuses(*state, FLOAT8, "1e", "no float");
    refuses(*state, FLOAT8, "", "no float");
    refuses(*state, FLOAT4, "1e+39", "no float");
}

static void test_money(void **state) {
    gives(*state, MONEY, "$1,234.50", LS_TYPE_DECIMAL, LS_KIND_TEXT, "1234.50");
    gives(*state, MONEY, "-$1,234.50", LS_TYPE_DECIMAL, LS_KIND_TEXT, "-1234.50");
    gives(*state, MONEY, "$0.00", LS_TYPE_DECIMAL, LS_KIND_TEXT, "0.00");
    gives(*state, MONEY, "-$92,233,720,368,547,758.08", LS_TYPE_DECIMAL, LS_KIND_TEXT, "-92233720368547758.08");
    refuses(*state, MONEY, "", "no money");
    refuses(*state, MONEY, "$", "no money");
    refuses(*state, MONEY, "1$00", "no money");
    refuses(*state, MONEY, "12 \xe2\x82\xac", "no money");
    refuses(*state, MONEY, "($1.00)", "no money");
}

static void test_numeric(void **state) {
    gives(*state, NUMERIC, "12.50", LS_TYPE_DECIMAL, LS_KIND_TEXT, "12.50");
    gives(*state, NUMERIC, "-123456789012345678901234567890.000", LS_TYPE_DECIMAL, LS_KIND_TEXT,
          "-123456789012345678901234567890.000");
    gives(*state, NUMERIC, "NaN", LS_TYPE_DECIMAL, LS_KIND_TEXT, "NaN");
    gives(*state, NUMERIC, "-Infinity", LS_TYPE_DECIMAL, LS_KIND_TEXT, "-Infinity");
    refuses(*state, NUMERIC, "1e5", "no numeric");
    refuses(*state, NUMERIC, "", "no numeric");
}

static void test_texts(void **state) {
    gives(*state, TEXT, "h\xc3\xa9 \"llo\n", LS_TYPE_STRING, LS_KIND_TEXT, "h\xc3\xa9 \"llo\n");
    gives(*state, TEXT, "", LS_TYPE_STRING, LS_KIND_TEXT, "");
    gives(*state, VARCHAR, "a  ", LS_TYPE_STRING, LS_KIND_TEXT, "a  ");
    gives(*state, NAME, "n", LS_TYPE_STRING, LS_KIND_TEXT, "n");
    gives(*state, CHAR, "c", LS_TYPE_STRING, LS_KIND_TEXT, "c");
    gives(*state, BPCHAR, " ab   ", LS_TYPE_STRING, LS_KIND_TEXT, " ab");
    gives(*state, BPCHAR, "   ", LS_TYPE_STRING, LS_KIND_TEXT, "");
    refuses(*state, TEXT, "a\xff", "not valid UTF-8");
    refuses(*state, BPCHAR, "\xc3 ", "not valid UTF-8");
}

static void mends(fixture *f, const ls_pg_type *t, const char *text, const char *want) {
    ls_error err;
    ls_value v;
    f->r.mended = false;
    if (read_text(f, t, text, &v, &err)) fail_msg("%s: %s", text, err.text);
    assert_int_equal(v.len, strlen(want));
    assert_memory_equal(v.as.p, want, v.len);
    assert_true(v.mended && f->r.mended);
}

static void test_mended_texts(void **state) {
    fixture *f = *state;
    f->r.mend = true;
    mends(f, ls_pg_type_by_oid(TEXT), "a\xff\xe2\x82z", "a\xef\xbf\xbd\xef\xbf\xbdz");
    mends(f, ls_pg_type_by_oid(BPCHAR), "\xc3 ", "\xef\xbf\xbd");
    mends(f, ls_pg_type_by_oid(JSON), "[1, \"\xff\"]", "[1,\"\xef\xbf\xbd\"]");
    mends(f, ls_pg_type_by_oid(JSON), "\"\xe2\"", "\"\xef\xbf\xbd\"");
    mends(f, &ls_pg_type_string, "\xe9", "\xef\xbf\xbd");
    f->r.mended = false;
    ls_value v;
    ls_error err;
    assert_int_equal(read_text(f, ls_pg_type_by_oid(TEXT), "fine", &v, &err), 0);
    assert_false(v.mended || f->r.mended);
    refuses(*state, UUID, "\xff", "no uuid"); /* what is no text stays an error */
}

static void test_bytea(void **state) {
    gives(*state, BYTEA, "\\x00ff10", LS_TYPE_BYTES, LS_KIND_BYTES, "AP8Q");
    gives(*state, BYTEA, "\\x", LS_TYPE_BYTES, LS_KIND_BYTES, "");
    refuses(*state, BYTEA, "\\x0", "no bytea");
    refuses(*state, BYTEA, "\\x0g", "no bytea");
    refuses(*state, BYTEA, "", "no bytea");
    refuses(*state, BYTEA, "\\001", "no bytea"); /* bytea_output = escape */
}

static void test_times(void **state) {
    gives(*state, DATE, "2026-01-02", LS_TYPE_DATE, LS_KIND_TEXT, "2026-01-02");
    gives(*state, DATE, "0044-03-15 BC", LS_TYPE_DATE, LS_KIND_TEXT, "0044-03-15 BC");
    gives(*state, DATE, "infinity", LS_TYPE_DATE, LS_KIND_TEXT, "infinity");
    gives(*state, TIME, "24:00:00", LS_TYPE_TIME, LS_KIND_TEXT, "24:00:00");
    gives(*state, TIME, "03:04:05.670", LS_TYPE_TIME, LS_KIND_TEXT, "03:04:05.67");
    gives(*state, TIMESTAMP, "2026-01-02 03:04:05", LS_TYPE_DATETIME, LS_KIND_TEXT, "2026-01-02T03:04:05");
    gives(*state, TIMESTAMP, "12345-01-02 03:04:05.000001", LS_TYPE_DATETIME, LS_KIND_TEXT,
          "12345-01-02T03:04:05.000001");
    gives(*state, TIMESTAMPTZ, "2026-01-02 03:04:05.5+00", LS_TYPE_TIMESTAMP, LS_KIND_TEXT, "2026-01-02T03:04:05.5Z");
    gives(*state, TIMESTAMPTZ, "-infinity", LS_TYPE_TIMESTAMP, LS_KIND_TEXT, "-infinity");
    refuses(*state, TIMESTAMPTZ, "2026-01-02 03:04:05.5+02", "no timestamptz in ISO form and UTC");
    refuses(*state, DATE, "02/01/2026", "no date in ISO form");
    refuses(*state, TIME, "", "no time in ISO form");
}

static void test_timetz(void **state) {
    gives(*state, TIMETZ, "13:59:59.5+02", LS_TYPE_TIMETZ, LS_KIND_TEXT, "13:59:59.5+02");
    gives(*state, TIMETZ, "24:00:00-15:59:59", LS_TYPE_TIMETZ, LS_KIND_TEXT, "24:00:00-15:59:59");
    refuses(*state, TIMETZ, "13:59:59", "no timetz");
    refuses(*state, TIMETZ, "13.59.59 +02", "no timetz");
    refuses(*state, TIMETZ, "", "no timetz");
}

static void test_interval(void **state) {
    gives(*state, INTERVAL, "P1Y-2M3DT4H5M-6.5S", LS_TYPE_INTERVAL, LS_KIND_TEXT, "P1Y-2M3DT4H5M-6.5S");
    gives(*state, INTERVAL, "PT0S", LS_TYPE_INTERVAL, LS_KIND_TEXT, "PT0S");
    gives(*state, INTERVAL, "-infinity", LS_TYPE_INTERVAL, LS_KIND_TEXT, "-infinity"); /* since PostgreSQL 17 */
    refuses(*state, INTERVAL, "1 day", "no interval in ISO 8601 form");
    refuses(*state, INTERVAL, "P", "no interval");
    refuses(*state, INTERVAL, "P1 day", "no interval");
}

static void test_json(void **state) {
    gives(*state, JSON, "{ \"b\" : [1.50, 2e5 ],\n\t\"a\":\" x : y \", \"b\":null}", LS_TYPE_JSON, LS_KIND_TEXT,
          "{\"b\":[1.50,2e5],\"a\":\" x : y \",\"b\":null}");
    gives(*state, JSONB, "{\"a\": \"\\\" \\\\\", \"b\": \"\\u0000\"}", LS_TYPE_JSON, LS_KIND_TEXT, "{\"a\":\"\\\" \\\\\",\"b\":\"\\u0000\"}");
    gives(*state, JSONB, "null", LS_TYPE_JSON, LS_KIND_TEXT, "null");
    gives(*state, JSON, " 1 ", LS_TYPE_JSON, LS_KIND_TEXT, "1");
    refuses(*state, JSON, "\"\xff\"", "not valid UTF-8");
    refuses(*state, JSON, "[1, \"\xff\"]", "not valid UTF-8");
}

static void test_uuid_and_bits(void **state) {
    gives(*state, UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", LS_TYPE_UUID, LS_KIND_TEXT, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    refuses(*state, UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "no uuid");
    refuses(*state, UUID, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "no uuid");
    gives(*state, BIT, "00101", LS_TYPE_BITS, LS_KIND_TEXT, "00101");
    gives(*state, VARBIT, "", LS_TYPE_BITS, LS_KIND_TEXT, "");
    refuses(*state, VARBIT, "012", "no bit string");
}

static void test_other_types(void **state) {
    type_gives(*state, &ls_pg_type_string, "[1,5)", LS_TYPE_STRING, LS_KIND_TEXT, "[1,5)");
    type_refuses(*state, &ls_pg_type_string, "\xe9", "not valid UTF-8");
    type_gives(*state, &ls_pg_type_geometry, "0101000020E6100000000000000000F03F0000000000000040", LS_TYPE_GEOMETRY, LS_KIND_JSON,
               "{\"srid\":4326,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"}");
    type_refuses(*state, &ls_pg_type_geometry, "POINT(1 2)", "no EWKB in hex");
    type_refuses(*state, &ls_pg_type_geometry, "010", "no EWKB in hex");
    type_refuses(*state, &ls_pg_type_geometry, "", "ends early");
}

static void test_which_types(void **state) {
    (void)state;
    static const uint32_t not [] = {0,   1,    22,   24,   27,   113, 115,  699,  702,
                                    789, 1007, 1265, 1267, 1559, 1701, 2951, 3801, 3803, UINT32_MAX};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++) assert_null(ls_pg_type_by_oid(not [i]));
    assert_ptr_equal(ls_pg_type_by_name("int4"), ls_pg_type_by_oid(INT4));
    assert_ptr_equal(ls_pg_type_by_name("numeric"), ls_pg_type_by_oid(NUMERIC));
    assert_null(ls_pg_type_by_name("_int4"));
    assert_null(ls_pg_type_by_name("geometry"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_floats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numeric, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mended_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytea, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_money, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timetz, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uuid_and_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_types, setup, teardown),
        cmocka_unit_test(test_which_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
