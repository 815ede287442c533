/* text.h - base64, hex, UTF-8: pure functions over bytes. */
#ifndef LS_TEXT_H
#define LS_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void ls_base64_add(ls_buf *out, const void *p, size_t n); /* RFC 4648 section 4, padded, one line */
/* Appends the bytes; -1 when the text is not base64 (nothing is promised of what was appended). */
int ls_base64_read(ls_buf *out, const char *p, size_t n) LS_MUST_CHECK;
void ls_hex_add(ls_buf *out, const void *p, size_t n); /* lower case */
/* n hex digits, n even, into n/2 bytes at out; -1 on another character. */
int ls_hex_read(uint8_t *out, const char *p, size_t n) LS_MUST_CHECK;
/* Is it well-formed UTF-8 (no surrogates, no overlong forms)? */
bool ls_utf8_valid(const char *p, size_t n);
#define LS_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
/* Appends the text with a U+FFFD for each part that is not well-formed: as much of a sequence as has begun well, else one byte
 * (Unicode, "substitution of maximal subparts", as the Web's decoders do it). At most three times the length. */
void ls_utf8_mend(ls_buf *out, const char *p, size_t n);
/* The name of `names` (n of them) nearest to `to`, or NULL when none is near: for "did you mean". */
const char *ls_nearest(const char *to, const char *const *names, size_t n);
/* Does name match a pattern with * and ?; a backslash makes the next character literal. */
bool ls_glob(const char *pattern, const char *name);

#endif
