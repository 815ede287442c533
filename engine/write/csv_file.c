#include "write/csv_parts.h"

#include "base/hash.h"
#include "write/csv_io.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- finding what is there */

/* With a manifest every file is whole: those that it names have been cut back to it, and others had no rows since. */
int ls_csv_take_over(ls_csv_part *p, int fd, ls_error *err) {
    ls_csv_found found;
    const ls_csv_keep *keep = p->of->disk->keep;
    if (ls_csv_hold(fd, p->path, err) || ls_csv_scan(p->of->conf, fd, p->path, keep != NULL, &found, err)) return -1;
    if (keep && found.torn) {
        free(found.header);
        free(found.table);
        ls_buf_free(&found.inserted);
        return ls_csv_keep_lost(keep, p->path, "does not end with a whole row", err);
    }
    p->header = found.header;
    p->header_len = found.header_len;
    p->cells = found.cells;
    p->table = found.table;
    p->inserted = found.inserted;
    p->bytes = found.bytes;
    p->rows = found.rows;
    return 0;
}

static void unlink_part(ls_csv_part *p) {
    ls_csv_disk *d = p->of->disk;
    *(p->older ? &p->older->newer : &d->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &d->newest) = p->older;
    p->older = p->newer = NULL;
}

static void link_newest(ls_csv_part *p) {
    ls_csv_disk *d = p->of->disk;
    p->older = d->newest;
    *(d->newest ? &d->newest->newer : &d->oldest) = p;
    d->newest = p;
}

/* What it has gathered is thrown away. */
void ls_csv_close_part(ls_csv_part *p) {
    if (!p->open) return;
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    p->open = false;
    unlink_part(p);
    p->of->disk->open--;
    p->of->disk->buffered -= p->out.len;
    ls_buf_free(&p->out);
}

void ls_csv_free_part(ls_csv_part *p) {
    ls_csv_close_part(p);
    free(p->path);
    free(p->header);
    free(p->table);
    ls_buf_free(&p->inserted);
    free(p);
}

ls_csv_part *ls_csv_new_part(ls_csv_files *f) {
    ls_csv_part *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->of = f;
    p->fd = -1;
    return p;
}

const char *ls_csv_end(const ls_csv_conf *conf) {
    return conf->compress == LS_CSV_ZSTD ? ".csv.zst" : conf->compress == LS_CSV_GZIP ? ".csv.gz" : ".csv";
}

/* A part with a file of its own, which it keeps; not in the list yet. */
static ls_csv_part *new_numbered(ls_csv_files *f, size_t number) {
    ls_csv_part *p = ls_csv_new_part(f);
    size_t room = strlen(f->base) + 40;
    if (p) p->path = malloc(room);
    if (!p || !p->path) {
        free(p);
        return NULL;
    }
    if (number > 1)
        snprintf(p->path, room, "%s-%zu%s", f->base, number, ls_csv_end(f->disk->conf));
    else
        snprintf(p->path, room, "%s%s", f->base, ls_csv_end(f->disk->conf));
    return p;
}

int ls_csv_add_part(ls_csv_files *f, ls_csv_part *p) {
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

/* The files of the name that is these two texts, one behind the other. */
static ls_csv_files *known(const ls_csv_disk *d, const char *p, size_t n, const char *more) {
    size_t m = strlen(more);
    ls_csv_files *f = d->names[ls_hash(ls_hash(LS_HASH_START, p, n), more, m) % LS_CSV_NAME_BUCKETS];
    while (f && (strlen(f->base) != n + m || memcmp(f->base, p, n) != 0 || strcmp(f->base + n, more) != 0)) f = f->next;
    return f;
}

/* Is name-2.csv, which would be a part of this name, the first one of the name name-2, or the other way round? Templates can make such
 * names: {topic}-{partition}. */
bool ls_csv_is_anothers(ls_csv_files *f, size_t number) {
    char digits[32];
    size_t n = strlen(f->base), at = n;
    snprintf(digits, sizeof digits, "-%zu", number);
    if (number > 1) return known(f->disk, f->base, n, digits) != NULL;
    while (at && f->base[at - 1] >= '0' && f->base[at - 1] <= '9') at--;
    if (at == n || !at || f->base[at - 1] != '-' || f->base[at] == '0') return false;
    ls_csv_files *other = known(f->disk, f->base, at - 1, "");
    return other && strtoull(f->base + at, NULL, 10) <= (ls_csv_rotates(f->disk->conf) ? other->last_number : other->nparts);
}

/* The next part: taken over if there is such a file, else (*there false) a struct that makes one. */
static int next_part(ls_csv_files *f, ls_csv_part **out, bool *there, ls_error *err) {
    if (f->nparts == LS_CSV_PARTS_MAX)
        return ls_fail(err, LS_FAIL, "%s has %d parts, one for each header: give tables whose columns differ so much files of their own",
                       f->base, LS_CSV_PARTS_MAX);
    bool rotates = ls_csv_rotates(f->disk->conf);
    ls_csv_part *p = rotates ? ls_csv_new_part(f) : new_numbered(f, f->nparts + 1);
    int rc = 0, fd = -1;
    if (!p) return ls_fail_memory(err, "opening CSV files");
    *out = p;
    *there = false;
    if (rotates) return 0; /* those that were there have been found */
    *there = ls_csv_is_anothers(f, f->nparts + 1);
    if (*there) {
        p->cells = SIZE_MAX;
    } else {
        fd = open(p->path, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make it wait */
        *there = fd >= 0;
        rc = fd < 0 ? (errno == ENOENT ? 0 : ls_csv_io_error(err, "open", p->path)) : ls_csv_take_over(p, fd, err);
    }
    if (fd >= 0) close(fd);
    if (rc) {
        ls_csv_free_part(p);
        return -1;
    }
    return 0;
}

/* name.csv, name-2.csv ... as far as they go without a gap. */
static int find_parts(ls_csv_files *f, ls_error *err) {
    bool there = true;
    if (ls_csv_rotates(f->disk->conf)) return ls_csv_find_rotated(f, err);
    while (there && f->nparts < LS_CSV_PARTS_MAX) {
        ls_csv_part *p;
        if (next_part(f, &p, &there, err)) return -1;
        if (there && ls_csv_add_part(f, p) == 0) continue;
        ls_csv_free_part(p);
        if (there) return ls_fail_memory(err, "opening CSV files");
    }
    return 0;
}

static void free_files(ls_csv_files *f) {
    for (size_t i = 0; i < f->nparts; i++) ls_csv_free_part(f->parts[i]);
    free(f->parts);
    free(f->base);
    free(f);
}

bool ls_csv_same_form(const ls_csv_conf *a, const ls_csv_conf *b) {
    bool begins = a->begins && b->begins ? strcmp(a->begins, b->begins) == 0 : !a->begins && !b->begins;
    return begins && a->bare == b->bare && a->delimiter == b->delimiter && a->quote == b->quote && strcmp(a->newline, b->newline) == 0 &&
           a->header == b->header && a->bom == b->bom && a->formula_guard == b->formula_guard;
}

bool ls_csv_files_differ(const ls_csv_disk *d, const ls_csv_conf *conf, const char *base) {
    const ls_csv_files *f = known(d, base, strlen(base), "");
    return f && f->conf != conf && !ls_csv_same_form(f->conf, conf);
}

int ls_csv_files_of(ls_csv_disk *d, const ls_csv_conf *conf, const char *base, ls_csv_files **out, ls_error *err) {
    size_t n = strlen(base);
    int rc;
    ls_csv_files *f = known(d, base, n, ""), **bucket = &d->names[ls_hash(LS_HASH_START, base, n) % LS_CSV_NAME_BUCKETS];
    *out = f;
    if (f && f->conf != conf && !ls_csv_same_form(f->conf, conf))
        return ls_fail(err, LS_USAGE,
                       "two layouts write to %s%s in different forms (delimiter, quote, newline, header, bom, formula_guard, prefix, or without prefix "
                       "the titles): give one of them another filename", base, ls_csv_end(conf));
    if (f) return 0;
    f = calloc(1, sizeof *f);
    if (f) f->base = strdup(base);
    if (!f || !f->base) {
        free(f);
        return ls_fail_memory(err, "opening CSV files");
    }
    f->disk = d;
    f->conf = conf;
    f->serial = ++d->last_serial;
    bool waited = false;
    while ((rc = ls_csv_make_folders(base, err)) && ls_csv_wait(&d->conf->room, err) == 0) waited = true;
    if (waited && rc == 0) ls_csv_found_room(&d->conf->room);
    if (rc || find_parts(f, err)) {
        free_files(f);
        return -1;
    }
    f->next = *bucket;
    d->nnames++;
    *out = *bucket = f;
    return 0;
}

/* ---- writing */

/* A write that failed may have left part of a row: nothing may follow it, or a later flush would call it written. */
static int write_all(void *part, const char *bytes, size_t n, ls_error *err) {
    const ls_csv_part *p = part;
    ls_csv_disk *d = p->of->disk;
    bool waited = false;
    if (d->broken) return ls_fail(err, LS_FAIL, "cannot write %s: an earlier write failed: start again", p->path);
    while (n) {
        ssize_t done = write(p->fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            waited = true;
            ls_csv_io_error(err, "write", p->path);
            if (ls_csv_wait(&d->conf->room, err) == 0) continue;
            d->broken = true;
            return -1;
        }
        if (d->keep) ls_csv_keep_wrote(d->keep, p->path, (size_t)done);
        bytes += done;
        n -= (size_t)done;
    }
    if (waited) ls_csv_found_room(&d->conf->room);
    return 0;
}

/* ---- files that a manifest names */

static int open_waiting(const ls_csv_part *p, int flags, ls_error *err) {
    const ls_csv_room *room = &p->of->disk->conf->room;
    int fd;
    bool waited = false;
    while ((fd = open(p->path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0666)) < 0) {
        if (errno != ENOSPC && errno != EDQUOT) break;
        waited = true;
        ls_csv_io_error(err, "open", p->path);
        if (ls_csv_wait(room, err)) return -2;
    }
    if (waited && fd >= 0) ls_csv_found_room(room);
    return fd;
}

static int make_file(ls_csv_part *p, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    ls_error other;
    p->fd = open_waiting(p, O_CREAT | O_EXCL, err);
    if (p->fd >= 0) return ls_csv_keep_made(d->keep, p->path, true, err) || ls_csv_hold(p->fd, p->path, err) ? -1 : 0;
    d->broken = true;
    if (p->fd == -1) {
        if (errno == EEXIST) ls_fail(err, LS_FAIL, "%s was made by somebody else in this moment: move it away and start again", p->path);
        else ls_csv_io_error(err, "open", p->path);
        if (ls_csv_keep_made(d->keep, p->path, false, &other)) ls_fail_in(err, "%s", other.text);
    }
    p->fd = -1;
    return -1;
}

/* Nothing goes to a file before the manifest on the disk names it. All that are to be made are named and made at once. */
static int name_first(ls_csv_part *p, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    struct stat st;
    uint64_t length;
    if (p->fd >= 0 && !ls_csv_keep_has(d->keep, p->path, &length)) {
        struct stat named;
        if (fstat(p->fd, &st)) return ls_csv_io_error(err, "look at", p->path);
        if (stat(p->path, &named) || named.st_ino != st.st_ino || named.st_dev != st.st_dev) return ls_csv_removed(p, err); /* and is not named */
        if (ls_csv_keep_add(d->keep, p->path, false, (uint64_t)st.st_size, err)) return -1;
    }
    if (!ls_csv_keep_waits(d->keep)) return 0;
    if (d->broken) return ls_fail(err, LS_FAIL, "cannot write %s: an earlier write failed: start again", p->path);
    if (ls_csv_keep_name(d->keep, err)) {
        d->broken = true;
        return -1;
    }
    for (ls_csv_part *q = d->oldest; q; q = q->newer)
        if (q->fd < 0 && make_file(q, err)) return -1;
    return 0;
}

/* end: what has been written since the last end is a whole frame of the compressed file; so a crash leaves no half of what was flushed. */
static int write_bytes(ls_csv_part *p, const char *bytes, size_t n, bool end, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    if (d->keep && name_first(p, err)) return -1;
    if (d->conf->compress == LS_CSV_PLAIN) return write_all(p, bytes, n, err);
    if (!d->packer && ls_packer_new(&d->packer, d->conf->compress, err)) return -1;
    if (!d->broken && ls_packer_add(d->packer, bytes, n, end, write_all, p, err) == 0) return 0;
    if (d->broken) return write_all(p, bytes, n, err); /* says so */
    d->broken = true;
    return -1;
}

static int write_out(ls_csv_part *p, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    if (!p->out.len) return 0;
    if (write_bytes(p, p->out.data, p->out.len, true, err)) return -1;
    d->buffered -= p->out.len;
    p->written = true;
    if (p->out.cap > LS_CSV_KEEP_BUFFERS / d->open) ls_buf_free(&p->out);
    ls_buf_clear(&p->out);
    return 0;
}

int ls_csv_removed(const ls_csv_part *p, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    d->broken = true;
    if (d->keep) return ls_csv_keep_lost(d->keep, p->path, "was removed or replaced while rows were written to it", err);
    return ls_fail(err, LS_FAIL,
                   "%s was removed or replaced while rows were written to it: start again (the rows since the last flush come again, in a new "
                   "file); stop the program before files are taken away", p->path);
}

/* Rows in a file that has no name any more are lost: their offsets must not be committed. */
static int still_there(const ls_csv_part *p, ls_error *err) {
    struct stat open_file, named;
    const ls_csv_keep *keep = p->of->disk->keep;
    uint64_t length = 0;
    if (fstat(p->fd, &open_file)) return ls_csv_io_error(err, "look at", p->path);
    if (stat(p->path, &named) || named.st_ino != open_file.st_ino || named.st_dev != open_file.st_dev) return ls_csv_removed(p, err);
    if (!keep || (ls_csv_keep_has(keep, p->path, &length) && length == (uint64_t)named.st_size)) return 0;
    p->of->disk->broken = true;
    return ls_csv_keep_lost(keep, p->path, "was changed by another program while rows were written to it", err);
}

int ls_csv_flush_part(ls_csv_part *p, ls_error *err) {
    if (p->out.len && write_out(p, err)) return -1;
    if (p->open && p->fd < 0 && name_first(p, err)) return -1; /* one without a header has nothing to write yet */
    if (p->written && p->fd >= 0 && still_there(p, err)) return -1;
    p->written = false;
    return 0;
}

/* make: 0, or O_CREAT for a part that begins: one that was there and is gone must not come back without its header. */
static int open_file(ls_csv_part *p, int make, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    if (d->keep && make && access(p->path, F_OK)) return ls_csv_keep_add(d->keep, p->path, true, 0, err); /* made when it is named */
    if (d->keep && make & O_EXCL) return errno = EEXIST, ls_csv_io_error(err, "make", p->path);
    p->fd = open_waiting(p, d->keep ? 0 : make, err);
    if (p->fd == -1 && errno == ENOENT && !make) return ls_csv_removed(p, err);
    if (p->fd == -1) ls_csv_io_error(err, "open", p->path);
    if (p->fd >= 0) return ls_csv_hold(p->fd, p->path, err);
    p->fd = -1;
    return -1;
}

static int open_part(ls_csv_part *p, int make, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    size_t most = d->conf->max_open_files ? d->conf->max_open_files : LS_CSV_OPEN_FILES;
    if (p->open) {
        if (p == d->newest) return 0;
        unlink_part(p);
        link_newest(p);
        return 0;
    }
    if (d->open >= most) {
        if (ls_csv_flush_part(d->oldest, err)) return -1; /* so that a flush has nothing to do with what is closed */
        ls_csv_close_part(d->oldest);
    }
    int rc = open_file(p, make, err);
    if (rc && p->fd < 0) return -1;
    p->open = true;
    link_newest(p);
    d->open++;
    return rc;
}

/* Makes the part's file, or its next one, and writes the header. */
static int begin_file(ls_csv_part *p, ls_error *err) {
    const ls_csv_conf *conf = p->of->conf;
    bool rotates = ls_csv_rotates(conf);
    if (rotates && !p->begun && ls_csv_name_next(p, err)) return -1;
    if (open_part(p, rotates && !p->begun ? O_CREAT | O_EXCL : O_CREAT, err)) return -1;
    p->begun = true;
    if (conf->bom) ls_buf_str(&p->out, LS_CSV_BOM);
    if (conf->header) {
        ls_buf_add(&p->out, p->header, p->header_len);
        ls_buf_str(&p->out, conf->newline);
    }
    p->of->disk->buffered += p->out.len;
    p->bytes = p->out.len;
    return p->out.failed ? ls_fail_memory(err, "beginning a CSV file") : 0;
}

static int start_part(ls_csv_part *p, const char *header, size_t n, ls_error *err) {
    p->header = malloc(n + 1);
    if (!p->header) return ls_fail_memory(err, "beginning a CSV file");
    memcpy(p->header, header, n);
    p->header_len = n;
    p->cells = ls_csv_count_cells(p->of->conf, header, n);
    return begin_file(p, err);
}

static bool has_header(const ls_csv_part *p, const char *header, size_t n, size_t cells) {
    if (!p->cells) return true; /* an empty file takes the first header that comes */
    if (!p->of->conf->header) return p->cells == cells;
    return p->header && p->header_len == n && memcmp(p->header, header, n) == 0;
}

int ls_csv_files_part(ls_csv_files *f, const char *header, size_t n, ls_csv_part **out, ls_error *err) {
    size_t cells = ls_csv_count_cells(f->conf, header, n), i = 0;
    for (;; i++) {
        bool there;
        ls_csv_part *p;
        if (i == f->nparts) { /* it may be there: behind a gap, or made by somebody meanwhile */
            if (next_part(f, &p, &there, err)) return -1;
            if (ls_csv_add_part(f, p)) {
                ls_csv_free_part(p);
                return ls_fail_memory(err, "beginning a CSV file");
            }
        }
        if (has_header(f->parts[i], header, n, cells)) break;
    }
    *out = f->parts[i];
    return (*out)->cells ? 0 : start_part(*out, header, n, err);
}

ls_csv_part *ls_csv_files_of_table(ls_csv_files *f, const char *table) {
    for (size_t i = f->nparts; i-- > 0;)
        if (ls_csv_has_name(&f->parts[i]->inserted, table) && f->parts[i]->header && f->parts[i]->cells > 2) return f->parts[i];
    for (size_t i = f->nparts; i-- > 0;)
        if (f->parts[i]->table && f->parts[i]->header && f->parts[i]->cells > 2 && strcmp(f->parts[i]->table, table) == 0) return f->parts[i];
    return NULL;
}

/* No second copy of a large row. */
static int write_large(ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    const char *newline = p->of->conf->newline;
    p->written = true;
    if (write_out(p, err) || write_bytes(p, record, n, false, err)) return -1;
    return write_bytes(p, newline, strlen(newline), true, err);
}

static int add_record(ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    ls_csv_disk *d = p->of->disk;
    size_t times = d->conf->compress ? LS_CSV_PACKED_TIMES : 1;
    if (n >= times * LS_CSV_PART_BUFFER) return write_large(p, record, n, err);
    size_t before = p->out.len;
    ls_buf_add(&p->out, record, n);
    ls_buf_str(&p->out, p->of->conf->newline);
    d->buffered += p->out.len - before;
    if (p->out.failed) return ls_fail_memory(err, "writing a CSV row");
    if (p->out.len >= times * LS_CSV_PART_BUFFER) return write_out(p, err);
    return d->buffered >= times * LS_CSV_ALL_BUFFERS ? ls_csv_disk_flush(d, err) : 0;
}

int ls_csv_part_add(ls_csv_part *p, const char *record, size_t n, ls_error *err) {
    const ls_csv_conf *conf = p->of->conf;
    size_t bytes = n + strlen(conf->newline);
    bool rotates = ls_csv_rotates(conf);
    if (rotates && p->begun && ls_csv_is_full(p, bytes) && ls_csv_finish(p, err)) return -1;
    if (rotates && !p->begun ? begin_file(p, err) : open_part(p, 0, err)) return -1;
    if (add_record(p, record, n, err)) return -1;
    p->bytes += bytes;
    p->rows++;
    return rotates && ls_csv_is_full(p, 1) ? ls_csv_finish(p, err) : 0;
}

int ls_csv_disk_flush(ls_csv_disk *d, ls_error *err) {
    for (ls_csv_part *p = d->oldest; p; p = p->newer)
        if (ls_csv_flush_part(p, err)) return -1;
    return 0;
}

/* What is open is made to stay through what it is open by: an error of the disk shows there. */
int ls_csv_disk_commit(ls_csv_disk *d, const ls_csv_commit *c, ls_error *err) {
    if (d->broken) return ls_fail(err, LS_FAIL, "nothing is written any more: an earlier write failed: start again");
    if (ls_csv_disk_flush(d, err)) return -1;
    for (ls_csv_part *p = d->oldest; p; p = p->newer) {
        if (!ls_csv_keep_is_unsynced(d->keep, p->path)) continue;
        if (fdatasync(p->fd)) {
            d->broken = true;
            return ls_csv_io_error(err, "make sure of", p->path);
        }
        ls_csv_keep_synced(d->keep, p->path);
    }
    return ls_csv_keep_commit(d->keep, c, err);
}

void ls_csv_disk_close(ls_csv_disk *d) {
    for (size_t i = 0; i < LS_CSV_NAME_BUCKETS; i++)
        for (ls_csv_files *f = d->names[i], *next; f; f = next) {
            next = f->next;
            free_files(f);
        }
    memset(d->names, 0, sizeof d->names);
    d->nnames = 0;
    ls_packer_free(d->packer);
    d->packer = NULL;
}
