/* wal2json_read.h - one message's JSON text -> its members. Part of the wal2json decoder.
 * Pure; copies nothing but names that hold escapes. */
#ifndef LS_WAL2JSON_READ_H
#define LS_WAL2JSON_READ_H

#include "base/arena.h"
#include "base/json.h"

typedef struct ls_w2j_field { /* of columns, identity or pk */
    const char *name;         /* valid UTF-8 without a NUL, name_len bytes; in the message or the scratch arena */
    size_t name_len;
    uint32_t type;    /* "typeoid" */
    int32_t position; /* 0: not given */
    ls_json_value value;
} ls_w2j_field;

typedef struct ls_w2j_fields {
    bool given;
    ls_w2j_field *at; /* grown, kept from message to message */
    size_t n, cap;
} ls_w2j_fields;

typedef struct ls_w2j_message {
    char action; /* B C I U D T M */
    uint32_t xid;
    int64_t ts; /* microseconds since 1970 */
    uint64_t lsn, nextlsn;
    const char *schema, *table; /* NUL-terminated, in the scratch arena */
    size_t schema_len, table_len;
    ls_w2j_fields columns, identity, pk;
    unsigned given; /* the members that were there: private to wal2json_read.c */
} ls_w2j_message;

void ls_w2j_message_free(ls_w2j_message *m);
/* Fills *m, which was cleared or filled before. Gives -1 when the text is no message, or lacks what its action needs. */
int ls_w2j_read(ls_w2j_message *m, ls_arena *scratch, const void *p, size_t n, ls_error *err) LS_MUST_CHECK;

#endif
