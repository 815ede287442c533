/* pgarray.c - the text of an array, as array_out writes it -> JSON:  [0:1]={{1,NULL},{"a, \"b\"",c}}
 * Brackets come and go as the braces do; an element is read by its own type. */
#include "base/json.h"
#include "capture/pgvalue.h"
#include "change/value.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

typedef struct walk {
    const ls_pg_type *type;
    ls_pg_reader *r;
    const char *start, *at, *end;
    uint64_t element; /* ordinal of the one at hand, from 1 */
    ls_error *err;
} walk;

static int append_array(const ls_pg_type *type, ls_pg_reader *r, const char *p, size_t n, bool outermost, ls_error *err);

static int malformed(const walk *k, const char *wanted) {
    return ls_fail(k->err, LS_FAIL, "the server's text (%zu bytes) is no array: at byte %zu %s was wanted",
                   (size_t)(k->end - k->start), (size_t)(k->at - k->start), wanted);
}

/* Lower and upper bounds, written where a lower one is not 1: [0:1][-2:5]= */
static void skip_bounds(walk *k) {
    const char *p = k->at;
    while (p < k->end && (*p == '[' || *p == ']' || *p == ':' || *p == '-' || *p == '+' || (*p >= '0' && *p <= '9'))) p++;
    if (p < k->end && p > k->at && *p == '=') k->at = p + 1;
}

/* An element's value behind what the array has so far. Its bytes live until the next element of the outermost array. */
static int append_element(walk *k, const char *p, size_t n) {
    const ls_pg_type *t = k->type->element;
    bool nested = t->read == ls_pg_read_array; /* a domain over an array */
    ls_value v;
    int rc = nested ? append_array(t, k->r, p, n, false, k->err) : t->read(t, k->r, p, n, &v, k->err);
    if (rc) return ls_fail_in(k->err, "array element %" PRIu64, k->element);
    if (!nested) ls_value_json(&k->r->json, &v, t->type);
    return 0;
}

static int quoted(walk *k) {
    const char *from = ++k->at;
    size_t escapes = 0;
    for (; k->at < k->end && *k->at != '"'; k->at++)
        if (*k->at == '\\' && k->at + 1 < k->end) k->at++, escapes++;
    if (k->at == k->end) return malformed(k, "the quote at an element's end");
    size_t n = (size_t)(k->at++ - from);
    if (!escapes) return append_element(k, from, n);
    char *text = ls_arena_alloc(&k->r->elements, n), *to = text;
    if (!text) return ls_fail_memory(k->err, "reading an array");
    for (const char *p = from; p < from + n; p++) {
        if (*p == '\\') p++;
        *to++ = *p;
    }
    return append_element(k, text, n - escapes);
}

static int element(walk *k) {
    k->element++;
    if (*k->at == '"') return quoted(k);
    const char *from = k->at;
    while (k->at < k->end && *k->at != k->type->delimiter && *k->at != '}') {
        if (strchr("{\"\\", *k->at)) return malformed(k, "a delimiter or a closing brace"); /* also a NUL byte */
        k->at++;
    }
    size_t n = (size_t)(k->at - from);
    if (!n) return malformed(k, "an element");
    if (n == 4 && memcmp(from, "NULL", 4) == 0) { /* the text NULL is quoted */
        ls_buf_add(&k->r->json, "null", 4);
        return 0;
    }
    return append_element(k, from, n);
}

static int walk_array(walk *k, bool outermost) {
    unsigned depth = 0;
    do {
        if (k->at == k->end) return malformed(k, "an element");
        if (*k->at == '{') {
            if (depth == LS_PG_DIMENSIONS) return malformed(k, "no further dimension");
            depth++;
            k->at++;
            ls_buf_char(&k->r->json, '[');
            if (k->at == k->end || *k->at != '}') continue;
        } else if (element(k)) {
            return -1;
        }
        if (outermost) ls_arena_reset(&k->r->elements);
        for (; depth && k->at < k->end && *k->at == '}'; depth--, k->at++) ls_buf_char(&k->r->json, ']');
        if (!depth) break;
        if (k->at == k->end || *k->at != k->type->delimiter) return malformed(k, "a delimiter or a closing brace");
        k->at++;
        ls_buf_char(&k->r->json, ',');
    } while (depth);
    return k->at == k->end ? 0 : malformed(k, "the end");
}

static int append_array(const ls_pg_type *type, ls_pg_reader *r, const char *p, size_t n, bool outermost, ls_error *err) {
    walk k = {.type = type, .r = r, .start = p, .at = p, .end = p + n, .err = err};
    skip_bounds(&k);
    if (k.at == k.end || *k.at != '{') return malformed(&k, "an opening brace");
    return walk_array(&k, outermost);
}

int ls_pg_read_array(const ls_pg_type *self, ls_pg_reader *r, const char *p, size_t n, ls_value *out, ls_error *err) {
    ls_arena *arena = r->arena;
    bool before = r->mended;
    ls_buf_clear(&r->json);
    r->mended = false;
    r->arena = &r->elements; /* an element lives until it is written */
    int rc = append_array(self, r, p, n, true, err);
    r->arena = arena;
    ls_arena_reset(&r->elements);
    if (rc || ls_pg_value_of(r, &r->json, LS_KIND_JSON, out, err)) return -1;
    out->mended = r->mended;
    r->mended = before || r->mended;
    return 0;
}
