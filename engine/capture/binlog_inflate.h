/* binlog_inflate.h - zlib streams in the log: of compressed columns and compressed events. Pure. */
#ifndef LS_BINLOG_INFLATE_H
#define LS_BINLOG_INFLATE_H

#include "base/buf.h"
#include "base/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LS_INFLATED_MAX = 1 << 30 }; /* bytes: what max_allowed_packet, and so an event, can be */

/* Can n compressed bytes be `want` plain ones? To be asked before memory is taken for them. */
int ls_inflate_check(size_t n, uint64_t want, ls_error *err) LS_MUST_CHECK;
/* Inflates the n bytes at p into `to`, which must come to `want` bytes exactly; raw: without zlib's header and checksum.
 * -1: memory, or it is no such stream. */
int ls_inflate(void *to, size_t want, const uint8_t *p, size_t n, bool raw, ls_error *err) LS_MUST_CHECK;

/* The rest of an event as MariaDB compresses it: a byte (0x80 and how long the length is), the length, big endian, and a zlib
 * stream, which takes the place of what is in `out`. A cursor that has failed afterwards is an error of the event. */
int ls_inflate_part(ls_cursor *in, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
