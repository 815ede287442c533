/* view.c - what a hook reads of a row: the ls_row_* functions of list_sync.h that read. */
#include "base/text.h"
#include "change/batch.h"
#include "change/number.h"
#include "change/time.h"
#include "change/value.h"

#include <stdlib.h>
#include <string.h>

enum { LS_NUMBER_TEXT_MAX = 512 }; /* bytes of a number's text that is read as a number */
static const double whole_max = 9007199254740992.0; /* 2^53: whole numbers up to here are exact in a double */

int ls_row_text(ls_batch *b, const ls_value *v, const char **p, size_t *n) {
    if (v->kind == LS_KIND_TEXT || v->kind == LS_KIND_JSON) {
        *p = v->len ? v->as.p : "";
        *n = v->len;
        return 0;
    }
    ls_work *w = ls_work_of(b);
    ls_buf_clear(&w->text);
    ls_value_print(&w->text, v);
    if (w->text.failed) {
        ls_refuse_memory(b);
        return -1;
    }
    *p = w->text.len ? w->text.data : "";
    *n = w->text.len;
    return 0;
}

static int as_uint(uint64_t u, ls_number *out) {
    out->d = (double)u;
    out->i = (int64_t)u;
    out->u = u;
    return u <= (uint64_t)whole_max ? 1 : u <= INT64_MAX ? 2 : 3;
}

static int as_int(int64_t i, ls_number *out) {
    if (i >= 0) return as_uint((uint64_t)i, out);
    out->d = (double)i;
    out->i = i;
    return i >= -(int64_t)whole_max ? 1 : 2;
}

/* An integer's text that fits in 64 bits; 0 when it does not. */
static int from_digits(const char *p, size_t n, ls_number *out) {
    bool negative = *p == '-';
    uint64_t u = 0;
    for (size_t i = negative; i < n; i++) {
        uint64_t digit = (uint64_t)(p[i] - '0');
        if (u > (UINT64_MAX - digit) / 10) return 0;
        u = u * 10 + digit;
    }
    if (!negative) return as_uint(u, out);
    return u <= (uint64_t)INT64_MAX + 1 ? as_int((int64_t)(0 - u), out) : 0;
}

static int from_text(const char *p, size_t n, int type, ls_number *out) {
    char text[LS_NUMBER_TEXT_MAX], *end;
    if (type == LS_TYPE_INTEGER && ls_number_is_integer(p, n)) return from_digits(p, n, out);
    if (n == 0 || n >= sizeof text) return 0;
    memcpy(text, p, n);
    text[n] = '\0';
    out->d = strtod(text, &end);
    return end == text + n;
}

int ls_row_number(ls_batch *b, const ls_value *v, int type, ls_number *out) {
    const char *p;
    size_t n;
    switch ((enum ls_kind)v->kind) {
    case LS_KIND_INT: return as_int(v->as.i, out);
    case LS_KIND_UINT: return as_uint(v->as.u, out);
    case LS_KIND_DOUBLE: out->d = v->as.d; return 1;
    case LS_KIND_TEXT: return from_text(v->as.p, v->len, type, out);
    case LS_KIND_FLOAT: /* 0.1 as the float's text says, which is what a consumer reads, not 0.10000000149011612 */
        return ls_row_text(b, v, &p, &n) ? 0 : from_text(p, n, LS_TYPE_FLOAT, out);
    case LS_KIND_BOOL:
    case LS_KIND_BYTES:
    case LS_KIND_JSON: break;
    }
    return 0;
}

int ls_row_rounded(ls_batch *b, const ls_value *v, double *out) {
    ls_number n;
    (void)b;
    if (v->kind == LS_KIND_TEXT && from_text(v->as.p, v->len, LS_TYPE_FLOAT, &n)) {
        *out = n.d;
        return 1;
    }
    return 0;
}

int ls_row_time(ls_batch *b, const ls_value *v, int64_t *us) {
    const char *p;
    size_t n;
    if (ls_row_text(b, v, &p, &n)) return 0;
    return ls_time_read(p, n, us);
}

int ls_row_bytes(ls_batch *b, const ls_value *v, const char **p, size_t *n) {
    ls_work *w = ls_work_of(b);
    *p = v->as.p;
    *n = v->len;
    if (v->kind == LS_KIND_BYTES) return 1;
    if (v->kind != LS_KIND_TEXT) return 0;
    ls_buf_clear(&w->text);
    if (ls_base64_read(&w->text, v->as.p, v->len) || w->text.failed) return 0;
    *p = w->text.len ? w->text.data : "";
    *n = w->text.len;
    return 1;
}

size_t ls_number_text(double d, char out[32]) {
    ls_buf text = {0};
    ls_number_double(&text, d);
    size_t n = !text.failed && text.len <= 32 ? text.len : 0;
    if (n) memcpy(out, text.data, n);
    ls_buf_free(&text);
    return n;
}
