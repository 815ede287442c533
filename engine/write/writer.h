/* writer.h - where a consumer instance puts its rows. One thread. */
#ifndef LS_WRITER_H
#define LS_WRITER_H

#include "base/log.h"
#include "change/layout.h"

typedef struct ls_writer ls_writer;

typedef struct ls_position { /* of a partition: the offset of the next message */
    const char *topic;
    int32_t partition;
    int64_t offset;
} ls_position;

typedef struct ls_writer_ops {
    /* Writes the batch's changes that are not LS_DROPPED; on -1 none of them counts as written until flush succeeds. */
    int (*write)(ls_writer *w, ls_batch *b, ls_error *err);
    /* All that was written stays written: the offsets of `at`, where the partitions held have got to, may be committed. LS_AGAIN: what was
     * written since the last flush is to be thrown away and comes again. */
    int (*flush)(ls_writer *w, const ls_position *at, size_t n, ls_error *err);
    /* NULL, or: is the partition to begin at a place of the writer's own? 1: *at's offset is set; 2: at its beginning; 0: no. */
    int (*begin)(ls_writer *w, ls_position *at, ls_error *err);
    void (*discard)(ls_writer *w); /* NULL, or: throws away what was written since the last flush */
    void (*close)(ls_writer *w); /* without a flush */
} ls_writer_ops;

struct ls_writer {
    const ls_writer_ops *ops;
};

typedef enum ls_csv_compress { LS_CSV_PLAIN, LS_CSV_ZSTD, LS_CSV_GZIP } ls_csv_compress;

/* delivery = "exactly_once". */
typedef struct ls_csv_keep_conf {
    const char *consumer; /* its id, without an instance's number */
    int instance, instances; /* from 1 */
    int64_t settle_ms; /* a file that got no row for so long leaves the manifest */
} ls_csv_keep_conf;

/* What a writer does when the disk is full. */
typedef struct ls_csv_room {
    int (*wait)(void *ctx, ls_error *err); /* *err is LS_AGAIN and says what cannot be written. 0: waited, it is to be tried again; -1: not */
    void (*found)(void *ctx);              /* it has been written */
    void *ctx;
} ls_csv_room;

/* Strings are borrowed for the writer's life. */
typedef struct ls_csv_conf {
    const char *filename; /* path, without the consumer and .csv; with {...} a template (write/path.h) of all but .csv */
    const char *consumer; /* what stands behind it: the consumer id */
    size_t max_open_files; /* 0: LS_CSV_OPEN_FILES */
    ls_csv_compress compress;
    bool split_files;
    uint64_t rotate_bytes, rotate_rows; /* a file ends before it has more bytes, when it has so many rows; 0: never */
    int64_t rotate_every;               /* seconds: ... when rows of the next span of this length, counted from 1970, come; 0: never */
    bool header;
    bool bom;
    bool formula_guard; /* a ' in front of what a spreadsheet would take for a formula */
    char delimiter, quote;
    const char *newline; /* "\n" or "\r\n" */
    const char *null_text, *absent_text; /* written raw, unquoted */
    const ls_log *log;                   /* NULL: nothing is said */
    bool bare; /* rows are without action and table, and T is not written */
    const char *begins; /* the writer's own: what the header of its files begins with; NULL: as every header that is not bare */
    const ls_csv_keep_conf *keep; /* borrowed; NULL: rows may be there twice after a crash */
    ls_csv_room room;             /* wait NULL: a full disk is an error as others are */
    const struct ls_csv_layout *layouts; /* of some tables; borrowed for the writer's life */
    size_t nlayouts;
} ls_csv_conf;

/* Rows of the tables that the pattern matches, and no more specific one, are written by a conf of their own. It may differ from the writer's in
 * filename, header, bom, formula_guard, delimiter, quote, newline, null_text, absent_text and bare; keep, room and layouts are not looked at. */
typedef struct ls_csv_layout {
    ls_layout what;
    ls_csv_conf conf;
} ls_csv_layout;

/* The manifest of a CSV writer; NULL: it has none. */
const char *ls_csv_manifest(const ls_writer *w);
int ls_csv_open(ls_writer **out, const ls_csv_conf *conf, ls_error *err) LS_MUST_CHECK;

#endif
