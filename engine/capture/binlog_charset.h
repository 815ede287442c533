/* binlog_charset.h - the server's character sets -> UTF-8. Pure. */
#ifndef LS_BINLOG_CHARSET_H
#define LS_BINLOG_CHARSET_H

#include "base/buf.h"

typedef struct ls_charset ls_charset; /* static: never freed */

/* By the server's name ("utf8mb4", "latin1"); NULL when it is not converted. */
const ls_charset *ls_charset_find(const char *name);
/* Are its bytes UTF-8 as they stand? They are still to be checked. */
bool ls_charset_is_utf8(const ls_charset *c);
/* Appends the text as UTF-8. -1: invalid in this character set. */
int ls_charset_read(const ls_charset *c, ls_buf *out, const char *p, size_t n) LS_MUST_CHECK;

#endif
