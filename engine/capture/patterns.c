#include "capture/source.h"

#include <string.h>

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
        if (ls_pattern_matches(p + out, schema, table)) return !out;
    }
    return false;
}

bool ls_tables_match(const char *const *patterns, size_t n, const char *schema, const char *table) {
    return match(patterns, n, schema, table, false);
}

bool ls_tables_match_binlog(const char *const *patterns, size_t n, const char *schema, const char *table) {
    return match(patterns, n, schema, table, is_tool_table(table));
}
