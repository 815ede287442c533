/* Memory that runs out: each allocation of a decoder, a format or a writer fails in its turn. What was begun is refused with "out of
 * memory" and given back, or it is done all the same; never is half of it taken for the whole. The linker puts the functions
 * below in front of the C library's (see CMakeLists.txt). The inputs are the fuzzers' seeds. */
#include "base/text.h"
#include "capture/binlog.h"
#include "capture/wal2json.h"
#include "change/value.h"
#include "format/format.h"
#include "write/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED_MAX = 65536 }; /* bytes */

static long until = -1; /* allocations before one fails; -1: none does */
static bool paused;     /* the test's own allocations do not count */
static bool lasting;    /* the later ones fail too */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static bool fails(void) {
    if (until < 0 || paused) return false;
    if (until > 0) return --until == 0;
    return lasting;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }

typedef struct run {
    ls_schemas schemas;
    ls_work *w;
    ls_buf out; /* the changes as messages */
    ls_error err;
} run;

/* ---- what the decoders ask */

static int pg_keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    static const char *primary[] = {"id"};
    (void)ctx, (void)table, (void)arena, (void)err;
    out->primary = (ls_pg_index){primary, 1, NULL};
    return 0;
}

static int pg_type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    (void)ctx, (void)err;
    if (oid == 1007 || oid == 1009) *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = oid == 1007 ? 23 : 25, .delimiter = ','};
    return 0;
}

static int pg_settle(void *ctx, uint32_t xid, ls_error *err) {
    (void)ctx, (void)xid, (void)err;
    return 0;
}

static void pg_no_identity(void *ctx, const char *schema, const char *table) { (void)ctx, (void)schema, (void)table; }

static int pg_table(void *ctx, const char *schema, const char *table, ls_arena *arena, ls_wal2json_facts *out, ls_error *err) {
    static ls_wal2json_column cols[] = {{"id", 23, 1, false, false, 0, false}, {"v", 25, 2, false, true, 0, false}};
    (void)ctx, (void)schema, (void)table, (void)arena, (void)err;
    *out = (ls_wal2json_facts){.oid = 100, .kind = 'r', .identity = 'd', .cols = cols, .ncols = 2};
    return 0;
}

static const char *my_charset(void *ctx, uint32_t collation) { /* those of the seeds */
    (void)ctx;
    switch (collation) {
    case 7: return "koi8r";
    case 8: return "latin1";
    case 11: return "ascii";
    case 13: return "sjis";
    case 33: return "utf8mb3";
    case 35: return "ucs2";
    case 54: return "utf16";
    case 60: return "utf32";
    default: return "utf8mb4";
    }
}

static int my_columns(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *err) {
    (void)ctx, (void)schema, (void)table, (void)err;
    for (size_t i = 0; i < n; i++) cols[i].type = LS_ASKED_PLAIN, cols[i].precision = 0;
    return 0;
}

static int my_versioned(void *ctx, const char *schema, const char *table, bool *is, ls_error *err) {
    (void)ctx, (void)schema, (void)table, (void)err;
    *is = false;
    return 0;
}

static void my_warning(void *ctx, const char *text) { (void)ctx, (void)text; }

/* ---- one run: what a seed's bytes become */

/* In the other formats, of whose messages nothing is kept: one has a clock in it. */
static int emit_otherwise(run *r, uint32_t i) {
    static const ls_format_ops *const others[] = {&ls_format_debezium, &ls_format_maxwell, &ls_format_flat};
    const size_t from = r->out.len;
    const char action = (char)r->w->seen.changes[i].action;
    int rc = 0;
    if (action == 'X' || action == 'R') return 0; /* not every format has a form for them */
    for (size_t k = 0; rc == 0 && k < sizeof others / sizeof *others; k++) {
        rc = others[k]->encode(&(const ls_format_options){0}, &r->w->seen, i, &r->out, &r->err);
        r->out.len = from;
    }
    return rc;
}

static int emit(run *r) {
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < r->w->seen.count; i++) {
        if (emit_otherwise(r, i)) return -1;
        rc = ls_format_list_sync.encode(&(const ls_format_options){0}, &r->w->seen, i, &r->out, &r->err);
        if (rc == 0 && ls_format_key(&(const ls_format_options){0}, &r->w->seen, i, &r->out, &r->err) < 0) rc = -1;
        ls_buf_char(&r->out, '\n');
    }
    ls_work_reset(r->w);
    return rc || !r->out.failed ? rc : ls_fail_memory(&r->err, "the messages");
}

static const char *const all_tables[] = {"*.*"};

static void pg_warning(void *ctx, const char *text) { (void)ctx, (void)text; }

static int of_pgoutput(run *r, const uint8_t *p, size_t n) {
    ls_pgoutput_conf conf = {.tables = all_tables,
                             .ntables = 1,
                             .schemas = &r->schemas,
                             .delivered_pos = "",
                             .on_invalid_text = LS_INVALID_REPLACE,
                             .catalog = {NULL, pg_settle, pg_keys, pg_type, pg_no_identity, pg_warning, NULL}};
    ls_pgoutput *d = ls_pgoutput_new(&conf);
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (size_t at = 0, len; rc == 0 && at < n; at += len) {
        len = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        at += 4;
        void *message = __real_malloc(len ? len : 1);
        assert_non_null(message);
        memcpy(message, p + at, len);
        rc = ls_pgoutput_message(d, r->w, message, len, &r->err);
        if (ls_work_keep(r->w, message, len, free)) rc = ls_fail_memory(&r->err, "a message"); /* which is given back all the same */
    }
    if (rc == 0) rc = emit(r);
    ls_pgoutput_free(d);
    return rc;
}

static int of_wal2json(run *r, const uint8_t *p, size_t n) {
    ls_wal2json_conf conf = {.tables = all_tables,
                             .ntables = 1,
                             .schemas = &r->schemas,
                             .delivered_pos = "",
                             .on_invalid_text = LS_INVALID_REPLACE,
                             .catalog = {{NULL, pg_settle, pg_keys, pg_type, pg_no_identity, pg_warning, NULL}, pg_table}};
    ls_wal2json *d = ls_wal2json_new(&conf);
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (const uint8_t *end = p + n, *next; rc == 0 && p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t)(end - p));
        if (!next) next = end;
        rc = ls_wal2json_message(d, r->w, p, (size_t)(next - p), &r->err);
    }
    if (rc == 0) rc = emit(r);
    ls_wal2json_free(d);
    return rc;
}

static int of_binlog(run *r, const uint8_t *p, size_t n) {
    ls_place start = {.file = 6, .offset = 4};
    ls_binlog_conf conf = {.tables = all_tables,
                           .ntables = 1,
                           .ddl = true,
                           .mariadb = true,
                           .hold_max = 2000,
                           .on_invalid_text = LS_INVALID_REPLACE,
                           .schemas = &r->schemas,
                           .ask = {NULL, my_charset, my_columns, my_versioned, my_warning}};
    ls_binlog *b = NULL;
    int rc = ls_binlog_new(&b, &conf, &r->err);
    if (rc == 0) ls_binlog_start(b, &start, "", 0, false);
    for (size_t at = 0, len; rc == 0 && at < n; at += len) {
        uint32_t l;
        memcpy(&l, p + at + 9, 4);
        len = l;
        rc = ls_binlog_event(b, p + at, len, r->w, &r->err);
        for (; rc == 1; rc = ls_binlog_more(b, r->w, &r->err))
            if (emit(r)) rc = -1;
    }
    if (rc == 0) rc = emit(r);
    ls_binlog_free(b);
    return rc;
}

static int of_messages(run *r, const uint8_t *p, size_t n) {
    ls_decoder *d = ls_decoder_new(&r->schemas);
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (const uint8_t *end = p + n, *next; rc == 0 && p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t)(end - p));
        if (!next) next = end;
        rc = ls_decoder_read(d, r->w, (const char *)p, (size_t)(next - p), &r->err);
    }
    if (rc == 0) rc = emit(r);
    ls_decoder_free(d);
    return rc;
}

/* Messages behind their lengths, which the decoder reads and the format writes again. */
static int of_protobuf(run *r, const uint8_t *p, size_t n) {
    ls_decoder *d = ls_decoder_for(&r->schemas, "protobuf");
    ls_buf out = {0};
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (size_t at = 0, len; rc == 0 && at < n; at += 2 + len) {
        len = p[at] | (size_t)p[at + 1] << 8;
        rc = ls_decoder_read(d, r->w, (const char *)p + at + 2, len, &r->err);
    }
    for (uint32_t i = 0; rc == 0 && i < r->w->seen.count; i++) rc = ls_format_protobuf.encode(&(const ls_format_options){0}, &r->w->seen, i, &out, &r->err);
    if (rc == 0) ls_hex_add(&r->out, out.data, out.len);
    if (rc == 0 && r->out.failed) rc = ls_fail_memory(&r->err, "the messages in hex");
    ls_buf_free(&out);
    ls_decoder_free(d);
    return rc;
}

static int of_raw(run *r, const uint8_t *p, size_t n) {
    ls_decoder *d = ls_decoder_for(&r->schemas, "raw");
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (int i = 0; rc == 0 && i < 2; i++) {
        const ls_incoming m = {.topic = i ? "other" : "wal", .value = (const char *)p, .value_len = n, .time = 1732313405120 + i};
        rc = ls_decoder_message(d, r->w, &m, &r->err);
    }
    if (rc == 0) rc = emit(r);
    ls_decoder_free(d);
    return rc;
}

/* What hooks do with rows. */
static int of_edited(run *r, const uint8_t *p, size_t n) {
    ls_decoder *d = ls_decoder_new(&r->schemas);
    ls_batch *b = &r->w->seen;
    char large[2000];
    memset(large, 'x', sizeof large);
    int rc = d ? ls_decoder_read(d, r->w, (const char *)p, n, &r->err) : ls_fail_memory(&r->err, "a decoder");
    bool edited = rc == 0;
    for (int i = 0; i < 100 && edited; i++) edited = ls_row_set_text(b, 0, 1, 1, large, sizeof large) == 0; /* more than the arena's first chunk takes */
    edited = edited && ls_row_add(b, 0, "more", 4, LS_TYPE_STRING) == 2 && ls_row_set_table(b, 0, "other", 5, "u", 1) == 0 && ls_row_drop(b, 0, 0) == 0;
    if (rc == 0 && !edited) rc = ls_fail(&r->err, LS_FAIL, "%s", ls_row_error(b));
    if (rc == 0) rc = emit(r);
    ls_decoder_free(d);
    return rc;
}

static char csv_folder[64];
static ls_csv_conf csv_conf;

/* The files' names and what is in them; they are removed. */
static void show_files(run *r) {
    struct dirent **names;
    int n = scandir(csv_folder, &names, NULL, alphasort);
    assert_true(n >= 2);
    for (int i = 0; i < n; i++) {
        char bytes[4096], path[400];
        snprintf(path, sizeof path, "%s/%s", csv_folder, names[i]->d_name);
        FILE *in = *names[i]->d_name == '.' ? NULL : fopen(path, "rb");
        size_t len = in ? fread(bytes, 1, sizeof bytes, in) : 0;
        if (in) fclose(in), unlink(path);
        if (in && r) ls_buf_fmt(&r->out, "%s:\n", names[i]->d_name), ls_hex_add(&r->out, bytes, len);
        free(names[i]);
    }
    free(names);
}

static int of_csv(run *r, const uint8_t *p, size_t n) {
    ls_decoder *d = ls_decoder_new(&r->schemas);
    ls_writer *csv = NULL;
    int rc = d ? 0 : ls_fail_memory(&r->err, "a decoder");
    for (const uint8_t *end = p + n, *next; rc == 0 && p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t)(end - p));
        rc = ls_decoder_read(d, r->w, (const char *)p, (size_t)(next - p), &r->err);
    }
    for (int again = 0; again < 2 && rc == 0; again++) { /* the second time there is a file to learn from */
        rc = ls_csv_open(&csv, &csv_conf, &r->err);
        if (rc == 0) rc = csv->ops->write(csv, &r->w->seen, &r->err) || csv->ops->flush(csv, NULL, 0, &r->err) ? -1 : 0;
        if (csv) csv->ops->close(csv);
        csv = NULL;
    }
    ls_decoder_free(d);
    paused = true;
    show_files(rc ? NULL : r); /* a file that could not be read is no file of somebody else: there is no further one */
    paused = false;
    return rc;
}

typedef int decode_fn(run *r, const uint8_t *p, size_t n);

typedef struct outcome {
    int rc;
    char *text; /* of the changes, if rc is 0 */
    ls_error err;
    bool reached; /* the allocation that was to fail */
} outcome;

static outcome attempt(decode_fn *decode, const uint8_t *p, size_t n, long nth) {
    run r = {0};
    outcome o = {0};
    until = nth;
    r.w = ls_work_new(&r.schemas, "shop", "db");
    o.rc = r.w ? decode(&r, p, n) : ls_fail_memory(&r.err, "a batch");
    o.reached = until == 0;
    until = -1;
    o.text = strdup(o.rc || !r.out.len ? "" : ls_buf_cstr(&r.out));
    o.err = r.err;
    ls_work_free(r.w);
    ls_buf_free(&r.out);
    return o;
}

static void each_allocation_fails(decode_fn *decode, const uint8_t *p, size_t n, const char *name) {
    outcome whole = attempt(decode, p, n, -1), o = {.reached = true};
    if (whole.rc) fail_msg("%s: %s", name, whole.err.text);
    for (int turn = 0; turn < 2; turn++) {
        int refused = 0;
        lasting = turn;
        for (long nth = 1;; nth++) {
            o = attempt(decode, p, n, nth);
            if (o.rc && !strstr(o.err.text, "out of memory")) fail_msg("%s, allocation %ld: %s", name, nth, o.err.text);
            if (o.rc == 0 && strcmp(o.text, whole.text) != 0) fail_msg("%s, allocation %ld: %s\nis not\n%s", name, nth, o.text, whole.text);
            refused += o.rc != 0;
            free(o.text);
            if (!o.reached) break; /* there are no more */
        }
        assert_int_equal(o.rc, 0);
        assert_true(refused > 5);
    }
    free(whole.text);
}

static void seeds(decode_fn *decode, const char *folder, const char *const *names) {
    static uint8_t bytes[SEED_MAX];
    for (; *names; names++) {
        char path[512];
        snprintf(path, sizeof path, "%s/fuzz/seeds/%s/%s", TESTS_DIR, folder, *names);
        FILE *in = fopen(path, "rb");
        if (!in) fail_msg("%s is not there", path);
        size_t n = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        each_allocation_fails(decode, bytes, n, *names);
    }
}
#define SEEDS(decode, folder, ...) seeds(decode, folder, (const char *const[]){__VA_ARGS__, NULL})

static void test_pgoutput(void **state) {
    (void)state;
    SEEDS(of_pgoutput, "pgoutput", "alter", "arrays", "full", "geometry", "invalid_text", "key_change", "toast", "transaction", "types", "using_index");
}

static void test_wal2json(void **state) {
    (void)state;
    SEEDS(of_wal2json, "wal2json", "alter", "full", "invalid_text", "transaction", "types");
}

static void test_binlog(void **state) {
    (void)state;
    SEEDS(of_binlog, "binlog", "compressed", "held", "invalid_text", "mariadb_types", "minimal", "statements", "types", "xa", "xa_prepared");
}

static void test_messages(void **state) {
    (void)state;
    SEEDS(of_messages, "message", "01.json", "03.json", "09.json", "shapes.json");
}

static void test_protobuf(void **state) {
    (void)state;
    SEEDS(of_protobuf, "protobuf", "all.bin", "hooked.bin", "types-01.bin");
}

static void test_raw(void **state) {
    (void)state;
    each_allocation_fails(of_raw, (const uint8_t *)"any", 3, "raw");
}

#define ROW(action, section) \
    "{\"action\":\"" action "\",\"schema\":\"p\",\"table\":\"t\",\"" section "\":[{\"name\":\"id\",\"value\":1},{\"name\":\"a\",\"value\":\"x\\ny\"}]}"

static void test_edited_rows(void **state) {
    (void)state;
    static const char row[] = ROW("I", "columns");
    each_allocation_fails(of_edited, (const uint8_t *)row, sizeof row - 1, "an edited row");
}

static void each_csv(const ls_csv_keep_conf *keep) {
    static const char rows[] = ROW("D", "identity") "\n" ROW("I", "columns") "\n" ROW("D", "identity") "\n";
    static const ls_csv_conf kinds[] = {{.max_open_files = 1}, {.rotate_rows = 2, .rotate_every = 60}, {.compress = LS_CSV_ZSTD},
                                        {.compress = LS_CSV_GZIP, .rotate_bytes = 40}};
    static const ls_layout_column columns[] = {{.title = "n", .from = "id"}, {.title = "day", .from = "day", .date = "%d", .optional = true}, {.title = "f"}};
    static ls_csv_layout layout = {.what = {.pattern = "p.t", .columns = columns, .ncolumns = 3}};
    char filename[80];
    strcpy(csv_folder, "/tmp/test_memory.XXXXXX");
    assert_non_null(mkdtemp(csv_folder));
    for (size_t i = 0; i < 2 * sizeof kinds / sizeof *kinds; i++) {
        snprintf(filename, sizeof filename, i % 2 ? "%s/{schema}-{table}{topic}" : "%s/out", csv_folder);
        csv_conf = kinds[i / 2];
        csv_conf.filename = filename;
        csv_conf.keep = keep;
        csv_conf.consumer = "c";
        csv_conf.header = true;
        csv_conf.delimiter = ',';
        csv_conf.quote = '"';
        csv_conf.newline = "\n";
        csv_conf.null_text = csv_conf.absent_text = "";
        each_allocation_fails(of_csv, (const uint8_t *)rows, sizeof rows - 1, "rows");
        layout.conf = csv_conf;
        csv_conf.layouts = &layout;
        csv_conf.nlayouts = 1;
        each_allocation_fails(of_csv, (const uint8_t *)rows, sizeof rows - 1, "laid rows");
    }
    assert_int_equal(rmdir(csv_folder), 0);
}

static void test_csv(void **state) {
    (void)state;
    each_csv(NULL);
}

static void test_csv_with_a_manifest(void **state) {
    (void)state;
    static const ls_csv_keep_conf keep = {.consumer = "c", .instance = 1, .instances = 1, .settle_ms = 1000000};
    each_csv(&keep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pgoutput), cmocka_unit_test(test_wal2json), cmocka_unit_test(test_binlog),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_protobuf), cmocka_unit_test(test_raw), cmocka_unit_test(test_edited_rows), cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_with_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
