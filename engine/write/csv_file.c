#include "write/csv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = LS_LIMIT(64 * 1024, 64) };

static int io_error(ls_error *err, const char *what, const char *path) {
    int e = errno;
    const char *mend = e == ENOSPC || e == EDQUOT ? "free some space"
                       : e == EFBIG ? "raise the limit on a file's size (ulimit -f)"
                       : e == EACCES || e == EROFS || e == EPERM ? "give the user the right to write there, or choose another filename"
                       : e == ENOTDIR || e == EISDIR || e == ENAMETOOLONG || e == ENOENT || e == ENXIO ? "choose another filename" : "mend the disk";
    return ls_fail(err, LS_FAIL, "cannot %s %s: %s: %s and start again (rows that were not flushed come again)", what, path, strerror(e), mend);
}

/* ---- cells */

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

/* ---- finding what is there */

static const char bom[] = "\xef\xbb\xbf";

typedef struct scan {
    bool quoted;
    size_t whole;   /* bytes up to the end of the last whole record */
    size_t records;
    ls_buf first, second; /* the first two records, as far as they go */
} scan;

/* A quote inside a quoted cell is doubled, so counting quotes is enough to tell a line end inside a cell from a record's. */
static void scan_bytes(scan *s, const ls_csv_conf *conf, const char *p, size_t n, size_t at) {
    if (s->records >= 2 && !memchr(p, conf->quote, n)) { /* most of most files */
        const char *last = s->quoted ? NULL : memrchr(p, '\n', n);
        if (last) s->whole = at + (size_t)(last - p) + 1;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (p[i] == conf->quote) s->quoted = !s->quoted;
        bool end = p[i] == '\n' && !s->quoted;
        if (s->records < 2 && !end) ls_buf_char(s->records ? &s->second : &s->first, p[i]);
        if (!end) continue;
        s->whole = at + i + 1;
        s->records++;
    }
}

/* Does the first record begin as this writer begins a header, or is it a beginning of that? A file that somebody else wrote is left as
 * it is. */
static bool is_ours(const scan *s, const ls_csv_conf *conf) {
    const char action[] = {'a', 'c', 't', 'i', 'o', 'n', conf->delimiter};
    const ls_buf *first = &s->first;
    size_t skip = first->len >= 3 && memcmp(first->data, bom, 3) == 0 ? 3 : 0, n = first->len - skip;
    if (!conf->header) return true;
    if (n >= sizeof action || s->records) return n > sizeof action - 1 && memcmp(first->data + skip, action, sizeof action) == 0;
    return memcmp(first->data + skip, action, n) == 0 || (first->len < 3 && memcmp(first->data, bom, first->len) == 0);
}

/* What is cut off, if it has a line end in it: a record that a crash cut has one in a quoted cell only, but so has a whole file
 * whose rows were quoted otherwise. Nothing that may be rows is thrown away: it goes to name.csv.cut. */
static int keep_tail(int fd, const char *path, off_t from, off_t to, bool *kept, ls_error *err) {
    char bytes[READ_BYTES], name[PATH_MAX];
    bool lines = false;
    int cut = -1, rc = 0;
    *kept = false;
    for (int pass = 0; pass < 2 && rc == 0; pass++) {
        if (pass == 1 && !lines) break;
        snprintf(name, sizeof name, "%s.cut", path);
        if (pass == 1 && (cut = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) < 0) return io_error(err, "open", name);
        for (off_t at = from; at < to && rc == 0;) {
            ssize_t n = pread(fd, bytes, to - at < READ_BYTES ? (size_t)(to - at) : READ_BYTES, at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) rc = io_error(err, "read", path);
            else if (pass == 0) lines = lines || memchr(bytes, '\n', (size_t)n);
            else if (write(cut, bytes, (size_t)n) != n) rc = io_error(err, "write", name);
            if (n > 0) at += n;
        }
    }
    if (cut >= 0 && close(cut) && rc == 0) rc = io_error(err, "write", name);
    *kept = lines;
    return rc;
}

static int cut_back(const scan *s, const ls_csv_conf *conf, int fd, const char *path, size_t end, ls_error *err) {
    bool kept;
    if (keep_tail(fd, path, (off_t)s->whole, (off_t)end, &kept, err)) return -1;
    if (ftruncate(fd, (off_t)s->whole)) return io_error(err, "cut back", path);
    if (conf->log && kept)
        ls_log_line(conf->log, LS_WARN,
                    "%s: its last %zu bytes, from byte %zu on, were no whole record and are in %s.cut now: a crash cut a record there, whose row "
                    "comes again; if not, its rows were quoted otherwise (see the option \"quote\")",
                    path, end - s->whole, s->whole, path);
    return 0;
}

/* One that is too long has filled its buffer first. */
static bool no_memory_for(const ls_buf *record) {
    return record->failed && record->len < record->max;
}

static int scan_file(scan *s, const ls_csv_conf *conf, int fd, const char *path, ls_error *err) {
    char bytes[READ_BYTES];
    size_t at = 0;
    ls_buf_room(&s->first, 1); /* an empty record is at a place in memory too; without memory the check below sees it */
    ls_buf_room(&s->second, 1);
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, "read", path);
        if (n == 0) break;
        scan_bytes(s, conf, bytes, (size_t)n, at);
        at += (size_t)n;
    }
    /* by half of its header a file would be taken for somebody else's */
    if (no_memory_for(&s->first) || no_memory_for(&s->second)) return ls_fail_memory(err, "reading a CSV file");
    return s->whole < at && is_ours(s, conf) ? cut_back(s, conf, fd, path, at, err) : 0;
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

/* What the file's first records say of it. A first record above LS_CSV_RECORD_MAX: such a part is never found again. */
static int learn_part(ls_csv_part *p, const ls_csv_conf *conf, scan *s, ls_error *err) {
    ls_buf *first = &s->first;
    p->cells = SIZE_MAX;
    if (first->failed) return 0;
    if (first->len && first->data[first->len - 1] == '\r') first->len--;
    size_t skip = first->len >= 3 && memcmp(first->data, bom, 3) == 0 ? 3 : 0;
    p->cells = ls_csv_count_cells(conf, first->data + skip, first->len - skip);
    p->table = table_cell(conf->header ? &s->second : first, conf);
    if (!conf->header) return 0;
    p->header_len = first->len - skip;
    p->header = malloc(p->header_len + 1);
    if (!p->header) return ls_fail_memory(err, "reading a CSV file");
    memcpy(p->header, first->data + skip, p->header_len);
    return 0;
}

/* One program writes a file: two would mix their rows, and repair what the other is about to write. */
static int hold(int fd, const char *path, ls_error *err) {
    struct stat st;
    if (fstat(fd, &st)) return io_error(err, "look at", path);
    if (!S_ISREG(st.st_mode)) return ls_fail(err, LS_USAGE, "%s is no regular file: choose another filename", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return io_error(err, "lock", path);
    return ls_fail(err, LS_FENCED, "another program writes %s: give one of the two another consumer_id, or another filename", path);
}

static int take_over(ls_csv_files *f, ls_csv_part *p, int fd, ls_error *err) {
    scan s = {.first.max = LS_CSV_RECORD_MAX, .second.max = LS_CSV_RECORD_MAX};
    int rc = scan_file(&s, f->conf, fd, p->path, err);
    if (rc == 0 && s.records) rc = learn_part(p, f->conf, &s, err);
    if (rc == 0 && !s.records && !is_ours(&s, f->conf)) p->cells = SIZE_MAX; /* no header goes behind what stands there */
    ls_buf_free(&s.first);
    ls_buf_free(&s.second);
    return rc;
}

static void free_part(ls_csv_part *p) {
    if (p->fd >= 0) close(p->fd);
    free(p->path);
    free(p->header);
    free(p->table);
    ls_buf_free(&p->out);
    free(p);
}

/* A part's struct, with its path; not in the list yet. */
static ls_csv_part *new_part(const ls_csv_files *f, size_t number) {
    ls_csv_part *p = calloc(1, sizeof *p);
    size_t room = strlen(f->base) + 32;
    if (p) p->path = malloc(room);
    if (!p || !p->path) {
        free(p);
        return NULL;
    }
    p->fd = -1;
    if (number > 1)
        snprintf(p->path, room, "%s-%zu.csv", f->base, number);
    else
        snprintf(p->path, room, "%s.csv", f->base);
    return p;
}

static int add_part(ls_csv_files *f, ls_csv_part *p) {
    if (f->nparts == f->cap_parts) {
        size_t cap = f->cap_parts ? f->cap_parts * 2 : 4;
        ls_csv_part **all = realloc(f->parts, cap * sizeof(*all));
        if (!all) return -1;
        f->parts = all;
        f->cap_parts = cap;
    }
    f->parts[f->nparts++] = p;
    return 0;
}

/* The next part: taken over if there is such a file, else (*there false) a struct that makes one. */
static int next_part(ls_csv_files *f, ls_csv_part **out, bool *there, ls_error *err) {
    if (f->nparts == LS_CSV_PARTS_MAX)
        return ls_fail(err, LS_FAIL, "%s has %d parts, one for each header: give tables whose columns differ so much files of their own",
                       f->base, LS_CSV_PARTS_MAX);
    ls_csv_part *p = new_part(f, f->nparts + 1);
    if (!p) return ls_fail_memory(err, "opening CSV files");
    int fd = open(p->path, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make it wait */
    *there = fd >= 0;
    int rc = fd < 0 ? (errno == ENOENT ? 0 : io_error(err, "open", p->path)) : hold(fd, p->path, err) ? -1 : take_over(f, p, fd, err);
    if (fd >= 0) close(fd);
    if (rc) {
        free_part(p);
        return -1;
    }
    *out = p;
    return 0;
}

/* name.csv, name-2.csv ... as far as they go without a gap. */
static int find_parts(ls_csv_files *f, ls_error *err) {
    bool there = true;
    while (there && f->nparts < LS_CSV_PARTS_MAX) {
        ls_csv_part *p;
        if (next_part(f, &p, &there, err)) return -1;
        if (there && add_part(f, p) == 0) continue;
        free_part(p);
        if (there) return ls_fail_memory(err, "opening CSV files");
    }
    return 0;
}

static int make_folders(const char *base, ls_error *err) {
    char *path = strdup(base);
    if (!path) return ls_fail_memory(err, "opening CSV files");
    int rc = 0;
    for (char *p = path + 1; *p && rc == 0; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(path, 0777) && errno != EEXIST) rc = io_error(err, "make folder", path);
        *p = '/';
    }
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    const char *folder = slash ? path : ".";
    struct stat st;
    if (rc == 0 && stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) errno = ENOTDIR, rc = io_error(err, "write into folder", folder);
    if (rc == 0 && access(folder, W_OK | X_OK)) rc = io_error(err, "write into folder", folder);
    free(path);
    return rc;
}

int ls_csv_files_open(ls_csv_files **out, const ls_csv_conf *conf, const char *base, ls_error *err) {
    ls_csv_files *f = calloc(1, sizeof *f);
    if (f) f->base = strdup(base);
    if (!f || !f->base) {
        free(f);
        return ls_fail_memory(err, "opening CSV files");
    }
    f->conf = conf;
    if (make_folders(base, err) || find_parts(f, err)) {
        ls_csv_files_close(f);
        return -1;
    }
    *out = f;
    return 0;
}

/* ---- writing */

/* A write that failed may have left part of a row: nothing may follow it, or a later flush would call it written. */
static int write_all(ls_csv_files *f, const ls_csv_part *p, const char *bytes, size_t n, ls_error *err) {
    if (f->broken) return ls_fail(err, LS_FAIL, "cannot write %s: an earlier write failed: start again", p->path);
    while (n) {
        ssize_t done = write(p->fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            f->broken = true;
            return io_error(err, "write", p->path);
        }
        bytes += done;
        n -= (size_t)done;
    }
    return 0;
}

static int write_out(ls_csv_files *f, ls_csv_part *p, ls_error *err) {
    if (write_all(f, p, p->out.data, p->out.len, err)) return -1;
    f->buffered -= p->out.len;
    p->written = true;
    ls_buf_clear(&p->out);
    return 0;
}

static int removed(ls_csv_files *f, const ls_csv_part *p, ls_error *err) {
    f->broken = true;
    return ls_fail(err, LS_FAIL,
                   "%s was removed or replaced while rows were written to it: start again (the rows since the last flush come again, in a new "
                   "file); stop the program before files are taken away", p->path);
}

/* Rows in a file that has no name any more are lost: their offsets must not be committed. */
static int still_there(ls_csv_files *f, const ls_csv_part *p, ls_error *err) {
    struct stat open_file, named;
    if (fstat(p->fd, &open_file)) return io_error(err, "look at", p->path);
    if (stat(p->path, &named) == 0 && named.st_ino == open_file.st_ino && named.st_dev == open_file.st_dev) return 0;
    return removed(f, p, err);
}

static int flush_part(ls_csv_files *f, ls_csv_part *p, ls_error *err) {
    if (p->out.len && write_out(f, p, err)) return -1;
    if (p->written && p->fd >= 0 && still_there(f, p, err)) return -1;
    p->written = false;
    return 0;
}

static int close_longest_unused(ls_csv_files *f, ls_error *err) {
    ls_csv_part *oldest = NULL;
    for (size_t i = 0; i < f->nparts; i++)
        if (f->parts[i]->fd >= 0 && (!oldest || f->parts[i]->used < oldest->used)) oldest = f->parts[i];
    if (flush_part(f, oldest, err)) return -1;
    close(oldest->fd);
    oldest->fd = -1;
    ls_buf_free(&oldest->out);
    f->open--;
    return 0;
}

/* make: 0, or O_CREAT for a part that begins: one that was there and is gone must not come back without its header. */
static int open_part(ls_csv_files *f, ls_csv_part *p, int make, ls_error *err) {
    p->used = ++f->tick;
    if (p->fd >= 0) return 0;
    if (f->open >= LS_CSV_OPEN_FILES && close_longest_unused(f, err)) return -1;
    p->fd = open(p->path, O_WRONLY | O_APPEND | O_CLOEXEC | make, 0666);
    if (p->fd < 0 && errno == ENOENT && !make) return removed(f, p, err);
    if (p->fd < 0) return io_error(err, "open", p->path);
    f->open++;
    return hold(p->fd, p->path, err);
}

static int start_part(ls_csv_files *f, ls_csv_part *p, const char *header, size_t n, ls_error *err) {
    p->header = malloc(n + 1);
    if (!p->header) return ls_fail_memory(err, "beginning a CSV file");
    memcpy(p->header, header, n);
    p->header_len = n;
    p->cells = ls_csv_count_cells(f->conf, header, n);
    if (open_part(f, p, O_CREAT, err)) return -1;
    if (f->conf->bom) ls_buf_add(&p->out, bom, 3);
    if (f->conf->header) {
        ls_buf_add(&p->out, header, n);
        ls_buf_str(&p->out, f->conf->newline);
    }
    f->buffered += p->out.len;
    return p->out.failed ? ls_fail_memory(err, "beginning a CSV file") : 0;
}

static bool has_header(const ls_csv_files *f, const ls_csv_part *p, const char *header, size_t n, size_t cells) {
    if (!p->cells) return true; /* an empty file takes the first header that comes */
    if (!f->conf->header) return p->cells == cells;
    return p->header && p->header_len == n && memcmp(p->header, header, n) == 0;
}

int ls_csv_files_part(ls_csv_files *f, const char *header, size_t n, ls_csv_part **out, ls_error *err) {
    size_t cells = ls_csv_count_cells(f->conf, header, n), i = 0;
    for (;; i++) {
        bool there;
        ls_csv_part *p;
        if (i == f->nparts) { /* it may be there: behind a gap, or made by somebody meanwhile */
            if (next_part(f, &p, &there, err)) return -1;
            if (add_part(f, p)) {
                free_part(p);
                return ls_fail_memory(err, "beginning a CSV file");
            }
        }
        if (has_header(f, f->parts[i], header, n, cells)) break;
    }
    *out = f->parts[i];
    return (*out)->cells ? 0 : start_part(f, *out, header, n, err);
}

ls_csv_part *ls_csv_files_of_table(ls_csv_files *f, const char *table) {
    for (size_t i = f->nparts; i-- > 0;)
        if (f->parts[i]->table && f->parts[i]->header && f->parts[i]->cells > 2 && strcmp(f->parts[i]->table, table) == 0) return f->parts[i];
    return NULL;
}

/* No second copy of a large row. */
static int write_large(ls_csv_files *f, ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    p->written = true;
    if (write_out(f, p, err) || write_all(f, p, record, n, err)) return -1;
    return write_all(f, p, f->conf->newline, strlen(f->conf->newline), err);
}

int ls_csv_files_add(ls_csv_files *f, ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    if (open_part(f, p, 0, err)) return -1;
    if (n >= LS_CSV_PART_BUFFER)
        return write_large(f, p, record, n, err);
    size_t before = p->out.len;
    ls_buf_add(&p->out, record, n);
    ls_buf_str(&p->out, f->conf->newline);
    f->buffered += p->out.len - before;
    if (p->out.failed) return ls_fail_memory(err, "writing a CSV row");
    if (p->out.len >= LS_CSV_PART_BUFFER) return write_out(f, p, err);
    return f->buffered >= LS_CSV_ALL_BUFFERS ? ls_csv_files_flush(f, err) : 0;
}

int ls_csv_files_flush(ls_csv_files *f, ls_error *err) {
    for (size_t i = 0; i < f->nparts; i++)
        if (flush_part(f, f->parts[i], err)) return -1;
    return 0;
}

void ls_csv_files_close(ls_csv_files *f) {
    if (!f) return;
    for (size_t i = 0; i < f->nparts; i++) free_part(f->parts[i]);
    free(f->parts);
    free(f->base);
    free(f);
}
