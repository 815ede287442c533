#include "change/madeup.h"

#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

/* ---- a table, and a made-up row of it as text ---- */

static ls_schemas schemas;

enum { COLUMNS = 5 };

static ls_schema *table(bool keyed) {
    static const ls_column_def cols[COLUMNS] = {
        {"id", 2, LS_TYPE_INTEGER}, {"v", 1, LS_TYPE_STRING}, {"n", 1, LS_TYPE_INTEGER}, {"paid", 4, LS_TYPE_BOOLEAN}, {"price", 5, LS_TYPE_DECIMAL}};
    static const uint16_t key[] = {0};
    return ls_schema_new(&schemas, "public", 6, "t", 1, cols, COLUMNS, key, keyed);
}

static void show(ls_buf *out, const ls_value *row, uint32_t n) {
    static const char *const states[] = {[LS_NULL] = "NULL", [LS_UNCHANGED] = "unchanged", [LS_ABSENT] = "-"};
    for (uint32_t i = 0; i < n; i++) {
        ls_buf_char(out, ' ');
        if (row[i].state != LS_PRESENT)
            ls_buf_str(out, states[row[i].state]);
        else if (row[i].len > 40)
            ls_buf_fmt(out, "<%u>", row[i].len);
        else
            ls_value_print(out, &row[i]);
    }
}

/* What is added: for each change its action, the row before, the row after. "" : the table has no such row. */
static void assert_row(ls_work *w, const ls_schema *s, const ls_madeup_column *cols, ls_madeup kind, const char *want) {
    ls_buf out = {0};
    ls_work_reset(w);
    int rc = ls_madeup_add(w, s, cols, kind);
    assert_int_equal(rc, w->seen.count > 0);
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_fmt(&out, "%s%c", i ? "; " : "", c->action);
        if (c->before) show(&out, c->before, s->ncols);
        if (c->before && c->after) ls_buf_str(&out, " ->");
        if (c->after) show(&out, c->after, s->ncols);
        if (c->moved) ls_buf_str(&out, c->flags & LS_MOVED_TO ? " to" : " from"), show(&out, c->moved, s->nkey);
    }
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
}

static void test_each_row(void **state) {
    (void)state;
    static const char *const want[LS_MADEUP_KINDS] = {
        [LS_MADEUP_INSERT] = "I 1 text 1 true 12.50",
        [LS_MADEUP_UPDATE] = "U 1 - - - - -> 1 text 1 true 12.50",
        [LS_MADEUP_LARGEST] = "I 1 <10000> 1 true 12345678901234567890.12",
        [LS_MADEUP_SMALLEST] = "I 1  1 false 0",
        [LS_MADEUP_INTS_MOST] = "I 9223372036854775807 text 9223372036854775807 true 12.50",
        [LS_MADEUP_INTS_LEAST] = "I -9223372036854775808 text -9223372036854775808 true 12.50",
        [LS_MADEUP_DELETE] = "D 1 - - - -",
        [LS_MADEUP_INSERT_NULLS] = "I 1 NULL NULL NULL NULL",
        [LS_MADEUP_UPDATE_NULLS] = "U 1 - - - - -> 1 NULL NULL NULL NULL",
        [LS_MADEUP_NOT_SENT] = "U 1 - - - - -> 1 unchanged 1 true 12.50",
        [LS_MADEUP_MOVED] = "D 2 - - - - to 1; I 1 text 1 true 12.50 from 2",
    };
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *s = table(true);
    ls_madeup_column cols[COLUMNS];
    ls_madeup_columns(s, cols);
    for (ls_madeup kind = 0; kind < LS_MADEUP_KINDS; kind++) assert_row(w, s, cols, kind, want[kind]);
    assert_string_equal(ls_madeup_title(s, LS_MADEUP_DELETE), "delete with its key only");
    ls_work_reset(w);
    ls_schema_unref(s);
    schemas.before = LS_BEFORE_SENT;
    s = table(true);
    schemas.before = LS_BEFORE_KEY;
    assert_row(w, s, cols, LS_MADEUP_DELETE, "D 1 text 1 true 12.50");
    assert_row(w, s, cols, LS_MADEUP_NOT_SENT, "");
    assert_string_equal(ls_madeup_title(s, LS_MADEUP_DELETE), "delete");
    ls_work_free(w);
    ls_schema_unref(s);
}

static void test_what_a_column_can_have(void **state) {
    (void)state;
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *s = table(true);
    ls_madeup_column cols[COLUMNS];
    ls_madeup_columns(s, cols);
    cols[1].chars = 3;
    cols[1].nullable = cols[1].large = cols[4].nullable = false;
    cols[2].least = 0;
    cols[2].most = UINT64_MAX;
    assert_row(w, s, cols, LS_MADEUP_INSERT, "I 1 tex 1 true 12.50");
    assert_row(w, s, cols, LS_MADEUP_LARGEST, "I 1 mmm 1 true 12345678901234567890.12");
    assert_row(w, s, cols, LS_MADEUP_INSERT_NULLS, "I 1 tex NULL NULL 12.50");
    assert_row(w, s, cols, LS_MADEUP_NOT_SENT, "");
    assert_row(w, s, cols, LS_MADEUP_INTS_MOST, "I 9223372036854775807 tex 18446744073709551615 true 12.50");
    assert_row(w, s, cols, LS_MADEUP_INTS_LEAST, "I -9223372036854775808 tex 0 true 12.50");
    cols[1].text = "label"; /* of an enum: it is no text that may be cut */
    assert_row(w, s, cols, LS_MADEUP_LARGEST, "I 1 label 1 true 12345678901234567890.12");
    assert_row(w, s, cols, LS_MADEUP_SMALLEST, "I 1 label 1 false 0");
    ls_work_free(w);
    ls_schema_unref(s);
}

static void test_without_a_key(void **state) {
    (void)state;
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *s = table(false);
    ls_madeup_column cols[COLUMNS];
    ls_madeup_columns(s, cols);
    assert_row(w, s, cols, LS_MADEUP_MOVED, "");
    assert_row(w, s, cols, LS_MADEUP_DELETE, "D 1 text 1 true 12.50");
    assert_row(w, s, cols, LS_MADEUP_UPDATE, "U 1 text 1 true 12.50 -> 1 text 1 true 12.50");
    assert_row(w, s, cols, LS_MADEUP_UPDATE_NULLS, "U NULL NULL NULL NULL NULL -> NULL NULL NULL NULL NULL");
    assert_string_equal(ls_madeup_title(s, LS_MADEUP_DELETE), "delete");
    ls_work_free(w);
    ls_schema_unref(s);
}

/* Each type has values of its own, of the kind that capture gives. */
static void test_each_type(void **state) {
    (void)state;
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    for (uint8_t type = LS_TYPE_STRING; type <= LS_TYPE_UNKNOWN; type++) {
        const ls_column_def def = {"c", 1, type};
        const uint16_t key[] = {0};
        ls_schema *s = ls_schema_new(&schemas, "public", 6, "t", 1, &def, 1, key, 1);
        ls_madeup_column col;
        ls_madeup_columns(s, &col);
        for (ls_madeup kind = 0; kind < LS_MADEUP_KINDS; kind++) {
            ls_work_reset(w);
            if (ls_madeup_add(w, s, &col, kind) == 0) continue;
            const ls_change *c = &w->seen.changes[w->seen.count - 1];
            const ls_value *v = c->after ? c->after : c->before;
            bool json = type == LS_TYPE_ARRAY || type == LS_TYPE_SET || type == LS_TYPE_GEOMETRY || type == LS_TYPE_VECTOR;
            assert_int_equal(v->state, LS_PRESENT);
            assert_true(json == (v->kind == LS_KIND_JSON) && (type == LS_TYPE_BYTES) == (v->kind == LS_KIND_BYTES));
            assert_true((type == LS_TYPE_BOOLEAN) == (v->kind == LS_KIND_BOOL) && (type == LS_TYPE_FLOAT) == (v->kind == LS_KIND_DOUBLE));
            assert_true((type == LS_TYPE_INTEGER) == (v->kind == LS_KIND_INT));
        }
        ls_work_reset(w);
        ls_schema_unref(s);
    }
    ls_work_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row),
        cmocka_unit_test(test_what_a_column_can_have),
        cmocka_unit_test(test_without_a_key),
        cmocka_unit_test(test_each_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
