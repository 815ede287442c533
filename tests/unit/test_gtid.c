#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "capture/gtid.h"

static void adds(const char *position, const char *gtid, const char *want) {
    ls_buf b = {0};
    ls_error err;
    ls_buf_str(&b, position);
    assert_int_equal(ls_gtid_add(&b, gtid, &err), 0);
    assert_string_equal(ls_buf_cstr(&b), want);
    ls_buf_free(&b);
}

static void refuses(const char *position, const char *gtid) {
    ls_buf b = {0};
    ls_error err;
    ls_buf_str(&b, position);
    assert_int_equal(ls_gtid_add(&b, gtid, &err), -1);
    assert_string_equal(ls_buf_cstr(&b), position);
    ls_buf_free(&b);
}

static void test_add(void **state) {
    (void)state;
    adds("", "0-1-5", "0-1-5");
    adds("0-1-5", "0-1-6", "0-1-6");
    adds("0-1-99", "0-1-100", "0-1-100");
    adds("0-1-100", "0-2-7", "0-2-7"); /* another server, and a lower number: the last one counts */
    adds("0-1-5", "1-1-2", "0-1-5,1-1-2");
    adds("1-1-2", "0-1-5", "0-1-5,1-1-2");
    adds("0-1-5,7-3-1,9-9-9", "7-4-22", "0-1-5,7-4-22,9-9-9");
    adds("0-1-5,7-3-1,9-9-9", "9-9-10", "0-1-5,7-3-1,9-9-10");
    adds("0-1-5,9-9-9", "7-3-1", "0-1-5,7-3-1,9-9-9");
    adds("", "4294967295-4294967295-18446744073709551615", "4294967295-4294967295-18446744073709551615");
}

static void test_what_is_no_gtid(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",       "0",      "0-1",    "0-1-",  "-1-1",           "0-1-5,",         "0-1-5,1-1-1",
        "0-1-5x", " 0-1-5", "0 -1-5", "a-b-c", "4294967296-1-1", "0-4294967296-1", "0-1-18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses("3-3-3", bad[i]);
    refuses("nonsense", "0-1-5");
    refuses("0-1-5,", "1-1-5");
    refuses("0-1-5,,1-1-1", "9-1-5");
}

static void test_read_and_print(void **state) {
    (void)state;
    const char *text = "0-1-5,12-34-567", *at = text, *end = text + strlen(text);
    ls_gtid g;
    char out[LS_GTID_TEXT];
    assert_int_equal(ls_gtid_next(&at, end, &g), 1);
    assert_int_equal(g.seq, 5);
    assert_int_equal(ls_gtid_next(&at, end, &g), 1);
    assert_int_equal(g.domain, 12);
    assert_int_equal(g.server, 34);
    assert_int_equal(g.seq, 567);
    ls_gtid_print(out, &g);
    assert_string_equal(out, "12-34-567");
    assert_int_equal(ls_gtid_next(&at, end, &g), 0);
}

static void test_domains_are_bounded(void **state) {
    (void)state;
    ls_buf b = {0};
    ls_error err;
    char gtid[LS_GTID_TEXT];
    for (int i = 0; i < LS_GTID_DOMAINS; i++) ls_buf_fmt(&b, "%s%d-1-1", i ? "," : "", i);
    snprintf(gtid, sizeof gtid, "%d-1-2", LS_GTID_DOMAINS - 1);
    assert_int_equal(ls_gtid_add(&b, gtid, &err), 0);
    snprintf(gtid, sizeof gtid, "%d-1-2", LS_GTID_DOMAINS);
    assert_int_equal(ls_gtid_add(&b, gtid, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    ls_buf_free(&b);
}

static void test_same_log(void **state) {
    (void)state;
    assert_int_equal(ls_gtid_same_log("", ""), 1);
    assert_int_equal(ls_gtid_same_log("0-1-5", "0-1-5"), 1);
    assert_int_equal(ls_gtid_same_log("0-1-5,1-1-3", "1-1-3,0-1-5"), 1);
    assert_int_equal(ls_gtid_same_log("0-1-5,1-1-3", "0-1-5"), 1); /* FLUSH BINARY LOGS DELETE_DOMAIN_ID */
    assert_int_equal(ls_gtid_same_log("0-1-5", ""), 0);            /* RESET MASTER */
    assert_int_equal(ls_gtid_same_log("", "0-1-5"), 0);
    assert_int_equal(ls_gtid_same_log("0-1-5", "0-1-6"), 0);
    assert_int_equal(ls_gtid_same_log("0-1-5", "0-2-5"), 0);
    assert_int_equal(ls_gtid_same_log("0-1-5", "0-1-5,1-1-3"), 0);
    assert_int_equal(ls_gtid_same_log("x", "0-1-5"), -1);
    assert_int_equal(ls_gtid_same_log("0-1-5", "x"), -1);
}

static void test_within(void **state) {
    (void)state;
    static const struct {
        const char *inner, *outer;
        int is;
    } all[] = {
        {"", "", 1},
        {"", "0-1-5", 1},
        {"0-1-5", "0-1-5", 1},
        {"0-1-5", "0-2-6", 1},
        {"0-1-5", "0-1-4", 0},
        {"0-1-5", "", 0},
        {"0-1-5,7-1-1", "0-1-5", 0},
        {"7-1-1", "0-1-5,7-1-1", 1},
        {"x", "0-1-5", -1},
        {"0-1-5", "x", -1},
        {"00000001-0000-0000-0000-000000000000:3", "00000001-0000-0000-0000-000000000000:1-5", 1},
        {"00000001-0000-0000-0000-000000000000:3-6", "00000001-0000-0000-0000-000000000000:1-5", 0},
        {"00000001-0000-0000-0000-000000000000:3", "", 0},
        {"", "00000001-0000-0000-0000-000000000000:1-5", 1},
        {"0-1-5", "00000001-0000-0000-0000-000000000000:1-5", -1},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_int_equal(ls_gtid_within(all[i].inner, all[i].outer), all[i].is);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_what_is_no_gtid),
        cmocka_unit_test(test_read_and_print),
        cmocka_unit_test(test_domains_are_bounded),
        cmocka_unit_test(test_same_log),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
