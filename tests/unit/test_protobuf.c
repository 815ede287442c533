/* Messages of the format "protobuf" there and back, and what is refused. */
#include "change/number.h"
#include "change/value.h"
#include "format/format.h"
#include "format/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *sent, *got;
    ls_decoder *json, *protobuf;
    ls_buf text, out;
    ls_error err;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->sent = ls_work_new(&f->schemas, "shop", "postgres");
    f->got = ls_work_new(&f->schemas, "", "");
    f->json = ls_decoder_new(&f->schemas);
    f->protobuf = ls_decoder_for(&f->schemas, "protobuf");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->sent);
    ls_work_free(f->got);
    ls_decoder_free(f->json);
    ls_decoder_free(f->protobuf);
    ls_buf_free(&f->text);
    ls_buf_free(&f->out);
    free(f);
    return 0;
}

static const ls_format_options plain;

/* The change as protobuf, in f->out. */
static void encode(fixture *f, ls_work *w, uint32_t i, const ls_format_options *o) {
    ls_buf_clear(&f->out);
    if (ls_format_protobuf.encode(o, &w->seen, i, &f->out, &f->err)) fail_msg("%s", f->err.text);
}

static const char *as_json(fixture *f, ls_work *w, uint32_t i) {
    ls_buf_clear(&f->text);
    if (ls_format_list_sync.encode(&plain, &w->seen, i, &f->text, &f->err)) fail_msg("%s", f->err.text);
    return ls_buf_cstr(&f->text);
}

/* Reads f->out, of a place of its own, which is gone when this returns. */
static int reads(fixture *f) {
    char *copy = malloc(f->out.len ? f->out.len : 1);
    if (f->out.len) memcpy(copy, f->out.data, f->out.len);
    int rc = ls_decoder_read(f->protobuf, f->got, copy, f->out.len, &f->err);
    memset(copy, 0x55, f->out.len);
    free(copy);
    return rc;
}

static const ls_change *last(const ls_work *w) { return &w->seen.changes[w->seen.count - 1]; }

/* ---- there and back */

#define SOURCE(seq) "\"source\":{\"v\":1,\"connector\":\"shop\",\"db\":\"postgres\",\"ts\":1732313405123456,\"tx\":\"742\"," \
                    "\"pos\":\"0000000001a3b748\",\"seq\":" #seq "}"
#define PK "\"pk\":[{\"name\":\"id\"}],"
#define T_HEAD(action) "{\"action\":\"" action "\",\"schema\":\"p\",\"table\":\"t\","
#define TWO(action) "{\"action\":\"" action "\",\"schema\":\"p\",\"table\":\"two\",\"pk\":[{\"name\":\"c\"},{\"name\":\"a\"}],"
#define COL(name, value) "{\"name\":\"" name "\",\"value\":" value "}"

static const char *const messages[] = {
    T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "null") "," COL("b", "\"x\"") "]," SOURCE(1) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("a", "1.5e+30") "," COL("b", "\"\\u0001\\n\\u0000z\"") "],\"identity\":[" COL("id", "1") "]," SOURCE(2) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("b", "\"\"") "],\"identity\":[" COL("id", "1") "],\"unchanged\":[\"a\"]," SOURCE(3) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "],\"identity\":[" COL("id", "1") "],\"unchanged\":[\"a\",\"b\"]," SOURCE(4) "}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "]," SOURCE(5) "}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "],\"moved_to\":[" COL("id", "2") "]," SOURCE(6) "}",
    T_HEAD("I") PK "\"columns\":[" COL("id", "2") "," COL("a", "-0") "],\"moved_from\":[" COL("id", "1") "],\"unchanged\":[\"b\"]," SOURCE(7) "}",
    T_HEAD("T") SOURCE(8) "}",
    TWO("I") "\"columns\":[" COL("a", "true") "," COL("b", "[1,{\"x\":\" \"}]") "," COL("c", "\"NaN\"") "]," SOURCE(9) "}",
    TWO("U") "\"columns\":[" COL("a", "false") "," COL("b", "null") "," COL("c", "\"q\"") "],\"identity\":[" COL("c", "\"q\"") "," COL("a", "false") "]," SOURCE(10) "}",
    TWO("D") "\"identity\":[" COL("c", "\"q\"") "," COL("a", "false") "],\"moved_to\":[" COL("c", "\"r\"") "," COL("a", "false") "]," SOURCE(11) "}",
    "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"none\",\"columns\":[" COL("a", "12345678901234567890") "]," SOURCE(12) "}",
    "{\"action\":\"D\",\"schema\":\"p\",\"table\":\"none\",\"identity\":[" COL("a", "-5") "]," SOURCE(13) "}",
    "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"more\",\"columns\":[" COL("a", "123456789012345678901234567890") "," COL("b", "0.10000000000000000000001") "]," SOURCE(14) "}",
    "{\"action\":\"I\",\"schema\":\"p\\\"\",\"table\":\"\\\\\",\"columns\":[" COL("\\n", "1") "," COL("\xc3\xa4", "\"\xf0\x9f\x98\x80\"") "]," SOURCE(15) "}",
    "{\"action\":\"X\",\"schema\":\"p\",\"table\":\"t\"," SOURCE(16) "}",
    "{\"action\":\"X\",\"schema\":\"p\",\"table\":null," SOURCE(17) "}",
    "{\"action\":\"R\",\"schema\":\"p\",\"table\":\"t\",\"to_schema\":\"q\",\"to_table\":\"u\"," SOURCE(18) "}",
    T_HEAD("I") PK "\"columns\":[" COL("id", "1") "," COL("a", "2") "," COL("b", "\"x\"") "],"
        "\"source\":{\"v\":1,\"connector\":\"\",\"db\":\"mariadb\",\"ts\":-1,\"tx\":\"0-1-5\",\"pos\":\"1-00\",\"seq\":18446744073709551615,\"sub\":4294967295,\"snapshot\":true}}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "]}",
    T_HEAD("D") PK "\"identity\":[" COL("id", "1") "," COL("a", "7") "," COL("b", "null") "]," SOURCE(19) "}",
    T_HEAD("U") PK "\"columns\":[" COL("id", "1") "," COL("a", "2") "," COL("b", "\"x\"") "],\"identity\":[" COL("id", "1") "," COL("b", "\"y\"") "]," SOURCE(20) "}",
    "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"empty\"," SOURCE(21) "}",
};
enum { NMESSAGES = sizeof messages / sizeof *messages };

static void read_json(fixture *f, const char *message) {
    if (ls_decoder_read(f->json, f->sent, message, strlen(message), &f->err)) fail_msg("%s\n%s", f->err.text, message);
}

static void same_image(const ls_schema *a, const ls_value *before, const ls_schema *b, const ls_value *after) {
    assert_int_equal(!before, !after);
    for (uint32_t i = 0; before && i < a->ncols; i++) {
        int k = ls_schema_find(b, a->cols[i].name, a->cols[i].name_len);
        if (k < 0) assert_true(before[i].state == LS_ABSENT); /* the sent row's table has a column that this message does not name */
        if (k >= 0 && !ls_value_same(&before[i], &after[k])) fail_msg("column %s", a->cols[i].name);
    }
}

/* JSON -> change -> protobuf -> change -> JSON, in an order and in the opposite one, in which other tables are known. */
static void test_all_of_a_message(void **state) {
    fixture *f = *state;
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < NMESSAGES; i++) {
            const char *m = messages[round % 2 ? NMESSAGES - 1 - i : i];
            read_json(f, m);
            encode(f, f->sent, f->sent->seen.count - 1, &plain);
            if (reads(f)) fail_msg("%s\n%s", f->err.text, m);
            assert_string_equal(as_json(f, f->got, f->got->seen.count - 1), m);
            const ls_change *a = last(f->sent), *b = last(f->got);
            assert_int_equal(a->flags, b->flags);
            assert_int_equal(a->sub, b->sub);
            same_image(a->schema, a->after, b->schema, b->after);
            same_image(a->schema, a->before, b->schema, b->before);
        }
}

static void test_without_source(void **state) {
    fixture *f = *state;
    read_json(f, messages[0]);
    encode(f, f->sent, 0, &(const ls_format_options){.no_source = true});
    assert_int_equal(reads(f), 0);
    assert_string_equal(last(f->got)->tx->pos, "");
    assert_int_equal(last(f->got)->seq, 0);
    assert_null(strstr(as_json(f, f->got, 0), "source"));
}

typedef struct typed {
    const char *name;
    int type;
    ls_value value;
} typed;

#define TEXT(s) {.kind = LS_KIND_TEXT, .len = sizeof(s) - 1, .as.p = s}
#define OF(k, s) {.kind = k, .len = sizeof(s) - 1, .as.p = s}

/* Each logical type, in each form in which the sources hold it. */
static const typed all[] = {
    {"string", LS_TYPE_STRING, TEXT("gr\xc3\xbc\xc3\x9f\0e")},
    {"empty", LS_TYPE_STRING, TEXT("")},
    {"null", LS_TYPE_STRING, {.state = LS_NULL}},
    {"yes", LS_TYPE_BOOLEAN, {.kind = LS_KIND_BOOL, .as.i = 1}},
    {"no", LS_TYPE_BOOLEAN, {.kind = LS_KIND_BOOL, .as.i = 0}},
    {"zero", LS_TYPE_INTEGER, {.kind = LS_KIND_INT, .as.i = 0}},
    {"least", LS_TYPE_INTEGER, {.kind = LS_KIND_INT, .as.i = INT64_MIN}},
    {"most", LS_TYPE_INTEGER, {.kind = LS_KIND_INT, .as.i = INT64_MAX}},
    {"unsigned", LS_TYPE_INTEGER, {.kind = LS_KIND_UINT, .as.u = UINT64_MAX}},
    {"year", LS_TYPE_INTEGER, {.kind = LS_KIND_UINT, .as.u = 2026}},
    {"least_text", LS_TYPE_INTEGER, TEXT("-9223372036854775808")},
    {"most_text", LS_TYPE_INTEGER, TEXT("18446744073709551615")},
    {"double", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = 0.1}},
    {"max", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = DBL_MAX}},
    {"tiny", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = 5e-324}},
    {"minus_zero", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = -0.0}},
    {"nan", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = NAN}},
    {"infinity", LS_TYPE_FLOAT, {.kind = LS_KIND_DOUBLE, .as.d = -INFINITY}},
    {"float", LS_TYPE_FLOAT, {.kind = LS_KIND_FLOAT, .as.d = (double)0.1f}},
    {"float_max", LS_TYPE_FLOAT, {.kind = LS_KIND_FLOAT, .as.d = (double)FLT_MAX}},
    {"float_tiny", LS_TYPE_FLOAT, {.kind = LS_KIND_FLOAT, .as.d = (double)FLT_TRUE_MIN}},
    {"float_nan", LS_TYPE_FLOAT, {.kind = LS_KIND_FLOAT, .as.d = NAN}},
    {"whole", LS_TYPE_FLOAT, {.kind = LS_KIND_INT, .as.i = 7}},
    {"decimal", LS_TYPE_DECIMAL, TEXT("-12345678901234567890.1000")},
    {"decimal_nan", LS_TYPE_DECIMAL, TEXT("NaN")},
    {"bytes", LS_TYPE_BYTES, OF(LS_KIND_BYTES, "\0\xff\x80z")},
    {"no_bytes", LS_TYPE_BYTES, OF(LS_KIND_BYTES, "")},
    {"date", LS_TYPE_DATE, TEXT("0044-03-15 BC")},
    {"time", LS_TYPE_TIME, TEXT("24:00:00")},
    {"datetime", LS_TYPE_DATETIME, TEXT("0000-00-00T00:00:00")},
    {"timestamp", LS_TYPE_TIMESTAMP, TEXT("2026-01-31T13:59:59.5Z")},
    {"timetz", LS_TYPE_TIMETZ, TEXT("13:59:59+02")},
    {"interval", LS_TYPE_INTERVAL, TEXT("P1Y2M3DT4H5M6S")},
    {"json", LS_TYPE_JSON, TEXT("{\"a\":[1,null]}")},
    {"no_json", LS_TYPE_JSON, TEXT("{what a server did not check")},
    {"uuid", LS_TYPE_UUID, TEXT("6f2bd3f0-1f1c-4a0e-9f33-000000000001")},
    {"bits", LS_TYPE_BITS, TEXT("0101")},
    {"array", LS_TYPE_ARRAY, OF(LS_KIND_JSON, "[1,[null,\"x\"]]")},
    {"set", LS_TYPE_SET, OF(LS_KIND_JSON, "[\"a\",\"b\"]")},
    {"geometry", LS_TYPE_GEOMETRY, OF(LS_KIND_JSON, "{\"srid\":4326,\"wkb\":\"AQ==\"}")},
    {"vector", LS_TYPE_VECTOR, OF(LS_KIND_JSON, "[1.5,-2]")},
    {"unknown", LS_TYPE_UNKNOWN, {.state = LS_NULL}},
};
enum { NTYPES = sizeof all / sizeof *all };

static const ls_schema *schema_of_all(fixture *f) {
    ls_column_def defs[NTYPES];
    for (size_t i = 0; i < NTYPES; i++) defs[i] = (ls_column_def){all[i].name, strlen(all[i].name), (uint8_t)all[i].type};
    return ls_schema_new(&f->schemas, "p", 1, "all", 3, defs, NTYPES, (const uint16_t[]){0}, 1);
}

static void add_row(fixture *f, const ls_schema *s, char action, ls_value *after, ls_value *before) {
    const ls_tx tx = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742"};
    ls_change *c = ls_work_add(f->sent, s, ls_work_tx(f->sent, &tx), (uint8_t)action, 1);
    c->after = after;
    c->before = before;
}

static void test_each_type(void **state) {
    fixture *f = *state;
    const ls_schema *s = schema_of_all(f);
    ls_value *row = ls_work_values(f->sent, NTYPES);
    for (size_t i = 0; i < NTYPES; i++) row[i] = all[i].value;
    add_row(f, s, 'I', row, NULL);
    encode(f, f->sent, 0, &plain);
    if (reads(f)) fail_msg("%s", f->err.text);
    const ls_change *c = last(f->got);
    assert_int_equal(c->schema->ncols, NTYPES);
    assert_int_equal(c->schema->nkey, 1);
    for (size_t i = 0; i < NTYPES; i++) {
        const ls_value *v = &c->after[i];
        assert_string_equal(c->schema->cols[i].name, all[i].name);
        if (c->schema->cols[i].type != all[i].type || !ls_value_same(v, &all[i].value)) fail_msg("%s", all[i].name);
    }
    char *sent = strdup(as_json(f, f->sent, 0));
    assert_string_equal(as_json(f, f->got, 0), sent);
    ls_schema_unref(s);
    free(sent);
}

/* What a CSV cell holds of each value is the same whichever format the messages are of. */
static void test_cells_are_those_of_json(void **state) {
    fixture *f = *state;
    ls_work *w = ls_work_new(&f->schemas, "", "");
    const ls_schema *s = schema_of_all(f);
    ls_value *row = ls_work_values(f->sent, NTYPES);
    ls_buf a = {0}, b = {0};
    for (size_t i = 0; i < NTYPES; i++) row[i] = all[i].value;
    add_row(f, s, 'I', row, NULL);
    as_json(f, f->sent, 0);
    assert_int_equal(ls_decoder_read(f->json, w, f->text.data, f->text.len, &f->err), 0);
    encode(f, f->sent, 0, &plain);
    assert_int_equal(reads(f), 0);
    for (size_t i = 0; i < NTYPES; i++) {
        const ls_value *x = &last(w)->after[i], *y = &last(f->got)->after[i];
        ls_buf_clear(&a);
        ls_buf_clear(&b);
        assert_int_equal(x->state, y->state);
        if (x->state == LS_PRESENT) ls_value_print(&a, x), ls_value_print(&b, y);
        if (a.len != b.len || (a.len && memcmp(a.data, b.data, a.len) != 0)) fail_msg("%s", all[i].name);
    }
    ls_buf_free(&a);
    ls_buf_free(&b);
    ls_work_free(w);
    ls_schema_unref(s);
}

/* Rows of one schema by turns in two formats, as a test or a print may make them: neither takes the other's for its own. */
static void test_formats_by_turns(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        read_json(f, messages[0]);
        assert_string_equal(as_json(f, f->sent, f->sent->seen.count - 1), messages[0]);
        encode(f, f->sent, f->sent->seen.count - 1, &plain);
        assert_int_equal(reads(f), 0);
    }
}

/* What hooks leave in columns whose type is not known, also two kinds in the two images. */
static void test_columns_without_a_type(void **state) {
    fixture *f = *state;
    static const ls_value of[] = {TEXT("x"),
                                  TEXT(""),
                                  {.kind = LS_KIND_INT, .as.i = -3},
                                  {.kind = LS_KIND_UINT, .as.u = UINT64_MAX},
                                  {.kind = LS_KIND_DOUBLE, .as.d = 1.5},
                                  {.kind = LS_KIND_FLOAT, .as.d = (double)0.3f},
                                  {.kind = LS_KIND_BOOL, .as.i = 1},
                                  OF(LS_KIND_BYTES, "\xff"),
                                  OF(LS_KIND_JSON, "[1]"),
                                  {.state = LS_NULL}};
    enum { N = sizeof of / sizeof *of };
    const ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "hooked", 6, &(const ls_column_def){"c", 1, LS_TYPE_UNKNOWN}, 1, NULL, 0);
    for (int i = 0; i < N * N; i++) {
        ls_value *after = ls_work_values(f->sent, 1), *before = ls_work_values(f->sent, 1);
        *after = of[i / N];
        *before = of[i % N];
        add_row(f, s, 'U', after, before);
        encode(f, f->sent, f->sent->seen.count - 1, &plain);
        if (reads(f)) fail_msg("%d: %s", i, f->err.text);
        char *sent = strdup(as_json(f, f->sent, f->sent->seen.count - 1));
        assert_string_equal(as_json(f, f->got, f->got->seen.count - 1), sent);
        free(sent);
    }
    ls_schema_unref(s);
}

/* The types stand in the messages: a key-only delete of an unknown table has them, and a NULL. */
static void test_types_are_known(void **state) {
    fixture *f = *state;
    const ls_column_def defs[] = {{"id", 2, LS_TYPE_DECIMAL}, {"at", 2, LS_TYPE_TIMESTAMP}};
    const ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "known", 5, defs, 2, (const uint16_t[]){0}, 1);
    ls_value *key = ls_work_values(f->sent, 2), *row = ls_work_values(f->sent, 2);
    key[0] = row[0] = ls_value_text("1.50", 4);
    row[1] = ls_value_state(LS_NULL);
    add_row(f, s, 'D', NULL, key);
    add_row(f, s, 'I', row, NULL);
    encode(f, f->sent, 0, &plain);
    assert_int_equal(reads(f), 0);
    assert_int_equal(last(f->got)->schema->cols[0].type, LS_TYPE_DECIMAL);
    encode(f, f->sent, 1, &plain);
    assert_int_equal(reads(f), 0);
    assert_int_equal(last(f->got)->schema->cols[1].type, LS_TYPE_TIMESTAMP);
    const ls_schema *whole = last(f->got)->schema;
    encode(f, f->sent, 0, &plain);
    assert_int_equal(reads(f), 0);
    assert_ptr_equal(last(f->got)->schema, whole);
    assert_int_equal(last(f->got)->before[1].state, LS_ABSENT);
    ls_schema_unref(s);
}

/* ---- what is refused */

static ProtobufCBinaryData b(const char *s) { return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s}; }

static void pack(fixture *f, const ListSync__Change *m) {
    ls_buf_clear(&f->out);
    assert_true(ls_buf_room(&f->out, protobuf_c_message_get_packed_size(&m->base)));
    f->out.len = protobuf_c_message_pack(&m->base, (uint8_t *)f->out.data);
}

static void refused(fixture *f, const char *says) {
    uint32_t count = f->got->seen.count;
    for (int again = 0; again < 2; again++) {
        if (reads(f) == 0) fail_msg("taken: %s", says);
        if (!strstr(f->err.text, says)) fail_msg("\"%s\" is not in: %s", says, f->err.text);
        assert_int_equal(f->err.code, LS_FAIL);
        assert_int_equal(f->got->seen.count, count);
    }
}

/* A message as it should be, of which a case spoils a part. */
typedef struct whole {
    ListSync__Change m;
    ListSync__Column id, a, key;
    ListSync__Column *columns[3], *identity[2], *moved[2];
    ProtobufCBinaryData pk[2], unchanged[2];
    ListSync__Source source;
} whole;

static void begin(whole *w, ListSync__Change__Action action) {
    const ListSync__Column column = LIST_SYNC__COLUMN__INIT;
    *w = (whole){.m = LIST_SYNC__CHANGE__INIT, .id = column, .a = column, .key = column, .source = LIST_SYNC__SOURCE__INIT};
    w->m.action = action;
    w->m.schema = b("p");
    w->m.table = b("t");
    w->id.name = w->key.name = w->pk[0] = b("id");
    w->id.type = w->key.type = LIST_SYNC__COLUMN__TYPE__TYPE_INTEGER;
    w->id.value_case = w->key.value_case = LIST_SYNC__COLUMN__VALUE_INT_VALUE;
    w->id.int_value = w->key.int_value = 1;
    w->a.name = b("a");
    w->a.type = LIST_SYNC__COLUMN__TYPE__TYPE_STRING;
    w->a.value_case = LIST_SYNC__COLUMN__VALUE_TEXT_VALUE;
    w->a.text_value = b("x");
    w->columns[0] = &w->id;
    w->columns[1] = &w->a;
    w->columns[2] = &w->a;
    w->identity[0] = w->moved[0] = &w->key;
    w->identity[1] = w->moved[1] = &w->a;
    w->m.pk = w->pk;
    w->m.n_pk = 1;
    w->m.columns = w->columns;
    w->m.n_columns = action == LIST_SYNC__CHANGE__ACTION__ACTION_INSERT || action == LIST_SYNC__CHANGE__ACTION__ACTION_UPDATE ? 2 : 0;
    w->m.identity = w->identity;
    w->m.n_identity = action == LIST_SYNC__CHANGE__ACTION__ACTION_DELETE || action == LIST_SYNC__CHANGE__ACTION__ACTION_UPDATE;
    w->m.moved_to = w->m.moved_from = w->moved;
    w->m.unchanged = w->unchanged;
    w->source.v = 1;
    w->m.source = &w->source;
}

#define SPOILT(act, says, ...)                                   \
    do {                                                         \
        whole w;                                                 \
        begin(&w, LIST_SYNC__CHANGE__ACTION__ACTION_##act);      \
        pack(f, &w.m);                                           \
        if (reads(f)) fail_msg("%s", f->err.text);               \
        __VA_ARGS__;                                             \
        pack(f, &w.m);                                           \
        refused(f, says);                                        \
    } while (0)

static void test_names_and_sections(void **state) {
    fixture *f = *state;
    SPOILT(INSERT, "field action: one that this program knows", w.m.action = 0);
    SPOILT(INSERT, "field action: one that this program knows", w.m.action = 8);
    SPOILT(INSERT, "field action: one that this program knows", w.m.action = -1);
    SPOILT(INSERT, "field schema: a name was wanted", w.m.schema.len = 0);
    SPOILT(TRUNCATE, "field table: a name was wanted", w.m.table.len = 0);
    SPOILT(INSERT, "field table: a name in UTF-8 without a NUL", w.m.table = b("\xff"));
    SPOILT(INSERT, "field schema: a name in UTF-8 without a NUL", w.m.schema = ((ProtobufCBinaryData){3, (uint8_t *)"a\0b"}));
    SPOILT(DELETE, "field table: none", w.m.action = LIST_SYNC__CHANGE__ACTION__ACTION_DROP_DATABASE);
    SPOILT(DROP_TABLE, "field to_schema: a name was wanted", w.m.action = LIST_SYNC__CHANGE__ACTION__ACTION_RENAME_TABLE);
    SPOILT(DROP_TABLE, "field to_table: a name in UTF-8", w.m.action = LIST_SYNC__CHANGE__ACTION__ACTION_RENAME_TABLE, w.m.to_schema = b("p"), w.m.to_table = b("\xc3"));
    SPOILT(INSERT, "field columns was wanted", w.m.n_columns = 0);
    SPOILT(UPDATE, "field columns was wanted", w.m.n_columns = 0);
    SPOILT(DELETE, "field identity was wanted", w.m.n_identity = 0);
    SPOILT(DELETE, "field identity: column \"id\" of pk was wanted", w.identity[0] = &w.a, w.columns[0] = &w.id);
    SPOILT(INSERT, "p.t: \"pk\" names a column that the row does not carry", w.pk[0] = b("z"));
    SPOILT(INSERT, "or one twice", w.m.n_pk = 2, w.pk[1] = b("id"));
    SPOILT(INSERT, "field pk[0]: a name in UTF-8", w.pk[0] = b("\xff"));
    SPOILT(INSERT, "field columns[2] (a): a column that was not named before was wanted", w.m.n_columns = 3);
    SPOILT(INSERT, "field unchanged[0]: a column that was not named before was wanted", w.m.n_unchanged = 1, w.unchanged[0] = b("a"));
    SPOILT(INSERT, "field unchanged[0]: a name in UTF-8", w.m.n_unchanged = 1, w.unchanged[0] = b("\xff"));
    SPOILT(DELETE, "field moved_to: each of the 1 columns of pk, once, was wanted", w.m.n_moved_to = 2);
    SPOILT(DELETE, "field moved_to[0] (a): each column of pk once was wanted", w.m.n_moved_to = 1, w.moved[0] = &w.a);
    SPOILT(INSERT, "field moved_from[0] (id): a value of the same type as the column's other one", w.a.name = w.pk[0], w.columns[0] = &w.id,
           w.m.n_columns = 1, w.m.n_moved_from = 1, w.moved[0] = &w.a);
}

static void test_values_that_are_none(void **state) {
    fixture *f = *state;
    SPOILT(INSERT, "field columns[1]: a name in UTF-8", w.a.name = b("\xff"));
    SPOILT(INSERT, "field columns[1] (a): a type of column that this program knows", w.a.type = 99);
    SPOILT(INSERT, "field columns[1] (a): a value that this program knows (NULL is null_value)", w.a.value_case = LIST_SYNC__COLUMN__VALUE__NOT_SET);
    SPOILT(INSERT, "field columns[1] (a): a value of the column's type", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_BYTES);
    SPOILT(INSERT, "field columns[1] (a): a value of the column's type", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_JSON);
    SPOILT(INSERT, "field columns[0] (id): a value of the column's type", w.id.type = LIST_SYNC__COLUMN__TYPE__TYPE_DECIMAL);
    SPOILT(INSERT, "field columns[1] (a): text_value in UTF-8", w.a.text_value = b("\xed\xa0\x80"));
    SPOILT(INSERT, "field columns[1] (a): text_value that is a number", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_INTEGER);
    SPOILT(INSERT, "field columns[1] (a): text_value that is a number", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_INTEGER, w.a.text_value = b("1.5"));
    SPOILT(INSERT, "field columns[1] (a): text_value that is a number", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_FLOAT, w.a.text_value = b("NaN"));
    SPOILT(INSERT, "field columns[1] (a): json_value in UTF-8", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_JSON,
           w.a.value_case = LIST_SYNC__COLUMN__VALUE_JSON_VALUE, w.a.json_value = b("\"\xff\""));
    SPOILT(INSERT, "field columns[1] (a): json_value that is a JSON document", w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_ARRAY,
           w.a.value_case = LIST_SYNC__COLUMN__VALUE_JSON_VALUE, w.a.json_value = b("[1,"));
    SPOILT(INSERT, "field source.v is 2; this program reads version 1", w.source.v = 2);
    SPOILT(INSERT, "field source.connector: UTF-8 without a NUL character", w.source.connector = b("\xff"));
    SPOILT(INSERT, "field source.db: UTF-8 without a NUL character", w.source.db = ((ProtobufCBinaryData){1, (uint8_t *)""}));
    SPOILT(INSERT, "field source.pos: no more than 39 bytes", w.source.pos = b("0123456789012345678901234567890123456789"));
    SPOILT(INSERT, "field source.tx: no more than 95 bytes",
           w.source.tx = b("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"));
}

/* A foreign writer's document with blanks is read as a connector's. */
static void test_documents_are_made_compact(void **state) {
    fixture *f = *state;
    whole w;
    begin(&w, LIST_SYNC__CHANGE__ACTION__ACTION_INSERT);
    w.a.type = LIST_SYNC__COLUMN__TYPE__TYPE_ARRAY;
    w.a.value_case = LIST_SYNC__COLUMN__VALUE_JSON_VALUE;
    w.a.json_value = b(" [ 1 , \" x\" ] ");
    pack(f, &w.m);
    assert_int_equal(reads(f), 0);
    assert_int_equal(last(f->got)->after[1].len, 8);
    assert_memory_equal(last(f->got)->after[1].as.p, "[1,\" x\"]", 8);
}

static void test_bytes_that_are_no_message(void **state) {
    fixture *f = *state;
    static const struct { const char *bytes; size_t n; const char *says; } bad[] = {
        {"", 0, "field action"},
        {"\x08", 1, "byte 1: field Change.action: a whole number"},
        {"\x08\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01", 12, "byte 1: field Change.action: a whole number of no more than 10 bytes"},
        {"\x08\x01\x12\x05p", 5, "byte 4: field Change.schema: as many bytes as its length says"},
        {"\x08\x01\x12\xff", 4, "byte 3: field Change.schema: a length"},
        {"\x08\x01\x12", 3, "byte 3: field Change.schema: a length"},
        {"\x08\x01\x10\x01", 4, "byte 3: field Change.schema: a value of its own type"},
        {"\x08\x01\x80", 3, "byte 2: a field's number was wanted"},
        {"\x08\x01\x78\xff", 4, "byte 3: a whole number"},
        {"\x08\x01\x79z", 4, "byte 3: 8 bytes was wanted"},
        {"\x08\x01\x7dz", 4, "byte 3: 4 bytes was wanted"},
        {"\x08\x01\x7b", 3, "byte 3: a field of a known kind"},
        {"\x08\x01\x2a\x02\x0a\x05", 6, "byte 6: field Column.name: as many bytes as its length says"},
        {"\x08\x01\x2a\x03\x31zz", 7, "byte 5: field Column.double_value: 8 bytes"},
        {"\x08\x01\x52\x02\x08", 5, "byte 4: field Change.source: as many bytes"},
        {"\x08\x01\x52\x01\x08", 5, "byte 5: field Source.v: a whole number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ls_buf_clear(&f->out);
        ls_buf_add(&f->out, bad[i].bytes, bad[i].n);
        refused(f, bad[i].says);
    }
}

/* Each message cut off and with each byte changed: taken or refused, with a text that says something. */
static void test_spoilt_messages(void **state) {
    fixture *f = *state;
    static const char bytes[] = {'\0', '\1', '\x0a', '\x2a', '\x7f', '\x80', '\xff'};
    for (int i = 0; i < NMESSAGES; i++) {
        ls_work_reset(f->sent);
        read_json(f, messages[i]);
        encode(f, f->sent, 0, &plain);
        size_t n = f->out.len;
        char *m = malloc(n);
        memcpy(m, f->out.data, n);
        for (size_t at = 0; at < n * (1 + sizeof bytes); at++) {
            ls_buf_clear(&f->out);
            ls_buf_add(&f->out, m, at < n ? at : n);
            if (at >= n) f->out.data[(at - n) / sizeof bytes] = bytes[at % sizeof bytes];
            ls_work_reset(f->got);
            if (reads(f) == 0) {
                assert_int_equal(f->got->seen.count, 1);
                as_json(f, f->got, 0);
            } else if (!strstr(f->err.text, "wanted") && !strstr(f->err.text, "version 1") && !strstr(f->err.text, "\"pk\"")) {
                fail_msg("%s", f->err.text);
            }
        }
        free(m);
    }
}

/* Fields that a newer writer sends are passed over. */
static void test_unknown_fields(void **state) {
    fixture *f = *state;
    read_json(f, messages[0]);
    encode(f, f->sent, 0, &plain);
    ls_buf_add(&f->out, "\xa8\x1f\x05\xaa\x1f\x02zz", 8); /* numbers 501, and 501 again as bytes */
    assert_int_equal(reads(f), 0);
    assert_string_equal(as_json(f, f->got, 0), messages[0]);
}

/* Of a field that comes twice the last one counts; a message within is put together. */
static void test_fields_that_come_twice(void **state) {
    fixture *f = *state;
    whole w;
    begin(&w, LIST_SYNC__CHANGE__ACTION__ACTION_INSERT);
    w.source.connector = b("shop");
    w.source.seq = 3;
    w.m.n_columns = 1;
    pack(f, &w.m);
    ls_buf_add(&f->out, "\x2a\x0f\x0a\x01q\x0a\x01" "a\x10\x01\x20\x02\x4a\x01x\x18\x01", 17); /* named q, then a; 1, "x", then NULL */
    ls_buf_add(&f->out, "\x1a\x01s\x1a\x01u\x52\x05\x38\x09\x32\x01z", 13); /* table s, then u; in another source seq 9 and pos */
    assert_int_equal(reads(f), 0);
    assert_string_equal(as_json(f, f->got, 0), "{\"action\":\"I\",\"schema\":\"p\",\"table\":\"u\"," PK "\"columns\":[" COL("id", "1") "," COL("a", "null") "],"
                        "\"source\":{\"v\":1,\"connector\":\"shop\",\"db\":\"\",\"ts\":0,\"tx\":\"\",\"pos\":\"z\",\"seq\":9}}");
}

/* What a message unpacks to is bounded by what a table may have, not by what it says. */
static void test_more_columns_than_a_table_can_have(void **state) {
    fixture *f = *state;
    static const struct { int n; const char *says; } cases[] = {{LS_COLUMNS_MAX, NULL},
                                                                {LS_COLUMNS_MAX + 1, "columns: no more than 65535 columns was wanted"},
                                                                {20 * LS_COLUMNS_MAX, "no more than 65535 columns in each list"}}; /* not unpacked */
    for (int k = 0; k < 3; k++) {
        ls_buf_clear(&f->out);
        ls_buf_add(&f->out, "\x08\x01\x12\x01p\x1a\x01t", 8);
        for (int i = 0; i < cases[k].n; i++) {
            ls_buf_add(&f->out, "\x2a\x0a\x0a\x06", 4);
            ls_buf_fmt(&f->out, "%06x", i);
            ls_buf_add(&f->out, "\x18\x01", 2);
        }
        if (cases[k].says) {
            refused(f, cases[k].says);
        } else {
            if (reads(f)) fail_msg("%s", f->err.text);
            assert_int_equal(last(f->got)->schema->ncols, LS_COLUMNS_MAX);
        }
        ls_work_reset(f->got);
    }
}

static void test_the_other_format(void **state) {
    fixture *f = *state;
    read_json(f, messages[0]);
    encode(f, f->sent, 0, &plain);
    assert_int_equal(ls_decoder_read(f->json, f->sent, f->out.data, f->out.len, &f->err), -1);
    assert_non_null(strstr(f->err.text, "this is no list_sync message, but seems to be one of the format \"protobuf\": take decode = \"protobuf\""));
    ls_buf_clear(&f->out);
    ls_buf_str(&f->out, messages[0]);
    refused(f, "this is no protobuf message, but seems to be one of the format \"list_sync\": take decode = \"list_sync\"");
    ls_buf_clear(&f->out);
    ls_buf_str(&f->out, "{\"op\":\"c\",\"before\":null,\"after\":{}}");
    refused(f, "seems to be one of the format \"debezium\" (take format = \"protobuf\" in the connector");
    ls_buf_clear(&f->out);
    ls_buf_str(&f->out, "hello");
    refused(f, "this is no protobuf message (take the topic out of topic_list if others write to it, or read all of it with decode = \"raw\")");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(test_all_of_a_message), TEST(test_without_source), TEST(test_each_type), TEST(test_cells_are_those_of_json),
        TEST(test_formats_by_turns), TEST(test_columns_without_a_type), TEST(test_types_are_known),
        TEST(test_names_and_sections), TEST(test_values_that_are_none), TEST(test_documents_are_made_compact),
        TEST(test_bytes_that_are_no_message), TEST(test_spoilt_messages), TEST(test_unknown_fields), TEST(test_fields_that_come_twice),
        TEST(test_more_columns_than_a_table_can_have), TEST(test_the_other_format)};
    return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
