#include "capture/pgvalue.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *w;
    ls_buf scratch;
    char *text; /* allocated to its last byte, so that a read beyond it is seen */
} fixture;

static int setup(void **state) {
    static fixture f;
    f = (fixture){0};
    f.w = ls_work_new(&f.schemas, "shop", "postgres");
    *state = &f;
    return f.w ? 0 : -1;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->w);
    ls_buf_free(&f->scratch);
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
    return t->read(f->w, &f->scratch, f->text, n, v, err);
}

static void gives(fixture *f, uint32_t oid, const char *text, int type, enum ls_kind kind, const char *want) {
    ls_error err = {0};
    ls_value v = {0};
    ls_buf out = {0};
    const ls_pg_type *t = ls_pg_type_by_oid(oid);
    if (read_text(f, t, text, &v, &err)) fail_msg("%s: %s", text, err.text);
    assert_int_equal(t->type, type);
    assert_int_equal(v.state, LS_PRESENT);
    assert_int_equal(v.kind, kind);
    ls_value_print(&out, &v);
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
}

static void refuses(fixture *f, uint32_t oid, const char *text, const char *because) {
    ls_error err = {0};
    ls_value v = {0};
    assert_int_equal(read_text(f, ls_pg_type_by_oid(oid), text, &v, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, because));
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
    FLOAT4 = 700,
    FLOAT8 = 701,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIME = 1083,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700
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
    gives(*state, FLOAT8, "0.1", LS_TYPE_FLOAT, LS_KIND_TEXT, "0.1");
    gives(*state, FLOAT8, "1e+20", LS_TYPE_FLOAT, LS_KIND_TEXT, "100000000000000000000");
    gives(*state, FLOAT8, "1e+21", LS_TYPE_FLOAT, LS_KIND_TEXT, "1e+21");
    gives(*state, FLOAT4, "1.5e-05", LS_TYPE_FLOAT, LS_KIND_TEXT, "0.000015");
    gives(*state, FLOAT8, "-0", LS_TYPE_FLOAT, LS_KIND_TEXT, "-0");
    gives(*state, FLOAT8, "NaN", LS_TYPE_FLOAT, LS_KIND_TEXT, "NaN");
    gives(*state, FLOAT4, "-Infinity", LS_TYPE_FLOAT, LS_KIND_TEXT, "-Infinity");
    refuses(*state, FLOAT8, "nan", "no float");
    refuses(*state, FLOAT8, "1e", "no float");
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

static void test_which_types(void **state) {
    (void)state;
    static const uint32_t not [] = {0,   1,    22,   24,   27,   114,  699,  702,
                                    790, 1007, 1266, 1560, 1701, 2950, 3802, UINT32_MAX};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++) assert_null(ls_pg_type_by_oid(not [i]));
    assert_ptr_equal(ls_pg_type_by_name("", "int4"), ls_pg_type_by_oid(INT4));
    assert_ptr_equal(ls_pg_type_by_name("", "numeric"), ls_pg_type_by_oid(NUMERIC));
    assert_null(ls_pg_type_by_name("public", "int4")); /* somebody's own type of that name */
    assert_null(ls_pg_type_by_name("", "_int4"));
    assert_null(ls_pg_type_by_name("", "jsonb"));
    assert_int_equal(ls_pg_type_by_name("public", "citext")->type, LS_TYPE_STRING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_floats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numeric, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytea, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test(test_which_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
