#include "pgmessage.h"

/* ---- keys and schemas */

/* wide(a, b, c), all int4. */
static void wide(fixture *f, char identity, unsigned flags) {
    relation_head(f, 100, "wide", identity, 3);
    column(f, flags & 1, "a", INT4);
    column(f, flags >> 1 & 1, "b", INT4);
    column(f, flags >> 2 & 1, "c", INT4);
    ok(f);
    row(f, 'I');
    TUPLE(f, 'N', "1", "2", "3");
    ok(f);
}

static void indexes(fixture *f, size_t np, const char *p0, const char *p1, size_t nr, const char *r0, const char *r1) {
    f->primary[0] = p0;
    f->primary[1] = p1;
    f->nprimary = np;
    f->replica[0] = r0;
    f->replica[1] = r1;
    f->nreplica = nr;
}

static void test_the_key(void **state) {
    fixture *f = *state;
    begin(f);
    indexes(f, 2, "c", "a", 0, NULL, NULL);
    wide(f, 'd', 5);
    key_is(f, "c,a"); /* the index's order */
    wide(f, 'd', 3);
    key_is(f, "a,b"); /* the catalog knows a later key: the message's columns */
    wide(f, 'd', 0);
    key_is(f, "");
    wide(f, 'n', 0);
    key_is(f, "c,a"); /* inserts only, but they have a key */
    wide(f, 'f', 7);
    key_is(f, "c,a");
    indexes(f, 1, "gone", NULL, 0, NULL, NULL);
    wide(f, 'f', 7);
    key_is(f, ""); /* the whole row */
    indexes(f, 1, "a", NULL, 2, "c", "a");
    wide(f, 'i', 5);
    key_is(f, "a"); /* the primary key is within the replica identity */
    indexes(f, 1, "b", NULL, 2, "c", "a");
    wide(f, 'i', 5);
    key_is(f, "c,a");
    indexes(f, 1, "b", NULL, 0, NULL, NULL);
    wide(f, 'i', 5);
    key_is(f, "a,c"); /* the index is gone: its columns in the table's order */
}

/* The server may not send a generated column: what is left of the key is none. */
static void test_a_key_with_a_generated_column(void **state) {
    fixture *f = *state;
    begin(f);
    indexes(f, 2, "a", "g", 0, NULL, NULL);
    f->generated = "g";
    relation_head(f, 100, "wide", 'd', 1);
    column(f, 1, "a", INT4);
    refused(f, "table public.wide: column \"g\" of its key is a generated one, which the server does not send; run: ALTER TABLE ... "
               "REPLICA IDENTITY USING INDEX with a unique index of other columns, or REPLICA IDENTITY FULL, or leave the table out of "
               "`tables` with \"!public.wide\"");
    open_decoder(f, "", 0);
    begin(f);
    assert_int_equal(f->settled, 742);
    wide(f, 'f', 7);
    key_is(f, ""); /* the whole row */
}

static void test_a_key_with_using_index_changes(void **state) {
    fixture *f = *state;
    begin(f);
    indexes(f, 1, "b", NULL, 2, "c", "a");
    wide(f, 'i', 5);
    ls_work_reset(f->w);
    row(f, 'U');
    TUPLE(f, 'K', "1", NULL, "3");
    TUPLE(f, 'N', "4", "2", "3");
    ok(f);
    assert_string_equal(batch(f), "D2 before a=1 c=3 to 3 4; I3 after a=4 b=2 c=3 from 3 1; ");
}

static void test_schemas_change_only_with_the_table(void **state) {
    fixture *f = *state;
    begin(f);
    table_t(f, 'd', 1);
    insert(f, "1", "a");
    table_t(f, 'd', 1);
    insert(f, "2", "b");
    relation_head(f, 100, "t", 'd', 1);
    column(f, true, "id", INT4);
    ok(f);
    row(f, 'I');
    TUPLE(f, 'N', "3");
    ok(f);
    relation_head(f, 100, "t2", 'd', 1);
    column(f, true, "id", INT4);
    ok(f);
    row(f, 'I');
    TUPLE(f, 'N', "4");
    ok(f);
    const ls_change *c = f->w->seen.changes;
    assert_int_equal(c[0].schema->id, c[1].schema->id);
    assert_int_not_equal(c[1].schema->id, c[2].schema->id);
    assert_int_not_equal(c[2].schema->id, c[3].schema->id);
    assert_string_equal(c[3].schema->table, "t2");
    assert_string_equal(batch(f), "I1 after id=1 note=a; I2 after id=2 note=b; I3 after id=3; I4 after id=4; ");
}

static void test_many_tables_are_found_again(void **state) {
    fixture *f = *state;
    begin(f);
    for (uint32_t i = 0; i < 100; i++) {
        relation_head(f, i * 37 % 100, "t", 'd', 1);
        column(f, true, i * 37 % 100 == 42 ? "answer" : "id", INT4);
        ok(f);
    }
    for (uint32_t i = 0; i < 100; i++) {
        message(f, 'I');
        put(f, i, 4);
        TUPLE(f, 'N', "1");
        ok(f);
        assert_string_equal(f->w->seen.changes[i].schema->cols[0].name, i == 42 ? "answer" : "id");
    }
}

static void test_a_table_without_identity_is_spoken_of_once(void **state) {
    fixture *f = *state;
    f->nprimary = 0;
    table_t(f, 'd', 0);
    table_t(f, 'd', 0);
    assert_int_equal(f->warned, 1);
}

/* ---- types */

static void announce(fixture *f, uint32_t oid, const char *schema, const char *name) {
    message(f, 'Y');
    put(f, oid, 4);
    put_name(f, schema);
    put_name(f, name);
    ok(f);
}

static void one_column(fixture *f, uint32_t type) {
    relation_head(f, 100, "t", 'd', 1);
    column(f, true, "id", type);
}

static void test_announced_types(void **state) {
    fixture *f = *state;
    static const struct {
        uint32_t oid;
        const char *schema, *name;
        int type;
    } cases[] = {
        {POS, "", "int4", LS_TYPE_INTEGER},       /* a domain comes with its base type's name */
        {MOOD, "public", "mood", LS_TYPE_STRING}, /* an enum */
        {GONE, "public", "gone", LS_TYPE_STRING}, /* dropped since */
        {BOX, "ext", "citext", LS_TYPE_STRING},
        {BOX, "", "bytea", LS_TYPE_BYTES}, /* the oid now stands for another type */
    };
    begin(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        announce(f, cases[i].oid, cases[i].schema, cases[i].name);
        one_column(f, cases[i].oid);
        ok(f);
        row(f, 'I');
        TUPLE(f, 'N', cases[i].type == LS_TYPE_BYTES ? "\\x31" : "1");
        ok(f);
        assert_int_equal(f->w->seen.changes[i].schema->cols[0].type, cases[i].type);
    }
}

static void test_types_that_cannot_be_read(void **state) {
    fixture *f = *state;
    static const char want[] = "table public.t, column \"id\": values of type %s cannot be read; leave the table out "
                               "of `tables` with \"!public.t\"";
    static const struct {
        uint32_t oid;
        const char *schema, *name, *shown;
    } cases[] = {
        {JSONB, NULL, NULL, "jsonb"},
        {9999, NULL, NULL, "with oid 9999"},
        {BOX, "postgis", "box3d", "postgis.box3d"},
        {GONE_ARRAY, "public", "_gone", "public._gone"},
        {POS, "", "jsonb", "jsonb"}, /* a domain over it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        open_decoder(f, "", 0);
        if (cases[i].name) announce(f, cases[i].oid, cases[i].schema, cases[i].name);
        snprintf(text, sizeof text, want, cases[i].shown);
        one_column(f, cases[i].oid);
        refused(f, text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_the_key), TEST(test_a_key_with_a_generated_column),
        TEST(test_a_key_with_using_index_changes),
        TEST(test_schemas_change_only_with_the_table),
        TEST(test_many_tables_are_found_again),
        TEST(test_a_table_without_identity_is_spoken_of_once),
        TEST(test_announced_types),
        TEST(test_types_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
