/* csv_rotate.c - files that end: by size, by rows, by time. While rows are added a file is name.csv.part, or with `every`
 * name.csv.20260131T140000Z.part, the span of commit times that it was begun in; so a later run knows when it ends. */
#include "write/csv_parts.h"

#include "change/time.h"
#include "write/csv_io.h"
#include "write/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t last_second = 253402300799; /* of the year 9999 */

bool ls_csv_rotates(const ls_csv_conf *conf) { return conf->rotate_bytes || conf->rotate_rows || conf->rotate_every; }

static const char *folder_of(ls_buf *out, const char *base) {
    const char *slash = strrchr(base, '/');
    if (slash)
        ls_buf_add(out, base, (size_t)(slash - base) + (slash == base));
    else
        ls_buf_char(out, '.');
    return ls_buf_cstr(out);
}

/* ---- names */

int ls_csv_name_next(ls_csv_part *p, ls_error *err) {
    ls_csv_files *f = p->of;
    ls_buf path = {0};
    while (ls_csv_is_anothers(f, ++f->last_number)) {}
    p->number = f->last_number;
    p->span = f->disk->span;
    ls_buf_str(&path, f->base);
    if (p->number > 1) ls_buf_fmt(&path, "-%zu", p->number);
    ls_buf_str(&path, ls_csv_end(f->disk->conf));
    p->done_len = path.len;
    if (f->disk->conf->rotate_every) {
        ls_civil t = ls_time_civil(p->span * 1000000);
        ls_buf_fmt(&path, ".%04d%02d%02dT%02d%02d%02dZ", (int)t.year, t.month, t.day, t.hour, t.minute, t.second);
    }
    ls_buf_str(&path, ".part");
    free(p->path);
    p->path = ls_buf_cstr(&path) ? path.data : NULL;
    if (!p->path) ls_buf_free(&path);
    return p->path ? 0 : ls_fail_memory(err, "beginning a CSV file");
}

bool ls_csv_read_span(const char *p, int64_t *span) {
    int year, month, day, hour, minute, second;
    if (strspn(p, "0123456789") != 8 || p[8] != 'T' || strspn(p + 9, "0123456789") != 6 || p[LS_CSV_SPAN_TEXT - 1] != 'Z') return false;
    if (sscanf(p, "%4d%2d%2dT%2d%2d%2dZ", &year, &month, &day, &hour, &minute, &second) != 6) return false;
    *span = ls_time_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

typedef struct name {
    size_t number;
    size_t done_len; /* of the name when it is closed */
    bool writing;    /* it ends in .part, and is of this kind of file */
    int64_t span;    /* LS_CSV_NO_SPAN: it does not say */
} name;

/* Is the file one of base's, a name without a folder? */
static bool read_name(const ls_csv_conf *conf, const char *file, const char *base, size_t base_len, name *out) {
    const char *p = file + base_len, *end = ls_csv_end(conf);
    *out = (name){.number = 1, .span = LS_CSV_NO_SPAN};
    if (strncmp(file, base, base_len) != 0) return false;
    if (*p == '-') {
        if (p[1] < '1' || p[1] > '9' || strspn(p + 1, "0123456789") > 15) return false;
        out->number = strtoull(p + 1, NULL, 10);
        p += 1 + strspn(p + 1, "0123456789");
        if (out->number < 2) return false;
    }
    if (strncmp(p, ".csv", 4) != 0) return false;
    if (strncmp(p, end, strlen(end)) != 0) return true; /* its number is taken */
    p += strlen(end);
    out->done_len = (size_t)(p - file);
    if (*p == '.' && ls_csv_read_span(p + 1, &out->span)) p += 1 + LS_CSV_SPAN_TEXT;
    out->writing = strcmp(p, ".part") == 0;
    return true;
}

/* ---- finding what is there */

static int take_over(ls_csv_files *f, const char *file, const name *n, size_t folder_len, ls_error *err) {
    ls_csv_part *p = ls_csv_new_part(f);
    int fd = -1, rc = -1;
    if (!p || asprintf(&p->path, "%.*s%s", (int)folder_len, f->base, file) < 0) {
        if (p) p->path = NULL;
        ls_fail_memory(err, "opening CSV files");
        goto out;
    }
    p->number = n->number;
    p->span = n->span;
    p->done_len = folder_len + n->done_len;
    if (f->disk->keep && ls_csv_keep_has_ended(f->disk->keep, p->path)) {
        ls_csv_free_part(p); /* it has ended, and gets its name with the next commit */
        return 0;
    }
    if ((fd = open(p->path, O_RDWR | O_CLOEXEC | O_NONBLOCK)) < 0)
        ls_csv_io_error(err, "open", p->path);
    else if ((rc = ls_csv_take_over(p, fd, err)) == 0)
        p->begun = p->cells != SIZE_MAX; /* somebody else's is left as it is */
out:
    if (fd >= 0) close(fd);
    if (rc == 0 && (rc = ls_csv_add_part(f, p))) ls_fail_memory(err, "opening CSV files");
    if (rc && p) ls_csv_free_part(p);
    return rc;
}

static int by_number(const void *a, const void *b) {
    size_t x = (*(ls_csv_part *const *)a)->number, y = (*(ls_csv_part *const *)b)->number;
    return (x > y) - (x < y);
}

int ls_csv_find_rotated(ls_csv_files *f, ls_error *err) {
    const char *slash = strrchr(f->base, '/'), *base = slash ? slash + 1 : f->base, *folder;
    size_t folder_len = (size_t)(base - f->base), base_len = strlen(base);
    ls_buf path = {0};
    DIR *dir = NULL;
    int rc = 0;
    if (!(folder = folder_of(&path, f->base)))
        rc = ls_fail_memory(err, "opening CSV files");
    else if (!(dir = opendir(folder)))
        rc = ls_csv_io_error(err, "read folder", folder);
    for (struct dirent *e; rc == 0 && (e = readdir(dir));) {
        name n;
        if (!read_name(f->disk->conf, e->d_name, base, base_len, &n) || ls_csv_is_anothers(f, n.number)) continue;
        if (n.number > f->last_number) f->last_number = n.number;
        if (n.writing) rc = take_over(f, e->d_name, &n, folder_len, err);
    }
    if (dir) closedir(dir);
    ls_buf_free(&path);
    if (f->nparts) qsort(f->parts, f->nparts, sizeof(*f->parts), by_number);
    return rc;
}

/* ---- the end of a file */

bool ls_csv_is_full(const ls_csv_part *p, size_t more) {
    const ls_csv_disk *d = p->of->disk;
    const ls_csv_conf *conf = d->conf;
    if (conf->rotate_rows && p->rows >= conf->rotate_rows) return true;
    if (conf->rotate_bytes && p->rows && (p->bytes >= conf->rotate_bytes || more > conf->rotate_bytes - p->bytes)) return true;
    return conf->rotate_every && p->span != LS_CSV_NO_SPAN && p->span < d->span;
}

/* With a manifest the file has its name when it is certain that no row in it will be taken back. */
static int give_name(const ls_csv_part *p, const char *done, ls_error *err) {
    ls_csv_keep *keep = p->of->disk->keep;
    if (!keep) return ls_csv_rename_new(p->path, done);
    if (access(done, F_OK) == 0) return errno = EEXIST, -1;
    return ls_csv_keep_end(keep, p->path, p->done_len, err);
}

int ls_csv_finish(ls_csv_part *p, ls_error *err) {
    char *done = strndup(p->path, p->done_len);
    int rc = done ? ls_csv_flush_part(p, err) : ls_fail_memory(err, "ending a CSV file");
    if (rc == 0 && give_name(p, done, err)) {
        rc = -1;
        p->of->disk->broken = true;
        if (errno == ENOENT)
            ls_csv_removed(p, err);
        else if (errno == EEXIST)
            ls_fail(err, LS_FAIL, "%s is there already, and the rows of %s were to go there: move it away and start again", done, p->path);
        else
            ls_csv_io_error(err, "rename", p->path);
    }
    free(done);
    if (rc) return -1;
    ls_csv_close_part(p); /* whose lock has held others off until now */
    p->begun = false;
    p->bytes = p->rows = 0;
    return 0;
}

/* Files of earlier spans end with the first row of a later one, of whatever table: they get no more rows, late ones apart. */
int ls_csv_disk_time(ls_csv_disk *d, int64_t ts, ls_error *err) {
    int64_t every = d->conf->rotate_every, second = ts < 0 ? 0 : ts / 1000000;
    if (!every) return 0;
    if (second > last_second) second = last_second;
    if (d->span != LS_CSV_NO_SPAN && second < d->span + every) return 0;
    d->span = second - second % every;
    for (size_t i = 0; i < LS_CSV_NAME_BUCKETS; i++)
        for (ls_csv_files *f = d->names[i]; f; f = f->next)
            for (size_t k = 0; k < f->nparts; k++) {
                ls_csv_part *p = f->parts[k];
                if (p->begun && p->span == LS_CSV_NO_SPAN) p->span = d->span;
                if (p->begun && p->span < d->span && ls_csv_finish(p, err)) return -1;
            }
    return 0;
}
