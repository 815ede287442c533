/* binlog_multibyte.h - the server's Japanese, Chinese and Korean character sets -> Unicode, code by code, as MariaDB and
 * MySQL convert them. The tables are made from the C library's the first time that a character set is needed. */
#ifndef LS_BINLOG_MULTIBYTE_H
#define LS_BINLOG_MULTIBYTE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ls_multibyte ls_multibyte; /* a list of those loaded; immutable once loaded */

enum { LS_MULTIBYTE_BAD = 0x110000 }; /* no character */

/* By the server's name; *loaded is the owner's list, to be freed by ls_multibyte_free(). *out NULL: it is none of them. */
int ls_multibyte_load(ls_multibyte **loaded, const char *name, const ls_multibyte **out, ls_error *err) LS_MUST_CHECK;
const char *ls_multibyte_name(const ls_multibyte *m); /* the server's; static */
void ls_multibyte_free(ls_multibyte *loaded);
/* The next character of bytes at *at (one at least), which is moved behind it; LS_MULTIBYTE_BAD, *at as it was: there is none. */
uint32_t ls_multibyte_next(const ls_multibyte *m, const uint8_t **at, const uint8_t *end);
/* Where there is none: how many bytes, at least 1, are to be passed over as one code. None of them but the first is ASCII, so that
 * a quote or a bracket behind a broken code stays. */
size_t ls_multibyte_bad(const ls_multibyte *m, const uint8_t *p, const uint8_t *end);

#endif
