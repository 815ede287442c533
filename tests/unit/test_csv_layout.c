/* CSV files by table: columns, their order, titles and dates, and what a layout writes otherwise than the writer. */
#include "csvfixture.h"

static ls_csv_layout layouts[4];

/* A layout of the writer's own conf; name: of its files, NULL: the writer's. */
static ls_csv_layout *lay_out(fixture *f, const char *pattern, const ls_layout_column *columns, size_t n, const char *name) {
    static char names[4][100];
    ls_csv_layout *y = &layouts[f->conf.nlayouts];
    *y = (ls_csv_layout){.what = {.pattern = pattern, .columns = columns, .ncolumns = n}, .conf = f->conf};
    snprintf(names[f->conf.nlayouts], sizeof names[0], "%s%s", f->filename, name ? name : "");
    if (name) y->conf.filename = names[f->conf.nlayouts];
    f->conf.layouts = layouts;
    f->conf.nlayouts++;
    return y;
}

static const ls_layout_column plain[] = {{.title = "b", .from = "b"}, {.title = "number", .from = "id"}};
static const ls_layout_column dated[] = {{.title = "id", .from = "id"}, {.title = "when", .from = "a", .date = "%d/%m/%Y"}};
static const ls_layout_column computed[] = {{.title = "id", .from = "id"}, {.title = "sum"}};

static void test_columns(void **state) {
    fixture *f = *state;
    ls_schema *other = schema(f, "others", "id a b", "0");
    lay_out(f, "public.orders", plain, 2, NULL);
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, other, 'I', NULL, "1|x|y");
    add(f, f->orders, 'U', "1|?|?", "1|x|~");
    add(f, f->orders, 'D', "1|?|?", NULL);
    truncate_at(f, f->orders, "shop", "02", 1);
    restart(f);
    add(f, f->orders, 'I', NULL, "2|x|-");
    add(f, other, 'D', "1|?|?", NULL);
    flush(f);
    assert_file(f, "_c.csv",
                "action,table,b,number\n"
                "I,public.orders,y,1\n"
                "D,public.orders,,1\n"
                "I,public.orders,,1\n"
                "D,public.orders,,1\n"
                "T,public.orders,,\n"
                "I,public.orders,,2\n");
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.others,1,x,y\nD,public.others,1,,\n");
    ls_schema_unref(other);
}

static void test_dates(void **state) {
    fixture *f = *state;
    lay_out(f, "public.orders", dated, 2, NULL)->conf.absent_text = "?";
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|2026-01-02|y");
    add(f, f->orders, 'I', NULL, "2|2026-12-31T23:59:59.999999Z|y");
    add(f, f->orders, 'I', NULL, "3|1969-12-31T23:59:59.5|y");
    add(f, f->orders, 'I', NULL, "4|-|y");
    add(f, f->orders, 'I', NULL, "5|~|y");
    add(f, f->orders, 'I', NULL, "6|-infinity|y");
    add(f, f->orders, 'D', "6|?|?", NULL);
    flush(f);
    assert_file(f, "_c.csv",
                "action,table,id,when\n"
                "I,public.orders,1,02/01/2026\n"
                "I,public.orders,2,31/12/2026\n"
                "I,public.orders,3,31/12/1969\n"
                "I,public.orders,4,\n"
                "I,public.orders,5,?\n"
                "I,public.orders,6,-infinity\n"
                "D,public.orders,6,?\n");
    change(f, f->orders, 'I', NULL, "7|0000-00-00|y");
    assert_int_equal(f->csv->ops->write(f->csv, &f->work->seen, &f->err), -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_string_equal(f->err.text, "layout \"public.orders\": public.orders, position 01/8: column \"a\" holds no point in time but \"0000-00-00\": take its "
                                     "date out, or give the cell by value = function(row)");
}

static void test_a_date_is_quoted(void **state) {
    fixture *f = *state;
    static const ls_layout_column columns[] = {{.title = "a;b", .from = "a", .date = "%H;%M"}};
    lay_out(f, "public.orders", columns, 1, NULL)->conf.delimiter = ';';
    f->conf.delimiter = ';';
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|13:59:59|y");
    flush(f);
    assert_file(f, "_c.csv", "action;table;\"a;b\"\nI;public.orders;\"13;59\"\n");
}

static void test_the_most_specific_pattern_counts(void **state) {
    fixture *f = *state;
    ls_schema *other = schema(f, "orders_eu", "id a b", "0"), *third = schema(f, "x", "id", "0");
    lay_out(f, "*.orders*", plain, 2, "1");
    lay_out(f, "public.*", dated, 1, "2");
    lay_out(f, "public.orders", plain, 1, "3");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, other, 'I', NULL, "2|x|y");
    add(f, third, 'I', NULL, "3");
    flush(f);
    assert_file(f, "3_c.csv", "action,table,b\nI,public.orders,y\n");
    assert_file(f, "1_c.csv", "action,table,b,number\nI,public.orders_eu,y,2\n");
    assert_file(f, "2_c.csv", "action,table,id\nI,public.x,3\n");
    assert_no_file(f, "_c.csv");
    ls_schema_unref(other);
    ls_schema_unref(third);
}

static void fill_own_form(fixture *f) {
    f->conf.split_files = true;
    f->conf.null_text = "\\N";
    ls_csv_conf *own = &lay_out(f, "public.orders", plain, 2, "_own")->conf;
    own->bare = true;
    own->delimiter = ';';
    own->quote = '\'';
    own->null_text = "NULL";
    own->absent_text = "?";
    own->newline = "\r\n";
}

/* A torn record is found by the layout's own quotes and delimiter. */
static void test_a_form_of_its_own(void **state) {
    fixture *f = *state;
    ls_schema *other = schema(f, "others", "id a", "0");
    fill_own_form(f);
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y;z");
    add(f, f->orders, 'U', "1|?|?", "1|x|-");
    truncate_at(f, f->orders, "shop", "02", 1);
    add(f, other, 'I', NULL, "1|-");
    flush(f);
    close_csv(f);
    FILE *torn = file(f, "_own_c_insert.csv", "ab");
    fputs("'half a \"rec", torn);
    fclose(torn);
    open_csv(f);
    add(f, f->orders, 'D', "2|?|?", NULL);
    add(f, f->orders, 'I', NULL, "3|x|NULL");
    flush(f);
    assert_file(f, "_own_c_insert.csv", "b;number\r\n'y;z';1\r\nNULL;1\r\n'NULL';3\r\n");
    assert_file(f, "_own_c_delete.csv", "b;number\r\n?;1\r\n?;2\r\n");
    assert_file(f, "_c_insert.csv", "action,table,id,a\nI,public.others,1,\\N\n");
    ls_schema_unref(other);
}

/* Without a prefix the whole header says whose a file is. */
static void test_somebody_elses_file(void **state) {
    fixture *f = *state;
    fill_own_form(f);
    put_file(f, "_own_c_insert.csv", "name;total\r\nan entry of tod", 27);
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    flush(f);
    assert_file(f, "_own_c_insert.csv", "name;total\r\nan entry of tod");
    assert_file(f, "_own_c_insert-2.csv", "b;number\r\ny;1\r\n");
}

static void test_a_table_as_it_is_without_prefix(void **state) {
    fixture *f = *state;
    f->conf.split_files = true;
    lay_out(f, "public.*", NULL, 0, "_bare")->conf.bare = true;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, f->orders, 'U', "1|?|?", "1|x|-");
    truncate_at(f, f->orders, "shop", "02", 1);
    restart(f);
    add(f, f->orders, 'U', "1|?|?", "2|,|-");
    flush(f);
    assert_file(f, "_bare_c_insert.csv", "id,a,b\n1,x,y\n1,x,\n2,\",\",\n");
    assert_file(f, "_bare_c_delete.csv", "id\n1\n1\n");
}

static void test_two_forms_of_one_file(void **state) {
    fixture *f = *state;
    char want[512];
    lay_out(f, "public.orders", plain, 2, NULL)->conf.delimiter = ';';
    assert_int_equal(ls_csv_open(&f->csv, &f->conf, &f->err), -1);
    assert_int_equal(f->err.code, LS_USAGE);
    snprintf(want, sizeof want, "two layouts write to %s_c.csv in different forms (delimiter, quote, newline, header, bom, formula_guard, prefix, or without "
                                "prefix the titles): give one of them another filename", f->filename);
    assert_string_equal(f->err.text, want);
}

static void test_two_layouts_of_one_file(void **state) {
    fixture *f = *state;
    ls_schema *other = schema(f, "others", "id a", "0");
    lay_out(f, "public.orders", plain, 2, "_both");
    lay_out(f, "public.others", dated, 1, "_both");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, other, 'I', NULL, "2|x");
    restart(f);
    add(f, f->orders, 'I', NULL, "3|x|y");
    add(f, other, 'I', NULL, "4|x");
    flush(f);
    assert_file(f, "_both_c.csv", "action,table,b,number\nI,public.orders,y,1\nI,public.orders,y,3\n");
    assert_file(f, "_both_c-2.csv", "action,table,id\nI,public.others,2\nI,public.others,4\n");
    ls_schema_unref(other);
}

/* ---- columns that a table lacks */

static const char *write_fails(fixture *f, const ls_schema *s, const char *after) {
    change(f, s, 'I', NULL, after);
    assert_int_equal(f->csv->ops->write(f->csv, &f->work->seen, &f->err), -1);
    assert_int_equal(f->err.code, LS_FAIL);
    ls_work_reset(f->work);
    return f->err.text;
}

static void test_a_column_that_was_never_there(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "orders", "id total", "0"), *key = schema(f, "orders", "id", "0");
    static const ls_layout_column columns[] = {{.title = "n", .from = "id"}, {.title = "sum", .from = "totl"}};
    lay_out(f, "public.orders", columns, 2, NULL);
    open_csv(f);
    add(f, key, 'D', "1", NULL); /* nobody knows yet */
    assert_string_equal(write_fails(f, s, "1|2"), "layout \"public.orders\": public.orders has no column \"totl\"; did you mean \"total\"? (for rows from "
                                                  "before the column came or from after it went: { \"totl\", from = \"totl\", optional = true })");
    flush(f);
    assert_file(f, "_c.csv", "action,table,n,sum\nD,public.orders,1,\n");
    ls_schema_unref(s);
    ls_schema_unref(key);
}

static void test_a_column_that_went(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "orders", "id a", "0"), *t = schema(f, "orders", "id a c", "0");
    FILE *said = tmpfile();
    const ls_log log = {.fd = fileno(said), .least = LS_INFO, .stage = "c"};
    char text[512] = "", *at;
    f->conf.log = &log;
    lay_out(f, "public.orders", plain, 2, NULL)->conf.absent_text = "?";
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, s, 'I', NULL, "2|x");
    add(f, t, 'I', NULL, "3|x|z");
    add(f, f->orders, 'I', NULL, "4|x|y");
    flush(f);
    assert_file(f, "_c.csv", "action,table,b,number\nI,public.orders,y,1\nI,public.orders,?,2\nI,public.orders,?,3\nI,public.orders,y,4\n");
    rewind(said);
    assert_true(fread(text, 1, sizeof text - 1, said) > 0);
    fclose(said);
    at = strstr(text, "c: warning: layout \"public.orders\": public.orders has no column \"b\": its cells are absent\n");
    assert_non_null(at);
    assert_null(strstr(strchr(at, '\n'), "warning")); /* once */
    ls_schema_unref(s);
    ls_schema_unref(t);
}

static void test_an_optional_column(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "orders", "id", "0");
    static const ls_layout_column columns[] = {{.title = "id", .from = "id"}, {.title = "b", .from = "b", .optional = true}};
    lay_out(f, "public.orders", columns, 2, NULL);
    open_csv(f);
    add(f, s, 'I', NULL, "1");
    add(f, f->orders, 'I', NULL, "2|x|y");
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,b\nI,public.orders,1,\nI,public.orders,2,y\n");
    ls_schema_unref(s);
}

/* ---- cells that functions give */

static void test_computed_cells(void **state) {
    fixture *f = *state;
    lay_out(f, "public.orders", computed, 2, NULL)->conf.absent_text = "?";
    open_csv(f);
    change(f, f->orders, 'U', "1|?|?", "1|x|y");
    change(f, f->orders, 'U', "2|?|?", "2|x|y");
    ls_batch *b = &f->work->seen;
    assert_int_equal(ls_layout_begin(b, 0, 0, 2), 1);
    assert_int_equal(b->changes[0].action, 'D');
    assert_null(b->changes[0].after);
    ls_layout_end(b, 1); /* nothing was set */
    assert_int_equal(ls_layout_begin(b, 0, 1, 2), 1);
    assert_int_equal(b->changes[0].action, 'I');
    assert_null(b->changes[0].before);
    assert_int_equal(ls_row_set_null(b, 0, 1, 1), -1);
    assert_string_equal(ls_row_error(b), "a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter "
                                         "under moves = \"split\": change it in map");
    ls_layout_set_int(b, 1, INT64_MIN);
    ls_layout_end(b, 1);
    assert_int_equal(b->changes[0].action, 'U');
    assert_non_null(b->changes[0].before);
    assert_int_equal(ls_layout_begin(b, 1, 0, 2), 1);
    ls_layout_end(b, 0); /* left out */
    assert_int_equal(ls_layout_begin(b, 1, 1, 2), 1);
    assert_int_equal(ls_layout_set_text(b, 1, "\xff", 1), 1);
    assert_int_equal(ls_layout_set_text(b, 1, "a,b", 3), 0);
    ls_layout_end(b, 1);
    write_all(f);
    flush(f);
    assert_file(f, "_c.csv", "action,table,id,sum\nD,public.orders,1,?\nI,public.orders,1,-9223372036854775808\nI,public.orders,2,\"a,b\"\n");
}

/* ---- rotation, compression, templates */

static void test_rotation_by_the_rows_time(void **state) {
    fixture *f = *state;
    char template_[120];
    f->conf.rotate_every = 86400;
    ls_csv_conf *own = &lay_out(f, "public.orders", plain, 2, NULL)->conf;
    snprintf(template_, sizeof template_, "%s/{date}/{table}", f->folder);
    own->filename = template_;
    own->delimiter = ';';
    open_csv(f);
    for (int day = 0; day < 3; day++) {
        ls_change *c = change(f, f->orders, 'I', NULL, "1|x|y");
        ls_tx tx = *c->tx;
        tx.ts = (INT64_C(1767225600) + day * 86400) * 1000000;
        c->tx = ls_work_tx(f->work, &tx);
        write_all(f);
        if (day == 1) restart(f);
    }
    flush(f);
    strcpy(f->filename + strlen(f->folder), "/2026-01-0");
    assert_file(f, "1/orders.csv", "action;table;b;number\nI;public.orders;y;1\n");
    assert_file(f, "2/orders.csv", "action;table;b;number\nI;public.orders;y;1\n");
    assert_file(f, "3/orders.csv.20260103T000000Z.part", "action;table;b;number\nI;public.orders;y;1\n");
}

/* Templates of two forms make the same name: the file that is left open waits for its rows, and is gone on with. */
static void test_a_name_that_two_templates_make(void **state) {
    fixture *f = *state;
    char template_[120];
    snprintf(template_, sizeof template_, "%s/{table}", f->folder);
    f->conf.rotate_every = 86400;
    f->conf.filename = template_;
    ls_csv_conf *own = &lay_out(f, "public.orders", plain, 2, NULL)->conf;
    own->filename = template_;
    own->delimiter = ';';
    open_csv(f);
    for (int run = 0; run < 3; run++) {
        ls_change *c = change(f, f->orders, 'I', NULL, "1|x|y");
        ls_tx tx = *c->tx;
        tx.ts = INT64_C(1767225600) * 1000000;
        c->tx = ls_work_tx(f->work, &tx);
        write_all(f);
        if (run < 2) restart(f);
    }
    flush(f);
    strcpy(f->filename + strlen(f->folder), "/orders");
    assert_file(f, ".csv.20260101T000000Z.part", "action;table;b;number\nI;public.orders;y;1\nI;public.orders;y;1\nI;public.orders;y;1\n");
}

static void test_few_open_files(void **state) {
    fixture *f = *state;
    ls_schema *other = schema(f, "others", "id a b", "0");
    f->conf.max_open_files = 1;
    lay_out(f, "public.orders", plain, 2, "1");
    lay_out(f, "public.others", plain, 1, "2");
    open_csv(f);
    for (int i = 0; i < 3; i++) {
        add(f, f->orders, 'I', NULL, "1|x|y");
        add(f, other, 'I', NULL, "2|x|z");
    }
    flush(f);
    assert_file(f, "1_c.csv", "action,table,b,number\nI,public.orders,y,1\nI,public.orders,y,1\nI,public.orders,y,1\n");
    assert_file(f, "2_c.csv", "action,table,b\nI,public.others,z\nI,public.others,z\nI,public.others,z\n");
    ls_schema_unref(other);
}

static void test_formula_guard(void **state) {
    fixture *f = *state;
    static const ls_layout_column columns[] = {{.title = "=sum", .from = "a"}};
    lay_out(f, "public.orders", columns, 1, "_own")->conf.formula_guard = true;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|=1+1|y");
    restart(f);
    add(f, f->orders, 'I', NULL, "1|-1|y");
    flush(f);
    assert_file(f, "_own_c.csv", "action,table,\"'=sum\"\nI,public.orders,\"'=1+1\"\nI,public.orders,-1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_columns),
        T(test_dates),
        T(test_a_date_is_quoted),
        T(test_the_most_specific_pattern_counts),
        T(test_a_form_of_its_own),
        T(test_somebody_elses_file),
        T(test_a_table_as_it_is_without_prefix),
        T(test_two_forms_of_one_file),
        T(test_two_layouts_of_one_file),
        T(test_a_column_that_was_never_there),
        T(test_a_column_that_went),
        T(test_an_optional_column),
        T(test_computed_cells),
        T(test_rotation_by_the_rows_time), T(test_a_name_that_two_templates_make),
        T(test_few_open_files),
        T(test_formula_guard),
    };
    return cmocka_run_group_tests_name("csv layouts", tests, NULL, NULL);
}
