/* Messages read, and written again as they were. */
#include "change/value.h"
#include "format/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *work;
    ls_decoder *decoder;
    ls_buf out;
    ls_error err;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->work = ls_work_new(&f->schemas, "shop", "postgres");
    f->decoder = ls_decoder_new(&f->schemas);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->work);
    ls_decoder_free(f->decoder);
    ls_buf_free(&f->out);
    free(f);
    return 0;
}

#define SOURCE(seq) "\"source\":{\"v\":1,\"connector\":\"shop\",\"db\":\"postgres\",\"ts\":1732313405123456,\"tx\":\"742\"," \
                    "\"pos\":\"0000000001a3b748\",\"seq\":" #seq "}"

static const char *encoded(fixture *f, uint32_t i) {
    ls_buf_clear(&f->out);
    if (ls_format_list_sync.encode(&(const ls_format_options){0}, &f->work->seen, i, &f->out, &f->err)) fail_msg("%s", f->err.text);
    return ls_buf_cstr(&f->out);
}

static int reads(fixture *f, const char *message) {
    return ls_decoder_read(f->decoder, f->work, message, strlen(message), &f->err);
}

/* Reads a message, and gives its change. */
static const ls_change *change_of(fixture *f, const char *message) {
    if (reads(f, message)) fail_msg("%s\n%s", f->err.text, message);
    return &f->work->seen.changes[f->work->seen.count - 1];
}

static const ls_value *value_of(const ls_change *c, const ls_value *row, const char *name) {
    int i = ls_schema_find(c->schema, name, strlen(name));
    assert_true(i >= 0);
    return &row[i];
}

#define PK "\"pk\":[{\"name\":\"id\"}],"
#define T_HEAD(action) "{\"action\":\"" action "\",\"schema\":\"p\",\"table\":\"t\","
#define COL(name, value) "{\"name\":\"" name "\",\"value\":" value "}"

static const char *const messages[] = {
    T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "null") "," COL("b", "\"x\"") "]," SOURCE(1) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("a", "1.5e+30") "," COL("b", "\"\\u0001\\n\"") "],\"identity\":[" COL("id", "1") "]," SOURCE(2) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("b", "\"\"") "],\"identity\":[" COL("id", "1") "],\"unchanged\":[\"a\"]," SOURCE(3) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "],\"identity\":[" COL("id", "1") "],\"unchanged\":[\"a\",\"b\"]," SOURCE(4) "}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "]," SOURCE(5) "}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "],\"moved_to\":[" COL("id", "2") "]," SOURCE(6) "}",
    T_HEAD("I") PK "\"columns\":[" COL("id", "2") "," COL("a", "-0") "],\"moved_from\":[" COL("id", "1") "],\"unchanged\":[\"b\"]," SOURCE(7) "}",
    T_HEAD("T") SOURCE(8) "}",
    "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"two\",\"pk\":[{\"name\":\"c\"},{\"name\":\"a\"}],\"columns\":[" COL("a", "true") "," COL("b", "[1,{\"x\":\" \"}]")
        "," COL("c", "\"NaN\"") "]," SOURCE(9) "}",
    "{\"action\":\"U\",\"schema\":\"p\",\"table\":\"two\",\"pk\":[{\"name\":\"c\"},{\"name\":\"a\"}],\"columns\":[" COL("a", "false") "," COL("b", "null")
        "," COL("c", "\"q\"") "],\"identity\":[" COL("c", "\"q\"") "," COL("a", "false") "]," SOURCE(10) "}",
    "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"none\",\"columns\":[" COL("a", "12345678901234567890") "]," SOURCE(11) "}",
    "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"none\",\"identity\":[" COL("a", "-5") "]," SOURCE(12) "}",
    "{\"action\":\"I\",\"schema\":\"p\\\"\",\"table\":\"\\\\\",\"columns\":[" COL("\\n", "1") "," COL("\xc3\xa4", "\"\xf0\x9f\x98\x80\"") "]," SOURCE(13) "}",
    "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"never\",\"pk\":[{\"name\":\"k\"}],\"identity\":[" COL("k", "\"\\u0000\"") "]," SOURCE(14) "}",
    "{\"action\":\"X\",\"schema\":\"p\",\"table\":\"t\"," SOURCE(15) "}",
    "{\"action\":\"X\",\"schema\":\"p\",\"table\":null," SOURCE(16) "}",
    "{\"action\":\"R\",\"schema\":\"p\",\"table\":\"t\",\"to_schema\":\"p\",\"to_table\":\"u\"," SOURCE(17) "}",
    T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "2") "," COL("b", "\"x\"") "],"
        "\"source\":{\"v\":1,\"connector\":\"\",\"db\":\"mariadb\",\"ts\":-1,\"tx\":\"0-1-5\",\"pos\":\"1-00\",\"seq\":18,\"sub\":1,\"snapshot\":true}}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "]}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "," COL("a", "7") "," COL("b", "null") "]," SOURCE(19) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("a", "2") "," COL("b", "\"x\"") "],\"identity\":[" COL("id", "1") "," COL("b", "\"y\"") "]," SOURCE(20) "}",
    "{\"action\":\"U\",\"schema\":\"p\",\"table\":\"two\",\"pk\":[{\"name\":\"c\"},{\"name\":\"a\"}],\"columns\":[" COL("a", "false") "," COL("b", "null")
        "," COL("c", "\"q\"") "],\"identity\":[" COL("a", "true") "," COL("b", "[]") "," COL("c", "\"q\"") "]," SOURCE(21) "}",
};
enum { NMESSAGES = sizeof messages / sizeof *messages };

/* What is read is written again as it was: in the order of the list and in the opposite one, in which other tables are known. */
static void test_round_trips(void **state) {
    fixture *f = *state;
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < NMESSAGES; i++) {
            const char *m = messages[round % 2 ? NMESSAGES - 1 - i : i];
            change_of(f, m);
            assert_string_equal(encoded(f, f->work->seen.count - 1), m);
        }
}

static void same_change(const ls_change *a, const ls_change *b) {
    assert_string_equal(a->tx->pos, b->tx->pos);
    assert_string_equal(a->tx->id, b->tx->id);
    assert_string_equal(a->tx->connector, b->tx->connector);
    assert_string_equal(a->tx->db, b->tx->db);
    assert_int_equal(a->tx->ts, b->tx->ts);
    assert_ptr_equal(a->schema, b->schema);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->sub, b->sub);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->whole_table, b->whole_table);
    assert_int_equal(!a->after, !b->after);
    assert_int_equal(!a->before, !b->before);
    for (uint32_t i = 0; i < a->schema->ncols; i++) {
        if (a->after) assert_true(ls_value_same(&a->after[i], &b->after[i]) && a->after[i].kind == b->after[i].kind);
        if (a->before) assert_true(ls_value_same(&a->before[i], &b->before[i]) && a->before[i].kind == b->before[i].kind);
    }
}

/* A blank in front keeps a message from the quick reader: both readers must say the same, of whole messages and of spoilt ones. */
static void both_ways(fixture *f, const char *message, size_t n) {
    char *slow = malloc(n + 1), *quick = malloc(n ? n : 1);
    uint32_t count = f->work->seen.count;
    memcpy(quick, message, n);
    memcpy(slow + 1, message, n);
    *slow = ' ';
    int a = ls_decoder_read(f->decoder, f->work, quick, n, &f->err);
    int b = ls_decoder_read(f->decoder, f->work, slow, n + 1, &f->err);
    int c = ls_decoder_read(f->decoder, f->work, quick, n, &f->err); /* the table is known now, if it was not */
    if (a != b || b != c) fail_msg("%d, %d, %d: %.*s: %s", a, b, c, (int)n, message, f->err.text);
    assert_int_equal(f->work->seen.count, a ? count : count + 3);
    if (a == 0) {
        const ls_change *last = &f->work->seen.changes[count + 2];
        same_change(last - 1, last);
        same_change(last - 2, last);
    }
    ls_work_reset(f->work);
    free(slow);
    free(quick);
}

static void test_both_readers_agree(void **state) {
    fixture *f = *state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < NMESSAGES; i++) both_ways(f, messages[i], strlen(messages[i]));
}

static int quickly(fixture *f, const char *message) {
    f->decoder->start = message;
    f->decoder->bytes = strlen(message);
    return ls_read_quickly(f->decoder, f->work, &f->err);
}

/* Which messages the quick reader takes, once it knows their tables; it must not leave the ordinary ones to the other. */
static void test_what_is_read_quickly(void **state) {
    fixture *f = *state;
    for (int i = 0; i < NMESSAGES; i++) {
        char action = messages[i][11];
        bool ordinary = strchr("IUD", action) && !strstr(messages[i], "moved_") && strstr(messages[i], "source");
        if (i == 0) assert_int_equal(quickly(f, messages[i]), 0); /* an unknown table */
        change_of(f, messages[i]);
        assert_int_equal(quickly(f, messages[i]), ordinary);
    }
}

static void test_both_readers_agree_on_spoilt_messages(void **state) {
    fixture *f = *state;
    static const char bytes[] = {'\0', ' ', '"', '\\', ',', '}', ']', '0', 'x', '\x80'};
    for (int i = 0; i < NMESSAGES; i++) {
        size_t n = strlen(messages[i]);
        char *m = strdup(messages[i]);
        for (size_t at = 0; at < n; at++) {
            both_ways(f, m, at); /* cut off */
            for (size_t k = 0; k < sizeof bytes; k++) {
                char was = m[at];
                m[at] = bytes[k];
                both_ways(f, m, n);
                m[at] = was;
            }
        }
        free(m);
    }
}

static void test_any_order_and_unknown_members(void **state) {
    fixture *f = *state;
    const ls_change *c = change_of(f, " { \"x\" : [ { } ] , \"source\" : { \"seq\" : 3 , \"new\" : null , \"pos\" : \"0a\", \"db\":\"postgres\",\"connector\":\"shop\" } ,"
                                      "\"columns\" : [ { \"value\" : [ 1 , \" \\\" \" ] , \"type\" : \"int\" , \"name\" : \"i\\u0064\" } ] , \"table\" : \"t\" ,"
                                      "\"schema\" : \"p\" , \"pk\":[{\"x\":1,\"name\":\"id\"}], \"action\" : \"\\u0049\" } \n");
    assert_int_equal(c->action, 'I');
    assert_int_equal(c->seq, 3);
    assert_string_equal(c->tx->pos, "0a");
    assert_string_equal(c->tx->connector, "shop");
    assert_int_equal(c->schema->nkey, 1);
    const ls_value *v = value_of(c, c->after, "id");
    assert_int_equal(v->kind, LS_KIND_JSON);
    assert_int_equal(v->len, 10);
    assert_memory_equal(v->as.p, "[1,\" \\\" \"]", 10); /* blanks between tokens removed */
}

static void test_values_point_into_the_message(void **state) {
    fixture *f = *state;
    char m[] = T_HEAD("I") "\"columns\":[" COL("a", "\"plain\"") "," COL("b", "\"esc\\naped\"") "," COL("n", "17") "," COL("t", "true") "]}";
    for (int i = 0; i < 2; i++) {
        const ls_change *c = change_of(f, m);
        const ls_value *a = value_of(c, c->after, "a"), *b = value_of(c, c->after, "b"), *n = value_of(c, c->after, "n");
        assert_true(a->as.p > m && a->as.p < m + sizeof m);
        assert_int_equal(a->len, 5);
        assert_true(b->as.p < m || b->as.p >= m + sizeof m);
        assert_memory_equal(b->as.p, "esc\naped", b->len);
        assert_int_equal(n->kind, LS_KIND_TEXT);
        assert_memory_equal(n->as.p, "17", n->len);
        assert_int_equal(value_of(c, c->after, "t")->kind, LS_KIND_BOOL);
        assert_int_equal(value_of(c, c->after, "t")->as.i, 1);
        assert_int_equal(c->schema->cols[0].type, LS_TYPE_STRING);
        assert_int_equal(c->schema->cols[2].type, LS_TYPE_INTEGER);
        assert_int_equal(c->schema->cols[3].type, LS_TYPE_BOOLEAN);
        assert_string_equal(c->tx->pos, "");
        assert_string_equal(c->tx->connector, "");
    }
}

static void test_rows_that_carry_some_columns(void **state) {
    fixture *f = *state;
    const ls_change *d = change_of(f, messages[4]); /* an unknown table: its key is all that is known */
    assert_int_equal(d->schema->ncols, 1);
    assert_int_equal(d->schema->nkey, 1);
    const ls_schema *s = change_of(f, messages[0])->schema;
    assert_int_equal(s->ncols, 3);
    d = change_of(f, messages[4]);
    assert_ptr_equal(d->schema, s);
    assert_int_equal(value_of(d, d->before, "id")->state, LS_PRESENT);
    assert_int_equal(value_of(d, d->before, "a")->state, LS_ABSENT);
    assert_null(d->after);
    const ls_change *u = change_of(f, messages[3]);
    assert_ptr_equal(u->schema, s);
    assert_int_equal(value_of(u, u->after, "b")->state, LS_UNCHANGED);
    assert_int_equal(value_of(u, u->before, "b")->state, LS_ABSENT);
    assert_ptr_equal(change_of(f, messages[7])->schema, s); /* T */
}

static void test_changed_tables(void **state) {
    fixture *f = *state;
    static const char *const shapes[] = {
        T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "1") "," COL("b", "1") "]}",
        T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "1") "]}",                                     /* dropped */
        T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("b", "1") "," COL("a", "1") "]}",                   /* moved */
        T_HEAD("I") "\"pk\":[{\"name\":\"a\"}],\"columns\":[" COL("id", "1") "," COL("a", "1") "," COL("b", "1") "]}", /* another key */
        T_HEAD("I") "\"columns\":[" COL("id", "1") "," COL("a", "1") "," COL("b", "1") "]}",                      /* none */
        T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "1") "," COL("b", "1") "," COL("c", "1") "]}"};
    enum { N = sizeof shapes / sizeof *shapes };
    uint32_t ids[N];
    for (int i = 0; i < N; i++) {
        ids[i] = change_of(f, shapes[i])->schema->id;
        for (int k = 0; k < i; k++) assert_int_not_equal(ids[i], ids[k]);
        if (i != 3 && i != 4) assert_int_equal(change_of(f, messages[4])->schema->id, ids[i]); /* a delete is of the newest one */
    }
    for (int i = 0; i < N; i++) assert_int_equal(change_of(f, shapes[i])->schema->id, ids[i]); /* found again */
}

static const ls_schema *typed(fixture *f, const char *value) {
    char m[200];
    snprintf(m, sizeof m, T_HEAD("I") "\"columns\":[{\"name\":\"a\",\"value\":%s}]}", value);
    return change_of(f, m)->schema;
}

static void test_types_are_refined(void **state) {
    fixture *f = *state;
    assert_int_equal(change_of(f, "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"zero\",\"identity\":[" COL("a", "-0") "]}")->schema->cols[0].type, LS_TYPE_FLOAT);
    assert_int_equal(typed(f, "null")->cols[0].type, LS_TYPE_UNKNOWN);
    const ls_schema *s = typed(f, "1");
    assert_int_equal(s->cols[0].type, LS_TYPE_INTEGER);
    assert_ptr_equal(typed(f, "null"), s);
    s = typed(f, "1.5");
    assert_int_equal(s->cols[0].type, LS_TYPE_FLOAT);
    assert_ptr_equal(typed(f, "1"), s);
    assert_ptr_equal(typed(f, "-0"), s);
    assert_ptr_equal(typed(f, "\"NaN\""), s);
    assert_ptr_equal(typed(f, "\"-Infinity\""), s);
    uint32_t last = f->schemas.last_id;
    assert_ptr_equal(typed(f, "null"), s);
    assert_int_equal(f->schemas.last_id, last);
}

/* A column whose values are of several types: each type's schema is found again, not made for each row. */
static void test_types_that_alternate(void **state) {
    fixture *f = *state;
    static const char *const of[] = {"1", "\"x\"", "true", "[1]", "1.5", "\"NaN\""};
    for (int i = 0; i < 6; i++) typed(f, of[i]);
    uint32_t last = f->schemas.last_id;
    for (int i = 0; i < 600; i++) {
        assert_int_equal(typed(f, of[i % 6]) != NULL, 1);
        if (i % 6 == 1) assert_int_equal(f->work->seen.changes[f->work->seen.count - 1].schema->cols[0].type, LS_TYPE_STRING);
        if (i % 6 == 2) assert_int_equal(f->work->seen.changes[f->work->seen.count - 1].schema->cols[0].type, LS_TYPE_BOOLEAN);
    }
    assert_int_equal(f->schemas.last_id, last);
}

static void test_identity_has_a_type(void **state) {
    fixture *f = *state;
    const ls_change *c = change_of(f, T_HEAD("U") "\"columns\":[" COL("a", "null") "],\"identity\":[" COL("a", "7") "]}");
    assert_int_equal(c->schema->cols[0].type, LS_TYPE_INTEGER);
    c = change_of(f, T_HEAD("U") "\"columns\":[" COL("a", "null") "],\"identity\":[" COL("a", "\"x\"") "," COL("more", "1") "]}");
    assert_int_equal(c->schema->ncols, 2); /* the row before has a column that the row after lacks */
    assert_int_equal(c->after[1].state, LS_ABSENT);
}

/* Of an embedded document the two images may have different types: the whole row before is read and written as it was. */
static void test_documents_of_several_types(void **state) {
    fixture *f = *state;
    static const char *const documents[] = {"1", "-2.5", "\"x\"", "\"\\\"\\n\"", "true", "null", "[1]", "{\"a\":\"b\"}", "\"NaN\""};
    enum { N = sizeof documents / sizeof *documents };
    for (int i = 0; i < N * N; i++) {
        char message[512];
        snprintf(message, sizeof message, "%s\"columns\":[" COL("a", "%s") "],\"identity\":[" COL("a", "%s") "]," SOURCE(1) "}", T_HEAD("U"),
                 documents[i / N], documents[i % N]);
        change_of(f, message);
        assert_string_equal(encoded(f, f->work->seen.count - 1), message);
    }
}

static void test_transactions_are_shared(void **state) {
    fixture *f = *state;
    const ls_tx *tx = change_of(f, messages[0])->tx;
    assert_int_equal(tx->ts, 1732313405123456);
    assert_string_equal(tx->id, "742");
    assert_string_equal(tx->db, "postgres");
    assert_ptr_equal(change_of(f, messages[4])->tx, tx);
    assert_ptr_not_equal(change_of(f, messages[17])->tx, tx);
    assert_string_equal(f->work->seen.changes[2].tx->db, "mariadb");
    assert_int_equal(f->work->seen.changes[2].tx->ts, -1);
    assert_int_equal(f->work->seen.changes[2].flags, LS_SNAPSHOT);
    ls_work_reset(f->work);
    assert_string_equal(change_of(f, messages[17])->tx->id, "0-1-5"); /* the last batch's is gone */
}

/* A message whose transaction has the number n; blank: in front of a member, so that the quick reader leaves it. */
static int64_t ts_of(fixture *f, char action, int n, const char *blank) {
    char message[512];
    snprintf(message, sizeof message,
             "{\"action\":\"%c\",\"schema\":\"p\",\"table\":\"t\",%s" PK "%s\"source\":{\"v\":1,\"connector\":\"c\",\"db\":\"d\",\"ts\":%d,\"tx\":\"%d\",\"pos\":\"%d\",\"seq\":1}}",
             action, blank, action == 'I' ? "\"columns\":[" COL("id", "1") "]," : "", n, n, n);
    return change_of(f, message)->tx->ts;
}

/* What is remembered of a transaction is its batch's: in the next batch another one may be at the same place in memory. */
static void test_a_transaction_in_the_next_batch(void **state) {
    enum { MOST = 12 };
    fixture *f = *state;
    ts_of(f, 'I', 1, ""); /* the table is known now */
    for (int i = 0; i < MOST * MOST * MOST; i++) { /* so many messages of each kind that some transaction is at that place */
        int before = i % MOST, rows = i / MOST % MOST, truncates = i / MOST / MOST;
        ls_work_reset(f->work);
        for (int k = 0; k < before; k++) ts_of(f, 'I', 100 + k, "");
        assert_int_equal(ts_of(f, 'I', 1, ""), 1);
        ls_work_reset(f->work);
        for (int k = 0; k < rows; k++) assert_int_equal(ts_of(f, 'I', 200 + k, " "), 200 + k);
        for (int k = 0; k <= truncates; k++) assert_int_equal(ts_of(f, 'T', 300 + k, ""), 300 + k);
        assert_int_equal(ts_of(f, 'I', 1, ""), 1);
    }
}

/* ---- hostile input */

static void test_what_is_refused(void **state) {
    fixture *f = *state;
    static const struct { const char *message, *says; } bad[] = {
        {"", "byte 0"},
        {"null", "byte 0"},
        {"hello", "byte 0"},
        {"[]", "byte 0"},
        {"{}", "byte 2: \"action\""},
        {"{\"action\":\"I\"", "byte 13"},
        {"{\"action\":\"Z\",\"schema\":\"p\",\"table\":\"t\"}", "byte 11: \"action\", one of I, U, D, T, X and R"},
        {"{\"action\":7,\"schema\":\"p\",\"table\":\"t\"}", "byte 10: \"action\""},
        {"{\"action\":\"T\",\"table\":\"t\"}", "\"schema\", a string"},
        {"{\"action\":\"T\",\"schema\":\"p\",\"table\":null}", "byte 35: \"table\""},
        {"{\"action\":\"R\",\"schema\":\"p\",\"table\":\"t\",\"to_schema\":\"p\"}", "\"to_table\""},
        {T_HEAD("I") PK "\"columns\":[]}", "\"columns\" was wanted"},
        {T_HEAD("D") PK "\"columns\":[" COL("a", "1") "]}", "\"identity\" was wanted"},
        {T_HEAD("I") "\"columns\":{}}", "an array was wanted"},
        {T_HEAD("I") "\"columns\":[1]}", "an object was wanted"},
        {T_HEAD("I") "\"columns\":[{\"value\":1}]}", "\"name\""},
        {T_HEAD("I") "\"columns\":[" COL("a", "1") "," COL("a", "2") "]}", "not named before"},
        {T_HEAD("I") "\"columns\":[" COL("a", "1") "],\"unchanged\":[\"a\"]}", "not named before"},
        {T_HEAD("I") "\"columns\":[" COL("a", "1") "],\"unchanged\":[1]}", "a column's name"},
        {T_HEAD("D") "\"identity\":[" COL("a", "1") "," COL("a", "2") "]}", "not named before"},
        {T_HEAD("I") "\"pk\":[{\"name\":\"z\"}],\"columns\":[" COL("a", "1") "]}", "p.t: \"pk\" names a column"},
        {T_HEAD("I") "\"pk\":[{\"name\":\"a\"},{\"name\":\"a\"}],\"columns\":[" COL("a", "1") "," COL("b", "1") "]}", "or one twice"},
        {T_HEAD("D") PK "\"identity\":[" COL("id", "1") "],\"moved_to\":[" COL("z", "1") "]}", "each column of \"pk\""},
        {T_HEAD("D") PK "\"identity\":[" COL("id", "1") "],\"moved_to\":[" COL("id", "1") "," COL("id", "2") "]}", "the 1 columns of \"pk\""},
        {T_HEAD("D") PK "\"identity\":[" COL("id", "1") "],\"moved_to\":[" COL("id", "\"x\"") "]}", "of the same type"},
        {T_HEAD("T") "\"source\":{\"v\":2}}", "source.v is 2"},
        {T_HEAD("T") "\"source\":{\"ts\":\"x\"}}", "source.ts"},
        {T_HEAD("T") "\"source\":{\"seq\":-1}}", "source.seq"},
        {T_HEAD("T") "\"source\":{\"sub\":4294967296}}", "source.sub"},
        {T_HEAD("T") "\"source\":{\"pos\":5}}", "source.pos is a string"},
        {T_HEAD("T") "\"source\":{\"pos\":\"0123456789012345678901234567890123456789\"}}", "source.pos of no more than 39 bytes"},
        {T_HEAD("T") "\"source\":{\"tx\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"}}", "source.tx of no more than "},
        {T_HEAD("T") "\"source\":{\"connector\":\"a\\u0000\"}}", "byte 62: a name without a NUL"},
        {T_HEAD("T") "\"source\":{\"db\":\"a\\u0000\"}}", "byte 55: a name without a NUL"},
        {T_HEAD("T") "\"source\":[]}", "an object was wanted"},
        {"{\"action\":\"T\",\"schema\":\"p\\u0000\",\"table\":\"t\"}", "byte 24: a name without a NUL"},
        {"{\"action\":\"T\",\"schema\":\"p\xff\",\"table\":\"t\"}", "byte 25: UTF-8"},
        {"{\"action\":\"T\",\"schema\":\"\xed\xa0\x80\",\"table\":\"t\"}", "byte 24: UTF-8"},
        {T_HEAD("I") "\"columns\":[" COL("a", "\"\\ud800\"") "]}", "surrogate"},
        {T_HEAD("I") "\"columns\":[" COL("a", "01") "]}", "byte"},
        {T_HEAD("T") "\"x\":1}{", "the end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (int again = 0; again < 2; again++) {
            assert_int_equal(reads(f, bad[i].message), -1);
            if (!strstr(f->err.text, bad[i].says)) fail_msg("\"%s\" is not in: %s\n%s", bad[i].says, f->err.text, bad[i].message);
            assert_non_null(strstr(f->err.text, "no list_sync message (take the topic out of topic_list"));
            assert_int_equal(f->err.code, LS_FAIL);
            assert_int_equal(f->work->seen.count, 0);
        }
    change_of(f, messages[0]); /* and it goes on reading */
}

/* A table that is known does not let a message pass that lacks a section. */
static void test_sections_that_are_missing(void **state) {
    fixture *f = *state;
    static const char *const lacking[] = {
        T_HEAD("D") PK SOURCE(2) "}",
        T_HEAD("U") PK SOURCE(3) "}",
        T_HEAD("I") PK SOURCE(4) "}",
        T_HEAD("U") PK "\"columns\":[" COL("a", "2") "," COL("b", "\"\"") "]," SOURCE(5) "}",
    };
    reads(f, messages[0]);
    uint32_t count = f->work->seen.count;
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        assert_int_equal(reads(f, lacking[i]), -1);
        assert_int_equal(f->work->seen.count, count);
    }
    assert_int_equal(reads(f, messages[8]), 0); /* whose key is c, a */
    assert_int_equal(reads(f, "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"two\",\"pk\":[{\"name\":\"c\"},{\"name\":\"a\"}],\"identity\":["
                              COL("a", "true") "]," SOURCE(7) "}"), -1);
    assert_non_null(strstr(f->err.text, "an identity with column \"c\" of \"pk\" was wanted"));
    /* an update that says nothing of the row before is one all the same */
    const ls_change *c = change_of(f, T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("a", "null") "," COL("b", "\"y\"") "]," SOURCE(6) "}");
    assert_int_equal(c->before[0].state, LS_ABSENT);
}

static void test_a_table_without_columns(void **state) {
    fixture *f = *state;
    assert_int_equal(change_of(f, "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"empty\"," SOURCE(1) "}")->schema->ncols, 0);
    assert_int_equal(change_of(f, "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"empty\"," SOURCE(2) "}")->schema->ncols, 0);
}

static void test_deep_nesting(void **state) {
    fixture *f = *state;
    ls_buf m = {0};
    ls_buf_str(&m, T_HEAD("T") "\"x\":");
    for (int i = 0; i < 100000; i++) ls_buf_char(&m, '[');
    assert_int_equal(reads(f, ls_buf_cstr(&m)), -1);
    assert_non_null(strstr(f->err.text, "less nesting"));
    ls_buf_free(&m);
}

/* Many columns, the second message's in the opposite order: time must not grow with the square. */
static void test_very_wide_rows(void **state) {
    fixture *f = *state;
    for (int turn = 0; turn < 2; turn++) {
        ls_buf m = {0};
        ls_buf_str(&m, T_HEAD("I") "\"columns\":[");
        for (int i = 0; i < LS_COLUMNS_MAX; i++)
            ls_buf_fmt(&m, "%s{\"name\":\"c%d\",\"value\":%d}", i ? "," : "", turn ? LS_COLUMNS_MAX - i : i + 1, i);
        ls_buf_str(&m, "]}");
        const ls_change *c = change_of(f, ls_buf_cstr(&m));
        assert_int_equal(c->schema->ncols, LS_COLUMNS_MAX);
        assert_memory_equal(c->after[65534].as.p, "65534", 5);
        m.len -= 2;
        ls_buf_str(&m, ",{\"name\":\"more\",\"value\":1}]}");
        assert_int_equal(reads(f, ls_buf_cstr(&m)), -1);
        assert_non_null(strstr(f->err.text, "no more than 65535 columns"));
        ls_work_reset(f->work);
        ls_buf_free(&m);
    }
}

/* Each section keeps to the limit, the row does not. */
static void test_a_row_of_two_wide_sections(void **state) {
    fixture *f = *state;
    ls_buf m = {0};
    ls_buf_str(&m, T_HEAD("U") "\"columns\":[");
    for (int i = 0; i < 40000; i++) ls_buf_fmt(&m, "%s{\"name\":\"a%d\",\"value\":1}", i ? "," : "", i);
    ls_buf_str(&m, "],\"identity\":[");
    for (int i = 0; i < 40000; i++) ls_buf_fmt(&m, "%s{\"name\":\"b%d\",\"value\":1}", i ? "," : "", i);
    ls_buf_str(&m, "]}");
    assert_int_equal(reads(f, ls_buf_cstr(&m)), -1);
    assert_non_null(strstr(f->err.text, "p.t: the row has more columns than a table can have"));
    assert_int_equal(f->work->seen.count, 0);
    ls_buf_free(&m);
}

static void test_memory_of_tables_is_bounded(void **state) {
    fixture *f = *state;
    char m[300];
    for (int i = 0; i < 3 * LS_TABLES_BUCKETS * LS_TABLES_A_BUCKET; i++) {
        snprintf(m, sizeof m, "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"t%d\",\"identity\":[" COL("a", "1") "]}", i);
        assert_string_equal(change_of(f, m)->schema->schema, "p");
        if (i % 1000 == 0) ls_work_reset(f->work);
    }
    for (int i = 0; i < 100; i++) { /* and of one table's shapes */
        snprintf(m, sizeof m, T_HEAD("I") "\"columns\":[{\"name\":\"c%d\",\"value\":1}]}", i);
        assert_int_equal(change_of(f, m)->schema->ncols, 1);
    }
    ls_work_reset(f->work);
    change_of(f, messages[0]);
    for (int i = 0; i < 3 * LS_TABLES_BUCKETS * LS_TABLES_A_BUCKET; i++) { /* tables of which nothing could be read push others out */
        snprintf(m, sizeof m, "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"t%d\"," PK "\"identity\":[" COL("a", "1") "]}", i);
        assert_int_equal(reads(f, m), -1);
    }
    change_of(f, messages[0]);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_round_trips), T(test_both_readers_agree), T(test_what_is_read_quickly),
        T(test_both_readers_agree_on_spoilt_messages), T(test_any_order_and_unknown_members), T(test_values_point_into_the_message),
        T(test_rows_that_carry_some_columns), T(test_changed_tables), T(test_types_are_refined), T(test_types_that_alternate),
        T(test_identity_has_a_type), T(test_documents_of_several_types),
        T(test_transactions_are_shared), T(test_a_transaction_in_the_next_batch),
        T(test_what_is_refused), T(test_sections_that_are_missing), T(test_a_table_without_columns), T(test_deep_nesting), T(test_very_wide_rows), T(test_a_row_of_two_wide_sections),
        T(test_memory_of_tables_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
