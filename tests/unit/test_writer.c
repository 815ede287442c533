/* A consumer's writer in Lua: what it is called with, and what of it outlives a call. */
#include "script/script.h"

#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const ls_script_env no_env = {0};
static const ls_tx tx = {.ts = 1, .pos = "0000000001a3b748", .id = "7", .connector = "shop", .db = "postgres"};
static ls_schemas schemas;
static ls_error err;

static ls_script *writer_of(const char *stage) {
    ls_script *s;
    if (ls_script_open(&s, TESTS_DIR "/lua/writers.lua", &no_env, &err) || ls_script_use(s, stage, &err) ||
        ls_script_use_writer(s, stage, &err) || ls_script_writer_open(s, &err))
        fail_msg("%s", err.text);
    return s;
}

/* One change of a table with two columns. */
static ls_work *one_row(uint8_t action) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    ls_schema *of = ls_schema_new(&schemas, "public", 6, "t", 1, cols, 2, key, 1);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_change *c = ls_work_add(w, of, &tx, action, 1);
    ls_schema_unref(of);
    if (action == 'I') {
        c->after = ls_work_values(w, 2);
        c->after[0] = ls_value_int(7);
    }
    return w;
}

static void test_a_truncate_has_no_columns(void **state) {
    (void)state;
    ls_script *s = writer_of("truncates");
    ls_work *w = one_row('T');
    if (ls_script_write(s, &w->seen, &err)) fail_msg("%s", err.text);
    ls_work_free(w);
    ls_script_close(s);
}

static void test_a_kept_clone_is_dead(void **state) {
    (void)state;
    ls_script *s = writer_of("keeps");
    ls_work *w = one_row('I');
    if (ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    assert_int_equal(w->seen.count, 2);
    for (int discard = 1; discard >= 0; discard--) {
        assert_int_equal(ls_script_writer_end(s, discard, &err), -1);
        assert_non_null(strstr(err.text, "this row's hook has returned"));
    }
    ls_work_free(w);
    ls_script_close(s);
}

static void test_positions_follow_the_flushes(void **state) {
    (void)state;
    ls_script *s = writer_of("positions");
    ls_script_position at[] = {{"rows", 0, 0}, {"rows", 1, 0}};
    assert_int_equal(ls_script_writer_begin(s, &at[0], &err), 1);
    assert_int_equal(at[0].offset, 3);
    assert_int_equal(ls_script_writer_begin(s, &at[1], &err), 0);
    at[0].offset = 10;
    at[1].offset = 20;
    assert_int_equal(ls_script_writer_flush(s, at, 2, &err), 0);
    at[0].offset = at[1].offset = 0;
    for (int i = 0; i < 2; i++) assert_int_equal(ls_script_writer_begin(s, &at[i], &err), 1);
    assert_true(at[0].offset == 10 && at[1].offset == 20);
    ls_script_close(s);
}

static void test_a_beginning_that_is_not_told(void **state) {
    (void)state;
    ls_script *s = writer_of("begins");
    ls_script_position at = {"rows", 0, 0};
    assert_int_equal(ls_script_writer_begin(s, &at, &err), -1);
    assert_int_equal(err.code, LS_AGAIN);
    assert_non_null(strstr(err.text, "writers.lua:"));
    ls_script_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_truncate_has_no_columns),
        cmocka_unit_test(test_a_kept_clone_is_dead),
        cmocka_unit_test(test_positions_follow_the_flushes),
        cmocka_unit_test(test_a_beginning_that_is_not_told),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
