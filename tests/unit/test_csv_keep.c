/* A writer with a manifest: what is in it when, and what strangers do to its files. What a crash does is test_csv_crash.c's. */
#include "csvfixture.h"

#include <unistd.h>

#define HEAD "action,table,id,a,b\n"
#define ROW(id) "I,public.orders," id ",x,y\n"

static ls_csv_keep_conf keep = {.consumer = "c", .instance = 1, .instances = 1, .settle_ms = LS_CSV_SETTLE_MS};

static void begin(fixture *f, int64_t settle_ms) {
    keep.settle_ms = settle_ms;
    f->conf.keep = &keep;
    open_csv(f);
}

static void add_row(fixture *f, const char *id) {
    char text[32];
    snprintf(text, sizeof text, "%s|x|y", id);
    add(f, f->orders, 'I', NULL, text);
}

/* The manifest's lines of files, without the lists before them. */
static void assert_manifest_files(fixture *f, const char *want) {
    char text[8192];
    FILE *in = file(f, "_c.manifest.json", "rb");
    assert_non_null(in);
    size_t n = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[n] = '\0';
    char *files = strstr(text, "\"files\":[\n");
    assert_non_null(files);
    assert_string_equal(files + 10, want);
}

static void test_a_file_is_named_before_it_is_made(void **state) {
    fixture *f = *state;
    begin(f, LS_CSV_SETTLE_MS);
    add_row(f, "1");
    assert_no_file(f, "_c.csv");
    assert_no_file(f, "_c.manifest.json");
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("1"));
    assert_manifest_files(f, "{\"file\":\"out_c.csv\",\"bytes\":42},\nnull]}\n");
    close_csv(f);
    open_csv(f);
    assert_int_equal(f->csv->ops->begin(f->csv, &(ls_position){"t", 0, 0}, &f->err), 0);
    assert_string_equal(strrchr(ls_csv_manifest(f->csv), '/'), "/out_c.manifest.json");
}

/* One that gets no rows leaves the manifest, and is named again, as it is, before the next one. */
static void test_a_file_settles(void **state) {
    fixture *f = *state;
    begin(f, 0);
    add_row(f, "1");
    flush(f);
    flush(f);
    assert_manifest_files(f, "null]}\n");
    add_row(f, "2");
    flush(f);
    assert_manifest_files(f, "{\"file\":\"out_c.csv\",\"bytes\":64},\nnull]}\n");
    flush(f);
    close_csv(f);
    open_csv(f); /* it is not in the manifest, and whole */
    add_row(f, "3");
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("1") ROW("2") ROW("3"));
    flush(f);
    close_csv(f);
    put_file(f, "_c.csv", HEAD ROW("1") "I,pub", sizeof(HEAD ROW("1") "I,pub") - 1); /* by hand: nothing is cut that no manifest counts */
    assert_int_equal(ls_csv_open(&f->csv, &f->conf, &f->err), -1);
    f->csv = NULL;
    assert_int_equal(f->err.code, LS_LOST);
    assert_non_null(strstr(f->err.text, "out_c.csv does not end with a whole row"));
    assert_file(f, "_c.csv", HEAD ROW("1") "I,pub");
}

/* docs/files.md lets it be taken away: a row for it ends the program, and the next start begins it anew. */
static void test_a_settled_file_is_taken_away(void **state) {
    fixture *f = *state;
    char path[200];
    begin(f, 0);
    add_row(f, "1");
    flush(f);
    flush(f);
    snprintf(path, sizeof path, "%s_c.csv", f->filename);
    assert_int_equal(unlink(path), 0);
    add_row(f, "2");
    assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
    assert_int_equal(f->err.code, LS_LOST);
    assert_manifest_files(f, "null]}\n");
    close_csv(f);
    open_csv(f);
    add_row(f, "2");
    flush(f);
    assert_file(f, "_c.csv", HEAD ROW("2"));
}

/* What is cut back is judged by what it is, whatever `compress` says now. */
static void test_compress_is_changed_after_a_crash(void **state) {
    static const struct {
        ls_csv_compress first, then;
        const char *end, *torn;
    } cases[] = {{LS_CSV_PLAIN, LS_CSV_ZSTD, "_c.csv", "I,pub"}, {LS_CSV_GZIP, LS_CSV_PLAIN, "_c.csv.gz", "\x1f\x8b\x08"}, {LS_CSV_ZSTD, LS_CSV_GZIP, "_c.csv.zst", "\x28\xb5\x2f"}};
    fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        f->conf.compress = cases[i].first;
        begin(f, LS_CSV_SETTLE_MS);
        add_row(f, "1");
        flush(f);
        close_csv(f);
        FILE *out = file(f, cases[i].end, "ab");
        assert_non_null(out);
        assert_int_equal(fseek(out, 0, SEEK_END), 0);
        long whole = ftell(out);
        fputs(cases[i].torn, out);
        fclose(out);
        f->conf.compress = cases[i].then;
        open_csv(f);
        close_csv(f);
        out = file(f, cases[i].end, "ab");
        assert_int_equal(fseek(out, 0, SEEK_END), 0);
        assert_int_equal(ftell(out), whole);
        fclose(out);
    }
}

static void test_places(void **state) {
    fixture *f = *state;
    begin(f, LS_CSV_SETTLE_MS);
    ls_position at[] = {{"t", 0, 7}, {"t", 2, 9}, {"u", 0, 1}}, ask = {"t", 2, 0};
    assert_int_equal(f->csv->ops->flush(f->csv, at, 2, &f->err), 0);
    at[1].offset = 10;
    assert_int_equal(f->csv->ops->flush(f->csv, at + 1, 2, &f->err), 0); /* those of others stay */
    close_csv(f);
    open_csv(f);
    assert_int_equal(f->csv->ops->begin(f->csv, &ask, &f->err), 1);
    assert_int_equal(ask.offset, 10);
    assert_int_equal(f->csv->ops->begin(f->csv, &(ls_position){"t", 1, 0}, &f->err), 2);
    assert_int_equal(f->csv->ops->begin(f->csv, &(ls_position){"v", 1, 0}, &f->err), 0);
    ask = (ls_position){"t", 0, 0};
    assert_int_equal(f->csv->ops->begin(f->csv, &ask, &f->err), 1);
    assert_int_equal(ask.offset, 7);
}

static void test_a_stranger_makes_the_file(void **state) {
    fixture *f = *state;
    begin(f, LS_CSV_SETTLE_MS);
    add_row(f, "1"); /* it waits to be made */
    put_file(f, "_c.csv", "mine\n", 5);
    assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_non_null(strstr(f->err.text, "out_c.csv was made by somebody else in this moment: move it away and start again"));
    close_csv(f);
    open_csv(f); /* the manifest has nothing against it */
    assert_file(f, "_c.csv", "mine\n");
    add_row(f, "1");
    flush(f);
    assert_file(f, "_c-2.csv", HEAD ROW("1"));
}

static void test_a_stranger_adds_to_the_file(void **state) {
    fixture *f = *state;
    begin(f, LS_CSV_SETTLE_MS);
    add_row(f, "1");
    flush(f);
    FILE *out = file(f, "_c.csv", "ab");
    fputs("more\n", out);
    fclose(out);
    add_row(f, "2");
    assert_int_equal(f->csv->ops->flush(f->csv, NULL, 0, &f->err), -1);
    assert_int_equal(f->err.code, LS_LOST);
    assert_non_null(strstr(f->err.text, "was changed by another program while rows were written to it"));
    close_csv(f);
    open_csv(f); /* what was counted is there */
    assert_file(f, "_c.csv", HEAD ROW("1"));
}

/* The first of two instances of "c" has the files' names of a consumer "c-1". */
static void test_whose_manifest_it_is(void **state) {
    fixture *f = *state;
    const ls_csv_keep_conf first_of_two = {.consumer = "c", .instance = 1, .instances = 2};
    f->conf.consumer = keep.consumer = "c-1";
    begin(f, LS_CSV_SETTLE_MS);
    keep.consumer = "c";
    add_row(f, "1");
    flush(f);
    close_csv(f);
    f->conf.keep = &first_of_two;
    int rc = ls_csv_open(&f->csv, &f->conf, &f->err);
    f->csv = NULL;
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.code, LS_USAGE);
    assert_non_null(strstr(f->err.text, "out_c-1.manifest.json is the consumer_id \"c-1\"'s: choose another consumer_id, or another filename"));
}

/* Past the limit of names all files are found anew, in the middle of what is not committed: one that has ended and waits for its name is not
 * taken for one that rows go to. */
static void test_more_names_than_are_known(void **state) {
    fixture *f = *state;
    static char path[160];
    snprintf(path, sizeof path, "%s/{table}/r", f->folder);
    f->conf.filename = path;
    f->conf.rotate_bytes = 70;
    f->conf.max_open_files = 500;
    begin(f, LS_CSV_SETTLE_MS);
    add_row(f, "1");
    add_row(f, "2345678901234567890"); /* which has no room there */
    for (int i = 0; i < LS_CSV_NAMES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        ls_schema *s = schema(f, name, "k v", "0");
        add(f, s, 'I', NULL, "1|v");
        ls_schema_unref(s);
    }
    add_row(f, "3");
    flush(f);
    snprintf(f->filename, sizeof f->filename, "%s/", f->folder);
    assert_file(f, "orders/r.csv", HEAD ROW("1"));
    assert_file(f, "orders/r-2.csv", HEAD ROW("2345678901234567890"));
    assert_file(f, "orders/r-3.csv.part", HEAD ROW("3"));
    assert_file(f, "t0/r.csv.part", "action,table,k,v\nI,public.t0,1,v\n");
    assert_no_file(f, "orders/r.csv.part");
}

/* Found anew, a file that was taken away is not begun anew, as if its rows had never been. */
static void test_a_file_is_taken_among_more_names_than_are_known(void **state) {
    fixture *f = *state;
    static char path[160];
    char taken[200];
    snprintf(path, sizeof path, "%s/{table}/r", f->folder);
    snprintf(taken, sizeof taken, "%s/orders/r.csv", f->folder);
    f->conf.filename = path;
    begin(f, LS_CSV_SETTLE_MS);
    add_row(f, "1");
    flush(f);
    assert_int_equal(unlink(taken), 0);
    for (int i = 0; i < LS_CSV_NAMES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        ls_schema *s = schema(f, name, "k v", "0");
        add(f, s, 'I', NULL, "1|v");
        ls_schema_unref(s);
    }
    change(f, f->orders, 'I', NULL, "2|x|y");
    assert_int_equal(f->csv->ops->write(f->csv, &f->work->seen, &f->err), -1);
    assert_int_equal(f->err.code, LS_LOST);
    assert_non_null(strstr(f->err.text, "orders/r.csv was removed or replaced while rows were written to it"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_a_file_is_named_before_it_is_made), T(test_a_file_settles),         T(test_a_settled_file_is_taken_away), T(test_places),
        T(test_a_stranger_makes_the_file),         T(test_a_stranger_adds_to_the_file), T(test_whose_manifest_it_is),
        T(test_compress_is_changed_after_a_crash),
        cmocka_unit_test_setup_teardown(test_more_names_than_are_known, setup_in_memory, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_is_taken_among_more_names_than_are_known, setup_in_memory, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
