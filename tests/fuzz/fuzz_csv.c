/* Any bytes as a CSV file that is there when the writer starts, and rows written behind it. What a start leaves is what was there up to
 * the end of a whole record, and a second start leaves it as it is; rows read back as they were written. Both are looked at with a few
 * plain lines of RFC 4180. The file is in a folder of its own under TMPDIR.
 * A compressed file is the input's bytes themselves, or (both bits) zstd frames or gzip members of some of them each. The file's bytes are
 * taken for a template, too.
 * Input: options, delimiter, quote, the file's length, two bytes, little endian, the file, the number of columns, rows. */
#include "base/cursor.h"
#include "change/batch.h"
#include "change/value.h"
#include "write/csv_pack.h"
#include "write/path.h"
#include "write/writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum options { HEADER = 1, BOM = 2, CRLF = 4, SPLIT = 8, WORDS = 16, GUARD = 32, ZSTD = 64, GZIP = 128 };
enum { COLUMNS_MAX = 5, ROWS_MAX = 40, PARTS_MAX = 4, PATH_ROOM = 320 };
enum cell { IS_NULL = 255, IS_ABSENT = 254 }; /* else its length */

typedef struct row {
    char action;
    ls_value *cells;
} row;

typedef struct rows {
    row all[ROWS_MAX];
    size_t n, ncols;
    ls_schema *schema;
} rows;

static const char bom[] = "\xef\xbb\xbf";
static char folder[256], filename[PATH_ROOM - 32];
static const char *packed_end = ""; /* .zst, .gz */
static size_t frame;                /* bytes of a compressed file's frame, packed by this program; 0: its bytes are the input's */

static void want(bool ok) {
    if (!ok) abort();
}

/* ---- files */

static void path_of(char out[PATH_ROOM], const char *kind, size_t part, const char *end) {
    char number[24] = "";
    if (part > 1) snprintf(number, sizeof number, "-%zu", part);
    snprintf(out, PATH_ROOM, "%s_c%s%s.csv%s%s", filename, kind, number, packed_end, end);
}

static void remove_files_of(const char *end) {
    static const char *const kinds[] = {"", "_insert", "_delete"};
    char path[PATH_ROOM];
    packed_end = end;
    for (size_t k = 0; k < 3; k++)
        for (size_t part = 1; part <= PARTS_MAX; part++) {
            path_of(path, kinds[k], part, "");
            if (unlink(path)) break; /* there is no part behind it */
        }
    for (size_t k = 0; k < 2; k++) {
        path_of(path, kinds[k], 1, ".cut");
        unlink(path);
    }
}

static void remove_files(void) {
    const char *now = packed_end;
    remove_files_of("");
    remove_files_of(".zst");
    remove_files_of(".gz");
    packed_end = now;
}

static void remove_folder(void) {
    remove_files();
    rmdir(folder);
}

static void make_folder(void) {
    const char *in = getenv("TMPDIR");
    if (*folder) return;
    snprintf(folder, sizeof folder, "%s/fuzz_csv.XXXXXX", in ? in : "/tmp");
    want(mkdtemp(folder) != NULL);
    snprintf(filename, sizeof filename, "%s/f", folder);
    atexit(remove_folder);
}

static void put_file(const char *path, const ls_buf *bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    want(fd >= 0 && (!bytes->len || write(fd, bytes->data, bytes->len) == (ssize_t)bytes->len) && close(fd) == 0);
}

/* false: there is none. */
static bool get_file(const char *path, ls_buf *out) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    ls_buf_clear(out);
    if (fd < 0) return false;
    want(fstat(fd, &st) == 0 && ls_buf_room(out, (size_t)st.st_size + 1));
    want(read(fd, out->data, (size_t)st.st_size) == st.st_size && close(fd) == 0);
    out->len = (size_t)st.st_size;
    return true;
}

/* ---- compressed files */

static int put_packed(void *to, const char *p, size_t n, ls_error *err) {
    (void)err;
    ls_buf_add(to, p, n);
    return 0;
}

static void pack(const ls_csv_conf *conf, const ls_buf *plain, ls_buf *out) {
    ls_packer *k;
    ls_error err;
    want(ls_packer_new(&k, conf->compress, &err) == 0);
    for (size_t at = 0, n; at < plain->len; at += n) {
        n = plain->len - at < frame ? plain->len - at : frame;
        want(ls_packer_add(k, plain->data + at, n, true, put_packed, out, &err) == 0);
    }
    ls_packer_free(k);
}

/* With zlib's and libzstd's own calls. false: it is not whole frames. */
static bool unpack(const ls_csv_conf *conf, const ls_buf *in, ls_buf *out) {
    char room[4096];
    ls_buf_clear(out);
    if (conf->compress == LS_CSV_ZSTD) {
        ZSTD_DCtx *z = ZSTD_createDCtx();
        ZSTD_inBuffer from = {in->data, in->len, 0};
        size_t left = 0;
        for (bool more = in->len; more && !ZSTD_isError(left);) {
            ZSTD_outBuffer to = {room, sizeof room, 0};
            left = ZSTD_decompressStream(z, &to, &from);
            ls_buf_add(out, room, to.pos);
            more = from.pos < from.size || to.pos == to.size;
        }
        ZSTD_freeDCtx(z);
        return left == 0;
    }
    for (size_t at = 0; at < in->len;) {
        z_stream z = {.next_in = (Bytef *)in->data + at, .avail_in = (uInt)(in->len - at)};
        int rc = inflateInit2(&z, 15 + 16);
        while (rc == Z_OK) {
            z.next_out = (Bytef *)room;
            z.avail_out = sizeof room;
            rc = inflate(&z, Z_NO_FLUSH);
            ls_buf_add(out, room, sizeof room - z.avail_out);
        }
        at = in->len - z.avail_in;
        inflateEnd(&z);
        if (rc != Z_STREAM_END) return false;
    }
    return true;
}

/* A file's bytes, not compressed; false: there is none. */
static bool get_plain(const ls_csv_conf *conf, const char *path, ls_buf *out) {
    ls_buf bytes = {0};
    if (!conf->compress) return get_file(path, out);
    bool there = get_file(path, &bytes);
    if (there && !unpack(conf, &bytes, out)) ls_buf_clear(out); /* somebody else's */
    ls_buf_free(&bytes);
    return there;
}

/* ---- plain reading */

/* Where the last whole record ends, and the first one: SIZE_MAX: there is none. */
static size_t whole_records(const ls_csv_conf *conf, const ls_buf *f, size_t *first) {
    size_t whole = 0;
    *first = SIZE_MAX;
    for (size_t i = 0; i < f->len; i++) {
        if (f->data[i] == conf->quote) { /* to its closing quote; "" is two cells' halves, which comes to the same */
            do i++;
            while (i < f->len && f->data[i] != conf->quote);
        } else if (f->data[i] == '\n') {
            whole = i + 1;
            if (*first == SIZE_MAX) *first = i;
        }
    }
    return whole;
}

/* first: bytes of the first record; whole: its end is there, so that it is not the beginning of a header only. */
static bool begins_as_ours(const ls_csv_conf *conf, const ls_buf *f, size_t first, bool whole) {
    char start[] = "\xef\xbb\xbf" "action?";
    enum { AS_LONG = 7 };
    start[3 + AS_LONG - 1] = conf->delimiter;
    for (size_t at = 0; at <= 3; at += 3) { /* with the mark in front, and without */
        size_t n = 3 - at + AS_LONG, here = first < n ? first : n;
        if ((here == n || !whole) && (!here || memcmp(f->data, start + at, here) == 0)) return true;
    }
    return false;
}

/* Takes a cell of what this writer wrote. true: the record ends behind it. */
static bool take_cell(const ls_csv_conf *conf, const char **at, const char *end, ls_buf *out, bool *quoted) {
    const char *p = *at;
    size_t newline = strlen(conf->newline);
    ls_buf_clear(out);
    *quoted = p < end && *p == conf->quote;
    if (*quoted) {
        for (p++;; p++) {
            want(p < end);
            if (*p == conf->quote && (p + 1 == end || p[1] != conf->quote)) break;
            if (*p == conf->quote) p++;
            ls_buf_char(out, *p);
        }
        p++;
    } else {
        for (; p < end && *p != conf->delimiter && *p != conf->newline[0]; p++) {
            want(*p != conf->quote && *p != '\n');
            ls_buf_char(out, *p);
        }
    }
    want(p < end);
    bool last = *p != conf->delimiter;
    if (last) want((size_t)(end - p) >= newline && memcmp(p, conf->newline, newline) == 0);
    *at = p + (last ? newline : 1);
    return last;
}

static bool is(const ls_buf *cell, const char *text, size_t n) {
    return cell->len == n && (n == 0 || memcmp(cell->data, text, n) == 0);
}

static void is_value(const ls_csv_conf *conf, const ls_value *v, const ls_buf *cell, bool quoted) {
    const char *token = v->state == LS_NULL ? conf->null_text : conf->absent_text;
    if (v->state == LS_PRESENT && conf->formula_guard && v->len && strchr("=+-@\t\r\n", *v->as.p) && *v->as.p && !is(cell, v->as.p, v->len)) {
        want(quoted && cell->len == v->len + 1 && *cell->data == '\'' && memcmp(cell->data + 1, v->as.p, v->len) == 0);
    } else if (v->state == LS_PRESENT) {
        want(is(cell, v->as.p, v->len));
        if (conf->formula_guard && v->len) want(!strchr("=+@\t\r\n", *v->as.p) || !*v->as.p);
        want(quoted || v->len); /* an empty text is never taken for a value that is not there */
        want(quoted || (!is(cell, conf->null_text, strlen(conf->null_text)) && !is(cell, conf->absent_text, strlen(conf->absent_text))));
    } else {
        want(!quoted && is(cell, token, strlen(token)));
    }
}

/* A record, compared with the next row that was written if it is an insert. Gives its number of cells. */
static size_t take_record(const ls_csv_conf *conf, const char **at, const char *end, const rows *written, size_t *next) {
    ls_buf cell = {0};
    bool quoted, last = take_cell(conf, at, end, &cell, &quoted), insert = !quoted && is(&cell, "I", 1);
    size_t n = 1;
    while (insert && *next < written->n && written->all[*next].action != 'I') ++*next;
    want(!insert || *next < written->n);
    for (; !last; n++) {
        last = take_cell(conf, at, end, &cell, &quoted);
        if (n == 1 && insert) want(is(&cell, "db.t \",;", 8));
        if (n > 1 && insert) want(n < written->ncols + 2), is_value(conf, &written->all[*next].cells[n - 2], &cell, quoted);
    }
    if (insert) want(n == written->ncols + 2), ++*next;
    ls_buf_free(&cell);
    return n;
}

/* What stands behind the first `from` bytes; gives the number of rows. */
static size_t read_part(const ls_csv_conf *conf, const ls_buf *f, size_t from, const rows *written, size_t *next) {
    if (f->len == from) return 0;
    const char *at = f->data + from, *end = f->data + f->len;
    size_t n = 0, cells = 0;
    if (!from && conf->bom) want(f->len >= 3 && memcmp(at, bom, 3) == 0), at += 3;
    if (!from && conf->header) {
        size_t none = written->n;
        cells = take_record(conf, &at, end, written, &none);
    }
    for (; at < end; n++) {
        size_t here = take_record(conf, &at, end, written, next);
        want(!cells || here == cells);
        cells = here;
    }
    return n;
}

/* ---- the writer */

static bool options(ls_cursor *in, ls_csv_conf *conf) {
    uint8_t bits = ls_cursor_u8(in);
    char delimiter = (char)ls_cursor_u8(in), quote = (char)ls_cursor_u8(in);
    const char signs[] = {delimiter, quote, '\0'};
    for (size_t i = 0; i < 2; i++) { /* what a script may choose; a letter would stand in the first cell */
        char c = signs[i], lower = (char)(c | 32);
        if ((c != '\t' && (c < ' ' || c > '~')) || (lower >= 'a' && lower <= 'z')) return false;
    }
    *conf = (ls_csv_conf){.filename = filename,
                          .consumer = "c",
                          .split_files = bits & SPLIT,
                          .header = bits & HEADER,
                          .bom = bits & BOM,
                          .formula_guard = bits & GUARD,
                          .compress = bits & ZSTD ? LS_CSV_ZSTD : bits & GZIP ? LS_CSV_GZIP : LS_CSV_PLAIN,
                          .delimiter = delimiter,
                          .quote = quote,
                          .newline = bits & CRLF ? "\r\n" : "\n",
                          .null_text = bits & WORDS ? "NULL" : "",
                          .absent_text = bits & WORDS ? "~~" : ""};
    frame = 0;
    if ((bits & ZSTD) && (bits & GZIP)) {
        frame = 1 + (size_t)(bits & 31) * 3;
        if (bits & BOM) conf->compress = LS_CSV_GZIP;
    }
    packed_end = conf->compress == LS_CSV_ZSTD ? ".zst" : conf->compress == LS_CSV_GZIP ? ".gz" : "";
    return delimiter != quote && !strpbrk(conf->absent_text, signs);
}

static ls_value take_value(ls_cursor *in, ls_work *w) {
    uint8_t n = ls_cursor_u8(in);
    if (n == IS_NULL) return ls_value_state(LS_NULL);
    if (n == IS_ABSENT) return ls_value_state(LS_ABSENT);
    char *p = ls_arena_alloc(&w->arena, n);
    size_t left = ls_cursor_left(in), len = n < left ? n : left;
    want(p != NULL);
    if (len) memcpy(p, ls_cursor_take(in, len), len);
    return ls_value_text(p, len);
}

static void take_rows(ls_cursor *in, ls_schemas *schemas, ls_work *w, rows *out) {
    static const ls_column_def cols[COLUMNS_MAX] = {
        {"id", 2, LS_TYPE_STRING}, {"say \"so\"", 8, LS_TYPE_STRING}, {"a,b;c|d\te", 9, LS_TYPE_STRING}, {"two\r\nlines", 10, LS_TYPE_STRING}, {"'", 1, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    const ls_tx tx = {.pos = "01"};
    out->ncols = ls_cursor_u8(in) % COLUMNS_MAX + 1;
    out->schema = ls_schema_new(schemas, "db", 2, "t \",;", 5, cols, out->ncols, key, 1);
    want(out->schema != NULL);
    while (ls_cursor_left(in) && out->n < ROWS_MAX) {
        row *r = &out->all[out->n++];
        uint8_t kind = ls_cursor_u8(in) % 8;
        r->action = "IIIIDDDT"[kind];
        r->cells = ls_work_values(w, out->ncols);
        want(r->cells != NULL);
        for (size_t i = 0; i < out->ncols && r->action != 'T'; i++)
            if (i == 0 || kind != 6) r->cells[i] = take_value(in, w); /* 6: a row before with its key alone */
        ls_change *c = ls_work_add(w, out->schema, ls_work_tx(w, &tx), (uint8_t)r->action, out->n);
        want(c != NULL);
        if (r->action == 'I') c->after = r->cells;
        if (r->action == 'D') c->before = r->cells;
    }
}

static ls_writer *start(const ls_csv_conf *conf) {
    ls_writer *csv;
    ls_error err;
    want(ls_csv_open(&csv, conf, &err) == 0);
    return csv;
}

/* The file that was there: what a start leaves of it. Gives that length. */
static size_t check_start(const ls_csv_conf *conf, const char *kind, const ls_buf *was) {
    ls_buf now = {0};
    char path[PATH_ROOM], cut[PATH_ROOM];
    size_t first, whole = whole_records(conf, was, &first);
    bool none = first == SIZE_MAX, ours = !conf->header || begins_as_ours(conf, was, none ? was->len : first, !none);
    size_t left = ours ? whole : was->len;
    path_of(path, kind, 1, "");
    path_of(cut, kind, 1, ".cut");
    put_file(path, was);
    for (int i = 0; i < 2; i++) {
        ls_writer *csv = start(conf);
        csv->ops->close(csv);
        want(get_file(path, &now) && now.len == left && (!left || memcmp(now.data, was->data, left) == 0));
        bool lines = left < was->len && memchr(was->data + left, '\n', was->len - left);
        want(get_file(cut, &now) == lines); /* what may have been rows is kept there, once */
        if (lines) want(now.len == was->len - left && memcmp(now.data, was->data + left, now.len) == 0);
    }
    ls_buf_free(&now);
    return left;
}

/* What a start leaves of a compressed file: its beginning, and of a file of this writer whole frames with whole records. Gives its length when it is
 * not compressed. */
static size_t check_packed_start(const ls_csv_conf *conf, const char *kind, ls_buf *was) {
    ls_buf bytes = {0}, now = {0}, plain = {0};
    char path[PATH_ROOM], cut[PATH_ROOM];
    size_t first, left = SIZE_MAX;
    path_of(path, kind, 1, "");
    path_of(cut, kind, 1, ".cut");
    if (frame) pack(conf, was, &bytes);
    else ls_buf_add(&bytes, was->data, was->len);
    put_file(path, &bytes);
    for (int i = 0; i < 2; i++) {
        ls_writer *csv = start(conf);
        csv->ops->close(csv);
        want(get_file(path, &now) && now.len <= bytes.len && (!now.len || memcmp(now.data, bytes.data, now.len) == 0));
        want(left == SIZE_MAX || now.len == left);
        left = now.len;
        if (get_file(cut, &plain)) want(plain.len == bytes.len - left && memcmp(plain.data, bytes.data + left, plain.len) == 0);
    }
    bool whole = unpack(conf, &now, &plain);
    if (left < bytes.len) want(whole && whole_records(conf, &plain, &first) == plain.len);
    if (frame && left < bytes.len) { /* no frame more could have stayed */
        size_t most = 0;
        for (size_t at = 0; at <= was->len; at = at + frame > was->len && at < was->len ? was->len : at + frame) {
            ls_buf head = {.data = was->data, .len = at};
            if (whole_records(conf, &head, &first) == at) most = at;
        }
        want(plain.len == most);
    }
    ls_buf_clear(was);
    ls_buf_add(was, plain.data, whole ? plain.len : 0);
    ls_buf_free(&bytes), ls_buf_free(&now), ls_buf_free(&plain);
    return was->len;
}

static void check_rows(const ls_csv_conf *conf, const char *kind, const ls_buf *was, size_t left, const rows *written) {
    static const char *const kinds[] = {"_insert", "_delete"};
    ls_buf now = {0};
    char path[PATH_ROOM];
    size_t next = 0, n = 0;
    for (size_t k = 0; k < (conf->split_files ? 2 : 1); k++)
        for (size_t part = 1; part <= PARTS_MAX; part++) {
            const char *of = conf->split_files ? kinds[k] : "";
            bool there = part == 1 && strcmp(of, kind) == 0;
            path_of(path, of, part, "");
            if (!get_plain(conf, path, &now)) break;
            if (there) want(now.len >= left && (!left || memcmp(now.data, was->data, left) == 0));
            n += read_part(conf, &now, there ? left : 0, written, &next);
        }
    while (next < written->n && written->all[next].action != 'I') next++;
    want(next == written->n && n == written->n);
    ls_buf_free(&now);
}

static void run(ls_csv_conf *conf, ls_buf *was, ls_cursor *in) {
    ls_schemas schemas = {0};
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_error err;
    rows written = {0};
    const char *kind = conf->split_files ? "_insert" : "";
    size_t left = conf->compress ? check_packed_start(conf, kind, was) : check_start(conf, kind, was);
    want(w != NULL);
    take_rows(in, &schemas, w, &written);
    ls_writer *csv = start(conf);
    want(csv->ops->write(csv, &w->seen, &err) == 0 && csv->ops->flush(csv, NULL, 0, &err) == 0);
    csv->ops->close(csv);
    check_rows(conf, kind, was, left, &written);
    csv = start(conf); /* all that was written is whole records */
    csv->ops->close(csv);
    check_rows(conf, kind, was, left, &written);
    ls_schema_unref(written.schema);
    ls_work_free(w);
}

/* What a template is filled in with is a path that it may stand for. */
static void check_template(const ls_buf *from) {
    enum { TEMPLATE = 40, VALUE = 6 };
    char template_[TEMPLATE + 1] = "", value[VALUE + 1] = "";
    size_t n = from->len < TEMPLATE ? from->len : TEMPLATE;
    ls_error err;
    ls_buf path = {0};
    if (n) memcpy(template_, from->data, n);
    if (from->len > TEMPLATE) memcpy(value, from->data + TEMPLATE, from->len - TEMPLATE < VALUE ? from->len - TEMPLATE : VALUE);
    if (ls_path_uses(template_, &err) <= 0) return;
    const ls_path_values v = {.schema = value, .table = value, .topic = value, .consumer = value, .kind = "rows", .partition = 7, .ts = 1};
    ls_path_expand(&path, template_, &v);
    want(ls_path_matches(template_, value, ls_buf_cstr(&path), &err) == 1);
    ls_buf_free(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_cursor in = ls_cursor_over(data, size);
    ls_csv_conf conf;
    ls_buf file = {0};
    make_folder();
    if (!options(&in, &conf)) return 0;
    size_t n = (size_t)ls_cursor_le(&in, 2);
    if (in.failed || n > ls_cursor_left(&in)) return 0;
    ls_buf_add(&file, ls_cursor_take(&in, n), n);
    check_template(&file);
    remove_files();
    run(&conf, &file, &in);
    ls_buf_free(&file);
    return 0;
}
