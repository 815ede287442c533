#include "capture/binlog_payload.h"

#include "capture/binlog_inflate.h"
#include "capture/binlog_map.h"

#include <inttypes.h>
#include <zstd.h>

enum { HEADER = 19, LENGTH_AT = 9 }; /* bytes of an event's header, and where in it the event's length stands */
enum field { END = 0, PAYLOAD_SIZE = 1, COMPRESSION = 2 };
enum compression { ZSTD = 0, NONE = 255 };

void ls_payload_free(ls_payload *p) {
    ZSTD_freeDCtx(p->zstd);
    ls_buf_free(&p->event);
    *p = (ls_payload){0};
}

int ls_payload_open(ls_payload *p, ls_cursor in, ls_error *err) {
    uint64_t size = UINT64_MAX, compression = NONE, field;
    while ((field = ls_lenenc(&in)) != END && !in.failed) {
        size_t n = (size_t)ls_lenenc(&in);
        const uint8_t *value = ls_cursor_take(&in, n);
        if (!value) break;
        ls_cursor v = ls_cursor_over(value, n);
        if (field == PAYLOAD_SIZE) size = ls_lenenc(&v);
        if (field == COMPRESSION) compression = ls_lenenc(&v);
        if (v.failed) return ls_fail(err, LS_FAIL, "its field %" PRIu64 " holds no number", field);
    }
    if (in.failed) return ls_fail_cut(err, &in);
    if (size != UINT64_MAX && size != ls_cursor_left(&in))
        return ls_fail(err, LS_FAIL, "it says that it holds %" PRIu64 " bytes, and there are %zu", size, ls_cursor_left(&in));
    if (compression != ZSTD && compression != NONE)
        return ls_fail(err, LS_FAIL, "it is compressed by method %" PRIu64 ", which is not known", compression);
    p->plain = compression == NONE;
    if (!p->plain && !p->zstd && !(p->zstd = ZSTD_createDCtx())) return ls_fail_memory(err, "a compressed transaction");
    if (!p->plain) ZSTD_DCtx_reset(p->zstd, ZSTD_reset_session_only);
    p->in = in;
    p->open = true;
    return 0;
}

/* Adds up to n bytes to the event; fewer only at the end. */
static int read_bytes(ls_payload *p, size_t n, ls_error *err) {
    if (!ls_buf_room(&p->event, n)) return ls_fail_memory(err, "a compressed transaction");
    if (p->plain) {
        size_t left = ls_cursor_left(&p->in), some = n < left ? n : left;
        ls_buf_add(&p->event, ls_cursor_take(&p->in, some), some);
        return 0;
    }
    ZSTD_outBuffer out = {p->event.data + p->event.len, n, 0};
    for (;;) {
        ZSTD_inBuffer from = {p->in.at, ls_cursor_left(&p->in), 0};
        size_t before = out.pos, rc = ZSTD_decompressStream(p->zstd, &out, &from);
        if (ZSTD_isError(rc)) return ls_fail(err, LS_FAIL, "a compressed transaction cannot be read (zstd: %s)", ZSTD_getErrorName(rc));
        ls_cursor_take(&p->in, from.pos);
        if (out.pos == n || (out.pos == before && from.pos == 0)) break;
    }
    p->event.len += out.pos;
    return 0;
}

int ls_payload_next(ls_payload *p, ls_error *err) {
    ls_buf_clear(&p->event);
    if (read_bytes(p, HEADER, err)) return -1;
    if (p->event.len == 0) {
        p->open = false;
        return 0;
    }
    if (p->event.len < HEADER) return ls_fail(err, LS_FAIL, "a compressed transaction ends inside an event's header");
    ls_cursor in = ls_cursor_over(p->event.data + LENGTH_AT, 4);
    uint64_t len = ls_cursor_le(&in, 4);
    if (len < HEADER || len > LS_INFLATED_MAX)
        return ls_fail(err, LS_FAIL, "a compressed transaction holds an event of %" PRIu64 " bytes", len);
    /* in steps, so that a length that lies takes no more memory than there are bytes */
    while (p->event.len < len) {
        enum { STEP = 1 << 20 };
        size_t before = p->event.len, want = (size_t)len - before;
        if (read_bytes(p, want < STEP ? want : STEP, err)) return -1;
        if (p->event.len == before)
            return ls_fail(err, LS_FAIL, "a compressed transaction ends inside an event of %" PRIu64 " bytes", len);
    }
    return 1;
}
