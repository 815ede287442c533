/* What only MySQL's binlog has: compressed transactions, GTIDs with tags, VECTOR and JSON columns. */
#include "binlogevent.h"

#include <zstd.h>

#include "base/text.h"

enum { PAYLOAD = 40, GTID_TAGGED = 42, GTID_MYSQL = 33 };

static void hex(fixture *f, const char *digits) {
    uint8_t b[256];
    size_t n = strlen(digits) / 2;
    assert_int_equal(ls_hex_read(b, digits, 2 * n), 0);
    ls_buf_add(&f->event, b, n);
}

/* Recorded from a MySQL 9.7 server. */
static const char tagged[] = "027400000002e2f503229903a503b50222c503a9020004f10300000002040406067265640809080a19080c7f2dd299922f610610b5041283120b";

static void begin_tagged(fixture *f) {
    event(f, GTID_TAGGED, 0);
    hex(f, tagged);
    ok(f);
}

static void test_gtid_with_a_tag(void **state) {
    fixture *f = *state;
    begin_tagged(f);
    query(f, "BEGIN");
    map(f);
    insert(f, 1, "a");
    commit(f);
    assert_string_equal(f->w->seen.changes[0].tx->id, "71fd11e6-e9ad-11f1-aa00-02fc00000001:red:1");
    came(f, "I1 t after id=1 note=a n=-1; mark 1 71fd11e6-e9ad-11f1-aa00-02fc00000001:red:1");
    for (size_t n = 0; n < 54; n += 2) { /* up to the tag's end */
        char cut[sizeof tagged];
        snprintf(cut, sizeof cut, "%.*s", (int)n, tagged);
        start_decoder(f, 3, 1000, "", 0);
        open_stream(f);
        event(f, GTID_TAGGED, 0);
        hex(f, cut);
        fails(f, "are wanted");
    }
    static const struct {
        const char *with, *want;
    } cases[] = {{"04740000", "it is in serialization version 2, only 1 is known"},
                 {"0274000200", "field 1 stands where field 0 is due"},
                 {"027400000002020202020202020202020202020202020404068500", "a tag of 33 bytes, 32 at most"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_decoder(f, 3, 1000, "", 0);
        open_stream(f);
        event(f, GTID_TAGGED, 0);
        hex(f, cases[i].with);
        fails(f, cases[i].want);
    }
}

/* A stream by GTIDs begins with the head of the file, and jumps over what was executed: here more than 4 GiB of it. */
static void test_start_by_gtid(void **state) {
    fixture *f = *state;
    const uint64_t sought = (UINT64_C(5) << 32) + 5000;
    const ls_place at = {.file = 3, .offset = sought};
    char pos[40];
    f->places = true;
    ls_binlog_free(f->b);
    assert_int_equal(ls_binlog_new(&f->b, &f->conf, &f->err), 0);
    ls_place_pos_binlog(pos, 0, 3, sought);
    ls_binlog_start(f->b, &at, pos, 1, true);
    f->at = 4;
    rotate_event(f, 0x20, "binlog.000003", 4);
    artificial(f);
    bool checksum = f->checksum;
    f->checksum = true;
    format_event(f);
    ok(f);
    f->checksum = checksum;
    event(f, 35, 0); /* PREVIOUS_GTIDS */
    ok(f);
    came(f, ""); /* no mark stands before the place where the stream was to begin */
    f->at = sought;
    begin_tagged(f);
    query(f, "BEGIN");
    map(f);
    insert(f, 1, "delivered before");
    insert(f, 2, "b");
    assert_string_equal(f->w->seen.changes[0].tx->pos, pos);
    commit(f);
    assert_int_equal(f->w->seen.count, 1);
    assert_int_equal(f->w->seen.changes[0].seq, 2);
    assert_int_equal(f->w->nmarks, 1);
    assert_int_equal(f->w->marks[0].place.offset, f->at);
    assert_true(f->at > sought);
}

/* ---- TRANSACTION_PAYLOAD ---- */

/* Takes the event that was built as the next one inside. */
static void inside(fixture *f, ls_buf *all) {
    uint32_t len = (uint32_t)f->event.len;
    memcpy(f->event.data + 9, &len, 4);
    ls_buf_add(all, f->event.data, f->event.len);
}

static void transaction(fixture *f, ls_buf *all, uint32_t rows) {
    query_event(f, "db", "BEGIN");
    inside(f, all);
    map_event(f, "db", "t");
    inside(f, all);
    rows_event(f, WRITE + V2, 7, 0);
    for (uint32_t i = 0; i < rows; i++) image(f, i, "abc", 1);
    inside(f, all);
    event(f, XID, 0);
    put(f, 1, 8);
    inside(f, all);
}

/* method 0: zstd, 255: none. */
static void payload_event(fixture *f, const ls_buf *all, uint8_t method, int64_t size_off) {
    static char made[200000];
    size_t n = all->len;
    if (method == 0)
        n = ZSTD_compress(made, sizeof made, all->data, all->len, 3);
    else
        memcpy(made, all->data, all->len);
    event(f, PAYLOAD, 0);
    put(f, 2, 1), put(f, method > 250 ? 3 : 1, 1);
    if (method > 250) put(f, 0xfc, 1), put(f, method, 2);
    else put(f, method, 1);
    put(f, 1, 1), put(f, 4, 1), put(f, 0xfd, 1), put(f, (uint64_t)((int64_t)n + size_off), 3); /* a length of three bytes */
    put(f, 0, 1);
    ls_buf_add(&f->event, made, n);
}

static void begin_mysql(fixture *f) {
    event(f, GTID_MYSQL, 0);
    put(f, 0, 1);
    hex(f, "71fd11e6e9ad11f1aa0002fc00000001");
    put(f, 9, 8);
    ok(f);
}

static void test_payload(void **state) {
    fixture *f = *state;
    static const uint8_t methods[] = {0, 255};
    for (size_t i = 0; i < 2; i++) {
        ls_buf all = {0};
        holds(f);
        begin_mysql(f);
        transaction(f, &all, 2);
        payload_event(f, &all, methods[i], 0);
        ok(f);
        assert_string_equal(f->w->seen.changes[0].tx->id, "71fd11e6-e9ad-11f1-aa00-02fc00000001:9");
        assert_int_equal(f->w->marks[0].place.offset, f->at); /* the outer event's end */
        came(f, "I1 t after id=0 note=abc n=1; I2 t after id=1 note=abc n=1; mark 2 71fd11e6-e9ad-11f1-aa00-02fc00000001:9");
        ls_buf_free(&all);
    }
}

/* More rows than a batch takes: the rest comes with ls_binlog_more(). */
static void over_several_batches(fixture *f) {
    ls_buf all = {0};
    uint64_t rows = 0;
    begin_mysql(f);
    transaction(f, &all, 5000);
    payload_event(f, &all, 0, 0);
    int rc = feed(f);
    for (;; rc = ls_binlog_more(f->b, f->w, &f->err)) {
        rows += f->w->seen.count;
        if (rc == 0) break;
        assert_int_equal(rc, 1);
        assert_int_equal(f->w->nmarks, 0);
        ls_work_reset(f->w);
    }
    assert_int_equal(rows, 5000);
    assert_int_equal(f->w->nmarks, 1);
    ls_work_reset(f->w);
    ls_buf_free(&all);
}

static void test_payload_over_batches(void **state) {
    fixture *f = *state;
    over_several_batches(f); /* as they come */
    holds(f);
    over_several_batches(f); /* held until their end */
}

static void refused(fixture *f, const ls_buf *all, uint8_t method, int64_t size_off, size_t cut, const char *want) {
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin_mysql(f);
    ls_buf part = *all;
    part.len -= cut;
    payload_event(f, &part, method, size_off);
    fails(f, want);
}

static void test_malformed_payload(void **state) {
    fixture *f = *state;
    ls_buf all = {0};
    transaction(f, &all, 2);
    refused(f, &all, 0, 1, 0, "it says that it holds");
    refused(f, &all, 7, 0, 0, "it is compressed by method 7, which is not known");
    refused(f, &all, 255, 0, 10, "ends inside an event's header");
    refused(f, &all, 0, 0, 3, "ends inside an event of 27 bytes");
    refused(f, &all, 255, 0, 28, "ends inside an event of");
    uint32_t huge = 1 << 30, tiny = 3;
    memcpy(all.data + 9, &huge, 4);
    refused(f, &all, 255, 0, 0, "ends inside an event of 1073741824 bytes");
    memcpy(all.data + 9, &tiny, 4);
    refused(f, &all, 0, 0, 0, "holds an event of 3 bytes");
    ls_buf_clear(&all);
    rotate_event(f, 0, "binlog.000009", 4);
    inside(f, &all);
    refused(f, &all, 255, 0, 0, "ROTATE event: it stands inside a compressed transaction");
    ls_buf_clear(&all);
    event(f, PAYLOAD, 0);
    put(f, 0, 1);
    inside(f, &all);
    refused(f, &all, 255, 0, 0, "a compressed transaction stands inside another one");
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin_mysql(f);
    event(f, PAYLOAD, 0);
    put(f, 2, 1), put(f, 1, 1), put(f, 0, 1), put(f, 0, 1), put(f, 0x1234567890, 5);
    fails(f, "a compressed transaction cannot be read (zstd: ");
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin_mysql(f);
    event(f, PAYLOAD, 0);
    put(f, 2, 1), put(f, 9, 1);
    fails(f, "are wanted");
    ls_buf_free(&all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_gtid_with_a_tag), TEST(test_start_by_gtid),
        TEST(test_payload),
        TEST(test_payload_over_batches),
        TEST(test_malformed_payload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
