/* csv_cell.h - values as cells of a record. Pure functions. */
#ifndef LS_CSV_CELL_H
#define LS_CSV_CELL_H

#include "base/buf.h"
#include "write/writer.h"

/* A conf as cells are printed by it. */
typedef struct ls_csv_dialect {
    const ls_csv_conf *conf; /* borrowed */
    size_t null_len, absent_len;
    bool special[256]; /* bytes that a cell is quoted for */
} ls_csv_dialect;

ls_csv_dialect ls_csv_dialect_of(const ls_csv_conf *conf);
/* Appends a text, quoted where it must be. */
void ls_csv_put_text(const ls_csv_dialect *d, ls_buf *out, const char *p, size_t n);
/* Each appends a delimiter, and the cell. text: scratch. */
void ls_csv_put_absent(const ls_csv_dialect *d, ls_buf *out);
void ls_csv_put_cell(const ls_csv_dialect *d, ls_buf *out, const ls_value *v, ls_buf *text);

#endif
