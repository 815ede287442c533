#include "capture/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#define LIST(...) ((const char *const[]){__VA_ARGS__})
#define MATCH(schema, table, ...) \
    ls_tables_match(LIST(__VA_ARGS__), sizeof LIST(__VA_ARGS__) / sizeof(char *), schema, table)

#define BINLOG_MATCH(schema, table, ...) \
    ls_tables_match_binlog(LIST(__VA_ARGS__), sizeof LIST(__VA_ARGS__) / sizeof(char *), schema, table)

static void test_one_pattern(void **state) {
    (void)state;
    assert_true(MATCH("public", "orders", "public.orders"));
    assert_false(MATCH("public", "orders2", "public.orders"));
    assert_false(MATCH("Public", "orders", "public.orders"));
    assert_true(MATCH("public", "orders", "public.*"));
    assert_true(MATCH("public", "orders", "*.*"));
    assert_true(MATCH("public", "orders", "pub*.or?ers"));
    assert_false(MATCH("public", "orders", "public.order?s"));
    assert_false(MATCH("public", "orders", "orders")); /* no dot */
    assert_false(MATCH("public", "orders", ""));
    assert_false(ls_tables_match(NULL, 0, "public", "orders"));
}

static void test_star_keeps_to_its_side_of_the_dot(void **state) {
    (void)state;
    assert_false(MATCH("a.b", "c", "a.*"));
    assert_true(MATCH("a", "b.c", "a.*"));
    assert_false(MATCH("a", "b.c", "*.c"));
    assert_true(MATCH("a.b", "c", "a\\.b.c"));
}

static void test_later_patterns_win(void **state) {
    (void)state;
    assert_false(MATCH("public", "audit", "public.*", "!public.audit"));
    assert_true(MATCH("public", "orders", "public.*", "!public.audit"));
    assert_true(MATCH("public", "audit", "!public.audit", "public.*"));
    assert_true(MATCH("public", "audit_x", "public.*", "!public.audit*", "public.audit_x"));
    assert_false(MATCH("public", "orders", "!public.audit"));
}

static void test_escapes(void **state) {
    (void)state;
    assert_true(MATCH("public", "a*b", "public.a\\*b"));
    assert_false(MATCH("public", "axb", "public.a\\*b"));
    assert_true(MATCH("!s", "t", "\\!s.t"));
}

static void test_tables_of_schema_change_tools(void **state) {
    (void)state;
    static const char *const names[] = {"_x_gho", "_x_ghc", "_x_del", "_x_new", "_x_old"};
    for (size_t i = 0; i < 5; i++) {
        char exact[32] = "shop.";
        strcat(exact, names[i]);
        assert_false(BINLOG_MATCH("shop", names[i], "shop.*"));
        assert_true(MATCH("shop", names[i], "shop.*")); /* on PostgreSQL they are tables like others */
        assert_false(BINLOG_MATCH("shop", names[i], "shop._x_*"));
        assert_true(BINLOG_MATCH("shop", names[i], exact));
        assert_true(BINLOG_MATCH("shop", names[i], exact, "shop.*"));
        assert_false(BINLOG_MATCH("shop", names[i], exact, "!shop.*"));
    }
    assert_true(BINLOG_MATCH("shop", "x_new", "shop.*"));
    assert_true(BINLOG_MATCH("shop", "_x_news", "shop.*"));
    assert_true(BINLOG_MATCH("shop", "_new", "shop.*"));
    assert_true(BINLOG_MATCH("shop", "__new", "shop.*")); /* nothing stands between */
}

static void test_a_schema_part_that_is_too_long_matches_nothing(void **state) {
    (void)state;
    char pattern[3000];
    memset(pattern, '*', sizeof pattern);
    memcpy(pattern + sizeof pattern - 3, ".*", 3);
    assert_false(MATCH("public", "orders", pattern));
}

static void test_exact(void **state) {
    (void)state;
    assert_true(ls_pattern_is_exact("public.orders"));
    assert_true(ls_pattern_is_exact("public.a\\*b"));
    assert_true(ls_pattern_is_exact("\\!s.t"));
    assert_false(ls_pattern_is_exact("!public.orders"));
    assert_false(ls_pattern_is_exact("public.*"));
    assert_false(ls_pattern_is_exact("public.a?"));
    assert_false(ls_pattern_is_exact("public.a\\\\*")); /* the backslash is escaped, the star is not */
}

static void test_split(void **state) {
    (void)state;
    char schema[LS_NAME_MAX], table[LS_NAME_MAX], longest[2 * LS_NAME_MAX];
    assert_int_equal(ls_pattern_split("public.orders", schema, table), 0);
    assert_string_equal(schema, "public");
    assert_string_equal(table, "orders");
    assert_int_equal(ls_pattern_split("a\\.b.c.d\\*", schema, table), 0);
    assert_string_equal(schema, "a.b");
    assert_string_equal(table, "c.d*");
    assert_int_equal(ls_pattern_split("orders", schema, table), -1);
    assert_int_equal(ls_pattern_split(".orders", schema, table), -1);
    assert_int_equal(ls_pattern_split("public.", schema, table), -1);
    memset(longest, 'x', sizeof longest);
    longest[0] = 's';
    longest[1] = '.';
    longest[2 + LS_NAME_MAX - 1] = '\0';
    assert_int_equal(ls_pattern_split(longest, schema, table), 0);
    assert_int_equal(strlen(table), LS_NAME_MAX - 1);
    longest[2 + LS_NAME_MAX - 1] = 'x';
    longest[2 + LS_NAME_MAX] = '\0';
    assert_int_equal(ls_pattern_split(longest, schema, table), -1);
}

static void test_the_most_specific(void **state) {
    (void)state;
    static const char *const all[] = {"*.*", "public.*", "public.o*", "*.orders", "public.orders", "public.a\\*b"};
    assert_int_equal(ls_pattern_best(all, 6, "public", "orders"), 4); /* an exact one */
    assert_int_equal(ls_pattern_best(all, 4, "public", "orders"), 2); /* 8 characters against 7 */
    assert_int_equal(ls_pattern_best(all, 6, "public", "items"), 1);
    assert_int_equal(ls_pattern_best(all, 6, "public", "a*b"), 5);
    assert_int_equal(ls_pattern_best(all, 6, "audit", "x"), 0);
    assert_int_equal(ls_pattern_best(all + 1, 1, "audit", "x"), -1);
    assert_int_equal(ls_pattern_best(NULL, 0, "audit", "x"), -1);
    assert_int_equal(ls_pattern_rank("a\\*.b?*"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_pattern),
        cmocka_unit_test(test_star_keeps_to_its_side_of_the_dot),
        cmocka_unit_test(test_later_patterns_win),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_tables_of_schema_change_tools),
        cmocka_unit_test(test_a_schema_part_that_is_too_long_matches_nothing),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_the_most_specific),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
