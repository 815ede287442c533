/* bench_paths.c - rows through one path of the engine, in memory: what tests/bench/instructions counts and scripts/bench times.
 *
 *   bench_paths binlog FILE ROUNDS         a MariaDB binlog file -> changes
 *   bench_paths binlog_json FILE ROUNDS    ... -> messages and keys
 *   bench_paths pgoutput FILE ROUNDS       pgoutput messages, each behind its length (4 bytes, big endian) -> changes
 *   bench_paths encode ROUNDS              changes -> messages and keys
 *   bench_paths decode ROUNDS              messages -> changes
 *   bench_paths csv FOLDER ROUNDS          changes -> CSV files (split_files), which are removed again
 *   bench_paths filter ROUNDS              changes through a filter
 *
 * Prints how many rows went through. A round is the file, or 1,024 rows: half of them inserts, a quarter updates, a quarter deletes. */
#include "base/cursor.h"
#include "capture/binlog.h"
#include "capture/pgoutput.h"
#include "change/row.h"
#include "change/value.h"
#include "format/format.h"
#include "script/script.h"
#include "write/writer.h"
#include "rows.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ls_error err;
static ls_schemas schemas;

static void must(int rc, const char *what) {
    if (rc == 0) return;
    fprintf(stderr, "bench_paths: %s: %s\n", what, err.text);
    exit(1);
}

/* Messages and keys of a batch, one behind the other; at: where each message ends, or NULL. */
static void encode(ls_work *w, ls_buf *out, size_t *at) {
    static ls_buf key;
    ls_buf_clear(out);
    for (uint32_t i = 0; i < w->seen.count; i++) {
        ls_buf_clear(&key);
        must(ls_format_list_sync.encode(&(const ls_format_options){0}, &w->seen, i, out, &err), "encoding");
        must(ls_format_key(&(const ls_format_options){0}, &w->seen, i, &key, &err) < 0, "encoding a key");
        if (at) at[i] = out->len;
    }
}

/* ---- recorded input */

/* The file's bytes, until the program ends. */
static ls_buf map_file(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    void *p = fd >= 0 && fstat(fd, &st) == 0 && st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (p == MAP_FAILED) {
        fprintf(stderr, "bench_paths: %s cannot be read\n", path);
        exit(2);
    }
    close(fd);
    return (ls_buf){.data = p, .len = (size_t)st.st_size};
}

static const char *charset(void *ctx, uint32_t collation) {
    (void)ctx, (void)collation;
    return "utf8mb4";
}

static int columns(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *why) {
    (void)ctx, (void)schema, (void)table, (void)cols, (void)n, (void)why;
    return 0;
}

static int versioned(void *ctx, const char *schema, const char *table, bool *is, ls_error *why) {
    (void)ctx, (void)schema, (void)table, (void)why;
    *is = false;
    return 0;
}

static void warn(void *ctx, const char *text) {
    (void)ctx;
    fprintf(stderr, "bench_paths: %s\n", text);
}

static uint64_t take_batch(ls_work *w, ls_buf *out) {
    uint64_t rows = w->seen.count;
    if (out) encode(w, out, NULL);
    ls_work_reset(w);
    return rows;
}

static ls_binlog *open_binlog(void) {
    static const char *const tables[] = {"bench.*"};
    const ls_binlog_conf conf = {.tables = tables, .ntables = 1, .mariadb = true, .hold_max = 1 << 24, .schemas = &schemas,
                                 .ask = {.charset = charset, .columns = columns, .versioned = versioned, .warn = warn}};
    ls_binlog *b;
    must(ls_binlog_new(&b, &conf, &err), "making a decoder");
    return b;
}

static uint64_t binlog(ls_binlog *b, const ls_buf *file, ls_work *w, ls_buf *out) {
    enum { MAGIC = 4, LENGTH_AT = 9 };
    uint64_t rows = 0;
    ls_binlog_start(b, &(ls_place){.file = 1, .offset = MAGIC}, "", 0, true);
    for (size_t at = MAGIC; at < file->len;) {
        ls_cursor length = ls_cursor_over(file->data + at, file->len - at);
        ls_cursor_take(&length, LENGTH_AT);
        size_t n = (size_t)ls_cursor_le(&length, 4);
        must(length.failed || n > file->len - at, "a whole event");
        int rc = ls_binlog_event(b, (const uint8_t *)file->data + at, n, w, &err);
        for (; rc == 1; rc = ls_binlog_more(b, w, &err)) rows += take_batch(w, out);
        must(rc, "an event");
        if (ls_work_full(w)) rows += take_batch(w, out);
        at += n;
    }
    return rows + take_batch(w, out);
}

static int keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *why) {
    static const char *primary[] = {"id"};
    (void)ctx, (void)table, (void)arena, (void)why;
    out->primary = (ls_pg_index){primary, 1, NULL};
    return 0;
}

static int type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *why) {
    (void)ctx, (void)oid, (void)out, (void)why;
    return 0;
}

static int settle(void *ctx, uint32_t xid, ls_error *why) {
    (void)ctx, (void)xid, (void)why;
    return 0;
}

static void no_identity(void *ctx, const char *schema, const char *table) {
    (void)ctx;
    fprintf(stderr, "bench_paths: %s.%s has no identity\n", schema, table);
}

static uint64_t pgoutput(const ls_buf *file, ls_work *w) {
    static const char *const tables[] = {"public.*"};
    const ls_pgoutput_conf conf = {.tables = tables, .ntables = 1, .schemas = &schemas, .delivered_pos = "",
                                   .catalog = {.settle = settle, .keys = keys, .type = type, .no_identity = no_identity, .warn = warn}};
    ls_pgoutput *d = ls_pgoutput_new(&conf);
    uint64_t rows = 0;
    must(!d, "making a decoder");
    for (ls_cursor in = ls_cursor_over(file->data, file->len); ls_cursor_left(&in);) {
        size_t n = (size_t)ls_cursor_be(&in, 4);
        const uint8_t *p = ls_cursor_take(&in, n);
        must(in.failed, "a whole message");
        must(ls_pgoutput_message(d, w, p, n, &err), "a message");
        if (ls_work_full(w)) rows += take_batch(w, NULL);
    }
    rows += take_batch(w, NULL);
    ls_pgoutput_free(d);
    return rows;
}

/* ---- made-up rows */

/* A number, three texts, a date and time, and a NULL. */
static void fill(ls_work *w, const ls_schema *s) {
    enum { TX_ROWS = 128 };
    const ls_tx *tx = NULL;
    uint64_t seq = 0;
    ls_work_reset(w);
    for (int i = 0; i < LS_BATCH_ROWS; i++) {
        tx = tx_of_row(w, i, TX_ROWS, tx, &seq);
        ls_value *v = ls_work_values(w, s->ncols);
        v[0] = ls_value_int(i);
        v[1] = ls_value_text("category number seven", 21);
        v[2] = ls_value_text("www.example.org", 15);
        v[3] = ls_value_text("paid", 4);
        v[4] = ls_value_text("2026-01-31T13:59:59.123456", 26);
        v[5] = ls_value_state(LS_NULL);
        must(i % 4 < 2 ? ls_row_insert(w, s, tx, &seq, v) : i % 4 == 2 ? ls_row_update(w, s, tx, &seq, NULL, v) : ls_row_remove(w, s, tx, &seq, v), "a row");
    }
}

static void decode(ls_decoder *d, ls_work *w, const ls_buf *in, const size_t *at) {
    ls_work_reset(w);
    for (uint32_t i = 0; i < LS_BATCH_ROWS; i++) must(ls_decoder_read(d, w, in->data + (i ? at[i - 1] : 0), at[i] - (i ? at[i - 1] : 0), &err), "decoding");
}

static void csv(ls_work *w, const char *folder, int rounds) {
    char path[512], file[600];
    ls_writer *out;
    ls_csv_conf conf = {.filename = path, .consumer = "c", .header = true, .delimiter = ',', .quote = '"', .newline = "\n", .null_text = "", .absent_text = "", .split_files = true};
    snprintf(path, sizeof path, "%s/bench_paths.%ld", folder, (long)getpid());
    must(ls_csv_open(&out, &conf, &err), "opening CSV files");
    for (int r = 0; r < rounds; r++) must(out->ops->write(out, &w->seen, &err), "writing CSV");
    must(out->ops->flush(out, NULL, 0, &err), "flushing CSV");
    out->ops->close(out);
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s_c_%s.csv", path, i ? "delete" : "insert");
        unlink(file);
    }
}

static void filter(ls_work *w, const ls_schema *s, int rounds) {
    static const char text[] = "local ls = require 'list_sync'\n"
                               "ls.connector { name = 'c', db_type = 'postgres', host = 'h', user = 'u', database = 'd', table = 'public.t', kafka_conf = 'memory',\n"
                               "  topic = 't', filter = function(row) return row.image.status ~= 'draft' end }\n";
    char path[] = "/tmp/bench_paths.XXXXXX";
    ls_script *script;
    int fd = mkstemp(path);
    must(fd < 0 || write(fd, text, sizeof text - 1) != (ssize_t)(sizeof text - 1), "writing a script");
    close(fd);
    must(ls_script_open(&script, path, &(const ls_script_env){0}, &err), "opening the script");
    must(ls_script_use(script, "c", &err), "using a stage");
    for (int r = 0; r < rounds; r++) {
        fill(w, s);
        must(ls_script_run(script, &w->seen, &err), "the filter");
    }
    ls_script_close(script);
    unlink(path);
}

static uint64_t made_up(const char *path, const char *folder, int rounds, ls_work *w) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"category", 8, LS_TYPE_STRING}, {"domain", 6, LS_TYPE_STRING},
                                         {"status", 6, LS_TYPE_STRING}, {"created", 7, LS_TYPE_DATETIME}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    static size_t at[LS_BATCH_ROWS];
    ls_buf out = {0};
    ls_schema *s = ls_schema_new(&schemas, "public", 6, "t", 1, cols, 6, key, 1);
    ls_decoder *d = ls_decoder_new(&schemas);
    ls_work *read = ls_work_new(&schemas, "", "");
    must(!s || !d || !read, "making a table");
    fill(w, s);
    if (strcmp(path, "encode") == 0) {
        for (int r = 0; r < rounds; r++) encode(w, &out, NULL);
    } else if (strcmp(path, "filter") == 0) {
        filter(w, s, rounds);
    } else {
        encode(w, &out, at);
        decode(d, read, &out, at);
        if (strcmp(path, "csv") == 0) csv(read, folder, rounds);
        for (int r = 1; strcmp(path, "decode") == 0 && r < rounds; r++) decode(d, read, &out, at);
    }
    ls_work_free(read);
    ls_decoder_free(d);
    ls_buf_free(&out);
    ls_work_reset(w);
    ls_schema_unref(s);
    return (uint64_t)LS_BATCH_ROWS * (uint64_t)rounds;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "";
    bool recorded = strncmp(path, "binlog", 6) == 0 || strcmp(path, "pgoutput") == 0, named = recorded || strcmp(path, "csv") == 0;
    bool known = named || strcmp(path, "encode") == 0 || strcmp(path, "decode") == 0 || strcmp(path, "filter") == 0;
    if (!known || argc != (named ? 4 : 3) || atoi(argv[argc - 1]) < 1) {
        fprintf(stderr, "usage: bench_paths binlog|binlog_json|pgoutput FILE ROUNDS | csv FOLDER ROUNDS | encode|decode|filter ROUNDS\n");
        return 2;
    }
    int rounds = atoi(argv[argc - 1]);
    ls_work *w = ls_work_new(&schemas, "bench", strcmp(path, "pgoutput") == 0 ? "postgres" : "mysql");
    ls_buf file = {0}, out = {0};
    uint64_t rows = 0;
    must(!w, "making a batch");
    if (recorded) file = map_file(argv[2]);
    ls_binlog *b = open_binlog();
    for (int r = 0; recorded && r < rounds; r++)
        rows += strcmp(path, "pgoutput") == 0 ? pgoutput(&file, w) : binlog(b, &file, w, strcmp(path, "binlog_json") == 0 ? &out : NULL);
    if (!recorded) rows = made_up(path, argv[2], rounds, w);
    printf("%" PRIu64 "\n", rows);
    ls_binlog_free(b);
    ls_buf_free(&out);
    ls_work_free(w);
    return 0;
}
