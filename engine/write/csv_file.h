/* csv_file.h - the files that rows of one kind go to: name.csv, and name-2.csv ... for rows with other headers.
 * One file has one header; a part is found again by it, also after a restart; without headers in the files, by its number
 * of cells. One thread. */
#ifndef LS_CSV_FILE_H
#define LS_CSV_FILE_H

#include "base/buf.h"
#include "base/limit.h"
#include "write/writer.h"

enum {
    LS_CSV_OPEN_FILES = LS_LIMIT(64, 2),   /* parts held open; past it the one longest unused is closed, and opened again to append */
    LS_CSV_PART_BUFFER = LS_LIMIT(64 * 1024, 128),  /* bytes gathered for a part before they are written */
    LS_CSV_ALL_BUFFERS = LS_LIMIT(128 * 1024, 192), /* ... for all parts of one ls_csv_files, of which a writer has one or two */
    LS_CSV_PARTS_MAX = 10000,              /* parts of one name */
    LS_CSV_RECORD_MAX = 16 * 1024 * 1024   /* bytes of a first record that is read back */
};

typedef struct ls_csv_part {
    char *path;
    char *header; /* its header record without the line end, also when headers are not written; NULL: nothing in the file yet,
                     or it is not known */
    size_t header_len;
    size_t cells; /* of each record; 0: nothing in the file yet */
    char *table;  /* the table cell of its first record, quotes taken off; NULL: none */
    int fd;       /* -1: closed */
    ls_buf out;   /* rows not written yet */
    bool written; /* since the last flush */
    uint64_t used; /* ticks: for the one longest unused */
} ls_csv_part;

typedef struct ls_csv_files {
    const ls_csv_conf *conf; /* borrowed */
    char *base;              /* path without the part's number and .csv */
    ls_csv_part **parts;
    size_t nparts, cap_parts;
    size_t open, buffered;
    uint64_t tick;
    bool broken; /* a write failed: no other one is tried */
} ls_csv_files;

/* Finds the parts that are there, cuts each back to the end of its last whole record, makes the folder. */
int ls_csv_files_open(ls_csv_files **out, const ls_csv_conf *conf, const char *base, ls_error *err) LS_MUST_CHECK;
/* The part with this header; a new one is made when there is none. */
int ls_csv_files_part(ls_csv_files *f, const char *header, size_t n, ls_csv_part **out, ls_error *err) LS_MUST_CHECK;
/* The newest part whose header is known and names columns, and whose first record is of this table; NULL: none. */
ls_csv_part *ls_csv_files_of_table(ls_csv_files *f, const char *table);
/* Adds a record and its line end. */
int ls_csv_files_add(ls_csv_files *f, ls_csv_part *p, const char *record, size_t n, ls_error *err) LS_MUST_CHECK;
/* Everything gathered goes to the operating system. */
int ls_csv_files_flush(ls_csv_files *f, ls_error *err) LS_MUST_CHECK;
void ls_csv_files_close(ls_csv_files *f); /* without a flush; NULL is fine */

/* Takes the next cell off a record, its quotes taken off into out, which is cleared. false: there was none. *at: NULL behind
 * the last. */
bool ls_csv_next_cell(const ls_csv_conf *conf, const char **at, const char *end, ls_buf *out);
size_t ls_csv_count_cells(const ls_csv_conf *conf, const char *record, size_t n);

#endif
