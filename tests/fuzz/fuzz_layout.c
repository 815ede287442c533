/* Any bytes as a file that is there when a writer with a layout without prefix starts, and rows of its table between those of others, whose files
 * are more than are known at a time. A file that does not begin with the layout's titles is left as it is, of another one whole records
 * stay; what is written is read back with a few plain lines of RFC 4180. A date is refused, or is the text that plain arithmetic gives.
 * The files are in a folder of its own under TMPDIR.
 * Input: options, the file's length, two bytes, little endian, the file, rows: the table's number, the lengths of two texts, which follow. */
#include "base/cursor.h"
#include "change/batch.h"
#include "change/time.h"
#include "change/value.h"
#include "write/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum options { HEADER = 1, CRLF = 2, WORDS = 4, DATES = 8 };
enum { ROWS_MAX = 40, TABLES = 5, PATH_ROOM = 320, IS_NULL = 255, IS_ABSENT = 254 };

static const char titles[] = "'two;''titles';day";
static char folder[256], filename[PATH_ROOM - 32], others[PATH_ROOM - 32];

static void want(bool ok) {
    if (!ok) abort();
}

static void path_of(char out[PATH_ROOM], int part) {
    if (part < 2) snprintf(out, PATH_ROOM, "%s_c.csv", filename);
    else snprintf(out, PATH_ROOM, "%s_c-%d.csv", filename, part);
}

static void remove_files(void) {
    char path[PATH_ROOM];
    for (int part = 1; part < 4; part++) path_of(path, part), unlink(path);
    snprintf(path, sizeof path, "%s_c.csv.cut", filename), unlink(path);
    for (int i = 1; i < TABLES; i++) snprintf(path, sizeof path, "%s/%d.csv", folder, i), unlink(path);
}

static void remove_folder(void) {
    remove_files();
    rmdir(folder);
}

static void make_folder(void) {
    const char *in = getenv("TMPDIR");
    if (*folder) return;
    snprintf(folder, sizeof folder, "%s/fuzz_layout.XXXXXX", in ? in : "/tmp");
    want(mkdtemp(folder) != NULL);
    snprintf(filename, sizeof filename, "%.250s/f", folder);
    snprintf(others, sizeof others, "%.250s/{table}", folder);
    atexit(remove_folder);
}

/* false: there is none. */
static bool get_file(int part, ls_buf *out) {
    char path[PATH_ROOM];
    struct stat st;
    path_of(path, part);
    int fd = open(path, O_RDONLY);
    ls_buf_clear(out);
    if (fd < 0) return false;
    want(fstat(fd, &st) == 0 && ls_buf_room(out, (size_t)st.st_size + 1));
    want(read(fd, out->data, (size_t)st.st_size) == st.st_size && close(fd) == 0);
    out->len = (size_t)st.st_size;
    return true;
}

static void put_file(const ls_buf *bytes) {
    char path[PATH_ROOM];
    path_of(path, 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    want(fd >= 0 && (!bytes->len || write(fd, bytes->data, bytes->len) == (ssize_t)bytes->len) && close(fd) == 0);
}

/* Of somebody else: it neither begins with the titles, nor is a beginning of them that a crash cut. */
static bool is_theirs(const ls_csv_conf *conf, const ls_buf *f) {
    const char *mark = "\xef\xbb\xbf";
    size_t skip = f->len >= 3 && memcmp(f->data, mark, 3) == 0 ? 3 : 0, n = f->len - skip, all = sizeof titles - 1, here = n < all ? n : all;
    if (!conf->header || !f->len || (f->len < 3 && memcmp(f->data, mark, f->len) == 0)) return false;
    return here && memcmp(f->data + skip, titles, here) != 0;
}

/* The cell's text as it must stand in the file. */
static void put_cell(const ls_csv_conf *conf, const ls_value *v, ls_buf *out) {
    const char *token = v->state == LS_NULL ? conf->null_text : conf->absent_text;
    if (v->state != LS_PRESENT) {
        ls_buf_str(out, token);
        return;
    }
    bool quoted = !v->len || (v->len == strlen(conf->null_text) && memcmp(v->as.p, conf->null_text, v->len) == 0) ||
                  (v->len == strlen(conf->absent_text) && memcmp(v->as.p, conf->absent_text, v->len) == 0);
    for (uint32_t i = 0; i < v->len; i++) quoted = quoted || (v->as.p[i] && strchr(";'\r\n", v->as.p[i]));
    if (quoted) ls_buf_char(out, '\'');
    for (uint32_t i = 0; i < v->len; i++) {
        if (v->as.p[i] == '\'') ls_buf_char(out, '\'');
        ls_buf_char(out, v->as.p[i]);
    }
    if (quoted) ls_buf_char(out, '\'');
}

/* What "%Y-%m-%d" makes of a canonical date or time is its year, month and day. -1: it is none. */
static int put_date(const ls_csv_conf *conf, const ls_value *v, ls_buf *out) {
    char text[64];
    int64_t us;
    if (v->state != LS_PRESENT) {
        put_cell(conf, v, out);
        return 0;
    }
    int kind = ls_time_read(v->as.p, v->len, &us);
    ls_value shown = *v;
    if (kind == 0) return -1;
    if (kind == 1) {
        ls_civil t = ls_time_civil(us);
        int n = snprintf(text, sizeof text, "%lld-%02d-%02d", (long long)t.year, t.month, t.day);
        shown = ls_value_text(text, (size_t)n);
    }
    put_cell(conf, &shown, out);
    return 0;
}

static ls_value take_value(ls_cursor *in, ls_work *w, uint8_t n) {
    if (n >= IS_ABSENT) return ls_value_state(n == IS_NULL ? LS_NULL : LS_ABSENT);
    char *p = ls_arena_alloc(&w->arena, n);
    size_t left = ls_cursor_left(in), len = n < left ? n : left;
    want(p != NULL);
    if (len) memcpy(p, ls_cursor_take(in, len), len);
    return ls_value_text(p, len);
}

/* Fills the batch, and *out with the records of the layout's table. false: one has a text for a date that is none. */
static bool take_rows(ls_cursor *in, ls_schema *const *tables, ls_work *w, const ls_csv_conf *conf, bool dates, ls_buf *out) {
    const ls_tx tx = {.pos = "01"};
    for (size_t n = 0; n < ROWS_MAX && ls_cursor_left(in); n++) {
        uint8_t table = ls_cursor_u8(in) % TABLES, first = ls_cursor_u8(in), second = ls_cursor_u8(in);
        ls_change *c = ls_work_add(w, tables[table], ls_work_tx(w, &tx), 'I', n + 1);
        want(c != NULL && (c->after = ls_work_values(w, 2)) != NULL);
        c->after[0] = take_value(in, w, first);
        c->after[1] = take_value(in, w, second);
        if (table) continue;
        put_cell(conf, &c->after[0], out);
        ls_buf_char(out, ';');
        if (!dates) put_cell(conf, &c->after[1], out);
        else if (put_date(conf, &c->after[1], out)) return false;
        ls_buf_str(out, conf->newline);
    }
    return true;
}

static int write_all(const ls_csv_conf *conf, ls_work *w) {
    ls_writer *csv;
    ls_error err;
    want(ls_csv_open(&csv, conf, &err) == 0);
    int rc = w ? csv->ops->write(csv, &w->seen, &err) : 0;
    if (rc == 0) want(csv->ops->flush(csv, NULL, 0, &err) == 0);
    else want(strstr(err.text, "holds no point in time") != NULL);
    csv->ops->close(csv);
    return rc;
}

/* The records stand behind what a start left of the file, or behind the titles in the next part. */
static void check(const ls_csv_conf *conf, size_t left, const ls_buf *records) {
    ls_buf all = {0}, next = {0};
    want(get_file(1, &all));
    bool second = get_file(2, &next);
    ls_buf *f = second ? &next : &all;
    want(f->len >= records->len && (!records->len || memcmp(f->data + f->len - records->len, records->data, records->len) == 0));
    size_t front = f->len - records->len, line = sizeof titles - 1 + strlen(conf->newline);
    if (records->len && (second || !left)) want(front == (conf->header ? line : 0) && memcmp(f->data, titles, conf->header ? line - strlen(conf->newline) : 0) == 0);
    else want(second || front == left);
    ls_buf_free(&all), ls_buf_free(&next);
}

static void run(const ls_csv_conf *conf, const ls_buf *was, ls_cursor *in, bool dates) {
    ls_schemas schemas = {0};
    ls_schema *tables[TABLES];
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_buf now = {0}, records = {0};
    static const ls_column_def cols[] = {{"a", 1, LS_TYPE_STRING}, {"b", 1, LS_TYPE_STRING}};
    want(w != NULL);
    for (int i = 0; i < TABLES; i++) want((tables[i] = ls_schema_new(&schemas, "db", 2, (char[]){(char)('0' + i), 0}, 1, cols, 2, NULL, 0)) != NULL);
    put_file(was);
    for (int i = 0; i < 2; i++) {
        write_all(conf, NULL);
        want(get_file(1, &now) && now.len <= was->len && (!now.len || memcmp(now.data, was->data, now.len) == 0));
        if (is_theirs(&conf->layouts[0].conf, was)) want(now.len == was->len);
    }
    size_t left = now.len;
    bool fine = take_rows(in, tables, w, &conf->layouts[0].conf, dates, &records);
    int rc = write_all(conf, w);
    want((rc == 0) == fine);
    if (rc == 0) check(&conf->layouts[0].conf, left, &records);
    for (int i = 0; i < TABLES; i++) ls_schema_unref(tables[i]);
    ls_work_free(w);
    ls_buf_free(&now), ls_buf_free(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ls_layout_column columns[] = {{.title = "two;'titles", .from = "a"}, {.title = "day", .from = "b"}};
    ls_cursor in = ls_cursor_over(data, size);
    uint8_t bits = ls_cursor_u8(&in);
    size_t n = (size_t)ls_cursor_le(&in, 2);
    ls_buf file = {0};
    make_folder();
    columns[1].date = bits & DATES ? "%Y-%m-%d" : NULL;
    ls_csv_conf conf = {.filename = others, .consumer = "c", .header = true, .delimiter = ',', .quote = '"', .newline = "\n", .null_text = "", .absent_text = ""};
    ls_csv_layout layout = {.what = {.pattern = "db.0", .columns = columns, .ncolumns = 2}, .conf = conf};
    layout.conf.filename = filename;
    layout.conf.bare = true;
    layout.conf.header = bits & HEADER;
    layout.conf.delimiter = ';';
    layout.conf.quote = '\'';
    layout.conf.newline = bits & CRLF ? "\r\n" : "\n";
    layout.conf.null_text = bits & WORDS ? "NULL" : "";
    layout.conf.absent_text = bits & WORDS ? "~~" : "";
    conf.layouts = &layout;
    conf.nlayouts = 1;
    if (in.failed) return 0;
    if (n > ls_cursor_left(&in)) n = ls_cursor_left(&in);
    if (n) ls_buf_add(&file, ls_cursor_take(&in, n), n);
    run(&conf, &file, &in, bits & DATES);
    ls_buf_free(&file);
    remove_files();
    return 0;
}
