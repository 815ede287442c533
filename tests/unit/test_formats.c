/* The formats "debezium", "maxwell" and "flat": each message as docs/formats.md and these programs' own documentation show it. */
#include "base/clock.h"
#include "base/json.h"
#include "change/row.h"
#include "change/value.h"
#include "format/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_work *work;
    ls_buf out, shown;
    ls_error err;
    const ls_tx *tx;
    ls_schema *orders;
    ls_format_options options;
} fixture;

static const ls_format_ops *const all[] = {&ls_format_list_sync, &ls_format_debezium, &ls_format_maxwell, &ls_format_flat};
enum { FORMATS = sizeof all / sizeof *all };

static const ls_tx *tx_of(fixture *f, const char *db, const char *pos, const char *id) {
    ls_tx tx = {.ts = 1732313405123456, .connector = "shop", .db = db};
    snprintf(tx.pos, sizeof tx.pos, "%s", pos);
    snprintf(tx.id, sizeof tx.id, "%s", id);
    return ls_work_tx(f->work, &tx);
}

static int setup(void **state) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"total", 5, LS_TYPE_DECIMAL}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    fixture *f = calloc(1, sizeof *f);
    f->work = ls_work_new(&f->schemas, "shop", "postgres");
    f->tx = tx_of(f, "postgres", "0000000001a3b748", "742");
    f->orders = ls_schema_new(&f->schemas, "public", 6, "orders", 6, cols, 3, key, 1);
    f->options = (ls_format_options){.database = "shopdb"};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_work_free(f->work);
    ls_schema_unref(f->orders);
    ls_buf_free(&f->out);
    ls_buf_free(&f->shown);
    free(f);
    return 0;
}

/* The message, with NOW for the milliseconds at which it was written, which are looked at here. */
static const char *encoded(fixture *f, const ls_format_ops *format, uint32_t i) {
    static const char title[] = "\",\"ts_ms\":"; /* behind op */
    int64_t from = ls_clock_wall_us() / 1000;
    ls_buf_clear(&f->out);
    ls_buf_clear(&f->shown);
    if (format->encode(&f->options, &f->work->seen, i, &f->out, &f->err)) fail_msg("%s", f->err.text);
    assert_true(ls_json_is_document(f->out.data, f->out.len));
    const char *text = ls_buf_cstr(&f->out), *op = strstr(text, ",\"op\":\""), *at = op ? strstr(op, title) : NULL;
    if (!at) return text;
    char *end;
    long long now = strtoll(at + strlen(title), &end, 10);
    assert_true(now >= from && now <= ls_clock_wall_us() / 1000);
    ls_buf_add(&f->shown, text, (size_t)(at - text) + strlen(title));
    ls_buf_str(&f->shown, "NOW");
    ls_buf_str(&f->shown, end);
    return ls_buf_cstr(&f->shown);
}

static ls_value *values(fixture *f, ls_value a, ls_value b, ls_value c) {
    ls_value *v = ls_work_values(f->work, 3);
    v[0] = a, v[1] = b, v[2] = c;
    return v;
}

static const ls_value absent = {.state = LS_ABSENT}, unchanged = {.state = LS_UNCHANGED}, null = {.state = LS_NULL};

static ls_value text(const char *s) { return ls_value_text(s, strlen(s)); }

#define D_SOURCE_AT(snapshot, place) "\"source\":{\"version\":\"" LIST_SYNC_VERSION "\",\"connector\":\"postgresql\",\"name\":\"shop\",\"ts_ms\":1732313405123," \
    "\"snapshot\":\"" snapshot "\",\"db\":\"shopdb\",\"schema\":\"public\",\"table\":\"orders\",\"ts_us\":1732313405123456," \
    "\"txId\":742,\"lsn\":27506504,\"xmin\":null" place "}"
#define D_SOURCE(seq) D_SOURCE_AT("false", ",\"seq\":" #seq)
#define D_END(op) ",\"op\":\"" op "\",\"ts_ms\":NOW,\"transaction\":null}"
#define M_HEAD(type) "{\"database\":\"public\",\"table\":\"orders\",\"type\":\"" type "\",\"ts\":1732313405"
#define M_AT(offset) ",\"xid\":742,\"position\":\"0/1A3B748\",\"xoffset\":" #offset
#define F_HEAD(action) "\"_action\":\"" action "\",\"_schema\":\"public\",\"_table\":\"orders\""
#define F_SOURCE(seq) ",\"_connector\":\"shop\",\"_ts\":1732313405123456,\"_pos\":\"0000000001a3b748\",\"_seq\":" #seq

/* An insert, an update, a delete. */
static void make_rows(fixture *f) {
    uint64_t seq = 0;
    assert_int_equal(ls_row_insert(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("12.50"), null)), 0);
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, NULL, values(f, ls_value_int(7), text("13.00"), unchanged)), 0);
    assert_int_equal(ls_row_remove(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), absent, absent)), 0);
}

static void test_rows_as_debezium(void **state) {
    fixture *f = *state;
    make_rows(f);
    assert_string_equal(encoded(f, &ls_format_debezium, 0),
                        "{\"before\":null,\"after\":{\"id\":7,\"total\":\"12.50\",\"note\":null}," D_SOURCE(1) D_END("c"));
    assert_string_equal(encoded(f, &ls_format_debezium, 1), "{\"before\":{\"id\":7},\"after\":{\"id\":7,\"total\":\"13.00\","
                                                            "\"note\":\"__debezium_unavailable_value\"}," D_SOURCE(2) D_END("u"));
    assert_string_equal(encoded(f, &ls_format_debezium, 2), "{\"before\":{\"id\":7},\"after\":null," D_SOURCE(3) D_END("d"));
}

static void test_rows_as_maxwell(void **state) {
    fixture *f = *state;
    make_rows(f);
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("insert") M_AT(0) ",\"data\":{\"id\":7,\"total\":\"12.50\",\"note\":null}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 1), M_HEAD("update") M_AT(1) ",\"data\":{\"id\":7,\"total\":\"13.00\"}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 2), M_HEAD("delete") M_AT(2) ",\"data\":{\"id\":7}}");
}

static void test_rows_as_flat(void **state) {
    fixture *f = *state;
    make_rows(f);
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{\"id\":7,\"total\":\"12.50\",\"note\":null," F_HEAD("I") F_SOURCE(1) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 1), "{\"id\":7,\"total\":\"13.00\"," F_HEAD("U") ",\"_unchanged\":[\"note\"]" F_SOURCE(2) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 2), "{\"id\":7," F_HEAD("D") F_SOURCE(3) "}");
}

/* Whole rows before, which moves = "split" has the server send, are the hooks' alone. */
static void test_rows_before_that_are_kept(void **state) {
    fixture *f = *state;
    uint64_t seq = 0;
    f->orders->before = LS_BEFORE_KEPT;
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("8765"), text("kept")), values(f, ls_value_int(7), text("2"), null)), 0);
    assert_int_equal(ls_row_remove(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("8765"), text("kept"))), 0);
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("8765"), text("kept")), values(f, ls_value_int(8), text("2"), null)), 0);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (uint32_t i = 0; i < f->work->seen.count; i++) {
            const char *message = encoded(f, all[k], i);
            if (strstr(message, "8765") || strstr(message, "kept")) fail_msg("%s: %s", all[k]->name, message);
        }
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("update") M_AT(0) ",\"data\":{\"id\":7,\"total\":\"2\",\"note\":null}}");
}

static void test_the_whole_row_before(void **state) {
    fixture *f = *state;
    uint64_t seq = 0;
    f->orders->before = LS_BEFORE_SENT;
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("1"), null), values(f, ls_value_int(7), text("2"), null)), 0);
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), text("2"), null), values(f, ls_value_int(7), null, text("n"))), 0);
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), null, absent), values(f, ls_value_int(7), null, text("m"))), 0);
    assert_int_equal(ls_row_remove(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), null, text("m"))), 0);
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":{\"id\":7,\"total\":\"1\",\"note\":null},\"after\":{\"id\":7,\"total\":\"2\",\"note\":null},"
                                                            D_SOURCE(1) D_END("u"));
    assert_string_equal(encoded(f, &ls_format_debezium, 3), "{\"before\":{\"id\":7,\"total\":null,\"note\":\"m\"},\"after\":null," D_SOURCE(4) D_END("d"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("update") M_AT(0) ",\"data\":{\"id\":7,\"total\":\"2\",\"note\":null},\"old\":{\"total\":\"1\"}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 1), M_HEAD("update") M_AT(1) ",\"data\":{\"id\":7,\"total\":null,\"note\":\"n\"},"
                                                           "\"old\":{\"total\":\"2\",\"note\":null}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 2), M_HEAD("update") M_AT(2) ",\"data\":{\"id\":7,\"total\":null,\"note\":\"m\"}}"); /* not known */
    assert_string_equal(encoded(f, &ls_format_maxwell, 3), M_HEAD("delete") M_AT(3) ",\"data\":{\"id\":7,\"total\":null,\"note\":\"m\"}}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{\"id\":7,\"total\":\"2\",\"note\":null," F_HEAD("U")
                                                        ",\"_identity\":{\"id\":7,\"total\":\"1\",\"note\":null}" F_SOURCE(1) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 3), "{\"id\":7,\"total\":null,\"note\":\"m\"," F_HEAD("D") F_SOURCE(4) "}");
}

static void test_a_moved_row(void **state) {
    fixture *f = *state;
    uint64_t seq = 0;
    assert_int_equal(ls_row_update(f->work, f->orders, f->tx, &seq, values(f, ls_value_int(7), absent, absent), values(f, ls_value_int(8), text("1"), unchanged)), 0);
    assert_int_equal(f->work->seen.count, 2);
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":{\"id\":7},\"after\":null," D_SOURCE(1) D_END("d"));
    assert_string_equal(encoded(f, &ls_format_debezium, 1), "{\"before\":null,\"after\":{\"id\":8,\"total\":\"1\","
                                                            "\"note\":\"__debezium_unavailable_value\"}," D_SOURCE(2) D_END("c"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("delete") M_AT(0) ",\"data\":{\"id\":7}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 1), M_HEAD("insert") M_AT(1) ",\"data\":{\"id\":8,\"total\":\"1\"}}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{\"id\":7," F_HEAD("D") ",\"_moved_to\":{\"id\":8}" F_SOURCE(1) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 1), "{\"id\":8,\"total\":\"1\"," F_HEAD("I") ",\"_moved_from\":{\"id\":7},\"_unchanged\":[\"note\"]"
                                                        F_SOURCE(2) "}");
}

static void test_snapshots_and_clones(void **state) {
    fixture *f = *state;
    ls_change *c = ls_work_add(f->work, f->orders, f->tx, 'I', 1);
    c->after = values(f, ls_value_int(7), absent, absent); /* a column that was not sent is not there */
    c->flags = LS_SNAPSHOT;
    c->sub = 2;
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":null,\"after\":{\"id\":7}," D_SOURCE_AT("true", ",\"seq\":1,\"sub\":2") D_END("r"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("bootstrap-insert") M_AT(0) ",\"sub\":2,\"data\":{\"id\":7}}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{\"id\":7," F_HEAD("I") F_SOURCE(1) ",\"_sub\":2,\"_snapshot\":true}");
}

static void test_without_source(void **state) {
    fixture *f = *state;
    f->options.no_source = true;
    make_rows(f);
    assert_string_equal(encoded(f, &ls_format_debezium, 2),
                        "{\"before\":{\"id\":7},\"after\":null,\"source\":{\"db\":\"shopdb\",\"schema\":\"public\",\"table\":\"orders\"}" D_END("d"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 2), M_HEAD("delete") ",\"data\":{\"id\":7}}");
    assert_string_equal(encoded(f, &ls_format_flat, 2), "{\"id\":7," F_HEAD("D") "}");
}

static void test_binlog_places(void **state) {
    fixture *f = *state;
    ls_work_add(f->work, f->orders, tx_of(f, "mariadb", "0000000600000001e2d0", "0-1-25"), 'D', 3)->before = values(f, ls_value_int(7), absent, absent);
    ls_work_add(f->work, f->orders, tx_of(f, "mysql", "g1f-000f42400000000000c5", ""), 'D', 1)->before = values(f, ls_value_int(7), absent, absent);
    ls_work_add(f->work, f->orders, tx_of(f, "postgres", "2-fedcba9876543210", "4294967295"), 'D', 1)->before = values(f, ls_value_int(7), absent, absent);
    ls_work_add(f->work, f->orders, tx_of(f, "", "", ""), 'D', 0)->before = values(f, ls_value_int(7), absent, absent);
#define BINLOG(db, place) "{\"before\":{\"id\":7},\"after\":null,\"source\":{\"version\":\"" LIST_SYNC_VERSION "\",\"connector\":\"" db "\",\"name\":\"shop\"," \
    "\"ts_ms\":1732313405123,\"snapshot\":\"false\",\"db\":\"public\",\"table\":\"orders\",\"ts_us\":1732313405123456," place "}" D_END("d")
    assert_string_equal(encoded(f, &ls_format_debezium, 0), BINLOG("mariadb", "\"gtid\":\"0-1-25\",\"file\":\"000006\",\"pos\":123600,\"seq\":3"));
    assert_string_equal(encoded(f, &ls_format_debezium, 1), BINLOG("mysql", "\"gtid\":null,\"file\":\"1000000\",\"pos\":197,\"epoch\":31,\"seq\":1"));
    assert_non_null(strstr(encoded(f, &ls_format_debezium, 2), "\"txId\":4294967295,\"lsn\":18364758544493064720,\"xmin\":null,\"epoch\":2,\"seq\":1}"));
    assert_non_null(strstr(encoded(f, &ls_format_debezium, 3), "\"gtid\":null,\"seq\":0}"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("delete") ",\"gtid\":\"0-1-25\",\"position\":\"000006:123600\",\"xoffset\":2,\"data\":{\"id\":7}}");
    assert_string_equal(encoded(f, &ls_format_maxwell, 1), M_HEAD("delete") ",\"position\":\"1000000:197\",\"epoch\":31,\"xoffset\":0,\"data\":{\"id\":7}}");
    assert_non_null(strstr(encoded(f, &ls_format_maxwell, 2), ",\"xid\":4294967295,\"position\":\"FEDCBA98/76543210\",\"epoch\":2,"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 3), M_HEAD("delete") ",\"data\":{\"id\":7}}");
}

static void test_whole_tables(void **state) {
    fixture *f = *state;
    ls_schema *database = ls_schema_new(&f->schemas, "shop", 4, "", 0, NULL, 0, NULL, 0);
    ls_work_add(f->work, f->orders, f->tx, 'T', 1);
    ls_work_add(f->work, database, f->tx, 'X', 2)->whole_table = 0;
    ls_work_add(f->work, f->orders, f->tx, 'X', 3);
    ls_change *r = ls_work_add(f->work, f->orders, f->tx, 'R', 4);
    r->to_schema = "public";
    r->to_table = "old \"orders\"";
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":null,\"after\":null," D_SOURCE(1) D_END("t"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("table-truncate") M_AT(0) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{" F_HEAD("T") F_SOURCE(1) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 1), "{\"_action\":\"X\",\"_schema\":\"shop\",\"_table\":null" F_SOURCE(2) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 2), "{" F_HEAD("X") F_SOURCE(3) "}");
    assert_string_equal(encoded(f, &ls_format_flat, 3), "{" F_HEAD("R") ",\"_to_schema\":\"public\",\"_to_table\":\"old \\\"orders\\\"\"" F_SOURCE(4) "}");
    for (uint32_t i = 1; i < 4; i++) {
        assert_int_equal(ls_format_debezium.encode(&f->options, &f->work->seen, i, &f->out, &f->err), -1);
        assert_non_null(strstr(f->err.text, "the format \"debezium\" has no form for a drop or a rename: take ddl = false"));
        assert_int_equal(ls_format_maxwell.encode(&f->options, &f->work->seen, i, &f->out, &f->err), -1);
        assert_non_null(strstr(f->err.text, "the format \"maxwell\" has no form"));
    }
    ls_schema_unref(database);
}

/* A table without a key: the whole row before is what tells which row it was. */
static void test_a_table_without_a_key(void **state) {
    fixture *f = *state;
    static const ls_column_def cols[] = {{"a", 1, LS_TYPE_STRING}, {"b\"", 2, LS_TYPE_INTEGER}};
    ls_schema *s = ls_schema_new(&f->schemas, "public", 6, "orders", 6, cols, 2, NULL, 0);
    uint64_t seq = 0;
    assert_int_equal(ls_row_update(f->work, s, f->tx, &seq, values(f, text("x"), null, absent), values(f, text("x"), ls_value_int(2), absent)), 0);
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":{\"a\":\"x\",\"b\\\"\":null},\"after\":{\"a\":\"x\",\"b\\\"\":2}," D_SOURCE(1) D_END("u"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("update") M_AT(0) ",\"data\":{\"a\":\"x\",\"b\\\"\":2},\"old\":{\"b\\\"\":null}}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{\"a\":\"x\",\"b\\\"\":2," F_HEAD("U") ",\"_identity\":{\"a\":\"x\",\"b\\\"\":null}" F_SOURCE(1) "}");
    ls_schema_unref(s);
}

static void test_rows_without_values(void **state) {
    fixture *f = *state;
    ls_change *c = ls_work_add(f->work, f->orders, f->tx, 'U', 1);
    c->after = values(f, absent, absent, absent);
    c->before = values(f, absent, absent, absent);
    assert_string_equal(encoded(f, &ls_format_debezium, 0), "{\"before\":{},\"after\":{}," D_SOURCE(1) D_END("u"));
    assert_string_equal(encoded(f, &ls_format_maxwell, 0), M_HEAD("update") M_AT(0) ",\"data\":{}}");
    assert_string_equal(encoded(f, &ls_format_flat, 0), "{" F_HEAD("U") F_SOURCE(1) "}");
}

static const ls_column_def typed[] = {{"i", 1, LS_TYPE_INTEGER}, {"u", 1, LS_TYPE_INTEGER}, {"d", 1, LS_TYPE_FLOAT},    {"x", 1, LS_TYPE_FLOAT},
                                      {"b", 1, LS_TYPE_BOOLEAN}, {"z", 1, LS_TYPE_BYTES},   {"a", 1, LS_TYPE_ARRAY},    {"s", 1, LS_TYPE_SET},
                                      {"v", 1, LS_TYPE_VECTOR},  {"m", 1, LS_TYPE_DECIMAL}, {"g", 1, LS_TYPE_GEOMETRY}, {"t", 1, LS_TYPE_TIMESTAMP},
                                      {"j", 1, LS_TYPE_JSON},    {"y", 1, LS_TYPE_BITS}};
enum { TYPED = sizeof typed / sizeof *typed };

static ls_value json(const char *s) { return ls_value_bytes_of(LS_KIND_JSON, s, strlen(s)); }

static void test_values(void **state) {
    fixture *f = *state;
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, typed, TYPED, NULL, 0);
    ls_value *v = ls_work_values(f->work, TYPED);
    const ls_value row[TYPED] = {ls_value_int(INT64_MIN), ls_value_uint(UINT64_MAX), {.kind = LS_KIND_DOUBLE, .as.d = 0.1}, {.kind = LS_KIND_DOUBLE, .as.d = NAN},
                                 {.kind = LS_KIND_BOOL, .as.i = 1}, ls_value_bytes_of(LS_KIND_BYTES, "\0\xff\x10", 3), json("[1,null]"), json("[\"x\"]"),
                                 json("[0.5]"), text("-1.20"), json("{\"srid\":0,\"wkb\":\"AQ==\"}"), text("2026-01-02T03:04:05.5Z"), text("{\"k\":1}"), text("0101")};
    static const char want[] = "\"i\":-9223372036854775808,\"u\":18446744073709551615,\"d\":0.1,\"x\":\"NaN\",\"b\":true,\"z\":\"AP8Q\",\"a\":[1,null],"
                               "\"s\":[\"x\"],\"v\":[0.5],\"m\":\"-1.20\",\"g\":{\"srid\":0,\"wkb\":\"AQ==\"},\"t\":\"2026-01-02T03:04:05.5Z\",",
                      as_text[] = "\"j\":\"{\\\"k\\\":1}\",\"y\":\"0101\"", embedded[] = "\"j\":{\"k\":1},\"y\":\"0101\"";
    memcpy(v, row, sizeof row);
    ls_work_add(f->work, s, f->tx, 'I', 1)->after = v;
    for (int i = 1; i < FORMATS; i++)
        for (int embed = 0; embed < 2; embed++) {
            char wanted[1024];
            snprintf(wanted, sizeof wanted, "{%s%s%c", want, embed ? embedded : as_text, all[i] == &ls_format_flat ? ',' : '}');
            f->options.embed_json = embed;
            if (!strstr(encoded(f, all[i], 0), wanted)) fail_msg("%s: %s\nis not in %s", all[i]->name, wanted, f->out.data);
        }
    ls_schema_unref(s);
}

/* What a column that did not come has for a value in Debezium's messages. */
static void test_unavailable_values(void **state) {
    fixture *f = *state;
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, typed, TYPED, NULL, 0);
    ls_value *v = ls_work_values(f->work, TYPED);
    for (int i = 0; i < TYPED; i++) v[i] = unchanged;
    ls_work_add(f->work, s, f->tx, 'I', 1)->after = v;
#define GONE "\"__debezium_unavailable_value\""
    static const char want[] = "\"after\":{\"i\":" GONE ",\"u\":" GONE ",\"d\":" GONE ",\"x\":" GONE ",\"b\":" GONE
                               ",\"z\":\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\",\"a\":[" GONE "],\"s\":[" GONE "],\"v\":[" GONE "],\"m\":" GONE
                               ",\"g\":" GONE ",\"t\":" GONE ",\"j\":" GONE ",\"y\":" GONE "}";
    assert_non_null(strstr(encoded(f, &ls_format_debezium, 0), want));
    ls_schema_unref(s);
}

static void test_a_document_that_is_none(void **state) {
    fixture *f = *state;
    ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, (ls_column_def[]){{"doc", 3, LS_TYPE_JSON}}, 1, NULL, 0);
    ls_change *c = ls_work_add(f->work, s, f->tx, 'D', 1);
    c->before = values(f, text("{\"a\""), absent, absent);
    f->options.embed_json = true;
    for (int i = 0; i < FORMATS; i++) {
        assert_int_equal(all[i]->encode(&f->options, &f->work->seen, 0, &f->out, &f->err), -1);
        assert_non_null(strstr(f->err.text, "table p.t, column \"doc\", position 0000000001a3b748/1: the text is no JSON document"));
    }
    ls_schema_unref(s);
}

/* Names that flat has for itself are refused, in each message of the table. */
static void test_names_that_clash(void **state) {
    fixture *f = *state;
    static const char *const taken[] = {"_action", "_schema", "_table", "_to_schema", "_to_table", "_identity", "_moved_from", "_moved_to", "_unchanged",
                                        "_connector", "_ts", "_pos", "_seq", "_sub", "_snapshot"};
    for (uint32_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        const ls_column_def cols[] = {{"_", 1, LS_TYPE_INTEGER}, {taken[i], strlen(taken[i]), LS_TYPE_INTEGER}};
        char want[300];
        ls_schema *s = ls_schema_new(&f->schemas, "p", 1, "t", 1, cols, 2, NULL, 0);
        ls_work_add(f->work, s, f->tx, 'I', 1)->after = values(f, ls_value_int(1), ls_value_int(2), absent);
        for (int again = 0; again < 2; again++)
            assert_int_equal(ls_format_flat.encode(&f->options, &f->work->seen, i, &f->out, &f->err), -1);
        snprintf(want, sizeof want, "table p.t, column \"%s\": the format \"flat\" has a member of that name: rename the column with columns = { rename = "
                                    "{ %s = \"%s_\" } }, or take another format", taken[i], taken[i], taken[i]);
        assert_string_equal(f->err.text, want);
        assert_non_null(strstr(encoded(f, &ls_format_debezium, i), "\"after\":{\"_\":1,"));
        ls_schema_unref(s);
    }
}

/* The schema's one place for ready texts: formats by turns write what they write alone. */
static void test_formats_by_turns(void **state) {
    fixture *f = *state;
    char *alone[FORMATS];
    make_rows(f);
    for (int i = 0; i < FORMATS; i++) alone[i] = strdup(encoded(f, all[i], 1));
    for (int turn = 0; turn < 2 * FORMATS; turn++) assert_string_equal(encoded(f, all[turn % FORMATS], 1), alone[turn % FORMATS]);
    for (int i = 0; i < FORMATS; i++) free(alone[i]);
}

static void test_an_output_that_is_full(void **state) {
    fixture *f = *state;
    make_rows(f);
    f->out.max = 100;
    for (int i = 0; i < FORMATS; i++) {
        ls_buf_clear(&f->out);
        assert_int_equal(all[i]->encode(&f->options, &f->work->seen, 0, &f->out, &f->err), -1);
    }
}

static void test_names(void **state) {
    (void)state;
    for (int i = 0; i < FORMATS; i++) assert_ptr_equal(ls_format_find(all[i]->name), all[i]);
    assert_null(ls_format_find("debesium"));
    assert_null(ls_format_find(""));
}

/* A consumer's error tells what a message seems to be. */
static void test_guesses(void **state) {
    fixture *f = *state;
    ls_schemas schemas = {0};
    ls_decoder *d = ls_decoder_new(&schemas);
    ls_work *w = ls_work_new(&schemas, "", "");
    make_rows(f);
    ls_work_add(f->work, f->orders, f->tx, 'T', 4);
    for (int i = 1; i < FORMATS; i++)
        for (uint32_t k = 0; k < f->work->seen.count; k++) {
            char want[300];
            encoded(f, all[i], k);
            assert_string_equal(ls_format_guess(f->out.data, f->out.len), all[i]->name);
            assert_int_equal(ls_decoder_read(d, w, f->out.data, f->out.len, &f->err), -1);
            snprintf(want, sizeof want, "this is no list_sync message, but seems to be one of the format \"%s\" (take format = \"list_sync\" in the connector "
                                        "that writes the topic, or decode = \"raw\" in the consumer): ", all[i]->name);
            assert_memory_equal(f->err.text, want, strlen(want));
            assert_int_equal(w->seen.count, 0);
        }
    encoded(f, &ls_format_list_sync, 0);
    assert_string_equal(ls_format_guess(f->out.data, f->out.len), "list_sync");
    static const char whole[] = "{\"schema\":{\"type\":\"struct\"},\"payload\":{\"before\":null,\"op\":\"d\"}}", cut[] = "{\"_action\":\"I\",\"x\":[1,";
    assert_string_equal(ls_format_guess(whole, sizeof whole - 1), "debezium");
    assert_string_equal(ls_format_guess(cut, sizeof cut - 1), "flat");
    static const char *const none[] = {"", "{", "[]", "{}", "7", "{\"op\":1}", "{\"after\":1}", "{\"type\":1,\"database\":2}", "\x01\x02", "{\"schema\":1}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_null(ls_format_guess(none[i], strlen(none[i])));
    ls_work_free(w);
    ls_decoder_free(d);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_rows_as_debezium),
        T(test_rows_as_maxwell),
        T(test_rows_before_that_are_kept),
        T(test_rows_as_flat),
        T(test_the_whole_row_before),
        T(test_a_moved_row),
        T(test_snapshots_and_clones),
        T(test_without_source),
        T(test_binlog_places),
        T(test_whole_tables),
        T(test_a_table_without_a_key),
        T(test_rows_without_values),
        T(test_values),
        T(test_unavailable_values),
        T(test_a_document_that_is_none),
        T(test_names_that_clash),
        T(test_formats_by_turns),
        T(test_an_output_that_is_full),
        T(test_names),
        T(test_guesses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
