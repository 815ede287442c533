/* `columns`: what is left out, cast, masked and renamed, in both images and in the keys of moved rows. */
#include "change/columns.h"
#include "change/row.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture {
    ls_schemas schemas;
    ls_log log;
    ls_work *work;
    ls_schema *people;
    const ls_tx *tx;
    uint64_t seq;
    ls_columns *columns;
    ls_buf out;
    ls_error err;
} fixture;

enum { ID, NAME, ACTIVE, IBAN, CARD, NOTE, NCOLS };

static int set_up(void **state) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER},  {"name", 4, LS_TYPE_STRING}, {"active", 6, LS_TYPE_INTEGER},
                                         {"iban", 4, LS_TYPE_STRING}, {"card", 4, LS_TYPE_BYTES},  {"note", 4, LS_TYPE_DECIMAL}};
    static const uint16_t key[] = {ID};
    ls_tx tx = {.pos = "00ab", .id = "7"};
    fixture *f = calloc(1, sizeof *f);
    f->log.least = LS_ERROR;
    f->work = ls_work_new(&f->schemas, "shop", "postgres");
    f->people = ls_schema_new(&f->schemas, "public", 6, "people", 6, cols, NCOLS, key, 1);
    f->tx = ls_work_tx(f->work, &tx);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ls_columns_free(f->columns);
    ls_schema_unref(f->people);
    ls_work_free(f->work);
    ls_buf_free(&f->out);
    free(f);
    return 0;
}

static ls_value text(const char *s) { return ls_value_text(s, strlen(s)); }

static ls_value *row(fixture *f, int64_t id, const char *note) {
    ls_value *v = ls_work_values(f->work, NCOLS);
    v[ID] = ls_value_int(id);
    v[NAME] = text("J\xc3\xb6rg");
    v[ACTIVE] = ls_value_int(1);
    v[IBAN] = text("DE001234");
    v[CARD] = ls_value_bytes_of(LS_KIND_BYTES, "\x01", 1);
    v[NOTE] = note ? text(note) : ls_value_state(LS_NULL);
    return v;
}

static void show(ls_buf *out, const ls_change *c, const char *title, const ls_value *v) {
    if (!v) return;
    ls_buf_str(out, title);
    for (uint32_t i = 0; i < c->schema->ncols; i++) {
        if (v[i].state == LS_ABSENT) continue;
        ls_buf_fmt(out, " %s=", c->schema->cols[i].name);
        if (v[i].state == LS_UNCHANGED)
            ls_buf_char(out, '?');
        else
            ls_value_json(out, &v[i], c->schema->cols[i].type);
    }
}

static const char *change(fixture *f, uint32_t i) {
    const ls_change *c = &f->work->seen.changes[i];
    ls_buf_clear(&f->out);
    ls_buf_char(&f->out, (char)c->action);
    show(&f->out, c, " before", c->before);
    show(&f->out, c, " after", c->after);
    for (uint32_t k = 0; c->moved && k < c->schema->nkey; k++) {
        ls_buf_fmt(&f->out, " moved %s=", c->schema->cols[c->schema->key[k]].name);
        ls_value_json(&f->out, &c->moved[k], c->schema->cols[c->schema->key[k]].type);
    }
    return ls_buf_cstr(&f->out);
}

static void run(fixture *f, const ls_column_rule *rules, size_t n, bool strict) {
    f->columns = ls_columns_new(&(ls_column_set){.rules = rules, .nrules = n, .strict = strict}, 1, &f->schemas, &f->log);
    assert_non_null(f->columns);
    if (ls_columns_run(f->columns, f->work, &f->err)) fail_msg("%s", f->err.text);
}

static void test_all_at_once(void **state) {
    fixture *f = *state;
    static const ls_column_rule rules[] = {{.name = "card", .drop = true, .cast = -1},
                                           {.name = "active", .cast = LS_TYPE_BOOLEAN, .rename = "on"},
                                           {.name = "iban", .cast = -1, .mask = LS_MASK_KEEP_LAST, .keep = 4},
                                           {.name = "name", .cast = -1, .mask = LS_MASK_TEXT, .text = "***", .text_len = 3},
                                           {.name = "note", .cast = LS_TYPE_STRING}};
    ls_value *after = row(f, 7, "1.50");
    after[IBAN] = ls_value_state(LS_UNCHANGED);
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, row(f, 7, NULL)), 0);
    assert_int_equal(ls_row_update(f->work, f->people, f->tx, &f->seq, NULL, after), 0);
    assert_int_equal(ls_row_remove(f->work, f->people, f->tx, &f->seq, row(f, 7, "1.50")), 0);
    assert_non_null(ls_work_add(f->work, f->people, f->tx, 'T', ++f->seq));
    run(f, rules, sizeof rules / sizeof *rules, true);
    assert_string_equal(change(f, 0), "I after id=7 name=\"***\" on=true iban=\"****1234\" note=null");
    assert_string_equal(change(f, 1), "U before id=7 after id=7 name=\"***\" on=true iban=? note=\"1.50\"");
    assert_string_equal(change(f, 2), "D before id=7");
    assert_string_equal(change(f, 3), "T");
    assert_int_equal(f->work->seen.changes[0].schema->cols[1].type, LS_TYPE_STRING);
    assert_int_equal(f->work->seen.changes[0].schema->cols[2].type, LS_TYPE_BOOLEAN);
    assert_ptr_equal(f->work->seen.changes[0].schema, f->work->seen.changes[2].schema);
    assert_int_equal(f->work->seen.changes[0].schema->cols[0].key_at, 1);
}

/* Under other names, truncates too; drops of a whole database have none. */
static void test_as(void **state) {
    fixture *f = *state;
    static const ls_column_rule rule = {.name = "card", .drop = true, .cast = -1};
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, row(f, 7, NULL)), 0);
    assert_non_null(ls_work_add(f->work, f->people, f->tx, 'T', ++f->seq));
    ls_change *dropped = ls_work_add(f->work, f->people, f->tx, 'X', ++f->seq);
    dropped->whole_table = 0;
    f->columns = ls_columns_new(&(ls_column_set){.rules = &rule, .nrules = 1, .strict = true, .as_schema = "bank", .as_table = "{schema}_{table}s"}, 1, &f->schemas, &f->log);
    assert_int_equal(ls_columns_run(f->columns, f->work, &f->err), 0);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(f->work->seen.changes[i].schema->schema, "bank");
        assert_string_equal(f->work->seen.changes[i].schema->table, "public_peoples");
    }
    assert_string_equal(change(f, 0), "I after id=7 name=\"J\xc3\xb6rg\" active=1 iban=\"DE001234\" note=null");
    assert_ptr_equal(f->work->seen.changes[2].schema, f->people);
}

/* RFC 4231's second case, and FIPS 180-4's example. */
static void test_hashes(void **state) {
    fixture *f = *state;
    static const ls_column_rule rules[] = {{.name = "name", .cast = -1, .mask = LS_MASK_HMAC, .text = "Jefe", .text_len = 4},
                                           {.name = "iban", .cast = -1, .mask = LS_MASK_SHA256}};
    ls_value *v = row(f, 1, NULL);
    v[NAME] = text("what do ya want for nothing?");
    v[IBAN] = text("abc");
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, v), 0);
    run(f, rules, 2, true);
    assert_string_equal(change(f, 0), "I after id=1 name=\"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\" active=1 "
                                      "iban=\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" card=\"AQ==\" note=null");
}

/* A masked key is masked wherever it stands, or it would be known from the other half of a moved row. */
static void test_a_masked_key(void **state) {
    fixture *f = *state;
    static const ls_column_rule rules[] = {{.name = "id", .cast = -1, .mask = LS_MASK_KEEP_LAST, .keep = 1, .rename = "number"}};
    assert_int_equal(ls_row_update(f->work, f->people, f->tx, &f->seq, row(f, 71, NULL), row(f, 82, NULL)), 0);
    run(f, rules, 1, true);
    assert_string_equal(change(f, 0), "D before number=\"*1\" moved number=\"*2\"");
    assert_string_equal(change(f, 1), "I after number=\"*2\" name=\"J\xc3\xb6rg\" active=1 iban=\"DE001234\" card=\"AQ==\" note=null moved number=\"*1\"");
}

static void test_casts(void **state) {
    fixture *f = *state;
    static const struct {
        ls_value from;
        int to;
        const char *want; /* NULL: refused */
    } cases[] = {
        {{.kind = LS_KIND_INT, .as.i = 0}, LS_TYPE_BOOLEAN, "false"},
        {{.kind = LS_KIND_UINT, .as.u = 2}, LS_TYPE_BOOLEAN, "true"},
        {{.kind = LS_KIND_TEXT, .len = 1, .as.p = "t"}, LS_TYPE_BOOLEAN, "true"},
        {{.kind = LS_KIND_TEXT, .len = 1, .as.p = "0"}, LS_TYPE_BOOLEAN, "false"},
        {{.kind = LS_KIND_TEXT, .len = 2, .as.p = "-2"}, LS_TYPE_BOOLEAN, "true"},
        {{.kind = LS_KIND_TEXT, .len = 0, .as.p = NULL}, LS_TYPE_BOOLEAN, NULL},
        {{.kind = LS_KIND_TEXT, .len = 3, .as.p = "yes"}, LS_TYPE_BOOLEAN, NULL},
        {{.kind = LS_KIND_BOOL, .as.i = 1}, LS_TYPE_INTEGER, "1"},
        {{.kind = LS_KIND_DOUBLE, .as.d = -3}, LS_TYPE_INTEGER, "-3"},
        {{.kind = LS_KIND_FLOAT, .as.d = 16777216}, LS_TYPE_INTEGER, "16777216"},
        {{.kind = LS_KIND_DOUBLE, .as.d = 0.5}, LS_TYPE_INTEGER, NULL},
        {{.kind = LS_KIND_TEXT, .len = 20, .as.p = "18446744073709551615"}, LS_TYPE_INTEGER, "18446744073709551615"},
        {{.kind = LS_KIND_TEXT, .len = 20, .as.p = "18446744073709551616"}, LS_TYPE_INTEGER, NULL},
        {{.kind = LS_KIND_TEXT, .len = 4, .as.p = "1.50"}, LS_TYPE_INTEGER, NULL},
        {{.kind = LS_KIND_TEXT, .len = 4, .as.p = "1.50"}, LS_TYPE_FLOAT, "1.5"},
        {{.kind = LS_KIND_TEXT, .len = 3, .as.p = "NaN"}, LS_TYPE_FLOAT, "\"NaN\""},
        {{.kind = LS_KIND_TEXT, .len = 1, .as.p = "x"}, LS_TYPE_FLOAT, NULL},
        {{.kind = LS_KIND_INT, .as.i = 12}, LS_TYPE_DECIMAL, "\"12\""},
        {{.kind = LS_KIND_DOUBLE, .as.d = 1e21}, LS_TYPE_DECIMAL, NULL},
        {{.kind = LS_KIND_TEXT, .len = 8, .as.p = "Infinity"}, LS_TYPE_DECIMAL, "\"Infinity\""},
        {{.kind = LS_KIND_BYTES, .len = 1, .as.p = "\x01"}, LS_TYPE_STRING, "\"AQ==\""},
        {{.kind = LS_KIND_JSON, .len = 3, .as.p = "[1]"}, LS_TYPE_STRING, "\"[1]\""},
        {{.kind = LS_KIND_JSON, .len = 3, .as.p = "[1]"}, LS_TYPE_JSON, "\"[1]\""},
        {{.kind = LS_KIND_TEXT, .len = 2, .as.p = "{}"}, LS_TYPE_JSON, "\"{}\""},
        {{.kind = LS_KIND_TEXT, .len = 1, .as.p = "{"}, LS_TYPE_JSON, NULL},
        {{.kind = LS_KIND_TEXT, .len = 21, .as.p = "2026-01-02T03:04:05.5"}, LS_TYPE_TIMESTAMP, "\"2026-01-02T03:04:05.5Z\""},
        {{.kind = LS_KIND_TEXT, .len = 20, .as.p = "2026-01-02T03:04:05Z"}, LS_TYPE_TIMESTAMP, "\"2026-01-02T03:04:05Z\""},
        {{.kind = LS_KIND_TEXT, .len = 20, .as.p = "2026-01-02T03:04:05Z"}, LS_TYPE_DATETIME, "\"2026-01-02T03:04:05\""},
        {{.kind = LS_KIND_TEXT, .len = 8, .as.p = "infinity"}, LS_TYPE_TIMESTAMP, "\"infinity\""},
        {{.kind = LS_KIND_TEXT, .len = 10, .as.p = "2026-01-02"}, LS_TYPE_TIMESTAMP, NULL},
        {{.kind = LS_KIND_TEXT, .len = 22, .as.p = "2026-01-02T03:04:05 BC"}, LS_TYPE_TIMESTAMP, NULL},
        {{.kind = LS_KIND_TEXT, .len = 0, .as.p = ""}, LS_TYPE_DATETIME, NULL},
        {{.kind = LS_KIND_TEXT, .len = 1, .as.p = "Z"}, LS_TYPE_DATETIME, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ls_column_rule rule = {.name = "note", .cast = cases[i].to};
        ls_columns *c = ls_columns_new(&(ls_column_set){.rules = &rule, .nrules = 1, .strict = true}, 1, &f->schemas, &f->log);
        ls_value *v = row(f, 5, NULL);
        v[NOTE] = cases[i].from;
        assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, v), 0);
        int rc = ls_columns_run(c, f->work, &f->err);
        const ls_change *done = &f->work->seen.changes[0];
        if (rc == 0) {
            ls_buf_clear(&f->out);
            ls_value_json(&f->out, &done->after[NOTE], done->schema->cols[NOTE].type);
            assert_string_equal(ls_buf_cstr(&f->out), cases[i].want ? cases[i].want : "(refused)");
        } else {
            assert_null(cases[i].want);
            assert_int_equal(f->err.code, LS_FAIL);
            static const char begins[] = "table public.people, column \"note\", key 5, position 00ab/";
            assert_memory_equal(f->err.text, begins, sizeof begins - 1);
        }
        f->work->seen.count = 0;
        ls_columns_free(c);
    }
}

/* What is masked does not stand in an error either, be it the value or the key. */
static void test_a_masked_value_that_cannot_be_cast(void **state) {
    fixture *f = *state;
    static const ls_column_rule rules[] = {{.name = "note", .cast = LS_TYPE_INTEGER, .mask = LS_MASK_SHA256},
                                           {.name = "id", .cast = -1, .mask = LS_MASK_SHA256}};
    f->columns = ls_columns_new(&(ls_column_set){.rules = rules, .nrules = 2, .strict = true}, 1, &f->schemas, &f->log);
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, row(f, 5, "secret")), 0);
    assert_int_equal(ls_columns_run(f->columns, f->work, &f->err), -1);
    assert_string_equal(f->err.text, "table public.people, column \"note\", key ***, position 00ab/1: columns.cast: \"***\" is no integer (of 64 bits)");
}

static void refuses(fixture *f, const ls_column_rule *rule, const char *want) {
    ls_columns *c = ls_columns_new(&(ls_column_set){.rules = rule, .nrules = 1, .strict = true}, 1, &f->schemas, &f->log);
    f->work->seen.count = 0;
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, row(f, 5, NULL)), 0);
    assert_int_equal(ls_columns_run(c, f->work, &f->err), -1);
    assert_int_equal(f->err.code, LS_USAGE);
    assert_string_equal(f->err.text, want);
    assert_int_equal(ls_columns_run(c, f->work, &f->err), -1); /* again: no half-made plan is left */
    ls_columns_free(c);
}

static void test_what_is_refused(void **state) {
    fixture *f = *state;
    const ls_column_rule misspelt = {.name = "nam", .cast = -1, .mask = LS_MASK_SHA256}, keyed = {.name = "id", .drop = true, .cast = -1},
                         twice = {.name = "iban", .cast = -1, .rename = "name"};
    refuses(f, &misspelt, "`columns` names \"nam\", and table public.people has no such column; did you mean \"name\"?");
    refuses(f, &keyed, "columns.drop names \"id\", which is part of the key of table public.people: a row cannot be without it; mask it instead");
    refuses(f, &twice, "columns.rename gives table public.people two columns \"name\": take another new name");
}

/* With patterns a table may lack a column; its rows stay as they are. */
static void test_other_tables(void **state) {
    fixture *f = *state;
    static const ls_column_rule rules[] = {{.name = "nothing", .cast = -1, .mask = LS_MASK_SHA256}};
    assert_int_equal(ls_row_insert(f->work, f->people, f->tx, &f->seq, row(f, 5, "2")), 0);
    run(f, rules, 1, false);
    assert_ptr_equal(f->work->seen.changes[0].schema, f->people);
    assert_string_equal(change(f, 0), "I after id=5 name=\"J\xc3\xb6rg\" active=1 iban=\"DE001234\" card=\"AQ==\" note=\"2\"");
}

int main(void) {
#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(test_all_at_once), T(test_as), T(test_hashes), T(test_a_masked_key), T(test_casts),
                                       T(test_a_masked_value_that_cannot_be_cast), T(test_what_is_refused), T(test_other_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
