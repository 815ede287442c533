/* Statements, rows that are taken back, events that are refused; and what a real server wrote (fuzz/seeds/binlog). */
#include "binlogevent.h"

static void test_statements(void **state) {
    fixture *f = *state;
    begin(f, 5, STANDALONE);
    query(f, "TRUNCATE TABLE `db`.`t`");
    begin(f, 6, STANDALONE);
    query(f, "truncate out"); /* left out */
    begin(f, 7, STANDALONE);
    query(f, "DROP TABLE a, out, other.b, c");
    begin(f, 8, STANDALONE);
    query(f, "RENAME TABLE a TO other.b, out TO c, c TO d");
    begin(f, 9, STANDALONE);
    query(f, "DROP DATABASE db");
    begin(f, 10, STANDALONE);
    query(f, "DROP DATABASE other");
    const ls_change *c = f->w->seen.changes;
    assert_int_equal(c[0].schema->ncols, 0);
    assert_string_equal(c[5].schema->schema, "db");
    f->w->nmarks = 0;
    came(f, "T1 t; X1 a; X2 c; R1 a>other.b; R2 c>db.d; X1 *");
    f->conf.ddl = false;
    start_decoder(f, 3, f->at, "", 0);
    open_stream(f);
    begin(f, 11, STANDALONE);
    query(f, "DROP TABLE a");
    begin(f, 12, STANDALONE);
    query(f, "TRUNCATE T");
    f->w->nmarks = 0;
    came(f, "T1 T");
    f->conf.lower_case = true;
    start_decoder(f, 3, f->at, "", 0);
    open_stream(f);
    begin(f, 12, STANDALONE);
    query(f, "TRUNCATE DB.T");
    f->w->nmarks = 0;
    came(f, "T1 t");
}

static void test_statement_logging(void **state) {
    fixture *f = *state;
    begin(f, 5, 0);
    query_event(f, "db", "INSERT INTO t VALUES (1)");
    fails(f, "binlog.000003, offset 1042, QUERY event: a statement in database \"db\" changed rows that are not in the "
             "log: statement "
             "logging; SET GLOBAL binlog_format = 'ROW'");
    assert_int_equal(f->err.code, LS_FAIL);
}

static void test_partitions(void **state) {
    fixture *f = *state;
    begin(f, 5, STANDALONE);
    query(f, "ALTER TABLE t TRUNCATE PARTITION p0");
    assert_non_null(strstr(f->warned, "table db.t: ALTER TABLE changed its partitions"));
    begin(f, 6, STANDALONE);
    query(f, "ALTER TABLE out TRUNCATE PARTITION p0");
    assert_null(strstr(f->warned, "db.out"));
}

static void test_rows_that_are_rolled_back(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, TRANSACTIONAL); /* which a group with a temporary table is too, and can end in ROLLBACK all the same */
    map(f);
    insert(f, 1, "kept");
    query(f, "SAVEPOINT `m`");
    insert(f, 2, "undone");
    query(f, "SAVEPOINT k");
    insert(f, 3, "undone");
    query(f, "ROLLBACK TO M");
    insert(f, 4, "kept");
    assert_int_equal(f->w->seen.count, 0);
    query(f, "COMMIT");
    came(f, "I1 t after id=1 note=kept n=-1; I2 t after id=4 note=kept n=-1; mark 2 2-9-5");
    begin(f, 6, 0);
    map(f);
    insert(f, 1, "x");
    query(f, "ROLLBACK");
    assert_int_equal(f->w->seen.count, 0);
    assert_int_equal(f->w->nmarks, 1);
}

static void test_savepoints_of_one_name(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    for (uint32_t i = 0; i < 70000; i++) query(f, "SAVEPOINT s"); /* RELEASE SAVEPOINT is not in the log */
    insert(f, 1, "kept");
    query(f, "SAVEPOINT s");
    query(f, "SAVEPOINT t");
    insert(f, 2, "undone");
    query(f, "ROLLBACK TO s");
    insert(f, 3, "kept");
    commit(f);
    came(f, "I1 t after id=1 note=kept n=-1; I2 t after id=3 note=kept n=-1; mark 2 2-9-5");
}

static void test_errors_name_held_events(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    uint64_t at = f->at;
    char place[64];
    rows_event(f, WRITE, 7, 0);
    put(f, 0, 1);
    ok(f);
    event(f, XID, 0);
    put(f, 1, 8);
    snprintf(place, sizeof place, "binlog.000003, offset %d, WRITE_ROWS", (int)at);
    fails(f, place);
}

static void test_a_held_transaction_over_batches(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, 0);
    map(f);
    for (uint32_t i = 0; i < 2000; i++) insert(f, i, "x");
    event(f, XID, 0);
    put(f, 1, 8);
    int rc = feed(f);
    uint32_t rows = f->w->seen.count;
    assert_int_equal(rc, 1);
    while (rc == 1) {
        assert_int_equal(f->w->nmarks, 0);
        ls_work_reset(f->w);
        rc = ls_binlog_more(f->b, f->w, &f->err);
        rows += f->w->seen.count;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(rows, 2000);
    assert_int_equal(f->w->nmarks, 1);
    ls_work_reset(f->w);
    begin(f, 6, TRANSACTIONAL);
}

/* Too large to be held: its rows are passed on, and taking them back is an error. */
static void test_a_transaction_too_large_to_hold(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, 0);
    map(f);
    enum { ROWS = 30000 }; /* an event of them has given its memory back before the last one is decoded */
    uint64_t rows = 0, events = 0;
    for (size_t held = 0; held <= HOLD_MAX; events++) {
        rows_event(f, WRITE, 7, 0);
        for (uint32_t i = 0; i < ROWS; i++) image(f, i, "x", 0);
        held += f->event.len;
        int rc = feed(f);
        assert_true(rc >= 0);
        for (;; rc = ls_binlog_more(f->b, f->w, &f->err)) {
            for (uint32_t i = 0; i < f->w->seen.count; i++) assert_int_equal(f->w->seen.changes[i].after[0].as.i, rows++ % ROWS);
            ls_work_reset(f->w);
            if (rc == 0) break;
        }
    }
    assert_int_equal(rows, events * ROWS);
    query_event(f, "db", "ROLLBACK");
    fails(f, "transaction 2-9-5 rolls back");
}

/* One column beside the key. */
static void one_column(fixture *f, uint8_t code, const char *meta, size_t nmeta, uint8_t collation) {
    map_head(f, "db", "t");
    put(f, 2, 1);
    put(f, 3, 1);
    put(f, code, 1);
    put(f, nmeta, 1);
    ls_buf_add(&f->event, meta, nmeta);
    put(f, 3, 1);
    put(f, 2, 1), put(f, 1, 1), put(f, collation, 1);
    put(f, 4, 1), put(f, 5, 1);
    text(f, "id");
    text(f, "c");
    ok(f);
    event(f, WRITE, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, 2, 1);
    put(f, 1, 1); /* only id: the type alone decides */
    put(f, 0, 1);
    put(f, 7, 4);
}

static void test_types_that_are_not_decoded(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    one_column(f, 0, "", 0, 63);
    fails(f, "table db.t, column c: its type (DECIMAL of a table older than MySQL 5) cannot be captured; leave the table out of tables with "
             "\"!db.t\"");
    one_column(f, 15, "\12\0", 2, 99);
    fails(f, "(text in a character set that is not converted)");
}

static void test_types_that_only_the_server_knows(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    one_column(f, 254, "\xfe\20", 2, 63); /* BINARY(16) */
    ok(f);
    assert_int_equal(f->asked, 1);
    one_column(f, 254, "\xfe\20", 2, 63);
    ok(f);
    assert_int_equal(f->asked, 1); /* the same table id: the same table */
    const uint32_t plain = f->w->seen.changes[1].schema->id;
    assert_int_equal(f->w->seen.changes[0].schema->id, plain);
    f->id++; /* made anew: another type */
    f->asked_type = LS_ASKED_UUID;
    one_column(f, 254, "\xfe\20", 2, 63);
    ok(f);
    assert_int_equal(f->w->seen.changes[2].schema->cols[1].type, LS_TYPE_UUID);
    assert_int_not_equal(f->w->seen.changes[2].schema->id, plain);
    f->asked_type = LS_ASKED_JSON;
    one_column(f, 252, "\4", 1, 46);
    ok(f);
    assert_int_equal(f->w->seen.changes[3].schema->cols[1].type, LS_TYPE_JSON);
    f->asked = 0;
    one_column(f, 254, "\xfe\21", 2, 63); /* BINARY(17) is nothing else */
    ok(f);
    assert_int_equal(f->asked, 0);
}

/* n columns BIGINT UNSIGNED. */
static void numbers(fixture *f, const char *table, const char *const *names, size_t n) {
    map_head(f, "db", table);
    put(f, n, 1);
    for (size_t i = 0; i < n; i++) put(f, 8, 1);
    put(f, 0, 1);
    put(f, 0, (n + 7) / 8);
    put(f, 1, 1), put(f, (n + 7) / 8, 1);
    for (size_t i = 0; i < (n + 7) / 8; i++) put(f, 0xff, 1);
    size_t length = n;
    for (size_t i = 0; i < n; i++) length += strlen(names[i]);
    put(f, 4, 1), put(f, length, 1);
    for (size_t i = 0; i < n; i++) text(f, names[i]);
    ok(f);
    event(f, WRITE, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, n, 1);
    put(f, (1u << n) - 1, (n + 7) / 8);
    put(f, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++) put(f, i + 1, 8);
}

static void test_tables_of_the_server_itself(void **state) {
    static const char *const hashed[] = {"a", "DB_ROW_HASH_1"}, *const own[] = {"DB_ROW_HASH_1", "b"};
    static const char *const sequence[] = {"next_not_cached_value", "minimum_value", "maximum_value", "start_value",
                                           "increment", "cache_size", "cycle_option", "cycle_count"};
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    numbers(f, "t", hashed, 2);
    ok(f);
    came(f, "I1 t after a=1");
    numbers(f, "t2", own, 2);
    ok(f);
    came(f, "I2 t2 after DB_ROW_HASH_1=1 b=2");
    numbers(f, "s", sequence, 8);
    ok(f);
    came(f, "");
    numbers(f, "versioned", own, 2);
    fails(f, "table db.versioned is system-versioned");
}

static void test_metadata_without_names(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map_head(f, "db", "t");
    put(f, 1, 1), put(f, 3, 1), put(f, 0, 1), put(f, 1, 1);
    fails(f, "table db.t: the log holds no column names: SET GLOBAL binlog_row_metadata = 'FULL'");
}

static void test_a_crash_inside_a_transaction(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    rotate_event(f, 0x20, "binlog.000004", 4);
    artificial(f);
    assert_non_null(strstr(f->warned, "breaks off in transaction 2-9-5"));
    f->at = 4;
    begin(f, 6, TRANSACTIONAL);
}

static void test_events_that_are_refused(void **state) {
    fixture *f = *state;
    static const struct {
        uint8_t type;
        const char *text;
    } cases[] = {{18, "SET GLOBAL binlog_format = 'ROW'"},
                 {99, "offset 1000, event of type 99: events of type 99 are not known"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f->at = 1000;
        start_decoder(f, 3, 1000, "", 0);
        open_stream(f);
        event(f, cases[i].type, 0);
        fails(f, cases[i].text);
    }
    f->at = 1000;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    event(f, INCIDENT, 0);
    put(f, 1, 2);
    text(f, "lost");
    fails(f, "could not write all changes to its log (\"lost\")");
    event(f, 99, 0x80); /* ignorable */
    ok(f);
    event(f, 160, 0); /* ANNOTATE_ROWS */
    ok(f);
    rows_event(f, WRITE, 7, 0);
    fails(f, "rows outside a transaction");
    begin(f, 5, TRANSACTIONAL);
    gtid_event(f, 6, TRANSACTIONAL);
    fails(f, "begins inside another one");
}

static void test_checksums(void **state) {
    fixture *f = *state;
    gtid_event(f, 5, TRANSACTIONAL);
    close_event(f, 0);
    f->event.data[20] ^= 1;
    assert_int_equal(ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err), -1);
    assert_non_null(strstr(f->err.text, "binlog.000003, offset 1000, GTID event: its checksum is "));
    f->checksum = false;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
    insert(f, 1, "a");
    commit(f);
    came(f, "I1 t after id=1 note=a n=-1; mark 1 2-9-5");
}

/* Every prefix of every kind of event, its length and checksum right, is refused or harmless, and says what is wrong.
 */
static void test_events_cut_short(void **state) {
    fixture *f = *state;
    f->checksum = false;
    for (int kind = 0; kind < 6; kind++)
        for (size_t n = 0;; n++) {
            start_decoder(f, 3, 1000, "", 0);
            open_stream(f);
            if (kind > 1) begin(f, 5, TRANSACTIONAL);
            if (kind > 2) map(f);
            if (kind == 0) gtid_event(f, 6, 0);
            if (kind == 1) query_event(f, "db", "TRUNCATE t");
            if (kind == 2) map_event(f, "db", "t");
            if (kind == 3) rows_event(f, WRITE, 7, 0), image(f, 1, "abc", 2);
            if (kind == 4) rows_event(f, UPDATE + V2, 7, 7), image(f, 1, "abc", 2), image(f, 2, "abc", 2);
            if (kind == 5) rotate_event(f, 0, "binlog.000004", 4);
            if (n >= f->event.len) break;
            f->event.len = n < 19 ? 19 : n;
            close_event(f, 0);
            char *copy = malloc(n ? n : 1); /* so that a read beyond it is seen */
            if (n) memcpy(copy, f->event.data, n);
            int rc = ls_binlog_event(f->b, (const uint8_t *)copy, n, f->w, &f->err);
            free(copy);
            if (rc == -1) assert_non_null(strstr(f->err.text, "offset 1"));
            if (n < 19) {
                assert_int_equal(rc, -1);
                assert_non_null(strstr(f->err.text, n == 18 ? "are wanted, 1 remain" : "are wanted"));
            }
            ls_work_reset(f->w);
        }
}

static void test_names_of_files(void **state) {
    (void)state;
    char base[16];
    uint64_t n;
    assert_int_equal(ls_binlog_name_read("mysql-bin.000123", 16, base, sizeof base, &n), 0);
    assert_string_equal(base, "mysql-bin");
    assert_int_equal(n, 123);
    assert_int_equal(ls_binlog_name_read("a.b.1000000", 11, base, sizeof base, &n), 0);
    assert_string_equal(base, "a.b");
    assert_int_equal(n, 1000000);
    static const char *const bad[] = {"", "x", "x.", ".1", "x.1a", "x.99999999999", "aaaaaaaaaaaaaaaa.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ls_binlog_name_read(bad[i], strlen(bad[i]), base, sizeof base, &n), -1);
}

/* ---- recorded from a MariaDB 10.11 ---- */

static void decode_seed(fixture *f, const char *name, ls_buf *out) {
    char path[512];
    snprintf(path, sizeof path, "%s/fuzz/seeds/binlog/%s", TESTS_DIR, name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    static uint8_t bytes[65536];
    size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    static const char *const all[] = {"*.*"};
    f->conf.tables = all;
    f->conf.ntables = 1;
    start_decoder(f, 6, 4, "", 0);
    for (size_t at = 0, len; at < n; at += len) {
        uint32_t l;
        memcpy(&l, bytes + at + 9, 4);
        len = l;
        assert_true(len <= n - at);
        int rc = ls_binlog_event(f->b, bytes + at, len, f->w, &f->err);
        if (rc) fail_msg("%s: %s", name, f->err.text);
    }
    f->w->nmarks = 0;
    ls_buf_str(out, batch(f));
}

static void has(ls_buf *text_of, const char *part) {
    if (!strstr(ls_buf_cstr(text_of), part)) fail_msg("no \"%s\" in %s", part, text_of->data);
}

static void test_recorded_types(void **state) {
    fixture *f = *state;
    ls_buf out = {0};
    decode_seed(f, "types", &out);
    has(&out, "I1 n after id=1 t=-128 tu=255 s=-32768 su=65535 m=-8388608 mu=16777215 i=-2147483648 iu=4294967295 "
              "b=-9223372036854775808 "
              "bu=18446744073709551615 f=1.5 d=-0.1 y=2155 bo=1 "
              "de=12345678901234567890123456789012345.123456789012345678901234567890 "
              "de2=-12345678.90 de3=0.00000000000000000000000000000000000001 de4=-999999999");
    has(&out, "id=1 d=2026-01-02 t=-01:02:03 t2=-01:02:03.45 t6=-00:00:00.000001 dt=2026-01-02T03:04:05 "
              "dt1=2026-01-02T03:04:05.6 "
              "dt3=2026-01-02T03:04:05.678 dt6=9999-12-31T23:59:59.999999 ts=2026-01-01T22:04:05Z "
              "ts6=2038-01-19T03:14:07.999999Z "
              "ts3=1970-01-01T00:00:01.1Z");
    has(&out, "id=2 d=0000-00-00 t=838:59:59 t2=-838:59:59 t6=00:00:00 dt=0000-00-00T00:00:00 dt1=2026-00-00T00:00:00");
    has(&out, "U1 nk before a=1 b=x after a=1 b=y; U2 nk before a=1 b=x after a=1 b=y; D1 nk before a=NULL b=NULL");
    has(&out, "D1 pk2 before a=1 b=x; I2 pk2 after a=1 b=z c=7");
    has(&out, "I1 pk2 after dd=9 a=8 b=q c=1; I1 pk2 after dd=9 a=9 b=q cc=1; I1 pk2 after dd=9 a=10 b=q");
    ls_buf_free(&out);
}

static void test_recorded_statements(void **state) {
    fixture *f = *state;
    ls_buf out = {0};
    decode_seed(f, "statements", &out);
    has(&out, "T1 pk2; T1 nk; R1 nk>ty.nk2; R2 pk2>ty.pk3; R1 pk3>ty.pk4; R1 pk4>ty.pk5; X1 nk2; X2 pk5; I1 mi after "
              "id=1 b=b; "
              "U1 mi before id=1 after id=1 a=? b=c; D1 mi before id=1; I2 mi after id=2 a=? b=?");
    ls_buf_free(&out);
}

static void test_recorded_savepoints(void **state) {
    fixture *f = *state;
    holds(f);
    ls_buf out = {0};
    decode_seed(f, "held", &out);
    has(&out, "I1 sp after id=8 v=before; I2 sp after id=10 v=after; I3 sp after id=13 v=q; I1 my");
    ls_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_statements),
        TEST(test_statement_logging),
        TEST(test_partitions),
        TEST(test_rows_that_are_rolled_back),
        TEST(test_savepoints_of_one_name),
        TEST(test_errors_name_held_events),
        TEST(test_a_held_transaction_over_batches),
        TEST(test_a_transaction_too_large_to_hold),
        TEST(test_types_that_are_not_decoded),
        TEST(test_types_that_only_the_server_knows),
        TEST(test_tables_of_the_server_itself),
        TEST(test_metadata_without_names),
        TEST(test_a_crash_inside_a_transaction),
        TEST(test_events_that_are_refused),
        TEST(test_checksums),
        TEST(test_events_cut_short),
        TEST(test_names_of_files),
        TEST(test_recorded_types),
        TEST(test_recorded_statements),
        TEST(test_recorded_savepoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
