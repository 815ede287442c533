/* File names from templates, and more files than may be open. */
#include "csvfixture.h"

#include "write/csv_io.h"
#include "write/path.h"

#include <sys/stat.h>
#include <unistd.h>

enum { HOUR = 3600 };
#define DAY_31 INT64_C(1769817600) /* 2026-01-31 */

static const char *expand(const char *template_, const char *schema, const char *table, int64_t second) {
    static ls_buf out;
    ls_error err;
    const ls_path_values v = {.schema = schema, .table = table, .topic = "a.b", .consumer = "c 1", .kind = "rows", .partition = 12, .ts = second * 1000000};
    ls_buf_free(&out);
    assert_true(ls_path_uses(template_, &err) > 0);
    ls_path_expand(&out, template_, &v);
    assert_false(out.failed);
    return ls_buf_cstr(&out);
}

static void test_fields(void **state) {
    (void)state;
    assert_string_equal(expand("o/{schema}.{table}", "public", "orders", 0), "o/public.orders");
    assert_string_equal(expand("{topic}_{partition}_{consumer}_{kind}", "", "", 0), "a%2eb_12_c%201_rows");
    assert_string_equal(expand("{date}T{hour}", "", "", DAY_31 + 7 * HOUR + 59), "2026-01-31T07");
    assert_string_equal(expand("{date}/{hour}", "", "", DAY_31 - 1), "2026-01-30/23");
    assert_string_equal(expand("{date} {hour}", "", "", -1), "1969-12-31 23");
}

/* Nothing stands in front of the first brace: the folder is the one at hand. Sanitizers see what is read beyond it. */
static void test_no_folder_in_front(void **state) {
    (void)state;
    ls_error err;
    assert_int_equal(ls_csv_make_folders("", &err), 0);
    assert_int_equal(ls_csv_make_folders("{date}", &err), 0);
}

static void test_escapes(void **state) {
    (void)state;
    assert_string_equal(expand("o/{table}", "", "../a", 0), "o/%2e%2e%2fa");
    assert_string_equal(expand("{schema}%{table}.x", "a%2e", "\xc3\xa4_B-9\n", 0), "a%252e%%c3%a4_B-9%0a.x");
    assert_string_equal(expand("{table}{schema}", "", "", 0), "");
}

/* What would be read as a part of another name. */
static void test_a_name_that_ends_as_a_parts_number(void **state) {
    (void)state;
    assert_string_equal(expand("{table}", "", "orders-2", 0), "orders%2d2");
    assert_string_equal(expand("{table}", "", "a-b-120", 0), "a-b%2d120");
    assert_string_equal(expand("{table}", "", "-2", 0), "%2d2");
    static const char *const plain[] = {"orders-1", "orders-02", "orders-", "2", "2-a", "orders-2a", "orders_2"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) assert_string_equal(expand("{table}", "", plain[i], 0), plain[i]);
    assert_string_equal(expand("{table}.x", "", "orders-2", 0), "orders-2.x");
    assert_string_equal(expand("{date}", "", "", INT64_C(1760227200)), "2025-10-12");
}

static void test_long_names(void **state) {
    (void)state;
    char table[300], other[300], first[600];
    memset(table, 'x', sizeof table);
    table[LS_PATH_NAME_MAX] = '\0';
    assert_string_equal(expand("{table}", "", table, 0), table);
    memset(table, 'x', sizeof table - 1);
    table[sizeof table - 1] = '\0';
    memcpy(other, table, sizeof other);
    other[sizeof other - 2] = 'y';
    snprintf(first, sizeof first, "%s", expand("d/{table}/{schema}", "s", table, 0));
    assert_int_equal(strlen(first), 2 + LS_PATH_NAME_MAX + 2);
    assert_int_equal(memcmp(first, "d/xx", 4), 0);
    assert_string_equal(first + 2 + LS_PATH_NAME_MAX, "/s");
    assert_string_not_equal(first, expand("d/{table}/{schema}", "s", other, 0));
}

static void test_fields_that_there_are_not(void **state) {
    (void)state;
    ls_error err;
    static const char *const bad[] = {"{tabel}", "a{", "a}b", "{{table}}", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ls_path_uses(bad[i], &err), -1);
        assert_int_equal(err.code, LS_USAGE);
        assert_non_null(strstr(err.text, "is not known: use {schema}"));
    }
    assert_int_equal(ls_path_uses("out/rows", &err), 0);
    assert_int_equal(ls_path_uses("{date}{topic}", &err), LS_PATH_TIME | LS_PATH_TOPIC);
}

/* ---- the writer */

static void template_of(fixture *f, const char *template_) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, template_);
    f->conf.filename = path;
    snprintf(f->filename, sizeof f->filename, "%s/", f->folder);
}

static void add_at(fixture *f, const ls_schema *s, char action, const char *before, const char *after, const char *topic, int32_t partition, int64_t second) {
    ls_origin origin = {topic, partition};
    ls_change *c = change(f, s, action, before, after);
    ls_tx tx = *c->tx;
    tx.ts = second * 1000000;
    c->tx = ls_work_tx(f->work, &tx);
    c->origin = &origin;
    write_all(f);
}

static void test_a_file_a_table(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0"), *wider = schema(f, "orders", "id a b c", "0");
    template_of(f, "x/y/{schema}.{table}");
    open_csv(f);
    for (int i = 0; i < 2; i++) { /* the second time the files are there */
        add(f, f->orders, 'I', NULL, "1|x|y");
        add(f, s, 'U', "1|?", "1|v");
        add(f, f->orders, 'D', "1|?|?", NULL);
        add(f, wider, 'I', NULL, "1|x|y|z");
        restart(f);
    }
    assert_file(f, "x/y/public.orders.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nD,public.orders,1,,\nI,public.orders,1,x,y\nD,public.orders,1,,\n");
    assert_file(f, "x/y/public.orders-2.csv", "action,table,id,a,b,c\nI,public.orders,1,x,y,z\nI,public.orders,1,x,y,z\n");
    assert_file(f, "x/y/public.items.csv", "action,table,k,v\nD,public.items,1,\nI,public.items,1,v\nD,public.items,1,\nI,public.items,1,v\n");
    ls_schema_unref(s);
    ls_schema_unref(wider);
}

static void test_kinds(void **state) {
    fixture *f = *state;
    template_of(f, "{kind}/{table}-{consumer}");
    f->conf.split_files = true;
    open_csv(f);
    add(f, f->orders, 'U', "1|?|?", "1|x|y");
    truncate_at(f, f->orders, "shop", "0a", 1);
    flush(f);
    assert_file(f, "insert/orders-c.csv", "action,table,id,a,b\nI,public.orders,1,x,y\n");
    assert_file(f, "delete/orders-c.csv", "action,table,id\nD,public.orders,1\nT,public.orders,\n");
}

/* The order within a file is that of the rows, whatever files lie between. */
static void test_topics_partitions_and_hours(void **state) {
    fixture *f = *state;
    template_of(f, "{topic}-{partition}/{date}_{hour}");
    open_csv(f);
    add_at(f, f->orders, 'I', NULL, "1|x|y", "a.b", 0, DAY_31);
    add_at(f, f->orders, 'I', NULL, "2|x|y", "a.b", 1, DAY_31);
    add_at(f, f->orders, 'I', NULL, "3|x|y", "a.c", 1, DAY_31);
    add_at(f, f->orders, 'I', NULL, "4|x|y", "a.b", 0, DAY_31 + HOUR);
    add_at(f, f->orders, 'I', NULL, "5|x|y", "a.b", 0, DAY_31 + HOUR - 1);
    add_at(f, f->orders, 'I', NULL, "6|x|y", "a.b", 0, DAY_31 - 1);
    flush(f);
    assert_file(f, "a%2eb-0/2026-01-31_00.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,5,x,y\n");
    assert_file(f, "a%2eb-1/2026-01-31_00.csv", "action,table,id,a,b\nI,public.orders,2,x,y\n");
    assert_file(f, "a%2ec-1/2026-01-31_00.csv", "action,table,id,a,b\nI,public.orders,3,x,y\n");
    assert_file(f, "a%2eb-0/2026-01-31_01.csv", "action,table,id,a,b\nI,public.orders,4,x,y\n");
    assert_file(f, "a%2eb-0/2026-01-30_23.csv", "action,table,id,a,b\nI,public.orders,6,x,y\n");
}

/* Each file that has the table's rows has its T, once. */
static void test_truncates(void **state) {
    fixture *f = *state;
    template_of(f, "{partition}");
    open_csv(f);
    for (int i = 0; i < 4; i++) add_at(f, f->orders, 'I', NULL, "1|x|y", "t", i % 2, 0);
    for (int i = 0; i < 4; i++) {
        f->seq = 7;
        add_at(f, f->orders, 'T', NULL, NULL, "t", i % 2, 0);
    }
    flush(f);
    for (int i = 0; i < 2; i++)
        assert_file(f, i ? "1.csv" : "0.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,1,x,y\nT,public.orders,,,\n");
}

/* {topic}-{partition}: the second part of a-1 and the first of a-1-2 have one name; whoever is first has the file. */
static void test_names_that_meet(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0");
    template_of(f, "{topic}-{partition}");
    open_csv(f);
    for (int i = 0; i < 2; i++) {
        add_at(f, f->orders, 'I', NULL, "1|x|y", "a", 1, 0);
        add_at(f, s, 'I', NULL, "1|v", "a", 1, 0);
        add_at(f, f->orders, 'I', NULL, "2|x|y", "a-1", 2, 0);
        add_at(f, f->orders, 'I', NULL, "3|x|y", "b-1", 2, 0);
        add_at(f, f->orders, 'I', NULL, "4|x|y", "b", 1, 0);
        add_at(f, s, 'I', NULL, "2|v", "b", 1, 0);
    }
    flush(f);
    assert_file(f, "a-1.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,1,x,y\n");
    assert_file(f, "a-1-2.csv", "action,table,k,v\nI,public.items,1,v\nI,public.items,1,v\n");
    assert_file(f, "a-1-2-2.csv", "action,table,id,a,b\nI,public.orders,2,x,y\nI,public.orders,2,x,y\n");
    assert_file(f, "b-1-2.csv", "action,table,id,a,b\nI,public.orders,3,x,y\nI,public.orders,3,x,y\n");
    assert_file(f, "b-1-3.csv", "action,table,k,v\nI,public.items,2,v\nI,public.items,2,v\n");
    ls_schema_unref(s);
}

/* One file open at a time: each row closes the file before it, and nothing waits for a flush in what is closed. */
static void test_one_open_file(void **state) {
    fixture *f = *state;
    enum { FILES = 20, ROUNDS = 30 };
    template_of(f, "{partition}");
    f->conf.max_open_files = 1;
    open_csv(f);
    for (int r = 0; r < ROUNDS; r++) {
        for (int i = 0; i < FILES; i++) {
            char row_text[32];
            snprintf(row_text, sizeof row_text, "%d|x|y", r);
            add_at(f, f->orders, 'I', NULL, row_text, "t", i, 0);
        }
    }
    for (int i = 0; i < FILES; i++) {
        char name[32], want[2000] = "action,table,id,a,b\n";
        for (int r = 0; r < ROUNDS - (i == FILES - 1); r++) sprintf(want + strlen(want), "I,public.orders,%d,x,y\n", r);
        snprintf(name, sizeof name, "%d.csv", i);
        if (i < FILES - 1) assert_file(f, name, want); /* without a flush */
    }
    flush(f);
}

/* A file that was closed to make room and then taken away: its rows are known to be written, its name is not made again. */
static void test_a_closed_file_that_is_taken_away(void **state) {
    fixture *f = *state;
    char path[200];
    template_of(f, "{partition}");
    f->conf.max_open_files = 1;
    open_csv(f);
    add_at(f, f->orders, 'I', NULL, "1|x|y", "t", 0, 0);
    add_at(f, f->orders, 'I', NULL, "1|x|y", "t", 1, 0);
    snprintf(path, sizeof path, "%s/0.csv", f->folder);
    assert_int_equal(unlink(path), 0);
    change(f, f->orders, 'I', NULL, "2|x|y")->origin = &(const ls_origin){"t", 0};
    assert_int_equal(f->csv->ops->write(f->csv, &f->work->seen, &f->err), -1);
    assert_non_null(strstr(f->err.text, "0.csv was removed or replaced while rows were written to it: start again"));
}

static void test_too_few_files(void **state) {
    fixture *f = *state;
    struct rlimit was, few;
    template_of(f, "{partition}");
    f->conf.max_open_files = 1000;
    open_csv(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = 20;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int rc = 0;
    for (int i = 0; i < 40 && rc == 0; i++) {
        ls_origin origin = {"t", i};
        change(f, f->orders, 'I', NULL, "1|x|y")->origin = &origin;
        rc = f->csv->ops->write(f->csv, &f->work->seen, &f->err);
        ls_work_reset(f->work);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(f->err.text, "raise the limit on open files (ulimit -n), or lower max_open_files"));
}

/* Past LS_CSV_NAMES_MAX all are closed and found again. */
static void test_more_names_than_are_known(void **state) {
    fixture *f = *state;
    enum { MORE = LS_CSV_NAMES_MAX + 5 };
    template_of(f, "{partition}");
    open_csv(f);
    for (int r = 0; r < 2; r++)
        for (int i = 0; i < MORE; i++) add_at(f, f->orders, r ? 'D' : 'I', r ? "1|?|?" : NULL, r ? NULL : "1|x|y", "t", i, 0);
    flush(f);
    for (int i = 0; i < MORE; i += MORE / 7) {
        char name[32];
        snprintf(name, sizeof name, "%d.csv", i);
        assert_file(f, name, "action,table,id,a,b\nI,public.orders,1,x,y\nD,public.orders,1,,\n");
        snprintf(name, sizeof name, "%d-2.csv", i);
        assert_no_file(f, name);
    }
}

static void test_a_folder_that_cannot_be_made(void **state) {
    fixture *f = *state;
    put_file(f, "file", "", 0);
    template_of(f, "outfile/{table}");
    assert_int_equal(ls_csv_open(&f->csv, &f->conf, &f->err), -1);
    f->csv = NULL;
    assert_non_null(strstr(f->err.text, "choose another filename"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_no_folder_in_front), cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_a_name_that_ends_as_a_parts_number),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_fields_that_there_are_not),
        T(test_a_file_a_table),
        T(test_kinds),
        T(test_topics_partitions_and_hours),
        T(test_truncates),
        T(test_names_that_meet),
        T(test_one_open_file),
        T(test_a_closed_file_that_is_taken_away),
        T(test_too_few_files),
        T(test_more_names_than_are_known),
        T(test_a_folder_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
