/* binlog_charset.h - the server's character sets -> UTF-8, as the server converts them. */
#ifndef LS_BINLOG_CHARSET_H
#define LS_BINLOG_CHARSET_H

#include "base/buf.h"

typedef struct ls_charset ls_charset;   /* immutable; borrowed from the ls_charsets that found it */
typedef struct ls_charsets ls_charsets; /* one decoder's: holds the tables of the multi-byte ones that it needed */

ls_charsets *ls_charsets_new(void); /* NULL: memory */
void ls_charsets_free(ls_charsets *all);
/* By the server's name ("utf8mb4", "latin1"). *out NULL: it is not converted. -1: memory, or the C library lacks its table. */
int ls_charsets_find(ls_charsets *all, const char *name, const ls_charset **out, ls_error *err) LS_MUST_CHECK;
/* Are its bytes UTF-8 as they stand? They are still to be checked. */
bool ls_charset_is_utf8(const ls_charset *c);
/* Appends the text as UTF-8. -1: invalid in this character set. */
int ls_charset_read(const ls_charset *c, ls_buf *out, const char *p, size_t n) LS_MUST_CHECK;
/* The same, with a U+FFFD for each byte, or code of several bytes, that is no character, and for a code that is cut off. */
void ls_charset_mend(const ls_charset *c, ls_buf *out, const char *p, size_t n);

#endif
