#include "base/pattern.h"

#include "base/text.h"

#include <string.h>

enum { SCHEMA_PART_MAX = 1024 }; /* bytes of a pattern's schema part; a longer one matches nothing */

/* The first dot that no backslash stands before; NULL without one. */
static const char *dot_of(const char *pattern) {
    for (const char *p = pattern; *p; p++) {
        if (*p == '.') return p;
        if (*p == '\\' && p[1]) p++;
    }
    return NULL;
}

bool ls_pattern_is_exact(const char *pattern) {
    if (*pattern == '!') return false;
    for (const char *p = pattern; *p; p++) {
        if (*p == '*' || *p == '?') return false;
        if (*p == '\\' && p[1]) p++;
    }
    return true;
}

/* Copies p..end without the backslashes that make a character literal; -1 when it is empty or too long. */
static int unescape(const char *p, const char *end, char out[LS_NAME_MAX]) {
    size_t n = 0;
    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end) p++;
        if (n == LS_NAME_MAX - 1) return -1;
        out[n++] = *p;
    }
    out[n] = '\0';
    return n ? 0 : -1;
}

int ls_pattern_split(const char *pattern, char schema[LS_NAME_MAX], char table[LS_NAME_MAX]) {
    const char *dot = dot_of(pattern);
    if (!dot || unescape(pattern, dot, schema)) return -1;
    return unescape(dot + 1, dot + strlen(dot), table);
}

bool ls_pattern_matches(const char *pattern, const char *schema, const char *table) {
    char part[SCHEMA_PART_MAX];
    const char *dot = dot_of(pattern);
    if (!dot || dot - pattern >= SCHEMA_PART_MAX) return false;
    memcpy(part, pattern, (size_t)(dot - pattern));
    part[dot - pattern] = '\0';
    return ls_glob(part, schema) && ls_glob(dot + 1, table);
}

uint32_t ls_pattern_rank(const char *pattern) {
    uint32_t literal = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1]) p++;
        else if (*p == '*' || *p == '?') continue;
        literal++;
    }
    return literal;
}

int ls_pattern_best(const char *const *patterns, size_t n, const char *schema, const char *table) {
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        if (!ls_pattern_matches(patterns[i], schema, table)) continue;
        if (ls_pattern_is_exact(patterns[i])) return (int)i;
        if (best < 0 || ls_pattern_rank(patterns[i]) > ls_pattern_rank(patterns[best])) best = (int)i;
    }
    return best;
}
