/* Lines: table patterns, then a schema and a table. They match as a matcher says that tries every length of every star; an exact pattern
 * matches the one name that it splits into, and a name whose signs are escaped is such a pattern. */
#include "base/text.h"
#include "capture/source.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 6, TEXT_MAX = 64, STARS_MAX = 6 }; /* the plain matcher takes long over many stars */

static void want(bool ok) {
    if (!ok) abort();
}

static const char *behind_character(const char *p) {
    for (p++; (*p & 0xc0) == 0x80;) p++;
    return p;
}

/* pattern..end against the whole name. */
static bool plainly(const char *p, const char *end, const char *name) {
    if (p == end) return !*name;
    if (*p == '*') return plainly(p + 1, end, name) || (*name && plainly(p, end, name + 1));
    if (*p == '?') return *name && plainly(p + 1, end, behind_character(name));
    if (*p == '\\' && p + 1 < end) p++;
    return *p == *name && *name && plainly(p + 1, end, name + 1);
}

static bool plainly_matches(const char *pattern, const char *schema, const char *table) {
    const char *dot = pattern;
    while (*dot && *dot != '.') dot += *dot == '\\' && dot[1] ? 2 : 1;
    return *dot && plainly(pattern, dot, schema) && plainly(dot + 1, pattern + strlen(pattern), table);
}

/* The last one that matches decides. */
static void list(char *const *patterns, size_t n, const char *schema, const char *table) {
    const char *all[LINES_MAX];
    bool wanted = false;
    for (size_t i = 0; i < n; i++) {
        bool out = patterns[i][0] == '!';
        all[i] = patterns[i];
        if (plainly_matches(patterns[i] + out, schema, table)) wanted = !out;
    }
    bool is = ls_tables_match(all, n, schema, table);
    want(is == wanted);
    if (table[0] != '_') want(ls_tables_match_binlog(all, n, schema, table) == is);
}

static void exact(const char *pattern, const char *schema, const char *table) {
    char of_schema[LS_NAME_MAX], of_table[LS_NAME_MAX];
    if (!ls_pattern_is_exact(pattern) || ls_pattern_split(pattern, of_schema, of_table)) return;
    want(ls_tables_match(&pattern, 1, of_schema, of_table) && ls_tables_match_binlog(&pattern, 1, of_schema, of_table));
    want(ls_tables_match(&pattern, 1, schema, table) == (strcmp(of_schema, schema) == 0 && strcmp(of_table, table) == 0));
}

static char *escape(char *out, const char *name) {
    for (; *name; name++) {
        if (strchr(".*?\\!", *name)) *out++ = '\\';
        *out++ = *name;
    }
    return out;
}

static void escaped(const char *schema, const char *table) {
    char pattern[4 * TEXT_MAX + 2], of_schema[LS_NAME_MAX], of_table[LS_NAME_MAX], *end = escape(pattern, schema);
    if (!*schema || !*table) return;
    *end++ = '.';
    *escape(end, table) = '\0';
    want(ls_pattern_is_exact(pattern) && ls_pattern_split(pattern, of_schema, of_table) == 0);
    want(strcmp(of_schema, schema) == 0 && strcmp(of_table, table) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char text[TEXT_MAX + 1], *lines[LINES_MAX], *p = text;
    size_t n = 0, stars = 0;
    for (size_t i = 0; i < size; i++) stars += data[i] == '*';
    if (size > TEXT_MAX || stars > STARS_MAX || !ls_utf8_valid((const char *)data, size)) return 0;
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    for (char *end = p; n < LINES_MAX && end; p = end ? end + 1 : p) {
        end = strchr(p, '\n');
        if (end) *end = '\0';
        lines[n++] = p;
    }
    if (n < 3) return 0;
    const char *schema = lines[n - 2], *table = lines[n - 1];
    list(lines, n - 2, schema, table);
    for (size_t i = 0; i < n - 2; i++) exact(lines[i], schema, table);
    escaped(schema, table);
    return 0;
}
