/* read.h - what the decoder's readers share: protobuf_read.c and raw.c, and for JSON json_read.c, which reads any order of members, and
 * json_quick.c, which reads messages as json.c writes them. The last two give the same change for the same message. */
#ifndef LS_FORMAT_READ_H
#define LS_FORMAT_READ_H

#include "base/arena.h"
#include "base/json.h"
#include "format/format.h"
#include "format/tables.h"

enum { LS_KEY_MAX = 1024 }; /* columns of a key */

typedef struct ls_named { /* {"name":..., "value":...}, or a bare name */
    ls_json_value name, value;
} ls_named;

typedef struct ls_named_list {
    ls_named *at;
    size_t n, cap;
} ls_named_list;

enum { LS_COLUMNS, LS_IDENTITY, LS_PK, LS_NOT_SENT, LS_WAS_AT, LS_WENT_TO, LS_LISTS };

typedef struct ls_read_source { /* kind LS_JSON_NULL: not there */
    ls_json_value connector, db, tx, pos;
    int64_t ts;
    uint64_t seq, sub;
    bool snapshot;
} ls_read_source;

/* What option `decode` chooses. */
typedef struct ls_reader {
    const char *name;
    bool tombstones; /* makes a row of a null message, too */
    int (*read)(ls_decoder *d, ls_work *w, const ls_incoming *m, ls_error *err);
} ls_reader;

extern const ls_reader ls_read_json, ls_read_protobuf, ls_read_raw;

struct ls_decoder {
    const ls_reader *reader;
    ls_tables *tables;
    const char *start; /* of the message under way: for offsets */
    size_t bytes;      /* its length */
    ls_named_list lists[LS_LISTS];
    ls_json_value action, schema, table, to_schema, to_table;
    ls_read_source source;
    ls_seen_column *cols; /* of the row under way */
    uint32_t *at;
    size_t cap_cols;
    const ls_work *last_work; /* whose last_tx it is, if the generation is the same, too */
    uint32_t last_generation;
    const ls_tx *last_tx;
    ls_buf source_text;     /* json_quick.c: of a message whose transaction was source_tx, `source` up to the number of its row */
    const ls_tx *source_tx; /* source_work's, in that generation */
    const ls_work *source_work;
    uint32_t source_generation;
    ls_buf text; /* an unescaped string */
    ls_arena scratch; /* protobuf: what a message unpacks to; reset with each */
};

/* The error about a message that the reader refuses: puts in front what the message may be instead, and the mend. Gives -1. */
int ls_read_other(const ls_decoder *d, const ls_incoming *m, ls_error *err);
/* Room for the columns of a row in cols and at. */
int ls_read_room(ls_decoder *d, size_t n, ls_error *err) LS_MUST_CHECK;

/* A message's value as a column's. */
int ls_read_value(ls_decoder *d, ls_work *w, const ls_json_value *v, ls_value *out, ls_error *err) LS_MUST_CHECK;
/* What a column's type must take. */
void ls_read_type(const ls_json_value *v, ls_seen_column *out);
/* The transaction: the last one again, where it is the same. NULL with an error. */
const ls_tx *ls_read_tx(ls_decoder *d, ls_work *w, ls_error *err);
/* json_quick.c. 1: the change is added; 0: not a message that is read here, nothing was added; -1: memory. */
int ls_read_quickly(ls_decoder *d, ls_work *w, ls_error *err) LS_MUST_CHECK;

#endif
