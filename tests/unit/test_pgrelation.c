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

/* How a column of the type comes out; the table is announced again. */
static int type_of(fixture *f, uint32_t oid, const char *text, const char *want) {
    one_column(f, oid);
    ok(f);
    ls_work_reset(f->w);
    row(f, 'I');
    TUPLE(f, 'N', text);
    ok(f);
    const ls_change *c = f->w->seen.changes;
    ls_buf_clear(&f->shown);
    ls_value_json(&f->shown, c->after, c->schema->cols[0].type);
    assert_string_equal(ls_buf_cstr(&f->shown), want);
    return c->schema->cols[0].type;
}

static void test_announced_types(void **state) {
    fixture *f = *state;
    begin(f);
    announce(f, POS, "", "int4"); /* a domain comes with its base type's name */
    assert_int_equal(type_of(f, POS, "7", "7"), LS_TYPE_INTEGER);
    announce(f, POS, "", "_int4");
    assert_int_equal(type_of(f, POS, "{7}", "[7]"), LS_TYPE_ARRAY);
    announce(f, POS, "", "bytea"); /* the oid now stands for another type */
    assert_int_equal(type_of(f, POS, "\\x31", "\"MQ==\""), LS_TYPE_BYTES);
    assert_int_equal(f->types_asked, 0);
    announce(f, GONE, "public", "gone"); /* dropped since */
    assert_int_equal(type_of(f, GONE, "7", "\"7\""), LS_TYPE_STRING);
    announce(f, GONE_ARRAY, "public", "_gone");
    assert_int_equal(type_of(f, GONE_ARRAY, "{7}", "\"{7}\""), LS_TYPE_STRING);
    announce(f, BOX, "public", "int4"); /* somebody's own type of that name */
    assert_int_equal(type_of(f, BOX, "x", "\"x\""), LS_TYPE_STRING);
    assert_int_equal(f->types_asked, 3);
    announce(f, BOX, "public", "int4"); /* again with each table: the answer stands */
    assert_int_equal(type_of(f, BOX, "x", "\"x\""), LS_TYPE_STRING);
    assert_int_equal(f->types_asked, 3);
}

static const answer catalog_types[] = {
    {1014, {.typtype = 'b', .oid = 1014, .element = 1042, .delimiter = ',', .schema = "pg_catalog", .name = "_bpchar"}},
    {INT4_ARRAY, {.typtype = 'b', .oid = INT4_ARRAY, .element = INT4, .delimiter = ',', .schema = "pg_catalog", .name = "_int4"}},
    {INT_VECTOR, {.typtype = 'b', .oid = INT_VECTOR, .schema = "pg_catalog", .name = "int2vector"}},
    {MOOD, {.typtype = 'e', .oid = MOOD, .schema = "public", .name = "mood"}},
    {MOOD + 100, {.typtype = 'b', .oid = MOOD + 100, .element = MOOD, .delimiter = ',', .schema = "public", .name = "_mood"}},
    {POS, {.typtype = 'b', .oid = INT4, .schema = "pg_catalog", .name = "int4"}}, /* a domain */
    {POS + 100, {.typtype = 'b', .oid = POS + 100, .element = POS, .delimiter = ',', .schema = "public", .name = "_pos"}},
    {POS + 200, {.typtype = 'b', .oid = INT4_ARRAY, .element = INT4, .delimiter = ',', .schema = "pg_catalog", .name = "_int4"}},
    {POS + 300, {.typtype = 'b', .oid = POS + 300, .element = POS + 200, .delimiter = ',', .schema = "public", .name = "_poses"}},
    {603 + 417, {.typtype = 'b', .oid = 1020, .element = 603, .delimiter = ';', .schema = "pg_catalog", .name = "_box"}},
    {603, {.typtype = 'b', .oid = 603, .schema = "pg_catalog", .name = "box"}},
    {17000, {.typtype = 'b', .oid = 17000, .schema = "gis", .name = "geometry", .extension = "postgis"}},
    {17001, {.typtype = 'b', .oid = 17001, .element = 17000, .delimiter = ':', .schema = "gis", .name = "_geometry", .extension = "postgis"}},
    {17002, {.typtype = 'c', .oid = 17002, .schema = "public", .name = "geometry"}},
    {17003, {.typtype = 'b', .oid = 17003, .schema = "gis", .name = "geography", .extension = "postgis"}},
    {17004, {.typtype = 'b', .oid = 17004, .schema = "gis", .name = "box3d", .extension = "postgis"}},
    {17005, {.typtype = 'b', .oid = 17005, .element = 17005, .delimiter = ',', .schema = "odd", .name = "itself"}},
};

static void know_types(fixture *f) {
    f->types = catalog_types;
    f->ntypes = sizeof catalog_types / sizeof *catalog_types;
}

static void test_types_of_the_catalog(void **state) {
    static const char point[] = "0101000000000000000000F03F0000000000000040", json[] = "{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"}";
    static const struct {
        uint32_t oid;
        const char *text, *want;
        int type;
    } cases[] = {
        {JSONB, "[1, 2]", "\"[1,2]\"", LS_TYPE_JSON},
        {INT4_ARRAY, "{1,NULL}", "[1,null]", LS_TYPE_ARRAY},
        {1014, "{\"ab  \",NULL}", "[\"ab  \",null]", LS_TYPE_ARRAY},
        {INT_VECTOR, "1 2", "\"1 2\"", LS_TYPE_STRING},
        {MOOD, "sad", "\"sad\"", LS_TYPE_STRING},
        {MOOD + 100, "{sad,\"NULL\",NULL}", "[\"sad\",\"NULL\",null]", LS_TYPE_ARRAY},
        {POS, "7", "7", LS_TYPE_INTEGER},
        {POS + 100, "{7}", "[7]", LS_TYPE_ARRAY},
        {POS + 200, "{7}", "[7]", LS_TYPE_ARRAY},
        {POS + 300, "{\"{7,8}\",\"{9}\"}", "[[7,8],[9]]", LS_TYPE_ARRAY},
        {1020, "{(1,1),(0,0);(2,2),(1,1)}", "[\"(1,1),(0,0)\",\"(2,2),(1,1)\"]", LS_TYPE_ARRAY},
        {17000, point, json, LS_TYPE_GEOMETRY},
        {17002, "(1,2)", "\"(1,2)\"", LS_TYPE_STRING},
        {17003, point, json, LS_TYPE_GEOMETRY},
        {17004, "BOX3D(0 0 0,1 1 1)", "\"BOX3D(0 0 0,1 1 1)\"", LS_TYPE_STRING},
        {9999, "x", "\"x\"", LS_TYPE_STRING},
        {17005, "{}", "[]", LS_TYPE_ARRAY}, /* no catalog has it, and it ends all the same */
    };
    fixture *f = *state;
    know_types(f);
    begin(f);
    for (int twice = 0; twice < 2; twice++) {
        int asked = f->types_asked;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int type = type_of(f, cases[i].oid, cases[i].text, cases[i].want);
            if (type != cases[i].type) fail_msg("type %u: %d", cases[i].oid, type);
        }
        assert_true(f->types_asked == asked || !twice); /* each is asked for once */
    }
    char text[256];
    snprintf(text, sizeof text, "{%s:NULL}", point);
    assert_int_equal(type_of(f, 17001, text, "[{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"},null]"), LS_TYPE_ARRAY);
}

static void test_a_catalog_that_does_not_answer(void **state) {
    fixture *f = *state;
    begin(f);
    f->type_fails = true;
    one_column(f, INT4_ARRAY);
    assert_int_equal(decode(f), -1);
    assert_int_equal(f->err.code, LS_AGAIN);
}

static void test_names_that_are_not_utf8(void **state) {
    static const char *const names[][2] = {{"caf\xe9", "t"}, {"public", "\xff"}};
    fixture *f = *state;
    begin(f);
    for (size_t i = 0; i < 2; i++) {
        message(f, 'Y');
        put(f, 17000, 4);
        put_name(f, names[i][0]);
        put_name(f, names[i][1]);
        refused(f, "pgoutput Type message: the name of type 17000 is not valid UTF-8");
        message(f, 'R');
        put(f, 100, 4);
        put_name(f, names[i][0]);
        put_name(f, names[i][1]);
        put(f, 'd', 1);
        put(f, 0, 2);
        refused(f, "pgoutput Relation message: a name of table 100 is not valid UTF-8");
    }
    relation_head(f, 100, "t", 'd', 2);
    column(f, true, "id", INT4);
    column(f, false, "\xc3", TEXT);
    refused(f, "pgoutput Relation message: a name of table 100 is not valid UTF-8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_the_key), TEST(test_a_key_with_a_generated_column),
        TEST(test_a_key_with_using_index_changes),
        TEST(test_schemas_change_only_with_the_table),
        TEST(test_many_tables_are_found_again),
        TEST(test_a_table_without_identity_is_spoken_of_once),
        TEST(test_announced_types),
        TEST(test_types_of_the_catalog),
        TEST(test_a_catalog_that_does_not_answer),
        TEST(test_names_that_are_not_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
