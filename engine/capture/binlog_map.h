/* binlog_map.h - TABLE_MAP events -> tables: their columns as the wire has them, and an ls_schema.
 *
 * Two maps with the same bytes are one table, whatever id the server gave it, so that a schema's id stays while the
 * table stays as it is. A table that the patterns leave out is known by its name only. Pure, but for what it asks
 * through ls_binlog_ask. One thread. */
#ifndef LS_BINLOG_MAP_H
#define LS_BINLOG_MAP_H

#include "base/limit.h"
#include "capture/binlog_value.h"
#include "capture/source.h"

enum { LS_MAPS_MAX = LS_LIMIT(4096, 16) }; /* tables remembered; then all are forgotten between two statements */

/* A column whose type does not travel with the log. The caller gives the name, the server's side fills in the rest. */
typedef struct ls_asked_column {
    const char *name; /* name_len bytes */
    size_t name_len;
    ls_asked_type type;
    int precision; /* digits of a temporal column's fraction; -1: none */
} ls_asked_column;

/* What a decoder cannot know from the log. Tests give a few lines, the session asks the server. */
typedef struct ls_binlog_ask {
    void *ctx;
    /* The character set of a collation; NULL: unknown. */
    const char *(*charset)(void *ctx, uint32_t collation);
    int (*columns)(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *err);
    /* Is it a system-versioned table, as far as the server knows? */
    int (*versioned)(void *ctx, const char *schema, const char *table, bool *is, ls_error *err);
    void (*warn)(void *ctx, const char *text);
} ls_binlog_ask;

/* Borrowed, as is all that it points to. */
typedef struct ls_binlog_conf {
    const char *const *tables; /* patterns */
    size_t ntables;
    bool ddl;
    bool mariadb;
    bool partial_rows; /* images that lack columns are expected: no warning */
    ls_invalid_policy on_invalid_text;
    bool lower_case; /* the server keeps names in lower case, whatever a statement says */
    size_t hold_max; /* bytes of a transaction's events that are held until it ends; of a larger one they are passed on as
                        they come, and can no more be taken back */
    ls_schemas *schemas;
    ls_binlog_ask ask;
} ls_binlog_conf;

typedef struct ls_map {
    struct ls_map *same_hash;
    uint64_t hash;
    uint8_t *bytes; /* the event's body behind table id and flags */
    size_t nbytes;
    bool captured;
    /* of captured tables: */
    char schema_name[LS_NAME_MAX], table_name[LS_NAME_MAX];
    const ls_schema *schema; /* one reference; NULL until it was prepared */
    ls_wire_column *cols;
    uint32_t ncols;
    uint32_t nseen; /* columns of the schema: those that are not hidden, which come first */
    uint16_t *key;  /* nkey column numbers */
    uint32_t nkey;
    bool doubtful;     /* has a doubtful column */
    bool maybe_versioned; /* MariaDB: has the columns that a system-versioned table has */
    bool ready;        /* its rows can be decoded */
    bool partial_said, lost_said; /* a warning about partial images, one about lost documents was given */
    bool invalid_said; /* ... about text that is not valid in its character set */
    uint64_t asked_id; /* the table id for which information_schema was asked */
} ls_map;

typedef struct ls_maps ls_maps;

int ls_maps_new(ls_maps **out, const ls_binlog_conf *conf, ls_error *err) LS_MUST_CHECK;
void ls_maps_free(ls_maps *m);
/* A TABLE_MAP event's body behind table id and flags. statement_begins: no earlier map is in use any more. */
int ls_maps_put(ls_maps *m, uint64_t id, const uint8_t *body, size_t n, bool statement_begins,
                ls_error *err) LS_MUST_CHECK;
/* NULL: no map came for that id. */
ls_map *ls_maps_find(const ls_maps *m, uint64_t id);
/* Ids mean other tables from now on: after FORMAT_DESCRIPTION and ROTATE. */
void ls_maps_forget_ids(ls_maps *m);
/* Before a captured table's rows are decoded under this id: -1 when a column's type is one that is not.
 * Its schema is then made. */
int ls_map_prepare(ls_maps *m, ls_map *map, uint64_t id, ls_error *err) LS_MUST_CHECK;
/* The character set of a collation, as for the tables; *out NULL: it is not converted. */
int ls_maps_charset(const ls_maps *m, uint32_t collation, const ls_charset **out, ls_error *err) LS_MUST_CHECK;
/* A schema without columns, for a change that has none (T, X, R); borrowed from m until the next call. NULL: memory. */
const ls_schema *ls_maps_bare(ls_maps *m, const char *schema, const char *table);

/* MySQL's length-encoded integer; the cursor fails on a reserved first byte. */
uint64_t ls_lenenc(ls_cursor *c);
/* "at byte 20 of the event 8 bytes are wanted, 3 remain". Gives -1. */
int ls_fail_cut(ls_error *err, const ls_cursor *c);

#endif
