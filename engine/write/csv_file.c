#include "write/csv_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

static int io_error(ls_error *err, const char *what, const char *path) {
    int e = errno;
    const char *mend = e == ENOSPC || e == EDQUOT ? "free some space"
                       : e == EACCES || e == EROFS || e == EPERM ? "give the user the right to write there, or choose another filename"
                       : e == ENOTDIR || e == EISDIR ? "choose another filename" : "mend the disk";
    return ls_fail(err, LS_FAIL, "cannot %s %s: %s: %s and start again (rows that were not flushed come again)", what, path, strerror(e), mend);
}

/* ---- finding what is there */

typedef struct scan {
    bool quoted;
    size_t whole;   /* bytes up to the end of the last whole record */
    size_t records;
    ls_buf first, second; /* the first two records, as far as they go */
} scan;

/* A quote inside a quoted cell is doubled, so counting quotes is enough to tell a line end inside a cell from a record's. */
static void scan_bytes(scan *s, const ls_csv_conf *conf, const char *p, size_t n, size_t at) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] == conf->quote) s->quoted = !s->quoted;
        bool end = p[i] == '\n' && !s->quoted;
        if (s->records < 2 && !end) ls_buf_char(s->records ? &s->second : &s->first, p[i]);
        if (!end) continue;
        s->whole = at + i + 1;
        s->records++;
    }
}

static int scan_file(scan *s, const ls_csv_conf *conf, int fd, const char *path, ls_error *err) {
    char bytes[READ_BYTES];
    size_t at = 0;
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) != 0; at += (size_t)n) {
        if (n < 0) return io_error(err, "read", path);
        scan_bytes(s, conf, bytes, (size_t)n, at);
    }
    if (s->first.failed || s->second.failed) return ls_fail_memory(err, "reading a CSV file");
    if (s->whole < at && ftruncate(fd, (off_t)s->whole)) return io_error(err, "cut back", path);
    return 0;
}

static void chomp(ls_buf *b) {
    if (b->len && b->data[b->len - 1] == '\r') b->len--;
}

/* The second cell of a record, quotes taken off; malloc'd; NULL: none, or no memory. */
static char *table_cell(const ls_buf *record, const ls_csv_conf *conf) {
    const char *end = record->data + record->len, *p = record->len ? memchr(record->data, conf->delimiter, record->len) : NULL;
    char *out = p ? malloc((size_t)(end - p)) : NULL, *o = out;
    if (!out) return NULL;
    bool quoted = false;
    for (p++; p < end && (quoted || *p != conf->delimiter); p++) {
        if (*p == conf->quote) {
            if (quoted && p + 1 < end && p[1] == conf->quote) *o++ = *p++;
            else quoted = !quoted;
        } else {
            *o++ = *p;
        }
    }
    *o = '\0';
    return out;
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

static const char bom[] = "\xef\xbb\xbf";

static int take_over(ls_csv_files *f, ls_csv_part *p, int fd, ls_error *err) {
    scan s = {0};
    int rc = scan_file(&s, f->conf, fd, p->path, err);
    if (rc == 0 && s.records) {
        size_t skip = s.first.len >= 3 && memcmp(s.first.data, bom, 3) == 0 ? 3 : 0;
        chomp(&s.first);
        p->header_len = f->conf->header ? s.first.len - skip : 0;
        p->header = malloc(p->header_len + 1);
        p->table = table_cell(f->conf->header ? &s.second : &s.first, f->conf);
        if (p->header)
            memcpy(p->header, s.first.data + skip, p->header_len);
        else
            rc = ls_fail_memory(err, "reading a CSV file");
    }
    ls_buf_free(&s.first);
    ls_buf_free(&s.second);
    return rc;
}

/* name.csv, name-2.csv ... as far as they go without a gap. */
static int find_parts(ls_csv_files *f, ls_error *err) {
    for (size_t number = 1; number <= LS_CSV_PARTS_MAX; number++) {
        ls_csv_part *p = new_part(f, number);
        if (!p) return ls_fail_memory(err, "opening CSV files");
        int fd = open(p->path, O_RDWR | O_CLOEXEC);
        bool gone = fd < 0 && errno == ENOENT;
        int rc = gone ? 0 : fd < 0 ? io_error(err, "open", p->path) : take_over(f, p, fd, err);
        if (fd >= 0) close(fd);
        if (rc == 0 && !gone && add_part(f, p)) rc = ls_fail_memory(err, "opening CSV files");
        if (gone || rc) free_part(p);
        if (gone || rc) return rc;
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

static int write_out(ls_csv_files *f, ls_csv_part *p, ls_error *err) {
    size_t done = 0;
    while (done < p->out.len) {
        ssize_t n = write(p->fd, p->out.data + done, p->out.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, "write", p->path);
        done += (size_t)n;
    }
    f->buffered -= p->out.len;
    if (p->out.cap > 4 * LS_CSV_PART_BUFFER)
        ls_buf_free(&p->out); /* a large row's room goes back */
    else
        ls_buf_clear(&p->out);
    return 0;
}

static int close_longest_unused(ls_csv_files *f, ls_error *err) {
    ls_csv_part *oldest = NULL;
    for (size_t i = 0; i < f->nparts; i++)
        if (f->parts[i]->fd >= 0 && (!oldest || f->parts[i]->used < oldest->used)) oldest = f->parts[i];
    if (write_out(f, oldest, err)) return -1;
    close(oldest->fd);
    oldest->fd = -1;
    ls_buf_free(&oldest->out);
    f->open--;
    return 0;
}

static int open_part(ls_csv_files *f, ls_csv_part *p, ls_error *err) {
    p->used = ++f->tick;
    if (p->fd >= 0) return 0;
    if (f->open >= LS_CSV_OPEN_FILES && close_longest_unused(f, err)) return -1;
    p->fd = open(p->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (p->fd < 0) return io_error(err, "open", p->path);
    f->open++;
    return 0;
}

static int start_part(ls_csv_files *f, ls_csv_part *p, const char *header, size_t n, ls_error *err) {
    p->header = malloc(n + 1);
    if (!p->header) return ls_fail_memory(err, "beginning a CSV file");
    memcpy(p->header, header, n);
    p->header_len = n;
    if (open_part(f, p, err)) return -1;
    size_t before = p->out.len;
    if (f->conf->bom) ls_buf_add(&p->out, bom, 3);
    if (f->conf->header) {
        ls_buf_add(&p->out, header, n);
        ls_buf_str(&p->out, f->conf->newline);
    }
    f->buffered += p->out.len - before;
    return p->out.failed ? ls_fail_memory(err, "beginning a CSV file") : 0;
}

static bool has_header(const ls_csv_files *f, const ls_csv_part *p, const char *header, size_t n) {
    if (!p->header) return true; /* an empty file: it takes the first header that comes */
    return !f->conf->header || (p->header_len == n && memcmp(p->header, header, n) == 0);
}

int ls_csv_files_part(ls_csv_files *f, const char *header, size_t n, ls_csv_part **out, ls_error *err) {
    ls_csv_part *found = NULL;
    for (size_t i = 0; i < f->nparts && !found; i++)
        if (has_header(f, f->parts[i], header, n)) found = f->parts[i];
    if (!found) {
        if (f->nparts == LS_CSV_PARTS_MAX)
            return ls_fail(err, LS_FAIL, "%s has %d parts, one for each header: give tables with columns that differ so much files of their own", f->base, LS_CSV_PARTS_MAX);
        found = new_part(f, f->nparts + 1);
        if (!found || add_part(f, found)) {
            if (found) free_part(found);
            return ls_fail_memory(err, "beginning a CSV file");
        }
    }
    *out = found;
    return found->header ? 0 : start_part(f, found, header, n, err);
}

ls_csv_part *ls_csv_files_of_table(ls_csv_files *f, const char *table) {
    for (size_t i = f->nparts; i-- > 0;)
        if (f->parts[i]->table && strcmp(f->parts[i]->table, table) == 0) return f->parts[i];
    return NULL;
}

int ls_csv_files_add(ls_csv_files *f, ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    if (open_part(f, p, err)) return -1;
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
        if (f->parts[i]->out.len && write_out(f, f->parts[i], err)) return -1;
    return 0;
}

void ls_csv_files_close(ls_csv_files *f) {
    if (!f) return;
    for (size_t i = 0; i < f->nparts; i++) free_part(f->parts[i]);
    free(f->parts);
    free(f->base);
    free(f);
}
