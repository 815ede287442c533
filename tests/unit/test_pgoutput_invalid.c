/* Text that is not valid UTF-8 in pgoutput's rows: on_invalid_text. */
#include "pgmessage.h"

#define R "\xef\xbf\xbd"
#define IN_T "table public.t, column \"note\", key id="
#define AT ", transaction 0000000001a3b748 (742), row "
#define NOT_VALID ": text that is not valid in its character set: "
#define REPLACED NOT_VALID "U+FFFD is sent for what is invalid (on_invalid_text = \"replace\"); said once a table, counted for each row|"
#define SKIPPED NOT_VALID "the change is left out (on_invalid_text = \"skip\"); said once a table, counted for each row|"

static const ls_invalid_policy policies[] = {LS_INVALID_STOP, LS_INVALID_REPLACE, LS_INVALID_SKIP};

static void start(fixture *f, ls_invalid_policy policy, uint64_t delivered_seq) {
    f->policy = policy;
    f->said[0] = '\0';
    open_decoder(f, delivered_seq ? "0000000001a3b748" : "", delivered_seq);
    begin(f);
    table_t(f, 'd', 1);
}

/* Rows 1, 2 (invalid), 3 and 4 (one whose key changes, invalid), 5. */
static void some_rows(fixture *f) {
    insert(f, "1", "a");
    insert(f, "2", "b\xff");
    row(f, 'U');
    TUPLE(f, 'K', "1", NULL);
    TUPLE(f, 'N', "3", "\xe2\x82");
    ok(f);
    insert(f, "4", "d");
    commit(f);
}

static void test_replace(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_REPLACE, 0);
    some_rows(f);
    assert_string_equal(batch(f), "I1 after id=1 note=a; I2 after id=2 note=b" R "; D3 before id=1 to 3; I4 after id=3 note=" R " from 1; "
                                  "I5 after id=4 note=d; mark 5");
    assert_int_equal(f->w->invalid, 2);
    assert_string_equal(f->said, IN_T "2" AT "2" REPLACED);
    ls_work_reset(f->w);
    assert_int_equal(f->w->invalid, 0);
}

static void test_skip(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_SKIP, 0);
    some_rows(f);
    assert_string_equal(batch(f), "I1 after id=1 note=a; I5 after id=4 note=d; mark 2");
    assert_int_equal(f->w->invalid, 2);
    assert_string_equal(f->said, IN_T "2" AT "2" SKIPPED);
}

/* The rows are as they came: a key that `columns` mask is not for the log. */
static void test_no_key_where_values_are_masked(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_SKIP, 0);
    f->w->masks = true;
    some_rows(f);
    assert_int_equal(f->w->invalid, 2);
    assert_string_equal(f->said, "table public.t, column \"note\"" AT "2" SKIPPED);
}

/* What stopped goes on under another policy: the rows have the same ordinals. What was delivered is neither said nor counted. */
static void test_policies_follow_one_another(void **state) {
    fixture *f = *state;
    static const char *const want[] = {"", "I5 after id=4 note=d; mark 1", "I4 after id=3 note=" R " from 1; I5 after id=4 note=d; mark 2"};
    for (size_t i = 0; i < 3; i++) {
        start(f, policies[i], 4);
        some_rows(f);
        assert_string_equal(batch(f), want[1]);
        assert_int_equal(f->w->invalid, 0);
        assert_string_equal(f->said, "");
    }
    start(f, LS_INVALID_REPLACE, 3);
    some_rows(f);
    assert_string_equal(batch(f), want[2]);
    assert_int_equal(f->w->invalid, 1);
    start(f, LS_INVALID_STOP, 2);
    insert(f, "1", "a");
    insert(f, "2", "b\xff");
    row(f, 'I');
    TUPLE(f, 'N', "3", "\xff");
    assert_int_equal(decode(f), -1);
    assert_non_null(strstr(f->err.text, "key id=3, transaction 0000000001a3b748 (xid 742), row 3: the text (1 bytes) is not valid UTF-8"));
    start(f, LS_INVALID_STOP, 3); /* of a row that moved its D is delivered, its I is not */
    insert(f, "1", "a");
    insert(f, "2", "b\xff");
    row(f, 'U');
    TUPLE(f, 'K', "1", NULL);
    TUPLE(f, 'N', "3", "\xff");
    refused(f, IN_T "3" AT "4" NOT_VALID "on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here");
    assert_string_equal(batch(f), "");
}

/* Of the row before only the key is sent where there is one: what else is in it does not matter, whatever the policy. */
static void test_what_is_not_sent(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        start(f, policies[i], 0);
        table_t(f, 'f', 3);
        row(f, 'U');
        TUPLE(f, 'O', "1", "\xff");
        TUPLE(f, 'N', "1", "mended");
        ok(f);
        row(f, 'D');
        TUPLE(f, 'O', "1", "\xff");
        ok(f);
        assert_string_equal(batch(f), "U1 after id=1 note=mended before id=1; D2 before id=1; ");
        assert_int_equal(f->w->invalid, 0);
        assert_string_equal(f->said, "");
    }
}

static void test_the_row_before_is_sent(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        start(f, policies[i], 0);
        table_t(f, 'f', 3);
        row(f, 'U');
        TUPLE(f, 'O', "1", "\xff");
        TUPLE(f, 'N', "1", "\1"); /* as it was */
        if (policies[i] == LS_INVALID_STOP) {
            refused(f, IN_T "1" AT "1" NOT_VALID "on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here");
            continue;
        }
        ok(f);
        f->nprimary = 0;
        relation_head(f, 102, "k", 'f', 1); /* without a key */
        column(f, true, "v", TEXT);
        ok(f);
        message(f, 'D');
        put(f, 102, 4);
        TUPLE(f, 'O', "\xff");
        ok(f);
        f->nprimary = 1;
        bool skip = policies[i] == LS_INVALID_SKIP;
        assert_string_equal(batch(f), skip ? "" : "U1 after id=1 note=" R " before id=1; D2 before v=" R "; ");
        assert_int_equal(f->w->invalid, 2);
        assert_non_null(strstr(f->said, "|table public.k, column \"v\"" AT "2: text")); /* each table once */
    }
}

/* A table that is announced again is not said again; another connection says it again. */
static void test_said_once(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_SKIP, 0);
    insert(f, "1", "\xff");
    assert_string_equal(f->said, IN_T "1" AT "1" SKIPPED);
    table_t(f, 'f', 3);
    insert(f, "2", "\xff");
    assert_string_equal(f->said, IN_T "1" AT "1" SKIPPED);
    start(f, LS_INVALID_REPLACE, 0);
    insert(f, "1", "\xff");
    assert_string_equal(f->said, IN_T "1" AT "1" REPLACED);
}

static void test_a_key_that_is_invalid(void **state) {
    fixture *f = *state;
    char key[300];
    memset(key, 'x', sizeof key - 1);
    memcpy(key + 196, "\xf0\x9f\x98\x80\xff", 5); /* what is shown of it ends within a character */
    key[sizeof key - 1] = '\0';
    f->primary[0] = "note";
    start(f, LS_INVALID_REPLACE, 0);
    table_t(f, 'd', 2);
    row(f, 'U');
    TUPLE(f, 'K', NULL, "a\xe9");
    TUPLE(f, 'N', "1", "a\xe8"); /* another key, but not any more */
    ok(f);
    row(f, 'U');
    TUPLE(f, 'K', NULL, "a\xe9");
    TUPLE(f, 'N', "1", "b");
    ok(f);
    assert_string_equal(batch(f), "U1 after id=1 note=a" R " before note=a" R "; D2 before note=a" R " to b; I3 after id=1 note=b from a" R "; ");
    assert_int_equal(f->w->invalid, 2);
    assert_non_null(strstr(f->said, "key note=a" R ", transaction"));
    start(f, LS_INVALID_SKIP, 0);
    table_t(f, 'd', 2);
    insert(f, "1", key);
    assert_non_null(strstr(f->said, "x..., transaction"));
}

/* Names of tables, columns and types are never mended. */
static void test_names_stay_an_error(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_REPLACE, 0);
    relation_head(f, 103, "\xff", 'd', 1);
    column(f, true, "id", INT4);
    refused(f, "pgoutput Relation message: a name of table 103 is not valid UTF-8");
    message(f, 'Y');
    put(f, MOOD, 4);
    put_name(f, "public");
    put_name(f, "\xff");
    refused(f, "pgoutput Type message: the name of type 16500 is not valid UTF-8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_replace),
        TEST(test_skip),
        TEST(test_policies_follow_one_another),
        TEST(test_what_is_not_sent),
        TEST(test_the_row_before_is_sent),
        TEST(test_said_once),
        TEST(test_no_key_where_values_are_masked),
        TEST(test_a_key_that_is_invalid),
        TEST(test_names_stay_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
