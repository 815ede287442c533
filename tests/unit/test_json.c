#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static int reads(const char *text, ls_json_value *v, ls_error *err) {
    ls_json j = ls_json_over(text, strlen(text));
    return ls_json_read(&j, v, err) || ls_json_end(&j, err) ? -1 : 0;
}

static void test_write(void **state) {
    (void)state;
    ls_buf b = {0};
    const char in[] = "plain, long enough\"\\\b\f\n\r\t\x01\x1f\x7f\xc3\xa4 and the rest\0x";
    ls_json_string(&b, in, sizeof in - 1);
    assert_string_equal(ls_buf_cstr(&b),
                        "\"plain, long enough\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa4 and the rest\\u0000x\"");
    ls_buf_free(&b);
}

static void test_write_finds_every_byte_at_every_place(void **state) {
    (void)state;
    ls_buf b = {0}, back = {0};
    for (int c = 0; c < 256; c++)
        for (size_t i = 0; i < 17 * 18 / 2; i++) { /* each place in each length up to 17 */
            size_t n = 1, at = i;
            while (at >= n) at -= n++;
            char *in = malloc(n); /* so that a read beyond it is seen */
            ls_json_value v;
            ls_error err;
            assert_non_null(in);
            memset(in, 'a', n);
            in[at] = (char)c;
            ls_buf_clear(&b);
            ls_json_string(&b, in, n);
            size_t more = c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t' ? 1 : c < 0x20 ? 5 : 0;
            assert_int_equal(b.len, n + 2 + more);
            assert_int_equal(ls_json_is_plain(in, n), more == 0);
            ls_json j = ls_json_over(b.data, b.len);
            ls_buf_clear(&back);
            assert_int_equal(ls_json_read(&j, &v, &err), 0);
            assert_int_equal(ls_json_end(&j, &err), 0);
            assert_int_equal(ls_json_unescape(&v, &back, &err), 0);
            assert_int_equal(back.len, n);
            assert_memory_equal(back.data, in, n);
            free(in);
        }
    ls_buf_free(&b);
    ls_buf_free(&back);
}

static void test_values(void **state) {
    (void)state;
    ls_json_value v;
    ls_error err;
    assert_int_equal(reads(" -12.5e+3 ", &v, &err), 0);
    assert_int_equal(v.kind, LS_JSON_NUMBER);
    assert_memory_equal(v.p, "-12.5e+3", v.n);
    assert_int_equal(reads("[1,{\"a\":[true,false,null]},\"x\"]", &v, &err), 0);
    assert_int_equal(v.kind, LS_JSON_ARRAY);
    assert_int_equal(v.n, 31);
    assert_int_equal(reads("{}", &v, &err), 0);
    assert_int_equal(v.kind, LS_JSON_OBJECT);
    assert_int_equal(reads("[[],[{}],[[]]]", &v, &err), 0);
}

static void test_walk(void **state) {
    (void)state;
    static const char text[] = "{ \"a\" : 1 , \"b\" : [ 2 , 3 ] , \"\\u0063\" : \"x\" }";
    ls_json_value all, k, v, e;
    ls_error err;
    assert_int_equal(reads(text, &all, &err), 0);
    ls_json j = ls_json_inside(&all);
    uint64_t n;
    assert_int_equal(ls_json_member(&j, &k, &v, &err), 1);
    assert_true(ls_json_is(&k, "a"));
    assert_int_equal(ls_json_u64(&v, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(ls_json_member(&j, &k, &v, &err), 1);
    ls_json in = ls_json_inside(&v);
    assert_int_equal(ls_json_element(&in, &e, &err), 1);
    assert_int_equal(ls_json_element(&in, &e, &err), 1);
    assert_memory_equal(e.p, "3", 1);
    assert_int_equal(ls_json_element(&in, &e, &err), 0);
    assert_int_equal(ls_json_member(&j, &k, &v, &err), 1);
    assert_true(ls_json_is(&k, "c"));
    assert_int_equal(ls_json_member(&j, &k, &v, &err), 0);
}

static void test_bad(void **state) {
    (void)state;
    static const char *const bad[] = {"",      "{",       "[",          "[1,]",      "[,1]",   "{\"a\"}",  "{\"a\":}", "{\"a\":1,}", "{a:1}",
                                      "[1 2]", "nul",     "01",         "1.",        "-",      "+1",       ".5",       "1e",         "\"",
                                      "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "1 2",       "]",      "{\"a\":1]", "[1}",      "[1",         "NaN"};
    ls_json_value v;
    ls_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(reads(bad[i], &v, &err), -1);
        assert_non_null(strstr(err.text, "byte"));
    }
    char deep[2 * LS_JSON_DEPTH + 3];
    memset(deep, '[', LS_JSON_DEPTH + 1);
    memset(deep + LS_JSON_DEPTH + 1, ']', LS_JSON_DEPTH + 1);
    deep[2 * LS_JSON_DEPTH + 2] = '\0';
    assert_int_equal(reads(deep, &v, &err), -1);
    deep[2 * LS_JSON_DEPTH + 1] = '\0';
    assert_int_equal(reads(deep + 1, &v, &err), 0);
}

static void test_error_names_place(void **state) {
    (void)state;
    ls_json_value v;
    ls_error err;
    assert_int_equal(reads("{\"a\":x}", &v, &err), -1);
    assert_string_equal(err.text, "JSON has 0x78 at byte 5 where a value was wanted");
}

static void test_unescape(void **state) {
    (void)state;
    ls_json_value v;
    ls_error err;
    ls_buf b = {0};
    assert_int_equal(reads("\"a\\u00e4\\ud83d\\ude00\\\\\\/\\n\\u0000z\"", &v, &err), 0);
    assert_int_equal(ls_json_unescape(&v, &b, &err), 0);
    assert_int_equal(b.len, 12);
    assert_memory_equal(b.data, "a\xc3\xa4\xf0\x9f\x98\x80\\/\n\0z", 12);
    static const char *const lone[] = {"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\""};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(reads(lone[i], &v, &err), 0);
        assert_int_equal(ls_json_unescape(&v, &b, &err), -1);
    }
    ls_buf_free(&b);
}

static void test_integers(void **state) {
    (void)state;
    ls_json_value v;
    ls_error err;
    uint64_t u;
    int64_t i;
    assert_int_equal(reads("18446744073709551615", &v, &err), 0);
    assert_int_equal(ls_json_u64(&v, &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(ls_json_i64(&v, &i), -1);
    assert_int_equal(reads("18446744073709551616", &v, &err), 0);
    assert_int_equal(ls_json_u64(&v, &u), -1);
    assert_int_equal(reads("-9223372036854775808", &v, &err), 0);
    assert_int_equal(ls_json_i64(&v, &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(reads("1.5", &v, &err), 0);
    assert_int_equal(ls_json_u64(&v, &u), -1);
}

static void test_compact(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {" ", ""}, {"1", "1"}, {" [ 1 ,\t2\n] ", "[1,2]"}, {"{\"a b\" : \" \\\" \" }", "{\"a b\":\" \\\" \"}"}, {"\" ", "\" "}, {"\"\\", "\"\\"},
    };
    ls_buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i][0]);
        ls_buf_clear(&out);
        ls_json_compact(&out, cases[i][0], n);
        assert_string_equal(ls_buf_cstr(&out), cases[i][1]);
        assert_int_equal(ls_json_is_compact(cases[i][0], n), n == out.len);
    }
    ls_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),  cmocka_unit_test(test_write_finds_every_byte_at_every_place),
        cmocka_unit_test(test_values), cmocka_unit_test(test_walk),
        cmocka_unit_test(test_bad),    cmocka_unit_test(test_error_names_place),
        cmocka_unit_test(test_unescape), cmocka_unit_test(test_compact), cmocka_unit_test(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
