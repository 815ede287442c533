/* source.h - what a database looks like to the pipeline: bytes in, batches out.
 *
 * One capture thread owns a source and makes every call. A call that fails with LS_AGAIN (server gone, cut, time-out)
 * leaves the source fit for close() only: the pipeline waits, opens it anew and starts at the checkpoint. */
#ifndef LS_SOURCE_H
#define LS_SOURCE_H

#include "base/log.h"
#include "base/pattern.h"
#include "capture/invalid.h"
#include "change/batch.h"
#include "change/madeup.h"

#include <stdatomic.h>

/* Strings are borrowed and outlive the source. */
typedef struct ls_source_conf {
    const char *name;    /* the connector's */
    const char *db_type; /* "postgres" | "mysql" */
    const char *host;
    int port;
    const char *user, *password; /* password NULL: none */
    const char *database;        /* PostgreSQL: to connect to. Binlog: "" or for a template's {database} */
    const char *const *tables;   /* patterns: schema.table, * ? and leading !, backslash escapes */
    size_t ntables;
    const char *plugin, *slot, *publication; /* PostgreSQL; publication NULL: one is made */
    bool partition_root;
    bool temporary_slot;  /* for print and kafka_conf = "memory" */
    bool takes_over;      /* of a program that may be stopped, not dead: what it still holds on the server is taken away from it */
    bool ddl;             /* binlog: X and R */
    bool partial_rows;    /* binlog: row_image = "any" */
    bool whole_before;    /* tables are to have whole rows before (schemas tells which): a server that does not send them is refused */
    const char *script;   /* its path, for messages; NULL: not known */
    bool bare;            /* the server, its log and the slot alone: tables, publication and grants are not looked at */
    bool inspect;         /* `check`: also warns of what a start need not speak of */
    ls_invalid_policy on_invalid_text;
    uint32_t server_id;   /* binlog; 0: made from the name */
    bool any_id;          /* binlog: server_id is no more than a proposal */
    const char *start;    /* "now" | "earliest" | "slot" | a position */
    ls_schemas *schemas;
    const atomic_bool *stop; /* set when the run is to end: long waits look at it and give up with LS_OK; NULL: never */
} ls_source_conf;

/* How a checkpoint names the server: text that the source writes and later compares (JSON object members, no braces).
 * base: the binlog files' common name. */
enum { LS_IDENTITY_MAX = 512, LS_BINLOG_NAME_MAX = 256 };
typedef struct ls_source_identity {
    char json[LS_IDENTITY_MAX];
    char db[16];                    /* source.db: postgres | mysql | mariadb */
    char binlog[LS_BINLOG_NAME_MAX]; /* "binlog" of binlog.000003; "" on PostgreSQL */
} ls_source_identity;

/* From the checkpoint: read from restart, drop rows up to and including (delivered_pos, delivered_seq). */
typedef struct ls_resume {
    ls_place restart;
    uint64_t epoch;            /* of restart */
    const char *gtid;          /* the GTID position at restart, "" without */
    const char *delivered_pos; /* "" : none; of the same epoch or an earlier one */
    uint64_t delivered_seq;
    const char *delivered_gtid; /* of the last delivered row's transaction, if all others that were delivered are in gtid; else "" */
    const char *identity; /* ls_source_identity.json of then, NULL: not compared */
    const char *binlog;   /* file base name of then */
} ls_resume;

/* The server's log and slot as they are now. */
typedef struct ls_source_state {
    ls_place end;            /* of the log */
    bool has_slot;           /* PostgreSQL: it exists */
    bool active, lost;       /* the slot: somebody reads it; it was invalidated */
    uint64_t confirmed;      /* the slot: what the server may forget is below */
    char slot[64];           /* its name; "" where there are no slots */
} ls_source_state;

/* A table as the server has it now. Borrowed for the call. */
typedef struct ls_source_table {
    const ls_schema *schema; /* what capture makes of it, in the conf's schemas */
    const ls_madeup_column *columns;
} ls_source_table;

typedef struct ls_source ls_source;

typedef struct ls_source_ops {
    const char *db_type;
    /* Connects, checks settings, grants and exact table names, fills *id. known: the checkpoint's tables, see
     * ls_source_knows(): one of them may be gone, which is warned of. LS_USAGE: what an administrator must change; LS_AGAIN:
     * does not answer. */
    int (*open)(ls_source **out, const ls_source_conf *conf, const ls_log *log, const char *known, ls_source_identity *id,
                ls_error *err);
    /* Calls each(ctx, ...) for each table that is captured as of now; -1 of each() ends it. On an opened source that does not stream. */
    int (*tables)(ls_source *s, int (*each)(void *ctx, const ls_source_table *t, ls_error *err), void *ctx, ls_error *err);
    /* Before a first start of which nothing is stored: LS_LOST when there is a slot already, which somebody made who still
     * wants what it holds. */
    int (*vacant)(ls_source *s, ls_error *err);
    /* First start: makes the slot (dropping what a "creating" checkpoint left if `again`) and gives the place to start at.
     * gtid: room for the GTID position there, "" on PostgreSQL. */
    int (*create)(ls_source *s, bool again, ls_place *at, ls_buf *gtid, ls_error *err);
    /* Begins to stream. LS_LOST when the server cannot serve from there. */
    int (*start)(ls_source *s, const ls_resume *from, ls_error *err);
    /* Adds changes and marks until the batch is full or the socket has nothing more; waits up to wait_ms for the first
     * byte. An empty batch after a time-out is no error. Rows up to from->delivered are left out, their marks kept. */
    int (*read)(ls_source *s, ls_work *w, int wait_ms, ls_error *err);
    /* Tells the server that everything below *restart is safe (PostgreSQL: feedback; binlog: nothing to say), and
     * answers what the server asked. Called at least once a second also while read() is not called. */
    int (*confirm)(ls_source *s, const ls_place *restart, ls_error *err);
    /* The log's end now: for --until-caught-up. */
    int (*end)(ls_source *s, ls_place *end, ls_error *err);
    /* The place of a position in the database's own words ("0/2A1F00"; "binlog.000003:1234" or GTIDs) and the GTID position there.
     * LS_USAGE: it is none; LS_LOST: the server, or its slot, cannot serve from there. */
    int (*locate)(ls_source *s, const char *text, ls_place *at, ls_buf *gtid, ls_error *err);
    int (*look)(ls_source *s, ls_source_state *now, ls_error *err);
    /* Drops the slot; *dropped false: there is none. LS_AGAIN: it is in use. */
    int (*drop)(ls_source *s, bool *dropped, ls_error *err);
    void (*close)(ls_source *s); /* also after a failure; a temporary slot goes with it */
} ls_source_ops;

struct ls_source { /* stands first in each session's own struct */
    const ls_source_ops *ops;
    bool behind; /* set by the pipeline before read(): the rows come so late that many at once are better than each one soon */
    int64_t ahead; /* microseconds by which the server's clock was before this machine's when the session was opened; less than 0: behind it */
    /* After start(): a greater epoch than from->epoch, if another server's log is read from now on, and the place in it. */
    uint64_t epoch;
    ls_place place;
};

extern const ls_source_ops ls_source_postgres, ls_source_mysql;
/* Is the table among those of a checkpoint? known: its "tables" object's members as JSON text, a member "schema.table" for
 * each; NULL: there is no checkpoint. */
bool ls_source_knows(const char *known, const char *schema, const char *table);
/* What begins the connector anew, for the end of a message; with its slot, where there are slots. Gives out. */
enum { LS_ANEW_MAX = 512 };
const char *ls_source_anew(const ls_source_conf *conf, bool slot, char out[LS_ANEW_MAX]);
/* By db_type ("postgres", "mysql"); NULL if there is none. */
const ls_source_ops *ls_source_find(const char *db_type);

/* patterns.c: does a table match the list? Later patterns win; one that begins with ! leaves out. */
bool ls_tables_match(const char *const *patterns, size_t n, const char *schema, const char *table);
/* The same for the binlog, where the tables of gh-ost and pt-osc (_x_gho _x_ghc _x_del _x_new _x_old) match only an exact name. */
bool ls_tables_match_binlog(const char *const *patterns, size_t n, const char *schema, const char *table);

#endif
