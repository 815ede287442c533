/* csv_scan.h - reading CSV back: cells of a record, and what stands in a file that an earlier run wrote. Pure functions but for files. */
#ifndef LS_CSV_SCAN_H
#define LS_CSV_SCAN_H

#include "base/buf.h"
#include "write/writer.h"

enum {
    LS_CSV_RECORD_MAX = 16 * 1024 * 1024, /* bytes of a first record that is read back */
    LS_CSV_INSERTED_MAX = 64 * 1024       /* bytes of the names of a file's tables; those past it are not known */
};

#define LS_CSV_BOM "\xef\xbb\xbf"

/* What a file's first records say of it. */
typedef struct ls_csv_found {
    char *header; /* as ls_csv_part has them; malloc'd */
    size_t header_len, cells;
    char *table;
    ls_buf inserted;      /* tables that have an I row in it, each with its NUL; not with split_files or a layout's columns */
    uint64_t bytes, rows; /* of whole records, the header's bytes too */
    bool torn;            /* there is more, which is no whole record, and was left as it is */
} ls_csv_found;

/* Reads the file from its beginning and, unless it is to stay as it is, cuts it back to the end of its last whole record. On -1 nothing is owed. */
int ls_csv_scan(const ls_csv_conf *conf, int fd, const char *path, bool as_it_is, ls_csv_found *out, ls_error *err) LS_MUST_CHECK;

/* Is the name among those of ls_csv_found.inserted? */
bool ls_csv_has_name(const ls_buf *names, const char *name);

/* Takes the next cell off a record, its quotes, and those of formula_guard, taken off into out, which is cleared. false: there was
 * none. *at: NULL behind the last. */
bool ls_csv_next_cell(const ls_csv_conf *conf, const char **at, const char *end, ls_buf *out);
size_t ls_csv_count_cells(const ls_csv_conf *conf, const char *record, size_t n);

/* Would a spreadsheet take the text for a formula? A number, as -1.5, is none. */
bool ls_csv_is_formula(const char *p, size_t n);

#endif
