#include "base/text.h"

#include "base/eight.h"

#include <string.h>

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789abcdef";

void ls_base64_add(ls_buf *out, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    size_t size = (n + 2) / 3 * 4;
    if (!n || !ls_buf_room(out, size)) return; /* nothing into an empty buffer: it has no memory to point into */
    char *o = out->data + out->len;
    for (; n >= 3; n -= 3, p += 3, o += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        o[0] = b64[v >> 18];
        o[1] = b64[v >> 12 & 63];
        o[2] = b64[v >> 6 & 63];
        o[3] = b64[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);
        o[0] = b64[v >> 18];
        o[1] = b64[v >> 12 & 63];
        o[2] = n > 1 ? b64[v >> 6 & 63] : '=';
        o[3] = '=';
    }
    out->len += size;
}

static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int ls_base64_read(ls_buf *out, const char *p, size_t n) {
    if (n % 4) return -1;
    for (size_t i = 0; i < n; i += 4) {
        bool last = i + 4 == n;
        size_t bytes = last && p[i + 3] == '=' ? (p[i + 2] == '=' ? 1 : 2) : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int s = k > bytes ? 0 : sextet(p[i + k]);
            if (s < 0) return -1;
            v = v << 6 | (uint32_t)s;
        }
        char b[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        ls_buf_add(out, b, bytes);
    }
    return 0;
}

void ls_hex_add(ls_buf *out, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    if (!n) return;
    if (n > SIZE_MAX / 2 || !ls_buf_room(out, 2 * n)) {
        out->failed = true;
        return;
    }
    char *o = out->data + out->len;
    for (size_t i = 0; i < n; i++) {
        *o++ = hex[p[i] >> 4];
        *o++ = hex[p[i] & 15];
    }
    out->len += 2 * n;
}

static int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int ls_hex_read(uint8_t *out, const char *p, size_t n) {
    if (n % 2) return -1;
    for (size_t i = 0; i < n; i += 2) {
        int hi = nibble(p[i]), lo = nibble(p[i + 1]);
        if (hi < 0 || lo < 0) return -1;
        *out++ = (uint8_t)(hi << 4 | lo);
    }
    return 0;
}

/* Length of the well-formed sequence at p (RFC 3629, section 4), 0 if there is none within n bytes. */
static inline size_t utf8_step(const uint8_t *p, size_t n) {
    uint8_t a = p[0];
    size_t len = a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3 : a < 0xf5 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    uint8_t low = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
    uint8_t high = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

enum { ASCII_RUN = 32 }; /* bytes looked at together */

static bool is_ascii_run(const char *p) { return !((ls_eight(p) | ls_eight(p + 8) | ls_eight(p + 16) | ls_eight(p + 24)) & LS_EIGHT_TOPS); }

bool ls_utf8_valid(const char *p, size_t n) {
    while (n) {
        for (; n >= ASCII_RUN && is_ascii_run(p); n -= ASCII_RUN) p += ASCII_RUN;
        if (!n) break;
        size_t ascii = ls_first_byte((n >= 8 ? ls_eight(p) : ls_eight_or_less(p, n, ' ')) & LS_EIGHT_TOPS);
        size_t step = ascii ? ascii < n ? ascii : n : utf8_step((const uint8_t *)p, n);
        if (!step) return false;
        p += step;
        n -= step;
    }
    return true;
}

/* Where no sequence is well-formed: how many bytes are the beginning of one, at least 1. The byte behind them, which may begin
 * another, is never taken. */
static size_t utf8_bad(const uint8_t *p, size_t n) {
    uint8_t whole[4] = {p[0], 0x80, 0x80, 0x80};
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4, i = 1;
    if (n > 1) whole[1] = p[1];
    if (n < 2 || !utf8_step(whole, len)) return 1; /* already its second byte is none */
    while (i < len && i < n && (p[i] & 0xc0) == 0x80) i++;
    return i;
}

void ls_utf8_mend(ls_buf *out, const char *text, size_t n) {
    const uint8_t *p = (const uint8_t *)text;
    size_t from = 0, i = 0;
    while (i < n) {
        size_t step = p[i] < 0x80 ? 1 : utf8_step(p + i, n - i);
        if (step) {
            i += step;
            continue;
        }
        ls_buf_add(out, text + from, i - from);
        ls_buf_str(out, LS_REPLACEMENT);
        from = i += utf8_bad(p + i, n - i);
    }
    if (n > from) ls_buf_add(out, text + from, n - from);
}

enum { NEAREST_NAME_MAX = 64 }; /* bytes of a name that is compared */

static size_t edit_distance(const char *a, size_t an, const char *b, size_t bn) {
    size_t row[NEAREST_NAME_MAX + 1];
    for (size_t j = 0; j <= bn; j++) row[j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[bn];
}

const char *ls_nearest(const char *to, const char *const *names, size_t n) {
    size_t len = strlen(to), best = len / 3 + 2; /* further away is another word */
    const char *found = NULL;
    if (len > NEAREST_NAME_MAX) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t nl = strlen(names[i]);
        if (nl > NEAREST_NAME_MAX) continue;
        size_t d = edit_distance(to, len, names[i], nl);
        if (d < best) {
            best = d;
            found = names[i];
        }
    }
    return found;
}

bool ls_glob(const char *pattern, const char *name) {
    const char *star = NULL, *retry = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
            continue;
        }
        bool literal = *pattern == '\\' && pattern[1];
        char want = literal ? pattern[1] : *pattern;
        if (want && ((!literal && want == '?') || want == *name)) {
            /* ? takes a character, not a byte */
            name++;
            if (!literal && want == '?')
                while ((*name & 0xc0) == 0x80) name++;
            pattern += literal ? 2 : 1;
            continue;
        }
        if (!star) return false;
        pattern = star;
        name = ++retry;
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}
