#include "pipeline/inflight.h"
#include "pipeline/progress.h"
#include "pipeline/sent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_the_oldest_holds_back(void **state) {
    (void)state;
    ls_inflight f = {0};
    assert_int_equal(ls_inflight_init(&f), 0);
    ls_segment *a = ls_inflight_open(&f);
    ls_inflight_add(&f, a, 10);
    ls_inflight_add(&f, a, 20);
    ls_inflight_close(&f, a);
    ls_segment *b = ls_inflight_open(&f);
    ls_inflight_add(&f, b, 30);
    ls_inflight_close(&f, b);
    assert_int_equal(ls_inflight_bytes(&f), 60 + 3 * LS_MESSAGE_OVERHEAD);
    ls_inflight_done(&f, b, 30);
    ls_inflight_done(&f, a, 10);
    assert_null(ls_inflight_oldest(&f)); /* b is done, but a is older */
    ls_inflight_done(&f, a, 20);
    assert_ptr_equal(ls_inflight_oldest(&f), a);
    ls_inflight_pop(&f);
    assert_ptr_equal(ls_inflight_oldest(&f), b);
    ls_inflight_pop(&f);
    assert_null(ls_inflight_oldest(&f));
    assert_int_equal(ls_inflight_bytes(&f), 0);
    ls_inflight_free(&f);
}

static void test_an_open_segment_is_not_done(void **state) {
    (void)state;
    ls_inflight f = {0};
    assert_int_equal(ls_inflight_init(&f), 0);
    ls_segment *a = ls_inflight_open(&f);
    ls_inflight_add(&f, a, 1);
    ls_inflight_done(&f, a, 1);
    assert_null(ls_inflight_oldest(&f)); /* more of it may come */
    ls_inflight_close(&f, a);
    assert_ptr_equal(ls_inflight_oldest(&f), a);
    ls_inflight_free(&f);
}

static void test_the_ring_has_an_end(void **state) {
    (void)state;
    ls_inflight f = {0};
    assert_int_equal(ls_inflight_init(&f), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LS_SEGMENTS; i++) {
            ls_segment *s = ls_inflight_open(&f);
            assert_non_null(s);
            s->gtid = strdup("0-1-1");
            ls_inflight_close(&f, s);
        }
        assert_null(ls_inflight_open(&f));
        for (int i = 0; i < LS_SEGMENTS - round; i++) {
            assert_non_null(ls_inflight_oldest(&f));
            ls_inflight_pop(&f);
        }
        while (ls_inflight_oldest(&f)) ls_inflight_pop(&f);
    }
    ls_inflight_free(&f);
}

static void test_progress_on_postgres(void **state) {
    (void)state;
    ls_progress p = {.generation = 7, .restart.offset = 0x2A1F00, .delivered_seq = 3, .options = 0xabc}, q;
    ls_error err;
    ls_buf json = {0};
    strcpy(p.server.json, "\"system\":\"123\",\"timeline\":1");
    strcpy(p.delivered_pos, "00000000002a1e00");
    strcpy(p.instance, "00000000-0000-4000-8000-000000000000");
    ls_progress_write(&p, &json);
    assert_string_equal(ls_buf_cstr(&json),
                        "{\"v\":1,\"state\":\"running\",\"instance\":\"00000000-0000-4000-8000-000000000000\",\"generation\":7,"
                        "\"server\":{\"system\":\"123\",\"timeline\":1},\"epoch\":0,\"restart\":{\"lsn\":\"0/2A1F00\"},"
                        "\"delivered\":{\"pos\":\"00000000002a1e00\",\"seq\":3},\"tables\":{},\"options\":\"0000000000000abc\"}");
    assert_int_equal(ls_progress_read(&q, json.data, json.len, &err), 0);
    assert_int_equal(q.restart.offset, 0x2A1F00);
    assert_string_equal(q.server.json, p.server.json);
    assert_string_equal(q.delivered_pos, p.delivered_pos);
    assert_int_equal(q.delivered_seq, 3);
    assert_int_equal(q.options, 0xabc);
    assert_int_equal(q.generation, 7);
    assert_false(ls_progress_mid_transaction(&q)); /* the commit is below restart */
    strcpy(q.delivered_pos, "00000000002a1f40");
    assert_true(ls_progress_mid_transaction(&q));
    ls_progress_free(&q);
    ls_buf_free(&json);
}

static void test_progress_on_the_binlog(void **state) {
    (void)state;
    ls_progress p = {.restart = {.file = 3, .offset = 1234}}, q;
    ls_error err;
    ls_buf json = {0};
    char title[64];
    strcpy(p.server.binlog, "my-bin");
    strcpy(p.server.json, "\"server_id\":1");
    ls_buf_str(&p.gtid, "0-1-5,1-1-7");
    ls_progress_write(&p, &json);
    assert_non_null(strstr(ls_buf_cstr(&json), "\"restart\":{\"file\":\"my-bin.000003\",\"pos\":1234,\"gtid\":\"0-1-5,1-1-7\"}"));
    assert_int_equal(ls_progress_read(&q, json.data, json.len, &err), 0);
    assert_int_equal(q.restart.file, 3);
    assert_int_equal(q.restart.offset, 1234);
    assert_string_equal(q.server.binlog, "my-bin");
    assert_string_equal(ls_buf_cstr(&q.gtid), "0-1-5,1-1-7");
    assert_null(strstr(ls_buf_cstr(&json), "sent"));
    ls_progress_free(&q);
    ls_buf_str(&p.sent, "\"a.b\",\"c\"");
    ls_buf_clear(&json);
    ls_progress_write(&p, &json);
    assert_non_null(strstr(ls_buf_cstr(&json), ",\"tables\":{},\"sent\":[\"a.b\",\"c\"],\"options\":"));
    assert_int_equal(ls_progress_read(&q, json.data, json.len, &err), 0);
    assert_string_equal(ls_buf_cstr(&q.sent), "\"a.b\",\"c\"");
    ls_progress_title(&q, title);
    assert_string_equal(title, "my-bin.000003:1234");
    ls_progress_free(&p);
    ls_progress_free(&q);
    ls_buf_free(&json);
}

/* Each table's topics are its own, a database's those of its tables; a table whose name goes on like another's is another one. */
static void test_where_rows_went(void **state) {
    (void)state;
    static const char *const notes[][3] = {{"shop", "t", "a"}, {"shop", "t", "b\"c"}, {"shop", "t", "a"}, {"shop", "t2", "c"}, {"shop2", "t", "d"}};
    static const struct {
        const char *schema, *table, *topics;
    } asked[] = {{"shop", "t", " a b\"c"}, {"shop", "t2", " c"}, {"shop", "", " a b\"c c"}, {"shop2", "t", " d"}, {"sho", "t", ""}, {"shop", "t3", ""}};
    ls_schemas schemas = {0};
    ls_sent s = {0};
    ls_buf out = {0};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) assert_int_equal(ls_sent_note(&s, notes[i][0], notes[i][1], notes[i][2], strlen(notes[i][2])), 0);
    assert_int_equal(s.pairs.n, 4);
    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
        ls_schema *t = ls_schema_new(&schemas, asked[k].schema, strlen(asked[k].schema), asked[k].table, strlen(asked[k].table), NULL, 0, NULL, 0);
        ls_buf_clear(&out);
        for (uint32_t i = 0; i < s.pairs.n; i++) {
            const char *topic = ls_sent_topic_of(&s, i, t);
            if (topic) ls_buf_fmt(&out, " %s", topic);
        }
        assert_string_equal(ls_buf_cstr(&out), asked[k].topics);
        ls_schema_unref(t);
    }
    ls_buf_clear(&out);
    ls_sent_write(&s, 1, &out);
    assert_string_equal(ls_buf_cstr(&out), "\"shop.t\",\"b\\\"c\"");
    ls_buf_free(&out);
    ls_sent_free(&s);
}

static void test_progress_that_cannot_be_read(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "[]", "{}", "{\"v\":2}", "{\"v\":1,\"state\":\"running\",\"restart\":{\"lsn\":\"zz\"}}",
        "{\"v\":1,\"state\":\"running\",\"restart\":{\"file\":\"nodot\",\"pos\":4}}",
        "{\"v\":1,\"state\":\"running\",\"restart\":{\"lsn\":\"0/1\"},\"delivered\":{\"pos\":\"0123456789012345678901234567890123456789\"}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ls_progress p;
        ls_error err;
        assert_int_equal(ls_progress_read(&p, bad[i], strlen(bad[i]), &err), -1);
        assert_int_equal(err.code, LS_LOST);
        assert_non_null(strstr(err.text, "list_sync position drop")); /* the mend */
        ls_progress_free(&p);
    }
}

static void test_a_creating_checkpoint(void **state) {
    (void)state;
    ls_progress p = {.creating = true}, q;
    ls_error err;
    ls_buf json = {0};
    ls_progress_new_instance(&p);
    assert_int_equal(p.generation, 1);
    assert_int_equal(strlen(p.instance), 36);
    assert_int_equal(p.instance[14], '4');
    ls_progress_write(&p, &json);
    assert_int_equal(ls_progress_read(&q, json.data, json.len, &err), 0);
    assert_true(q.creating);
    assert_string_equal(q.instance, p.instance);
    ls_progress_free(&q);
    ls_buf_free(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_oldest_holds_back),   cmocka_unit_test(test_an_open_segment_is_not_done),
        cmocka_unit_test(test_the_ring_has_an_end),     cmocka_unit_test(test_progress_on_postgres),
        cmocka_unit_test(test_progress_on_the_binlog),  cmocka_unit_test(test_where_rows_went), cmocka_unit_test(test_progress_that_cannot_be_read),
        cmocka_unit_test(test_a_creating_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
