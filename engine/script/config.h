/* config.h - a script's stages as plain structs. Filled by script.c from the table that lua/list_sync/options.lua has
 * checked, so every value here is of the right type and range. Strings live in the ls_config's arena. */
#ifndef LS_CONFIG_H
#define LS_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "change/columns.h"
#include "change/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ls_conf_pair {
    const char *name, *value;
} ls_conf_pair;

typedef struct ls_kafka_options {
    bool memory; /* kafka_conf = "memory" */
    const ls_conf_pair *pairs;
    size_t npairs;
} ls_kafka_options;

/* The options that tables may have of their own. */
typedef struct ls_table_options {
    const char *pattern;       /* NULL: the connector's, for the tables that no pattern names */
    const char *const *topics; /* templates; each row goes to each. None: a function says */
    size_t ntopics;
    int partitions, replication /* 0: 3, or what the cluster has */;
    const char *identity;   /* "key" | "full" */
    const char *format;     /* of ls_format_find(); NULL: a function's */
    const char *json;       /* "text" | "embed" */
    const char *moves;      /* "keep" | "split" */
    const char *const *key; /* [0] "pk" | "table_pk" | "object", or columns: own_key. None: a function says */
    size_t nkey;
    bool own_key, source, tombstones;
    bool filtered; /* it has a filter */
    const ls_conf_pair *headers; /* on each message; those of a function come with the row */
    size_t nheaders;
    const ls_column_rule *columns;
    size_t ncolumns;
    const char *as_schema, *as_table; /* NULL: tables keep their names */
} ls_table_options;

typedef struct ls_connector_options {
    const char *name, *db_type /* "postgres" | "mysql" */, *host, *user, *password /* or NULL */, *database;
    int port;
    const char *const *tables; /* patterns */
    size_t ntables;
    const ls_table_options *sets; /* [0] the connector's, then one for each pattern with options of its own */
    size_t nsets;
    size_t max_topics;
    const char *plugin, *slot, *publication /* or NULL */, *start;
    const char *row_image; /* "full" | "any"; NULL on PostgreSQL */
    const char *delivery; /* "at_least_once" | "exactly_once" */
    const char *on_invalid_text; /* "stop" | "replace" | "skip" */
    uint32_t server_id; /* 0: made from the name */
    bool partition_root, ddl;
    size_t memory; /* bytes */
} ls_connector_options;

typedef struct ls_csv_options {
    const char *filename;
    bool split_files, header, bom, formula_guard;
    size_t max_open_files;
    size_t rotate_bytes, rotate_rows, rotate_every; /* every: seconds; 0: not given */
    char delimiter, quote;
    const char *compress; /* "zstd" | "gzip"; NULL: neither */
    const char *newline, *null_text, *absent_text;
    bool prefix; /* action and table in front */
    const struct ls_csv_layout_options *layouts;
    size_t nlayouts;
} ls_csv_options;

typedef struct ls_csv_layout_options {
    ls_layout what;
    ls_csv_options csv; /* the writer's with what the layout says otherwise; its layouts are none */
} ls_csv_layout_options;

typedef struct ls_flush_every {
    size_t rows; /* 0: no limit */
    int ms;
} ls_flush_every;

typedef struct ls_consumer_options {
    const char *name, *group_id, *consumer_id, *auto_offset_reset, *decode /* of ls_decoder_for() */;
    const char *const *topics;
    size_t ntopics;
    int instances;
    bool lua_writer; /* ls.writer or callback; else csv is set */
    ls_csv_options csv;
    ls_flush_every flush_every; /* of a Lua writer */
    size_t memory; /* bytes an instance */
} ls_consumer_options;

typedef struct ls_stage {
    bool is_connector;
    bool has_hooks; /* a filter or map, a writer in Lua, or functions in its layouts: Lua is entered once a batch */
    int line;       /* of its `name =`, for messages */
    const char *name;
    ls_kafka_options kafka;
    union {
        ls_connector_options connector;
        ls_consumer_options consumer;
    } as;
} ls_stage;

typedef struct ls_config {
    ls_arena arena;
    const char *script; /* path as given */
    ls_stage *stages;   /* in the script's order */
    size_t nstages;
} ls_config;

void ls_config_free(ls_config *c);

#endif
