/* value.h - making, comparing and printing values. */
#ifndef LS_VALUE_H
#define LS_VALUE_H

#include "base/buf.h"
#include "list_sync.h"

#include <stdbool.h>

static inline ls_value ls_value_state(enum ls_state s) { return (ls_value){.state = (uint8_t)s}; }
static inline ls_value ls_value_bytes_of(enum ls_kind k, const char *p, size_t n) { /* n < 4 GiB */
    return (ls_value){.len = (uint32_t)n, .kind = (uint8_t)k, .as.p = p};
}
static inline ls_value ls_value_text(const char *p, size_t n) { return ls_value_bytes_of(LS_KIND_TEXT, p, n); }
static inline ls_value ls_value_int(int64_t i) { return (ls_value){.kind = LS_KIND_INT, .as.i = i}; }
static inline ls_value ls_value_uint(uint64_t u) { return (ls_value){.kind = LS_KIND_UINT, .as.u = u}; }

/* Appends the canonical text of a present value (what CSV, keys and row:text show). */
void ls_value_print(ls_buf *out, const ls_value *v);
/* Appends a value as JSON: null, a number, true, a string ... LS_UNCHANGED and LS_ABSENT must not get here. `type` is the
 * column's: a text of LS_TYPE_INTEGER or LS_TYPE_FLOAT is a number unless it is NaN or an infinity. */
void ls_value_json(ls_buf *out, const ls_value *v, int type);
/* Same state and same canonical text? */
bool ls_value_same(const ls_value *a, const ls_value *b);

#endif
