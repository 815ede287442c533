/* The changes of a JSON document and their events; what is in hex was recorded from a MySQL 9.7 server where it is no edge case. */
#include "binlogevent.h"

#include "base/text.h"
#include "capture/binlog_json_diff.h"

enum { PARTIAL_UPDATE = 39 };

static uint8_t *bytes(const char *hex, size_t *n) {
    *n = strlen(hex) / 2;
    uint8_t *own = malloc(*n ? *n : 1); /* of its own, so that a read beyond it is seen */
    assert_non_null(own);
    assert_int_equal(ls_hex_read(own, hex, *n * 2), 0);
    return own;
}

/* The text, or the error behind "JSON: ". */
static const char *change_raw(const char *doc, const uint8_t *changes, size_t n) {
    static char out[2048];
    size_t ndoc;
    uint8_t *d = bytes(doc, &ndoc);
    ls_buf text = {0};
    ls_arena arena = {0};
    ls_error err;
    if (ls_jsonb_change(&text, d, ndoc, changes, n, &arena, NULL, &err)) {
        assert_memory_equal(err.text, "JSON: ", 6);
        snprintf(out, sizeof out, "%s", err.text + 6);
    } else {
        snprintf(out, sizeof out, "%.*s", (int)text.len, text.data);
    }
    ls_arena_free(&arena);
    ls_buf_free(&text);
    free(d);
    return out;
}

static void is(const char *doc, const char *changes, const char *want) {
    size_t n;
    uint8_t *own = bytes(changes, &n);
    assert_string_equal(change_raw(doc, own, n), want);
    free(own);
}

/* {"a":"xxxxxxxxxxxxxxxxxxxxxxxxx","b":[1,2,3,{"deep":"zzzzzzzzzzzzzzzzzzzzzzz"}],"c d":1.5,"e\"f":"é"} */
static const char OBJECT[] =
    "0004008400200001002100010022000300250003000c28000242000b79000c81006162632064652266197878787878787878787878787878787878787878787878"
    "787804003700050100050200050300001000010027000b0004000c0f0064656570177a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a000000000000f83f"
    "02c3a9";
static const char ARRAY[] = "02030024000501000502000c0d001674687265652068756e6472656420616e64206d6f7265"; /* [1,2,"three hundred and more"] */
static const char SMALL[] = "02020021000c0a000214000961616161616161616103000d00050100050200050300"; /* ["aaaaaaaaa",[1,2,3]] */

#define Z23 "zzzzzzzzzzzzzzzzzzzzzzz"
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define FROM_B "\"b\":[1,2,3,{\"deep\":\"" Z23 "\"}],\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\"}"

static void test_recorded(void **state) {
    (void)state;
    is(OBJECT, "", "{\"a\":\"" X25 "\"," FROM_B);
    is(OBJECT, "0003242e61030c0173", "{\"a\":\"s\"," FROM_B);
    is(ARRAY, "0004245b305d030c0171", "[\"q\",2,\"three hundred and more\"]");
    is(OBJECT, "0008242e22655c2266221600010015000b0001000f0c0078f6070b0280000001320107242e625b39395d03050700", /* past the end: behind the last */
       "{\"a\":\"" X25 "\",\"b\":[1,2,3,{\"deep\":\"" Z23 "\"},7],\"c d\":1.5,\"e\\\"f\":{\"x\":1.50}}");
    is(OBJECT, "0206242e625b305d0203242e61", "{\"b\":[2,3,{\"deep\":\"" Z23 "\"}],\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\"}");
    is(OBJECT, "0009242e625b6c6173745d0305ffff000b242e625b6c6173742d315d03050200",
       "{\"a\":\"" X25 "\",\"b\":[1,2,2,-1],\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\"}");
    is(SMALL, "020d245b6c6173745d5b6c6173745d0207245b315d5b305d", "[\"aaaaaaaaa\",[2]]");
}

/* One change, its path and value as they are; the operation as a letter. Several stand one behind the other. */
static void add(ls_buf *to, char operation, const char *path, const char *value) {
    size_t n;
    ls_buf_char(to, (char)(operation == 'r' ? 0 : operation == 'i' ? 1 : 2));
    ls_buf_char(to, (char)strlen(path));
    ls_buf_str(to, path);
    if (operation == '-') return;
    uint8_t *v = bytes(value, &n);
    ls_buf_char(to, (char)n);
    ls_buf_add(to, v, n);
    free(v);
}

static void one(const char *doc, char operation, const char *path, const char *value, const char *want) {
    ls_buf changes = {0};
    add(&changes, operation, path, value);
    assert_string_equal(change_raw(doc, (const uint8_t *)changes.data, changes.len), want);
    ls_buf_free(&changes);
}

static void test_operations(void **state) {
    (void)state;
    one(SMALL, 'i', "$[0]", "0401", "[true,\"aaaaaaaaa\",[1,2,3]]");
    one(SMALL, 'i', "$[1][1]", "0401", "[\"aaaaaaaaa\",[1,true,2,3]]");
    one(SMALL, 'i', "$[1][3]", "0401", "[\"aaaaaaaaa\",[1,2,3,true]]");
    one(SMALL, '-', "$[last-1]", "", "[[1,2,3]]");
    one(SMALL, 'r', "$", "0401", "true");
    one("0200000400", 'i', "$[0]", "0401", "[true]");
    one("00" "00000400", 'i', "$.\"\"", "0401", "{\"\":true}");
    /* members in the server's order: by length, then by bytes */
    one(OBJECT, 'i', "$.c", "0400", "{\"a\":\"" X25 "\",\"b\":[1,2,3,{\"deep\":\"" Z23 "\"}],\"c\":null,\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\"}");
    one(OBJECT, 'i', "$.\"\\u0041\"", "0400", "{\"A\":null,\"a\":\"" X25 "\"," FROM_B);
    one(OBJECT, 'i', "$.aaaa", "0400",
        "{\"a\":\"" X25 "\",\"b\":[1,2,3,{\"deep\":\"" Z23 "\"}],\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\",\"aaaa\":null}");
    one(OBJECT, '-', "$.\"c d\"", "", "{\"a\":\"" X25 "\",\"b\":[1,2,3,{\"deep\":\"" Z23 "\"}],\"e\\\"f\":\"\xc3\xa9\"}");
    one(OBJECT, 'r', "$.b[3].deep", SMALL,
        "{\"a\":\"" X25 "\",\"b\":[1,2,3,{\"deep\":[\"aaaaaaaaa\",[1,2,3]]}],\"c d\":1.5,\"e\\\"f\":\"\xc3\xa9\"}");
}

static void test_changes_of_changes(void **state) {
    (void)state;
    ls_buf all = {0};
    add(&all, 'r', "$[0]", SMALL);
    add(&all, 'i', "$[0][1]", SMALL);
    add(&all, '-', "$[0][1][1]", "");
    add(&all, 'r', "$[0][1][0]", "0402");
    add(&all, '-', "$[1]", "");
    add(&all, '-', "$[1]", "");
    add(&all, 'i', "$[1]", "00" "00000400");
    add(&all, 'i', "$[1].b", "0400");
    add(&all, 'i', "$[1].a", "0401");
    assert_string_equal(change_raw(ARRAY, (const uint8_t *)all.data, all.len), "[[\"aaaaaaaaa\",[false],[1,2,3]],{\"a\":true,\"b\":null}]");
    for (size_t n = 0; n < all.len; n++) { /* every shorter form is refused, or is fewer changes; none reads beyond its end */
        uint8_t *own = malloc(n ? n : 1);
        if (n) memcpy(own, all.data, n);
        change_raw(ARRAY, own, n);
        free(own);
    }
    ls_buf_free(&all);
}

static void test_malformed(void **state) {
    (void)state;
    is(ARRAY, "03", "change 1: at byte 0 of the changes stands operation 3, which is not known");
    is(ARRAY, "00", "change 1: at byte 1 of the changes 1 bytes are wanted, 0 remain");
    is(ARRAY, "0204245b30", "change 1: at byte 2 of the changes 4 bytes are wanted, 3 remain");
    is(ARRAY, "0204245b305d0004245b305d", "change 2: at byte 12 of the changes 1 bytes are wanted, 0 remain");
    is(ARRAY, "0004245b305d030c01", "change 1: at byte 7 of the changes 3 bytes are wanted, 2 remain");
    is(ARRAY, "0004245b305d00", "change 1 (replace $[0]): it has no value");
    is(ARRAY, "0004245b305d020c01", "at byte 2 of the value of change 1 1 bytes are wanted, 0 remain");
    is(ARRAY, "0004245b305d020403", "at byte 1 of the value of change 1 there is no literal");
    is(ARRAY, "020224c3", "change 1 (remove ): its path is not valid UTF-8");
    is("04", "0004245b305d020401", "change 1 (replace $[0]): the document has no object or array there");
    is("02010003000400", "0004245b305d020401", "at byte 1 of the document an object or array is longer than what it stands in");
    is("0201000700" "0cff00", "0104245b315d020401", "at byte 1 of the document 255 bytes are wanted, 7 remain");
}

static void test_paths_that_do_not_fit(void **state) {
    (void)state;
    one(ARRAY, '-', "", "", "change 1 (remove ): its path does not begin with $");
    one(ARRAY, '-', "$", "", "change 1 (remove $): its path names the whole document");
    one(ARRAY, '-', "$x", "", "change 1 (remove $x): its path has neither a name nor a cell where one is due");
    one(OBJECT, '-', "$.", "", "change 1 (remove $.): its path has neither a name nor a cell where one is due");
    one(OBJECT, '-', "$..a", "", "change 1 (remove $..a): a name of its path is empty");
    one(OBJECT, '-', "$.\"a", "", "change 1 (remove $.\"a): a name of its path is no JSON string");
    static const char *const cells[] = {"$[", "$[1", "$[x]", "$[last-]", "$[-1]", "$[*]", "$[4294967296]"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        char want[120];
        snprintf(want, sizeof want, "change 1 (remove %s): a cell of its path is neither a number nor counted from the last", cells[i]);
        one(ARRAY, '-', cells[i], "", want);
    }
    one(ARRAY, '-', "$[3]", "", "change 1 (remove $[3]): the document has no such value");
    one(ARRAY, 'r', "$[last-3]", "0401", "change 1 (replace $[last-3]): the document has no such value");
    one(ARRAY, 'r', "$[0][0]", "0401", "change 1 (replace $[0][0]): the document has no object or array there");
    one(ARRAY, 'r', "$.a", "0401", "change 1 (replace $.a): the document has an array there");
    one(OBJECT, 'i', "$[0]", "0401", "change 1 (insert $[0]): the document has an object there");
    one(OBJECT, 'i', "$.a", "0401", "change 1 (insert $.a): the document has that member already");
    one(OBJECT, 'r', "$.d", "0401", "change 1 (replace $.d): the document has no such value");
}

/* Values are nested by change after change, and one document has too many changes. */
static void test_limits(void **state) {
    (void)state;
    ls_buf all = {0}, path = {0};
    for (int i = 0; i < 130; i++) {
        ls_buf_clear(&path);
        ls_buf_char(&path, '$');
        for (int k = 0; k <= i; k++) ls_buf_str(&path, "[0]");
        ls_buf_char(&all, 1);
        ls_buf_char(&all, (char)0xfc), ls_buf_char(&all, (char)(path.len & 0xff)), ls_buf_char(&all, (char)(path.len >> 8));
        ls_buf_add(&all, path.data, path.len);
        ls_buf_add(&all, "\x05\x02\x00\x00\x04\x00", 6);
    }
    assert_string_equal(change_raw("0200000400", (const uint8_t *)all.data, all.len),
                        "at byte 1 of the value of change 128 objects and arrays are too deep");
    ls_buf_clear(&all);
    for (int i = 0; i <= LS_JSONB_CHANGES_MAX; i++) add(&all, 'r', "$", "0401");
    assert_string_equal(change_raw("0400", (const uint8_t *)all.data, all.len),
                        "more than 65536 changes of one document: SET GLOBAL binlog_row_value_options = ''");
    ls_buf_free(&all);
    ls_buf_free(&path);
}

/* ---- events ---- */

static void hex(fixture *f, const char *digits) {
    size_t n;
    uint8_t *b = bytes(digits, &n);
    ls_buf_add(&f->event, b, n);
    free(b);
}

/* id INT, j JSON, n INT, k JSON, l JSON; id is the key. */
static void json_map(fixture *f) {
    f->id = 0x4ad;
    event(f, TABLE_MAP, 0);
    hex(f, "ad040000000001000264620001740005" "03f503f5f5030404041e010100040b026964016a016e016b016c0801000c01f8");
    ok(f);
}

static void start(fixture *f) {
    f->conf.mariadb = false;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    event(f, 33, 0);
    put(f, 0, 1);
    hex(f, "71fd11e6e9ad11f1aa0002fc00000001");
    put(f, 9, 8);
    ok(f);
    query(f, "BEGIN");
    json_map(f);
}

static void partial(fixture *f, const char *digits) {
    event(f, PARTIAL_UPDATE, 0);
    hex(f, digits);
}

static const char FULL_ROW[] = /* the document's before, changed in j, k's unchanged, l NULL */
    "ad04000000001100020005ffff1001000000850000000004008400200001002100010022000300250003000c28000242000b79000c8100616263206465226619"
    "7878787878787878787878787878787878787878787878787804003700050100050200050300001000010027000b0004000c0f0064656570177a7a7a7a7a7a7a"
    "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a000000000000f83f02c3a9010000002500000002030024000501000502000c0d001674687265652068756e6472656420"
    "616e64206d6f726501031001000000090000000003242e61030c01730100000000000000";

static void test_events(void **state) {
    fixture *f = *state;
    start(f);
    partial(f, FULL_ROW);
    ok(f);
    came(f, "U1 t before id=1 after id=1 j={\"a\":\"s\"," FROM_B " n=1 k=[1,2,\"three hundred and more\"] l=NULL");
    assert_string_equal(f->warned, "");
    for (size_t n = 10; n < strlen(FULL_ROW); n += 2) {
        char cut[sizeof FULL_ROW];
        snprintf(cut, sizeof cut, "%.*s", (int)n, FULL_ROW);
        start(f);
        partial(f, cut);
        int rc = feed(f);
        if (rc == 0 && n != 26) fail_msg("%zu digits were taken", n); /* these have no row */
        if (rc) assert_non_null(strstr(f->err.text, " are wanted, "));
    }
}

/* With MINIMAL the event has no document: a whole one and none at all can be told, a change cannot. */
static void test_events_without_the_document(void **state) {
    fixture *f = *state;
    start(f);
    partial(f, "ad0400000000110002000501080001000000" "00" "00" "0d0000000001000c000b00010005010061");
    ok(f);
    came(f, "U1 t before id=1 after id=1 j=? n=? k={\"a\":1} l=?");
    partial(f, "ad04000000001100020005010a0001000000" "0101" "00" "00000000" "0500000002" "00000400");
    ok(f);
    came(f, "U2 t before id=1 after id=1 j=? n=? k=[] l=?");
    assert_null(strstr(f->warned, "without the documents"));
    partial(f, "ad0400000000110002000501020001000000" "0101" "00" "0b000000" "0003242e61050c036d696e");
    ok(f);
    came(f, "U3 t before id=1 after id=1 n=? k=? l=?");
    const char *said = strstr(f->warned, "table db.t: a session logs changes of JSON documents without the documents");
    assert_non_null(said);
    partial(f, "ad0400000000110002000501100001000000" "0104" "00" "0c000000" "0004245b305d050c036d696e"); /* a bit for each JSON column of the table */
    ok(f);
    came(f, "U4 t before id=1 after id=1 j=? n=? k=?");
    assert_string_equal(strchr(said, '|'), "|"); /* said once */
}

static void test_malformed_events(void **state) {
    fixture *f = *state;
    start(f);
    partial(f, "ad0400000000110002000501080001000000" "02" "00" "050000000200000400");
    fails(f, "table db.t: value options 2 are not known, only 1");
    start(f);
    partial(f, "ad0400000000110002000503020001000000" "02" "0101" "00" "0b000000" "0003242e61050c036d696e");
    fails(f, "are wanted");
    start(f);
    partial(f, "ad040000000011000200050302" "0201000000" "0101" "00" "0b000000" "0003242e61050c036d696e");
    fails(f, "table db.t, column j, key id = 1: changes of a document that was NULL");
    start(f);
    partial(f, "ad040000000011000200050302" "0001000000" "020000000401" "0101" "00" "0b000000" "0003242e61050c036d696e");
    fails(f, "table db.t, column j, key id = 1: JSON: change 1 (replace $.a): the document has no object or array there");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_changes_of_changes),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_paths_that_do_not_fit),
        cmocka_unit_test(test_limits),
        TEST(test_events),
        TEST(test_events_without_the_document),
        TEST(test_malformed_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
