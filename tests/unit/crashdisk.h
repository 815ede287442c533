/* crashdisk.h - a disk that loses power. The calls that change files are counted (linked with --wrap), and from number `crash_at` on nothing is
 * done any more; then the folder can be brought into the state that it may have after that. What fsync() has not made to stay is known by a
 * second book of names and bytes: a file's bytes stay by its own fsync(), its name, a rename and a removal by its folder's. One at a time. */
#ifndef CRASHDISK_H
#define CRASHDISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CRASH_FILES = 4096, CRASH_NAMES = 4096, CRASH_PATH = 400 };

typedef enum crash_way {
    CRASH_KILLED, /* all that was done is there */
    CRASH_STRICT, /* only what was made to stay is */
    CRASH_MIXED,  /* of the rest some: a folder's names are all old or all new, a file's last bytes are there, half of them, or zeros */
    CRASH_WAYS
} crash_way;

typedef struct crash_bytes {
    char *p;
    size_t n;
} crash_bytes;

typedef struct crash_file {
    ino_t ino;
    crash_bytes stays;
} crash_file;

typedef struct crash_name {
    char path[CRASH_PATH];
    int file; /* -1: a folder */
} crash_name;

static char crash_root[CRASH_PATH]; /* below it changes are counted */
static long crash_ops, crash_at;    /* calls so far; the first that is not done: 0: none */
static int crash_error, crash_fails; /* with crash_error (an errno) so many calls fail from there on, and then the disk works again; 0: it is dead */
static bool crash_counts, crash_tears /* a write that is cut off writes half */;
static crash_file crash_files[CRASH_FILES];
static crash_name crash_names[CRASH_NAMES]; /* that stay */
static int crash_nfiles, crash_nnames;

ssize_t __real_write(int, const void *, size_t);
int __real_open(const char *, int, ...);
int __real_fsync(int);
int __real_fdatasync(int);
int __real_ftruncate(int, off_t);
int __real_rename(const char *, const char *);
int __real_renameat2(int, const char *, int, const char *, unsigned);
int __real_unlink(const char *);
int __real_mkdir(const char *, mode_t);
ssize_t __wrap_write(int, const void *, size_t);
int __wrap_open(const char *, int, ...);
int __wrap_fsync(int);
int __wrap_fdatasync(int);
int __wrap_ftruncate(int, off_t);
int __wrap_rename(const char *, const char *);
int __wrap_renameat2(int, const char *, int, const char *, unsigned);
int __wrap_unlink(const char *);
int __wrap_mkdir(const char *, mode_t);

static bool crash_is_dead(void) { return crash_at && crash_ops >= crash_at && (!crash_error || crash_ops < crash_at + crash_fails); }

static bool crash_inside(const char *path) { return crash_counts && strncmp(path, crash_root, strlen(crash_root)) == 0; }

static bool crash_fd_inside(int fd) {
    char link[64], path[CRASH_PATH] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return crash_counts && readlink(link, path, sizeof path - 1) > 0 && crash_inside(path);
}

/* folder/name; a path that is too long ends the test. */
static void crash_join(char out[CRASH_PATH], const char *folder, const char *name) {
    size_t n = strlen(folder), m = strlen(name);
    if (n + m + 2 > CRASH_PATH) abort();
    memcpy(out, folder, n);
    out[n] = '/';
    memcpy(out + n + 1, name, m + 1);
}

/* Counts a call. false: it is not done. */
static bool crash_goes(void) {
    crash_ops++;
    if (!crash_is_dead()) return true;
    errno = crash_error ? crash_error : EIO;
    return false;
}

static crash_bytes crash_read(const char *path) {
    crash_bytes b = {0};
    struct stat st;
    int fd = __real_open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st)) abort();
    b.n = (size_t)st.st_size;
    b.p = malloc(b.n + 1);
    if (!b.p || read(fd, b.p, b.n) != (ssize_t)b.n) abort();
    close(fd);
    return b;
}

/* The newest file with this inode: a removed one's may be used again. */
static int crash_file_of(ino_t ino) {
    int i = crash_nfiles;
    while (i-- > 0 && crash_files[i].ino != ino) {}
    return i;
}

static void crash_new_file(const char *path) {
    struct stat st;
    if (stat(path, &st) || crash_nfiles == CRASH_FILES) abort();
    crash_files[crash_nfiles++] = (crash_file){.ino = st.st_ino};
}

static void crash_file_stays(int fd) {
    char link[64];
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (fstat(fd, &st)) abort();
    int i = crash_file_of(st.st_ino);
    if (i < 0) abort();
    free(crash_files[i].stays.p);
    crash_files[i].stays = crash_read(link);
}

static bool crash_is_in(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void crash_keep_name(const char *path, int file) {
    if (crash_nnames == CRASH_NAMES) abort();
    strcpy(crash_names[crash_nnames].path, path);
    crash_names[crash_nnames++].file = file;
}

static void crash_folder_stays(const char *folder) {
    for (int i = 0; i < crash_nnames;) {
        if (crash_is_in(crash_names[i].path, folder)) crash_names[i] = crash_names[--crash_nnames];
        else i++;
    }
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[CRASH_PATH];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        crash_join(path, folder, e->d_name);
        if (stat(path, &st)) abort();
        crash_keep_name(path, S_ISDIR(st.st_mode) ? -1 : crash_file_of(st.st_ino));
    }
    if (dir) closedir(dir);
}

static int crash_sync(int fd) {
    char link[64], path[CRASH_PATH] = "";
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0 || fstat(fd, &st)) abort();
    if (S_ISDIR(st.st_mode)) crash_folder_stays(path);
    else crash_file_stays(fd);
    return 0;
}

/* ---- the calls */

ssize_t __wrap_write(int fd, const void *p, size_t n) {
    if (!crash_fd_inside(fd)) return __real_write(fd, p, n);
    bool was_dead = crash_is_dead();
    if (crash_goes()) return __real_write(fd, p, n);
    int e = errno;
    if (!was_dead && crash_tears && n > 1 && __real_write(fd, p, n / 2) < 0) abort();
    if (!was_dead && crash_tears && n > 1 && crash_error) return (ssize_t)(n / 2); /* the next call fails */
    errno = e;
    return -1;
}

int __wrap_open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    int mode = flags & O_CREAT ? va_arg(more, int) : 0;
    va_end(more);
    if (!(flags & (O_CREAT | O_TRUNC)) || !crash_inside(path)) return __real_open(path, flags, mode);
    bool there = access(path, F_OK) == 0;
    if (!crash_goes()) return -1;
    int fd = __real_open(path, flags, mode);
    if (fd >= 0 && !there) crash_new_file(path);
    return fd;
}

int __wrap_fsync(int fd) {
    if (!crash_fd_inside(fd)) return 0; /* what is above the folder is no part of the test */
    return crash_goes() ? crash_sync(fd) : -1;
}

int __wrap_fdatasync(int fd) { return __wrap_fsync(fd); }

int __wrap_ftruncate(int fd, off_t n) {
    if (!crash_fd_inside(fd)) return __real_ftruncate(fd, n);
    return crash_goes() ? __real_ftruncate(fd, n) : -1;
}

int __wrap_rename(const char *from, const char *to) {
    if (!crash_inside(from)) return __real_rename(from, to);
    return crash_goes() ? __real_rename(from, to) : -1;
}

int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    if (!crash_inside(from)) return __real_renameat2(a, from, b, to, flags);
    return crash_goes() ? __real_renameat2(a, from, b, to, flags) : -1;
}

int __wrap_unlink(const char *path) {
    if (!crash_inside(path)) return __real_unlink(path);
    return crash_goes() ? __real_unlink(path) : -1;
}

int __wrap_mkdir(const char *path, mode_t mode) {
    if (!crash_inside(path)) return __real_mkdir(path, mode);
    return crash_goes() ? __real_mkdir(path, mode) : -1;
}

/* ---- after the crash */

static unsigned crash_chance; /* a small generator, so that a run can be repeated */
static unsigned crash_random(unsigned n) {
    crash_chance = crash_chance * 1103515245u + 12345u;
    return (crash_chance >> 16) % n;
}

/* Every name below the folder, folders before what is in them. */
static int crash_list(const char *folder, crash_name *out, int n) {
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[CRASH_PATH];
        struct stat st;
        if (e->d_name[0] == '.') continue;
        crash_join(path, folder, e->d_name);
        if (stat(path, &st) || n == CRASH_NAMES) abort();
        strcpy(out[n].path, path);
        out[n++].file = S_ISDIR(st.st_mode) ? -1 : crash_file_of(st.st_ino);
        if (S_ISDIR(st.st_mode)) n = crash_list(path, out, n);
    }
    if (dir) closedir(dir);
    return n;
}

static crash_bytes crash_some_of(crash_bytes stays, crash_bytes now) {
    crash_bytes out = {.p = calloc(1, stays.n + now.n + 1), .n = stays.n};
    unsigned which = crash_random(4);
    const char *from = stays.p;
    if (!out.p) abort();
    if (which && now.n < stays.n) out.n = now.n, from = now.p;
    else if (which == 1) out.n = now.n, from = now.p;
    else if (which == 2) out.n = stays.n + crash_random((unsigned)(now.n - stays.n) + 1), from = now.p;
    if (out.n) memcpy(out.p, from, out.n);
    if (which == 3 && now.n > out.n) out.n = now.n; /* the length is there, the bytes are not */
    return out;
}

static bool crash_folder_is_there(const char *path) {
    char folder[CRASH_PATH];
    struct stat st;
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return stat(folder, &st) == 0;
}

static void crash_put(const crash_name *n, crash_bytes b) {
    if (!crash_folder_is_there(n->path)) return; /* it is gone, and all in it */
    if (n->file < 0) {
        if (__real_mkdir(n->path, 0777) && errno != EEXIST) abort();
        return;
    }
    int fd = __real_open(n->path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0 || __real_write(fd, b.p, b.n) != (ssize_t)b.n) abort();
    close(fd);
}

static int crash_by_path(const void *a, const void *b) { return strcmp(((const crash_name *)a)->path, ((const crash_name *)b)->path); }

static int crash_remove_one(const char *path, const struct stat *st, int what, struct FTW *at) {
    (void)st, (void)what;
    return at->level ? remove(path) : 0;
}

/* What is in the folder. */
static void crash_clear(const char *folder) {
    if (nftw(folder, crash_remove_one, 16, FTW_DEPTH | FTW_PHYS)) abort();
}

/* All that is there now stays: a run begins. */
static void crash_begin(const char *root, long at) {
    static crash_name all[CRASH_NAMES];
    for (int i = 0; i < crash_nfiles; i++) free(crash_files[i].stays.p);
    snprintf(crash_root, sizeof crash_root, "%s", root);
    crash_nfiles = crash_nnames = 0;
    int n = crash_list(root, all, 0);
    for (int i = 0; i < n; i++) {
        struct stat st;
        if (stat(all[i].path, &st)) abort();
        if (S_ISDIR(st.st_mode)) {
            crash_keep_name(all[i].path, -1);
            continue;
        }
        crash_new_file(all[i].path);
        crash_files[crash_nfiles - 1].stays = crash_read(all[i].path);
        crash_keep_name(all[i].path, crash_nfiles - 1);
    }
    crash_ops = 0;
    crash_at = at;
    crash_counts = true;
}

/* The folder as it may be found after the crash. */
static void crash_happens(crash_way way) {
    static crash_name now[CRASH_NAMES], then[CRASH_NAMES];
    static crash_bytes bytes[CRASH_FILES];
    int nnow = crash_list(crash_root, now, 0), n = 0, named = crash_nnames;
    crash_counts = false;
    if (way == CRASH_KILLED) return;
    for (int i = 0; i < crash_nfiles; i++) bytes[i] = (crash_bytes){0};
    for (int i = 0; i < nnow; i++)
        if (now[i].file >= 0) bytes[now[i].file] = crash_read(now[i].path);
    /* each folder's names, old or new */
    for (int i = 0; i < nnow; i++)
        if (now[i].file < 0 && way == CRASH_MIXED && crash_random(2)) then[n++] = now[i];
    qsort(now, (size_t)nnow, sizeof *now, crash_by_path);
    static char newer[CRASH_NAMES][CRASH_PATH];
    int nnewer = 0;
    if (way == CRASH_MIXED && crash_random(2)) strcpy(newer[nnewer++], crash_root);
    for (int i = 0; i < n; i++) strcpy(newer[nnewer++], then[i].path);
    n = 0;
    for (int i = 0; i < nnow + named; i++) {
        const crash_name *one = i < nnow ? &now[i] : &crash_names[i - nnow];
        bool is_newer = false;
        for (int k = 0; k < nnewer; k++) is_newer |= crash_is_in(one->path, newer[k]);
        if (is_newer == (i < nnow)) then[n++] = *one;
    }
    qsort(then, (size_t)n, sizeof *then, crash_by_path);
    crash_clear(crash_root);
    for (int i = 0; i < n; i++) {
        crash_bytes stays = then[i].file < 0 ? (crash_bytes){0} : crash_files[then[i].file].stays;
        crash_bytes some = way == CRASH_STRICT || then[i].file < 0 ? (crash_bytes){0} : crash_some_of(stays, bytes[then[i].file].p ? bytes[then[i].file] : stays);
        crash_put(&then[i], some.p ? some : stays);
        free(some.p);
    }
    for (int i = 0; i < crash_nfiles; i++) free(bytes[i].p);
}

#endif
