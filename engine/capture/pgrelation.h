/* pgrelation.h - the tables and types that pgoutput has announced on one connection. Part of the decoder. */
#ifndef LS_PGRELATION_H
#define LS_PGRELATION_H

#include "base/cursor.h"
#include "capture/pgoutput.h"
#include "capture/pgtype.h"

typedef struct ls_pg_relation {
    uint32_t oid;
    uint32_t ncols;
    bool captured;            /* the patterns want it; what follows is set only then */
    bool warned;              /* of its missing identity */
    bool invalid_said;        /* a warning about text that is not valid was given */
    const ls_schema *schema;  /* a reference */
    const ls_pg_type **types; /* ncols */
    bool *identity;           /* ncols: a column of the replica identity, as the message flags it */
} ls_pg_relation;

typedef struct ls_pg_relations {
    const ls_pgoutput_conf *conf;
    uint32_t xid; /* of the transaction under way */
    ls_pg_relation **tables; /* in the oids' order */
    size_t ntables, cap_tables;
    ls_pg_types types;
    ls_pg_relation *last; /* found last */
    ls_arena scratch;
} ls_pg_relations;

void ls_pg_relations_free(ls_pg_relations *r);
/* The announced table, or NULL. */
ls_pg_relation *ls_pg_relations_find(ls_pg_relations *r, uint32_t oid);
/* The messages' bodies, behind the kind byte. A short message fails the cursor and gives 0: the caller looks. */
int ls_pg_relations_type(ls_pg_relations *r, ls_cursor *c, ls_error *err) LS_MUST_CHECK;
int ls_pg_relations_relation(ls_pg_relations *r, ls_cursor *c, ls_error *err) LS_MUST_CHECK;

#endif
