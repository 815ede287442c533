/* Table maps: the columns' types and metadata of every kind, and those that make no sense. */
#include "binlogevent.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/text.h"
#include "capture/binlog_map.h"
#include "capture/binlog_value.h"

static void hex(fixture *f, const char *digits) {
    uint8_t b[256];
    size_t n = strlen(digits) / 2;
    assert_int_equal(ls_hex_read(b, digits, 2 * n), 0);
    ls_buf_add(&f->event, b, n);
}

/* Table t of columns whose codes and metadata are given; what follows is optional metadata. */
static void columns(fixture *f, const char *codes, const char *meta) {
    size_t n = strlen(codes) / 2;
    map_head(f, "db", "t");
    put(f, n, 1);
    hex(f, codes);
    put(f, strlen(meta) / 2, 1);
    hex(f, meta);
    put(f, 0, (n + 7) / 8);
}

static void field(fixture *f, uint8_t type, const char *digits) {
    put(f, type, 1);
    put(f, strlen(digits) / 2, 1);
    hex(f, digits);
}

/* names: one letter a column. */
static void names(fixture *f, const char *letters) {
    put(f, 4, 1);
    put(f, 2 * strlen(letters), 1);
    for (; *letters; letters++) put(f, 1, 1), put(f, (uint8_t)*letters, 1);
}

/* An insert of a row of n columns, none of them NULL. */
static void row_event(fixture *f, size_t n, const char *digits) {
    event(f, WRITE, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, n, 1);
    put(f, (1u << n) - 1, (n + 7) / 8);
    put(f, 0, (n + 7) / 8);
    hex(f, digits);
}

static void again(fixture *f) {
    ls_work_reset(f->w);
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    begin(f, 5, TRANSACTIONAL);
}

static void test_every_kind_of_column(void **state) {
    fixture *f = *state;
    static const uint8_t types[] = {LS_TYPE_STRING, LS_TYPE_SET, LS_TYPE_BITS, LS_TYPE_GEOMETRY, LS_TYPE_JSON, LS_TYPE_VECTOR, LS_TYPE_FLOAT};
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        f->conf.mariadb = mariadb;
        again(f);
        columns(f, "fefe10fff5f204", "f701" "f801" "0201" "04" "04" "04" "04");
        field(f, 1, "00");
        field(f, 2, "3f");
        names(f, "esbgjvf");
        field(f, 5, "02" "0178" "0379207a");
        field(f, 6, "02" "0161" "0162");
        field(f, 7, "01");
        field(f, 10, "2d");
        field(f, 12, "fe");
        ok(f);
        row_event(f, 7, "02" "03" "0205" "19000000e61000000101000000000000000000f03f0000000000000040" "020000000401" "080000000000803f00000040" "0000c03f");
        ok(f);
        const ls_schema *s = f->w->seen.changes[0].schema;
        for (uint32_t i = 0; i < s->ncols; i++) assert_int_equal(s->cols[i].type, types[i]);
        came(f, "I1 t after e=b s=[\"x\",\"y z\"] b=1000000101 g={\"srid\":4326,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"} j=true v=[1,2] f=1.5");
    }
}

/* Three VARCHAR and an ENUM. */
static void texts(fixture *f) {
    columns(f, "0f0f0ffe", "0a00" "0a00" "0a00" "f701");
    names(f, "abce");
    field(f, 6, "01" "01e4");
}

static void test_collations(void **state) {
    fixture *f = *state;
    static const char row[] = "02c3a9" "01e9" "01ff" "01";
    static const char want[] = "I1 t after a=\xc3\xa9 b=\xc3\xa9 c=/w== e=\xc3\xa4";
    again(f);
    texts(f);
    field(f, 2, "2d" "0108" "023f"); /* all are utf8mb4 but the second, latin1, and the third, binary */
    field(f, 10, "2d" "0008");
    ok(f);
    row_event(f, 4, row);
    ok(f);
    came(f, want);
    again(f);
    texts(f);
    field(f, 3, "2d" "08" "3f"); /* each its own */
    field(f, 11, "08");
    ok(f);
    row_event(f, 4, row);
    ok(f);
    came(f, want);
}

static void test_a_key_of_prefixes(void **state) {
    fixture *f = *state;
    again(f);
    texts(f);
    field(f, 2, "2d" "0108" "023f");
    field(f, 10, "08");
    field(f, 9, "0103" "0000");
    ok(f);
    row_event(f, 4, "0161" "0162" "0163" "01");
    ok(f);
    const ls_schema *s = f->w->seen.changes[0].schema;
    assert_int_equal(s->nkey, 2);
    assert_int_equal(s->key[0], 1);
    assert_int_equal(s->key[1], 0);
}

static void test_metadata_that_does_not_fit(void **state) {
    fixture *f = *state;
    static const struct {
        uint8_t type;
        const char *digits, *want;
    } cases[] = {
        {2, "2d" "0508", "table db.t: its character sets do not fit its columns"},
        {2, "2d" "01", "table db.t: its character sets do not fit its columns"},
        {3, "2d08fc", "table db.t: its character sets do not fit its columns"},
        {10, "2d" "0108", "table db.t: its character sets do not fit its columns"},
        {6, "", "table db.t: its labels do not fit its columns"},
        {6, "01" "05e4", "table db.t: its labels do not fit its columns"},
        {10, "2d", "table db.t: column e: label 1 is not valid in its character set"},
        {4, "0161" "0162", "table db.t: its column names do not fit its columns"},
        {4, "01ff" "0162" "0163" "0164", "table db.t: its column names do not fit its columns"},
        {8, "04", "table db.t: its key does not fit its columns"},
        {8, "0101", "table db.t: its key does not fit its columns"},
        {9, "0100" "02", "table db.t: its key does not fit its columns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        again(f);
        texts(f);
        field(f, 3, "2d2d2d");
        field(f, 11, cases[i].type == 10 ? "" : "08");
        field(f, cases[i].type, cases[i].digits);
        fails(f, cases[i].want);
    }
    again(f);
    texts(f);
    put(f, 4, 1), put(f, 0xff, 1);
    fails(f, "of the event there is no length, ");
    again(f);
    texts(f);
    put(f, 4, 1), put(f, 0xfe, 1), put(f, UINT64_MAX - 1, 8);
    fails(f, "of the event 18446744073709551614 bytes are wanted, ");
}

static void test_types_that_are_none(void **state) {
    fixture *f = *state;
    static const struct {
        const char *code, *meta, *want;
    } cases[] = {
        {"c8", "", "table db.t: column 1 has type 200, metadata 0, which is no type known"},
        {"06", "", "column 1 has type 6, "},
        {"10", "0900", "column 1 has type 16, metadata 9, "},  /* BIT: nine bits beside the bytes */
        {"10", "0000", "column 1 has type 16, metadata 0, "},  /* none at all */
        {"10", "0108", "column 1 has type 16, metadata 2049, "}, /* 65 */
        {"fe", "f703", "column 1 has type 254, metadata 3, "}, /* ENUM of three bytes */
        {"fe", "f809", "column 1 has type 254, metadata 9, "}, /* SET of nine */
        {"fe", "f800", "column 1 has type 254, metadata 0, "},
        {"fc", "05", "column 1 has type 252, metadata 5, "},   /* BLOB: a length of five bytes */
        {"12", "07", "column 1 has type 18, metadata 7, "},    /* DATETIME(7) */
        {"f6", "0506", "column 1 has type 246, metadata 5, "}, /* DECIMAL(5,6) */
        {"0f", "0a", "column 1 has type 15, "},                /* VARCHAR: half of its length */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        again(f);
        columns(f, cases[i].code, cases[i].meta);
        names(f, "a");
        fails(f, cases[i].want);
    }
}

/* The map is taken; a row is refused, so that a table nobody writes to stops nothing. */
static void refuses_rows(fixture *f, size_t n, const char *want) {
    ok(f);
    row_event(f, n, "00");
    fails(f, want);
}

static void test_types_that_cannot_be_captured(void **state) {
    fixture *f = *state;
    again(f);
    columns(f, "00", "");
    names(f, "a");
    refuses_rows(f, 1, "table db.t, column a: its type (DECIMAL of a table older than MySQL 5) cannot be captured; leave the table out of tables with \"!db.t\"");
    again(f);
    columns(f, "f9", "01");
    names(f, "a");
    refuses_rows(f, 1, "column a: its type (a type that is never in a log) cannot be captured");
    again(f);
    columns(f, "fefe", "f701f801");
    names(f, "ab");
    field(f, 5, "01" "0178");
    field(f, 6, "02" "0161" "0162");
    field(f, 11, "c82d"); /* of the ENUM nothing is known */
    refuses_rows(f, 2, "column a: its type (labels in a character set that is not converted) cannot be captured");
    again(f);
    columns(f, "0f", "0a00");
    names(f, "a");
    field(f, 2, "fcc800");
    refuses_rows(f, 1, "column a: its type (text in a character set that is not converted) cannot be captured");
}

/* As on a machine whose C library came without its modules: none can be opened. */
static void test_a_machine_without_character_sets(void **state) {
    fixture *f = *state;
    struct rlimit was, none;
    again(f);
    columns(f, "0f", "0a00");
    names(f, "a");
    field(f, 2, "0d"); /* sjis */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rc = feed(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(rc, -1);
    if (!strstr(f->err.text, "table db.t: column a: the C library of this machine cannot convert character set sjis (")) fail_msg("%s", f->err.text);
}

/* TIME, DATETIME and TIMESTAMP as before MariaDB 10.1: the server is asked for their precision. */
static void test_old_times(void **state) {
    fixture *f = *state;
    again(f);
    columns(f, "0b0c07", "");
    names(f, "abc");
    ok(f);
    row_event(f, 3, "40e201" "45442f2c6d120000" "a5355769");
    ok(f);
    assert_int_equal(f->asked, 1);
    const ls_schema *s = f->w->seen.changes[0].schema;
    f->id = 101; /* the table was opened again: it may be another by now */
    columns(f, "0b0c07", "");
    names(f, "abc");
    ok(f);
    row_event(f, 3, "40e201" "45442f2c6d120000" "a5355769");
    ok(f);
    assert_int_equal(f->asked, 2);
    assert_ptr_equal(f->w->seen.changes[1].schema, s); /* it is not */
    f->w->seen.count = 1;
    came(f, "I1 t after a=12:34:56 b=2026-01-02T03:04:05 c=2026-01-02T03:04:05Z");
    f->asked_precision = -1;
    again(f);
    columns(f, "0b0c07", "");
    names(f, "abc");
    ok(f);
    row_event(f, 3, "40e201" "45442f2c6d120000" "a5355769");
    fails(f, "table db.t, column a: its values are in the format before MariaDB 10.1, and the server does not know how many digits");
    f->conf.mariadb = false; /* MySQL never had another precision */
    again(f);
    columns(f, "0b", "");
    names(f, "a");
    ok(f);
    row_event(f, 1, "40e201");
    ok(f);
    assert_int_equal(f->asked, 3);
    came(f, "I1 t after a=12:34:56");
}

static void test_rows_of_another_table(void **state) {
    fixture *f = *state;
    again(f);
    columns(f, "0303", "");
    names(f, "ab");
    ok(f);
    row_event(f, 1, "01000000");
    fails(f, "WRITE_ROWS event: table db.t: rows of 1 columns, its TABLE_MAP has 2");
    again(f);
    columns(f, "0303", "");
    names(f, "ab");
    ok(f);
    event(f, WRITE, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    put(f, 2, 1);
    put(f, 0, 1); /* no column is there, so no row would ever end */
    put(f, 0, 4);
    fails(f, "table db.t: a row without columns");
}

static void numbered(fixture *f, unsigned i) {
    char name[16];
    snprintf(name, sizeof name, "t%u", i);
    f->id = 1000 + i;
    map_event(f, "db", name);
}

/* Between two statements tables are forgotten, never within one. */
static void test_many_tables(void **state) {
    fixture *f = *state;
    again(f);
    for (unsigned i = 0; i < 2 * LS_MAPS_MAX + 10; i++) {
        numbered(f, i);
        ok(f);
        insert(f, i, "x");
        if (f->w->seen.count < 1000) continue;
        assert_int_equal(f->w->seen.changes[f->w->seen.count - 1].after[0].as.u, i);
        ls_work_reset(f->w);
    }
    again(f);
    for (unsigned i = 0; i < LS_MAPS_MAX + 100; i++) {
        numbered(f, i);
        ok(f);
    }
    f->id = 1000; /* the first of the statement is still known */
    insert(f, 7, "x");
    came(f, "I1 t0 after id=7 note=x n=-1");
    again(f);
    for (unsigned i = 0; i < 2 * LS_MAPS_MAX; i++) {
        numbered(f, i);
        ok(f);
    }
    numbered(f, 2 * LS_MAPS_MAX);
    fails(f, "TABLE_MAP event: one statement names more than 4096 tables");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_kind_of_column),
        TEST(test_collations),
        TEST(test_a_key_of_prefixes),
        TEST(test_metadata_that_does_not_fit),
        TEST(test_types_that_are_none),
        TEST(test_types_that_cannot_be_captured),
        TEST(test_a_machine_without_character_sets),
        TEST(test_old_times),
        TEST(test_rows_of_another_table),
        TEST(test_many_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
