#include "pgmessage.h"

/* ---- transactions */

static void test_a_transaction(void **state) {
    fixture *f = *state;
    assert_false(ls_pgoutput_in_transaction(f->d));
    begin(f);
    assert_true(ls_pgoutput_in_transaction(f->d));
    table_t(f, 'd', 1);
    insert(f, "1", "a");
    row(f, 'U');
    TUPLE(f, 'N', "1", NULL);
    ok(f);
    row(f, 'D');
    TUPLE(f, 'K', "1", NULL);
    ok(f);
    commit(f);
    assert_false(ls_pgoutput_in_transaction(f->d));
    assert_string_equal(batch(f), "I1 after id=1 note=a; U2 after id=1 note=NULL before id=1; D3 before id=1; mark 3");
    const ls_change *c = f->w->seen.changes;
    assert_string_equal(c->schema->schema, "public");
    assert_string_equal(c->schema->table, "t");
    assert_string_equal(c->tx->id, "742");
    assert_string_equal(c->tx->pos, "0000000001a3b748");
    assert_int_equal(c->tx->ts, 946688400000000);
    assert_ptr_equal(c[2].tx, c->tx);
    assert_int_equal(f->w->marks[0].place.offset, END);
    assert_int_equal(f->w->marks[0].place.file, 0);
    key_is(f, "id");
}

static void test_an_empty_transaction_moves_the_place(void **state) {
    fixture *f = *state;
    begin(f);
    commit(f);
    assert_string_equal(batch(f), "mark 0");
    assert_int_equal(f->w->marks[0].place.offset, END);
}

static void test_a_transaction_goes_on_in_the_next_batch(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    insert(f, "1", "a");
    ls_work_reset(f->w);
    insert(f, "2", "b");
    commit(f);
    assert_string_equal(batch(f), "I2 after id=2 note=b; mark 1");
    assert_string_equal(f->w->seen.changes[0].tx->pos, "0000000001a3b748");
}

static void test_tables_left_out_are_not_counted(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    relation_head(f, 101, "other", 'd', 1);
    column(f, true, "j", JSONB); /* its type does not matter */
    ok(f);
    message(f, 'I');
    put(f, 101, 4);
    TUPLE(f, 'N', "{}");
    ok(f);
    assert_int_equal(f->w->seen.count, 0);
    insert(f, "1", "a");
    message(f, 'T');
    put(f, 2, 4);
    put(f, 0, 1);
    put(f, 101, 4);
    put(f, 100, 4);
    ok(f);
    commit(f);
    assert_string_equal(batch(f), "I1 after id=1 note=a; T2; mark 2");
    assert_int_equal(f->asked, 1);
}

static void test_origin_and_logical_messages_are_passed(void **state) {
    fixture *f = *state;
    begin(f);
    message(f, 'O');
    put(f, LSN, 8);
    put_name(f, "node");
    ok(f);
    message(f, 'M');
    ok(f);
    commit(f);
    assert_string_equal(batch(f), "mark 0");
}

static void test_delivered_rows_are_left_out(void **state) {
    fixture *f = *state;
    open_decoder(f, "0000000001a3b748", 2);
    begin_at(f, LSN - 16); /* wholly delivered */
    table_t(f, 'd', 1);
    insert(f, "7", "z");
    commit_at(f, LSN - 16, LSN - 8);
    ok(f);
    begin(f);
    insert(f, "1", "a");
    row(f, 'U'); /* D is the 2nd, I the 3rd */
    TUPLE(f, 'K', "1", NULL);
    TUPLE(f, 'N', "2", "a");
    ok(f);
    message(f, 'T');
    put(f, 1, 4);
    put(f, 0, 1);
    put(f, 100, 4);
    ok(f);
    commit(f);
    begin_at(f, END + 8);
    insert(f, "3", "c");
    assert_string_equal(batch(f), "I3 after id=2 note=a from 1; T4; I1 after id=3 note=c; mark 0mark 2");
}

/* ---- rows */

static void test_a_key_change_is_two_changes(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    row(f, 'U');
    TUPLE(f, 'K', "1", NULL);
    TUPLE(f, 'N', "2", "\1");
    ok(f);
    assert_string_equal(batch(f), "D1 before id=1 to 2; I2 after id=2 note=? from 1; ");
}

static void test_values_that_were_not_sent(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    row(f, 'U');
    TUPLE(f, 'N', "1", "\1");
    ok(f);
    assert_string_equal(batch(f), "U1 after id=1 note=? before id=1; ");
    ls_work_reset(f->w);
    f->nprimary = 0;
    table_t(f, 'f', 3); /* without a key, and the whole row before */
    row(f, 'U');
    TUPLE(f, 'O', "1", "long");
    TUPLE(f, 'N', "2", "\1");
    ok(f);
    assert_string_equal(batch(f), "U2 after id=2 note=long before id=1 note=long; ");
    key_is(f, "");
}

static void test_replica_identity_full(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'f', 3);
    row(f, 'U');
    TUPLE(f, 'O', "1", NULL);
    TUPLE(f, 'N', "1", "b");
    ok(f);
    row(f, 'D');
    TUPLE(f, 'O', "1", "b");
    ok(f);
    assert_string_equal(batch(f), "U1 after id=1 note=b before id=1; D2 before id=1; ");
    key_is(f, "id");
    ls_work_reset(f->w);
    f->nprimary = 0;
    table_t(f, 'f', 3);
    row(f, 'D');
    TUPLE(f, 'O', "1", NULL);
    ok(f);
    assert_string_equal(batch(f), "D3 before id=1 note=NULL; ");
    assert_int_equal(f->warned, 0);
}

static void test_a_deleted_row_needs_its_key(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    row(f, 'D');
    TUPLE(f, 'K', NULL, NULL);
    refused(f, "table public.t, column \"id\", transaction 0000000001a3b748 (xid 742), row 1: the server did not send "
               "this column of the deleted row's key; give the table (of a partitioned one each partition) the same "
               "REPLICA IDENTITY");
}

static void test_wrong_values_name_their_place(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    insert(f, "1", "a");
    row(f, 'I');
    TUPLE(f, 'N', "2", "b\xff");
    refused(f, "table public.t, column \"note\", key id=2, transaction 0000000001a3b748 (xid 742), row 2: the text (2 bytes) is "
               "not valid UTF-8: mend the value in the database, or make the database's encoding UTF8 so that the "
               "server checks what it stores; on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here");
    row(f, 'I');
    TUPLE(f, 'N', "x", "b");
    refused(f, "table public.t, column \"id\", key id=x, transaction 0000000001a3b748 (xid 742), row 2: the server's text (1 "
               "bytes) is no integer");
}

static void test_wrong_values_name_their_key(void **state) {
    fixture *f = *state;
    static const char tail[] = ", transaction 0000000001a3b748 (xid 742), row 1: the text (1 bytes) is not valid UTF-8";
    char a[200], want[512];
    memset(a, 'a', sizeof a - 1);
    memcpy(a + 98, "\xe2\x82\xac", 3); /* the limit falls into a character */
    a[199] = '\0';
    f->primary[0] = "c"; /* behind the wrong value, and before another key column */
    f->primary[1] = "a";
    f->nprimary = 2;
    begin(f);
    relation_head(f, 100, "t", 'd', 4);
    column(f, true, "a", TEXT);
    column(f, false, "b", TEXT);
    column(f, true, "c", TEXT);
    column(f, false, "d", TEXT);
    ok(f);
    row(f, 'I');
    TUPLE(f, 'N', a, "\xff", "k", "d");
    assert_int_equal(decode(f), -1);
    snprintf(want, sizeof want, "table public.t, column \"b\", key a=%.98s..., c=k%s", a, tail);
    assert_memory_equal(f->err.text, want, strlen(want));
    row(f, 'U');
    TUPLE(f, 'K', "x", NULL, "y", NULL);
    TUPLE(f, 'N', "\xff", "b", "z", "d");
    assert_int_equal(decode(f), -1);
    snprintf(want, sizeof want, "table public.t, column \"a\", key a=(no valid text), c=z%s", tail);
    assert_memory_equal(f->err.text, want, strlen(want));
}

/* ---- broken bytes */

static void test_short_messages(void **state) {
    fixture *f = *state;
    ls_buf_clear(&f->m);
    refused(f, "pgoutput empty message ends early: at byte 0 1 bytes were wanted, 0 remained");
    message(f, 'B');
    put(f, LSN, 8);
    put(f, 0, 3);
    refused(f, "pgoutput Begin message ends early: at byte 9 8 bytes were wanted, 3 remained");
    begin(f);
    table_t(f, 'd', 1);
    row(f, 'I');
    put(f, 'N', 1);
    put(f, 2, 2);
    put(f, 't', 1);
    put(f, UINT32_MAX, 4); /* a length of -1 */
    put(f, 7, 1);
    refused(f, "pgoutput Insert message ends early: at byte 13 4294967295 bytes were wanted, 1 remained");
    message(f, 'T');
    put(f, UINT32_MAX, 4);
    put(f, 0, 1);
    put(f, 100, 4);
    refused(f, "pgoutput Truncate message ends early: at byte 6 17179869180 bytes were wanted, 4 remained");
    relation_head(f, 100, "t", 'd', 65535);
    column(f, true, "id", INT4);
    refused(f, "pgoutput Relation message ends early: at byte 29 1 bytes were wanted, 0 remained");
}

static void test_messages_cut_at_every_byte(void **state) {
    fixture *f = *state;
    char kinds[] = "RIUDTCBY";
    for (size_t k = 0; kinds[k]; k++) {
        for (size_t cut = 0;; cut++) {
            open_decoder(f, "", 0);
            if (kinds[k] != 'B') begin(f);
            if (kinds[k] != 'R') table_t(f, 'd', 1);
            row(f, kinds[k]);
            switch (kinds[k]) {
            case 'R':
                relation_head(f, 100, "t", 'd', 1), column(f, true, "id", INT4);
                break;
            case 'I':
                TUPLE(f, 'N', "12", "ab");
                break;
            case 'U':
                TUPLE(f, 'K', "12", NULL), TUPLE(f, 'N', "13", "\1");
                break;
            case 'D':
                TUPLE(f, 'K', "12", NULL);
                break;
            case 'T':
                message(f, 'T'), put(f, 1, 4), put(f, 0, 1), put(f, 100, 4);
                break;
            case 'C':
                commit_at(f, LSN, END);
                break;
            case 'B':
                message(f, 'B'), put(f, LSN, 8), put(f, 0, 8), put(f, 1, 4);
                break;
            case 'Y':
                message(f, 'Y'), put(f, MOOD, 4), put_name(f, "public"), put_name(f, "mood");
                break;
            }
            for (; f->nkept; f->nkept--) free(f->kept[f->nkept - 1]);
            if (cut == f->m.len) break;
            f->m.len = cut;
            assert_int_equal(decode(f), -1);
            assert_non_null(strstr(f->err.text, "ends early: at byte "));
            assert_int_equal(f->w->seen.count, 0);
        }
        ok(f);
        ls_buf_char(&f->m, 'x');
        f->err.text[0] = '\0';
        open_decoder(f, "", 0);
        if (kinds[k] != 'B') {
            ls_buf m = f->m;
            f->m = (ls_buf){0};
            begin(f);
            if (kinds[k] != 'R') table_t(f, 'd', 1);
            ls_buf_free(&f->m);
            f->m = m;
        }
        assert_int_equal(decode(f), -1);
        assert_non_null(strstr(f->err.text, "1 bytes remained"));
        assert_int_equal(f->w->seen.count, 0);
    }
}

static void test_nonsense(void **state) {
    fixture *f = *state;
    message(f, 'z');
    put(f, 1, 4);
    refused(f, "pgoutput message has 0x7a at byte 0, where a message's kind was wanted, with 4 bytes remaining");
    message(f, 'I');
    put(f, 5, 4);
    refused(f, "pgoutput Insert message outside of a transaction");
    message(f, 'T');
    put(f, 0, 4);
    put(f, 0, 1);
    refused(f, "pgoutput Truncate message outside of a transaction");
    commit_at(f, LSN, END);
    refused(f, "pgoutput Commit message outside of a transaction");
    begin(f);
    message(f, 'B');
    put(f, LSN, 8);
    put(f, 0, 8);
    put(f, 743, 4);
    refused(f, "pgoutput Begin message inside transaction 742");
    message(f, 'I');
    put(f, 5, 4);
    refused(f, "pgoutput Insert message for table 5, which no Relation message named");
    message(f, 'T');
    put(f, 1, 4);
    put(f, 0, 1);
    put(f, 6, 4);
    refused(f, "pgoutput Truncate message for table 6, which no Relation message named");
    table_t(f, 'd', 1);
    row(f, 'I');
    TUPLE(f, 'K', "1", NULL);
    refused(f,
            "pgoutput Insert message has 0x4b at byte 5, where the row after (N) was wanted, with 9 bytes remaining");
    row(f, 'I');
    TUPLE(f, 'N', "1");
    refused(f, "pgoutput Insert message for table public.t has 1 values at byte 6, where the table's 2 were wanted, "
               "with 6 bytes remaining");
    row(f, 'I');
    put(f, 'N', 1);
    put(f, 2, 2);
    put(f, 'b', 1); /* binary was not asked for */
    refused(f, "pgoutput Insert message has 0x62 at byte 8, where the kind of a value (n, u or t) was wanted, with 0 "
               "bytes remaining");
    commit_at(f, LSN + 1, END);
    refused(f, "pgoutput Commit message at 0000000001a3b749 to 0000000001a3b778 does not end the transaction "
               "0000000001a3b748 that was begun");
    assert_int_equal(f->w->seen.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_transaction),
        TEST(test_an_empty_transaction_moves_the_place),
        TEST(test_a_transaction_goes_on_in_the_next_batch),
        TEST(test_tables_left_out_are_not_counted),
        TEST(test_origin_and_logical_messages_are_passed),
        TEST(test_delivered_rows_are_left_out),
        TEST(test_a_key_change_is_two_changes),
        TEST(test_values_that_were_not_sent),
        TEST(test_replica_identity_full),
        TEST(test_a_deleted_row_needs_its_key),
        TEST(test_wrong_values_name_their_place), TEST(test_wrong_values_name_their_key),
        TEST(test_short_messages),
        TEST(test_messages_cut_at_every_byte),
        TEST(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
