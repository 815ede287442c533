#include "change/place.h"

#include <inttypes.h>
#include <stdio.h>

enum { POS_BYTES = 40 };

static size_t with_epoch(char *out, uint64_t epoch) {
    return epoch ? (size_t)snprintf(out, POS_BYTES, "%" PRIx64 "-", epoch) : 0;
}

void ls_place_pos_postgres(char out[40], uint64_t epoch, uint64_t lsn) {
    size_t n = with_epoch(out, epoch);
    snprintf(out + n, POS_BYTES - n, "%016" PRIx64, lsn);
}

void ls_place_pos_binlog(char out[40], uint64_t epoch, uint64_t file, uint64_t offset) {
    size_t n = with_epoch(out, epoch);
    snprintf(out + n, POS_BYTES - n, "%08" PRIx64 "%012" PRIx64, file, offset);
}
