#include "base/json.h"

#include "base/eight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing */

static const char hex[] = "0123456789abcdef";

static void escape(ls_buf *out, unsigned char c) {
    char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;
    if (known) e[1] = to[known - from];
    ls_buf_add(out, e, known ? 2 : 6);
}

/* How many of eight bytes, from the first on, need no escape: are not below 0x20, a quote, a backslash. ("Bit Twiddling Hacks",
 * "determine if a word has a byte less than n": it may be wrong about a byte behind the first that it finds.) */
static size_t plain_of(uint64_t v) {
    uint64_t control = (v - LS_EIGHT_TIMES(0x20)) & ~v & LS_EIGHT_TOPS;
    return ls_first_byte(control | ls_zero_bytes(v ^ LS_EIGHT_TIMES('"')) | ls_zero_bytes(v ^ LS_EIGHT_TIMES('\\')));
}

/* The same of n bytes. */
static size_t plain(const char *p, size_t n) {
    size_t i = 0, k;
    for (; n - i >= 8; i += 8)
        if ((k = plain_of(ls_eight(p + i))) < 8) return i + k;
    if (i == n) return n;
    k = plain_of(ls_eight_or_less(p + i, n - i, ' '));
    return i + (k < n - i ? k : n - i);
}

void ls_json_string(ls_buf *out, const char *p, size_t n) {
    size_t from = 0, i = 0;
    ls_buf_char(out, '"');
    while ((i += plain(p + i, n - i)) < n) {
        ls_buf_add(out, p + from, i - from);
        escape(out, (unsigned char)p[i]);
        from = ++i;
    }
    ls_buf_add(out, p + from, n - from);
    ls_buf_char(out, '"');
}

bool ls_json_is_plain(const char *p, size_t n) { return plain(p, n) == n; }

/* ---- reading */

ls_json ls_json_over(const char *p, size_t n) {
    return (ls_json){.start = p, .at = p, .end = n ? p + n : p};
}

static int wrong(const ls_json *j, const char *wanted, ls_error *err) {
    size_t at = (size_t)(j->at - j->start);
    if (j->at == j->end) return ls_fail(err, LS_FAIL, "JSON ends at byte %zu where %s was wanted", at, wanted);
    return ls_fail(err, LS_FAIL, "JSON has 0x%02x at byte %zu where %s was wanted", (unsigned char)*j->at, at, wanted);
}

static void blanks(ls_json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r')) j->at++;
}

static bool next_is(const ls_json *j, char c) { return j->at < j->end && *j->at == c; }

static int hex4(const char *p) {
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

/* Passes the escape at j->at, a backslash. */
static int pass_escape(ls_json *j, ls_error *err) {
    j->at++;
    if (j->at == j->end || !strchr("\"\\/bfnrtu", *j->at) || !*j->at) return wrong(j, "an escape's letter", err);
    if (*j->at++ != 'u') return 0;
    if (j->end - j->at < 4 || hex4(j->at) < 0) return wrong(j, "four hex digits", err);
    j->at += 4;
    return 0;
}

static int read_string(ls_json *j, ls_json_value *v, ls_error *err) {
    v->kind = LS_JSON_STRING;
    v->escaped = false;
    v->p = ++j->at;
    for (;;) {
        j->at += plain(j->at, (size_t)(j->end - j->at));
        if (j->at == j->end) return wrong(j, "a closing quote", err);
        unsigned char c = (unsigned char)*j->at;
        if (c == '"') break;
        if (c < 0x20) return wrong(j, "a string's character (controls are escaped)", err);
        v->escaped = true;
        if (pass_escape(j, err)) return -1;
    }
    v->n = (size_t)(j->at++ - v->p);
    return 0;
}

static bool digits(ls_json *j) {
    const char *from = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
    return j->at > from;
}

static int read_number(ls_json *j, ls_json_value *v, ls_error *err) {
    v->kind = LS_JSON_NUMBER;
    v->p = j->at;
    if (next_is(j, '-')) j->at++;
    if (next_is(j, '0'))
        j->at++;
    else if (!digits(j))
        return wrong(j, "a value", err);
    if (next_is(j, '.')) {
        j->at++;
        if (!digits(j)) return wrong(j, "a digit", err);
    }
    if (next_is(j, 'e') || next_is(j, 'E')) {
        j->at++;
        if (next_is(j, '+') || next_is(j, '-')) j->at++;
        if (!digits(j)) return wrong(j, "a digit", err);
    }
    v->n = (size_t)(j->at - v->p);
    return 0;
}

static int read_word(ls_json *j, ls_json_value *v, const char *word, size_t n, ls_json_kind kind, ls_error *err) {
    if ((size_t)(j->end - j->at) < n || memcmp(j->at, word, n) != 0) return wrong(j, "a value", err);
    *v = (ls_json_value){.kind = kind, .p = j->at, .n = n};
    j->at += n;
    return 0;
}

static int read_scalar(ls_json *j, ls_json_value *v, ls_error *err) {
    *v = (ls_json_value){0};
    switch (j->at < j->end ? *j->at : 0) {
    case '"': return read_string(j, v, err);
    case 't': return read_word(j, v, "true", 4, LS_JSON_TRUE, err);
    case 'f': return read_word(j, v, "false", 5, LS_JSON_FALSE, err);
    case 'n': return read_word(j, v, "null", 4, LS_JSON_NULL, err);
    default: return read_number(j, v, err);
    }
}

int ls_json_name(ls_json *j, ls_json_value *key, ls_error *err) {
    blanks(j);
    if (!next_is(j, '"')) return wrong(j, "a member's name", err);
    if (read_string(j, key, err)) return -1;
    blanks(j);
    if (!next_is(j, ':')) return wrong(j, "a colon", err);
    j->at++;
    return 0;
}

/* Passes an object or array, open brackets kept in a small stack of bits: 1 for an object. */
static int pass_nested(ls_json *j, ls_error *err) {
    uint8_t object[LS_JSON_DEPTH];
    size_t depth = 0;
    ls_json_value v;
    for (bool first = true;;) {
        blanks(j);
        if (first && (next_is(j, '{') || next_is(j, '['))) {
            if (depth == LS_JSON_DEPTH) return wrong(j, "less nesting", err);
            object[depth++] = *j->at++ == '{';
            blanks(j);
            if (next_is(j, object[depth - 1] ? '}' : ']')) {
                first = false;
            } else {
                if (object[depth - 1] && ls_json_name(j, &v, err)) return -1;
                continue;
            }
        } else if (first && read_scalar(j, &v, err)) {
            return -1;
        }
        /* behind a value */
        first = false;
        blanks(j);
        while (depth && next_is(j, object[depth - 1] ? '}' : ']')) {
            j->at++;
            if (--depth == 0) return 0;
            blanks(j);
        }
        if (!next_is(j, ',')) return wrong(j, object[depth - 1] ? "a comma or }" : "a comma or ]", err);
        j->at++;
        if (object[depth - 1] && ls_json_name(j, &v, err)) return -1;
        first = true;
    }
}

int ls_json_read(ls_json *j, ls_json_value *v, ls_error *err) {
    blanks(j);
    if (!next_is(j, '{') && !next_is(j, '[')) return read_scalar(j, v, err);
    const char *from = j->at;
    if (pass_nested(j, err)) return -1;
    *v = (ls_json_value){.kind = *from == '{' ? LS_JSON_OBJECT : LS_JSON_ARRAY, .p = from, .n = (size_t)(j->at - from)};
    return 0;
}

ls_json ls_json_inside(const ls_json_value *v) { return ls_json_over(v->p + 1, v->n - 2); }

/* 1: an element follows; 0: the end. The brackets' inside was checked when it was read whole. */
static int next(ls_json *j, ls_error *err) {
    blanks(j);
    if (j->at == j->end) return 0;
    if (*j->at == ',') {
        if (j->at == j->start) return wrong(j, "a value", err);
        j->at++;
    }
    return 1;
}

int ls_json_member(ls_json *j, ls_json_value *key, ls_json_value *v, ls_error *err) {
    int more = next(j, err);
    if (more <= 0) return more;
    return ls_json_name(j, key, err) || ls_json_read(j, v, err) ? -1 : 1;
}

int ls_json_element(ls_json *j, ls_json_value *v, ls_error *err) {
    int more = next(j, err);
    if (more <= 0) return more;
    return ls_json_read(j, v, err) ? -1 : 1;
}

int ls_json_open(ls_json *j, char bracket, ls_error *err) {
    blanks(j);
    if (!next_is(j, bracket)) return wrong(j, bracket == '{' ? "an object" : "an array", err);
    j->at++;
    return 0;
}

int ls_json_more(ls_json *j, char closing, bool *first, ls_error *err) {
    blanks(j);
    if (next_is(j, closing)) {
        j->at++;
        return 0;
    }
    if (*first) {
        *first = false;
        return 1;
    }
    if (!next_is(j, ',')) return wrong(j, closing == '}' ? "a comma or }" : "a comma or ]", err);
    j->at++;
    blanks(j);
    return next_is(j, closing) ? wrong(j, "a value", err) : 1;
}

int ls_json_end(ls_json *j, ls_error *err) {
    blanks(j);
    return j->at == j->end ? 0 : wrong(j, "the end", err);
}

static void put_utf8(ls_buf *out, uint32_t c) {
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6) b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(lead[n] | c);
    ls_buf_add(out, b, n);
}

/* p stands behind "\u"; gives how many bytes were used, 0 for a lone surrogate. */
static size_t unescape_unicode(const char *p, const char *end, ls_buf *out) {
    uint32_t c = (uint32_t)hex4(p);
    if (c < 0xd800 || c > 0xdfff) {
        put_utf8(out, c);
        return 4;
    }
    if (c > 0xdbff || end - p < 10 || p[4] != '\\' || p[5] != 'u') return 0;
    uint32_t low = (uint32_t)hex4(p + 6);
    if (low < 0xdc00 || low > 0xdfff) return 0;
    put_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
    return 10;
}

int ls_json_unescape(const ls_json_value *v, ls_buf *out, ls_error *err) {
    const char *p = v->p, *end = v->p + v->n;
    while (p < end) {
        const char *slash = v->escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        ls_buf_add(out, p, (size_t)((slash ? slash : end) - p));
        if (!slash) break;
        static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
        const char *known = strchr(letters, slash[1]);
        p = slash + 2;
        if (slash[1] == 'u') {
            size_t used = unescape_unicode(p, end, out);
            if (!used) return ls_fail(err, LS_FAIL, "JSON string has half a surrogate pair at its byte %zu", (size_t)(slash - v->p));
            p += used;
        } else {
            ls_buf_char(out, known ? meant[known - letters] : slash[1]);
        }
    }
    return out->failed ? ls_fail_memory(err, "reading a JSON string") : 0;
}

bool ls_json_is(const ls_json_value *v, const char *s) {
    size_t n = strlen(s);
    ls_buf text = {0};
    ls_error ignored;
    if (!v->escaped) return v->n == n && memcmp(v->p, s, n) == 0;
    bool same = ls_json_unescape(v, &text, &ignored) == 0 && text.len == n && memcmp(text.data, s, n) == 0;
    ls_buf_free(&text);
    return same;
}

int ls_json_u64(const ls_json_value *v, uint64_t *out) {
    uint64_t n = 0;
    if (v->kind != LS_JSON_NUMBER) return -1;
    for (size_t i = 0; i < v->n; i++) {
        unsigned d = (unsigned)(v->p[i] - '0');
        if (d > 9 || n > (UINT64_MAX - d) / 10) return -1;
        n = n * 10 + d;
    }
    *out = n;
    return 0;
}

int ls_json_i64(const ls_json_value *v, int64_t *out) {
    bool negative = v->n && *v->p == '-';
    ls_json_value digits_only = *v;
    uint64_t n;
    if (negative) digits_only.p++, digits_only.n--;
    if (ls_json_u64(&digits_only, &n) || n > (uint64_t)INT64_MAX + negative) return -1;
    *out = negative ? (int64_t)-n : (int64_t)n;
    return 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Behind the string that begins at p (its opening quote), or end. */
static const char *string_end(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end) p++;
    return p < end ? p + 1 : end;
}

bool ls_json_is_compact(const char *p, size_t n) {
    for (const char *end = p + n; p < end;) {
        if (is_blank(*p)) return false;
        p = *p == '"' ? string_end(p, end) : p + 1;
    }
    return true;
}

void ls_json_compact(ls_buf *out, const char *p, size_t n) {
    for (const char *end = p + n, *from; p < end;) {
        while (p < end && is_blank(*p)) p++;
        for (from = p; p < end && !is_blank(*p);) p = *p == '"' ? string_end(p, end) : p + 1;
        ls_buf_add(out, from, (size_t)(p - from));
    }
}

bool ls_json_is_document(const char *p, size_t n) {
    ls_json j = ls_json_over(p, n);
    ls_json_value v;
    ls_error err;
    return ls_json_read(&j, &v, &err) == 0 && ls_json_end(&j, &err) == 0;
}
