#include "change/batch.h"
#include "change/number.h"
#include "change/row.h"
#include "change/time.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

static ls_buf out; /* the tests' own: freed at the end */

#define PRINTS(want, call)                             \
    do {                                               \
        ls_buf_clear(&out);                            \
        call;                                          \
        assert_string_equal(ls_buf_cstr(&out), want); \
    } while (0)

static void test_number_texts(void **state) {
    (void)state;
    assert_true(ls_number_is_integer("-12", 3));
    assert_true(ls_number_is_integer("0", 1));
    assert_false(ls_number_is_integer("012", 3));
    assert_false(ls_number_is_integer("", 0));
    assert_false(ls_number_is_integer("-", 1));
    assert_false(ls_number_is_integer("1.", 2));
    assert_true(ls_number_is_decimal("-12.50", 6));
    assert_true(ls_number_is_decimal(".5", 2));
    assert_false(ls_number_is_decimal(".", 1));
    assert_false(ls_number_is_decimal("1.2.3", 5));
    assert_false(ls_number_is_decimal("1e5", 3));
}

static void from_postgres(const char *text, bool zoned, const char *want) {
    ls_buf_clear(&out);
    assert_int_equal(ls_time_from_postgres(&out, text, strlen(text), zoned), 0);
    assert_string_equal(ls_buf_cstr(&out), want);
}

static void test_time_from_postgres(void **state) {
    (void)state;
    from_postgres("2026-01-02", false, "2026-01-02");
    from_postgres("03:04:05", false, "03:04:05");
    from_postgres("24:00:00", false, "24:00:00");
    from_postgres("2026-01-02 03:04:05.670000", false, "2026-01-02T03:04:05.67");
    from_postgres("2026-01-02 03:04:05+00", true, "2026-01-02T03:04:05Z");
    from_postgres("294276-12-31 23:59:59.999999+00", true, "294276-12-31T23:59:59.999999Z");
    from_postgres("4713-01-01 00:00:00+00 BC", true, "4713-01-01T00:00:00Z BC");
    from_postgres("0044-03-15 BC", false, "0044-03-15 BC");
    from_postgres("infinity", true, "infinity");
    from_postgres("-infinity", false, "-infinity");
    static const char *const bad[] = {"", "x", "2026-01-02 ", "2026-1-2", "2026-01-02 03:04", "01/02/2026", "03:04:05+00", " BC"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ls_time_from_postgres(&out, bad[i], strlen(bad[i]), false), -1);
    assert_int_equal(ls_time_from_postgres(&out, "2026-01-02 03:04:05+01", 22, true), -1);
    assert_int_equal(ls_time_from_postgres(&out, "2026-01-02 03:04:05", 19, true), -1);
}

static void test_civil(void **state) {
    (void)state;
    ls_civil c = ls_time_civil(INT64_C(1732313405123456));
    assert_int_equal(c.year, 2024);
    assert_int_equal(c.month, 11);
    assert_int_equal(c.day, 22);
    assert_int_equal(c.hour, 22);
    assert_int_equal(c.minute, 10);
    assert_int_equal(c.second, 5);
    assert_int_equal(c.micro, 123456);
    c = ls_time_civil(-1);
    assert_int_equal(c.year, 1969);
    assert_int_equal(c.micro, 999999);
    for (int64_t d = -800000; d < 800000; d += 13) {
        ls_civil v = ls_time_civil(d * INT64_C(86400000000));
        assert_int_equal(ls_time_days(v.year, v.month, v.day), d);
    }
    PRINTS("0000-00-00", ls_time_date(&out, 0, 0, 0));
    PRINTS("12026-01-31", ls_time_date(&out, 12026, 1, 31));
    PRINTS("838:59:59", ls_time_clock(&out, 838, 59, 59, 0));
    PRINTS("01:02:03.45", ls_time_clock(&out, 1, 2, 3, 450000));
}

static void test_value_json(void **state) {
    (void)state;
    ls_value v = ls_value_text("a\"b", 3);
    PRINTS("\"a\\\"b\"", ls_value_json(&out, &v, LS_TYPE_STRING));
    v = ls_value_text("12", 2);
    PRINTS("12", ls_value_json(&out, &v, LS_TYPE_INTEGER));
    PRINTS("\"12\"", ls_value_json(&out, &v, LS_TYPE_DECIMAL));
    v = ls_value_text("NaN", 3);
    PRINTS("\"NaN\"", ls_value_json(&out, &v, LS_TYPE_FLOAT));
    v = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = INFINITY};
    PRINTS("\"Infinity\"", ls_value_json(&out, &v, LS_TYPE_FLOAT));
    v = ls_value_uint(UINT64_MAX);
    PRINTS("18446744073709551615", ls_value_json(&out, &v, LS_TYPE_INTEGER));
    v = ls_value_bytes_of(LS_KIND_BYTES, "\xff", 1);
    PRINTS("\"/w==\"", ls_value_json(&out, &v, LS_TYPE_BYTES));
    v = ls_value_state(LS_NULL);
    PRINTS("null", ls_value_json(&out, &v, LS_TYPE_STRING));
    v = (ls_value){.kind = LS_KIND_BOOL, .as.i = 1};
    PRINTS("true", ls_value_json(&out, &v, LS_TYPE_BOOLEAN));
}

static void test_same_values(void **state) {
    (void)state;
    ls_value text = ls_value_text("12", 2), other = ls_value_text("13", 2), number = ls_value_int(12), none = ls_value_state(LS_NULL);
    ls_value empty = ls_value_text("", 0), no_bytes = ls_value_bytes_of(LS_KIND_BYTES, "", 0);
    assert_true(ls_value_same(&text, &number)); /* as they are written */
    assert_false(ls_value_same(&other, &number));
    assert_false(ls_value_same(&text, &other));
    assert_true(ls_value_same(&empty, &no_bytes));
    no_bytes = (ls_value){.kind = LS_KIND_TEXT};
    assert_true(ls_value_same(&empty, &no_bytes));
    assert_false(ls_value_same(&empty, &none));
    assert_true(ls_value_same(&none, &none));
    ls_value zero = {.kind = LS_KIND_DOUBLE, .as.d = 0.0}, below = {.kind = LS_KIND_DOUBLE, .as.d = -0.0};
    assert_false(ls_value_same(&zero, &below));
}

/* --- rows: a table of id (the key), note, n */

typedef struct fixture {
    ls_schemas reg;
    ls_schema *keyed, *keyless;
    ls_work *w;
    ls_tx tx;
    uint64_t seq;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"note", 4, LS_TYPE_STRING}, {"n", 1, LS_TYPE_INTEGER}};
    uint16_t key = 0;
    f->keyed = ls_schema_new(&f->reg, "public", 6, "t", 1, cols, 3, &key, 1);
    f->keyless = ls_schema_new(&f->reg, "public", 6, "u", 1, cols, 3, NULL, 0);
    f->w = ls_work_new(&f->reg, "shop", "postgres");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ls_work_free(f->w);
    ls_schema_unref(f->keyed);
    ls_schema_unref(f->keyless);
    free(f);
    return 0;
}

static ls_value *row(fixture *f, int64_t id, const char *note, int64_t n) {
    ls_value *v = ls_work_values(f->w, 3);
    v[0] = ls_value_int(id);
    v[1] = note ? ls_value_text(note, strlen(note)) : ls_value_state(LS_UNCHANGED);
    v[2] = ls_value_int(n);
    return v;
}

static void test_update_of_a_keyed_row(void **state) {
    fixture *f = *state;
    assert_int_equal(ls_row_update(f->w, f->keyed, &f->tx, &f->seq, NULL, row(f, 1, "x", 2)), 0);
    ls_change *c = f->w->seen.changes;
    assert_int_equal(f->w->seen.count, 1);
    assert_int_equal(c->action, 'U');
    assert_int_equal(c->seq, 1);
    assert_int_equal(c->before[0].as.i, 1); /* the key is unchanged: taken from the new row */
    assert_int_equal(c->before[1].state, LS_ABSENT);
}

static void test_unchanged_is_filled_from_before(void **state) {
    fixture *f = *state;
    assert_int_equal(ls_row_update(f->w, f->keyed, &f->tx, &f->seq, row(f, 1, "old", 1), row(f, 1, NULL, 2)), 0);
    ls_change *c = f->w->seen.changes;
    assert_int_equal(c->after[1].state, LS_PRESENT);
    assert_memory_equal(c->after[1].as.p, "old", 3);
    assert_int_equal(c->before[1].state, LS_ABSENT); /* identity is the key alone */
}

static void test_a_changed_key_is_two_rows(void **state) {
    fixture *f = *state;
    assert_int_equal(ls_row_update(f->w, f->keyed, &f->tx, &f->seq, row(f, 1, "o", 1), row(f, 2, NULL, 5)), 0);
    assert_int_equal(f->w->seen.count, 2);
    ls_change *d = f->w->seen.changes, *i = d + 1;
    assert_int_equal(d->action, 'D');
    assert_int_equal(d->flags, LS_MOVED_TO);
    assert_int_equal(d->before[0].as.i, 1);
    assert_int_equal(d->before[2].state, LS_ABSENT);
    assert_int_equal(d->moved[0].as.i, 2);
    assert_int_equal(i->action, 'I');
    assert_int_equal(i->flags, LS_MOVED_FROM);
    assert_int_equal(i->moved[0].as.i, 1);
    assert_memory_equal(i->after[1].as.p, "o", 1);
    assert_int_equal(d->seq, 1);
    assert_int_equal(i->seq, 2);
}

static void test_without_a_key_identity_is_the_row(void **state) {
    fixture *f = *state;
    assert_int_equal(ls_row_update(f->w, f->keyless, &f->tx, &f->seq, row(f, 1, "o", 1), row(f, 2, "p", 5)), 0);
    assert_int_equal(ls_row_remove(f->w, f->keyless, &f->tx, &f->seq, row(f, 2, "p", 5)), 0);
    assert_int_equal(f->w->seen.count, 2);
    assert_int_equal(f->w->seen.changes[0].action, 'U');
    assert_int_equal(f->w->seen.changes[0].before[2].as.i, 1);
    assert_int_equal(f->w->seen.changes[1].before[2].as.i, 5);
}

static void test_derived_schemas_are_made_once(void **state) {
    fixture *f = *state;
    const ls_schema *more = ls_schema_with(f->keyed, "extra", 5, LS_TYPE_STRING);
    assert_ptr_equal(ls_schema_with(f->keyed, "extra", 5, LS_TYPE_STRING), more);
    assert_ptr_not_equal(ls_schema_with(f->keyed, "extra", 5, LS_TYPE_INTEGER), more);
    assert_int_equal(more->ncols, 4);
    assert_string_equal(more->cols[3].name, "extra");
    assert_int_equal(ls_schema_find(more, "extra", 5), 3);
    assert_int_equal(more->cols[0].key_at, 1);
    const ls_schema *less = ls_schema_without(more, 1);
    assert_int_equal(less->ncols, 3);
    assert_string_equal(less->cols[1].name, "n");
    assert_int_equal(ls_schema_find(less, "note", 4), -1);
    const ls_schema *other = ls_schema_named(less, "x", 1, "y", 1);
    assert_string_equal(other->table, "y");
    assert_ptr_equal(ls_schema_named(less, "x", 1, "y", 1), other);
}

static void test_marks(void **state) {
    fixture *f = *state;
    ls_place p = {.offset = 10};
    assert_int_equal(ls_work_mark(f->w, &p), 0);
    p.offset = 20;
    assert_int_equal(ls_work_mark(f->w, &p), 0);
    assert_int_equal(f->w->nmarks, 1);
    assert_int_equal(f->w->marks[0].place.offset, 20);
    strcpy(p.gtid, "0-1-5");
    assert_int_equal(ls_work_mark(f->w, &p), 0);
    strcpy(p.gtid, "1-1-6");
    assert_int_equal(ls_work_mark(f->w, &p), 0); /* another transaction's GTID: kept apart */
    assert_int_equal(f->w->nmarks, 2);
    p.gtid[0] = '\0';
    p.offset = 30;
    assert_int_equal(ls_work_mark(f->w, &p), 0);
    assert_int_equal(f->w->nmarks, 2);
    assert_string_equal(f->w->marks[1].place.gtid, "1-1-6");
    assert_int_equal(f->w->marks[1].place.offset, 30);
}

static void test_positions(void **state) {
    (void)state;
    char a[40], b[40];
    ls_place_pos_postgres(a, 0, 0x1a3b748);
    assert_string_equal(a, "0000000001a3b748");
    ls_place_pos_postgres(a, 2, 0x1a3b748);
    assert_string_equal(a, "2-0000000001a3b748");
    ls_place_pos_binlog(a, 0, 9, 0xfffff);
    ls_place_pos_binlog(b, 0, 10, 4);
    assert_true(strcmp(a, b) < 0);
    uint64_t epoch;
    ls_place p;
    assert_int_equal(ls_place_read_pos(a, &epoch, &p), 0);
    assert_true(epoch == 0 && p.file == 9 && p.offset == 0xfffff);
    ls_place_pos_postgres(a, 0x1f, 0xfedcba9876543210);
    assert_int_equal(ls_place_read_pos(a, &epoch, &p), 0);
    assert_true(epoch == 0x1f && p.file == 0 && p.offset == 0xfedcba9876543210);
    static const uint64_t epochs[] = {0, 1, 9, 0xf, 0x10, 0xff, 0x100, 0xfff, 0x1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof epochs / sizeof *epochs; i++) {
        ls_place_pos_binlog(b, epochs[i], i + 1, 4);
        assert_int_equal(ls_place_read_pos(b, &epoch, &p), 0);
        assert_true(epoch == epochs[i] && p.file == i + 1);
        ls_place_pos_binlog(a, i ? epochs[i - 1] : 0, 0xffffff, 4);
        assert_true(i == 0 || strcmp(a, b) < 0); /* a later epoch is greater, whatever the places */
    }
    ls_place_pos_binlog(a, 0x10, 3, 4);
    assert_string_equal(a, "g10-00000003000000000004");
    static const char *const none[] = {"", "-", "10-0000000001a3b748", "f1-0000000001a3b748", "h10-0000000001a3b748", "1a3b748", "000000000000000g", "000000000000000A", "-0000000001a3b748", "x-0000000001a3b748",
                                       "000000000000000000000000"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_int_equal(ls_place_read_pos(none[i], &epoch, &p), -1);
}

static void drop_count(void *p) { ++*(int *)p; }

static void test_reset_gives_back(void **state) {
    fixture *f = *state;
    int drops = 0;
    uint32_t generation = f->w->seen.generation;
    assert_int_equal(ls_work_keep(f->w, &drops, LS_BATCH_BYTES, drop_count), 0);
    assert_true(ls_work_full(f->w));
    ls_work_reset(f->w);
    assert_int_equal(drops, 1);
    assert_false(ls_work_full(f->w));
    assert_int_equal(f->w->seen.generation, generation + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_texts),
        cmocka_unit_test(test_time_from_postgres),
        cmocka_unit_test(test_civil),
        cmocka_unit_test(test_value_json),
        cmocka_unit_test(test_same_values),
        cmocka_unit_test(test_positions),
        cmocka_unit_test_setup_teardown(test_update_of_a_keyed_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unchanged_is_filled_from_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_changed_key_is_two_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_key_identity_is_the_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_derived_schemas_are_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reset_gives_back, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ls_buf_free(&out);
    return failed;
}
