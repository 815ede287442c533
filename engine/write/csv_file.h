/* csv_file.h - the files that a writer has. Rows of one name go to name.csv, and to name-2.csv ... where they have other headers.
 * One file has one header; a part is found again by it, also after a restart; without headers in the files, by its number
 * of cells. One thread. */
#ifndef LS_CSV_FILE_H
#define LS_CSV_FILE_H

#include "base/buf.h"
#include "base/limit.h"
#include "write/csv_keep.h"
#include "write/csv_pack.h"
#include "write/csv_scan.h"
#include "write/writer.h"

enum {
    LS_CSV_OPEN_FILES = LS_LIMIT(64, 2),   /* parts held open where max_open_files does not say */
    LS_CSV_PART_BUFFER = LS_LIMIT(64 * 1024, 128),  /* bytes gathered for a part before they are written */
    LS_CSV_ALL_BUFFERS = LS_LIMIT(128 * 1024, 192), /* ... for all parts of a writer */
    LS_CSV_PACKED_TIMES = 4, /* as many times both where files are compressed: small frames take more room */
    LS_CSV_KEEP_BUFFERS = 4 * 1024 * 1024, /* bytes of room that the open parts' buffers keep, about */
    LS_CSV_PARTS_MAX = 10000,              /* parts of one name */
    LS_CSV_NAMES_MAX = LS_LIMIT(10000, 4), /* names that are known; past it all are closed, and found again */
    LS_CSV_NAME_BUCKETS = LS_LIMIT(1024, 2)
};
#define LS_CSV_NO_SPAN INT64_MIN

typedef struct ls_csv_files ls_csv_files;

typedef struct ls_csv_part {
    ls_csv_files *of;
    struct ls_csv_part *older, *newer; /* neighbours among the open ones, by their last use */
    char *path;   /* with rotation NULL until there is a file */
    char *header; /* its header record without the line end, also when headers are not written; NULL: nothing in the file yet,
                     or it is not known */
    size_t header_len;
    size_t cells; /* of each record; 0: nothing in the file yet; SIZE_MAX: no rows go there */
    char *table;  /* the table cell of its first record, quotes taken off; NULL: none */
    ls_buf inserted; /* tables whose I rows were in it when it was found, each with its NUL */
    bool open;    /* else everything is written */
    int fd;       /* -1: closed; or open, and its file is made when the manifest names it */
    ls_buf out;   /* rows not written yet */
    bool written; /* since the last flush */
    /* With rotation the part's files come one after the other, and `path` is the one that rows are added to. */
    bool begun;          /* there is one */
    size_t number;       /* in its name */
    size_t done_len;     /* bytes of path that are its name when it is closed */
    uint64_t bytes, rows; /* in it, gathered ones too; before compression, and without the header */
    int64_t span;        /* second since 1970 that the span which it belongs to begins with; LS_CSV_NO_SPAN: not known yet */
} ls_csv_part;

/* All files of a writer. */
typedef struct ls_csv_disk {
    const ls_csv_conf *conf; /* borrowed; what the layouts' ones do not differ in is read here */
    ls_csv_files *names[LS_CSV_NAME_BUCKETS];
    size_t nnames;
    uint64_t last_serial;
    ls_csv_part *newest, *oldest; /* the open parts: past max_open_files the one longest unused is closed, and opened again to append */
    size_t open, buffered;
    ls_packer *packer; /* of the frame that is being written; NULL: none yet */
    bool broken; /* a write failed: no other one is tried */
    ls_csv_keep *keep; /* NULL: rows may be there twice after a crash */
    int64_t span; /* rotate_every: of the rows so far the latest one's; LS_CSV_NO_SPAN at first */
} ls_csv_disk;

/* The files of one name. */
struct ls_csv_files {
    ls_csv_disk *disk;
    const ls_csv_conf *conf; /* borrowed: the first one that the name was asked for with */
    ls_csv_files *next; /* in its bucket */
    uint64_t serial;    /* no other ones of the disk's life have it */
    char *base;         /* path without the part's number and .csv */
    ls_csv_part **parts;
    size_t nparts, cap_parts;
    size_t last_number; /* with rotation: of the files made or found so far */
};

/* The files of that name. At first: finds the parts that are there, cuts each back to the end of its last whole record, makes the folder.
 * Two confs that cannot read each other's files and have a name in common: LS_USAGE. */
int ls_csv_files_of(ls_csv_disk *d, const ls_csv_conf *conf, const char *base, ls_csv_files **out, ls_error *err) LS_MUST_CHECK;
/* The part with this header; a new one is made when there is none. */
int ls_csv_files_part(ls_csv_files *f, const char *header, size_t n, ls_csv_part **out, ls_error *err) LS_MUST_CHECK;
/* The newest part whose header is known and names columns, and that had an I row of this table when it was found; where there is none, whose first record is of
 * the table. NULL: none. */
ls_csv_part *ls_csv_files_of_table(ls_csv_files *f, const char *table);
/* Adds a record and its line end. */
int ls_csv_part_add(ls_csv_part *p, const char *record, size_t n, ls_error *err) LS_MUST_CHECK;
/* Everything gathered goes to the operating system. */
int ls_csv_disk_flush(ls_csv_disk *d, ls_error *err) LS_MUST_CHECK;
/* With a keep: ... and counts from now on. */
int ls_csv_disk_commit(ls_csv_disk *d, const ls_csv_commit *c, ls_error *err) LS_MUST_CHECK;
/* Rows of this commit time come next: with rotate_every this may end files. */
int ls_csv_disk_time(ls_csv_disk *d, int64_t ts, ls_error *err) LS_MUST_CHECK;
/* The files that an earlier run was adding to, where a conf's filename is a template and they do not come up of themselves. A name that
 * templates of confs in different forms make waits for its rows, which tell whose it is. */
int ls_csv_disk_find(ls_csv_disk *d, const ls_csv_conf *const *confs, size_t n, ls_error *err) LS_MUST_CHECK;
/* Is a file of the one read back by the other as it was written? */
bool ls_csv_same_form(const ls_csv_conf *a, const ls_csv_conf *b);
/* Are the files of that name in use by a conf of another form? */
bool ls_csv_files_differ(const ls_csv_disk *d, const ls_csv_conf *conf, const char *base);
/* Closes and forgets all files, without a flush. */
void ls_csv_disk_close(ls_csv_disk *d);

const char *ls_csv_end(const ls_csv_conf *conf); /* .csv, .csv.zst, .csv.gz */

#endif
