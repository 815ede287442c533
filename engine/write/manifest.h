/* manifest.h - what is kept beside the CSV files of delivery = "exactly_once", as text: how far each partition's rows are in them, and how
 * long each file was then. Pure functions.
 *
 * The text is JSON. Each list has one entry a line and ends with null, so that a person can take a line out and leave JSON behind. */
#ifndef LS_MANIFEST_H
#define LS_MANIFEST_H

#include "base/buf.h"

enum { LS_MANIFEST_VERSION = 1, LS_MANIFEST_POS_MAX = 40 /* bytes of a truncate's place, with the NUL */ };

typedef struct ls_manifest_place { /* of a partition: the offset of the next message */
    char *topic;
    int32_t partition;
    int64_t offset;
} ls_manifest_place;

typedef struct ls_manifest_file {
    char *name;     /* from the manifest's folder on, or (outside) as the program opens it */
    bool outside;
    bool fresh;     /* it was not there: what is found under this name is to be removed */
    uint64_t bytes; /* that count; what is behind them comes again */
    char *end;      /* it has ended and gets this name, in the same folder; NULL: rows may still come */
} ls_manifest_file;

typedef struct ls_manifest_truncate { /* one that has been written: it comes once a partition */
    uint64_t files, connector; /* hashes of names */
    uint64_t seq;
    char pos[LS_MANIFEST_POS_MAX];
} ls_manifest_truncate;

typedef struct ls_manifest {
    char *consumer; /* its id, without an instance's number */
    int instance, instances;
    bool has_span;
    int64_t span; /* rotate's `every`: that of the latest row, seconds since 1970 */
    ls_manifest_place *places;
    ls_manifest_file *files;
    ls_manifest_truncate *truncates; /* the oldest first */
    size_t nplaces, nfiles, ntruncates;
} ls_manifest;

/* Appends the text. */
void ls_manifest_print(const ls_manifest *m, ls_buf *out);
/* LS_LOST: it is no manifest, or of another version; the text says where. *out is the caller's to free also after -1. */
int ls_manifest_read(ls_manifest *out, const char *p, size_t n, ls_error *err) LS_MUST_CHECK;
void ls_manifest_free(ls_manifest *m);

#endif
