/* Files that are there already, torn, large, taken away, or cannot be written. */
#include "csvfixture.h"

#include <sys/file.h>
#include <unistd.h>

/* ---- starting again */
static void test_a_torn_record_is_cut_off(void **state) {
    fixture *f = *state;
    static const char whole[] = "action,table,id,a,b\nI,public.orders,1,\"x\ny\",\"\"\"\"\n";
    static const char *const torn[] = {"", "I", "I,public.orders,2,x,y", "I,public.orders,2,\"x\n", "I,public.orders,2,\"x\"\"\ny\n,"};
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        char text[200], want[200];
        int n = snprintf(text, sizeof text, "%s%s", whole, torn[i]);
        put_file(f, "_c.csv", text, (size_t)n);
        open_csv(f);
        assert_file(f, "_c.csv", whole); /* at once: nobody reads half a row */
        add(f, f->orders, 'I', NULL, "3|x|y");
        flush(f);
        close_csv(f);
        snprintf(want, sizeof want, "%sI,public.orders,3,x,y\n", whole);
        assert_file(f, "_c.csv", want);
    }
}

/* Read with another quote than it was written with, half a file looks like one torn record. */
static void test_rows_are_not_thrown_away(void **state) {
    fixture *f = *state;
    static const char rows[] = "action,table,id,a,b\nI,public.orders,1,O'Brien,x\nI,public.orders,2,x,y\n";
    put_file(f, "_c.csv", rows, sizeof rows - 1);
    f->conf.quote = '\'';
    open_csv(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
    assert_file(f, "_c.csv.cut", "I,public.orders,1,O'Brien,x\nI,public.orders,2,x,y\n");
}

/* What was set aside is told. */
static void test_a_cut_is_logged(void **state) {
    fixture *f = *state;
    static const char rows[] = "action,table,id,a,b\nI,public.orders,1,O'Brien,x\n";
    char line[1000], want[400];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    ls_log log = {.fd = fds[1], .stage = "c"};
    put_file(f, "_c.csv", rows, sizeof rows - 1);
    f->conf.quote = '\'';
    f->conf.log = &log;
    open_csv(f);
    close(fds[1]);
    ssize_t n = read(fds[0], line, sizeof line - 1);
    close(fds[0]);
    assert_true(n > 0);
    line[n] = '\0';
    snprintf(want, sizeof want, " c: warning: %s_c.csv: its last 28 bytes, from byte 20 on, were no whole record and are in %s_c.csv.cut now", f->filename, f->filename);
    if (!strstr(line, want)) fail_msg("%s has no %s", line, want);
}

/* flock() is of an open file: another one in the same process is as another program's. */
static void test_a_file_that_another_program_writes(void **state) {
    fixture *f = *state;
    put_file(f, "_c.csv", "action,table,id,a,b\n", 20);
    FILE *other = file(f, "_c.csv", "rb");
    assert_int_equal(flock(fileno(other), LOCK_EX), 0);
    int rc = ls_csv_open(&f->csv, &f->conf, &f->err);
    fclose(other);
    assert_int_equal(rc, -1);
    f->csv = NULL;
    assert_int_equal(f->err.code, LS_FENCED);
    assert_non_null(strstr(f->err.text, "another program writes "));
    assert_non_null(strstr(f->err.text, "give one of the two another consumer_id"));
    open_csv(f); /* it has ended */
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
}

static void test_too_many_headers(void **state) {
    fixture *f = *state;
    char name[32], text[64];
    for (int i = 1; i <= LS_CSV_PARTS_MAX; i++) {
        int n = snprintf(text, sizeof text, "action,table,c%d\nI,public.t%d,1\n", i, i);
        snprintf(name, sizeof name, i > 1 ? "_c-%d.csv" : "_c.csv", i);
        put_file(f, name, text, (size_t)n);
    }
    open_csv(f);
    assert_non_null(ls_work_add(f->work, f->orders, tx_at(f, "shop", "01"), 'I', ++f->seq));
    f->work->seen.changes[0].after = row(f, f->orders, "1|x|y");
    assert_int_equal(f->csv->ops->write(f->csv, &f->work->seen, &f->err), -1);
    assert_non_null(strstr(f->err.text, "_c has 10000 parts, one for each header: give tables whose columns differ so much files of their own"));
}

static void test_a_file_of_somebody_else(void **state) {
    fixture *f = *state;
    static const char letter[] = "Dear reader,\n\"not\" a CSV file";
    put_file(f, "_c.csv", letter, sizeof letter - 1);
    open_csv(f);
    add(f, f->orders, 'I', NULL, "3|x|y");
    flush(f);
    assert_file(f, "_c.csv", letter);
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.orders,3,x,y\n");
}

/* Rows that went to a file without a name are not written. */
/* Its one line has no end: it is no header that a crash cut. */
static void test_a_file_of_somebody_else_without_a_line_end(void **state) {
    fixture *f = *state;
    static const char *const letters[] = {"Dear reader", "actions", "a", "\xef\xbb\xbf" "b", "\xef\xbb"};
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        bool torn = i == 2 || i == 4; /* these are beginnings of one */
        put_file(f, "_c.csv", letters[i], strlen(letters[i]));
        open_csv(f);
        assert_file(f, "_c.csv", torn ? "" : letters[i]);
        add(f, f->orders, 'I', NULL, "3|x|y");
        flush(f);
        close_csv(f);
        open_csv(f);
        add(f, f->orders, 'I', NULL, "4|x|y");
        flush(f);
        close_csv(f);
        if (!torn) assert_file(f, "_c.csv", letters[i]);
        assert_file(f, torn ? "_c.csv" : "_c-2.csv", "action,table,id,a,b\nI,public.orders,3,x,y\nI,public.orders,4,x,y\n");
        FILE *out = torn ? NULL : file(f, "_c-2.csv", "w");
        if (out) fclose(out);
    }
}

/* There is no byte of the record that the part is to be known by. */
static void test_a_file_of_empty_records(void **state) {
    fixture *f = *state;
    put_file(f, "_c.csv", "\n", 1);
    put_file(f, "_c-2.csv", "action,table,id,a,b\n", 20);
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    flush(f);
    assert_file(f, "_c.csv", "\n");
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.orders,1,x,y\n");
    close_csv(f);
    f->conf.header = false;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "2|x|y");
    flush(f);
    assert_file(f, "_c.csv", "\n"); /* one cell */
    assert_file(f, "_c-2.csv", "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,2,x,y\n");
}

static void test_a_file_that_is_taken_away(void **state) {
    fixture *f = *state;
    char path[200], other[200];
    snprintf(path, sizeof path, "%s_c.csv", f->filename);
    snprintf(other, sizeof other, "%s_c.old", f->filename);
    for (int moved = 0; moved < 2; moved++) {
        open_csv(f);
        add(f, f->orders, 'I', NULL, "1|x|y");
        flush(f);
        assert_int_equal(moved ? rename(path, other) : unlink(path), 0);
        add(f, f->orders, 'I', NULL, "2|x|y");
        assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
        assert_non_null(strstr(f->err.text, "_c.csv was removed or replaced"));
        close_csv(f);
        open_csv(f);
        add(f, f->orders, 'I', NULL, "2|x|y");
        flush(f);
        close_csv(f);
        assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,2,x,y\n");
        assert_int_equal(unlink(path), 0);
    }
}

static void test_a_torn_header_is_written_again(void **state) {
    fixture *f = *state;
    static const char *const torn[] = {"", "action,tab", "\xef\xbb\xbf"};
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        put_file(f, "_c.csv", torn[i], strlen(torn[i]));
        open_csv(f);
        add(f, f->orders, 'I', NULL, "3|x|y");
        flush(f);
        close_csv(f);
        assert_file(f, "_c.csv", "action,table,id,a,b\nI,public.orders,3,x,y\n");
    }
}

static void test_a_long_file_is_cut_in_the_right_place(void **state) {
    fixture *f = *state;
    ls_buf text = {0};
    ls_buf_str(&text, "action,table,id,a,b\n");
    for (int i = 0; i < 5000; i++) /* some 64 KiB blocks without a quote, then one cell over several of them */
        ls_buf_fmt(&text, "I,public.orders,%d,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,y\n", i);
    ls_buf_str(&text, "I,public.orders,1,\"");
    for (int i = 0; i < 20000; i++) ls_buf_str(&text, "line\n");
    ls_buf_str(&text, "\",y\n");
    size_t whole = text.len;
    ls_buf_str(&text, "I,public.orders,1,\"");
    for (int i = 0; i < 20000; i++) ls_buf_str(&text, "line\n");
    put_file(f, "_c.csv", text.data, text.len);
    open_csv(f);
    text.data[whole] = '\0';
    assert_file_bytes(f, "_c.csv", text.data, whole);
    ls_buf_free(&text);
}

static void test_a_part_behind_a_gap_is_not_spoilt(void **state) {
    fixture *f = *state;
    put_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\n", 36);
    ls_schema *s = schema(f, "items", "k v", "0"), *other = schema(f, "other", "z", "0");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, other, 'I', NULL, "1");
    add(f, s, 'I', NULL, "2|v");
    flush(f);
    assert_file(f, "_c-2.csv", "action,table,k,v\nI,public.items,1,v\nI,public.items,2,v\n");
    assert_file(f, "_c-3.csv", "action,table,z\nI,public.other,1\n");
    ls_schema_unref(s);
    ls_schema_unref(other);
}

static void test_a_large_row(void **state) {
    fixture *f = *state;
    enum { N = 300000 };
    char *text = memset(malloc(N + 8), 'x', N), *want = malloc(N + 200);
    strcpy(text + N, "|a|b");
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    add(f, f->orders, 'I', NULL, text);
    add(f, f->orders, 'I', NULL, "2|x|y");
    flush(f);
    sprintf(want, "action,table,id,a,b\nI,public.orders,1,x,y\nI,public.orders,%.*s,a,b\nI,public.orders,2,x,y\n", N, text);
    assert_file(f, "_c.csv", want);
    free(text), free(want);
}

/* ---- names and errors */
static void test_folders_are_made_and_names_escaped(void **state) {
    fixture *f = *state;
    char path[200];
    snprintf(path, sizeof path, "%s/a/b/out", f->folder);
    f->conf.filename = path;
    f->conf.consumer = "re/p.orts%_x-1";
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    flush(f);
    strcpy(f->filename, path);
    assert_file(f, "_re%2fp%2eorts%25_x-1.csv", "action,table,id,a,b\nI,public.orders,1,x,y\n");
}

static void test_a_folder_that_cannot_be_made(void **state) {
    fixture *f = *state;
    char path[200], file[220];
    put_file(f, "file", "", 0);
    snprintf(path, sizeof path, "%sfile/out", f->filename);
    snprintf(file, sizeof file, "%sfile", f->filename);
    f->conf.filename = path;
    assert_int_equal(ls_csv_open(&f->csv, &f->conf, &f->err), -1);
    f->csv = NULL;
    assert_non_null(strstr(f->err.text, file));
    assert_non_null(strstr(f->err.text, "choose another filename"));
}

/* A file that cannot grow: the flush fails, and no later one says that the rows are there. */
static void test_a_write_that_fails(void **state) {
    fixture *f = *state;
    struct rlimit was, small;
    open_csv(f);
    add(f, f->orders, 'I', NULL, "1|x|y");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    signal(SIGXFSZ, SIG_IGN);
    small.rlim_cur = 30;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = f->csv->ops->flush(f->csv, NULL, 0, &f->err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_non_null(strstr(f->err.text, "out_c.csv"));
    assert_non_null(strstr(f->err.text, "start again"));
    assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
    assert_non_null(strstr(f->err.text, "an earlier write failed"));
    close_csv(f);
    open_csv(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
    add(f, f->orders, 'I', NULL, "1|x|y");
    close_csv(f); /* without a flush */
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_a_torn_record_is_cut_off),
        T(test_rows_are_not_thrown_away),
        T(test_a_cut_is_logged),
        T(test_a_file_that_another_program_writes),
        T(test_too_many_headers),
        T(test_a_file_of_somebody_else),
        T(test_a_file_of_somebody_else_without_a_line_end),
        T(test_a_file_of_empty_records),
        T(test_a_file_that_is_taken_away),
        T(test_a_torn_header_is_written_again),
        T(test_a_long_file_is_cut_in_the_right_place),
        T(test_a_part_behind_a_gap_is_not_spoilt),
        T(test_a_large_row),
        T(test_folders_are_made_and_names_escaped),
        T(test_a_folder_that_cannot_be_made),
        T(test_a_write_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
