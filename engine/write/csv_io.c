#include "write/csv_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int ls_csv_io_error(ls_error *err, const char *what, const char *path) {
    int e = errno;
    if (e == ENOSPC || e == EDQUOT) return ls_fail(err, LS_AGAIN, "cannot %s %s: %s: free some space", what, path, strerror(e));
    const char *mend = e == EFBIG ? "raise the limit on a file's size (ulimit -f)"
                       : e == EACCES || e == EROFS || e == EPERM ? "give the user the right to write there, or choose another filename"
                       : e == EMFILE || e == ENFILE ? "raise the limit on open files (ulimit -n), or lower max_open_files"
                       : e == ENOTDIR || e == EISDIR || e == ENAMETOOLONG || e == ENOENT || e == ENXIO || e == EEXIST ? "choose another filename" : "mend the disk";
    return ls_fail(err, LS_FAIL, "cannot %s %s: %s: %s and start again (rows that were not flushed come again)", what, path, strerror(e), mend);
}

int ls_csv_wait(const ls_csv_room *room, ls_error *err) {
    if (err->code != LS_AGAIN) return -1;
    if (room->wait) return room->wait(room->ctx, err);
    err->code = LS_FAIL;
    return -1;
}

void ls_csv_found_room(const ls_csv_room *room) {
    if (room->found) room->found(room->ctx);
}

int ls_csv_hold(int fd, const char *path, ls_error *err) {
    struct stat st;
    if (fstat(fd, &st)) return ls_csv_io_error(err, "look at", path);
    if (!S_ISREG(st.st_mode)) return ls_fail(err, LS_USAGE, "%s is no regular file: choose another filename", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return ls_csv_io_error(err, "lock", path);
    return ls_fail(err, LS_FENCED, "another program writes %s: give one of the two another consumer_id, or another filename", path);
}

int ls_csv_rename_new(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (access(to, F_OK) == 0) return errno = EEXIST, -1; /* a file system that cannot tell */
    return rename(from, to);
}

/* Some file systems cannot do it, and say so. */
int ls_csv_sync_folder(const char *folder, ls_error *err) {
    int fd = open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || (fsync(fd) && errno != EINVAL) ? ls_csv_io_error(err, "make sure of folder", *folder ? folder : ".") : 0;
    if (fd >= 0) close(fd);
    return rc;
}

int ls_csv_make_folders(const char *file, ls_error *err) {
    char *path = strdup(file);
    if (!path) return ls_fail_memory(err, "opening CSV files");
    int rc = 0;
    for (char *p = path; *p && rc == 0; p++) { /* a template may begin with its first brace, so that nothing stands in front of it */
        if (*p != '/' || p == path) continue;
        *p = '\0';
        if (mkdir(path, 0777) && errno != EEXIST) rc = ls_csv_io_error(err, "make folder", path);
        *p = '/';
    }
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = '\0';
    const char *folder = slash ? path : ".";
    struct stat st;
    if (rc == 0 && stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) errno = ENOTDIR, rc = ls_csv_io_error(err, "write into folder", folder);
    if (rc == 0 && access(folder, W_OK | X_OK)) rc = ls_csv_io_error(err, "write into folder", folder);
    free(path);
    return rc;
}
