#include "capture/gtid_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define A "00112233-4455-6677-8899-aabbccddeeff"
#define B "10112233-4455-6677-8899-aabbccddeeff"

static ls_gtid_set set_of(const char *text) {
    ls_gtid_set s = {0};
    ls_error err;
    if (ls_gtid_set_read(&s, text, strlen(text), &err)) fail_msg("%s", err.text);
    return s;
}

static void prints(const char *text, const char *want) {
    ls_gtid_set s = set_of(text);
    ls_buf out = {0};
    ls_gtid_set_print(&s, &out);
    assert_string_equal(out.len ? ls_buf_cstr(&out) : "", want);
    ls_buf_free(&out);
    ls_gtid_set_free(&s);
}

static void test_text(void **state) {
    (void)state;
    prints("", "");
    prints(" \n", "");
    prints(A ":5", A ":5");
    prints(A ":5,", A ":5");
    prints(A ":1-5:7", A ":1-5:7");
    prints("00112233-4455-6677-8899-AABBCCDDEEFF:1-5:6:9-9", A ":1-6:9");
    prints(A ":3,\n" A ":1-2", A ":1-3");
    prints(A ":10:1:5:3:4:2:6-8:9", A ":1-10");
    prints(A ":1-2:5-6:9-10:2-9", A ":1-10");
    prints(B ":1, " A ":2", A ":2," B ":1");
    prints(A ":1:Tag_1:1-3:5:other:2", A ":1," A ":other:2," A ":tag_1:1-3:5");
    prints(A ":9223372036854775807", A ":9223372036854775807");
}

static void test_what_is_none(void **state) {
    (void)state;
    static const char *const none[] = {"x", A ":", A ":0", A ":5-4", A ":1-", A ":1 2", "0-1-5", A "x:1", A ":9223372036854775808",
                                       A ":abcdefghijklmnopqrstuvwxyz0123456:1", A ":1;" B ":1", "0011"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ls_gtid_set s = {0};
        ls_error err;
        if (ls_gtid_set_read(&s, none[i], strlen(none[i]), &err) == 0) fail_msg("%s", none[i]);
        assert_non_null(strstr(err.text, "is no MySQL GTID set"));
        ls_gtid_set_free(&s);
    }
}

static void contains(const char *a, const char *b, bool want) {
    ls_gtid_set x = set_of(a), y = set_of(b);
    if (ls_gtid_set_contains(&x, &y) != want) fail_msg("%s, %s", a, b);
    ls_gtid_set_free(&x);
    ls_gtid_set_free(&y);
}

static void test_contains(void **state) {
    (void)state;
    contains("", "", true);
    contains(A ":1", "", true);
    contains("", A ":1", false);
    contains(A ":1-10", A ":3-4:10", true);
    contains(A ":1-3:5-10", A ":3-5", false);
    contains(A ":1-10", A ":t:1", false);
    contains(A ":1-10," A ":t:1-2," B ":1", A ":t:2," B ":1", true);
    contains(A ":1-10", B ":1", false);
}

static void test_add(void **state) {
    (void)state;
    ls_buf set = {0};
    ls_error err;
    static const char *const steps[][2] = {{A ":1", A ":1"}, {A ":2", A ":1-2"}, {B ":7", A ":1-2," B ":7"}, {A ":4", A ":1-2:4," B ":7"},
                                           {A ":3", A ":1-4," B ":7"}, {A ":t:1", A ":1-4," A ":t:1," B ":7"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(ls_gtid_set_add(&set, steps[i][0], &err), 0);
        assert_string_equal(ls_buf_cstr(&set), steps[i][1]);
    }
    assert_int_equal(ls_gtid_set_add(&set, "0-1-2", &err), -1);
    ls_buf_free(&set);
}

static void test_extend(void **state) {
    (void)state;
    char row[96] = A ":4";
    assert_true(ls_gtid_set_extend(row, sizeof row, A ":5"));
    assert_string_equal(row, A ":4-5");
    assert_true(ls_gtid_set_extend(row, sizeof row, A ":6"));
    assert_string_equal(row, A ":4-6");
    assert_false(ls_gtid_set_extend(row, sizeof row, A ":8"));
    assert_false(ls_gtid_set_extend(row, sizeof row, B ":7"));
    assert_false(ls_gtid_set_extend(row, sizeof row, A ":t:7"));
    assert_false(ls_gtid_set_extend(row, sizeof row, "0-1-7"));
    assert_string_equal(row, A ":4-6");
    char tag[96] = A ":t"; /* without a number, it is not taken for the one before 1 */
    assert_false(ls_gtid_set_extend(tag, sizeof tag, A ":1"));
    assert_string_equal(tag, A ":t");
}

static void test_encoding(void **state) {
    (void)state;
    static const char plain[] = "\1\0\0\0\0\0\0\0" "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff" "\2\0\0\0\0\0\0\0"
                                "\1\0\0\0\0\0\0\0" "\6\0\0\0\0\0\0\0" "\7\0\0\0\0\0\0\0" "\x8\0\0\0\0\0\0\0";
    static const char tagged[] = "\1\1\0\0\0\0\0\1" "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff" "\x2t" "\1\0\0\0\0\0\0\0"
                                 "\3\0\0\0\0\0\0\0" "\4\0\0\0\0\0\0\0";
    ls_buf out = {0};
    ls_gtid_set s = set_of(A ":1-5:7");
    ls_gtid_set_encode(&s, &out);
    assert_int_equal(out.len, sizeof plain - 1);
    assert_memory_equal(out.data, plain, out.len);
    ls_gtid_set_free(&s);
    ls_buf_clear(&out);
    s = set_of(A ":t:3");
    ls_gtid_set_encode(&s, &out);
    assert_int_equal(out.len, sizeof tagged - 1);
    assert_memory_equal(out.data, tagged, out.len);
    ls_gtid_set_free(&s);
    ls_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),     cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_contains),
        cmocka_unit_test(test_add), cmocka_unit_test(test_extend), cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
