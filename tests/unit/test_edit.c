#include "change/batch.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ID, NAME, ON, DATA, AT, DAY, CLOCK, LOCAL, TOTAL, WIDTH, LIST, ZONED, SPAN, DOC, UUID, BITS, ANY, COLUMNS };

static ls_schemas schemas;
static ls_work *w;
static ls_batch *b;

static int set_up(void **state) {
    (void)state;
    static const ls_column_def cols[COLUMNS] = {
        [ID] = {"id", 2, LS_TYPE_INTEGER},       [NAME] = {"name", 4, LS_TYPE_STRING},      [ON] = {"on", 2, LS_TYPE_BOOLEAN},
        [DATA] = {"data", 4, LS_TYPE_BYTES},     [AT] = {"at", 2, LS_TYPE_TIMESTAMP},       [DAY] = {"day", 3, LS_TYPE_DATE},
        [CLOCK] = {"clock", 5, LS_TYPE_TIME},    [LOCAL] = {"local", 5, LS_TYPE_DATETIME},  [TOTAL] = {"total", 5, LS_TYPE_DECIMAL},
        [WIDTH] = {"width", 5, LS_TYPE_FLOAT},   [LIST] = {"list", 4, LS_TYPE_ARRAY},       [ANY] = {"any", 3, LS_TYPE_UNKNOWN},
        [ZONED] = {"zoned", 5, LS_TYPE_TIMETZ},  [SPAN] = {"span", 4, LS_TYPE_INTERVAL},     [DOC] = {"doc", 3, LS_TYPE_JSON},
        [UUID] = {"uuid", 4, LS_TYPE_UUID},      [BITS] = {"bits", 4, LS_TYPE_BITS},
    };
    static const uint16_t key[] = {ID};
    ls_schema *s = ls_schema_new(&schemas, "public", 6, "t", 1, cols, COLUMNS, key, 1);
    w = ls_work_new(&schemas, "shop", "postgres");
    b = &w->seen;
    ls_change *c = ls_work_add(w, s, NULL, 'U', 1);
    c->after = ls_work_values(w, COLUMNS);
    c->before = ls_work_values(w, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) c->after[i] = ls_value_state(LS_NULL);
    c->after[ID] = c->before[ID] = ls_value_int(7);
    ls_schema_unref(s);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ls_work_free(w);
    return 0;
}

static void assert_value(uint32_t col, const char *want) {
    const ls_value *v = &b->changes[0].after[col];
    const char *p;
    size_t n;
    assert_int_equal(v->state, LS_PRESENT);
    assert_int_equal(ls_row_text(b, v, &p, &n), 0);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(p, want, n);
}

static int set_text(uint32_t col, const char *text) { return ls_row_set_text(b, 0, 1, col, text, strlen(text)); }

static void takes(uint32_t col, const char *text) {
    if (set_text(col, text)) fail_msg("%s: %s", text, ls_row_error(b));
    assert_value(col, text);
}

static void refuses(uint32_t col, const char *text) {
    ls_value was = b->changes[0].after[col];
    if (set_text(col, text) == 0) fail_msg("%s was taken", text);
    assert_memory_equal(&was, &b->changes[0].after[col], sizeof was);
}

static void test_times(void **state) {
    (void)state;
    takes(DAY, "2026-01-31");
    takes(DAY, "0000-00-00");
    takes(DAY, "12026-01-31");
    takes(DAY, "0044-03-15 BC");
    takes(DAY, "-infinity");
    refuses(DAY, "2026-01-31T00:00:00");
    refuses(DAY, "26-01-31");
    refuses(DAY, "2026-01-3");
    refuses(DAY, "2026/01/31");
    refuses(DAY, " BC");
    refuses(DAY, "");
    takes(CLOCK, "23:59:59");
    takes(CLOCK, "-838:59:59.000001");
    refuses(CLOCK, "23:59");
    refuses(CLOCK, "23:59:59.");
    refuses(CLOCK, "23:59:59.1234567");
    refuses(CLOCK, "infinity");
    refuses(CLOCK, "-");
    takes(LOCAL, "2026-01-31T23:59:59.5");
    takes(LOCAL, "infinity");
    refuses(LOCAL, "2026-01-31 23:59:59");
    refuses(LOCAL, "2026-01-31T");
    refuses(LOCAL, "2026-01-31T23:59:59Z");
    takes(AT, "2026-01-31T23:59:59Z");
    takes(AT, "0044-03-15T00:00:00Z BC");
    refuses(AT, "2026-01-31T23:59:59");
    refuses(AT, "2026-01-31T23:59:59+01");
    refuses(AT, "Z");
    refuses(AT, "");
}

static void test_text_and_bytes(void **state) {
    (void)state;
    takes(NAME, "");
    takes(NAME, "\xe2\x82\xac");
    refuses(NAME, "\xe2\x82");
    takes(DATA, "AP8=");
    assert_int_equal(b->changes[0].after[DATA].kind, LS_KIND_BYTES);
    assert_int_equal(b->changes[0].after[DATA].len, 2);
    refuses(DATA, "AP8");
    refuses(DATA, "A_8=");
    takes(DATA, "");
    assert_int_equal(ls_row_set_bytes(b, 0, 1, DATA, "\0\1\2", 3), 0);
    assert_value(DATA, "AAEC");
    assert_int_equal(ls_row_set_bytes(b, 0, 1, NAME, "abc", 3), -1);
    assert_string_equal(ls_row_error(b), "column \"name\" (string) takes text, not bytes");
    refuses(LIST, "[1]");
    refuses(ON, "true");
    takes(ANY, "x");
    assert_int_equal(ls_row_set_bool(b, 0, 1, ANY, 1), 0);
    assert_value(ANY, "true");
    assert_int_equal(ls_row_set_bool(b, 0, 1, ON, 0), 0);
    assert_value(ON, "false");
    assert_int_equal(ls_row_set_bool(b, 0, 1, NAME, 0), -1);
}

static void test_numbers_are_written(void **state) {
    (void)state;
    takes(TOTAL, "12.50");
    takes(TOTAL, "-0.10");
    takes(TOTAL, "NaN");
    refuses(TOTAL, "1e3");
    refuses(TOTAL, "");
    refuses(ID, "7");
    refuses(WIDTH, "1.5");
    assert_int_equal(ls_row_set_number(b, 0, 1, ID, -9007199254740992.0), 0);
    assert_value(ID, "-9007199254740992");
    assert_int_equal(ls_row_set_number(b, 0, 1, ID, 9007199254740994.0), -1);
    assert_int_equal(ls_row_set_number(b, 0, 1, ID, NAN), -1);
    assert_int_equal(ls_row_set_number(b, 0, 1, WIDTH, INFINITY), 0);
    assert_value(WIDTH, "Infinity");
    assert_int_equal(ls_row_set_number(b, 0, 1, TOTAL, 3), 0);
    assert_value(TOTAL, "3");
    assert_int_equal(b->changes[0].after[TOTAL].kind, LS_KIND_TEXT); /* a decimal stands in a message as text */
    assert_int_equal(ls_row_set_number(b, 0, 1, TOTAL, 0.5), -1);
    assert_int_equal(ls_row_set_number(b, 0, 1, AT, 5), -1);
    assert_int_equal(ls_row_set_int(b, 0, 1, ID, INT64_MIN), 0);
    assert_value(ID, "-9223372036854775808");
    assert_int_equal(ls_row_set_uint(b, 0, 1, TOTAL, UINT64_MAX), 0);
    assert_value(TOTAL, "18446744073709551615");
    assert_int_equal(ls_row_set_int(b, 0, 1, ON, 1), -1);
}

static int number(ls_value v, int type, ls_number *out) { return ls_row_number(b, &v, type, out); }
#define TEXT(t) ls_value_text(t, strlen(t))

static void test_numbers_are_read(void **state) {
    (void)state;
    ls_number n;
    assert_int_equal(number(TEXT("-12"), LS_TYPE_INTEGER, &n), 1);
    assert_true(n.d == -12);
    assert_int_equal(number(TEXT("9007199254740992"), LS_TYPE_INTEGER, &n), 1);
    assert_int_equal(number(TEXT("-9007199254740993"), LS_TYPE_INTEGER, &n), 2);
    assert_int_equal(n.i, -9007199254740993);
    assert_int_equal(number(TEXT("-9223372036854775808"), LS_TYPE_INTEGER, &n), 2);
    assert_true(n.i == INT64_MIN);
    assert_int_equal(number(TEXT("18446744073709551615"), LS_TYPE_INTEGER, &n), 3);
    assert_true(n.u == UINT64_MAX);
    assert_int_equal(number(ls_value_uint(INT64_MAX), LS_TYPE_INTEGER, &n), 2); /* what fits in int64_t is one on both sides */
    assert_int_equal(number(TEXT("18446744073709551616"), LS_TYPE_INTEGER, &n), 0);
    assert_int_equal(number(TEXT("-9223372036854775809"), LS_TYPE_INTEGER, &n), 0);
    assert_int_equal(number(TEXT("9007199254740994"), LS_TYPE_FLOAT, &n), 1);
    assert_true(n.d == 9007199254740994.0);
    assert_int_equal(number(TEXT("1e+21"), LS_TYPE_FLOAT, &n), 1);
    assert_true(n.d == 1e21);
    assert_int_equal(number(TEXT("NaN"), LS_TYPE_FLOAT, &n), 1);
    assert_true(isnan(n.d));
    assert_int_equal(number(TEXT("-Infinity"), LS_TYPE_FLOAT, &n), 1);
    assert_true(isinf(n.d) && n.d < 0);
    assert_int_equal(number((ls_value){.kind = LS_KIND_FLOAT, .as.d = (double)0.1f}, LS_TYPE_FLOAT, &n), 1);
    assert_true(n.d == 0.1);
    assert_int_equal(number(TEXT(""), LS_TYPE_FLOAT, &n), 0);
    assert_int_equal(number(TEXT("1x"), LS_TYPE_FLOAT, &n), 0);
    assert_int_equal(number((ls_value){.kind = LS_KIND_BOOL, .as.i = 1}, LS_TYPE_BOOLEAN, &n), 0);
    assert_int_equal(number(ls_value_bytes_of(LS_KIND_BYTES, "1", 1), LS_TYPE_BYTES, &n), 0);
    assert_int_equal(number(ls_value_bytes_of(LS_KIND_JSON, "1", 1), LS_TYPE_JSON, &n), 0);
}

static void test_places_outside(void **state) {
    (void)state;
    assert_int_equal(ls_row_set_null(b, 1, 1, NAME), -1);
    assert_string_equal(ls_row_error(b), "there is no row 1 in this batch");
    assert_int_equal(ls_row_set_null(b, 0, 1, COLUMNS), -1);
    assert_string_equal(ls_row_error(b), "there is no column 17 in public.t");
    b->changes[0].before = NULL;
    assert_int_equal(ls_row_set_text(b, 0, 0, NAME, "x", 1), -1);
    assert_string_equal(ls_row_error(b), "a row whose action is U has no row before");
    assert_int_equal(ls_row_drop(b, 0, COLUMNS), -1);
    assert_int_equal(ls_row_add(b, 0, "id", 2, LS_TYPE_STRING), -1);
    assert_string_equal(ls_row_error(b), "there is a column \"id\" already");
    assert_int_equal(ls_row_add(b, 0, "", 0, LS_TYPE_STRING), -1);
    assert_int_equal(ls_row_add(b, 0, "x", 1, LS_TYPE_UNKNOWN + 1), -1);
    assert_int_equal(ls_row_set_table(b, 0, "a", 1, "b\xff", 2), -1);
}

static void test_texts_of_types(void **state) {
    (void)state;
    takes(ZONED, "13:59:59.5+02");
    takes(ZONED, "13:59:59-02:30:15");
    refuses(ZONED, "13:59:59");
    refuses(ZONED, "13:59:59+2");
    refuses(ZONED, "13:59:59+02-30");
    takes(SPAN, "P1Y2M3DT4H5M6.7S");
    takes(SPAN, "-infinity"); /* since PostgreSQL 17 */
    refuses(SPAN, "forever");
    refuses(SPAN, "1 day");
    takes(DOC, "{\"a\":[1,null]}");
    takes(DOC, "null");
    refuses(DOC, "{\"a\":}");
    refuses(DOC, "{} {}");
    takes(UUID, "00112233-4455-6677-8899-aabbccddeeff");
    refuses(UUID, "00112233-4455-6677-8899-AABBCCDDEEFF");
    refuses(UUID, "00112233445566778899aabbccddeeff");
    takes(BITS, "");
    takes(BITS, "0101");
    refuses(BITS, "012");
}

static void test_columns(void **state) {
    (void)state;
    const ls_schema *was = b->changes[0].schema;
    assert_int_equal(ls_row_add(b, 0, "more", 4, LS_TYPE_STRING), COLUMNS);
    const ls_change *c = &b->changes[0];
    assert_int_equal(c->schema->ncols, COLUMNS + 1);
    assert_int_equal(c->after[COLUMNS].state, LS_ABSENT);
    assert_int_equal(c->before[COLUMNS].state, LS_ABSENT);
    assert_int_equal(c->after[ID].as.i, 7);
    assert_int_equal(ls_row_drop(b, 0, COLUMNS), 0);
    assert_int_equal(c->schema->ncols, COLUMNS);
    assert_int_not_equal(c->schema->id, was->id);
    assert_int_equal(ls_row_drop(b, 0, ID), -1);
    while (c->schema->ncols > 1) assert_int_equal(ls_row_drop(b, 0, 1), 0);
    assert_int_equal(c->after[0].as.i, 7);
    assert_string_equal(c->schema->cols[0].name, "id");
}

/* A map that makes tables' names out of the rows' data must not grow without end. */
static void test_shapes_are_bounded(void **state) {
    (void)state;
    const ls_schema *was = ls_schema_ref(b->changes[0].schema);
    uint32_t before = schemas.shapes;
    char name[32];
    int rc = 0;
    for (int i = 0; i <= LS_SHAPES_MAX && rc == 0; i++) {
        b->changes[0].schema = was;
        size_t n = (size_t)snprintf(name, sizeof name, "t%d", i % (LS_SHAPES_MAX / 2)); /* the second round finds them again */
        assert_int_equal(ls_row_set_table(b, 0, "s", 1, name, n), 0);
    }
    assert_int_equal(schemas.shapes, before + LS_SHAPES_MAX / 2);
    for (int i = 0; i <= LS_SHAPES_MAX && rc == 0; i++) {
        b->changes[0].schema = was;
        size_t n = (size_t)snprintf(name, sizeof name, "u%d", i);
        rc = ls_row_set_table(b, 0, "s", 1, name, n);
    }
    assert_int_equal(rc, -1);
    assert_non_null(strstr(ls_row_error(b), "names of tables and columns must not be made from the rows' data"));
    b->changes[0].schema = was;
    assert_int_equal(ls_row_set_table(b, 0, "s", 1, "t0", 2), 0);
    ls_work_reset(w);
    ls_schema_unref(was);
    assert_int_equal(schemas.shapes, 0); /* they go with the table that they were made from */
}

static void test_actions(void **state) {
    (void)state;
    ls_change *c = &b->changes[0];
    assert_int_equal(ls_row_set_action(b, 0, 'U'), 0);
    assert_int_equal(ls_row_set_action(b, 0, 'I'), 0);
    assert_null(c->before);
    ls_value from = ls_value_int(6);
    c->moved = &from;
    c->flags = LS_MOVED_FROM | LS_SNAPSHOT;
    assert_int_equal(ls_row_set_action(b, 0, 'U'), 0); /* where it came from is told by the D before it */
    assert_int_equal(c->flags, LS_SNAPSHOT);
    assert_null(c->moved);
    assert_int_equal(c->before[ID].as.i, 7);
    assert_int_equal(c->before[NAME].state, LS_ABSENT);
    c->after[NAME] = ls_value_state(LS_UNCHANGED);
    assert_int_equal(ls_row_set_action(b, 0, 'I'), -1);
    assert_int_equal(c->action, 'U');
    c->after[NAME] = ls_value_state(LS_ABSENT); /* as of a document that only its changes are logged of */
    assert_int_equal(ls_row_set_action(b, 0, 'I'), -1);
    assert_non_null(strstr(ls_row_error(b), "was not sent with this update"));
    assert_int_equal(ls_row_set_action(b, 0, 'D'), 0);
    assert_null(c->after);
    assert_int_equal(ls_row_set_action(b, 0, 'I'), -1);
    assert_int_equal(ls_row_set_action(b, 0, 'T'), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_times),          TEST(test_text_and_bytes), TEST(test_numbers_are_written), TEST(test_numbers_are_read),
        TEST(test_places_outside), TEST(test_columns),        TEST(test_actions),
        TEST(test_shapes_are_bounded), TEST(test_texts_of_types),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
