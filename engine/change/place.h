/* place.h - where in a source's log: a WAL position (file 0, offset the LSN) or a binlog file's number and an offset. */
#ifndef LS_PLACE_H
#define LS_PLACE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { LS_GTID_TEXT = 96 }; /* bytes of one transaction's GTID in text, with the NUL */

typedef struct ls_place {
    uint64_t file;   /* the number behind the binlog file's last dot; 0 on PostgreSQL */
    uint64_t offset; /* LSN, or byte offset in the file */
    uint32_t created; /* when the binlog file was made: seconds since 1970; 0: not known. Another log's file of the same name has another */
    char gtid[LS_GTID_TEXT]; /* the last transaction before this place, "" without: adds to the GTID position */
} ls_place;

static inline int ls_place_cmp(const ls_place *a, const ls_place *b) {
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* source.pos of a message: fixed-width lower-case hex, so that comparing strings compares places.
 * PostgreSQL: 16 digits (the commit LSN). Binlog: 8 digits file number, 12 digits offset of the GTID event. With epoch
 * above 0 "1-" to "f-", "g10-" to "gff-", "h100-" ... stands in front: those of a later epoch are greater. */
void ls_place_pos_postgres(char out[40], uint64_t epoch, uint64_t lsn);
void ls_place_pos_binlog(char out[40], uint64_t epoch, uint64_t file, uint64_t offset);
/* What such a text says; gtid stays as it is. -1: it is none (a message without source). */
int ls_place_read_pos(const char *pos, uint64_t *epoch, ls_place *out) LS_MUST_CHECK;

#endif
