/* wal2json.h - decoder of wal2json's messages, format version 2: one JSON object a message, with include-xids,
 * include-timestamp, include-lsn, include-pk, include-type-oids and include-column-positions.
 *
 * Pure: text in, changes and marks out; what a message lacks is asked through ls_wal2json_catalog. Any bytes at all are
 * either decoded or refused with the message, the offset, what was wanted and what remained. One thread.
 *
 * What the messages lack: a table's shape. It is put together from the messages themselves and the catalog (see
 * wal2json_table.h). */
#ifndef LS_WAL2JSON_H
#define LS_WAL2JSON_H

#include "capture/pgoutput.h"

typedef struct ls_wal2json_column {
    const char *name;
    uint32_t type;    /* pg_type.oid; 0 of a dropped column */
    int32_t position; /* pg_attribute.attnum: of one column for ever */
    bool dropped;
    bool toastable; /* of variable length: an update may leave its value out */
    uint32_t changed; /* the transaction that made, renamed or dropped it last; 0: one of long ago */
    bool computed;    /* a virtual generated column, which wal2json sends as null: left out, as if it were dropped */
} ls_wal2json_column;

typedef struct ls_wal2json_facts { /* a table as the catalog has it now, which may be later than the message */
    uint32_t oid; /* 0: there is none of that name */
    char kind;    /* pg_class.relkind */
    char identity; /* pg_class.relreplident */
    bool deferrable; /* is its primary key? It is none then, to the server and here, though PostgreSQL 18's messages list it */
    ls_wal2json_column *cols; /* by position, the dropped ones too */
    size_t ncols;
    uint64_t known_to; /* what committed up to this place of the WAL is in it */
} ls_wal2json_facts;

typedef struct ls_wal2json_catalog {
    /* ctx, settle, keys, type, no_identity and warn are asked as pgoutput's decoder asks them. */
    ls_pg_catalog base;
    /* The table of that name, in `arena`'s memory. */
    int (*table)(void *ctx, const char *schema, const char *table, ls_arena *arena, ls_wal2json_facts *out, ls_error *err);
} ls_wal2json_catalog;

typedef struct ls_wal2json_conf { /* as ls_pgoutput_conf */
    const char *const *tables;
    size_t ntables;
    ls_schemas *schemas;
    const char *delivered_pos;
    uint64_t delivered_seq;
    ls_invalid_policy on_invalid_text;
    ls_wal2json_catalog catalog;
} ls_wal2json_conf;

typedef struct ls_wal2json ls_wal2json;

ls_wal2json *ls_wal2json_new(const ls_wal2json_conf *conf); /* NULL when memory is out */
void ls_wal2json_free(ls_wal2json *d);
/* Decodes one message (the payload of one XLogData). Values of the changes that it adds to w point into p: where
 * w->seen.count grew, p must live until w's reset. After -1 the decoder is fit for ls_wal2json_free() only. */
int ls_wal2json_message(ls_wal2json *d, ls_work *w, const void *p, size_t n, ls_error *err) LS_MUST_CHECK;
/* Between a B and its C? */
bool ls_wal2json_in_transaction(const ls_wal2json *d);

#endif
