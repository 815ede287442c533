/* pgtype.h - the types that one connection has met: which reader is whose. Part of PostgreSQL's decoders; one thread.
 *
 * PostgreSQL announces types that are not built in by Type messages, a domain under its base type's name; what neither
 * they nor the table of built-in types tell is asked of the catalog, once a connection and type. */
#ifndef LS_PGTYPE_H
#define LS_PGTYPE_H

#include "capture/pgoutput.h"
#include "capture/pgvalue.h"

enum { LS_PG_NESTING_MAX = 16 }; /* arrays of domains over arrays ...; deeper ones are read as text */

typedef struct ls_pg_known {
    uint32_t oid;
    const ls_pg_type *type;                           /* NULL: still to be found */
    char schema[LS_PG_NAME_MAX], name[LS_PG_NAME_MAX]; /* as announced last; schema "": pg_catalog; name "": was not */
} ls_pg_known;

typedef struct ls_pg_types {
    const ls_pg_catalog *catalog; /* borrowed */
    ls_pg_known *known;           /* in the oids' order */
    size_t nknown, cap;
    ls_arena made; /* array types: they live as long as this, since tables point to them */
} ls_pg_types;

void ls_pg_types_free(ls_pg_types *t);
/* A Type message. The oid of another type than before is looked up anew. */
int ls_pg_types_announce(ls_pg_types *t, uint32_t oid, const char *schema, const char *name, ls_error *err) LS_MUST_CHECK;
/* How values of the type are read: *out lives as long as t. Each type can be; -1 when the catalog does not answer, or memory. */
int ls_pg_types_find(ls_pg_types *t, uint32_t oid, const ls_pg_type **out, ls_error *err) LS_MUST_CHECK;

#endif
