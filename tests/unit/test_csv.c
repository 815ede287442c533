#include "change/row.h"
#include "change/value.h"
#include "write/csv_file.h"
#include "write/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A folder, a writer that puts its files there, and a batch to fill. */
typedef struct fixture {
    char folder[64];
    char filename[80];
    ls_csv_conf conf;
    ls_schemas schemas;
    ls_schema *orders; /* public.orders (id, a, b), key (id) */
    ls_work *work;
    ls_writer *csv;
    ls_error err;
    uint64_t seq;
} fixture;

static ls_schema *schema(fixture *f, const char *table, const char *columns, const char *key) {
    ls_column_def cols[8];
    uint16_t keys[8];
    size_t n = 0, nkey = 0;
    for (const char *p = columns, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, ' ');
        cols[n++] = (ls_column_def){p, (size_t)(end - p), LS_TYPE_STRING};
    }
    for (; *key; key++) keys[nkey++] = (uint16_t)(*key - '0');
    return ls_schema_new(&f->schemas, "public", 6, table, strlen(table), cols, n, keys, nkey);
}

static int setup(void **state) {
    fixture *f = *state = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/test_csv.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->filename, sizeof f->filename, "%s/out", f->folder);
    f->conf = (ls_csv_conf){.filename = f->filename, .consumer = "c", .header = true, .delimiter = ',', .quote = '"',
                            .newline = "\n", .null_text = "", .absent_text = ""};
    f->orders = schema(f, "orders", "id a b", "0");
    f->work = ls_work_new(&f->schemas, "shop", "postgres");
    return 0;
}

static void open_csv(fixture *f) {
    if (ls_csv_open(&f->csv, &f->conf, &f->err)) fail_msg("%s", f->err.text);
}

static void write_all(fixture *f) {
    if (f->csv->ops->write(f->csv, &f->work->seen, &f->err)) fail_msg("%s", f->err.text);
    ls_work_reset(f->work);
}

static void flush(fixture *f) {
    if (f->csv->ops->flush(f->csv, &f->err)) fail_msg("%s", f->err.text);
}

static void close_csv(fixture *f) {
    if (f->csv) f->csv->ops->close(f->csv);
    f->csv = NULL;
}

static int teardown(void **state) {
    fixture *f = *state;
    char command[128];
    close_csv(f);
    ls_work_free(f->work);
    ls_schema_unref(f->orders);
    snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* "-" NULL, "?" absent, "~" unchanged, else text; columns are parted by | */
static ls_value *row(fixture *f, const ls_schema *s, const char *text) {
    ls_value *v = ls_work_values(f->work, s->ncols);
    for (uint32_t i = 0; i < s->ncols; i++) {
        const char *end = strchrnul(text, '|');
        size_t n = (size_t)(end - text);
        if (n == 1 && *text == '-') v[i] = ls_value_state(LS_NULL);
        else if (n == 1 && *text == '~') v[i] = ls_value_state(LS_UNCHANGED);
        else if (n != 1 || *text != '?') v[i] = ls_value_text(ls_arena_copy(&f->work->arena, text, n), n);
        text = *end ? end + 1 : end;
    }
    return v;
}

static const ls_tx *tx_at(fixture *f, const char *connector, const char *pos) {
    ls_tx tx = {.connector = connector};
    strcpy(tx.pos, pos);
    return ls_work_tx(f->work, &tx);
}

static ls_change *change(fixture *f, const ls_schema *s, char action, const char *before, const char *after) {
    ls_change *c = ls_work_add(f->work, s, tx_at(f, "shop", "01"), (uint8_t)action, ++f->seq);
    assert_non_null(c);
    if (before) c->before = row(f, s, before);
    if (after) c->after = row(f, s, after);
    return c;
}

static void add(fixture *f, const ls_schema *s, char action, const char *before, const char *after) {
    change(f, s, action, before, after);
    write_all(f);
}

static void truncate_at(fixture *f, const ls_schema *s, const char *connector, const char *pos, uint64_t seq) {
    assert_non_null(ls_work_add(f->work, s, tx_at(f, connector, pos), 'T', seq));
    write_all(f);
}

static FILE *file(fixture *f, const char *name, const char *mode) {
    char path[200];
    snprintf(path, sizeof path, "%s%s", f->filename, name);
    return fopen(path, mode);
}

static void put_file(fixture *f, const char *name, const char *text, size_t n) {
    FILE *out = file(f, name, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, n, out), n);
    fclose(out);
}

static void assert_file_bytes(fixture *f, const char *name, const char *want, size_t n) {
    static char got[1 << 20];
    FILE *in = file(f, name, "rb");
    if (!in) fail_msg("there is no %s%s", f->filename, name);
    size_t len = fread(got, 1, sizeof got - 1, in);
    fclose(in);
    got[len] = '\0';
    assert_string_equal(got, want);
    assert_int_equal(len, n);
}

static void assert_file(fixture *f, const char *name, const char *want) { assert_file_bytes(f, name, want, strlen(want)); }

static void assert_no_file(fixture *f, const char *name) { assert_null(file(f, name, "rb")); }

static void restart(fixture *f) {
    flush(f);
    close_csv(f);
    open_csv(f);
}

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
        assert_int_equal(f->csv->ops->flush(f->csv, &f->err), -1);
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
    int rc = f->csv->ops->flush(f->csv, &f->err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_non_null(strstr(f->err.text, "out_c.csv"));
    assert_non_null(strstr(f->err.text, "start again"));
    assert_int_equal(f->csv->ops->flush(f->csv, &f->err), -1);
    assert_non_null(strstr(f->err.text, "an earlier write failed"));
    close_csv(f);
    open_csv(f);
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
    add(f, f->orders, 'I', NULL, "1|x|y");
    close_csv(f); /* without a flush */
    assert_file(f, "_c.csv", "action,table,id,a,b\n");
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_one_file), T(test_an_update_that_comes_first_is_under_one_header), T(test_quoting), T(test_every_kind_of_value),
        T(test_options), T(test_names_are_quoted), T(test_split_files), T(test_identity_stands_in_the_keys_order), T(test_moved_row),
        T(test_what_is_not_written), T(test_truncate_comes_from_every_partition), T(test_truncate_alone),
        T(test_truncate_without_a_source_is_always_written), T(test_truncate_in_one_file_stands_with_the_rows), T(test_parts_alternate),
        T(test_tables_with_the_same_columns_share_a_part), T(test_a_delete_of_an_unknown_table), T(test_more_parts_than_open_files),
        T(test_without_a_header), T(test_a_torn_record_is_cut_off), T(test_rows_are_not_thrown_away),
        T(test_a_file_of_somebody_else), T(test_a_file_that_is_taken_away), T(test_a_torn_header_is_written_again),
        T(test_a_long_file_is_cut_in_the_right_place), T(test_a_part_behind_a_gap_is_not_spoilt), 
        T(test_a_large_row), T(test_folders_are_made_and_names_escaped), T(test_a_folder_that_cannot_be_made), T(test_a_write_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
