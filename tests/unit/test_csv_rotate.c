/* Files that end: by rows, by size, by the rows' commit time; and the next start. */
#include "csvfixture.h"

#include "write/path.h"

#include <unistd.h>

enum { MINUTE = 60, HOUR = 3600 };
#define NOON INT64_C(1769860800) /* 2026-01-31T12:00:00Z */
#define HEAD "action,table,id,a,b\n"
#define ROW(id) "I,public.orders," id ",x,y\n"

static void add_at(fixture *f, const ls_schema *s, const char *after, int64_t second) {
    ls_change *c = change(f, s, 'I', NULL, after);
    ls_tx tx = *c->tx;
    tx.ts = second * 1000000;
    c->tx = ls_work_tx(f->work, &tx);
    write_all(f);
}

static void add_rows(fixture *f, int from, int to) {
    for (int i = from; i <= to; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d|x|y", i);
        add(f, f->orders, 'I', NULL, text);
    }
}

static void remove_file(fixture *f, const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%s%s", f->filename, name);
    assert_int_equal(unlink(path), 0);
}

static void test_rows(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 2;
    open_csv(f);
    assert_no_file(f, "_c.csv.part");
    add_rows(f, 1, 1);
    flush(f);
    assert_file(f, "_c.csv.part", HEAD ROW("1"));
    assert_no_file(f, "_c.csv");
    add_rows(f, 2, 2);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2")); /* at once, and without a flush */
    assert_no_file(f, "_c.csv.part");
    assert_no_file(f, "_c-2.csv.part");
    add_rows(f, 3, 5);
    flush(f);
    assert_file(f, "_c-2.csv", HEAD ROW("3") ROW("4"));
    assert_file(f, "_c-3.csv.part", HEAD ROW("5"));
}

static void test_the_next_start_goes_on(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 3;
    open_csv(f);
    add_rows(f, 1, 5);
    restart(f);
    assert_file(f, "_c-2.csv.part", HEAD ROW("4") ROW("5"));
    add_rows(f, 6, 7);
    flush(f);
    assert_file(f, "_c-2.csv", HEAD ROW("4") ROW("5") ROW("6"));
    assert_file(f, "_c-3.csv.part", HEAD ROW("7"));
    remove_file(f, "_c.csv"); /* what has ended may be taken away */
    remove_file(f, "_c-2.csv");
    restart(f);
    add_rows(f, 8, 10);
    flush(f);
    assert_no_file(f, "_c.csv");
    assert_file(f, "_c-3.csv", HEAD ROW("7") ROW("8") ROW("9"));
    assert_file(f, "_c-4.csv.part", HEAD ROW("10"));
}

static void test_what_a_crash_left(void **state) {
    fixture *f = *state;
    static const char torn[] = HEAD ROW("1") ROW("2") "I,public.orders,3,\"x\n";
    f->conf.rotate_rows = 3;
    put_file(f, "_c-7.csv.part", torn, sizeof torn - 1);
    put_file(f, "_c-9.csv", "mine\n", 5);
    put_file(f, "_c-12.csv.gz", "", 0); /* other ends' numbers are taken too */
    put_file(f, "_c-88.txt", "", 0);
    put_file(f, "_cc-99.csv", "", 0);
    open_csv(f);
    assert_file(f, "_c-7.csv.part", HEAD ROW("1") ROW("2"));
    add_rows(f, 3, 4);
    flush(f);
    assert_file(f, "_c-7.csv", HEAD ROW("1") ROW("2") ROW("3"));
    assert_file(f, "_c-13.csv.part", HEAD ROW("4"));
    close_csv(f);
    put_file(f, "_c-13.csv.part", "act", 3); /* not even a header */
    put_file(f, "_c-14.csv.part", "Dear reader", 11); /* not ours */
    open_csv(f);
    add_rows(f, 4, 6);
    assert_file(f, "_c-13.csv", HEAD ROW("4") ROW("5") ROW("6"));
    assert_file(f, "_c-14.csv.part", "Dear reader");
}

/* It was full, and the crash came before it had its name. */
static void test_a_full_file_ends_first(void **state) {
    fixture *f = *state;
    static const char full[] = HEAD ROW("1") ROW("2");
    f->conf.rotate_rows = 2;
    put_file(f, "_c.csv.part", full, sizeof full - 1);
    open_csv(f);
    add_rows(f, 3, 3);
    flush(f);
    assert_file(f, "_c.csv", full);
    assert_file(f, "_c-2.csv.part", HEAD ROW("3"));
}

static void test_a_long_file_is_counted(void **state) {
    fixture *f = *state;
    enum { ROWS = 30000 };
    ls_buf text = {0};
    f->conf.rotate_rows = ROWS + 1;
    ls_buf_str(&text, HEAD);
    for (int i = 0; i < ROWS; i++) ls_buf_str(&text, i == 77 ? "I,public.orders,\"q\nq\",x,y\n" : ROW("1"));
    put_file(f, "_c.csv.part", text.data, text.len);
    open_csv(f);
    add_rows(f, 1, 2);
    flush(f);
    ls_buf_str(&text, ROW("1"));
    assert_file_bytes(f, "_c.csv", ls_buf_cstr(&text), text.len);
    assert_file(f, "_c-2.csv.part", HEAD ROW("2"));
    ls_buf_free(&text);
}

/* Of a header's length and two rows: a file has no more bytes but for a single row that is larger. */
static void test_size(void **state) {
    fixture *f = *state;
    f->conf.rotate_bytes = sizeof(HEAD ROW("1") ROW("2")) - 1;
    open_csv(f);
    add_rows(f, 1, 3);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2"));
    add(f, f->orders, 'I', NULL, "4|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|y");
    restart(f);
    assert_file(f, "_c-2.csv", HEAD ROW("3"));
    assert_file(f, "_c-3.csv", HEAD "I,public.orders,4,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,y\n");
    add_rows(f, 5, 5);
    restart(f);
    add_rows(f, 6, 6);
    assert_file(f, "_c-4.csv", HEAD ROW("5") ROW("6"));
}

static void test_each_header_has_its_file(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0");
    f->conf.rotate_rows = 2;
    open_csv(f);
    for (int i = 0; i < 3; i++) {
        add_rows(f, i, i);
        add(f, s, 'I', NULL, "1|v");
        restart(f);
    }
    assert_file(f, "_c.csv", HEAD ROW("0") ROW("1"));
    assert_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\nI,public.items,1,v\n");
    assert_file(f, "_c-3.csv.part", HEAD ROW("2"));
    assert_file(f, "_c-4.csv.part", "action,table,k,v\nI,public.items,1,v\n");
    ls_schema_unref(s);
}

/* ---- by time */

static void test_every_hour(void **state) {
    fixture *f = *state;
    ls_schema *s = schema(f, "items", "k v", "0");
    f->conf.rotate_every = HOUR;
    open_csv(f);
    add_at(f, f->orders, "1|x|y", NOON + 59 * MINUTE);
    add_at(f, s, "1|v", NOON + 59 * MINUTE);
    add_at(f, f->orders, "2|x|y", NOON - 1); /* late: it goes to what is being written */
    restart(f);
    assert_file(f, "_c.csv.20260131T120000Z.part", HEAD ROW("1") ROW("2"));
    add_at(f, f->orders, "3|x|y", NOON + 59 * MINUTE + 59);
    add_at(f, f->orders, "4|x|y", NOON + HOUR);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2") ROW("3"));
    assert_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\n"); /* no row of its own was needed */
    add_at(f, f->orders, "5|x|y", NOON + HOUR - 1);
    add_at(f, s, "2|v", NOON + 3 * HOUR);
    flush(f);
    assert_file(f, "_c-3.csv", HEAD ROW("4") ROW("5"));
    assert_file(f, "_c-4.csv.20260131T150000Z.part", "action,table,k,v\nI,public.items,2,v\n");
    ls_schema_unref(s);
}

/* A start after the span has ended, and one whose first row is from before it. */
static void test_spans_outlive_the_program(void **state) {
    fixture *f = *state;
    f->conf.rotate_every = 24 * HOUR;
    open_csv(f);
    add_at(f, f->orders, "1|x|y", NOON);
    restart(f);
    add_at(f, f->orders, "2|x|y", NOON - 24 * HOUR);
    restart(f);
    add_at(f, f->orders, "3|x|y", NOON + 24 * HOUR);
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2"));
    assert_file(f, "_c-2.csv.20260201T000000Z.part", HEAD ROW("3"));
}

/* A file that an earlier run began without `every`: its span is that of the first row that comes. */
static void test_a_file_without_a_span(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 100;
    open_csv(f);
    add_at(f, f->orders, "1|x|y", NOON);
    flush(f);
    close_csv(f);
    f->conf.rotate_every = HOUR;
    open_csv(f);
    add_at(f, f->orders, "2|x|y", NOON + HOUR);
    add_at(f, f->orders, "3|x|y", NOON + 2 * HOUR);
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2"));
    assert_file(f, "_c-2.csv.20260131T140000Z.part", HEAD ROW("3"));
}

static void test_times_beyond_the_calendar(void **state) {
    fixture *f = *state;
    f->conf.rotate_every = HOUR;
    open_csv(f);
    add_at(f, f->orders, "1|x|y", -5);
    add_at(f, f->orders, "2|x|y", INT64_MAX / 1000000);
    add_at(f, f->orders, "3|x|y", INT64_MAX / 1000000 - 1);
    restart(f);
    add_at(f, f->orders, "4|x|y", NOON);
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("1"));
    assert_file(f, "_c-2.csv.99991231T230000Z.part", HEAD ROW("2") ROW("3") ROW("4"));
}

/* ---- templates */

static void template_of(fixture *f, const char *template_) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f->folder, template_);
    f->conf.filename = path;
    snprintf(f->filename, sizeof f->filename, "%s/", f->folder);
}

/* Yesterday's files end though no row of yesterday comes any more; another consumer's are left alone. */
static void test_files_that_no_row_comes_for(void **state) {
    fixture *f = *state;
    static const char other[] = HEAD ROW("9");
    f->conf.rotate_every = HOUR;
    template_of(f, "{date}/{table}-{consumer}.{date}");
    open_csv(f);
    add_at(f, f->orders, "1|x|y", NOON);
    flush(f);
    close_csv(f);
    put_file(f, "2026-01-31/orders-d.2026-01-31.csv.20260131T120000Z.part", other, sizeof other - 1);
    open_csv(f);
    assert_file(f, "2026-01-31/orders-c.2026-01-31.csv.20260131T120000Z.part", HEAD ROW("1"));
    add_at(f, f->orders, "2|x|y", NOON + 12 * HOUR);
    add_at(f, f->orders, "3|x|y", NOON); /* late, into a name of its own */
    flush(f);
    assert_file(f, "2026-01-31/orders-c.2026-01-31.csv", HEAD ROW("1"));
    assert_file(f, "2026-01-31/orders-c.2026-01-31-2.csv.20260201T000000Z.part", HEAD ROW("3"));
    assert_file(f, "2026-02-01/orders-c.2026-02-01.csv.20260201T000000Z.part", HEAD ROW("2"));
    assert_file(f, "2026-01-31/orders-d.2026-01-31.csv.20260131T120000Z.part", HEAD ROW("9"));
    restart(f);
    add_at(f, f->orders, "4|x|y", NOON + 13 * HOUR);
    assert_file(f, "2026-01-31/orders-c.2026-01-31-2.csv", HEAD ROW("3"));
}

static void test_paths_of_a_template(void **state) {
    (void)state;
    ls_error err;
    static const char *const are[] = {"o/t/2026-01-31_c%2e1", "o/%2e-2/2026-10-12_c%2e1", "o//2026-01-31_c%2e1"};
    static const char *const are_not[] = {"o/t/2026-01-31_c", "o/t/2026-01-3_c%2e1", "p/t/2026-01-31_c%2e1", "o/t/x/2026-01-31_c%2e1", "o/t/2026-01-31_c%2e1x"};
    for (size_t i = 0; i < sizeof are / sizeof *are; i++) assert_int_equal(ls_path_matches("o/{table}/{date}_{consumer}", "c.1", are[i], &err), 1);
    for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++) assert_int_equal(ls_path_matches("o/{table}/{date}_{consumer}", "c.1", are_not[i], &err), 0);
    assert_int_equal(ls_path_matches("{table}-{consumer}", "c-2", "t-c-2", &err), 1);
    assert_int_equal(ls_path_matches("{table}-{consumer}", "c-2", "t-c", &err), 0);
    assert_int_equal(ls_path_matches("{kind}{hour}-{partition}.{topic}", "c", "insert07-12.a%2eb", &err), 1);
    assert_int_equal(ls_path_matches("{kind}{hour}-{partition}.{topic}", "c", "inserts07-12.a", &err), 0);
    assert_int_equal(ls_path_matches("{kind}{hour}-{partition}.{topic}", "c", "rows7-12.a", &err), 0);
    assert_int_equal(ls_path_matches("{kind}{hour}-{partition}.{topic}", "c", "rows07-.a", &err), 0);
}

static void test_one_open_file(void **state) {
    fixture *f = *state;
    template_of(f, "{table}");
    ls_schema *s = schema(f, "items", "k v", "0");
    f->conf.max_open_files = 1;
    f->conf.rotate_rows = 2;
    f->conf.rotate_every = HOUR;
    open_csv(f);
    for (int i = 0; i < 3; i++) {
        add_at(f, f->orders, i ? "2|x|y" : "1|x|y", NOON);
        add_at(f, s, "1|v", NOON);
    }
    add_at(f, s, "2|v", NOON + HOUR); /* a closed file ends, too */
    assert_file(f, "orders.csv", HEAD ROW("1") ROW("2"));
    assert_file(f, "items.csv", "action,table,k,v\nI,public.items,1,v\nI,public.items,1,v\n");
    assert_file(f, "orders-2.csv", HEAD ROW("2"));
    assert_file(f, "items-2.csv", "action,table,k,v\nI,public.items,1,v\n");
    ls_schema_unref(s);
}

/* ---- errors */

static int write_one(fixture *f) {
    change(f, f->orders, 'I', NULL, "2|x|y");
    return f->csv->ops->write(f->csv, &f->work->seen, &f->err);
}

static void test_a_name_that_is_taken(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 2;
    open_csv(f);
    add_rows(f, 1, 1);
    put_file(f, "_c.csv", "mine\n", 5);
    assert_int_equal(write_one(f), -1);
    assert_non_null(strstr(f->err.text, "out_c.csv is there already, and the rows of "));
    assert_non_null(strstr(f->err.text, "out_c.csv.part were to go there: move it away and start again"));
    assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), 0); /* the rows themselves are there */
    assert_file(f, "_c.csv", "mine\n");
    remove_file(f, "_c.csv");
    close_csv(f);
    open_csv(f);
    ls_work_reset(f->work);
    add_rows(f, 3, 3);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2"));
}

static void test_a_file_that_is_taken_away(void **state) {
    fixture *f = *state;
    f->conf.rotate_rows = 2;
    open_csv(f);
    add_rows(f, 1, 1);
    flush(f);
    remove_file(f, "_c.csv.part");
    assert_int_equal(write_one(f), -1);
    assert_non_null(strstr(f->err.text, "out_c.csv.part was removed or replaced while rows were written to it: start again"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_rows),
        T(test_the_next_start_goes_on),
        T(test_what_a_crash_left),
        T(test_a_full_file_ends_first),
        T(test_a_long_file_is_counted),
        T(test_size),
        T(test_each_header_has_its_file),
        T(test_every_hour),
        T(test_spans_outlive_the_program),
        T(test_a_file_without_a_span),
        T(test_times_beyond_the_calendar),
        T(test_files_that_no_row_comes_for),
        cmocka_unit_test(test_paths_of_a_template),
        T(test_one_open_file),
        T(test_a_name_that_is_taken),
        T(test_a_file_that_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
