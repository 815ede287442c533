/* Events that MariaDB compresses (log_bin_compress): the same changes come out. */
#include "binlogevent.h"

#include "capture/binlog_inflate.h"

enum { QUERY_COMPRESSED = 165, WRITE_COMPRESSED = 166, COMPRESSED_V2 = 3 };

/* Replaces what stands in the event behind `from` by its compressed form, with a length of `width` bytes. */
static void compress_from(fixture *f, size_t from, size_t width, int64_t off) {
    uint8_t made[4096];
    uLongf n = sizeof made;
    uint64_t plain = (uint64_t)((int64_t)(f->event.len - from) + off);
    assert_int_equal(compress(made, &n, (const Bytef *)f->event.data + from, f->event.len - from), Z_OK);
    f->event.len = from;
    put(f, 0x80 | width, 1);
    for (size_t i = width; i-- > 0;) put(f, plain >> 8 * i, 1);
    ls_buf_add(&f->event, made, n);
}

enum { ROWS_V1 = 19 + 8 + 1 + 1, ROWS_V2 = ROWS_V1 + 2 }; /* where the rows of one bitmap begin */

static void test_rows(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_event(f, WRITE_COMPRESSED, 7, 0);
    f->event.len = 19;
    put(f, f->id, 6), put(f, 1, 2), put(f, 3, 1), put(f, 7, 1); /* as v1 */
    image(f, 1, "a", 1);
    image(f, 2, NULL, 2);
    compress_from(f, ROWS_V1, 1, 0);
    ok(f);
    event(f, WRITE_COMPRESSED + 1, 0);
    put(f, f->id, 6), put(f, 1, 2), put(f, 3, 1), put(f, 7, 1), put(f, 7, 1);
    image(f, 1, "a", 1);
    image(f, 1, "b", 1);
    compress_from(f, ROWS_V1 + 1, 4, 0);
    ok(f);
    event(f, WRITE_COMPRESSED + COMPRESSED_V2 + 2, 0);
    put(f, f->id, 6), put(f, 1, 2), put(f, 2, 2), put(f, 3, 1), put(f, 7, 1);
    image(f, 2, NULL, 2);
    compress_from(f, ROWS_V2, 2, 0);
    ok(f);
    commit(f);
    came(f, "I1 t after id=1 note=a n=1; I2 t after id=2 note=NULL n=2; U3 t before id=1 after id=1 note=b n=1; D4 t before id=2; "
            "mark 4 2-9-5");
}

static void rows_of(fixture *f, uint32_t count) {
    event(f, WRITE_COMPRESSED, 0);
    put(f, f->id, 6), put(f, 1, 2), put(f, 3, 1), put(f, 7, 1);
    for (uint32_t i = 0; i < count; i++) image(f, i, "a", 1);
}

/* Held, then drained over several batches. */
static void test_held(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, TRANSACTIONAL);
    for (int i = 0; i < 10; i++) {
        map(f);
        rows_of(f, 300);
        compress_from(f, ROWS_V1, 2, 0);
        ok(f);
    }
    came(f, "");
    event(f, XID, 0);
    put(f, 1, 8);
    int rc = feed(f), rows = 0;
    for (;; rc = ls_binlog_more(f->b, f->w, &f->err)) {
        rows += (int)f->w->seen.count;
        if (rc == 0) break;
        assert_int_equal(rc, 1);
        ls_work_reset(f->w);
    }
    assert_int_equal(rows, 3000);
    assert_int_equal(f->w->nmarks, 1);
}

static void test_a_statement(void **state) {
    fixture *f = *state;
    begin(f, 5, STANDALONE);
    query_event(f, "db", "TRUNCATE t");
    f->event.data[4] = (char)QUERY_COMPRESSED;
    compress_from(f, f->event.len - strlen("TRUNCATE t"), 1, 0);
    ok(f);
    came(f, "T1 t; mark 1 2-9-5");
}

static void refused(fixture *f, size_t from, size_t width, int64_t off, const char *why) {
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_of(f, 3);
    if (width) compress_from(f, from, width, off);
    fails(f, why);
}

static void test_malformed(void **state) {
    fixture *f = *state;
    refused(f, ROWS_V1, 0, 0, "compressed bytes that begin with 0, which is not known");
    refused(f, ROWS_V1, 1, 1, "cannot be inflated");
    refused(f, ROWS_V1, 1, -1, "cannot be inflated");
    refused(f, ROWS_V1, 4, 1 << 30, "which cannot be");
    refused(f, ROWS_V1, 4, 100000, "which cannot be");
    refused(f, ROWS_V1, 5, 0, "compressed bytes that begin with 133");
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    rows_of(f, 0);
    put(f, 0x82, 1), put(f, 1, 1);
    fails(f, "at byte 30 of the event 2 bytes are wanted, 1 remain");
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, STANDALONE);
    query_event(f, "db", "");
    f->event.data[4] = (char)QUERY_COMPRESSED;
    fails(f, "1 bytes are wanted, 0 remain");
}

static void test_inflate(void **state) {
    (void)state;
    uint8_t made[64], plain[8];
    uLongf n = sizeof made;
    ls_error err;
    assert_int_equal(compress(made, &n, (const Bytef *)"", 0), Z_OK);
    assert_int_equal(ls_inflate(NULL, 0, made, n, false, &err), 0);
    assert_int_equal(ls_inflate(plain, 0, made, n - 1, false, &err), -1);
    assert_int_equal(ls_inflate(plain, 8, made, n, false, &err), -1);
    assert_int_equal(ls_inflate(plain, 0, made, n, true, &err), -1); /* zlib's header is no raw stream */
    assert_int_equal(ls_inflate_check(0, 0, &err), 0);
    assert_int_equal(ls_inflate_check(1, 1032, &err), 0);
    assert_int_equal(ls_inflate_check(1, 1033, &err), -1);
    assert_int_equal(ls_inflate_check(1 << 30, UINT64_C(1) << 31, &err), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_rows), TEST(test_held), TEST(test_a_statement), TEST(test_malformed), cmocka_unit_test(test_inflate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
