/* Rows in CSV files. */
#include "csvfixture.h"

/* ---- one file */
static void test_one_file(void **state) {
    fixture *f = *state;
    open_csv(f);
    assert_no_file(f, "_c.csv"); /* made with the first row */
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, f->orders, 'U', "1|?|?", "1|x|-");
    add(f, f->orders, 'D', "1|?|?", NULL);
    flush(f);
    assert_file(f, "_c.csv",
                "action,table,id,a,b\n"
                "I,public.orders,1,x,y\n"
                "D,public.orders,1,,\n"
                "I,public.orders,1,x,\n"
                "D,public.orders,1,,\n");
    assert_no_file(f, "_c-2.csv");
}

static void test_an_update_that_comes_first_is_under_one_header(void **state) {
    fixture *f = *state;
    open_csv(f);
    add(f, f->orders, 'U', "1|?|?", "1|x|~");
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nD,public.orders,1,,\nI,public.orders,1,x,\n");
    assert_no_file(f, "_c-2.csv");
}

static void test_quoting(void **state) {
    fixture *f = *state;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "||-");
    add(f, f->orders, 'I', NULL, "a,b|a\"b|\"");
    add(f, f->orders, 'I', NULL, "a\nb|a\rb| a ");
    add(f, f->orders, 'I', NULL, "=1+1|\xc3\xa4\xe2\x82\xac|,\"\"\n,");
    flush(f);
    assert_file(f, "_c.csv",
                "action,table,id,a,b\n"
                "I,public.orders,\"\",\"\",\n"
                "I,public.orders,\"a,b\",\"a\"\"b\",\"\"\"\"\n"
                "I,public.orders,\"a\nb\",\"a\rb\", a \n"
                "I,public.orders,=1+1,\xc3\xa4\xe2\x82\xac,\",\"\"\"\"\n,\"\n");
}

static void test_every_kind_of_value(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "k", "i u d f t y j", "");
    open_csv(f);
    ls_change *c = change(f, s, 'I', NULL, "-|-|-|-|-|-|-");
    c->after[0] = ls_value_int(-5);
    c->after[1] = ls_value_uint(UINT64_MAX);
    c->after[2] = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = 0.1};
    c->after[3] = (ls_value){.kind = LS_KIND_FLOAT, .as.d = (double)0.1f};
    c->after[4] = (ls_value){.kind = LS_KIND_BOOL, .as.i = 1};
    c->after[5] = ls_value_bytes_of(LS_KIND_BYTES, "\0\xff", 2);
    c->after[6] = ls_value_bytes_of(LS_KIND_JSON, "[1,\"a\"]", 7);
    write_all(f);
    flush(f);
    assert_file(f, "_c.csv", "action,table,i,u,d,f,t,y,j\nI,public.k,-5,18446744073709551615,0.1,0.1,true,AP8=,\"[1,\"\"a\"\"]\"\n");
    ls_schema_unref(s);
}

static void test_options(void **state) {
    fixture *f = *state;
    f->conf.delimiter = ';';
    f->conf.quote = '\'';
    f->conf.newline = "\r\n";
    f->conf.bom = true;
    f->conf.null_text = "\\N";
    f->conf.absent_text = "n/a";
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|-|it's, \"so\"");
    add(f, f->orders, 'I', NULL, "2||\\N"); /* a text like a token is quoted */
    add(f, f->orders, 'I', NULL, "3|n/a|a;b");
    add(f, f->orders, 'D', "1|?|?", NULL);
    restart(f);
    add(f, f->orders, 'D', "2|?|?", NULL);
    add(f, f->orders, 'I', NULL, "4|x|y");
    flush(f);
    assert_file(f, "_c.csv",
                "\xef\xbb\xbf" "action;table;id;a;b\r\n"
                "I;public.orders;1;\\N;'it''s, \"so\"'\r\n"
                "I;public.orders;2;'';'\\N'\r\n"
                "I;public.orders;3;'n/a';'a;b'\r\n"
                "D;public.orders;1;n/a;n/a\r\n"
                "D;public.orders;2;n/a;n/a\r\n"
                "I;public.orders;4;x;y\r\n");
}

static void test_formula_guard(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "sums", "=k @v", "0");
    f->conf.formula_guard = true;
    open_csv(f);
    add(f, s, 'I', NULL, "=1+1|+1");
    add(f, s, 'I', NULL, "-1|-1.50");
    add(f, s, 'I', NULL, "-1+2|-2e+10");
    add(f, s, 'I', NULL, "@SUM(A1)|\t=1");
    add(f, s, 'I', NULL, "\r|'=1");
    add(f, s, 'I', NULL, "-|=\"a\",b");
    add(f, s, 'I', NULL, "-Infinity|1=1");
    add(f, s, 'I', NULL, "-.5|-1.");
    restart(f);
    add(f, s, 'D', "=1+1|?", NULL); /* the header is found again as it was */
    flush(f);
    assert_file(f, "_c.csv",
                "action,table,\"'=k\",\"'@v\"\n"
                "I,public.sums,\"'=1+1\",\"'+1\"\n"
                "I,public.sums,-1,-1.50\n"
                "I,public.sums,\"'-1+2\",-2e+10\n"
                "I,public.sums,\"'@SUM(A1)\",\"'\t=1\"\n"
                "I,public.sums,\"'\r\",'=1\n"
                "I,public.sums,,\"'=\"\"a\"\",b\"\n"
                "I,public.sums,\"'-Infinity\",1=1\n"
                "I,public.sums,\"'-.5\",\"'-1.\"\n"
                "D,public.sums,\"'=1+1\",\n");
    ls_schema_unref(s);
}

static void test_formula_guard_with_the_same_sign_as_quote(void **state) {
    fixture *f = *state;
    f->conf.formula_guard = true;
    f->conf.quote = '\'';
    f->conf.null_text = "-";
    open_csv(f);
    add(f, f->orders, 'I', NULL, "=1|-|'");
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,'''=1',-,''''\n");
}

static void test_names_are_quoted(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "a,\"b", "id c,d", "0");
    open_csv(f);
    add(f, s, 'I', NULL, "1|x");
    restart(f);
    add(f, s, 'D', "1|?", NULL); /* the header and the table are found again */
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,\"c,d\"\nI,\"public.a,\"\"b\",1,x\nD,\"public.a,\"\"b\",1,\n");
    ls_schema_unref(s);
}

/* ---- split files */
static void test_split_files(void **state) {
    fixture *f = *state;
    f->conf.split_files = true;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, f->orders, 'U', "1|?|?", "1|z|y");
    add(f, f->orders, 'D', "1|?|?", NULL);
    flush(f);
    assert_file(f, "_c_insert.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,1,z,y\n");
    assert_file(f, "_c_delete.csv", "action,table,id\nD,public.orders,1\nD,public.orders,1\n");
    assert_no_file(f, "_c.csv");
}

static void test_identity_stands_in_the_keys_order(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "t", "a b c", "20"), *none = schema(f, "n", "a b", "");
    f->conf.split_files = true;
    open_csv(f);
    add(f, s, 'D', "1|?|3", NULL);
    add(f, s, 'D', "1|2|3", NULL);  /* more than the key: the whole row */
    add(f, none, 'D', "1|?", NULL); /* no key: the whole row, as far as it was sent */
    flush(f);
    assert_file(f, "_c_delete.csv", "action,table,c,a\nD,public.t,3,1\n");
    assert_file(f, "_c_delete-2.csv", "action,table,a,b,c\nD,public.t,1,2,3\n");
    assert_file(f, "_c_delete-3.csv", "action,table,a,b\nD,public.n,1,\n");
    ls_schema_unref(s);
    ls_schema_unref(none);
}

static void test_moved_row(void **state) {
    fixture *f = *state;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    change(f, f->orders, 'D', "1|?|?", NULL)->flags |= LS_MOVED_TO;
    change(f, f->orders, 'I', NULL, "2|x|~")->flags |= LS_MOVED_FROM;
    write_all(f);
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nD,public.orders,1,,\nI,public.orders,2,x,\n");
}

static void test_what_is_not_written(void **state) {
    fixture *f = *state;
    open_csv(f);
    change(f, f->orders, 'I', NULL, "1|x|y")->flags |= LS_DROPPED;
    change(f, f->orders, 'X', NULL, NULL);
    change(f, f->orders, 'R', NULL, NULL);
    write_all(f);
    flush(f);
    assert_no_file(f, "_c.csv");
}

/* ---- T */
static void test_truncate_comes_from_every_partition(void **state) {
    fixture *f = *state;
    f->conf.split_files = true;
    f->conf.absent_text = "-";
    open_csv(f);
    add(f, f->orders, 'D', "1|?|?", NULL);
    truncate_at(f, f->orders, "shop", "0a", 3);
    truncate_at(f, f->orders, "shop", "0b", 1);
    truncate_at(f, f->orders, "shop", "0a", 3); /* again, from the next partition */
    truncate_at(f, f->orders, "other", "0a", 3);
    truncate_at(f, f->orders, "shop", "0b", 1);
    flush(f);
    assert_file(f, "_c_delete.csv", "action,table,id\nD,public.orders,1\nT,public.orders,-\nT,public.orders,-\nT,public.orders,-\n");
    assert_no_file(f, "_c_insert.csv");
}

static void test_truncate_alone(void **state) {
    fixture *f = *state;
    f->conf.split_files = true;
    open_csv(f);
    truncate_at(f, f->orders, "shop", "0a", 1);
    add(f, f->orders, 'D', "1|?|?", NULL);
    truncate_at(f, f->orders, "shop", "0a", 2);
    flush(f);
    assert_file(f, "_c_delete.csv", "action,table\nT,public.orders\n");
    assert_file(f, "_c_delete-2.csv", "action,table,id\nD,public.orders,1\nT,public.orders,\n");
}

static void test_truncate_without_a_source_is_always_written(void **state) {
    fixture *f = *state;
    open_csv(f);
    truncate_at(f, f->orders, "", "", 0);
    truncate_at(f, f->orders, "", "", 0);
    flush(f);
    assert_file(f, "_c.csv", "action,table\nT,public.orders\nT,public.orders\n");
}

static void test_truncate_in_one_file_stands_with_the_rows(void **state) {
    fixture *f = *state;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    truncate_at(f, f->orders, "shop", "0a", 1);
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nT,public.orders,,,\n");
}

/* ---- parts */
static void test_parts_alternate(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0"), *wider = schema(f, "orders", "id a b c", "0");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, s, 'I', NULL, "1|v");
    add(f, f->orders, 'I', NULL, "2|x|y");
    add(f, wider, 'I', NULL, "3|x|y|z"); /* a changed table */
    add(f, wider, 'D', "1|?|?|?", NULL);
    add(f, s, 'D', "1|?", NULL);
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,2,x,y\n");
    assert_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\nD,public.items,1,\n");
    assert_file(f, "_c-3.csv", "action,table,id,a,b,c\nI,public.orders,3,x,y,z\nD,public.orders,1,,,\n");
    restart(f);
    add(f, s, 'I', NULL, "2|v");
    add(f, wider, 'I', NULL, "4|x|y|z");
    flush(f);
    assert_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\nD,public.items,1,\nI,public.items,2,v\n");
    assert_file(f, "_c-3.csv", "action,table,id,a,b,c\nI,public.orders,3,x,y,z\nD,public.orders,1,,,\nI,public.orders,4,x,y,z\n");
    assert_no_file(f, "_c-4.csv");
    ls_schema_unref(s);
    ls_schema_unref(wider);
}

static void test_tables_with_the_same_columns_share_a_part(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "orders_old", "id a b", "0");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, s, 'I', NULL, "1|x|y");
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders_old,1,x,y\n");
    ls_schema_unref(s);
}

static void test_a_delete_of_an_unknown_table(void **state) {
    fixture *f = *state;
    ls_schema *key_only = schema(f, "orders", "id", "0");
    open_csv(f);
    add(f, key_only, 'D', "1", NULL);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, key_only, 'D', "2", NULL); /* known by now */
    flush(f);
    assert_file(f, "_c.csv", "action,table,id\nD,public.orders,1\n");
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nD,public.orders,2,,\n");
    restart(f);
    add(f, key_only, 'D', "3", NULL); /* known by its newest part */
    flush(f);
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nD,public.orders,2,,\nD,public.orders,3,,\n");
    ls_schema_unref(key_only);
}

/* Whichever the part's first record is of. */
static void test_a_delete_after_a_restart(void **state) {
    fixture *f = *state;
    ls_schema *tables[] = {schema(f, "orders_old", "id a b", "0"), schema(f, "a,b", "id a b", "0"), schema(f, "never", "id a b", "0")};
    ls_schema *keys[] = {schema(f, "orders_old", "id", "0"), schema(f, "a,b", "id", "0"), schema(f, "never", "id", "0")};
    char want[4096];
    size_t n = (size_t)sprintf(want, "action,table,id,a,b\n");
    open_csv(f);
    for (int i = 0; i < 40; i++) { /* more than is read at once, where that is little */
        add(f, f->orders, 'I', NULL, "1|x|y");
        add(f, f->orders, 'D', "1|?|?", NULL);
        n += (size_t)sprintf(want + n, "I,public.orders,1,x,y\nD,public.orders,1,,\n");
    }
    add(f, tables[0], 'I', NULL, "1|I,public.never,1|y");
    add(f, tables[1], 'I', NULL, "1|\nI,public.never,1|y");
    add(f, f->orders, 'I', NULL, "2|x|y");
    flush(f);
    restart(f);
    for (int i = 0; i < 2; i++) add(f, keys[i], 'D', "1", NULL);
    add(f, keys[2], 'D', "1", NULL);
    flush(f);
    sprintf(want + n, "I,public.orders_old,1,\"I,public.never,1\",y\nI,\"public.a,b\",1,\"\nI,public.never,1\",y\nI,public.orders,2,x,y\n"
                      "D,public.orders_old,1,,\nD,\"public.a,b\",1,,\n");
    assert_file(f, "_c.csv", want);
    assert_file(f, "_c-2.csv", "action,table,id\nD,public.never,1\n");
    for (int i = 0; i < 3; i++) {
        ls_schema_unref(tables[i]);
        ls_schema_unref(keys[i]);
    }
}

static void test_more_parts_than_open_files(void **state) {
    fixture *f = *state;
    enum { TABLES = LS_CSV_OPEN_FILES + 6, ROUNDS = 3 };
    ls_schema *s[TABLES];
    struct rlimit was, few = {.rlim_cur = TABLES};
    open_csv(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    few.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < TABLES; i++) {
        char columns[16], table[16];
        snprintf(columns, sizeof columns, "c%d", i);
        snprintf(table, sizeof table, "t%d", i);
        s[i] = schema(f, table, columns, "");
    }
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < TABLES; i++) add(f, s[i], 'I', NULL, "v");
    flush(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    for (int i = 0; i < TABLES; i++) {
        char name[32] = "_c.csv", want[200];
        if (i) snprintf(name, sizeof name, "_c-%d.csv", i + 1);
        snprintf(want, sizeof want, "action,table,c%d\nI,public.t%d,v\nI,public.t%d,v\nI,public.t%d,v\n", i, i, i, i);
        assert_file(f, name, want);
        ls_schema_unref(s[i]);
    }
}

static void test_without_a_header(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0");
    f->conf.header = false;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, s, 'I', NULL, "1|v");
    restart(f);
    add(f, s, 'I', NULL, "2|v"); /* a part is found by its number of cells */
    add(f, f->orders, 'I', NULL, "2|x|y");
    add(f, f->orders, 'D', "1|?|?", NULL);
    flush(f);
    assert_file(f, "_c.csv", "I,public.orders,1,x,y\nI,public.orders,2,x,y\nD,public.orders,1,,\n");
    assert_file(f, "_c-2.csv", "I,public.items,1,v\nI,public.items,2,v\n");
    ls_schema_unref(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_one_file),
        T(test_an_update_that_comes_first_is_under_one_header),
        T(test_quoting),
        T(test_every_kind_of_value),
        T(test_options),
        T(test_formula_guard),
        T(test_formula_guard_with_the_same_sign_as_quote),
        T(test_names_are_quoted),
        T(test_split_files),
        T(test_identity_stands_in_the_keys_order),
        T(test_moved_row),
        T(test_what_is_not_written),
        T(test_truncate_comes_from_every_partition),
        T(test_truncate_alone),
        T(test_truncate_without_a_source_is_always_written),
        T(test_truncate_in_one_file_stands_with_the_rows),
        T(test_parts_alternate),
        T(test_tables_with_the_same_columns_share_a_part),
        T(test_a_delete_of_an_unknown_table),
        T(test_a_delete_after_a_restart),
        T(test_more_parts_than_open_files),
        T(test_without_a_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
