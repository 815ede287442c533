#include "capture/pgvalue.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { BOOL = 16, BYTEA = 17, INT4 = 23, TEXT = 25, JSONB = 3802, FLOAT4 = 700, FLOAT8 = 701, MONEY = 790,
       TIMESTAMPTZ = 1184, INTERVAL = 1186, TIMETZ = 1266, BIT = 1560, NUMERIC = 1700, UUID = 2950 };

static int read_as(const ls_pg_type *array, const char *text, ls_buf *out, ls_error *err) {
    ls_arena arena = {0};
    ls_pg_reader r = {.arena = &arena};
    ls_value v = {0};
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1); /* to its last byte, so that a read beyond it is seen */
    assert_non_null(copy);
    memcpy(copy, text, n);
    int rc = array->read(array, &r, copy, n, &v, err);
    free(copy); /* nothing of the value stands in the server's text */
    if (rc == 0) {
        assert_int_equal(v.kind, LS_KIND_JSON);
        assert_ptr_equal(r.arena, &arena);
        ls_value_json(out, &v, array->type);
    }
    ls_pg_reader_free(&r);
    ls_arena_free(&arena);
    return rc;
}

static ls_pg_type array_of(const ls_pg_type *element, char delimiter) {
    assert_non_null(element);
    return (ls_pg_type){.name = "array", .type = LS_TYPE_ARRAY, .read = ls_pg_read_array, .element = element, .delimiter = delimiter};
}

static void type_gives(const ls_pg_type *array, const char *text, const char *want) {
    ls_buf out = {0};
    ls_error err;
    if (read_as(array, text, &out, &err)) fail_msg("%s: %s", text, err.text);
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
}

static void gives(uint32_t element, const char *text, const char *want) {
    ls_pg_type array = array_of(ls_pg_type_by_oid(element), ',');
    type_gives(&array, text, want);
}

static void refuses(uint32_t element, const char *text, const char *because) {
    ls_pg_type array = array_of(ls_pg_type_by_oid(element), ',');
    ls_buf out = {0};
    ls_error err = {0};
    assert_int_equal(read_as(&array, text, &out, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_string_equal(err.text, because);
}

/* An array is flagged if an element is, also one deep within it; one that was read before does not matter. */
static void test_mended_elements(void **state) {
    (void)state;
    ls_arena arena = {0};
    ls_pg_reader r = {.arena = &arena, .mend = true};
    ls_pg_type array = array_of(ls_pg_type_by_oid(TEXT), ','), outer = array_of(&array, ';');
    ls_value v;
    ls_error err;
    static const char mended[] = "[\"a\",null,\"\xef\xbf\xbd\\\"b\"]", nested[] = "[[\"a\"],[\"\xef\xbf\xbd\"]]";
    static const char one[] = "{a,NULL,\"\xe2\x82\\\"b\"}", two[] = "{\"{a}\";\"{\xff}\"}", fine[] = "{a}";
    assert_int_equal(array.read(&array, &r, one, sizeof one - 1, &v, &err), 0);
    assert_true(v.mended && r.mended && v.len == sizeof mended - 1);
    assert_memory_equal(v.as.p, mended, v.len);
    assert_int_equal(array.read(&array, &r, fine, sizeof fine - 1, &v, &err), 0);
    assert_true(!v.mended && r.mended);
    r.mended = false;
    assert_int_equal(outer.read(&outer, &r, two, sizeof two - 1, &v, &err), 0);
    assert_true(v.mended && r.mended && v.len == sizeof nested - 1);
    assert_memory_equal(v.as.p, nested, v.len);
    ls_pg_reader_free(&r);
    ls_arena_free(&arena);
}

static void test_elements(void **state) {
    (void)state;
    gives(INT4, "{}", "[]");
    gives(INT4, "{1}", "[1]");
    gives(INT4, "{1,-2,NULL}", "[1,-2,null]");
    gives(BOOL, "{t,f,NULL}", "[true,false,null]");
    gives(BYTEA, "{\"\\\\x00ff10\",\"\\\\x\"}", "[\"AP8Q\",\"\"]");
    gives(NUMERIC, "{12.50,NaN,-Infinity}", "[\"12.50\",\"NaN\",\"-Infinity\"]");
    gives(MONEY, "{\"$1,234.50\",-$0.05}", "[\"1234.50\",\"-0.05\"]");
    gives(FLOAT8, "{0.1,1e+20,NaN,-Infinity,-0}", "[0.1,100000000000000000000,\"NaN\",\"-Infinity\",-0]");
    gives(FLOAT4, "{1.5e-05,3.4028235e+38}", "[0.000015,3.4028235e+38]");
    gives(TIMESTAMPTZ, "{\"2026-01-02 03:04:05.5+00\",infinity}", "[\"2026-01-02T03:04:05.5Z\",\"infinity\"]");
    gives(TIMETZ, "{03:04:05+02}", "[\"03:04:05+02\"]");
    gives(INTERVAL, "{P1DT2H,PT0S}", "[\"P1DT2H\",\"PT0S\"]");
    gives(BIT, "{0101,1}", "[\"0101\",\"1\"]");
    gives(UUID, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "[\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"]");
    gives(JSONB, "{\"{\\\"a\\\": [1, \\\"x  y\\\"]}\",1,null}", "[\"{\\\"a\\\":[1,\\\"x  y\\\"]}\",\"1\",\"null\"]");
}

static void test_quoting(void **state) {
    (void)state;
    gives(TEXT, "{a,\"\",\"NULL\",NULL,\"null\",nul}", "[\"a\",\"\",\"NULL\",null,\"null\",\"nul\"]");
    gives(TEXT, "{\"a b\",\"a,b\",\"{x}\",\" \"}", "[\"a b\",\"a,b\",\"{x}\",\" \"]");
    gives(TEXT, "{\"a\\\"b\",\"a\\\\b\",\"\\\\\",\"\\\"\"}", "[\"a\\\"b\",\"a\\\\b\",\"\\\\\",\"\\\"\"]");
    gives(TEXT, "{\"line\nbreak\",\"tab\there\",\x01}", "[\"line\\nbreak\",\"tab\\there\",\"\\u0001\"]");
    gives(TEXT, "{h\xc3\xa9,\"\xf0\x9f\x98\x80 \\\"\"}", "[\"h\xc3\xa9\",\"\xf0\x9f\x98\x80 \\\"\"]");
}

static void test_dimensions(void **state) {
    (void)state;
    gives(INT4, "{{1,2},{3,NULL}}", "[[1,2],[3,null]]");
    gives(INT4, "{{{1},{2}},{{3},{4}}}", "[[[1],[2]],[[3],[4]]]");
    gives(INT4, "{{{{{{1}}}}}}", "[[[[[[1]]]]]]");
    gives(INT4, "[0:1]={1,2}", "[1,2]");
    gives(INT4, "[-2:-1][3:4]={{1,2},{3,4}}", "[[1,2],[3,4]]");
    gives(TEXT, "[5:5]={\"[0:1]={1,2}\"}", "[\"[0:1]={1,2}\"]");
    gives(TEXT, "{[0:1]=x}", "[\"[0:1]=x\"]");
}

static void test_delimiter(void **state) { /* box has ; and PostGIS' types have : */
    (void)state;
    ls_pg_type boxes = array_of(&ls_pg_type_string, ';');
    type_gives(&boxes, "{(1,1),(0,0);(3,3),(2,2);NULL}", "[\"(1,1),(0,0)\",\"(3,3),(2,2)\",null]");
    ls_pg_type geometries = array_of(&ls_pg_type_geometry, ':');
    type_gives(&geometries, "{0101000000000000000000F03F0000000000000040:NULL:010700000000000000}",
               "[{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"},null,{\"srid\":0,\"wkb\":\"AQcAAAAAAAAA\"}]");
}

static void test_arrays_in_arrays(void **state) { /* arrays of a domain over an array */
    (void)state;
    ls_pg_type inner = array_of(ls_pg_type_by_oid(TEXT), ','), outer = array_of(&inner, ','), outermost = array_of(&outer, ',');
    type_gives(&outer, "{\"{a,b}\",NULL,\"{}\",\"{\\\"x \\\\\\\" y\\\",NULL}\"}", "[[\"a\",\"b\"],null,[],[\"x \\\" y\",null]]");
    type_gives(&outermost, "{\"{\\\"{a}\\\",NULL}\",\"{\\\"{\\\\\\\"b c\\\\\\\"}\\\"}\"}", "[[[\"a\"],null],[[\"b c\"]]]");
}

static void test_many_elements(void **state) {
    (void)state;
    enum { COUNT = 50000 };
    ls_buf text = {0}, want = {0};
    for (int i = 0; i < COUNT; i++) {
        ls_buf_fmt(&text, "%c\"%d \\\"\"", i ? ',' : '{', i);
        ls_buf_fmt(&want, "%c\"%d \\\"\"", i ? ',' : '[', i);
    }
    ls_buf_char(&text, '}');
    ls_buf_char(&want, ']');
    gives(TEXT, ls_buf_cstr(&text), ls_buf_cstr(&want));
    ls_buf_free(&text);
    ls_buf_free(&want);
}

static void test_malformed(void **state) {
    (void)state;
#define NO(n) "the server's text (" n " bytes) is no array: "
    refuses(INT4, "", NO("0") "at byte 0 an opening brace was wanted");
    refuses(INT4, "1", NO("1") "at byte 0 an opening brace was wanted");
    refuses(INT4, "[0:1]", NO("5") "at byte 0 an opening brace was wanted");
    refuses(INT4, "[0:1]=", NO("6") "at byte 6 an opening brace was wanted");
    refuses(INT4, "{", NO("1") "at byte 1 an element was wanted");
    refuses(INT4, "{1", NO("2") "at byte 2 a delimiter or a closing brace was wanted");
    refuses(INT4, "{1,", NO("3") "at byte 3 an element was wanted");
    refuses(INT4, "{1,}", NO("4") "at byte 3 an element was wanted");
    refuses(INT4, "{,1}", NO("4") "at byte 1 an element was wanted");
    refuses(INT4, "{1}x", NO("4") "at byte 3 the end was wanted");
    refuses(INT4, "{1}}", NO("4") "at byte 3 the end was wanted");
    refuses(INT4, "{}{}", NO("4") "at byte 2 the end was wanted");
    refuses(INT4, "{{1}{2}}", NO("8") "at byte 4 a delimiter or a closing brace was wanted");
    refuses(INT4, "{{1},", NO("5") "at byte 5 an element was wanted");
    refuses(INT4, "{{{{{{{1}}}}}}}", NO("15") "at byte 6 no further dimension was wanted");
    refuses(TEXT, "{\"a}", NO("4") "at byte 4 the quote at an element's end was wanted");
    refuses(TEXT, "{\"a\\", NO("4") "at byte 4 the quote at an element's end was wanted");
    refuses(TEXT, "{\"a\\\"", NO("5") "at byte 5 the quote at an element's end was wanted");
    refuses(TEXT, "{\"a\"b}", NO("6") "at byte 4 a delimiter or a closing brace was wanted");
    refuses(TEXT, "{a\"b\"}", NO("6") "at byte 2 a delimiter or a closing brace was wanted");
    refuses(TEXT, "{a\\b}", NO("5") "at byte 2 a delimiter or a closing brace was wanted");
    refuses(TEXT, "{a{b}}", NO("6") "at byte 2 a delimiter or a closing brace was wanted");
    refuses(INT4, "{1,x}", "array element 2: the server's text (1 bytes) is no integer");
    refuses(INT4, "{{1,2},{3,\"\"}}", "array element 4: the server's text (0 bytes) is no integer");
    refuses(FLOAT8, "{null}", "array element 1: the server's text (4 bytes) is no float8");
    ls_buf out = {0};
    ls_error err;
    ls_pg_type inner = array_of(ls_pg_type_by_oid(INT4), ','), outer = array_of(&inner, ',');
    assert_int_equal(read_as(&outer, "{\"{1}\",\"{1,x}\"}", &out, &err), -1);
    assert_string_equal(err.text, "array element 2: array element 2: the server's text (1 bytes) is no integer");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),         cmocka_unit_test(test_quoting),       cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_delimiter),        cmocka_unit_test(test_arrays_in_arrays), cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_malformed),        cmocka_unit_test(test_mended_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
