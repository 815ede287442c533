/* csv_layout.h - lanes: how and where the rows of some tables are written, by a layout, or of all others, by the writer's own conf. One thread. */
#ifndef LS_CSV_LAYOUT_H
#define LS_CSV_LAYOUT_H

#include "write/csv_cell.h"
#include "write/csv_route.h"

enum {
    LS_CSV_WARNED = 64,            /* columns that a lane's tables lack, each told once; past it they are not told */
    LS_CSV_NO_COLUMN = UINT32_MAX
};

typedef struct ls_csv_lane {
    ls_csv_conf conf;
    ls_csv_dialect dialect;
    ls_csv_routes routes;
    const ls_layout *layout; /* borrowed; NULL: the writer's own */
    ls_buf header;           /* of its columns; empty: each table has a header of its own */
    bool *had;               /* of each column: a table has had it */
    uint64_t warned[LS_CSV_WARNED]; /* hashes of a table and a column */
    size_t nwarned;
} ls_csv_lane;

/* layout NULL: the writer's own. The lane must stay where it is. ls_csv_lane_close() is owed also after -1. */
int ls_csv_lane_open(ls_csv_lane *l, ls_csv_disk *d, const ls_csv_conf *conf, const ls_layout *layout, ls_error *err) LS_MUST_CHECK;
void ls_csv_lane_close(ls_csv_lane *l);

static inline bool ls_csv_lane_is_laid(const ls_csv_lane *l) { return l->layout && l->layout->ncolumns; }

/* The rest is for lanes with columns. */

/* Where the layout's columns stand among the schema's: LS_CSV_NO_COLUMN: nowhere, or a function gives it. malloc'd; NULL: memory. */
uint32_t *ls_csv_lane_find(const ls_csv_lane *l, const ls_schema *s);
/* A row with all the columns of its table has come: is there one that the layout names and the table lacks? Where the layout is of one table,
 * which has had no such column, LS_FAIL; else it is absent, and warned of once. */
int ls_csv_lane_check(ls_csv_lane *l, const ls_schema *s, const uint32_t *at, ls_error *err) LS_MUST_CHECK;
/* Appends a row's cells, a delimiter before each. cells: what functions gave; NULL: nothing, which is absent. text: scratch. */
int ls_csv_lane_put(const ls_csv_lane *l, const ls_change *c, const ls_value *row, const ls_value *cells, const uint32_t *at, ls_buf *out,
                    ls_buf *text, ls_error *err) LS_MUST_CHECK;

#endif
