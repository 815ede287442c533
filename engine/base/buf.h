/* buf.h - a growable byte buffer, written at the end.
 *
 *      data              data+len          data+cap
 *      | written bytes   | room            |
 *
 * Failure is sticky: when memory is out, or `max` would be passed, `failed` is set and writes do nothing; a writer looks
 * once, at the end. The owner frees it with ls_buf_free(). One thread. */
#ifndef LS_BUF_H
#define LS_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ls_buf {
    char *data;
    size_t len, cap;
    size_t max; /* bytes; 0: no limit */
    bool failed;
} ls_buf;

/* Makes room for n more bytes; false, with `failed` set, when there is none. */
bool ls_buf_room(ls_buf *b, size_t n);
void ls_buf_free(ls_buf *b);
void ls_buf_fmt(ls_buf *b, const char *fmt, ...) LS_PRINTF(2, 3);
void ls_buf_u64(ls_buf *b, uint64_t v); /* decimal */
void ls_buf_i64(ls_buf *b, int64_t v);
/* Bytes from..to are not read again: the whole pages among them go back to the system, and stand as zeros. */
void ls_buf_spent(ls_buf *b, size_t from, size_t to);
/* A NUL behind the bytes, not counted in len; NULL if failed. */
const char *ls_buf_cstr(ls_buf *b);

static inline void ls_buf_clear(ls_buf *b) {
    b->len = 0;
    b->failed = false;
}

static inline void ls_buf_add(ls_buf *b, const void *p, size_t n) {
    if (n > b->cap - b->len && !ls_buf_room(b, n)) return;
    if (n) memcpy(b->data + b->len, p, n);
    b->len += n;
}

static inline void ls_buf_str(ls_buf *b, const char *s) { ls_buf_add(b, s, strlen(s)); }

static inline void ls_buf_char(ls_buf *b, char c) {
    if (b->cap == b->len && !ls_buf_room(b, 1)) return;
    b->data[b->len++] = c;
}

#endif
