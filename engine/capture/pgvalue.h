/* pgvalue.h - PostgreSQL's text of a value -> ls_value.
 * Pure. The text stands in a receive buffer that the batch keeps: a value points into it, or into the reader's arena. */
#ifndef LS_PGVALUE_H
#define LS_PGVALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "list_sync.h"

#include <stdbool.h>

enum { LS_PG_DIMENSIONS = 6 }; /* of an array: PostgreSQL's MAXDIM */

/* The memory that reading works in. One thread. */
typedef struct ls_pg_reader {
    ls_arena *arena;   /* borrowed: bytes that a value points to and that do not stand in the server's text */
    bool mend;         /* text that is not valid UTF-8 is mended and its value flagged; else it is an error */
    bool mended;       /* that was done: set by the readers, cleared by whoever looks */
    ls_buf text;       /* from here on the readers' own; ls_pg_reader_free() */
    ls_buf json;       /* an array's JSON on its way */
    ls_arena elements; /* an array's elements */
} ls_pg_reader;

void ls_pg_reader_free(ls_pg_reader *r);

typedef struct ls_pg_type ls_pg_type;
struct ls_pg_type {
    uint32_t oid;     /* pg_type.oid of a built-in type, else 0 */
    uint8_t type;     /* enum ls_type */
    char delimiter;   /* of an array: between its elements */
    const char *name; /* pg_type.typname */
    const ls_pg_type *element; /* of an array; borrowed, and outlives it */
    /* self: the type itself. The session's output settings are ISO dates, ISO 8601 intervals, UTC, hex bytea, the C locale's
     * money. Errors name the type and what is wrong with the text, not the text itself. */
    int (*read)(const ls_pg_type *self, ls_pg_reader *r, const char *p, size_t n, ls_value *out, ls_error *err);
};

/* A built-in type whose values are not simply the server's text; NULL if it is none of them. */
const ls_pg_type *ls_pg_type_by_oid(uint32_t oid);
const ls_pg_type *ls_pg_type_by_name(const char *name); /* pg_type.typname, in pg_catalog */
extern const ls_pg_type ls_pg_type_string;   /* of every other type the server's text */
extern const ls_pg_type ls_pg_type_geometry; /* PostGIS' geometry and geography */

/* An array's `read`: elements in braces, braces within braces, each element read by self->element. */
int ls_pg_read_array(const ls_pg_type *self, ls_pg_reader *r, const char *p, size_t n, ls_value *out, ls_error *err);

/* Makes a value of what stands in b, which is copied into the reader's arena; a buffer that a large value has grown goes back.
 * -1: memory, also where b has failed. */
int ls_pg_value_of(ls_pg_reader *r, ls_buf *b, enum ls_kind kind, ls_value *out, ls_error *err) LS_MUST_CHECK;

#endif
