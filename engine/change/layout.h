/* layout.h - `layout` of a CSV writer: which columns a table's rows are written with. What the script says, the cells that its functions
 * gave, and a date as text. */
#ifndef LS_LAYOUT_H
#define LS_LAYOUT_H

#include "change/batch.h"

typedef struct ls_layout_column {
    const char *title; /* UTF-8, as it stands in the header */
    const char *from;  /* the column; NULL: a function of the script gives the cell */
    const char *date;  /* strftime's format; NULL: as it is */
    bool optional;     /* tables may be without it */
} ls_layout_column;

typedef struct ls_layout {
    const char *pattern; /* of tables: base/pattern.h */
    const ls_layout_column *columns;
    size_t ncolumns; /* 0: the table's own */
} ls_layout;

/* What a function gave for one half of a change, image 1 the row after, 0 the row before: ncolumns values, of which those that have no
 * `from` are set; LS_ABSENT: it had to do with a value that was not sent. ls_cells_left_out: there is to be no record. NULL: no function
 * was asked. They live as long as the batch. */
extern const ls_value ls_cells_left_out[1];
const ls_value *ls_layout_cells(const ls_work *w, uint32_t change, int image);

/* Appends the canonical text of a date, time, datetime or timestamp by strftime's conversions, in UTC; an infinity as it is. -1: it is
 * none (a zero or partial date, too), and nothing is appended. */
int ls_layout_date(ls_buf *out, const char *format, const char *p, size_t n) LS_MUST_CHECK;

#endif
