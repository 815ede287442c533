/* binlog_json.h - MySQL's binary JSON -> text. Pure. */
#ifndef LS_BINLOG_JSON_H
#define LS_BINLOG_JSON_H

#include "base/buf.h"

#include <stdint.h>

/* Appends the document's text as the server prints it, without its blanks: members in the stored order, 1.0 with its point,
 * DECIMAL as an exact number, dates and times as the server's text, other values as "base64:typeN:...". No bytes at all are null.
 * mended: set when a string or a name in it was not valid UTF-8 and was mended; NULL: that is an error.
 * -1: memory, or bytes that are no document; the error names the offset. */
int ls_jsonb_text(ls_buf *out, const uint8_t *p, size_t n, bool *mended, ls_error *err) LS_MUST_CHECK;

#endif
