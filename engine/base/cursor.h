/* cursor.h - a bounds-checked reader over bytes that it does not own.
 *
 *      start          at              end
 *      | read         | remaining     |
 *
 * Failure is sticky: the first read that wants more than remains notes offset, wanted and remaining, moves `at` to the
 * end, and it and all later reads give 0 or NULL. A decoder looks at `failed` where it would act on what it read. */
#ifndef LS_CURSOR_H
#define LS_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ls_cursor {
    const uint8_t *start, *at, *end;
    bool failed;
    size_t fail_offset, fail_wanted, fail_remaining; /* bytes */
} ls_cursor;

static inline ls_cursor ls_cursor_over(const void *p, size_t n) {
    const uint8_t *s = p;
    return (ls_cursor){.start = s, .at = s, .end = n ? s + n : s};
}

static inline size_t ls_cursor_left(const ls_cursor *c) { return (size_t)(c->end - c->at); }
static inline size_t ls_cursor_offset(const ls_cursor *c) { return (size_t)(c->at - c->start); }

/* The next n bytes, or NULL. n = 0 gives a pointer that must not be read. */
static inline const uint8_t *ls_cursor_take(ls_cursor *c, size_t n) {
    static const uint8_t none[1];
    if (n <= ls_cursor_left(c) && !c->failed) {
        const uint8_t *p = c->at ? c->at : none;
        if (n) c->at += n;
        return p;
    }
    if (!c->failed) {
        c->failed = true;
        c->fail_offset = ls_cursor_offset(c);
        c->fail_wanted = n;
        c->fail_remaining = ls_cursor_left(c);
        c->at = c->end;
    }
    return NULL;
}

static inline uint64_t ls_cursor_le(ls_cursor *c, size_t n) { /* n: 1..8 bytes, little endian */
    const uint8_t *p = ls_cursor_take(c, n);
    uint64_t v = 0;
    if (p)
        for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static inline uint64_t ls_cursor_be(ls_cursor *c, size_t n) { /* n: 1..8 bytes, big endian */
    const uint8_t *p = ls_cursor_take(c, n);
    uint64_t v = 0;
    if (p)
        for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static inline uint8_t ls_cursor_u8(ls_cursor *c) { return (uint8_t)ls_cursor_le(c, 1); }

/* Bytes up to a NUL, which is passed; *n without it. NULL, failed, when there is no NUL. */
static inline const char *ls_cursor_cstr(ls_cursor *c, size_t *n) {
    const uint8_t *z = !c->failed && c->at < c->end ? memchr(c->at, 0, ls_cursor_left(c)) : NULL;
    if (!z) {
        *n = 0;
        ls_cursor_take(c, ls_cursor_left(c) + 1);
        return NULL;
    }
    *n = (size_t)(z - c->at);
    return (const char *)ls_cursor_take(c, *n + 1);
}

#endif
