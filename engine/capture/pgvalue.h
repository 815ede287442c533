/* pgvalue.h - PostgreSQL's text of a value -> ls_value.
 * Pure. The text stands in a receive buffer that the batch keeps: a value points into it, or into the batch's arena. */
#ifndef LS_PGVALUE_H
#define LS_PGVALUE_H

#include "change/batch.h"

typedef struct ls_pg_type ls_pg_type;
struct ls_pg_type {
    uint32_t oid;     /* pg_type.oid of the built-in type; 0: an extension's, known by its name alone */
    const char *name; /* pg_type.typname */
    uint8_t type;     /* enum ls_type */
    /* The session's output settings are ISO dates, UTC, hex bytea. scratch: the caller's, overwritten. Errors name the
     * type and what is wrong with the text, not the text itself. */
    int (*read)(ls_work *w, ls_buf *scratch, const char *p, size_t n, ls_value *out, ls_error *err);
};

/* A type that can be read; NULL if it is none of them. */
const ls_pg_type *ls_pg_type_by_oid(uint32_t oid);
/* schema: "" stands for pg_catalog, as on the wire. Of the other schemas' types only citext is known. */
const ls_pg_type *ls_pg_type_by_name(const char *schema, const char *name);
extern const ls_pg_type ls_pg_type_enum; /* an enum's label */

#endif
