#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LS_BUF_FIRST = 256 }; /* bytes of a buffer's first allocation */

bool ls_buf_room(ls_buf *b, size_t n) {
    if (b->failed) return false;
    if (n <= b->cap - b->len) return true;
    size_t want = b->len + n;
    if (want < n || (b->max && want > b->max)) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap ? b->cap : LS_BUF_FIRST;
    while (cap < want) cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    if (b->max && cap > b->max) cap = b->max;
    char *p = realloc(b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void ls_buf_free(ls_buf *b) {
    free(b->data);
    *b = (ls_buf){.max = b->max};
}

void ls_buf_spent(ls_buf *b, size_t from, size_t to) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)b->data + from + page - 1) / page * page, end = ((uintptr_t)b->data + to) / page * page;
    if (first < end) madvise((void *)first, end - first, MADV_DONTNEED);
}

void ls_buf_fmt(ls_buf *b, const char *fmt, ...) {
    va_list ap;
    for (size_t room = 128;;) {
        if (!ls_buf_room(b, room)) return;
        va_start(ap, fmt);
        int n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
        va_end(ap);
        if (n < 0) {
            b->failed = true;
            return;
        }
        if ((size_t)n < b->cap - b->len) {
            b->len += (size_t)n;
            return;
        }
        room = (size_t)n + 1;
    }
}

void ls_buf_u64(ls_buf *b, uint64_t v) {
    static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
                                "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char t[20];
    size_t at = sizeof t;
    for (; v >= 10; v /= 100) memcpy(t + (at -= 2), pairs + v % 100 * 2, 2);
    if (v || at == sizeof t) t[--at] = (char)('0' + v);
    ls_buf_add(b, t + at, sizeof t - at);
}

void ls_buf_i64(ls_buf *b, int64_t v) {
    if (v < 0) ls_buf_char(b, '-');
    ls_buf_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

const char *ls_buf_cstr(ls_buf *b) {
    if (!ls_buf_room(b, 1)) return NULL;
    b->data[b->len] = '\0';
    return b->data;
}
