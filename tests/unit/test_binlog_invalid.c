/* Text that is not valid in its character set in the binlog: how it is mended, and what becomes of its row (on_invalid_text). */
#include "binlogevent.h"

#include "binlogvalue.h"
#include "capture/binlog_json.h"
#include "capture/binlog_json_diff.h"

#define R LS_REPLACEMENT

/* ---- values ---- */

/* A value in hex becomes `want`, flagged. */
static void mends(const ls_wire_column *c, const char *hex, const char *want) {
    uint8_t bytes[BYTES_MAX];
    size_t n = strlen(hex) / 2;
    ls_arena arena = {0};
    ls_buf scratch = {0};
    ls_value v = {.state = LS_ABSENT};
    ls_error err;
    bool mended = false;
    assert_int_equal(ls_hex_read(bytes, hex, 2 * n), 0);
    ls_cursor in = ls_cursor_over(bytes, n);
    if (ls_wire_read(c, &in, &arena, &scratch, &mended, &v, &err)) fail_msg("%s: %s", hex, err.text);
    assert_true(mended && v.mended && !in.failed && v.kind == LS_KIND_TEXT);
    assert_int_equal(v.len, strlen(want));
    assert_memory_equal(v.as.p, want, v.len);
    assert_string_equal(read_hex(c, hex, false), "bad"); /* where it is not to be mended */
    ls_buf_free(&scratch);
    ls_arena_free(&arena);
}

static void test_character_sets(void **state) {
    (void)state;
    static const struct {
        const char *charset, *hex, *want;
    } all[] = {
        {"utf8mb4", "0461e28262", "a" R "b"},
        {"utf8mb3", "02ff61", R "a"},
        {"ascii", "0561c3a962ff", "a" R R "b" R},
        {"latin7", "0341a142", NULL}, /* all of it is there */
        {"cp1257", "03418142", "A" R "B"},
        {"swe7", "03417f42", "A" R "B"},
        {"ucs2", "060041d83d0042", "A" R "B"},
        {"utf16", "060041d83d0042", "A" R "B"},   /* half a pair: what follows it stays */
        {"utf16", "060041de000042", "A" R "B"},   /* the other half */
        {"utf16", "08d83dd83dde000041", R "\xf0\x9f\x98\x80" "A"},
        {"utf16", "03004142", "A" R},             /* an odd byte */
        {"utf16", "020041", NULL},
        {"utf16le", "0641003dd84200", "A" R "B"},
        {"utf32", "0c000000410011000000000042", "A" R "B"},
        {"utf32", "06000000410000", "A" R},
        {"gbk", "0461fefe62", "a" R "b"},         /* a code without a character is one */
        {"gbk", "0461ff6162", "a" R "ab"},        /* what begins no code is a byte of its own */
        {"gbk", "05ffb0a1ffff", R "\xe5\x95\x8a" R R},
        {"gbk", "0361b022", "a" R "\""},          /* a code that is broken off by ASCII leaves it alone */
        {"gbk", "0261b0", "a" R},                 /* or by the end */
        {"sjis", "0361ff62", "a" R "b"},
        {"sjis", "028160", NULL},
        {"ujis", "048fa1a162", R "b"},            /* three bytes */
        {"ujis", "038fa162", R "b"},
        {"gb18030", "058130ff3061", R "0" R "0a"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        ls_wire_column c = column(LS_WIRE_VARCHAR, 40, LS_TYPE_STRING);
        c.charset = charset(all[i].charset);
        assert_non_null(c.charset);
        if (all[i].want)
            mends(&c, all[i].hex, all[i].want);
        else
            assert_string_not_equal(read_hex(&c, all[i].hex, false), "bad");
    }
}

static void test_json_text(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_BLOB, 1, LS_TYPE_JSON);
    c.charset = charset("utf8mb4");
    mends(&c, "0b7b202261223a2022ff227d", "{\"a\":\"" R "\"}"); /* its blanks go, as those of others do */
    mends(&c, "01ff", R);
}

/* In MySQL's binary JSON strings and names, and those that changes bring. */
static void test_binary_json(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_JSON, 1, LS_TYPE_JSON);
    mends(&c, "060c04220a01c2", "\"\\\"\\n\\u0001" R "\"");
    mends(&c, "1000" "01000f00" "0b000100" "0c0c00" "ff" "02c361", "{\"" R "\":\"" R "a\"}");
    ls_buf text = {0};
    ls_arena arena = {0};
    ls_error err;
    bool mended = false;
    static const uint8_t doc[] = {0x0c, 0x01, 'a'}, change[] = {0, 1, '$', 3, 0x0c, 1, 0xff}, bad_path[] = {2, 3, '$', '.', 0xff};
    assert_int_equal(ls_jsonb_text(&text, doc, sizeof doc, &mended, &err), 0);
    assert_false(mended);
    ls_buf_clear(&text);
    assert_int_equal(ls_jsonb_change(&text, doc, sizeof doc, change, sizeof change, &arena, &mended, &err), 0);
    assert_string_equal(ls_buf_cstr(&text), "\"" R "\"");
    assert_true(mended);
    assert_int_equal(ls_jsonb_change(&text, doc, sizeof doc, change, sizeof change, &arena, NULL, &err), -1);
    assert_int_equal(ls_jsonb_change(&text, doc, sizeof doc, bad_path, sizeof bad_path, &arena, &mended, &err), -1); /* a path is no value */
    ls_buf_free(&text);
    ls_arena_free(&arena);
}

/* ---- rows ---- */

#define NOT_VALID ": text that is not valid in its character set: "
#define AT ", transaction 000000030000000003e8 (2-9-5), row "
#define MEND "on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here"

static void start(fixture *f, ls_invalid_policy policy, uint64_t delivered_seq) {
    f->conf.on_invalid_text = policy;
    f->warned[0] = '\0';
    ls_work_reset(f->w);
    start_decoder(f, 3, 1000, delivered_seq ? "000000030000000003e8" : "", delivered_seq);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
    map(f);
}

/* Rows 1, 2 (invalid), 3 and 4 (one whose key changes, invalid), 5 and 6 of one event, the second invalid, 7. */
static void some_rows(fixture *f) {
    insert(f, 1, "a");
    insert(f, 2, "b\xff");
    rows_event(f, UPDATE, 7, 7);
    image(f, 1, "a", 0);
    image(f, 3, "\xe2\x82", 0);
    ok(f);
    rows_event(f, WRITE, 7, 0);
    image(f, 4, "d", 0);
    image(f, 5, "\xff", 0);
    ok(f);
    insert(f, 6, "f");
    commit(f);
}

static void test_replace(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_REPLACE, 0);
    some_rows(f);
    assert_int_equal(f->w->invalid, 3);
    came(f, "I1 t after id=1 note=a n=-1; I2 t after id=2 note=b" R " n=-1; D3 t before id=1; I4 t after id=3 note=" R " n=0; "
            "I5 t after id=4 note=d n=0; I6 t after id=5 note=" R " n=0; I7 t after id=6 note=f n=-1; mark 7 2-9-5");
    assert_string_equal(f->warned, "table db.t, column \"note\", key id=2" AT "2" NOT_VALID
                                   "U+FFFD is sent for what is invalid (on_invalid_text = \"replace\"); said once a table, counted for each row|");
}

static void test_skip(void **state) {
    fixture *f = *state;
    start(f, LS_INVALID_SKIP, 0);
    some_rows(f);
    assert_int_equal(f->w->invalid, 3);
    came(f, "I1 t after id=1 note=a n=-1; I5 t after id=4 note=d n=0; I7 t after id=6 note=f n=-1; mark 3 2-9-5");
    assert_string_equal(f->warned, "table db.t, column \"note\", key id=2" AT "2" NOT_VALID
                                   "the change is left out (on_invalid_text = \"skip\"); said once a table, counted for each row|");
}

static void test_policies_follow_one_another(void **state) {
    fixture *f = *state;
    for (int policy = LS_INVALID_STOP; policy <= LS_INVALID_SKIP; policy++) {
        start(f, (ls_invalid_policy)policy, 6);
        some_rows(f);
        assert_int_equal(f->w->invalid, 0);
        assert_string_equal(f->warned, "");
        came(f, "I7 t after id=6 note=f n=-1; mark 1 2-9-5");
    }
    start(f, LS_INVALID_STOP, 0);
    insert(f, 1, "a");
    rows_event(f, WRITE, 7, 0);
    image(f, 4, "d", 0);
    image(f, 5, "\xff", 0);
    fails(f, "offset 1151, WRITE_ROWS event: table db.t, column note, key id = 5" NOT_VALID MEND);
    came(f, "I1 t after id=1 note=a n=-1; I2 t after id=4 note=d n=0"); /* what came before it is handed over */
}

/* Of a row before only the key is sent, and what the row after lacks. */
static void test_rows_before(void **state) {
    fixture *f = *state;
    f->conf.partial_rows = true;
    for (int policy = LS_INVALID_STOP; policy <= LS_INVALID_SKIP; policy++) {
        start(f, (ls_invalid_policy)policy, 0);
        rows_event(f, UPDATE, 7, 7);
        image(f, 1, "\xff", 0);
        image(f, 1, "mended", 0);
        ok(f);
        rows_event(f, UPDATE, 7, 2); /* of the row after the text alone */
        image(f, 1, "\xff", 0);
        put(f, 0, 1), text(f, "mended");
        ok(f);
        rows_event(f, DELETE, 7, 0);
        image(f, 1, "\xff", 0);
        ok(f);
        assert_int_equal(f->w->invalid, 0);
        came(f, "U1 t before id=1 after id=1 note=mended n=0; U2 t before id=1 after id=1 note=mended n=0; D3 t before id=1");
        rows_event(f, UPDATE, 7, 4); /* the text is as it was */
        image(f, 1, "\xff", 0);
        put(f, 0, 1), put(f, 3, 2);
        if (policy == LS_INVALID_STOP) {
            fails(f, "UPDATE_ROWS event: table db.t, column \"note\", key id=1" AT "4" NOT_VALID MEND);
            came(f, "");
            continue;
        }
        ok(f);
        assert_int_equal(f->w->invalid, 1);
        came(f, policy == LS_INVALID_SKIP ? "" : "U4 t before id=1 after id=1 note=" R " n=3");
    }
}

static void test_without_a_key(void **state) {
    fixture *f = *state;
    f->nkey = 0;
    start(f, LS_INVALID_SKIP, 0);
    rows_event(f, DELETE, 7, 0);
    image(f, 1, "\xff", 0);
    image(f, 2, "b", 0);
    ok(f);
    assert_string_equal(f->warned, "table db.t, column \"note\"" AT "1" NOT_VALID
                                   "the change is left out (on_invalid_text = \"skip\"); said once a table, counted for each row|");
    came(f, "D2 t before id=2 note=b n=0");
    start(f, LS_INVALID_STOP, 0);
    rows_event(f, DELETE, 7, 0);
    image(f, 1, "\xff", 0);
    fails(f, "table db.t, column \"note\"" AT "1" NOT_VALID MEND);
    came(f, "");
}

/* A batch that rows are left out of is closed by its bytes all the same. */
static void test_a_batch_of_nothing_but_rows_left_out(void **state) {
    fixture *f = *state;
    enum { ROWS = 100 };
    int batches = 0;
    start(f, LS_INVALID_SKIP, 0);
    for (int i = 0; i < 300; i++) {
        rows_event(f, WRITE, 7, 0);
        for (uint32_t k = 0; k < ROWS; k++) image(f, k, "\xff\xff\xff\xff\xff\xff\xff\xff", 0);
        for (int rc = feed(f); rc; rc = ls_binlog_more(f->b, f->w, &f->err), batches++) {
            assert_int_equal(rc, 1);
            assert_true(f->w->arena.bytes < 2 * LS_BATCH_BYTES);
            came(f, "");
        }
    }
    assert_true(batches > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_character_sets),
        cmocka_unit_test(test_json_text),
        cmocka_unit_test(test_binary_json),
        TEST(test_replace),
        TEST(test_skip),
        TEST(test_policies_follow_one_another),
        TEST(test_rows_before),
        TEST(test_without_a_key),
        TEST(test_a_batch_of_nothing_but_rows_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
