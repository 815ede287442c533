/* binlog_rows.h - a WRITE, UPDATE or DELETE ROWS event, row by row. Pure. */
#ifndef LS_BINLOG_ROWS_H
#define LS_BINLOG_ROWS_H

#include "capture/binlog_map.h"
#include "change/batch.h"

typedef struct ls_rows {
    ls_cursor in; /* over the whole event, at the next row; the event's bytes must stay */
    ls_map *map;  /* NULL: nothing to decode */
    uint64_t id;
    const uint8_t *before, *after; /* bitmaps of the columns that an image has; NULL: no such image */
    uint32_t nbefore, nafter;      /* how many it has */
    uint8_t action;                /* 'I', 'U', 'D' */
    bool ends_statement;
    bool partial; /* columns are missing from the row after and are not in the row before */
    bool part_before; /* columns are missing from the row before */
    bool compressed; /* the rows are: ls_rows_inflate() comes first */
    bool json_changes; /* MySQL's PARTIAL_JSON: a row after may hold changes of the row before's documents */
    uint32_t njson;    /* JSON columns of the table, then */
    bool lost; /* changes came of a document that the event does not have: the new one can be told by nobody */
    bool mended;       /* text of the row read last was not valid and was mended */
} ls_rows;

enum ls_rows_type { /* event types: WRITE, UPDATE, DELETE are three that follow one another */
    LS_ROWS_V1 = 23,
    LS_ROWS_V2 = 30,
    LS_ROWS_PARTIAL_UPDATE = 39, /* on its own; MySQL's */
    LS_ROWS_COMPRESSED_V1 = 166, /* MariaDB's */
    LS_ROWS_COMPRESSED_V2 = 169,
    LS_ROWS_ACTIONS = 3
};

bool ls_rows_is(uint8_t type); /* is it one of these events? */
/* in: such an event, behind its header and up to its checksum. A table that is not captured gives map NULL. */
int ls_rows_open(ls_rows *r, const ls_maps *maps, uint8_t type, ls_cursor in, ls_error *err) LS_MUST_CHECK;
/* Inflates the rows of a compressed event into `plain`, where they must stay while they are read. */
int ls_rows_inflate(ls_rows *r, ls_buf *plain, ls_error *err) LS_MUST_CHECK;
static inline bool ls_rows_left(const ls_rows *r) {
    return r->map && ls_cursor_left(&r->in) > 0;
}
/* Adds the next row to the batch; *seq counts. text is scratch. mend: text that is not valid in its character set is mended and its
 * value flagged, which it always is in a row before: not all of that is sent. Else it is an error. */
int ls_rows_next(ls_rows *r, ls_work *w, const ls_tx *tx, uint64_t *seq, bool mend, ls_buf *text, ls_error *err) LS_MUST_CHECK;

#endif
