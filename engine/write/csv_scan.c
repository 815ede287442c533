#include "write/csv_scan.h"

#include "write/csv_io.h"
#include "write/csv_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = LS_LIMIT(64 * 1024, 64) };

/* ---- cells */

static size_t digits(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') i++;
    return i;
}

/* Is it a number as values are written? A decimal's cell has its text, as any text's. */
static bool is_number(const char *p, size_t n) {
    size_t at = n && *p == '-', whole = digits(p + at, n - at);
    at += whole;
    if (whole && at < n && p[at] == '.') {
        size_t fraction = digits(p + at + 1, n - at - 1);
        at += fraction ? fraction + 1 : 0;
    }
    if (whole && at + 1 < n && (p[at] == 'e' || p[at] == 'E')) {
        size_t sign = p[at + 1] == '+' || p[at + 1] == '-', power = digits(p + at + 1 + sign, n - at - 1 - sign);
        at += power ? 1 + sign + power : 0;
    }
    return whole && at == n;
}

bool ls_csv_is_formula(const char *p, size_t n) { return n && memchr("=+-@\t\r\n", *p, 7) && !is_number(p, n); }

bool ls_csv_next_cell(const ls_csv_conf *conf, const char **at, const char *end, ls_buf *out) {
    const char *p = *at;
    bool quoted = false;
    ls_buf_clear(out);
    if (!p) return false;
    for (; p < end && (quoted || *p != conf->delimiter); p++) {
        if (*p != conf->quote) {
            ls_buf_char(out, *p);
        } else if (quoted && p + 1 < end && p[1] == conf->quote) {
            ls_buf_char(out, *p++);
        } else {
            quoted = !quoted;
        }
    }
    *at = p < end ? p + 1 : NULL;
    if (conf->formula_guard && out->len > 1 && *out->data == '\'' && ls_csv_is_formula(out->data + 1, out->len - 1)) memmove(out->data, out->data + 1, --out->len);
    return true;
}

size_t ls_csv_count_cells(const ls_csv_conf *conf, const char *record, size_t n) {
    bool quoted = false; /* a doubled quote leaves it as it was */
    size_t cells = 1;
    for (size_t i = 0; i < n; i++) {
        if (record[i] == conf->quote) quoted = !quoted;
        cells += record[i] == conf->delimiter && !quoted;
    }
    return cells;
}

bool ls_csv_has_name(const ls_buf *names, const char *name) {
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
        if (strcmp(names->data + at, name) == 0) return true;
    return false;
}

/* ---- finding what is there */

/* Of which tables there are I rows: the first two cells of each record. */
typedef struct heads {
    bool wanted, inside, failed; /* inside: of the two cells; failed: no memory */
    int cells;           /* that are over */
    ls_buf head;         /* what there is of the two, with the delimiters behind them */
    ls_buf seen[2];      /* the last whole ones, of I rows and of others: most are the same again */
    ls_buf inserted;     /* see ls_csv_found */
} heads;

typedef struct scan {
    bool quoted;
    size_t at;      /* bytes so far, not compressed */
    size_t whole;   /* ... up to the end of the last whole record */
    size_t records; /* above 2 right with rotate_rows only */
    ls_buf first, second; /* the first two records, as far as they go */
    size_t end;     /* bytes of the file */
    size_t keep;    /* ... that stay */
    /* of a compressed file, as they were where the last frame ended that ended with a whole record */
    size_t keep_whole, keep_records;
    bool as_it_is, torn; /* nothing is cut; there was something to cut */
    bool theirs;      /* somebody else's */
    bool rows_behind; /* there are whole frames behind `keep`, or what is none */
    heads heads;
} scan;

static void note_head(heads *h, const ls_csv_conf *conf) {
    ls_buf *seen = &h->seen[*h->head.data == 'I'], cell = {0};
    const char *at = h->head.data, *end = h->head.data + h->head.len;
    ls_buf_clear(seen);
    ls_buf_add(seen, h->head.data, h->head.len);
    bool row = ls_csv_next_cell(conf, &at, end, &cell) && cell.len == 1 && *cell.data == 'I' && ls_csv_next_cell(conf, &at, end, &cell) && ls_buf_cstr(&cell);
    if (row && !ls_csv_has_name(&h->inserted, cell.data) && h->inserted.len + cell.len < LS_CSV_INSERTED_MAX) ls_buf_add(&h->inserted, cell.data, cell.len + 1);
    h->failed |= seen->failed || cell.failed || h->inserted.failed;
    ls_buf_free(&cell);
}

/* A byte of a record's first two cells. */
static void head_byte(heads *h, const ls_csv_conf *conf, char byte, bool quoted) {
    ls_buf_char(&h->head, byte);
    h->cells += byte == conf->delimiter && !quoted;
    bool over = h->cells == 2 || (byte == '\n' && !quoted) || h->head.len >= LS_CSV_INSERTED_MAX;
    if (h->cells == 2 && !h->head.failed) note_head(h, conf);
    h->failed |= h->head.failed;
    h->inside = !over;
}

static void begin_head(heads *h) {
    h->inside = h->wanted;
    h->cells = 0;
    ls_buf_clear(&h->head);
}

/* Bytes without a quote, outside of quotes. */
static void plain_heads(heads *h, const ls_csv_conf *conf, const char *p, size_t n) {
    const char *end = p + n;
    while (p < end) {
        const ls_buf *seen = &h->seen[*p == 'I'];
        if (h->inside && !h->head.len && seen->len && (size_t)(end - p) >= seen->len && memcmp(p, seen->data, seen->len) == 0) {
            p += seen->len;
            h->inside = false;
        }
        for (bool ended = false; h->inside && p < end && !ended; p++) {
            head_byte(h, conf, *p, false);
            if ((ended = *p == '\n')) begin_head(h);
        }
        if (h->inside) continue;
        if (p == end || !(p = memchr(p, '\n', (size_t)(end - p)))) return;
        p++;
        begin_head(h);
    }
}

/* A quote inside a quoted cell is doubled, so counting quotes is enough to tell a line end inside a cell from a record's. */
static void scan_bytes(scan *s, const ls_csv_conf *conf, const char *p, size_t n) {
    size_t at = s->at;
    s->at += n;
    if (s->records >= 2 && !memchr(p, conf->quote, n)) { /* most of most files */
        const char *last = s->quoted ? NULL : memrchr(p, '\n', n);
        if (last) s->whole = at + (size_t)(last - p) + 1;
        for (const char *line = p; conf->rotate_rows && last && line <= last; line++, s->records++)
            line = memchr(line, '\n', (size_t)(last - line) + 1);
        if (s->heads.wanted && !s->quoted) plain_heads(&s->heads, conf, p, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] == conf->quote) s->quoted = !s->quoted;
        bool end = p[i] == '\n' && !s->quoted;
        if (s->heads.inside) head_byte(&s->heads, conf, p[i], s->quoted);
        if (end) begin_head(&s->heads);
        if (s->records < 2 && !end) ls_buf_char(s->records ? &s->second : &s->first, p[i]);
        if (!end) continue;
        s->whole = at + i + 1;
        s->records++;
    }
}

/* Does the first record begin as this writer begins a header, or is it a beginning of that? A file that somebody else wrote is left as
 * it is. */
static bool is_ours(const scan *s, const ls_csv_conf *conf) {
    const char action[] = {'a', 'c', 't', 'i', 'o', 'n', conf->delimiter, '\0'}, *begins = conf->begins ? conf->begins : action;
    const ls_buf *first = &s->first;
    size_t skip = first->len >= 3 && memcmp(first->data, LS_CSV_BOM, 3) == 0 ? 3 : 0, n = first->len - skip, wanted = strlen(begins);
    if (!conf->header) return true;
    if (n >= wanted || s->records) return n >= wanted && memcmp(first->data + skip, begins, wanted) == 0;
    return memcmp(first->data + skip, begins, n) == 0 || (first->len < 3 && memcmp(first->data, LS_CSV_BOM, first->len) == 0);
}

/* What is cut off, if it has a line end in it: a record that a crash cut has one in a quoted cell only, but so has a whole file
 * whose rows were quoted otherwise. Nothing that may be rows is thrown away: it goes to name.csv.cut. rows: known by now, if it is
 * compressed. */
static int keep_tail(int fd, const char *path, off_t from, off_t to, const bool *rows, bool *kept, ls_error *err) {
    char bytes[READ_BYTES], name[PATH_MAX];
    bool lines = rows && *rows;
    int cut = -1, rc = 0;
    *kept = false;
    for (int pass = rows != NULL; pass < 2 && rc == 0; pass++) {
        if (pass == 1 && !lines) break;
        snprintf(name, sizeof name, "%s.cut", path);
        if (pass == 1 && (cut = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) < 0) return ls_csv_io_error(err, "open", name);
        for (off_t at = from; at < to && rc == 0;) {
            ssize_t n = pread(fd, bytes, to - at < READ_BYTES ? (size_t)(to - at) : READ_BYTES, at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) rc = ls_csv_io_error(err, "read", path);
            else if (pass == 0) lines = lines || memchr(bytes, '\n', (size_t)n);
            else if (write(cut, bytes, (size_t)n) != n) rc = ls_csv_io_error(err, "write", name);
            if (n > 0) at += n;
        }
    }
    if (cut >= 0 && close(cut) && rc == 0) rc = ls_csv_io_error(err, "write", name);
    *kept = lines;
    return rc;
}

static int cut_back(const scan *s, const ls_csv_conf *conf, int fd, const char *path, ls_error *err) {
    bool kept;
    if (keep_tail(fd, path, (off_t)s->keep, (off_t)s->end, conf->compress ? &s->rows_behind : NULL, &kept, err)) return -1;
    if (ftruncate(fd, (off_t)s->keep)) return ls_csv_io_error(err, "cut back", path);
    if (conf->log && kept)
        ls_log_line(conf->log, LS_WARN,
                    "%s: its last %zu bytes, from byte %zu on, were no whole record and are in %s.cut now: a crash cut a record there, whose row "
                    "comes again; if not, %s",
                    path, s->end - s->keep, s->keep, path,
                    conf->compress ? "the file is damaged there" : "its rows were quoted otherwise (see the option \"quote\")");
    return 0;
}

/* One that is too long has filled its buffer first. */
static bool no_memory_for(const ls_buf *record) {
    return record->failed && record->len < record->max;
}

/* Each frame ends with a whole record, so a file is cut back to the end of a frame. 1: what comes is no frame; -1. */
static int scan_frames(scan *s, const ls_csv_conf *conf, ls_unpacker *u, const char *p, size_t n, char *room, ls_error *err) {
    const char *const begin = p, *const end = p + n;
    for (size_t out = 1; p < end || out;) {
        bool closed;
        int rc = ls_unpack(u, &p, end, room, &out, &closed, err);
        if (rc) s->rows_behind = true;
        if (rc) return rc;
        if (out) scan_bytes(s, conf, room, out);
        if (closed && s->whole == s->at) {
            s->keep = s->end + (size_t)(p - begin);
            s->keep_whole = s->whole;
            s->keep_records = s->records;
        } else if (closed) {
            s->rows_behind = true;
        }
        if (p == end && !out) break;
    }
    return 0;
}

static int read_file(scan *s, const ls_csv_conf *conf, int fd, const char *path, ls_unpacker *u, ls_error *err) {
    char bytes[READ_BYTES], *room = u ? malloc(LS_PACK_ROOM) : NULL;
    int no_frame = 0, rc = u && !room ? ls_fail_memory(err, "reading a CSV file") : 0;
    while (rc == 0) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = ls_csv_io_error(err, "read", path);
        if (n <= 0) break;
        if (!u) scan_bytes(s, conf, bytes, (size_t)n);
        else if (!no_frame) no_frame = scan_frames(s, conf, u, bytes, (size_t)n, room, err);
        if (no_frame < 0) rc = -1;
        s->end += (size_t)n;
    }
    free(room);
    return rc;
}

static int scan_file(scan *s, const ls_csv_conf *conf, int fd, const char *path, ls_error *err) {
    ls_unpacker *u = NULL;
    ls_buf_room(&s->first, 1); /* an empty record is at a place in memory too; without memory the check below sees it */
    ls_buf_room(&s->second, 1);
    if (conf->compress && ls_unpacker_new(&u, conf->compress, err)) return -1;
    int rc = read_file(s, conf, fd, path, u, err);
    ls_unpacker_free(u);
    if (rc) return -1;
    /* by half of its header a file would be taken for somebody else's */
    if (no_memory_for(&s->first) || no_memory_for(&s->second)) return ls_fail_memory(err, "reading a CSV file");
    bool ours = is_ours(s, conf) && !(conf->compress && !s->keep && s->rows_behind); /* damaged from its first byte on */
    if (!conf->compress) s->keep = s->whole;
    if (conf->compress && ours) s->whole = s->keep_whole, s->records = s->keep_records;
    if (!ours && conf->compress) s->records = 0, s->theirs = true;
    s->torn = s->keep < s->end && ours;
    return s->torn && !s->as_it_is ? cut_back(s, conf, fd, path, err) : 0;
}

/* The second cell of a record; malloc'd; NULL: none, or no memory. */
static char *table_cell(const ls_buf *record, const ls_csv_conf *conf) {
    ls_buf cell = {0};
    const char *at = record->len && !record->failed ? record->data : NULL, *end = record->data + record->len;
    char *out = NULL;
    if (ls_csv_next_cell(conf, &at, end, &cell) && ls_csv_next_cell(conf, &at, end, &cell) && ls_buf_cstr(&cell)) out = strdup(cell.data);
    ls_buf_free(&cell);
    return out;
}

/* A first record above LS_CSV_RECORD_MAX: such a file is never found again. */
static int learn(const ls_csv_conf *conf, scan *s, ls_csv_found *out, ls_error *err) {
    ls_buf *first = &s->first;
    out->cells = SIZE_MAX;
    if (first->failed) return 0;
    if (first->len && first->data[first->len - 1] == '\r') first->len--;
    size_t skip = first->len >= 3 && memcmp(first->data, LS_CSV_BOM, 3) == 0 ? 3 : 0;
    out->cells = ls_csv_count_cells(conf, first->data + skip, first->len - skip);
    if (!conf->bare && (!conf->header || s->records > 1)) out->table = table_cell(conf->header ? &s->second : first, conf);
    if (!conf->header) return 0;
    out->header_len = first->len - skip;
    out->header = malloc(out->header_len + 1);
    if (!out->header) return ls_fail_memory(err, "reading a CSV file"); /* the caller frees the table */
    memcpy(out->header, first->data + skip, out->header_len);
    return 0;
}

int ls_csv_scan(const ls_csv_conf *conf, int fd, const char *path, bool as_it_is, ls_csv_found *out, ls_error *err) {
    scan s = {.as_it_is = as_it_is, .first.max = LS_CSV_RECORD_MAX, .second.max = LS_CSV_RECORD_MAX};
    s.heads.wanted = conf->header && !conf->split_files && !conf->bare && !conf->begins;
    begin_head(&s.heads);
    *out = (ls_csv_found){0};
    int rc = scan_file(&s, conf, fd, path, err);
    if (rc == 0 && s.records) rc = learn(conf, &s, out, err);
    out->bytes = s.whole;
    out->torn = as_it_is && s.torn;
    out->rows = s.records - (conf->header && s.records);
    if (rc == 0 && !s.records && (s.theirs || !is_ours(&s, conf))) out->cells = SIZE_MAX; /* no header goes behind what stands there */
    if (rc == 0 && s.heads.failed) rc = ls_fail_memory(err, "reading a CSV file");
    ls_buf_free(&s.first);
    ls_buf_free(&s.second);
    ls_buf_free(&s.heads.head);
    for (size_t i = 0; i < 2; i++) ls_buf_free(&s.heads.seen[i]);
    if (rc == 0) {
        out->inserted = s.heads.inserted;
        return 0;
    }
    ls_buf_free(&s.heads.inserted);
    free(out->header);
    free(out->table);
    return -1;
}
