/* binlog_value_parts.h - what the files of the value decoder share. Private to them. Each reader follows ls_wire_read(). */
#ifndef LS_BINLOG_VALUE_PARTS_H
#define LS_BINLOG_VALUE_PARTS_H

#include "capture/binlog_value.h"

static inline int64_t ls_wire_signed(uint64_t v, unsigned bytes) {
    unsigned unused = 64 - 8 * bytes;
    return (int64_t)(v << unused) >> unused;
}

bool ls_wire_decimal_fits(unsigned precision, unsigned scale); /* can there be such a DECIMAL? */
/* A value's text, copied into the arena. -1: memory. */
int ls_wire_text(ls_arena *arena, const ls_buf *text, ls_value *out, ls_error *err) LS_MUST_CHECK;
/* The same of text that was mended if `is`; then it sets *mended, and flags the value. */
int ls_wire_mended_text(ls_arena *arena, const ls_buf *text, bool is, bool *mended, ls_value *out, ls_error *err) LS_MUST_CHECK;
/* MySQL's JSON. */
int ls_wire_binary_json(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out,
                        ls_error *err) LS_MUST_CHECK;

/* binlog_temporal.c */
size_t ls_wire_temporal_bytes(const ls_wire_column *c);
int ls_wire_temporal(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_value *out, ls_error *err) LS_MUST_CHECK;

/* binlog_special.c: of bytes that were taken already. A compressed column's *p, *n are moved to the plain ones, in the arena. */
int ls_wire_inflate(const uint8_t **p, size_t *n, ls_arena *arena, ls_error *err) LS_MUST_CHECK;
int ls_wire_json(const char *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) LS_MUST_CHECK;
/* UUID, INET4, INET6, whose trailing zeros the wire leaves out. */
int ls_wire_address(const ls_wire_column *c, const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out,
                    ls_error *err) LS_MUST_CHECK;
int ls_wire_geometry(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) LS_MUST_CHECK;
int ls_wire_vector(const uint8_t *p, size_t n, ls_arena *arena, ls_buf *text, ls_value *out, ls_error *err) LS_MUST_CHECK;
int ls_wire_label(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, ls_value *out,
                  ls_error *err) LS_MUST_CHECK;
int ls_wire_bits(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_value *out, ls_error *err) LS_MUST_CHECK;

#endif
