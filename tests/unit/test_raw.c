/* decode = "raw": any message as a row. */
#include "format/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *work;
    ls_buf text;
    ls_error err;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->work = ls_work_new(&f->schemas, "", "");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->work);
    ls_buf_free(&f->text);
    free(f);
    return 0;
}

static const char *as_json(fixture *f, uint32_t i) {
    ls_buf_clear(&f->text);
    if (ls_format_list_sync.encode(&(const ls_format_options){0}, &f->work->seen, i, &f->text, &f->err)) fail_msg("%s", f->err.text);
    return ls_buf_cstr(&f->text);
}

#define COL(name, value) "{\"name\":\"" name "\",\"value\":" value "}"

static const ls_change *raw(fixture *f, ls_decoder *d, const ls_incoming *m) {
    if (ls_decoder_message(d, f->work, m, &f->err)) fail_msg("%s", f->err.text);
    return &f->work->seen.changes[f->work->seen.count - 1];
}

static void test_raw(void **state) {
    fixture *f = *state;
    ls_decoder *d = ls_decoder_for(&f->schemas, "raw");
    const ls_incoming m = {.topic = "wal", .partition = 2, .offset = 41, .time = 1732313405120, .key = "k", .key_len = 1, .value = "\xff\0", .value_len = 2};
    const ls_change *c = raw(f, d, &m);
    assert_string_equal(as_json(f, 0),
                        "{\"action\":\"I\",\"schema\":\"kafka\",\"table\":\"wal\",\"columns\":[" COL("key", "\"aw==\"") "," COL("value", "\"/wA=\"") ","
                        COL("timestamp", "\"2024-11-22T22:10:05.12Z\"") "," COL("partition", "2") "," COL("offset", "41") "],"
                        "\"source\":{\"v\":1,\"connector\":\"\",\"db\":\"\",\"ts\":1732313405120000,\"tx\":\"\",\"pos\":\"\",\"seq\":0}}");
    assert_int_equal(c->schema->cols[1].type, LS_TYPE_BYTES);
    assert_int_equal(c->schema->cols[2].type, LS_TYPE_TIMESTAMP);
    assert_ptr_equal(c->after[1].as.p, m.value);
    const ls_schema *s = c->schema;
    const ls_tx *tx = c->tx;
    ls_incoming other = m;
    other.key = other.value = NULL;
    other.key_len = other.value_len = 0;
    c = raw(f, d, &other); /* a null message */
    assert_int_equal(c->after[0].state, LS_NULL);
    assert_int_equal(c->after[1].state, LS_NULL);
    assert_ptr_equal(c->schema, s);
    assert_ptr_equal(c->tx, tx);
    other.value = "";
    other.time = -1;
    c = raw(f, d, &other);
    assert_int_equal(c->after[1].state, LS_PRESENT);
    assert_int_equal(c->after[1].len, 0);
    assert_int_equal(c->after[2].state, LS_NULL);
    assert_int_equal(c->tx->ts, 0);
    other.time = INT64_MAX;
    assert_int_equal(raw(f, d, &other)->after[2].state, LS_NULL);
    other.topic = "other";
    assert_string_equal(raw(f, d, &other)->schema->table, "other");
    ls_work_reset(f->work);
    assert_int_equal(raw(f, d, &m)->tx->ts, 1732313405120000);
    ls_decoder_free(d);
}

static void test_tombstones_are_passed_over(void **state) {
    fixture *f = *state;
    const ls_incoming m = {.topic = "wal", .key = "k", .key_len = 1};
    static const char *const readers[] = {"list_sync", "protobuf"};
    for (int i = 0; i < 2; i++) {
        ls_decoder *d = ls_decoder_for(&f->schemas, readers[i]);
        assert_int_equal(ls_decoder_message(d, f->work, &m, &f->err), 0);
        ls_decoder_free(d);
    }
    assert_int_equal(f->work->seen.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_raw, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_tombstones_are_passed_over, setup, teardown)};
    return cmocka_run_group_tests_name("raw", tests, NULL, NULL);
}
