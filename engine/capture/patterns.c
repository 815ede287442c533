#include "capture/source.h"

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

/* A pattern's two parts match each its own name, so that a star never reaches over the dot. */
static bool matches(const char *pattern, const char *schema, const char *table) {
    char part[SCHEMA_PART_MAX];
    const char *dot = dot_of(pattern);
    if (!dot || dot - pattern >= SCHEMA_PART_MAX) return false;
    memcpy(part, pattern, (size_t)(dot - pattern));
    part[dot - pattern] = '\0';
    return ls_glob(part, schema) && ls_glob(dot + 1, table);
}

/* Does a schema change tool (gh-ost, pt-online-schema-change) name its working tables so: _x_gho, _x_new ...? */
static bool is_tool_table(const char *table) {
    static const char *const endings[] = {"_gho", "_ghc", "_del", "_new", "_old"};
    size_t n = strlen(table), ending = 4;
    if (*table != '_' || n < 1 + 1 + ending) return false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (memcmp(table + n - ending, endings[i], ending) == 0) return true;
    return false;
}

static bool match(const char *const *patterns, size_t n, const char *schema, const char *table, bool by_name_only) {
    while (n-- > 0) { /* from the last one, which wins */
        const char *p = patterns[n];
        bool out = *p == '!';
        if (!out && by_name_only && !ls_pattern_is_exact(p)) continue;
        if (matches(p + out, schema, table)) return !out;
    }
    return false;
}

bool ls_tables_match(const char *const *patterns, size_t n, const char *schema, const char *table) {
    return match(patterns, n, schema, table, false);
}

bool ls_tables_match_binlog(const char *const *patterns, size_t n, const char *schema, const char *table) {
    return match(patterns, n, schema, table, is_tool_table(table));
}
