#include "w2jmessage.h"

/* ---- transactions */

static void test_a_transaction(void **state) {
    fixture *f = *state;
    assert_false(ls_wal2json_in_transaction(f->d));
    ok(f, BEGIN);
    assert_true(ls_wal2json_in_transaction(f->d));
    ok(f, INSERT("1", "\"a\""));
    ok(f, UPDATE("1", "null", "1"));
    ok(f, DELETE("1"));
    ok(f, TRUNCATE);
    ok(f, "{\"action\":\"M\",\"xid\":742,\"lsn\":\"0/1\",\"transactional\":true,\"prefix\":\"p\",\"content\":\"c\"}");
    ok(f, COMMIT);
    assert_false(ls_wal2json_in_transaction(f->d));
    ok(f, "{\"action\":\"M\",\"xid\":null,\"timestamp\":null,\"transactional\":false,\"prefix\":\"p\",\"content\":\"c\"}");
    assert_string_equal(batch(f), "I1 after id=1 note=a; U2 after id=1 note=NULL before id=1; D3 before id=1; T4; mark 4");
    const ls_change *c = f->w->seen.changes;
    assert_string_equal(c->schema->schema, "public");
    assert_string_equal(c->schema->table, "t");
    assert_string_equal(c->tx->id, "742");
    assert_string_equal(c->tx->pos, "0000000001a3b748");
    assert_int_equal(c->tx->ts, 946688400000000);
    assert_ptr_equal(c[2].tx, c->tx);
    assert_ptr_equal(c[3].schema, c->schema);
    assert_int_equal(f->w->marks[0].place.offset, END);
    assert_int_equal(f->settled, 742);
    key_is(f, "id");
}

static void test_commit_times(void **state) {
    static const struct {
        const char *text;
        int64_t us;
    } times[] = {{"1970-01-01 00:00:00+00", 0},
                 {"1970-01-01 00:00:00.1+00", 100000},
                 {"2026-11-26 14:51:47.210435+00", 1795704707210435},
                 {"1969-12-31 23:59:59.999999+00", -1}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char begin[256];
        open_decoder(f, "", 0);
        snprintf(begin, sizeof begin, "{\"action\":\"B\",\"xid\":7,\"timestamp\":\"%s\",\"lsn\":\"0/1A3B748\"}", times[i].text);
        ok(f, begin);
        ok(f, INSERT("1", "\"a\""));
        assert_int_equal(f->w->seen.changes[0].tx->ts, times[i].us);
    }
}

static void test_tables_left_out_are_not_counted(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"other\",\"columns\":[{\"name\":\"j\",\"typeoid\":16503,\"value\":\"x\","
          "\"position\":1}],\"pk\":[]}");
    ok(f, "{\"action\":\"T\",\"schema\":\"public\",\"table\":\"other\"}");
    assert_int_equal(f->asked, 0);
    ok(f, INSERT("1", "\"a\""));
    ok(f, COMMIT);
    assert_string_equal(batch(f), "I1 after id=1 note=a; mark 1");
    assert_int_equal(f->asked, 1);
}

/* A materialized view's rows, and the T of a partitioned table beside those of its partitions, are no table's changes. */
static void test_what_is_no_table_is_left_out(void **state) {
    fixture *f = *state;
    f->kind = 'm';
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, INSERT("2", "\"a\""));
    ok(f, COMMIT);
    assert_string_equal(batch(f), "mark 0");
    assert_int_equal(f->asked, 1);
    f->kind = 'r'; /* dropped, and a table made in its place */
    f->known_to = 0xffffffff;
    ok(f, BEGIN_AT("0/2A3B748"));
    ok(f, INSERT("3", "\"a\""));
    assert_string_equal(batch(f), "I1 after id=3 note=a; mark 0");
}

static void test_delivered_rows_are_left_out(void **state) {
    fixture *f = *state;
    open_decoder(f, "0000000001a3b748", 2);
    ok(f, BEGIN_AT("0/1A3B738")); /* wholly delivered */
    ok(f, INSERT("7", "\"z\""));
    ok(f, "{\"action\":\"C\",\"lsn\":\"0/1A3B738\",\"nextlsn\":\"0/1A3B740\"}");
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, UPDATE("2", "\"a\"", "1")); /* D is the 2nd, I the 3rd */
    ok(f, TRUNCATE);
    ok(f, COMMIT);
    ok(f, BEGIN_AT("0/1A3B780"));
    ok(f, INSERT("3", "\"c\""));
    assert_string_equal(batch(f), "I3 after id=2 note=a from 1; T4; I1 after id=3 note=c; mark 0mark 2");
}

static void test_a_transaction_goes_on_in_the_next_batch(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ls_work_reset(f->w);
    ok(f, INSERT("2", "\"b\""));
    ok(f, COMMIT);
    assert_string_equal(batch(f), "I2 after id=2 note=b; mark 1");
}

/* ---- values */

static void value_is(fixture *f, unsigned oid, const char *json, const char *want) {
    char m[512];
    snprintf(m, sizeof m,
             "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"v%u\",\"columns\":[{\"name\":\"c\",\"typeoid\":%u,\"value\":%s,\"position\":1}],"
             "\"pk\":[]}",
             oid, oid, json);
    ls_work_reset(f->w);
    ok(f, m);
    assert_string_equal(batch(f), want);
}

static void test_values(void **state) {
    fixture *f = *state;
    f->gone = true;
    ok(f, BEGIN);
    value_is(f, 16, "true", "I1 after c=true; ");
    value_is(f, 17, "\"00ff\"", "I2 after c=AP8=; ");
    value_is(f, 17, "\"\"", "I3 after c=; ");
    value_is(f, 20, "-9223372036854775808", "I4 after c=-9223372036854775808; ");
    value_is(f, 701, "1e-300", "I5 after c=1e-300; ");
    value_is(f, 701, "-0", "I6 after c=-0; ");
    value_is(f, 701, "\"-Infinity\"", "I7 after c=-Infinity; "); /* with numbers as strings, from 2.6 on */
    value_is(f, 1700, "\"12.50\"", "I8 after c=12.50; ");
    value_is(f, 701, "null", "I9 after c=NULL; "); /* or NaN */
    value_is(f, 1700, "1234567890123456789012345678901234567890.50", "I10 after c=1234567890123456789012345678901234567890.50; ");
    value_is(f, 25, "\"\\u00e9\\n\\\"\\\\\\u0001\"", "I11 after c=\u00e9\n\"\\\001; ");
    value_is(f, 1042, "\"ab   \"", "I12 after c=ab; ");
    value_is(f, 1184, "\"2026-01-02 03:04:05.600+00\"", "I13 after c=2026-01-02T03:04:05.6Z; ");
    value_is(f, 16500, "\"sad\"", "I14 after c=sad; ");
    value_is(f, 16501, "\"3\"", "I15 after c=3; ");         /* a domain: all in strings */
    value_is(f, 16502, "\"\\\\x00ff\"", "I16 after c=AP8=; ");
    value_is(f, 16599, "\"left\"", "I17 after c=left; ");   /* a type that is gone */
    assert_int_equal(f->w->seen.changes[0].schema->cols[0].type, LS_TYPE_STRING);
    value_is(f, 16503, "\"BOX3D(0 0 0)\"", "I18 after c=BOX3D(0 0 0); "); /* one that nothing is known of */
    value_is(f, 1007, "\"{1,NULL,3}\"", "I19 after c=[1,null,3]; ");
}

static void test_values_that_are_none(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    refused(f, INSERT("\"x\"", "\"a\""),
            "table public.t, column \"id\", key id=x, transaction 0000000001a3b748 (xid 742), row 1: the server's text (1 bytes) is no integer");
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    refused(f, INSERT("1", "[1,2]"),
            "table public.t, column \"note\", key id=1, transaction 0000000001a3b748 (xid 742), row 1: an array or object (5 bytes) stands where a "
            "value was wanted");
}

/* ---- rows */

static void test_a_key_change_is_two_changes(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, UPDATE("2", "\"a\"", "1"));
    assert_string_equal(batch(f), "D1 before id=1 to 2; I2 after id=2 note=a from 1; ");
}

static void test_identity_full(void **state) {
    fixture *f = *state;
    f->identity = 'f';
    f->nprimary = 0;
    ok(f, BEGIN);
    ok(f, "{\"action\":\"U\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1") "],\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":2},"
          "{\"name\":\"note\",\"typeoid\":25,\"value\":\"kept\"}],\"pk\":[]}");
    ok(f, "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"t\",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":2},"
          "{\"name\":\"note\",\"typeoid\":25,\"value\":null}],\"pk\":[]}");
    assert_string_equal(batch(f), "U1 after id=1 note=kept before id=2 note=kept; D2 before id=2 note=NULL; ");
    key_is(f, "");
    assert_int_equal(f->warned, 0);
}

static void test_a_delete_of_a_table_that_is_gone(void **state) {
    fixture *f = *state;
    f->gone = true;
    ok(f, BEGIN);
    ok(f, DELETE("1"));
    ok(f, INSERT("1", "\"a\""));
    assert_string_equal(batch(f), "D1 before id=1; I2 after id=1 note=a; ");
    key_is(f, "id");
}

static void test_a_table_without_identity_is_told_once(void **state) {
    fixture *f = *state;
    static const char row[] = "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1") "],\"pk\":[]}";
    f->nprimary = 0;
    ok(f, BEGIN);
    ok(f, row);
    ok(f, row);
    ok(f, "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1") "," NOTE("null") "],\"pk\":[]}");
    assert_int_equal(f->warned, 1);
    key_is(f, "");
}

/* PostgreSQL 18 lists a deferrable primary key in the messages, and drops what it cannot identify as the servers before. */
static void test_a_deferrable_key_is_none(void **state) {
    fixture *f = *state;
    f->deferrable = true;
    f->nprimary = 0;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, INSERT("2", "\"b\""));
    key_is(f, "");
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->warned, 1);
    open_decoder(f, "", 0);
    f->identity = 'f';
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, ROW("D", ",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":1},{\"name\":\"note\",\"typeoid\":25,\"value\":\"a\"}]"));
    assert_string_equal(batch(f), "I1 after id=1 note=a; D2 before id=1 note=a; ");
    key_is(f, "");
    assert_int_equal(f->warned, 1);
}

/* ---- keys and schemas */

#define INT(name, at, v) "{\"name\":\"" name "\",\"typeoid\":23,\"value\":" v ",\"position\":" at "}"
#define WIDE(action, more) "{\"action\":\"" action "\",\"schema\":\"public\",\"table\":\"wide\",\"columns\":[" INT("a", "1", "1") "," INT("b", "2", "2") "," INT("c", "3", "3") "]" more "}"
#define PART(name) "{\"name\":\"" name "\",\"typeoid\":23,\"value\":1}"

static void indexes(fixture *f, size_t np, const char *p0, const char *p1, size_t nr, const char *r0, const char *r1) {
    f->primary[0] = p0;
    f->primary[1] = p1;
    f->nprimary = np;
    f->replica[0] = r0;
    f->replica[1] = r1;
    f->nreplica = nr;
}

static void key_of(fixture *f, char identity, const char *message, const char *want) {
    open_decoder(f, "", 0);
    f->identity = identity;
    ok(f, BEGIN);
    ok(f, message);
    key_is(f, want);
}

static void test_the_key(void **state) {
    fixture *f = *state;
    f->cols[0] = (ls_wal2json_column){"a", 23, 1, false, false, 0, false};
    f->cols[1] = (ls_wal2json_column){"b", 23, 2, false, false, 0, false};
    f->cols[2] = (ls_wal2json_column){"c", 23, 3, false, false, 0, false};
    f->ncols = 3;
    static const char insert[] = WIDE("I", ",\"pk\":[" PART("a") "," PART("c") "]"), bare[] = WIDE("I", ",\"pk\":[]");
    indexes(f, 2, "c", "a", 0, NULL, NULL);
    key_of(f, 'd', insert, "c,a"); /* the index's order */
    key_of(f, 'f', insert, "c,a");
    key_of(f, 'f', bare, "c,a"); /* a deferrable one: no identity, but a key */
    key_of(f, 'd', bare, "");
    indexes(f, 1, "b", NULL, 0, NULL, NULL);
    key_of(f, 'd', insert, "a,c"); /* the catalog knows a later key: the message's columns */
    indexes(f, 2, "c", "a", 2, "c", "b");
    key_of(f, 'i', insert, "c,b");
    key_of(f, 'i', WIDE("U", ",\"identity\":[" PART("b") "," PART("c") "],\"pk\":[" PART("a") "," PART("c") "]"), "c,b");
    indexes(f, 1, "b", NULL, 2, "c", "b");
    key_of(f, 'i', WIDE("I", ",\"pk\":[" PART("b") "]"), "b"); /* the primary key is within the replica identity */
    key_of(f, 'i', WIDE("U", ",\"identity\":[" PART("b") "," PART("c") "],\"pk\":[" PART("b") "]"), "b");
    f->ncols = 0; /* the catalog answered for the index only: names are all there is */
    indexes(f, 2, "c", "a", 0, NULL, NULL);
    key_of(f, 'd', insert, "c,a");
    indexes(f, 2, "c", "gone", 0, NULL, NULL);
    key_of(f, 'd', insert, "a,c");
    f->ncols = 3;
    f->cols[2].name = "renamed"; /* since */
    indexes(f, 1, "a", NULL, 2, "renamed", "b");
    key_of(f, 'i', WIDE("I", ",\"pk\":[]"), "c,b");
    indexes(f, 0, NULL, NULL, 0, NULL, NULL); /* the index is gone */
    key_of(f, 'd', WIDE("U", ",\"identity\":[" PART("b") "," PART("c") "],\"pk\":[]"), "b,c");
    key_of(f, 'f', WIDE("U", ",\"identity\":[" PART("a") "," PART("b") "," PART("c") "],\"pk\":[]"), "");
}

static void test_schemas_follow_the_messages(void **state) {
    fixture *f = *state;
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, INSERT("2", "\"a\""));
    assert_int_equal(f->asked, 1);
    ok(f, ROW("I", ",\"columns\":[" ID("1") ",{\"name\":\"remark\",\"typeoid\":25,\"value\":\"a\",\"position\":2}]"));
    ok(f, ROW("I", ",\"columns\":[" ID("1") ",{\"name\":\"remark\",\"typeoid\":1043,\"value\":\"a\",\"position\":2}]"));
    ok(f, ROW("I", ",\"columns\":[" ID("1") "]"));
    ok(f, INSERT("1", "\"b\""));
    assert_int_equal(f->asked, 5);
    const ls_change *c = f->w->seen.changes;
    assert_ptr_equal(c[0].schema, c[1].schema);
    assert_string_equal(c[2].schema->cols[1].name, "remark");
    assert_ptr_equal(c[2].schema, c[3].schema); /* text and varchar are strings both */
    assert_int_equal(c[4].schema->ncols, 1);
    assert_string_equal(batch(f), "I1 after id=1 note=a; I2 after id=2 note=a; I3 after id=1 remark=a; I4 after id=1 remark=a; I5 after id=1; "
                                  "I6 after id=1 note=b; ");
}

/* ---- bytes that are no message */

static void test_malformed_messages(void **state) {
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "wal2json message of 0 bytes, 0 remaining: JSON ends at byte 0 where an object was wanted"},
        {"[]", "wal2json message of 2 bytes, 2 remaining: JSON has 0x5b at byte 0 where an object was wanted"},
        {"{}", "wal2json message of 2 bytes, 0 remaining: it ends at byte 2 where a member \"action\" was wanted"},
        {"{\"action\":\"B\"", "wal2json message of 13 bytes, 0 remaining: JSON ends at byte 13 where a comma or } was wanted"},
        {"{\"action\":\"B\"} x", "wal2json message of 16 bytes, 1 remaining: JSON has 0x78 at byte 15 where the end was wanted"},
        {"{\"action\":\"Q\"}", "wal2json message of 14 bytes, 1 remaining: member \"action\" at byte 11 (1 bytes) is not one of B C I U D T M"},
        {"{\"action\":\"B\"}", "wal2json message of 14 bytes, 0 remaining: B ends at byte 14 where a member \"xid\" was wanted"},
        {"{\"lsn\":\"0/\"}", "wal2json message of 12 bytes, 1 remaining: member \"lsn\" at byte 8 (2 bytes) is not a place of the WAL (0/2A1F00)"},
        {"{\"lsn\":\"000000001/1\"}",
         "wal2json message of 21 bytes, 1 remaining: member \"lsn\" at byte 8 (11 bytes) is not a place of the WAL (0/2A1F00)"},
        {"{\"xid\":4294967296}", "wal2json message of 18 bytes, 1 remaining: member \"xid\" at byte 7 (10 bytes) is not a number of 32 bits"},
        {"{\"timestamp\":\"2026-01-02 03:04:05+01\"}",
         "wal2json message of 38 bytes, 1 remaining: member \"timestamp\" at byte 14 (22 bytes) is not a time in UTC (2026-01-02 "
         "03:04:05.678901+00)"},
        {"{\"table\":\"a\\u0000\"}", "wal2json message of 19 bytes, 1 remaining: member \"table\" at byte 10 (7 bytes) is not a name in UTF-8"},
        {"{\"table\":\"\xff\"}", "wal2json message of 13 bytes, 1 remaining: member \"table\" at byte 10 (1 bytes) is not a name in UTF-8"},
        {"{\"table\":\"\\ud800\"}", "wal2json message of 18 bytes, 1 remaining: JSON string has half a surrogate pair at its byte 0"},
        {"{\"columns\":7}", "wal2json message of 13 bytes, 2 remaining: JSON has 0x37 at byte 11 where an array was wanted"},
        {"{\"columns\":[{}]}", "wal2json message of 16 bytes, 2 remaining: \"columns\", column 1, ends at byte 14 where a name was wanted"},
        {"{\"identity\":[{\"name\":\"a\"}]}",
         "wal2json message of 27 bytes, 2 remaining: \"identity\", column 1, ends at byte 25 where a typeoid (wal2json 2.5 and later have it) was wanted"},
        {"{\"identity\":[{\"name\":\"a\",\"typeoid\":23}]}",
         "wal2json message of 40 bytes, 2 remaining: \"identity\", column 1, ends at byte 38 where a value was wanted"},
        {"{\"columns\":[" ID("1") "," ID("1") "]}", "wal2json message of 113 bytes, 2 remaining: \"columns\", column 2, ends at byte 111 where a "
                                                   "position above the last one's was wanted"},
        {"{\"action\":\"D\",\"schema\":\"s\",\"table\":\"t\",\"pk\":[]}",
         "wal2json message of 47 bytes, 0 remaining: D ends at byte 47 where a member \"identity\" was wanted"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_decoder(f, "", 0);
        refused(f, cases[i].text, cases[i].why);
    }
}

static void test_messages_out_of_place(void **state) {
    fixture *f = *state;
    refused(f, COMMIT, "wal2json C message outside of a transaction");
    refused(f, TRUNCATE, "wal2json T message outside of a transaction");
    ok(f, BEGIN);
    refused(f, BEGIN, "wal2json Begin message inside transaction 742");
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    refused(f, "{\"action\":\"C\",\"lsn\":\"0/1\",\"nextlsn\":\"0/2\"}",
            "wal2json Commit message at 0000000000000001 to 0000000000000002 does not end the transaction 0000000001a3b748 that was begun");
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    refused(f, ROW("U", ",\"columns\":[" ID("1") "],\"identity\":[{\"name\":\"q\",\"typeoid\":23,\"value\":1}]"),
            "wal2json U message of table public.t: \"identity\" has \"q\", which is none of its columns");
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    refused(f, ROW("D", ",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":1},{\"name\":\"id\",\"typeoid\":23,\"value\":1}]"),
            "wal2json D message of table public.t: \"identity\" has \"id\" twice");
}

static void test_a_catalog_that_does_not_answer(void **state) {
    static const char row[] = "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"columns\":[" ID("1")
                              ",{\"name\":\"mood\",\"typeoid\":16500,\"value\":\"sad\",\"position\":2}],\"pk\":[]}";
    fixture *f = *state;
    f->type_fails = true;
    ok(f, BEGIN);
    assert_int_equal(decode_bytes(f, row, strlen(row)), -1);
    assert_int_equal(f->err.code, LS_AGAIN);
    assert_int_equal(f->w->seen.count, 0);
    f->type_fails = false; /* and the same message, again */
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, row);
    assert_string_equal(batch(f), "I1 after id=1 mood=sad; ");
}

static void test_an_identity_that_is_too_wide(void **state) {
    fixture *f = *state;
    ls_buf m = {0};
    char want[200];
    ls_buf_str(&m, "{\"action\":\"D\",\"identity\":[");
    for (int i = 0; i < LS_COLUMNS_MAX; i++) ls_buf_fmt(&m, "{\"name\":\"c%d\",\"typeoid\":23,\"value\":1},", i);
    size_t at = m.len;
    ls_buf_str(&m, "{\"name\":\"more\",\"typeoid\":23,\"value\":1}]}");
    snprintf(want, sizeof want, "wal2json message of %zu bytes, %zu remaining: more than 65535 columns at byte %zu", m.len, m.len - at, at);
    assert_int_equal(decode_bytes(f, m.data, m.len), -1);
    assert_string_equal(f->err.text, want);
    ls_buf_free(&m);
}

/* Rows 1, 2 (invalid), 3 and 4 (one whose key changes, invalid), 5; the escapes stand beside what is invalid. */
static void invalid_rows(fixture *f, ls_invalid_policy policy, uint64_t delivered_seq) {
    f->policy = policy;
    f->said[0] = '\0';
    open_decoder(f, delivered_seq ? "0000000001a3b748" : "", delivered_seq);
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, INSERT("2", "\"\\\"\xff\\\\\""));
    ok(f, UPDATE("3", "\"\xe2\x82\"", "1"));
    ok(f, INSERT("4", "\"d\""));
    ok(f, COMMIT);
}

#define R "\xef\xbf\xbd"
#define NOT_VALID "transaction 0000000001a3b748 (742), row 2: text that is not valid in its character set: "

static void test_invalid_text(void **state) {
    fixture *f = *state;
    invalid_rows(f, LS_INVALID_REPLACE, 0);
    assert_string_equal(batch(f), "I1 after id=1 note=a; I2 after id=2 note=\"" R "\\; D3 before id=1 to 3; I4 after id=3 note=" R " from 1; "
                                  "I5 after id=4 note=d; mark 5");
    assert_int_equal(f->w->invalid, 2);
    assert_string_equal(f->said, "table public.t, column \"note\", key id=2, " NOT_VALID
                                 "U+FFFD is sent for what is invalid (on_invalid_text = \"replace\"); said once a table, counted for each row|");
    invalid_rows(f, LS_INVALID_SKIP, 0);
    assert_string_equal(batch(f), "I1 after id=1 note=a; I5 after id=4 note=d; mark 2");
    assert_int_equal(f->w->invalid, 2);
    assert_non_null(strstr(f->said, NOT_VALID "the change is left out"));
    for (int policy = LS_INVALID_STOP; policy <= LS_INVALID_SKIP; policy++) {
        invalid_rows(f, (ls_invalid_policy)policy, 4);
        assert_string_equal(batch(f), "I5 after id=4 note=d; mark 1");
        assert_int_equal(f->w->invalid, 0);
        assert_string_equal(f->said, "");
    }
}

/* What is not sent of a row before does not matter; what is stops. Names are never mended. */
static void test_invalid_text_in_other_places(void **state) {
    fixture *f = *state;
    static const char *const old = ROW("D", ",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":1},{\"name\":\"note\",\"typeoid\":25,\"value\":\"\xff\"}]");
    f->identity = 'f';
    ok(f, BEGIN);
    ok(f, INSERT("1", "\"a\""));
    ok(f, old);
    assert_string_equal(batch(f), "I1 after id=1 note=a; D2 before id=1; ");
    refused(f, INSERT("2", "\"\xff\""),
            "table public.t, column \"note\", key id=2, transaction 0000000001a3b748 (xid 742), row 3: the text (1 bytes) is not valid UTF-8: mend the value "
            "in the database, or make the database's encoding UTF8 so that the server checks what it stores; on_invalid_text = \"replace\", "
            "\"skip\" or \"dead_letter\" goes on from here");
    f->policy = LS_INVALID_REPLACE;
    f->nprimary = 0;
    open_decoder(f, "", 0);
    ok(f, BEGIN);
    ok(f, "{\"action\":\"D\",\"schema\":\"public\",\"table\":\"k\",\"identity\":[{\"name\":\"note\",\"typeoid\":25,\"value\":\"\xff\"}],\"pk\":[]}");
    assert_string_equal(batch(f), "D1 before note=" R "; ");
    assert_int_equal(decode_bytes(f, "{\"action\":\"T\",\"schema\":\"public\",\"table\":\"\xff\"}", 45), -1);
    assert_non_null(strstr(f->err.text, "is not a name in UTF-8"));
}

/* Each message cut off at each of its bytes is refused, and read not beyond. */
static void test_cut_off_messages(void **state) {
    static const char *const whole[] = {BEGIN, INSERT("1", "\"\\u00e9\""), UPDATE("1", "null", "1"), DELETE("1"), TRUNCATE, COMMIT};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        for (size_t n = 0; n < strlen(whole[i]); n++) {
            char *copy = malloc(n ? n : 1);
            assert_non_null(copy);
            memcpy(copy, whole[i], n);
            assert_int_equal(ls_wal2json_message(f->d, f->w, copy, n, &f->err), -1);
            free(copy);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_transaction),
        TEST(test_commit_times),
        TEST(test_tables_left_out_are_not_counted),
        TEST(test_what_is_no_table_is_left_out),
        TEST(test_delivered_rows_are_left_out),
        TEST(test_a_transaction_goes_on_in_the_next_batch),
        TEST(test_values),
        TEST(test_values_that_are_none),
        TEST(test_a_key_change_is_two_changes),
        TEST(test_identity_full),
        TEST(test_a_delete_of_a_table_that_is_gone),
        TEST(test_a_deferrable_key_is_none),
        TEST(test_a_table_without_identity_is_told_once),
        TEST(test_the_key),
        TEST(test_schemas_follow_the_messages),
        TEST(test_malformed_messages),
        TEST(test_messages_out_of_place),
        TEST(test_cut_off_messages),
        TEST(test_a_catalog_that_does_not_answer),
        TEST(test_an_identity_that_is_too_wide),
        TEST(test_invalid_text),
        TEST(test_invalid_text_in_other_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
