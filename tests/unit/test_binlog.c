/* Transactions, rows, places: what goes through the binlog decoder when all is well. */
#include "binlogevent.h"

static void test_a_transaction(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    rows_event(f, UPDATE, 7, 7);
    image(f, 1, "a", 0);
    image(f, 1, NULL, 9);
    ok(f);
    rows_event(f, DELETE, 7, 0);
    image(f, 4000000000u, "x", 0);
    image(f, 2, NULL, 0);
    ok(f);
    assert_int_equal(f->w->nmarks, 0); /* before its end nothing may be passed over */
    commit(f);
    const ls_change *c = f->w->seen.changes;
    assert_string_equal(c->tx->id, "2-9-5");
    assert_string_equal(c->tx->pos, "000000030000000003e8");
    assert_int_equal(c->tx->ts, TS * INT64_C(1000000));
    assert_string_equal(c->tx->connector, "shop");
    assert_string_equal(c->schema->schema, "db");
    assert_int_equal(c->schema->cols[0].type, LS_TYPE_INTEGER);
    assert_int_equal(c->schema->cols[1].type, LS_TYPE_STRING);
    assert_int_equal(f->w->marks[0].place.offset, f->at);
    assert_string_equal(f->w->marks[0].place.gtid, "2-9-5");
    came(f, "I1 t after id=1 note=a n=-1; U2 t before id=1 after id=1 note=NULL n=9; D3 t before id=4000000000; D4 t "
            "before id=2; "
            "mark 4 2-9-5");
}

static void test_version_2_rows(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, WRITE + V2, 7, 0);
    image(f, 1, "a", 0);
    ok(f);
    event(f, DELETE + V2, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, 5, 2); /* extra data, counting its length */
    put(f, 0xabcdef, 3);
    put(f, 3, 1);
    put(f, 7, 1);
    image(f, 1, "a", 0);
    ok(f);
    came(f, "I1 t after id=1 note=a n=0; D2 t before id=1");
    event(f, WRITE + V2, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, 1, 2);
    fails(f, "extra data is 1 bytes long, 2 at least");
}

static void test_a_key_that_changes(void **state) {
    fixture *f = *state;
    f->key[0] = 1, f->key[1] = 0, f->nkey = 2; /* PRIMARY KEY (note, id) */
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, UPDATE, 7, 7);
    image(f, 1, "a", 5);
    image(f, 1, "b", 6);
    ok(f);
    const ls_change *c = f->w->seen.changes;
    assert_int_equal(c->schema->key[0], 1);
    assert_int_equal(c[0].flags, LS_MOVED_TO);
    assert_memory_equal(c[0].moved[0].as.p, "b", 1);
    assert_int_equal(c[1].flags, LS_MOVED_FROM);
    came(f, "D1 t before id=1 note=a; I2 t after id=1 note=b n=6");
}

static void test_without_a_key(void **state) {
    fixture *f = *state;
    f->nkey = 0;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, UPDATE, 7, 7);
    image(f, 1, "a", 5);
    image(f, 2, "a", 5);
    ok(f);
    came(f, "U1 t before id=1 note=a n=5 after id=2 note=a n=5");
}

static void test_partial_images(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, UPDATE, 1, 4); /* MINIMAL */
    put(f, 0, 1), put(f, 7, 4), put(f, 0, 1), put(f, 3, 2);
    ok(f);
    rows_event(f, UPDATE, 7, 4); /* the row before has what the row after lacks */
    image(f, 7, "a", 1);
    put(f, 0, 1), put(f, 3, 2);
    ok(f);
    rows_event(f, WRITE, 1, 0);
    put(f, 0, 1), put(f, 8, 4);
    ok(f);
    came(f, "U1 t before id=7 after id=7 note=? n=3; U2 t before id=7 after id=7 note=a n=3; I3 t after id=8");
    assert_non_null(strstr(f->warned, "table db.t: a session logs partial rows"));
    assert_ptr_equal(strchr(f->warned, '|'), strrchr(f->warned, '|')); /* once */
}

static void bad_text(fixture *f, const char *want) {
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, WRITE, 7, 0);
    image(f, 77, "\xff", -12);
    fails(f, want);
}

/* The error names the row, also where its key stands behind the value. */
static void test_a_value_that_is_none(void **state) {
    fixture *f = *state;
    bad_text(f, "WRITE_ROWS event: table db.t, column note, key id = 77: text that is not valid");
    f->key[0] = 2;
    bad_text(f, "table db.t, column note, key n = -12: text");
    f->key[0] = 1;
    f->key[1] = 0, f->nkey = 2;
    bad_text(f, "table db.t, column note, key note = ?, id = 77: text");
    f->nkey = 0;
    bad_text(f, "table db.t, column note: text");
}

static void test_partial_images_that_are_expected(void **state) {
    fixture *f = *state;
    f->conf.partial_rows = true;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, UPDATE, 1, 4);
    put(f, 0, 1), put(f, 7, 4), put(f, 0, 1), put(f, 3, 2);
    ok(f);
    came(f, "U1 t before id=7 after id=7 note=? n=3");
    assert_string_equal(f->warned, "");
    rows_event(f, WRITE, 2, 0); /* the key took its default */
    put(f, 0, 1), text(f, "a");
    fails(f, "table db.t: a row came without its key column id");
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, DELETE, 2, 0);
    put(f, 0, 1), text(f, "a");
    fails(f, "a row came without its key column id");
}

static void test_tables_left_out_are_not_counted(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map_event(f, "db", "out");
    ok(f);
    insert(f, 1, "a");
    f->id++;
    map(f);
    insert(f, 2, "b");
    commit(f);
    came(f, "I1 t after id=2 note=b n=-1; mark 1 2-9-5");
    begin(f, 6, TRANSACTIONAL);
    commit(f);
    begin(f, 7, STANDALONE);
    query(f, "CREATE TABLE x (id int)");
    came(f, "mark 0 2-9-6; mark 0 2-9-7");
}

static void test_schemas_are_shared(void **state) {
    fixture *f = *state;
    for (uint64_t i = 0; i < 50; i++) {
        f->id = 100 + i; /* the server gives new ids for the same table */
        begin(f, i, TRANSACTIONAL);
        map(f);
        insert(f, 1, "a");
        commit(f);
        ls_work_reset(f->w);
        if (i == 20) {
            format_event(f);
            ok(f);
        }
    }
    assert_int_equal(f->schemas.last_id, 1);
    f->key[0] = 1; /* now it is another table */
    f->id = 100;
    begin(f, 99, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    assert_int_equal(f->schemas.last_id, 2);
    assert_int_equal(f->w->seen.changes[0].schema->key[0], 1);
}

static void test_ids_end_with_a_file(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    commit(f);
    rotate_event(f, 0, "binlog.000004", 4);
    ok(f);
    f->at = 4;
    begin(f, 6, TRANSACTIONAL);
    rows_event(f, WRITE, 7, 0);
    image(f, 1, "a", 0);
    fails(f, "binlog.000004, offset 46, WRITE_ROWS event: no TABLE_MAP came for its table id 100");
}

static void test_a_full_batch(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, WRITE, 7, 0);
    enum { ROWS = 2500 };
    for (uint32_t i = 1; i <= ROWS; i++) image(f, i, "x", 0);
    int rc = feed(f);
    uint64_t seq = 0;
    unsigned batches = 1;
    for (;; batches++) {
        assert_true(f->w->seen.count <= LS_BATCH_ROWS);
        for (uint32_t i = 0; i < f->w->seen.count; i++) {
            const ls_change *c = &f->w->seen.changes[i];
            assert_int_equal(c->seq, ++seq);
            assert_int_equal(c->after[0].as.u, seq);
            assert_string_equal(c->tx->id, "2-9-5");
        }
        assert_int_equal(f->w->nmarks, 0);
        ls_work_reset(f->w);
        if (rc == 0) break;
        rc = ls_binlog_more(f->b, f->w, &f->err);
        assert_true(rc >= 0);
    }
    assert_int_equal(seq, ROWS);
    assert_int_equal(batches, 3);
    commit(f);
    assert_int_equal(f->w->nmarks, 1);
}

static void resume(fixture *f, const char *pos, uint64_t seq) {
    start_decoder(f, 3, 1000, pos, seq);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    rows_event(f, UPDATE, 7, 7); /* counts for two */
    image(f, 1, "a", 0);
    image(f, 2, "a", 0);
    ok(f);
    insert(f, 3, "c");
    commit(f);
    f->second = f->at;
    begin(f, 6, STANDALONE);
    query(f, "TRUNCATE t");
}

static void test_resume(void **state) {
    fixture *f = *state;
    resume(f, "000000030000000003e8", 1);
    came(f,
         "D2 t before id=1; I3 t after id=2 note=a n=0; I4 t after id=3 note=c n=-1; T1 t; mark 3 2-9-5; mark 4 2-9-6");
    resume(f, "000000030000000003e8", 2);
    came(f, "I3 t after id=2 note=a n=0; I4 t after id=3 note=c n=-1; T1 t; mark 2 2-9-5; mark 3 2-9-6");
    resume(f, "000000030000000003e8", 4);
    came(f, "T1 t; mark 0 2-9-5; mark 1 2-9-6");
    char second[40];
    ls_place_pos_binlog(second, 0, 3, f->second);
    resume(f, second, 1); /* the TRUNCATE */
    came(f, "mark 0 2-9-5; mark 0 2-9-6");
    resume(f, "000000030000000003e7", 9); /* an earlier one */
    assert_int_equal(f->w->seen.count, 5);
    batch(f);
}

static void test_places(void **state) {
    fixture *f = *state;
    f->places = true;
    came(f, "");      /* a FORMAT_DESCRIPTION without a position moves nothing */
    event(f, 161, 0); /* BINLOG_CHECKPOINT */
    ok(f);
    came(f, "mark 0 3:1023");
    event(f, HEARTBEAT, 0);
    ls_buf_str(&f->event, "binlog.000003");
    close_event(f, 5000);
    assert_int_equal(ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err), 0);
    came(f, "mark 0 3:5000");
    assert_int_equal(ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err), 0);
    came(f, "");
    f->at = 5000;
    rotate_event(f, 0, "binlog.000004", 4);
    ok(f);
    came(f, "mark 0 4:4");
    rotate_event(f, 0x20, "binlog.000004", 4);
    artificial(f);
    came(f, "");
    assert_string_equal(ls_binlog_base(f->b), "binlog");
}

/* A transaction that was begun in another log, under another epoch, is known by its GTID. */
static void test_within_a_transaction_of_another_log(void **state) {
    fixture *f = *state;
    start_decoder(f, 3, 1000, "", 0);
    ls_binlog_epoch(f->b, 1, "2-9-6", 1);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    commit(f);
    f->second = f->at;
    begin(f, 6, TRANSACTIONAL);
    map(f);
    insert(f, 2, "delivered");
    insert(f, 3, "c");
    commit(f);
    char pos[40];
    ls_place_pos_binlog(pos, 1, 3, f->second);
    assert_int_equal(f->w->seen.count, 2);
    assert_string_equal(f->w->seen.changes[0].tx->pos, "1-000000030000000003e8");
    assert_string_equal(f->w->seen.changes[1].tx->pos, pos);
    assert_int_equal(f->w->seen.changes[1].seq, 2);
    came(f, "I1 t after id=1 note=a n=-1; I2 t after id=3 note=c n=-1; mark 1 2-9-5; mark 2 2-9-6");
}

/* The file's first event has the time when it was made: marks carry it, and the same name with another time is another log. */
static void test_a_log_begun_anew(void **state) {
    fixture *f = *state;
    ls_place at = {.file = 3, .offset = 1000};
    begin(f, 5, TRANSACTIONAL);
    commit(f);
    at.created = f->w->marks[0].place.created;
    assert_int_not_equal(at.created, 0);
    batch(f);
    for (int i = 0; i < 3; i++) { /* the same, another file of the name, an earlier file */
        ls_binlog_free(f->b);
        assert_int_equal(ls_binlog_new(&f->b, &f->conf, &f->err), 0);
        at.created -= i == 1;
        ls_binlog_start(f->b, &at, "", 0, i == 2);
        f->at = i == 2 ? 4 : 1000;
        rotate_event(f, 0x20, i == 2 ? "binlog.000002" : "binlog.000003", f->at);
        artificial(f);
        format_event(f);
        if (i == 0) {
            artificial(f);
            continue;
        }
        fails(f, i == 1 ? "the file was made at" : "begins with this file");
        assert_int_equal(f->err.code, LS_LOST);
    }
}

static void test_a_file_above_4_gib(void **state) {
    fixture *f = *state;
    start_decoder(f, 3, UINT64_C(0xffffff00), "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    for (uint32_t i = 0; i < 20; i++) insert(f, i, "aaaaaaaaaa");
    assert_true(f->at > UINT32_MAX);
    commit(f);
    assert_int_equal(f->w->marks[0].place.offset, f->at);
    batch(f);
    uint64_t at = f->at;
    begin(f, 6, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    char pos[40];
    ls_place_pos_binlog(pos, 0, 3, at);
    assert_string_equal(f->w->seen.changes[0].tx->pos, pos);
    commit(f);
    batch(f);
    /* a start by GTID says where the file begins, not where the stream stands */
    start_decoder(f, 3, at, "", 0);
    rotate_event(f, 0x20, "binlog.000003", 4);
    artificial(f);
    format_event(f);
    artificial(f);
    begin(f, 6, TRANSACTIONAL);
    commit(f);
    assert_int_equal(f->w->marks[0].place.offset, f->at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_transaction),
        TEST(test_version_2_rows),
        TEST(test_a_key_that_changes),
        TEST(test_without_a_key),
        TEST(test_partial_images),
        TEST(test_a_value_that_is_none),
        TEST(test_partial_images_that_are_expected),
        TEST(test_tables_left_out_are_not_counted),
        TEST(test_schemas_are_shared),
        TEST(test_ids_end_with_a_file),
        TEST(test_a_full_batch),
        TEST(test_resume),
        TEST(test_places),
        TEST(test_within_a_transaction_of_another_log),
        TEST(test_a_log_begun_anew),
        TEST(test_a_file_above_4_gib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
