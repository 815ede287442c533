#include "capture/binlog_inflate.h"

#include <inttypes.h>
#include <zlib.h>

enum { RATIO_MAX = 1032 }; /* deflate makes of one byte no more than these */

int ls_inflate_check(size_t n, uint64_t want, ls_error *err) {
    if (want <= LS_INFLATED_MAX && n <= LS_INFLATED_MAX && want <= (uint64_t)n * RATIO_MAX) return 0;
    return ls_fail(err, LS_FAIL, "%zu compressed bytes that say they are %" PRIu64 ", which cannot be", n, want);
}

int ls_inflate(void *to, size_t want, const uint8_t *p, size_t n, bool raw, ls_error *err) {
    uint8_t none;
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p,
                  .avail_in = (uInt)n,
                  .next_out = want ? to : &none,
                  .avail_out = (uInt)want};
    if (inflateInit2(&z, raw ? -MAX_WBITS : MAX_WBITS) != Z_OK) return ls_fail_memory(err, "compressed bytes");
    int rc = inflate(&z, Z_FINISH);
    uLong made = z.total_out;
    inflateEnd(&z);
    if (rc == Z_MEM_ERROR) return ls_fail_memory(err, "compressed bytes");
    if (rc == Z_STREAM_END && made == want) return 0;
    return ls_fail(err, LS_FAIL, "%zu compressed bytes that should be %zu cannot be inflated (zlib: %d)", n, want, rc);
}

int ls_inflate_part(ls_cursor *in, ls_buf *out, ls_error *err) {
    enum { ZLIB = 0x80, LENGTH = 7, LENGTH_MAX = 4 };
    uint8_t head = ls_cursor_u8(in);
    size_t width = head & LENGTH;
    ls_buf_clear(out);
    if (in->failed) return 0;
    if ((head & ~LENGTH) != ZLIB || width == 0 || width > LENGTH_MAX)
        return ls_fail(err, LS_FAIL, "compressed bytes that begin with %u, which is not known", head);
    uint64_t want = ls_cursor_be(in, width);
    if (in->failed) return 0;
    if (ls_inflate_check(ls_cursor_left(in), want, err)) return -1;
    if (!ls_buf_room(out, (size_t)want)) return ls_fail_memory(err, "a compressed event");
    if (ls_inflate(out->data, (size_t)want, in->at, ls_cursor_left(in), false, err)) return -1;
    out->len = (size_t)want;
    return 0;
}
