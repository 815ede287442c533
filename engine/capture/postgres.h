/* postgres.h - what the files of the PostgreSQL session share. Private to them.
 *
 * Two connections: `repl` speaks the replication protocol, `side` is an ordinary one for questions to the catalog and
 * for the publication. Both are of the capture thread. A failed session is closed and opened anew, never mended. */
#ifndef LS_POSTGRES_H
#define LS_POSTGRES_H

#include "base/arena.h"
#include "capture/libpq.h"
#include "capture/pgoutput.h"
#include "capture/source.h"

enum {
    LS_PG_VERSION_MIN = 130000,     /* publish_via_partition_root came with 13 */
    LS_PG_CONNECT_MS = 10000,       /* a server that has not answered by then does not answer */
    LS_PG_ANSWER_MS = 60000,        /* longest wait for the answer to a statement */
    LS_PG_SLOT_WAIT_MS = 5000,      /* a slot that takes longer to make is spoken of */
    LS_PG_STOP_LOOK_MS = 200,       /* ... and meanwhile it is looked so often whether the run is to end */
    LS_PG_QUIET_MS = 10000,         /* a server that has sent nothing for so long is asked for an answer */
    LS_PG_SILENCE_MS = 30000,       /* ... and for so long is spoken of; from then on it is looked at over another connection */
    LS_PG_LOOK_MS = 5000,           /* ... so often */
    LS_PG_DECODING_KIB = 256 * 1024 /* the server's memory for decoding on our connection, before it spills to disk */
};

#define LS_PG_LOCK_TEXT "10s" /* longest wait for a lock on a table */
#define LS_PG_LSN "%X/%X" /* as PostgreSQL writes a WAL position */
#define LS_PG_LSN_ARGS(lsn) (unsigned)((lsn) >> 32), (unsigned)((lsn)&0xffffffffu)

typedef struct ls_pg_table { /* an exact name of the patterns whose table exists */
    const char *schema, *name;
    const char *oid; /* decimal */
    bool partitioned;
} ls_pg_table;

typedef struct ls_pg ls_pg;

/* One of the server's logical decoding plugins: what it needs, and the decoder of what it sends. Calls on a session whose
 * decoder is there, but for the first four. */
typedef struct ls_pg_plugin {
    const char *name;
    bool published; /* it sends what a publication holds */
    /* Checks what it needs of server and tables, which ls_pg_check() has found. LS_USAGE: what must be changed. */
    int (*prepare)(ls_pg *s, bool checkpointed, ls_error *err);
    void (*options)(const ls_pg *s, ls_buf *sql); /* appends those of START_REPLICATION */
    /* START_REPLICATION failed so: is it worth another try, with other options? */
    bool (*again)(ls_pg *s, const PGresult *res);
    void *(*decoder)(ls_pg *s, const ls_resume *from); /* a new one; NULL: memory */
    int (*message)(ls_pg *s, ls_work *w, const void *p, size_t n, ls_error *err); /* as ls_pgoutput_message() */
    bool (*in_transaction)(const ls_pg *s);
    void (*notice)(ls_pg *s, const char *sqlstate, const char *text); /* what the server says beside the stream */
    void (*free)(void *decoder);
} ls_pg_plugin;

/* By its name; NULL if there is none. */
const ls_pg_plugin *ls_pg_plugin_find(const char *name);
extern const ls_pg_plugin ls_pg_plugin_wal2json; /* postgres_wal2json.c */

struct ls_pg {
    ls_source source; /* first: the pipeline's view */
    const ls_source_conf *conf;
    ls_log log;
    PGconn *repl, *side;
    char slot[LS_PG_NAME_MAX];
    char publication[LS_PG_NAME_MAX];
    char system[24]; /* the server's system identifier */
    unsigned timeline;

    ls_arena arena; /* what follows */
    ls_pg_table *tables;
    size_t ntables;

    const ls_pg_plugin *plugin;
    void *decoder;        /* the plugin's; NULL until the stream has begun */
    uint64_t confirmed;   /* what the server is told: everything below is safe */
    uint64_t marked;      /* the highest mark given */
    int64_t heard_at;     /* ls_clock_ms(): something came, but for what comes while it is eager */
    bool silent;          /* it was spoken of */
    int64_t look_at;      /* when to look at a silent one again */
    bool waits;           /* the last look found that the server waits for us */
    bool near;            /* the server is on this machine */
    bool eager;           /* the last batch came back full, or rows come late: wait for more than one byte */
    int low_water;        /* SO_RCVLOWAT as it is set */
    int64_t renew_at;     /* ls_clock_ms(): the connection is to be given up for its memory; 0: it is not */
    int renew_wait_ms;    /* since the last time that it could not be; 0: it was not tried */
    bool unpublished;     /* the server passed over changes: the publication did not exist at their place of the WAL */
    bool latin1;          /* wal2json: the database's encoding, in which it sends */
    bool quoted_numbers;  /* wal2json: it is asked for them, which it knows since 2.6 */
    ls_buf dropped;       /* wal2json: tables of which it dropped a change, a line each */
};

/* postgres.c: begins to stream from there on, over `repl`. */
int ls_pg_stream(ls_pg *s, uint64_t from, ls_error *err) LS_MUST_CHECK;

/* postgres_renew.c */
/* A message of so many bytes has come. */
void ls_pg_renew_note(ls_pg *s, int bytes);
/* Is the connection to be given up for its memory, between two messages? */
bool ls_pg_renew_due(const ls_pg *s);
/* Goes on over another connection behind the last mark, if that is cheap now. A failure leaves the session fit for close() only. */
int ls_pg_renew(ls_pg *s, ls_error *err) LS_MUST_CHECK;

/* postgres_socket.c */
/* Is the other side of a connected socket on this machine, by its address? Never so for a Unix socket, whose window is not TCP's. */
bool ls_pg_socket_is_near(int fd);
/* Sets up the socket of `repl`, once it is connected. */
void ls_pg_socket_open(ls_pg *s);
/* Takes what the socket has: waits for something for up to wait_ms, or, while eager, a few ms for much; less than that ends being eager. 1: look again;
 * 0: there was nothing. */
int ls_pg_socket_wait(ls_pg *s, int wait_ms, ls_error *err) LS_MUST_CHECK;

/* postgres_connect.c */
/* Opens both connections. LS_AGAIN: does not answer; LS_USAGE: refuses us. */
int ls_pg_connect(ls_pg *s, ls_error *err) LS_MUST_CHECK;
/* Opens `repl` within wait_ms, and learns from it who the server is. */
int ls_pg_connect_stream(ls_pg *s, int wait_ms, ls_error *err) LS_MUST_CHECK;
/* Fills *err with what the server said about `doing`; res NULL: the connection's own text. Gives -1. */
int ls_pg_failed(PGconn *c, const PGresult *res, ls_error *err, const char *doing);
/* Is the stream cut off, though its connection seems to be there? A silent server is asked over a new connection what its end of the stream does. One that works may be
 * silent for long; one that waits for this side, twice in a row, hears nothing of it: it is ended, for the slot's sake. Waits for up to LS_PG_CONNECT_MS. */
bool ls_pg_is_cut_off(ls_pg *s);
/* What a failure means by its SQLSTATE ("" or NULL: none came, the connection is gone). */
ls_code ls_pg_code(const char *sqlstate);
/* Runs a statement on `side` or `repl`, as PQexecParams() or, with n < 0, as PQexec() does; but a server that hangs is waited for no longer than
 * LS_PG_ANSWER_MS, and only while the run goes on: then NULL, and the session is of no use any more. */
PGresult *ls_pg_ask(const ls_pg *s, PGconn *c, const char *sql, int n, const char *const *params);
/* Runs a statement on `side`, its parameters as text ($1 ..). The caller clears the result; NULL with *err. */
PGresult *ls_pg_query(ls_pg *s, ls_error *err, const char *doing, const char *sql, int n, const char *const *params);
/* The same without a result to look at. */
int ls_pg_run(ls_pg *s, ls_error *err, const char *doing, const char *sql) LS_MUST_CHECK;
/* Appends a quoted identifier, or "schema"."table". */
void ls_pg_quote(ls_buf *out, const char *name);
void ls_pg_quote_table(ls_buf *out, const char *schema, const char *table);
/* Text like 0/2A1F00 of the server's; -1 when it is not that. */
int ls_pg_lsn(const char *text, uint64_t *lsn) LS_MUST_CHECK;

/* postgres_check.c: settings, and the exact names' tables. */
int ls_pg_check(ls_pg *s, const char *known, ls_error *err) LS_MUST_CHECK;

/* postgres_identity.c */
/* With conf->whole_identity refuses tables of which less is sent; with conf->inspect warns of those whose updates may lack values. */
int ls_pg_identity(ls_pg *s, ls_error *err) LS_MUST_CHECK;
/* Tables whose UPDATE and DELETE the server refuses once they are published: by `from`, a FROM list with p(oid, shown
 * schema, shown table) over $1. */
PGresult *ls_pg_without_identity(ls_pg *s, ls_error *err, const char *from, const char *param);

/* postgres_publication.c: makes it, brings it in line, or verifies the one that is given. */
int ls_pg_publication(ls_pg *s, ls_error *err) LS_MUST_CHECK;

/* postgres_slot.c */
int ls_pg_slot_vacant(ls_pg *s, ls_error *err) LS_MUST_CHECK;
int ls_pg_slot_create(ls_pg *s, bool again, ls_place *at, ls_error *err) LS_MUST_CHECK;
/* The server says that a session has the slot (state, of what it refused): with conf->takes_over that session is ended, so that the
 * next try has it. */
void ls_pg_slot_free(ls_pg *s, const char *state);
/* Can the slot, and this server, serve from `from` on? LS_LOST when not. Fills s->confirmed. */
int ls_pg_slot_verify(ls_pg *s, const ls_resume *from, ls_error *err) LS_MUST_CHECK;
/* As ls_source_ops has them; of look() what is of the slot. */
int ls_pg_slot_locate(ls_pg *s, const char *text, ls_place *at, ls_error *err) LS_MUST_CHECK;
int ls_pg_slot_look(ls_pg *s, ls_source_state *now, ls_error *err) LS_MUST_CHECK;
int ls_pg_slot_drop(ls_pg *s, bool *dropped, ls_error *err) LS_MUST_CHECK;

/* postgres_tables.c: as ls_source_ops has it. */
int ls_pg_tables(ls_source *source, int (*each)(void *ctx, const ls_source_table *t, ls_error *err), void *ctx, ls_error *err) LS_MUST_CHECK;

/* postgres_catalog.c: the decoder's questions. */
ls_pg_catalog ls_pg_catalog_of(ls_pg *s);

#endif
