/* csv_find.c - what an earlier run has left: files of a template that were being written, and any file at all. */
#include "write/csv_find.h"

#include "write/csv_io.h"
#include "write/csv_parts.h"
#include "write/path.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is looked for, of confs[which]: the files that are being written, or (any) the first file of whatever kind. */
typedef struct search {
    ls_csv_disk *disk;
    const ls_csv_conf *const *confs;
    size_t n, which;
    bool any;
    char *found;
} search;

static int walk(search *s, ls_buf *path, int depth, ls_error *err);

/* A name's last ".csv". */
static char *last_end(char *path) {
    char *end = strstr(strrchr(path, '/') ? strrchr(path, '/') : path, ".csv");
    for (char *next; end && (next = strstr(end + 1, ".csv"));) end = next;
    return end;
}

/* The base of a path, its part's number taken off where the template allows. 1; 0: the template makes no such name; -1. */
static int base_of(const ls_csv_conf *conf, char *path, ls_error *err) {
    char *end = last_end(path), *dash;
    if (!end) return 0;
    *end = '\0';
    dash = strrchr(path, '-');
    if (dash && dash[1] >= '1' && dash[1] <= '9' && !dash[1 + strspn(dash + 1, "0123456789")]) {
        *dash = '\0';
        int is = ls_path_matches(conf->filename, conf->consumer, path, err);
        if (is) return is;
        *dash = '-';
    }
    return ls_path_matches(conf->filename, conf->consumer, path, err);
}

/* 1: the file may as well be another conf's, whose form is another. */
static int is_doubtful(const search *s, const char *path, const char *base, ls_error *err) {
    const ls_csv_conf *own = s->confs[s->which];
    if (ls_csv_files_differ(s->disk, own, base)) return 1;
    for (size_t i = 0; i < s->n; i++) {
        if (i == s->which || !strchr(s->confs[i]->filename, '{') || ls_csv_same_form(s->confs[i], own)) continue;
        char *other = strdup(path);
        int is = other ? base_of(s->confs[i], other, err) : ls_fail_memory(err, "opening CSV files");
        bool same = is == 1 && strcmp(other, base) == 0;
        free(other);
        if (is < 0 || same) return is;
    }
    return 0;
}

/* .csv, what compression puts behind it, and what stands behind a file that is being written: the whole of what is left of a name? */
static bool is_end(const char *p) {
    static const char *const packed[] = {"", ".zst", ".gz"};
    int64_t span;
    if (strncmp(p, ".csv", 4) != 0) return false;
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        const char *rest = p + 4;
        size_t n = strlen(packed[i]);
        if (strncmp(rest, packed[i], n) != 0) continue;
        rest += n;
        if (*rest == '.' && ls_csv_read_span(rest + 1, &span)) rest += 1 + LS_CSV_SPAN_TEXT;
        if (!*rest || strcmp(rest, ".part") == 0) return true;
    }
    return false;
}

/* 1: it is one of any kind. */
static int take_any(search *s, const ls_buf *path, ls_error *err) {
    char *base = strdup(path->data), *end = base ? last_end(base) : NULL;
    int is = !base ? ls_fail_memory(err, "opening CSV files") : end && is_end(end) ? base_of(s->confs[s->which], base, err) : 0;
    free(base);
    if (is == 1 && !(s->found = strdup(path->data))) return ls_fail_memory(err, "opening CSV files");
    return is;
}

static int look_at(search *s, ls_buf *path, bool is_folder, int depth, ls_error *err) {
    ls_csv_disk *d = s->disk;
    const ls_csv_conf *conf = s->confs[s->which];
    ls_csv_files *f;
    if (is_folder) return depth ? walk(s, path, depth - 1, err) : 0;
    if (s->any) return take_any(s, path, err);
    if (path->len < 5 || memcmp(path->data + path->len - 5, ".part", 5) != 0) return 0;
    if (d->nnames >= LS_CSV_NAMES_MAX / 2) return 0;
    char *base = strdup(path->data); /* it is NUL-terminated */
    int is = base ? base_of(conf, base, err) : ls_fail_memory(err, "opening CSV files");
    int doubt = is == 1 ? is_doubtful(s, path->data, base, err) : 0;
    int rc = doubt < 0 ? -1 : is == 1 && !doubt ? ls_csv_files_of(d, conf, base, &f, err) : is < 0 ? -1 : 0;
    free(base);
    return rc;
}

/* path: a folder, with a slash at the end or empty; as it was in the end. */
static int walk(search *s, ls_buf *path, int depth, ls_error *err) {
    size_t len = path->len;
    const char *folder = ls_buf_cstr(path);
    DIR *dir = folder ? opendir(len ? folder : ".") : NULL;
    int rc = 0;
    if (!folder) return ls_fail_memory(err, "opening CSV files");
    if (!dir) return errno == ENOENT || errno == EACCES ? 0 : ls_csv_io_error(err, "read folder", folder);
    for (struct dirent *e; rc == 0 && (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.' && (!e->d_name[1] || e->d_name[1] == '.')) continue;
        ls_buf_str(path, e->d_name);
        const char *there = ls_buf_cstr(path);
        if (!there) rc = ls_fail_memory(err, "opening CSV files");
        else if (lstat(there, &st) == 0 && S_ISDIR(st.st_mode)) ls_buf_char(path, '/'), rc = look_at(s, path, true, depth, err);
        else rc = look_at(s, path, false, depth, err);
        path->len = len;
    }
    closedir(dir);
    return rc;
}

static int find_files_of(search *s, ls_error *err) {
    const char *template_ = s->confs[s->which]->filename;
    size_t fixed = strcspn(template_, "{");
    ls_buf path = {0};
    int depth = 0;
    if (!template_[fixed]) return 0;
    while (fixed && template_[fixed - 1] != '/') fixed--;
    for (const char *p = template_ + fixed; *p; p++) depth += *p == '/';
    ls_buf_add(&path, template_, fixed);
    int rc = walk(s, &path, depth, err);
    ls_buf_free(&path);
    return rc;
}

int ls_csv_disk_find(ls_csv_disk *d, const ls_csv_conf *const *confs, size_t n, ls_error *err) {
    search s = {.disk = d, .confs = confs, .n = n};
    for (; ls_csv_rotates(d->conf) && s.which < n; s.which++)
        if (find_files_of(&s, err)) return -1;
    return 0;
}

/* ---- any file */

/* filename_consumer, its kind of rows and a part's number. */
static int find_named(const ls_csv_conf *conf, char **out, ls_error *err) {
    ls_buf base = {0};
    ls_buf_str(&base, conf->filename);
    ls_buf_char(&base, '_');
    ls_path_escape(&base, conf->consumer);
    const char *path = ls_buf_cstr(&base), *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
    char *folder = path ? strndup(path, (size_t)(name - path)) : NULL;
    DIR *dir = folder ? opendir(*folder ? folder : ".") : NULL;
    int rc = !folder ? ls_fail_memory(err, "opening CSV files") : !dir && errno != ENOENT ? ls_csv_io_error(err, "read folder", folder) : 0;
    for (struct dirent *e; dir && rc == 0 && (e = readdir(dir));) {
        const char *rest = e->d_name + strlen(name);
        if (strncmp(e->d_name, name, strlen(name)) != 0) continue;
        if (conf->split_files && strncmp(rest, "_insert", 7) == 0) rest += 7;
        else if (conf->split_files && strncmp(rest, "_delete", 7) == 0) rest += 7;
        if (*rest == '-' && rest[1] >= '1' && rest[1] <= '9') rest += 1 + strspn(rest + 1, "0123456789");
        if (is_end(rest) && (rc = asprintf(out, "%s%s", folder, e->d_name) < 0 ? -1 : 1) < 0) *out = NULL, ls_fail_memory(err, "opening CSV files");
    }
    if (dir) closedir(dir);
    free(folder);
    ls_buf_free(&base);
    return rc;
}

int ls_csv_find_any(const ls_csv_conf *conf, char **out, ls_error *err) {
    int rc = 0;
    *out = NULL;
    for (size_t i = 0; i <= conf->nlayouts && rc == 0; i++) {
        const ls_csv_conf *one = i ? &conf->layouts[i - 1].conf : conf;
        search s = {.confs = &one, .n = 1, .any = true};
        rc = strchr(one->filename, '{') ? find_files_of(&s, err) : find_named(one, out, err);
        if (s.found) *out = s.found;
    }
    return rc;
}
