#include "change/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POS_BYTES = 40, POSTGRES_DIGITS = 16, FILE_DIGITS = 8, OFFSET_DIGITS = 12, EPOCH_DIGITS = 16 };

/* Texts must compare as the numbers do: from two digits on a letter behind f tells how many there are. */
static size_t with_epoch(char *out, uint64_t epoch) {
    char digits[EPOCH_DIGITS + 1], many[2] = "";
    int n = snprintf(digits, sizeof digits, "%" PRIx64, epoch);
    if (!epoch) return 0;
    if (n > 1) many[0] = (char)('f' + n - 1);
    return (size_t)snprintf(out, POS_BYTES, "%s%s-", many, digits);
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

static int read_epoch(const char *p, size_t n, uint64_t *epoch) {
    if (n > 2 && p[0] - 'f' == (int)n - 2) return read_hex(p + 1, n - 1, epoch);
    return n == 1 ? read_hex(p, 1, epoch) : -1;
}

int ls_place_read_pos(const char *pos, uint64_t *epoch, ls_place *out) {
    const char *dash = strchr(pos, '-');
    const char *at = dash ? dash + 1 : pos;
    size_t n = strlen(at);
    *epoch = out->file = 0;
    if (dash && read_epoch(pos, (size_t)(dash - pos), epoch)) return -1;
    if (n == POSTGRES_DIGITS) return read_hex(at, n, &out->offset);
    if (n != FILE_DIGITS + OFFSET_DIGITS) return -1;
    return read_hex(at, FILE_DIGITS, &out->file) || read_hex(at + FILE_DIGITS, OFFSET_DIGITS, &out->offset) ? -1 : 0;
}
