/* pgoutput.h - decoder of PostgreSQL's pgoutput messages, protocol version 1 (text values, no streaming).
 *
 * Pure: bytes in, changes and marks out; what the wire lacks is asked through ls_pg_catalog. Any bytes at all are
 * either decoded or refused with the message, the offset, what was wanted and what remained. One thread. */
#ifndef LS_PGOUTPUT_H
#define LS_PGOUTPUT_H

#include "base/arena.h"
#include "capture/invalid.h"
#include "change/batch.h"

#include <stdbool.h>

enum { LS_PG_NAME_MAX = 64 }; /* bytes of a name in PostgreSQL's catalog, with the NUL: NAMEDATALEN */

/* An index's columns in the index's order; ncols 0: there is no such index. */
typedef struct ls_pg_index {
    const char **cols;
    size_t ncols;
    const char *generated; /* one of them that is a generated column, or NULL */
} ls_pg_index;

typedef struct ls_pg_keys {
    ls_pg_index primary; /* the primary key; none where it is deferrable, since two rows may then have the same for a while */
    ls_pg_index replica; /* the index of REPLICA IDENTITY USING INDEX */
} ls_pg_keys;

/* A type; of a domain its base type, whatever number of domains lies between. */
typedef struct ls_pg_type_info {
    char typtype;                                      /* pg_type.typtype; 0: the type is gone, and the rest is empty */
    char delimiter;                                    /* between the elements, of an array */
    uint32_t oid;
    uint32_t element;                                  /* the oid of an array's elements' type; 0: it is no array */
    char schema[LS_PG_NAME_MAX], name[LS_PG_NAME_MAX]; /* pg_namespace.nspname, pg_type.typname */
    char extension[LS_PG_NAME_MAX];                    /* that it belongs to, or "" */
} ls_pg_type_info;

/* Questions to the catalog as it is now, which may be later than the message. Asked at Relation messages only. */
typedef struct ls_pg_catalog {
    void *ctx;
    /* Waits until the catalog shows what the transaction did to it: the server streams a transaction that others do not see
     * yet, with synchronous replication for long. Asked before the others. LS_AGAIN: it takes too long. */
    int (*settle)(void *ctx, uint32_t xid, ls_error *err);
    /* The table's indexes, in `arena`'s memory; a table that is gone has none. */
    int (*keys)(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err);
    /* Fills *out, which comes cleared. */
    int (*type)(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err);
    /* A captured table came whose UPDATE and DELETE the server refuses: once a table. */
    void (*no_identity)(void *ctx, const char *schema, const char *table);
    void (*warn)(void *ctx, const char *text); /* of a row, see ls_invalid_settle() */
    /* NULL, or: a captured table came of whose rows before the server sends the key alone: once a table. */
    void (*key_alone)(void *ctx, const char *schema, const char *table);
} ls_pg_catalog;

typedef struct ls_pgoutput_conf { /* strings are borrowed and outlive the decoder, but for delivered_pos,
                                 which is copied */
    const char *const *tables;    /* patterns */
    size_t ntables;
    ls_schemas *schemas;
    const char *delivered_pos; /* rows up to (delivered_pos, delivered_seq) are left out; "": none */
    uint64_t delivered_seq;
    ls_invalid_policy on_invalid_text;
    ls_pg_catalog catalog;
} ls_pgoutput_conf;

typedef struct ls_pgoutput ls_pgoutput;

ls_pgoutput *ls_pgoutput_new(const ls_pgoutput_conf *conf); /* NULL when memory is out */
void ls_pgoutput_free(ls_pgoutput *d);
/* Decodes one message (the payload of one XLogData). Values of the changes that it adds to w point into p: where
 * w->seen.count grew, p must live until w's reset. After -1 the decoder is fit for ls_pgoutput_free() only. */
int ls_pgoutput_message(ls_pgoutput *d, ls_work *w, const void *p, size_t n, ls_error *err) LS_MUST_CHECK;
/* Between a Begin and its Commit? */
bool ls_pgoutput_in_transaction(const ls_pgoutput *d);

#endif
