/* csvfixture.h - a CSV writer in a temporary folder, and changes for it: for the writer's tests. */
#ifndef CSVFIXTURE_H
#define CSVFIXTURE_H

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
#include <unistd.h>

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

static inline ls_schema *schema(fixture *f, const char *table, const char *columns, const char *key) {
    ls_column_def cols[8];
    uint16_t keys[8] = {0};
    size_t n = 0, nkey = 0;
    for (const char *p = columns, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, ' ');
        cols[n++] = (ls_column_def){p, (size_t)(end - p), LS_TYPE_STRING};
    }
    for (; *key; key++) keys[nkey++] = (uint16_t)(*key - '0');
    return ls_schema_new(&f->schemas, "public", 6, table, strlen(table), cols, n, keys, nkey);
}

static inline int setup(void **state) {
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

static inline void open_csv(fixture *f) {
    if (ls_csv_open(&f->csv, &f->conf, &f->err)) fail_msg("%s", f->err.text);
}

static inline void write_all(fixture *f) {
    if (f->csv->ops->write(f->csv, &f->work->seen, &f->err)) fail_msg("%s", f->err.text);
    ls_work_reset(f->work);
}

static inline void flush(fixture *f) {
    if (f->csv->ops->flush(f->csv, NULL, 0, &f->err)) fail_msg("%s", f->err.text);
}

static inline void close_csv(fixture *f) {
    if (f->csv) f->csv->ops->close(f->csv);
    f->csv = NULL;
}

static inline int teardown(void **state) {
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

/* In memory where that is possible: what makes files by the thousands. */
static inline int setup_in_memory(void **state) {
    static const char memory[] = "/dev/shm/test_csv.XXXXXX";
    fixture *f = (setup(state), *state);
    if (access("/dev/shm", W_OK)) return 0;
    rmdir(f->folder);
    strcpy(f->folder, memory);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->filename, sizeof f->filename, "%s/out", f->folder);
    return 0;
}

/* "-" NULL, "?" absent, "~" unchanged, else text; columns are parted by | */
static inline ls_value *row(fixture *f, const ls_schema *s, const char *text) {
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

static inline ls_change *change(fixture *f, const ls_schema *s, char action, const char *before, const char *after) {
    ls_change *c = ls_work_add(f->work, s, tx_at(f, "shop", "01"), (uint8_t)action, ++f->seq);
    assert_non_null(c);
    if (before) c->before = row(f, s, before);
    if (after) c->after = row(f, s, after);
    return c;
}

static inline void add(fixture *f, const ls_schema *s, char action, const char *before, const char *after) {
    change(f, s, action, before, after);
    write_all(f);
}

static inline void truncate_at(fixture *f, const ls_schema *s, const char *connector, const char *pos, uint64_t seq) {
    assert_non_null(ls_work_add(f->work, s, tx_at(f, connector, pos), 'T', seq));
    write_all(f);
}

static inline FILE *file(fixture *f, const char *name, const char *mode) {
    char path[200];
    snprintf(path, sizeof path, "%s%s", f->filename, name);
    return fopen(path, mode);
}

static inline void put_file(fixture *f, const char *name, const char *text, size_t n) {
    FILE *out = file(f, name, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, n, out), n);
    fclose(out);
}

static inline void assert_file_bytes(fixture *f, const char *name, const char *want, size_t n) {
    static char got[1 << 20];
    FILE *in = file(f, name, "rb");
    if (!in) fail_msg("there is no %s%s", f->filename, name);
    size_t len = fread(got, 1, sizeof got - 1, in);
    fclose(in);
    got[len] = '\0';
    assert_string_equal(got, want);
    assert_int_equal(len, n);
}

static inline void assert_file(fixture *f, const char *name, const char *want) { assert_file_bytes(f, name, want, strlen(want)); }

static inline void assert_no_file(fixture *f, const char *name) { assert_null(file(f, name, "rb")); }

static inline void restart(fixture *f) {
    flush(f);
    close_csv(f);
    open_csv(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
