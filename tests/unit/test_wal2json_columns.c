/* Tables that change: columns that come, go, and are of another type, before their messages are read or meanwhile. */
#include "w2jmessage.h"

static void test_an_update_leaves_large_values_out(void **state) {
    fixture *f = *state;
    static const char lacks[] = ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1"));
    ok(f, BEGIN);
    ok(f, lacks); /* not seen before: by the catalog */
    ok(f, INSERT("2", "\"a\""));
    ok(f, lacks);
    assert_string_equal(batch(f), "U1 after id=1 note=? before id=1; I2 after id=2 note=a; U3 after id=1 note=? before id=1; ");
    assert_ptr_equal(f->w->seen.changes[0].schema, f->w->seen.changes[2].schema);
    assert_int_equal(f->asked, 1);
    ok(f, COMMIT);
    /* a later transaction: the column may have been dropped since */
    ls_work_reset(f->w);
    f->known_to = 0xffffffff;
    ok(f, BEGIN_AT("0/2A3B748"));
    ok(f, lacks);
    assert_int_equal(f->asked, 2);
    ok(f, lacks);
    ok(f, "{\"action\":\"C\",\"lsn\":\"0/2A3B748\",\"nextlsn\":\"0/2A3B778\"}");
    ok(f, BEGIN_AT("0/3A3B748")); /* committed before the catalog answered */
    ok(f, lacks);
    assert_int_equal(f->asked, 2);
    assert_string_equal(batch(f), "U1 after id=1 note=? before id=1; U2 after id=1 note=? before id=1; U1 after id=1 note=? before id=1; mark 2");
}

static void test_a_dropped_column_is_none(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, COMMIT);
    ls_work_reset(f->w);
    f->cols[1] = (ls_wal2json_column){"........pg.dropped.2........", 0, 2, true, true, 742, false};
    f->cols[2] = (ls_wal2json_column){"n", 23, 3, false, false, 0, false};
    f->ncols = 3;
    ok(f, BEGIN_AT("0/2A3B748"));
    ok(f, ROW("U", ",\"columns\":[" ID("1") ",{\"name\":\"n\",\"typeoid\":23,\"value\":5,\"position\":3}]" OLD_ID("1")));
    assert_string_equal(batch(f), "U1 after id=1 n=5 before id=1; ");
}

/* PostgreSQL 18's virtual generated columns are stored nowhere, and come as null. */
static void test_a_virtual_column_is_left_out(void **state) {
    fixture *f = *state;
    f->identity = 'f';
    f->cols[2] = (ls_wal2json_column){"g", 23, 3, true, false, 0, true};
    f->ncols = 3;
    ok(f, BEGIN);
    ok(f, ROW("I", ",\"columns\":[" ID("1") "," NOTE("\"a\"") ",{\"name\":\"g\",\"typeoid\":23,\"value\":null,\"position\":3}]"));
    ok(f, ROW("D", ",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":1},{\"name\":\"note\",\"typeoid\":25,\"value\":\"a\"},"
                   "{\"name\":\"g\",\"typeoid\":23,\"value\":null}]"));
    assert_string_equal(batch(f), "I1 after id=1 note=a; D2 before id=1; ");
    ok(f, ROW("I", ",\"columns\":[" ID("1") "," NOTE("\"a\"") ",{\"name\":\"g\",\"typeoid\":23,\"value\":null,\"position\":3}]"));
    assert_int_equal(f->asked, 2);
}

/* The catalog is of later: the column was there when the update was made, under the name that it had. */
static void test_a_column_dropped_or_renamed_later(void **state) {
    fixture *f = *state;
    static const char lacks[] = ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1"));
    f->known_to = 0xffffffff; /* asked once for what had committed by then */
    f->cols[1] = (ls_wal2json_column){"remark", 25, 2, false, true, 743, false};
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, lacks);
    ok(f, COMMIT);
    ok(f, "{\"action\":\"B\",\"xid\":744,\"timestamp\":\"2000-01-01 01:00:00+00\",\"lsn\":\"0/2A3B748\"}");
    ok(f, lacks);
    assert_string_equal(batch(f), "I1 after id=1 note=a; U2 after id=1 note=? before id=1; U1 after id=1 remark=? before id=1; mark 2");
    open_decoder(f, "", 0);
    f->cols[1] = (ls_wal2json_column){"note", 25, 2, false, true, 0, false};
    f->known_to = 0;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    f->cols[1] = (ls_wal2json_column){"........pg.dropped.2........", 0, 2, true, true, 743, false};
    ok(f, lacks);
    f->cols[1] = (ls_wal2json_column){"remark", 25, 2, false, true, 743, false};
    ok(f, lacks);
    f->cols[1].changed = 741;
    ok(f, lacks);
    assert_string_equal(batch(f), "I1 after id=1 note=a; U2 after id=1 note=? before id=1; U3 after id=1 note=? before id=1; "
                                  "U4 after id=1 remark=? before id=1; ");
}

/* The shape that a D makes has no column that was gone by then, which the next update would seem to leave out. */
static void test_a_delete_behind_a_dropped_column(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, COMMIT);
    f->known_to = 0xffffffff;
    f->cols[1] = (ls_wal2json_column){"........pg.dropped.2........", 0, 2, true, true, 743, false};
    ok(f, "{\"action\":\"B\",\"xid\":744,\"timestamp\":\"2000-01-01 01:00:00+00\",\"lsn\":\"0/2A3B748\"}");
    ok(f, DELETE("1"));
    ok(f, ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1")));
    assert_string_equal(batch(f), "I1 after id=1 note=a; D1 before id=1; U2 after id=1 before id=1; mark 1");
}

/* ... or it has another type since, of which an update can leave out nothing. */
static void test_a_column_changed_in_type_later(void **state) {
    fixture *f = *state;
    static const char lacks[] = ROW("U", ",\"columns\":[" ID("1") ",{\"name\":\"z\",\"typeoid\":23,\"value\":7,\"position\":3}]" OLD_ID("1"));
    f->cols[1] = (ls_wal2json_column){"note", 23, 2, false, false, 743, false};
    f->cols[2] = (ls_wal2json_column){"z", 23, 3, false, false, 0, false};
    f->ncols = 3;
    ok(f, BEGIN);
    ok(f, ROW("I", ",\"columns\":[" ID("1") "," NOTE("\"a\"") ",{\"name\":\"z\",\"typeoid\":23,\"value\":7,\"position\":3}]"));
    ok(f, lacks);
    assert_string_equal(batch(f), "I1 after id=1 note=a z=7; U2 after id=1 note=? z=7 before id=1; ");
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, lacks); /* nothing but the catalog's word, by which it is older than a column that is there */
    assert_string_equal(batch(f), "U1 after id=1 note=? z=7 before id=1; ");
}

/* A savepoint has a number of its own, later than its transaction's: the whole old row tells that the column was gone. */
static void test_a_column_dropped_in_a_savepoint(void **state) {
    fixture *f = *state;
    f->identity = 'f';
    f->nprimary = 0;
    ok(f, BEGIN);
    ok(f, "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1") "," NOTE("\"a\"") "],\"pk\":[]}");
    f->cols[1] = (ls_wal2json_column){"........pg.dropped.2........", 0, 2, true, true, 743, false};
    ok(f, "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("2") "]" OLD_ID("1") ",\"pk\":[]}");
    assert_string_equal(batch(f), "I1 after id=1 note=a; U2 after id=2 before id=1; ");
    key_is(f, "");
    f->cols[1] = (ls_wal2json_column){"note", 25, 2, false, true, 0, false};
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1") "," NOTE("\"a\"") "],\"pk\":[]}");
    f->cols[1] = (ls_wal2json_column){"........pg.dropped.2........", 0, 2, true, true, 743, false};
    ok(f, "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"t\"" OLD_ID("1") ",\"pk\":[]}");
    assert_string_equal(batch(f), "I1 after id=1 note=a; D2 before id=1; ");
    key_is(f, "");
}

/* A column that came after the update was made is not one of its row. */
static void test_columns_of_later_are_not_unchanged(void **state) {
    fixture *f = *state;
    f->cols[2] = (ls_wal2json_column){"w", 25, 3, false, true, 743, false};
    f->ncols = 3;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1")));
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1"))); /* nothing but the catalog's word */
    assert_string_equal(batch(f), "U1 after id=1 note=? before id=1; ");
    f->cols[2].changed = 741;
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, ROW("U", ",\"columns\":[" ID("1") "]" OLD_ID("1")));
    assert_string_equal(batch(f), "U1 after id=1 note=? w=? before id=1; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_an_update_leaves_large_values_out),
        TEST(test_a_dropped_column_is_none),
        TEST(test_a_virtual_column_is_left_out),
        TEST(test_a_column_dropped_or_renamed_later),
        TEST(test_a_delete_behind_a_dropped_column),
        TEST(test_a_column_changed_in_type_later),
        TEST(test_a_column_dropped_in_a_savepoint),
        TEST(test_columns_of_later_are_not_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
