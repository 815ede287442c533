/* Messages and keys as they are written. */
#include "change/row.h"
#include "change/value.h"
#include "format/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *work;
    ls_buf out;
    ls_error err;
    const ls_tx *tx;
} fixture;

static const ls_tx *example_tx(ls_work *w) {
    ls_tx tx = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742"};
    return ls_work_tx(w, &tx);
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->work = ls_work_new(&f->schemas, "shop", "postgres");
    f->tx = example_tx(f->work);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->work);
    ls_buf_free(&f->out);
    free(f);
    return 0;
}

#define SOURCE(seq) "\"source\":{\"v\":1,\"connector\":\"shop\",\"db\":\"postgres\",\"ts\":1732313405123456,\"tx\":\"742\"," \
                    "\"pos\":\"0000000001a3b748\",\"seq\":" #seq "}"

static const char *encoded(fixture *f, uint32_t i) {
    ls_buf_clear(&f->out);
    if (ls_format_list_sync.encode(&(const ls_format_options){0}, &f->work->seen, i, &f->out, &f->err)) fail_msg("%s", f->err.text);
    return ls_buf_cstr(&f->out);
}

static const char *key_of(fixture *f, uint32_t i) { /* "none", "error", or the key */
    ls_buf_clear(&f->out);
    int rc = ls_format_key(&(const ls_format_options){0}, &f->work->seen, i, &f->out, &f->err);
    return rc < 0 ? "error" : rc ? ls_buf_cstr(&f->out) : "none";
}

static ls_schema *orders(fixture *f) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"total", 5, LS_TYPE_DECIMAL}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    return ls_schema_new(&f->schemas, "public", 6, "orders", 6, cols, 3, key, 1);
}

static ls_value *values(fixture *f, ls_value a, ls_value b, ls_value c) {
    ls_value *v = ls_work_values(f->work, 3);
    v[0] = a, v[1] = b, v[2] = c;
    return v;
}

static const ls_value absent = {.state = LS_ABSENT}, unchanged = {.state = LS_UNCHANGED}, null = {.state = LS_NULL};

static ls_value text(const char *s) { return ls_value_text(s, strlen(s)); }

static void test_the_documented_example(void **state) {
    fixture *f = *state;
    ls_schema *s = orders(f);
    uint64_t seq = 2;
    assert_int_equal(ls_row_update(f->work, s, f->tx, &seq, NULL, values(f, ls_value_int(7), text("12.50"), unchanged)), 0);
    assert_string_equal(encoded(f, 0),
                        "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                        "\"columns\":[{\"name\":\"id\",\"value\":7},{\"name\":\"total\",\"value\":\"12.50\"}],"
                        "\"identity\":[{\"name\":\"id\",\"value\":7}],"
                        "\"unchanged\":[\"note\"],"
                        "\"source\":{\"v\":1,\"connector\":\"shop\",\"db\":\"postgres\",\"ts\":1732313405123456,\"tx\":\"742\","
                        "\"pos\":\"0000000001a3b748\",\"seq\":3}}");
    assert_string_equal(key_of(f, 0), "7");
    ls_schema_unref(s);
}

static void test_moved_row(void **state) {
    fixture *f = *state;
    ls_schema *s = orders(f);
    uint64_t seq = 0;
    assert_int_equal(ls_row_update(f->work, s, f->tx, &seq, values(f, ls_value_int(7), absent, absent),
                                   values(f, ls_value_int(8), text("1"), unchanged)), 0);
    assert_int_equal(f->work->seen.count, 2);
    assert_string_equal(encoded(f, 0), "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                                       "\"identity\":[{\"name\":\"id\",\"value\":7}],\"moved_to\":[{\"name\":\"id\",\"value\":8}]," SOURCE(1) "}");
    assert_string_equal(encoded(f, 1), "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                                       "\"columns\":[{\"name\":\"id\",\"value\":8},{\"name\":\"total\",\"value\":\"1\"}],"
                                       "\"moved_from\":[{\"name\":\"id\",\"value\":7}],\"unchanged\":[\"note\"]," SOURCE(2) "}");
    assert_string_equal(key_of(f, 0), "7");
    assert_string_equal(key_of(f, 1), "8");
    ls_schema_unref(s);
}

static void test_whole_identity(void **state) {
    fixture *f = *state;
    f->schemas.before = LS_BEFORE_SENT;
    ls_schema *s = orders(f);
    uint64_t seq = 0;
    assert_int_equal(ls_row_update(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text("1"), null), values(f, ls_value_int(7), text("2"), unchanged)), 0);
    assert_int_equal(ls_row_remove(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text("2"), absent)), 0);
    assert_string_equal(encoded(f, 0), "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                                       "\"columns\":[{\"name\":\"id\",\"value\":7},{\"name\":\"total\",\"value\":\"2\"},{\"name\":\"note\",\"value\":null}],"
                                       "\"identity\":[{\"name\":\"id\",\"value\":7},{\"name\":\"total\",\"value\":\"1\"},{\"name\":\"note\",\"value\":null}],"
                                       SOURCE(1) "}");
    assert_string_equal(encoded(f, 1), "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                                       "\"identity\":[{\"name\":\"id\",\"value\":7},{\"name\":\"total\",\"value\":\"2\"}]," SOURCE(2) "}");
    assert_string_equal(key_of(f, 1), "7");
    ls_schema_unref(s);
}

static const char *key_under(fixture *f, const ls_format_options *o, uint32_t i) { /* "none", the error, or the key */
    ls_buf_clear(&f->out);
    int rc = ls_format_key(o, &f->work->seen, i, &f->out, &f->err);
    return rc < 0 ? f->err.text : rc ? ls_buf_cstr(&f->out) : "none";
}

static void test_other_keys_and_no_source(void **state) {
    fixture *f = *state;
    static const char *const columns[] = {"note", "id"}, *const unknown[] = {"nothing"};
    const ls_format_options table = {.table_key = true}, list = {.key = columns, .nkey = 2}, one = {.key = columns, .nkey = 1},
                            wrong = {.key = unknown, .nkey = 1}, bare = {.no_source = true}, object = {.object_key = true};
    ls_schema *s = orders(f);
    uint64_t seq = 0;
    assert_int_equal(ls_row_insert(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text("1"), text("a\"b"))), 0);
    assert_int_equal(ls_row_insert(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text("1"), null)), 0);
    assert_int_equal(ls_row_remove(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text("1"), null)), 0);
    assert_non_null(ls_work_add(f->work, s, f->tx, 'T', ++seq));
    assert_string_equal(key_under(f, &table, 0), "[\"public\",\"orders\",7]");
    assert_string_equal(key_under(f, &table, 2), "[\"public\",\"orders\",7]");
    assert_string_equal(key_under(f, &table, 3), "none");
    assert_string_equal(key_under(f, &object, 0), "{\"id\":7}");
    assert_string_equal(key_under(f, &object, 2), "{\"id\":7}");
    assert_string_equal(key_under(f, &object, 3), "none");
    assert_string_equal(key_under(f, &list, 0), "[\"a\\\"b\",7]");
    assert_string_equal(key_under(f, &list, 1), "[null,7]");
    assert_string_equal(key_under(f, &one, 0), "a\"b");
    assert_string_equal(key_under(f, &one, 1), "none");
    assert_non_null(strstr(key_under(f, &one, 2), "column \"note\": a key column came without a value"));
    assert_non_null(strstr(f->err.text, "identity = \"full\""));
    assert_string_equal(key_under(f, &wrong, 0), "table public.orders has no column \"nothing\", which `key` names: take another, or leave the table out of `tables`");
    ls_buf_clear(&f->out);
    assert_int_equal(ls_format_list_sync.encode(&bare, &f->work->seen, 2, &f->out, &f->err), 0);
    assert_string_equal(ls_buf_cstr(&f->out), "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"orders\",\"pk\":[{\"name\":\"id\"}],"
                                              "\"identity\":[{\"name\":\"id\",\"value\":7}]}");
    ls_schema_unref(s);
}

static void test_embedded_documents(void **state) {
    fixture *f = *state;
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"doc", 3, LS_TYPE_JSON}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {1};
    static const char *const documents[] = {"{\"a\":[1.50,\"x\"]}", "null", "\"s\"", "1e400"};
    const ls_format_options embed = {.embed_json = true};
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, cols, 3, key, 1);
    uint64_t seq = 0;
    for (uint32_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        char want[512];
        assert_int_equal(ls_row_insert(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text(documents[i]), text("{}"))), 0);
        ls_buf_clear(&f->out);
        assert_int_equal(ls_format_list_sync.encode(&embed, &f->work->seen, i, &f->out, &f->err), 0);
        snprintf(want, sizeof want, "\"columns\":[{\"name\":\"id\",\"value\":7},{\"name\":\"doc\",\"value\":%s},{\"name\":\"note\",\"value\":\"{}\"}]", documents[i]);
        assert_non_null(strstr(ls_buf_cstr(&f->out), want));
        assert_string_equal(key_of(f, i), documents[i]);
    }
    assert_int_equal(ls_row_insert(f->work, s, f->tx, &seq, values(f, null, null, null)), 0);
    assert_int_equal(ls_format_list_sync.encode(&embed, &f->work->seen, 4, &f->out, &f->err), 0);
    char deep[512];
    memset(deep, '[', 200), memset(deep + 200, ']', 200), deep[400] = '\0';
    const char *const none[] = {"", "{\"a\"", "1 2", deep};
    for (uint32_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(ls_row_insert(f->work, s, f->tx, &seq, values(f, ls_value_int(7), text(none[i]), null)), 0);
        assert_int_equal(ls_format_list_sync.encode(&embed, &f->work->seen, 5 + i, &f->out, &f->err), -1);
        static const char says[] = "table p.t, column \"doc\", position 0000000001a3b748/";
        assert_memory_equal(f->err.text, says, sizeof says - 1);
        assert_non_null(strstr(f->err.text, "json = \"text\""));
    }
    ls_schema_unref(s);
}

static void test_key_order_and_no_key(void **state) {
    fixture *f = *state;
    static const ls_column_def cols[] = {{"a", 1, LS_TYPE_STRING}, {"b\"", 2, LS_TYPE_INTEGER}, {"c", 1, LS_TYPE_STRING}};
    static const uint16_t key[] = {2, 1};
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, cols, 3, key, 2), *none = ls_schema_new(&f->schemas, "p", 1, "n", 1, cols, 3, NULL, 0);
    uint64_t seq = 0;
    assert_int_equal(ls_row_remove(f->work, s, f->tx, &seq, values(f, text("x"), ls_value_int(2), text("3,\""))), 0);
    assert_string_equal(encoded(f, 0), "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"t\",\"pk\":[{\"name\":\"c\"},{\"name\":\"b\\\"\"}],"
                                       "\"identity\":[{\"name\":\"c\",\"value\":\"3,\\\"\"},{\"name\":\"b\\\"\",\"value\":2}]," SOURCE(1) "}");
    assert_string_equal(key_of(f, 0), "[\"3,\\\"\",2]");
    assert_string_equal(key_under(f, &(const ls_format_options){.object_key = true}, 0), "{\"c\":\"3,\\\"\",\"b\\\"\":2}");
    assert_int_equal(ls_row_remove(f->work, none, f->tx, &seq, values(f, text("x"), null, absent)), 0);
    assert_string_equal(encoded(f, 1), "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"n\","
                                       "\"identity\":[{\"name\":\"a\",\"value\":\"x\"},{\"name\":\"b\\\"\",\"value\":null}]," SOURCE(2) "}");
    assert_string_equal(key_of(f, 1), "none");
    ls_schema_unref(s);
    ls_schema_unref(none);
}

static void test_table_changes(void **state) {
    fixture *f = *state;
    ls_schema *s = orders(f), *all = ls_schema_new(&f->schemas, "shop", 4, "", 0, NULL, 0, NULL, 0);
    ls_work_add(f->work, s, f->tx, 'T', 1);
    assert_string_equal(encoded(f, 0), "{\"action\":\"T\",\"schema\":\"public\",\"table\":\"orders\"," SOURCE(1) "}");
    assert_string_equal(key_of(f, 0), "none");
    ls_work_add(f->work, all, f->tx, 'X', 2)->whole_table = 0;
    assert_string_equal(encoded(f, 1), "{\"action\":\"X\",\"schema\":\"shop\",\"table\":null," SOURCE(2) "}");
    ls_change *r = ls_work_add(f->work, s, f->tx, 'R', 3);
    r->to_schema = "public";
    r->to_table = "old \"orders\"";
    assert_string_equal(encoded(f, 2), "{\"action\":\"R\",\"schema\":\"public\",\"table\":\"orders\",\"to_schema\":\"public\","
                                       "\"to_table\":\"old \\\"orders\\\"\"," SOURCE(3) "}");
    ls_schema_unref(s);
    ls_schema_unref(all);
}

static void test_source_members(void **state) {
    fixture *f = *state;
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, NULL, 0, NULL, 0);
    ls_change *c = ls_work_add(f->work, s, f->tx, 'I', UINT64_MAX);
    c->flags = LS_SNAPSHOT;
    c->sub = 2;
    assert_non_null(strstr(encoded(f, 0), "\"seq\":18446744073709551615,\"sub\":2,\"snapshot\":true}}"));
    assert_null(strstr(f->out.data, "columns")); /* an empty section is left out */
    ls_tx none = {.connector = "", .db = ""};
    ls_work_add(f->work, s, ls_work_tx(f->work, &none), 'T', 0);
    assert_string_equal(encoded(f, 1), "{\"action\":\"T\",\"schema\":\"p\",\"table\":\"t\"}");
    ls_schema_unref(s);
}

static void test_values(void **state) {
    fixture *f = *state;
    static const ls_column_def cols[] = {{"i", 1, LS_TYPE_INTEGER}, {"u", 1, LS_TYPE_INTEGER}, {"n", 1, LS_TYPE_INTEGER}, {"d", 1, LS_TYPE_FLOAT},
                                         {"f", 1, LS_TYPE_FLOAT},   {"x", 1, LS_TYPE_FLOAT},   {"y", 1, LS_TYPE_FLOAT},   {"b", 1, LS_TYPE_BOOLEAN},
                                         {"s", 1, LS_TYPE_STRING},  {"z", 1, LS_TYPE_BYTES},   {"j", 1, LS_TYPE_ARRAY},   {"m", 1, LS_TYPE_DECIMAL}};
    enum { N = sizeof cols / sizeof *cols };
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, cols, N, NULL, 0);
    ls_value *v = ls_work_values(f->work, N);
    v[0] = ls_value_int(INT64_MIN);
    v[1] = ls_value_uint(UINT64_MAX);
    v[2] = text("-12");
    v[3] = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = -0.0};
    v[4] = (ls_value){.kind = LS_KIND_FLOAT, .as.d = (double)0.1f};
    v[5] = text("NaN");
    v[6] = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = -INFINITY};
    v[7] = (ls_value){.kind = LS_KIND_BOOL, .as.i = 0};
    v[8] = text("\t\x01\"\\/\xc3\xa4");
    v[9] = ls_value_bytes_of(LS_KIND_BYTES, "\0\xff\x10", 3);
    v[10] = text("[1,null]");
    v[10].kind = LS_KIND_JSON;
    v[11] = text("NaN");
    ls_work_add(f->work, s, f->tx, 'I', 1)->after = v;
    assert_string_equal(encoded(f, 0),
                        "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"t\",\"columns\":[{\"name\":\"i\",\"value\":-9223372036854775808},"
                        "{\"name\":\"u\",\"value\":18446744073709551615},{\"name\":\"n\",\"value\":-12},{\"name\":\"d\",\"value\":-0},"
                        "{\"name\":\"f\",\"value\":0.1},{\"name\":\"x\",\"value\":\"NaN\"},{\"name\":\"y\",\"value\":\"-Infinity\"},"
                        "{\"name\":\"b\",\"value\":false},{\"name\":\"s\",\"value\":\"\\t\\u0001\\\"\\\\/\xc3\xa4\"},"
                        "{\"name\":\"z\",\"value\":\"AP8Q\"},{\"name\":\"j\",\"value\":[1,null]},{\"name\":\"m\",\"value\":\"NaN\"}]," SOURCE(1) "}");
    ls_schema_unref(s);
}

static void test_keys(void **state) {
    fixture *f = *state;
    ls_schema *s = orders(f);
    ls_work_add(f->work, s, f->tx, 'I', 1)->after = values(f, text("a,\"b"), null, null);
    ls_work_add(f->work, s, f->tx, 'I', 2)->after = values(f, null, null, null);
    ls_work_add(f->work, s, f->tx, 'D', 3)->before = values(f, absent, null, null);
    assert_string_equal(key_of(f, 0), "a,\"b"); /* one column: its text as it is */
    assert_string_equal(key_of(f, 1), "none");
    assert_string_equal(key_of(f, 2), "error");
    assert_non_null(strstr(f->err.text, "table public.orders, column \"id\""));
    assert_non_null(strstr(f->err.text, "binlog_row_image=FULL"));
    ls_schema_unref(s);
}

/* A row whose columns were all dropped has no section. */
static void test_a_row_without_values(void **state) {
    fixture *f = *state;
    ls_schema *s = ls_schema_new(&f->schemas, "public", 6, "bare", 4, (ls_column_def[]){{"a", 1, LS_TYPE_INTEGER}}, 1, NULL, 0);
    ls_change *c = ls_work_add(f->work, s, f->tx, 'U', 1);
    c->after = ls_work_values(f->work, 1);
    c->before = ls_work_values(f->work, 1);
    c->after[0] = ls_value_int(5);
    c->before[0] = ls_value_state(LS_ABSENT);
    assert_string_equal(encoded(f, 0), "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"bare\",\"columns\":[{\"name\":\"a\",\"value\":5}]," SOURCE(1) "}");
    c->after[0] = ls_value_state(LS_ABSENT);
    assert_string_equal(encoded(f, 0), "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"bare\"," SOURCE(1) "}");
    ls_schema_unref(s);
}

static void test_an_output_that_is_full(void **state) {
    fixture *f = *state;
    ls_schema *s = orders(f);
    ls_work_add(f->work, s, f->tx, 'I', 1)->after = values(f, ls_value_int(1), null, null);
    f->out.max = 100;
    assert_int_equal(ls_format_list_sync.encode(&(const ls_format_options){0}, &f->work->seen, 0, &f->out, &f->err), -1);
    ls_schema_unref(s);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_the_documented_example),
        T(test_moved_row),
        T(test_whole_identity),
        T(test_other_keys_and_no_source),
        T(test_embedded_documents),
        T(test_key_order_and_no_key),
        T(test_table_changes),
        T(test_source_members),
        T(test_values),
        T(test_keys),
        T(test_a_row_without_values),
        T(test_an_output_that_is_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
