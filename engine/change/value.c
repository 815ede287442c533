#include "change/value.h"

#include "base/json.h"
#include "base/text.h"
#include "change/number.h"

#include <math.h>
#include <string.h>

void ls_value_print(ls_buf *out, const ls_value *v) {
    switch ((enum ls_kind)v->kind) {
    case LS_KIND_TEXT:
    case LS_KIND_JSON: ls_buf_add(out, v->as.p, v->len); break;
    case LS_KIND_INT: ls_buf_i64(out, v->as.i); break;
    case LS_KIND_UINT: ls_buf_u64(out, v->as.u); break;
    case LS_KIND_DOUBLE: ls_number_double(out, v->as.d); break;
    case LS_KIND_FLOAT: ls_number_float(out, v->as.d); break;
    case LS_KIND_BOOL: ls_buf_str(out, v->as.i ? "true" : "false"); break;
    case LS_KIND_BYTES: ls_base64_add(out, v->as.p, v->len); break;
    }
}

static bool is_number_text(const ls_value *v, int type) {
    if (type != LS_TYPE_INTEGER && type != LS_TYPE_FLOAT) return false;
    char last = v->len ? v->as.p[v->len - 1] : 'N';
    return last != 'N' && last != 'y'; /* NaN, Infinity, -Infinity: strings */
}

void ls_value_json(ls_buf *out, const ls_value *v, int type) {
    if (v->state == LS_NULL) {
        ls_buf_add(out, "null", 4);
        return;
    }
    bool quoted = v->kind == LS_KIND_BYTES || ((v->kind == LS_KIND_DOUBLE || v->kind == LS_KIND_FLOAT) && !isfinite(v->as.d));
    if (v->kind == LS_KIND_TEXT && !is_number_text(v, type)) {
        ls_json_string(out, v->as.p, v->len);
        return;
    }
    if (quoted) ls_buf_char(out, '"');
    ls_value_print(out, v);
    if (quoted) ls_buf_char(out, '"');
}

/* Of no bytes there need not be a place. */
static bool same_bytes(const char *a, size_t na, const char *b, size_t nb) {
    return na == nb && (!na || memcmp(a, b, na) == 0);
}

bool ls_value_same(const ls_value *a, const ls_value *b) {
    if (a->state != b->state) return false;
    if (a->state != LS_PRESENT) return true;
    if (a->kind == b->kind) {
        switch ((enum ls_kind)a->kind) {
        case LS_KIND_TEXT:
        case LS_KIND_JSON:
        case LS_KIND_BYTES: return same_bytes(a->as.p, a->len, b->as.p, b->len);
        default: return a->as.u == b->as.u; /* the same bits: -0 and 0 differ, as their texts do */
        }
    }
    ls_buf x = {0}, y = {0};
    ls_value_print(&x, a);
    ls_value_print(&y, b);
    bool same = !x.failed && !y.failed && same_bytes(x.data, x.len, y.data, y.len);
    ls_buf_free(&x);
    ls_buf_free(&y);
    return same;
}
