/* pattern.h - patterns of tables: schema.table, each part with * and ?, a backslash makes the next character literal. Pure functions. */
#ifndef LS_PATTERN_H
#define LS_PATTERN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LS_NAME_MAX = 256 }; /* bytes of a schema's or table's name, with its NUL */

/* A pattern's two parts match each its own name, so that a star never reaches over the dot. No leading ! */
bool ls_pattern_matches(const char *pattern, const char *schema, const char *table);
bool ls_pattern_is_exact(const char *pattern); /* no * or ? but escaped ones, no leading ! */
/* An exact pattern split at its first unescaped dot, escapes resolved, into schema and table; -1: no dot, or too long. */
int ls_pattern_split(const char *pattern, char schema[LS_NAME_MAX], char table[LS_NAME_MAX]) LS_MUST_CHECK;
/* How much a pattern says: its characters that stand for themselves. */
uint32_t ls_pattern_rank(const char *pattern);
/* The number of the most specific pattern that matches: an exact one, else that of the highest rank, of equals the first; -1: none does. */
int ls_pattern_best(const char *const *patterns, size_t n, const char *schema, const char *table);

#endif
