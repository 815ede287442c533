/* Statements in the client's character set, savepoints that are not known, and events out of their place. */
#include "binlogevent.h"

static void again(fixture *f) {
    ls_work_reset(f->w);
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, STANDALONE);
}

/* vars: status variables. */
static void query_with(fixture *f, const char *vars, size_t n, const char *sql) {
    event(f, QUERY, 0);
    put(f, 0, 8);
    put(f, 2, 1);
    put(f, 0, 2);
    put(f, n, 2);
    ls_buf_add(&f->event, vars, n);
    ls_buf_add(&f->event, "db", 3);
    ls_buf_str(&f->event, sql);
}
#define QUERY_WITH(f, vars, sql) query_with(f, vars, sizeof vars - 1, sql)

/* flags2, sql_mode, catalog, auto_increment; behind them the client's character set. */
#define BEFORE_CHARSET "\0\1\2\3\4" "\1\1\2\3\4\5\6\7\10" "\6\3std" "\3\1\0\1\0"
#define LATIN1 "\4\10\0\10\0\10\0"
#define NOT_CONVERTED "\4\310\0\310\0\310\0"
#define UTF8MB4 "\4\55\0\55\0\55\0"
#define NO_NAME "a table's name is in a character set that is not converted, or not valid"

static void test_names_in_the_clients_character_set(void **state) {
    fixture *f = *state;
    again(f);
    QUERY_WITH(f, BEFORE_CHARSET LATIN1, "DROP TABLE `caf\xe9`");
    ok(f);
    came(f, "X1 caf\xc3\xa9; mark 1 2-9-5");
    again(f);
    QUERY_WITH(f, BEFORE_CHARSET UTF8MB4, "DROP TABLE `caf\xc3\xa9`");
    ok(f);
    came(f, "X1 caf\xc3\xa9; mark 1 2-9-5");
    again(f);
    QUERY_WITH(f, BEFORE_CHARSET NOT_CONVERTED, "DROP TABLE `caf\xe9`");
    fails(f, "QUERY event: " NO_NAME);
    again(f);
    QUERY_WITH(f, BEFORE_CHARSET UTF8MB4, "DROP TABLE `caf\xe9`");
    fails(f, "QUERY event: " NO_NAME);
    again(f);
    QUERY_WITH(f, "\x7f" LATIN1, "DROP TABLE `caf\xe9`"); /* behind one whose length is not known nothing is found */
    fails(f, "QUERY event: " NO_NAME);
    again(f);
    QUERY_WITH(f, "\6\377" LATIN1, "DROP TABLE `caf\xe9`"); /* a catalog longer than the variables */
    fails(f, "QUERY event: " NO_NAME);
    again(f);
    QUERY_WITH(f, BEFORE_CHARSET NOT_CONVERTED, "DROP TABLE other.`caf\xe9`"); /* no table of that database is captured */
    ok(f);
    came(f, "mark 0 2-9-5");
}

/* Words that stand in a quoted text are none of the statement's. */
static void test_quoted_texts(void **state) {
    fixture *f = *state;
    again(f);
    query(f, "SET STATEMENT sql_mode='it''s', x=\"\\\" FOR DROP TABLE a\" FOR DROP TABLE `b``c`");
    came(f, "X1 b`c; mark 1 2-9-5");
    again(f);
    query(f, "ALTER TABLE t COMMENT 'it''s TRUNCATE PARTITION p'");
    assert_string_equal(f->warned, "");
}

static void test_a_savepoint_before_the_first_row(void **state) {
    fixture *f = *state;
    holds(f);
    begin(f, 5, TRANSACTIONAL);
    query(f, "BEGIN");
    map(f);
    insert(f, 1, "undone"); /* the savepoint before it is not in the log */
    query(f, "ROLLBACK TO first");
    map(f);
    insert(f, 2, "kept");
    commit(f);
    came(f, "I1 t after id=2 note=kept n=-1; mark 1 2-9-5");
}

/* Rows that were sent on cannot be taken back. */
static void test_a_savepoint_before_rows_that_were_sent(void **state) {
    fixture *f = *state;
    begin(f, 5, TRANSACTIONAL);
    query(f, "BEGIN");
    query(f, "SAVEPOINT a");
    query(f, "ROLLBACK TO a");
    map(f);
    insert(f, 1, "sent");
    query_event(f, "db", "ROLLBACK TO a");
    fails(f, "QUERY event: transaction 2-9-5 rolls back 1 rows that were sent already");
}

static void test_events_before_the_first_description(void **state) {
    fixture *f = *state;
    start_decoder(f, 3, 1000, "", 0);
    query_event(f, "db", "BEGIN");
    fails(f, "offset 1000, QUERY event: it comes before the first FORMAT_DESCRIPTION event");
}

static void test_descriptions_that_are_not_known(void **state) {
    fixture *f = *state;
    format_event(f);
    f->event.data[19] = 3;
    fails(f, "FORMAT_DESCRIPTION event: binlog version 3 with headers of 19 bytes; only version 4 with 19 is known");
    format_event(f);
    f->event.data[19 + 2 + 54] = 27;
    fails(f, "FORMAT_DESCRIPTION event: binlog version 4 with headers of 27 bytes; only version 4 with 19 is known");
}

/* An event's name, and that its bytes are proven before they are read. */
static void test_a_stop_event(void **state) {
    enum { STOP = 3 };
    fixture *f = *state;
    event(f, STOP, 0);
    close_event(f, 0);
    f->event.data[f->event.len - 1] ^= 1;
    assert_int_equal(ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err), -1);
    assert_non_null(strstr(f->err.text, "binlog.000003, offset 1000, STOP event: its checksum is "));
    event(f, STOP, 0);
    ok(f);
    came(f, "mark 0 "); /* it is passed over */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_names_in_the_clients_character_set),
        TEST(test_quoted_texts),
        TEST(test_a_savepoint_before_the_first_row),
        TEST(test_a_savepoint_before_rows_that_were_sent),
        TEST(test_events_before_the_first_description),
        TEST(test_descriptions_that_are_not_known),
        TEST(test_a_stop_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
