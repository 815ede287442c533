/* path.h - file names from templates: {schema} {table} {topic} {partition} {consumer} {kind} {date} {hour}. Pure functions. */
#ifndef LS_PATH_H
#define LS_PATH_H

#include "base/buf.h"

enum { LS_PATH_NAME_MAX = 200 }; /* bytes of a folder's or file's name that a template makes, without the ends that are put behind it */

enum ls_path_use { LS_PATH_TABLE = 1, LS_PATH_TOPIC = 2, LS_PATH_PARTITION = 4, LS_PATH_CONSUMER = 8, LS_PATH_KIND = 16, LS_PATH_TIME = 32 };

typedef struct ls_path_values {
    const char *schema, *table, *topic, *consumer, *kind;
    int32_t partition;
    int64_t ts; /* microseconds since 1970, UTC: {date} is its 2026-01-31, {hour} its 00 to 23 */
} ls_path_values;

/* A name as part of a file's name: every byte outside [A-Za-z0-9_-] as %hh, so that no two names are the same and none has a folder. */
void ls_path_escape(ls_buf *out, const char *name);
/* What a filename has in braces (enum ls_path_use; 0: it is no template); -1: something that there is not. */
int ls_path_uses(const char *filename, ls_error *err) LS_MUST_CHECK;
/* Appends the path that a template, which ls_path_uses() has found good, stands for. A folder's or file's name over LS_PATH_NAME_MAX ends in
 * its hash. A schema, table or topic that stands last is kept apart from a part's number: of orders-2 the - becomes %2d. */
void ls_path_expand(ls_buf *out, const char *template_, const ls_path_values *v);
/* May the template stand for this path, {consumer} being this one? 1, 0, or -1: memory. A name that ends in its hash is not looked into. */
int ls_path_matches(const char *template_, const char *consumer, const char *path, ls_error *err) LS_MUST_CHECK;

#endif
