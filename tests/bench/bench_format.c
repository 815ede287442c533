/* bench_format.c - rows a second, on one core, of message encoding, message decoding and the CSV writer.
 *
 *   bench_format [FOLDER]     FOLDER: where the CSV files go (default /tmp); they are removed again */
#include "base/clock.h"
#include "change/row.h"
#include "change/value.h"
#include "format/format.h"
#include "write/writer.h"
#include "rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = LS_BATCH_ROWS, ROUNDS = 1000, TX_ROWS = 100 };

static ls_error err;

static void must(int rc, const char *what) {
    if (rc == 0) return;
    fprintf(stderr, "bench_format: %s: %s\n", what, err.text);
    abort();
}

static void report(const char *what, int64_t from_us, size_t rows, size_t bytes) {
    double seconds = (double)(ls_clock_wall_us() - from_us) / 1e6;
    printf("%-28s %9.0f rows/s  %7.1f MB/s\n", what, (double)rows / seconds, (double)bytes / 1e6 / seconds);
}

/* The rows of an ordinary table: a number, two texts, a decimal, a date and time, and a NULL. */
static void fill(ls_work *w, const ls_schema *s, char action) {
    ls_work_reset(w);
    const ls_tx *tx = NULL;
    uint64_t seq = 0;
    for (int i = 0; i < ROWS; i++) {
        tx = tx_of_row(w, i, TX_ROWS, tx, &seq);
        ls_value *v = ls_work_values(w, s->ncols);
        char id[16];
        int n = snprintf(id, sizeof id, "%d", i);
        v[0] = ls_value_text(ls_arena_copy(&w->arena, id, (size_t)n), (size_t)n);
        v[1] = ls_value_text("category number seven", 21);
        v[2] = ls_value_text("www.example.org", 15);
        v[3] = ls_value_text("1234.50", 7);
        v[4] = ls_value_text("2026-01-31T13:59:59.123456", 26);
        v[5] = ls_value_state(LS_NULL);
        must(action == 'I'   ? ls_row_insert(w, s, tx, &seq, v)
             : action == 'D' ? ls_row_remove(w, s, tx, &seq, v)
                             : ls_row_update(w, s, tx, &seq, NULL, v), "filling a batch");
    }
}

static void encode(const ls_format_ops *format, ls_work *w, ls_buf *out, size_t at[ROWS + 1]) {
    ls_buf_clear(out);
    for (uint32_t i = 0; i < ROWS; i++) {
        at[i] = out->len;
        must(format->encode(&(const ls_format_options){0}, &w->seen, i, out, &err), "encoding");
    }
    at[ROWS] = out->len;
}

static void decode(ls_decoder *d, ls_work *w, const ls_buf *in, const size_t at[ROWS + 1]) {
    ls_work_reset(w);
    for (uint32_t i = 0; i < ROWS; i++) must(ls_decoder_read(d, w, in->data + at[i], at[i + 1] - at[i], &err), "decoding");
}

/* The format protobuf, there and back. */
static void bench_protobuf(ls_work *w, ls_schemas *schemas, char action) {
    static size_t at[ROWS + 1];
    ls_work *read = ls_work_new(schemas, "", "");
    ls_decoder *d = ls_decoder_for(schemas, "protobuf");
    ls_buf out = {0};
    char name[64];
    if (!read || !d) abort();
    int64_t from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++) encode(&ls_format_protobuf, w, &out, at);
    snprintf(name, sizeof name, "protobuf encode %c (%zu bytes)", action, at[1]);
    report(name, from, (size_t)ROWS * ROUNDS, out.len * ROUNDS);
    from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++) decode(d, read, &out, at);
    snprintf(name, sizeof name, "protobuf decode %c", action);
    report(name, from, (size_t)ROWS * ROUNDS, out.len * ROUNDS);
    ls_buf_free(&out);
    ls_decoder_free(d);
    ls_work_free(read);
}

static void bench_csv(ls_work *w, const char *folder, const char *name, ls_csv_conf conf, const char *template_) {
    char path[512];
    ls_writer *csv;
    snprintf(path, sizeof path, "%s/bench_format.%ld%s", folder, (long)getpid(), template_);
    conf.filename = path;
    conf.consumer = "c";
    conf.header = true;
    conf.delimiter = ',';
    conf.quote = '"';
    conf.newline = "\n";
    conf.null_text = conf.absent_text = "";
    must(ls_csv_open(&csv, &conf, &err), "opening CSV files");
    int64_t from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++) must(csv->ops->write(csv, &w->seen, &err), "writing CSV");
    must(csv->ops->flush(csv, NULL, 0, &err), "flushing CSV");
    report(name, from, (size_t)ROWS * ROUNDS, 0);
    csv->ops->close(csv);
    static const char *const ends[] = {"_c.csv", "_c-2.csv", "_c_insert.csv", "_c_delete.csv", "_c.csv.zst", "_c.csv.gz", "orders.csv"};
    path[strcspn(path, "{")] = '\0';
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char file[600];
        snprintf(file, sizeof file, "%s%s", path, ends[i]);
        unlink(file);
    }
}

static void bench(const ls_schema *s, char action, const char *folder) {
    static size_t at[ROWS + 1];
    static ls_schemas schemas;
    ls_work *w = ls_work_new(&schemas, "shop", "postgres"), *read = ls_work_new(&schemas, "", "");
    ls_decoder *d = ls_decoder_new(&schemas);
    ls_buf out = {0}, key = {0};
    char name[64];
    if (!w || !read || !d) abort();
    fill(w, s, action);
    int64_t from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++) encode(&ls_format_list_sync, w, &out, at);
    snprintf(name, sizeof name, "encode %c (%zu bytes)", action, at[1]);
    report(name, from, (size_t)ROWS * ROUNDS, out.len * ROUNDS);
    from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++)
        for (uint32_t i = 0; i < ROWS; i++) {
            ls_buf_clear(&key);
            if (ls_format_key(&(const ls_format_options){0}, &w->seen, i, &key, &err) < 0) abort();
        }
    snprintf(name, sizeof name, "key %c", action);
    report(name, from, (size_t)ROWS * ROUNDS, 0);
    from = ls_clock_wall_us();
    for (int r = 0; r < ROUNDS; r++) decode(d, read, &out, at);
    snprintf(name, sizeof name, "decode %c", action);
    report(name, from, (size_t)ROWS * ROUNDS, out.len * ROUNDS);
    bench_protobuf(w, &schemas, action);
    snprintf(name, sizeof name, "csv %c, one file", action);
    bench_csv(read, folder, name, (ls_csv_conf){0}, "");
    snprintf(name, sizeof name, "csv %c, split", action);
    bench_csv(read, folder, name, (ls_csv_conf){.split_files = true}, "");
    snprintf(name, sizeof name, "csv %c, a file a table", action);
    bench_csv(read, folder, name, (ls_csv_conf){0}, "{topic}{table}");
    snprintf(name, sizeof name, "csv %c, formula_guard", action);
    bench_csv(read, folder, name, (ls_csv_conf){.formula_guard = true}, "");
    snprintf(name, sizeof name, "csv %c, zstd", action);
    bench_csv(read, folder, name, (ls_csv_conf){.compress = LS_CSV_ZSTD}, "");
    snprintf(name, sizeof name, "csv %c, gzip", action);
    bench_csv(read, folder, name, (ls_csv_conf){.compress = LS_CSV_GZIP}, "");
    ls_buf_free(&out);
    ls_buf_free(&key);
    ls_decoder_free(d);
    ls_work_free(read);
    ls_work_free(w);
}

int main(int argc, char **argv) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"category", 8, LS_TYPE_STRING}, {"domain", 6, LS_TYPE_STRING},
                                         {"total", 5, LS_TYPE_DECIMAL}, {"created", 7, LS_TYPE_DATETIME}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    ls_schemas schemas = {0};
    ls_schema *s = ls_schema_new(&schemas, "public", 6, "orders", 6, cols, 6, key, 1);
    if (!s) abort();
    for (const char *a = "IUD"; *a; a++) bench(s, *a, argc > 1 ? argv[1] : "/tmp");
    ls_schema_unref(s);
    return 0;
}
