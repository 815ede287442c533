#include "change/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POS_BYTES = 40, POSTGRES_DIGITS = 16, FILE_DIGITS = 8, OFFSET_DIGITS = 12 };

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

/* n lower-case hex digits. */
static int read_hex(const char *p, size_t n, uint64_t *out) {
    static const char digits[] = "0123456789abcdef";
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        const char *d = p[i] ? strchr(digits, p[i]) : NULL;
        if (!d || *out >> 60) return -1;
        *out = *out << 4 | (uint64_t)(d - digits);
    }
    return n ? 0 : -1;
}

int ls_place_read_pos(const char *pos, uint64_t *epoch, ls_place *out) {
    const char *dash = strchr(pos, '-');
    const char *at = dash ? dash + 1 : pos;
    size_t n = strlen(at);
    *epoch = out->file = 0;
    if (dash && read_hex(pos, (size_t)(dash - pos), epoch)) return -1;
    if (n == POSTGRES_DIGITS) return read_hex(at, n, &out->offset);
    if (n != FILE_DIGITS + OFFSET_DIGITS) return -1;
    return read_hex(at, FILE_DIGITS, &out->file) || read_hex(at + FILE_DIGITS, OFFSET_DIGITS, &out->offset) ? -1 : 0;
}
