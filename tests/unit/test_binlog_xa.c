/* XA transactions through the decoder: rows come when they are decided, and no mark passes one that is not. */
#include "binlogevent.h"

#include "capture/binlog_xa.h"

enum { COMPLETED_XA = 0x80 };

/* X'61',X'',1 for 'a' */
static void prepare_event(fixture *f, bool one_phase, char name) {
    event(f, XA_PREPARE, 0);
    put(f, one_phase, 1);
    put(f, 1, 4);
    put(f, 1, 4);
    put(f, 0, 4);
    put(f, (uint8_t)name, 1);
}

static void start(fixture *f, uint64_t seq, char name) {
    char sql[64];
    begin(f, seq, TRANSACTIONAL | PREPARED_XA);
    snprintf(sql, sizeof sql, "XA START X'%02x',X'',1", (unsigned)name);
    query(f, sql);
}

static void prepare(fixture *f, uint64_t seq, char name, uint32_t id) {
    start(f, seq, name);
    map(f);
    insert(f, id, "a");
    query(f, "XA END X'61',X'',1");
    prepare_event(f, false, name);
    ok(f);
}

static void decide(fixture *f, uint64_t seq, const char *what, char name) {
    char sql[64];
    begin(f, seq, TRANSACTIONAL | COMPLETED_XA);
    snprintf(sql, sizeof sql, "XA %s X'%02x',X'',1", what, (unsigned)name);
    query(f, sql);
}

static void one_row(fixture *f, uint64_t seq, uint32_t id) {
    begin(f, seq, TRANSACTIONAL);
    map(f);
    insert(f, id, "b");
    commit(f);
}

static void test_commit_and_rollback(void **state) {
    fixture *f = *state;
    holds(f);
    prepare(f, 1, 'a', 1);
    came(f, "");
    assert_true(f->at > 1000);
    one_row(f, 2, 2);
    came(f, "I1 t after id=2 note=b n=-1"); /* no mark: a new start has to read the first one again */
    prepare(f, 3, 'b', 3);
    uint64_t at = f->at;
    decide(f, 4, "COMMIT", 'a');
    const ls_change *c = f->w->seen.changes;
    char pos[40];
    ls_place_pos_binlog(pos, 0, 3, at);
    assert_string_equal(c->tx->id, "2-9-4"); /* the commit's */
    assert_string_equal(c->tx->pos, pos);
    came(f, "I1 t after id=1 note=a n=-1; mark 1 2-9-2"); /* up to where b begins */
    decide(f, 5, "ROLLBACK", 'b');
    came(f, "mark 0 2-9-4; mark 0 2-9-5");
    one_row(f, 6, 4);
    came(f, "I1 t after id=4 note=b n=-1; mark 1 2-9-6");
}

static void test_marks_know_how_far_the_log_is_read(void **state) {
    fixture *f = *state;
    holds(f);
    prepare(f, 1, 'a', 1);
    assert_true(f->w->has_read_to);
    assert_int_equal(f->w->read_to.offset, f->at);
    ls_work_reset(f->w);
    assert_false(f->w->has_read_to);
}

/* As after a restart: the place before the transaction, and what of the commit's rows is delivered. */
static void test_a_new_start(void **state) {
    fixture *f = *state;
    char pos[40];
    holds(f);
    prepare(f, 1, 'a', 1);
    uint64_t at = f->at;
    ls_place_pos_binlog(pos, 0, 3, at);
    start_decoder(f, 3, 1000, pos, 0); /* nothing of it */
    open_stream(f);
    prepare(f, 1, 'a', 1);
    decide(f, 2, "COMMIT", 'a');
    came(f, "I1 t after id=1 note=a n=-1; mark 1 2-9-1; mark 1 2-9-2");
    start_decoder(f, 3, 1000, pos, 1); /* all of it */
    open_stream(f);
    prepare(f, 1, 'a', 1);
    decide(f, 2, "COMMIT", 'a');
    came(f, "mark 0 2-9-1; mark 0 2-9-2");
    ls_place_pos_binlog(pos, 0, 3, 100000); /* later ones are, too */
    start_decoder(f, 3, 1000, pos, 1);
    open_stream(f);
    prepare(f, 1, 'a', 1);
    decide(f, 2, "COMMIT", 'a');
    came(f, "mark 0 2-9-1; mark 0 2-9-2");
    assert_string_equal(f->warned, "");
}

static void test_prepared_before_the_start(void **state) {
    fixture *f = *state;
    holds(f);
    decide(f, 1, "ROLLBACK", 'a');
    assert_string_equal(f->warned, "");
    decide(f, 2, "COMMIT", 'a');
    assert_non_null(strstr(f->warned, "XA transaction X'61',X'',1 is committed, and was prepared before"));
    came(f, "mark 0 2-9-1; mark 0 2-9-2");
}

static void test_tables_left_out(void **state) {
    fixture *f = *state;
    holds(f);
    start(f, 1, 'a');
    map_event(f, "db", "out");
    ok(f);
    insert(f, 1, "a");
    prepare_event(f, false, 'a');
    ok(f);
    came(f, "mark 0 2-9-1"); /* nothing waits for it */
    decide(f, 2, "COMMIT", 'a');
    came(f, "mark 0 2-9-2");
    assert_string_equal(f->warned, "");
}

static void test_one_phase(void **state) {
    fixture *f = *state;
    holds(f);
    start(f, 1, 'a');
    map(f);
    insert(f, 1, "a");
    prepare_event(f, true, 'a');
    ok(f);
    came(f, "I1 t after id=1 note=a n=-1; mark 1 2-9-1");
}

static void test_mysql_without_flags(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 1, 0); /* what tells is XA START */
    query(f, "XA START X'61',X'',1");
    map(f);
    insert(f, 1, "a");
    prepare_event(f, false, 'a');
    ok(f);
    came(f, "");
}

/* More rows than a batch takes: the transaction counts as decided when the last of them is handed over. */
static void test_over_several_batches(void **state) {
    fixture *f = *state;
    uint64_t rows = 0;
    holds(f);
    start(f, 1, 'a');
    map(f);
    for (int i = 0; i < 3; i++) {
        rows_event(f, WRITE, 7, 0);
        for (uint32_t k = 0; k < 1500; k++) image(f, k, "a", 1);
        ok(f);
    }
    prepare_event(f, false, 'a');
    ok(f);
    begin(f, 2, TRANSACTIONAL | COMPLETED_XA);
    query_event(f, "db", "XA COMMIT X'61',X'',1");
    int rc = feed(f);
    for (;; rc = ls_binlog_more(f->b, f->w, &f->err)) {
        rows += f->w->seen.count;
        if (rc == 0) break;
        assert_int_equal(rc, 1);
        assert_int_equal(f->w->nmarks, 0);
        ls_work_reset(f->w);
    }
    assert_int_equal(rows, 4500);
    assert_int_equal(f->w->seen.changes[f->w->seen.count - 1].seq, 4500);
    assert_int_equal(f->w->nmarks, 2);
    ls_work_reset(f->w);
    one_row(f, 3, 4);
    came(f, "I1 t after id=4 note=b n=-1; mark 1 2-9-3");
}

static void test_bounds(void **state) {
    fixture *f = *state;
    f->conf.hold_max = 400;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    prepare(f, 1, 'a', 1);
    start(f, 2, 'b');
    map(f);
    rows_event(f, WRITE, 7, 0);
    for (uint32_t i = 0; i < 100; i++) image(f, i, "a", 1);
    fails(f, "transaction 2-9-2: XA transactions that are prepared and not decided hold more than 0 MiB");
}

static void test_a_name_used_again(void **state) {
    fixture *f = *state;
    holds(f);
    prepare(f, 1, 'a', 1);
    prepare(f, 2, 'a', 2);
    assert_non_null(strstr(f->warned, "X'61',X'',1 is prepared again"));
    decide(f, 3, "COMMIT", 'a');
    came(f, "I1 t after id=2 note=a n=-1; mark 1 2-9-1; mark 1 2-9-2; mark 1 2-9-3");
}

static void test_malformed(void **state) {
    fixture *f = *state;
    holds(f);
    start(f, 1, 'a');
    event(f, XA_PREPARE, 0);
    put(f, 0, 1), put(f, 1, 4), put(f, 65, 4), put(f, 0, 4);
    fails(f, "an XA transaction's name of 65 and 0 bytes, 64 at most each");
    holds(f);
    start(f, 1, 'a');
    event(f, XA_PREPARE, 0);
    put(f, 0, 1), put(f, 1, 4), put(f, 2, 4), put(f, 0, 4), put(f, 1, 1);
    fails(f, "at byte 32 of the event 2 bytes are wanted, 1 remain");
    holds(f);
    prepare_event(f, false, 'a');
    fails(f, "a transaction is prepared that did not begin");
    holds(f);
    begin(f, 1, TRANSACTIONAL);
    query_event(f, "db", "XA COMMIT 'a'");
    fails(f, "the name of an XA transaction cannot be read");
}

static void test_a_long_wait_is_said(void **state) {
    fixture *f = *state;
    holds(f);
    prepare(f, 1, 'a', 1);
    assert_string_equal(f->warned, "");
    gtid_event(f, 2, STANDALONE);
    ok(f);
    query_event(f, "db", "CREATE TABLE x (id int)");
    uint32_t later = TS + 3600;
    memcpy(f->event.data, &later, 4);
    ok(f);
    assert_non_null(strstr(f->warned, "XA transaction X'61',X'',1 has been prepared for an hour or more"));
}

/* Marks of several domains wait: one for each, in order. */
static void test_waiting_marks(void **state) {
    (void)state;
    ls_xas x = {0};
    ls_error err;
    ls_schemas schemas = {0};
    ls_work *w = ls_work_new(&schemas, "", "");
    ls_buf events = {0};
    bool replaced;
    ls_place begin = {.file = 1, .offset = 100};
    static const char *const gtids[] = {"0-1-1", "7-1-1", "0-1-2", "", "7-1-2", "0-1-3"};
    ls_buf_str(&events, "x");
    assert_int_equal(ls_xas_prepare(&x, "a", &begin, 0, &events, &replaced, &err), 0);
    assert_false(replaced);
    for (unsigned i = 0; i < 6; i++) {
        ls_place mark = {.file = 1, .offset = 200 + i};
        snprintf(mark.gtid, sizeof mark.gtid, "%s", gtids[i]);
        assert_int_equal(ls_xas_wait(&x, &mark, &err), 0);
    }
    assert_int_equal(x.nwaiting, 2);
    assert_int_equal(ls_xas_decided(&x, ls_xas_find(&x, "a"), w, &err), 0);
    assert_int_equal(w->nmarks, 2);
    assert_string_equal(w->marks[0].place.gtid, "7-1-2");
    assert_string_equal(w->marks[1].place.gtid, "0-1-3");
    assert_int_equal(w->marks[1].place.offset, 205);
    assert_int_equal(x.nwaiting, 0);
    ls_xas_free(&x);
    ls_work_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_commit_and_rollback),
        TEST(test_marks_know_how_far_the_log_is_read),
        TEST(test_a_new_start),
        TEST(test_prepared_before_the_start),
        TEST(test_tables_left_out),
        TEST(test_one_phase),
        TEST(test_mysql_without_flags),
        TEST(test_over_several_batches),
        TEST(test_bounds),
        TEST(test_a_name_used_again),
        TEST(test_malformed),
        TEST(test_a_long_wait_is_said),
        cmocka_unit_test(test_waiting_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
