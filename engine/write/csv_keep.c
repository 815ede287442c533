#include "write/csv_keep.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/names.h"
#include "write/csv_file.h"
#include "write/csv_find.h"
#include "write/csv_io.h"
#include "write/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LS_CSV_INSTANCES_MAX = 256, /* as the option `instances` allows */
    LS_CSV_KEPT_BUCKETS = LS_LIMIT(4096, 2),
    LS_CSV_MANIFEST_MAX = 256 * 1024 * 1024 /* bytes of a manifest that is read */
};

/* What the manifest says of a file, or is to say. */
typedef struct kept {
    struct kept *next; /* in its bucket */
    char *path;
    uint64_t length; /* bytes in it now */
    uint64_t stored; /* ... at the last commit: what counts */
    size_t end_len;  /* it has ended: bytes of path that are its name then; 0: not */
    bool end_stored; /* ... and this was committed */
    bool fresh;      /* it was not there at the last commit */
    bool named;      /* by the manifest on the disk */
    bool unsynced;
    bool renamed;    /* it has ended and has its name */
    int64_t used;    /* ls_clock_ms() of the last row */
} kept;

struct ls_csv_keep {
    ls_csv_conf conf;
    char *path, *next_path; /* the manifest's, and while it is written */
    size_t folder_len;      /* of its path, with the slash */
    int lock;
    ls_manifest found; /* what the start has read; its places are kept up to date, its files are `all` */
    kept **all;        /* in the order in which they came */
    size_t n, cap, unnamed;
    kept *buckets[LS_CSV_KEPT_BUCKETS];
    ls_names touched; /* folders in which names have changed that may not stay yet */
    ls_names reached; /* folders whose own names, and those above them, stay */
    ls_buf text;
    bool broken;
};

static int no_memory(ls_error *err) { return ls_fail_memory(err, "keeping the manifest"); }

const char *ls_csv_keep_path(const ls_csv_keep *k) { return k->path; }
const ls_manifest *ls_csv_keep_found(const ls_csv_keep *k) { return &k->found; }

/* ---- names */

/* filename_consumer.manifest.json; of a template what stands before its first brace, the consumer, and .manifest.json. number: of the
 * instance; 0: none. NULL: memory. */
static const char *put_path(ls_buf *path, const ls_csv_conf *conf, const char *consumer, int number, const char *end) {
    size_t fixed = strcspn(conf->filename, "{");
    ls_buf_clear(path);
    ls_buf_add(path, conf->filename, fixed);
    if (!conf->filename[fixed]) ls_buf_char(path, '_');
    ls_path_escape(path, consumer);
    if (number) ls_buf_fmt(path, "-%d", number);
    ls_buf_str(path, end);
    return ls_buf_cstr(path);
}

/* Of the conf's own instance; malloc'd. */
static char *path_of(const ls_csv_conf *conf, const char *end) {
    ls_buf path = {0};
    if (put_path(&path, conf, conf->consumer, 0, end)) return path.data;
    ls_buf_free(&path);
    return NULL;
}

static bool is_inside(const ls_csv_keep *k, const char *path) {
    return k->folder_len ? strncmp(path, k->path, k->folder_len) == 0 : *path != '/';
}

uint64_t ls_csv_keep_hash(const ls_csv_keep *k, const char *path) {
    if (is_inside(k, path)) path += k->folder_len;
    return ls_hash(LS_HASH_START, path, strlen(path));
}

static kept **find(const ls_csv_keep *k, const char *path) {
    kept **at = (kept **)&k->buckets[ls_hash(LS_HASH_START, path, strlen(path)) % LS_CSV_KEPT_BUCKETS];
    while (*at && strcmp((*at)->path, path) != 0) at = &(*at)->next;
    return at;
}

static void free_kept(kept *f) {
    free(f->path);
    free(f);
}

/* Takes the path over, which is malloc'd. NULL: memory. */
static kept *add(ls_csv_keep *k, char *path) {
    kept *f = path ? calloc(1, sizeof *f) : NULL;
    if (f && k->n == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 16;
        kept **all = realloc(k->all, cap * sizeof *all);
        if (all) k->all = all, k->cap = cap;
    }
    if (!f || k->n == k->cap) {
        free(path);
        free(f);
        return NULL;
    }
    f->path = path;
    f->used = ls_clock_ms();
    k->all[k->n++] = *find(k, path) = f;
    return f;
}

static void unlink_kept(ls_csv_keep *k, kept *f) {
    kept **at = find(k, f->path);
    *at = f->next;
    k->unnamed -= !f->named;
    free_kept(f);
}

/* ---- folders */

/* The folder of a path, with its slash, or "". */
static size_t folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int touch(ls_csv_keep *k, const char *path, ls_error *err) {
    return ls_names_add(&k->touched, path, folder_of(path)) < 0 ? no_memory(err) : 0;
}

/* The folder's own name, and those above it: an earlier run may have made them and not lived to make sure of them. */
static int reach(ls_csv_keep *k, const char *folder, ls_error *err) {
    char *path = strdup(folder);
    int rc = path ? 0 : no_memory(err);
    for (size_t n = path ? strlen(path) : 0; rc == 0 && n && ls_names_find(&k->reached, path, n) < 0;) {
        if (ls_names_add(&k->reached, path, n) < 0) rc = no_memory(err);
        while (n && path[n - 1] == '/') n--;
        if (!n) break;
        path[n] = '\0';
        n = folder_of(path);
        path[n] = '\0';
        if (rc == 0 && access(*path ? path : ".", W_OK) == 0) rc = ls_csv_sync_folder(path, err); /* in others nothing was made */
    }
    free(path);
    return rc;
}

static int sync_folders(ls_csv_keep *k, ls_error *err) {
    for (uint32_t i = 0; i < k->touched.n; i++) {
        const char *folder = k->touched.all[i].text;
        if (*folder && access(folder, F_OK) && errno == ENOENT) continue; /* never made, or taken away with what had ended in it */
        if (ls_csv_sync_folder(folder, err) || reach(k, folder, err)) return -1;
    }
    ls_names_free(&k->touched);
    k->touched = (ls_names){0};
    return 0;
}

/* ---- writing the manifest */

static int print(ls_csv_keep *k, bool commit, ls_error *err) {
    ls_manifest m = k->found;
    size_t fixed = k->folder_len;
    m.files = calloc(k->n + 1, sizeof *m.files);
    m.nfiles = 0;
    for (size_t i = 0; m.files && i < k->n; i++) {
        const kept *f = k->all[i];
        bool inside = is_inside(k, f->path), ended = f->end_len && (commit || f->end_stored);
        char *end = ended ? strndup(f->path + folder_of(f->path), f->end_len - folder_of(f->path)) : NULL;
        if (ended && !end) m.nfiles = SIZE_MAX;
        if (m.nfiles == SIZE_MAX) break;
        m.files[m.nfiles++] = (ls_manifest_file){.name = f->path + (inside ? fixed : 0), .outside = !inside, .fresh = f->fresh && !commit,
                                                 .bytes = commit ? f->length : f->stored, .end = end};
    }
    ls_buf_clear(&k->text);
    bool fine = m.files && m.nfiles != SIZE_MAX;
    if (fine) ls_manifest_print(&m, &k->text);
    for (size_t i = 0; m.files && m.nfiles != SIZE_MAX && i < m.nfiles; i++) free(m.files[i].end);
    free(m.files);
    return fine && !k->text.failed ? 0 : no_memory(err);
}

/* fsync() fails for want of room where a disk promises more than it has: the file is begun anew, so nothing is lost by it. */
static int write_next(ls_csv_keep *k, ls_error *err) {
    int fd = open(k->next_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc = 0;
    if (fd < 0) return ls_csv_io_error(err, "open", k->next_path);
    for (size_t at = 0; at < k->text.len && rc == 0;) {
        ssize_t n = write(fd, k->text.data + at, k->text.len - at);
        if (n > 0) at += (size_t)n;
        else if (n == 0 || errno != EINTR) rc = ls_csv_io_error(err, "write", k->next_path);
    }
    if (rc == 0 && fsync(fd)) rc = ls_csv_io_error(err, "make sure of", k->next_path);
    if (close(fd) && rc == 0) rc = ls_csv_io_error(err, "write", k->next_path);
    if (rc == 0 && rename(k->next_path, k->path)) rc = ls_csv_io_error(err, "rename", k->next_path);
    return rc;
}

/* Files that have left the manifest with what is written now: they have their names, or are settled. */
static void drop(ls_csv_keep *k, bool commit) {
    int64_t now = ls_clock_ms();
    size_t left = 0;
    for (size_t i = 0; i < k->n; i++) {
        kept *f = k->all[i];
        bool settled = commit && !f->fresh && !f->end_len && f->length == f->stored && now - f->used >= k->conf.keep->settle_ms;
        if (f->renamed || settled) unlink_kept(k, f);
        else k->all[left++] = f;
    }
    k->n = left;
}

/* commit: all that has been written counts; else the manifest says what it has said, and names further files. */
static int store(ls_csv_keep *k, bool commit, ls_error *err) {
    bool waited = false;
    if (k->broken) return ls_fail(err, LS_FAIL, "%s is not written any more: an earlier write failed: start again", k->path);
    k->broken = true; /* until it is done */
    if (sync_folders(k, err)) return -1;
    drop(k, commit);
    if (print(k, commit, err)) return -1;
    for (; write_next(k, err); waited = true)
        if (ls_csv_wait(&k->conf.room, err)) return -1;
    if (waited) ls_csv_found_room(&k->conf.room);
    char *folder = strndup(k->path, k->folder_len);
    int rc = !folder ? no_memory(err) : ls_csv_sync_folder(folder, err) || reach(k, folder, err) ? -1 : 0;
    free(folder);
    if (rc) return -1;
    for (size_t i = 0; i < k->n; i++) {
        kept *f = k->all[i];
        f->named = true;
        if (!commit) continue;
        f->stored = f->length;
        f->fresh = false;
        f->end_stored = f->end_len != 0;
    }
    k->unnamed = 0;
    k->broken = false;
    return 0;
}

/* ---- files that rows go to */

bool ls_csv_keep_has(const ls_csv_keep *k, const char *path, uint64_t *length) {
    const kept *f = *find(k, path);
    if (f) *length = f->length;
    return f != NULL;
}

bool ls_csv_keep_has_ended(const ls_csv_keep *k, const char *path) {
    const kept *f = *find(k, path);
    return f && f->end_len && !f->renamed;
}

/* A file that was renamed away, and of whose name there is another one now, has left before its time. */
static void make_way(ls_csv_keep *k, const char *path) {
    kept *f = *find(k, path);
    for (size_t i = 0; f && i < k->n; i++)
        if (k->all[i] == f) memmove(&k->all[i], &k->all[i + 1], (--k->n - i) * sizeof *k->all);
    if (f) unlink_kept(k, f);
}

int ls_csv_keep_add(ls_csv_keep *k, const char *path, bool fresh, uint64_t length, ls_error *err) {
    kept *f = *find(k, path);
    if (f && !f->renamed) return ls_csv_keep_lost(k, path, "was removed or replaced while rows were written to it", err);
    make_way(k, path);
    f = add(k, strdup(path));
    if (!f) return no_memory(err);
    f->fresh = fresh;
    f->stored = f->length = length;
    k->unnamed++;
    return 0;
}

bool ls_csv_keep_waits(const ls_csv_keep *k) { return k->unnamed > 0; }
int ls_csv_keep_name(ls_csv_keep *k, ls_error *err) { return store(k, false, err); }

void ls_csv_keep_wrote(ls_csv_keep *k, const char *path, size_t n) {
    kept *f = *find(k, path);
    if (!f) return;
    f->length += n;
    f->unsynced = true;
    f->used = ls_clock_ms();
}

int ls_csv_keep_made(ls_csv_keep *k, const char *path, bool made, ls_error *err) {
    if (made) return touch(k, path, err);
    make_way(k, path);
    return store(k, false, err); /* or the next start would remove what is there */
}

int ls_csv_keep_end(ls_csv_keep *k, const char *path, size_t end_len, ls_error *err) {
    kept *f = *find(k, path);
    struct stat st;
    if (!f && stat(path, &st)) return ls_csv_io_error(err, "look at", path);
    if (!f && ls_csv_keep_add(k, path, false, (uint64_t)st.st_size, err)) return -1;
    f = *find(k, path);
    f->end_len = end_len;
    return 0;
}

bool ls_csv_keep_is_unsynced(const ls_csv_keep *k, const char *path) {
    const kept *f = *find(k, path);
    return f && f->unsynced;
}

void ls_csv_keep_synced(ls_csv_keep *k, const char *path) {
    kept *f = *find(k, path);
    if (f) f->unsynced = false;
}

/* ---- a commit */

/* What was written to files that are not open any more. */
static int sync_closed(ls_csv_keep *k, ls_error *err) {
    for (size_t i = 0; i < k->n; i++) {
        kept *f = k->all[i];
        if (!f->unsynced) continue;
        int fd = open(f->path, O_WRONLY | O_CLOEXEC);
        int rc = fd < 0 && errno == ENOENT ? ls_csv_keep_lost(k, f->path, "is not there any more", err)
                 : fd < 0 || fdatasync(fd) ? ls_csv_io_error(err, "make sure of", f->path) : 0;
        if (fd >= 0) close(fd);
        if (rc) return -1;
        f->unsynced = false;
    }
    return 0;
}

static int note_place(ls_csv_keep *k, const ls_position *at, ls_error *err) {
    ls_manifest *m = &k->found;
    size_t i = 0;
    while (i < m->nplaces && (m->places[i].partition != at->partition || strcmp(m->places[i].topic, at->topic) != 0)) i++;
    if (i == m->nplaces) {
        ls_manifest_place *all = realloc(m->places, (i + 1) * sizeof *all);
        if (all) m->places = all;
        char *topic = all ? strdup(at->topic) : NULL;
        if (!topic) return no_memory(err);
        m->places[m->nplaces++] = (ls_manifest_place){.topic = topic, .partition = at->partition};
    }
    m->places[i].offset = at->offset;
    return 0;
}

/* A file that was taken away in this moment is its taker's: all its rows are in it. */
static int give_names(ls_csv_keep *k, ls_error *err) {
    for (size_t i = 0; i < k->n; i++) {
        kept *f = k->all[i];
        if (!f->end_len || f->renamed) continue;
        char *name = strndup(f->path, f->end_len);
        int rc = name ? touch(k, f->path, err) : no_memory(err);
        if (rc == 0 && ls_csv_rename_new(f->path, name) && errno != ENOENT)
            rc = errno == EEXIST ? ls_fail(err, LS_FAIL, "%s is there already, and %s, which has ended, gets that name: move it away and start again", name, f->path)
                                 : ls_csv_io_error(err, "rename", f->path);
        free(name);
        if (rc) return -1;
        f->renamed = true;
    }
    return 0;
}

int ls_csv_keep_commit(ls_csv_keep *k, const ls_csv_commit *c, ls_error *err) {
    ls_manifest *m = &k->found;
    ls_manifest_truncate *truncates = malloc((c->ntruncates + 1) * sizeof *truncates);
    if (!truncates) return no_memory(err);
    if (c->ntruncates) memcpy(truncates, c->truncates, c->ntruncates * sizeof *truncates);
    if (sync_closed(k, err)) {
        free(truncates);
        k->broken = true; /* what could not be made to stay may be gone: it is not counted later either */
        return -1;
    }
    free(m->truncates);
    m->truncates = truncates;
    m->ntruncates = c->ntruncates;
    m->has_span = c->span != LS_CSV_NO_SPAN;
    m->span = m->has_span ? c->span : 0;
    for (size_t i = 0; i < c->n; i++)
        if (note_place(k, &c->at[i], err)) return -1;
    return store(k, true, err) || give_names(k, err) ? -1 : 0;
}

/* ---- a start */

int ls_csv_keep_lost(const ls_csv_keep *k, const char *path, const char *what, ls_error *err) {
    return ls_fail(err, LS_LOST,
                   "%s %s (%s): put the file back as it was; or, if its rows are not wanted any more, move it away, take its line out of %s and start again",
                   path, what, k->path, k->path);
}

/* As its name says: the option may be another one since. */
static ls_csv_compress compress_of(const char *path) {
    const char *p = path + folder_of(path), *end = NULL;
    while ((p = strstr(p, ".csv"))) end = p += 4;
    return !end ? LS_CSV_PLAIN : strncmp(end, ".zst", 4) == 0 ? LS_CSV_ZSTD : strncmp(end, ".gz", 3) == 0 ? LS_CSV_GZIP : LS_CSV_PLAIN;
}

/* The bytes that count end a line, or what stands behind them begins a frame (or is zeros, after a power cut): else the file was changed, and
 * would be cut at a wrong place. */
static bool ends_there(ls_csv_compress compress, int fd, uint64_t bytes) {
    static const unsigned char begins[][2] = {[LS_CSV_ZSTD] = {0x28, 0xb5}, [LS_CSV_GZIP] = {0x1f, 0x8b}};
    unsigned char at[2] = {0};
    if (compress == LS_CSV_PLAIN) return !bytes || (pread(fd, at, 1, (off_t)bytes - 1) == 1 && *at == '\n');
    ssize_t n = pread(fd, at, 2, (off_t)bytes);
    for (ssize_t i = 0; i < n; i++)
        if (at[i] && at[i] != begins[compress][i]) return false;
    return n >= 0;
}

/* Back to what the manifest counts. *there: it is there. */
static int cut_back(ls_csv_keep *k, const ls_manifest_file *f, const char *path, bool *there, bool *cut, ls_error *err) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK), rc = 0;
    struct stat st;
    *cut = false;
    *there = fd >= 0;
    if (fd < 0) return errno == ENOENT ? 0 : ls_csv_io_error(err, "open", path);
    if (ls_csv_hold(fd, path, err)) rc = -1;
    else if (fstat(fd, &st)) rc = ls_csv_io_error(err, "look at", path);
    else if ((uint64_t)st.st_size < f->bytes) rc = ls_csv_keep_lost(k, path, "is shorter than it was", err);
    else if ((uint64_t)st.st_size > f->bytes && !f->fresh) {
        if (f->end) rc = ls_csv_keep_lost(k, path, "has ended, and is longer than it was", err);
        else if (!ends_there(compress_of(path), fd, f->bytes)) rc = ls_csv_keep_lost(k, path, "was changed: no row ends where the last one did", err);
        else if (ftruncate(fd, (off_t)f->bytes)) rc = ls_csv_io_error(err, "cut back", path);
        *cut = rc == 0;
    }
    close(fd);
    return rc;
}

static int note_ended(ls_csv_keep *k, const ls_manifest_file *f, const char *path, ls_error *err) {
    kept *e = add(k, strdup(path));
    if (!e) return no_memory(err);
    e->end_len = folder_of(path) + strlen(f->end);
    e->length = e->stored = f->bytes;
    e->named = e->end_stored = true;
    return 0;
}

static int recover(ls_csv_keep *k, const ls_manifest_file *f, ls_error *err) {
    bool there, cut;
    char *path = NULL;
    int rc = f->outside ? ((path = strdup(f->name)) ? 0 : -1) : asprintf(&path, "%.*s%s", (int)k->folder_len, k->path, f->name) < 0 ? -1 : 0;
    if (rc) return no_memory(err);
    rc = *find(k, path) ? ls_csv_keep_lost(k, path, "stands there twice", err) : 0;
    if (rc == 0) rc = cut_back(k, f, path, &there, &cut, err);
    if (rc == 0 && f->fresh) {
        if (there && unlink(path)) rc = ls_csv_io_error(err, "remove", path);
        if (rc == 0) rc = touch(k, path, err);
    } else if (rc == 0 && f->end) {
        rc = note_ended(k, f, path, err); /* not there: it has its name, and may have been taken away since */
    } else if (rc == 0 && !there) {
        rc = ls_csv_keep_lost(k, path, "is not there", err);
    } else if (rc == 0) {
        kept *e = add(k, strdup(path));
        if (!e) rc = no_memory(err);
        else e->named = true, e->unsynced = cut, e->length = e->stored = f->bytes;
    }
    free(path);
    return rc;
}

/* 1: read; 0: there is none; -1. */
static int load(const char *path, ls_manifest *out, ls_error *err) {
    ls_buf text = {.max = LS_CSV_MANIFEST_MAX};
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    *out = (ls_manifest){0};
    if (fd < 0) return errno == ENOENT ? 0 : ls_csv_io_error(err, "open", path);
    for (ssize_t n = 1; rc == 0 && n;) {
        if (!ls_buf_room(&text, 64 * 1024)) rc = no_memory(err);
        else if ((n = read(fd, text.data + text.len, text.cap - text.len)) < 0 && errno != EINTR) rc = ls_csv_io_error(err, "read", path);
        else if (n > 0) text.len += (size_t)n;
        else if (n < 0) n = 1;
    }
    close(fd);
    if (rc == 0 && (rc = ls_manifest_read(out, text.data, text.len, err))) {
        ls_fail_in(err, "%s cannot be read", path);
        size_t len = strlen(err->text);
        snprintf(err->text + len, sizeof err->text - len, ": put a copy of it back; without one, move this consumer's files and the manifest away "
                                                          "and start again: all rows that the topics still have come again");
    }
    ls_buf_free(&text);
    if (rc) ls_manifest_free(out);
    return rc ? -1 : 1;
}

/* Is this one, of the consumer's own name or of an instance's, in the way? */
static int check_one(const ls_csv_keep *k, const char *path, ls_error *err) {
    const ls_csv_keep_conf *own = k->conf.keep;
    ls_manifest m;
    int rc = access(path, F_OK) ? 0 : load(path, &m, err);
    if (rc <= 0) return rc;
    bool same = strcmp(m.consumer, own->consumer) == 0;
    rc = 0;
    if (same && m.instances != own->instances)
        rc = ls_fail(err, LS_USAGE,
                     "%s was written with instances = %d, and the consumer has %d: set instances = %d again; to change it begin with another filename, or move "
                     "the files and manifests away: all rows that the topics still have come again", path, m.instances, own->instances, m.instances);
    else if (strcmp(path, k->path) == 0 && (!same || m.instance != own->instance))
        rc = ls_fail(err, LS_USAGE, "%s is the consumer_id \"%s\"'s: choose another consumer_id, or another filename", path, m.consumer);
    ls_manifest_free(&m);
    return rc;
}

/* Partitions are shared out by the number of instances: with another one the rows of some would be in two files, or in none. */
static int check_instances(const ls_csv_keep *k, ls_error *err) {
    ls_buf path = {0};
    int rc = 0;
    for (int i = 0; rc == 0 && i <= LS_CSV_INSTANCES_MAX; i++)
        rc = put_path(&path, &k->conf, k->conf.keep->consumer, i, ".manifest.json") ? check_one(k, path.data, err) : no_memory(err);
    ls_buf_free(&path);
    return rc;
}

static int refuse_old_files(const ls_csv_keep *k, ls_error *err) {
    char *old = NULL;
    int rc = ls_csv_find_any(&k->conf, &old, err);
    if (rc == 1)
        ls_fail(err, LS_LOST,
                "%s is there, and %s, which tells how far its rows go, is not: put the manifest back, or move the files away (all rows that the topics "
                "still have come again), or choose another filename", old, k->path);
    free(old);
    return rc ? -1 : 0;
}

static int take_lock(ls_csv_keep *k, ls_error *err) {
    char *path = path_of(&k->conf, ".manifest.lock");
    int rc = !path ? no_memory(err) : ls_csv_make_folders(path, err);
    if (rc == 0 && (k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0) rc = ls_csv_io_error(err, "open", path);
    if (rc == 0 && (rc = ls_csv_hold(k->lock, path, err)) && err->code == LS_FENCED)
        ls_fail(err, LS_FENCED, "another program writes the files of %s: give one of the two another consumer_id, or another filename", k->path);
    free(path);
    return rc;
}

static int start(ls_csv_keep *k, ls_error *err) {
    const ls_csv_keep_conf *own = k->conf.keep;
    if (take_lock(k, err) || check_instances(k, err)) return -1;
    int there = load(k->path, &k->found, err);
    if (there < 0 || (!there && refuse_old_files(k, err))) return -1;
    for (size_t i = 0; i < k->found.nfiles; i++)
        if (recover(k, &k->found.files[i], err)) return -1;
    for (size_t i = 0; i < k->found.nfiles; i++) {
        free(k->found.files[i].name);
        free(k->found.files[i].end);
    }
    k->found.nfiles = 0;
    if (!there) {
        k->found.consumer = strdup(own->consumer);
        k->found.instance = own->instance;
        k->found.instances = own->instances;
        if (!k->found.consumer) return no_memory(err);
    }
    return give_names(k, err);
}

int ls_csv_keep_open(ls_csv_keep **out, const ls_csv_conf *conf, ls_error *err) {
    ls_csv_keep *k = calloc(1, sizeof *k);
    *out = NULL;
    if (!k) return no_memory(err);
    k->conf = *conf;
    k->lock = -1;
    k->path = path_of(conf, ".manifest.json");
    k->next_path = path_of(conf, ".manifest.json.new");
    k->folder_len = k->path ? folder_of(k->path) : 0;
    int rc = k->path && k->next_path ? start(k, err) : no_memory(err);
    if (rc == 0) *out = k;
    else ls_csv_keep_close(k);
    return rc;
}

void ls_csv_keep_close(ls_csv_keep *k) {
    if (!k) return;
    for (size_t i = 0; i < k->n; i++) free_kept(k->all[i]);
    if (k->lock >= 0) close(k->lock);
    ls_names_free(&k->touched);
    ls_names_free(&k->reached);
    ls_manifest_free(&k->found);
    ls_buf_free(&k->text);
    free(k->all);
    free(k->path);
    free(k->next_path);
    free(k);
}

int ls_csv_keep_refuse(const ls_csv_conf *conf, ls_error *err) {
    char *path = path_of(conf, ".manifest.json");
    if (!path) return no_memory(err);
    int rc = access(path, F_OK) == 0
                 ? ls_fail(err, LS_USAGE, "%s is there: these files were written with delivery = \"exactly_once\", and another delivery would have rows twice in them: "
                                          "set it again, or choose another filename", path)
                 : 0;
    free(path);
    return rc;
}
