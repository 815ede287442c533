/* mysql_session.h - what the files of the MariaDB and MySQL session share. Private to them.
 *
 * Two connections: `side` answers questions, `dump` streams the binlog: its socket is read by ls_packets once the dump
 * has begun. Both are of the capture thread. A failed session is closed and opened anew, never mended. */
#ifndef LS_MYSQL_SESSION_H
#define LS_MYSQL_SESSION_H

#include "capture/binlog.h"
#include "capture/mysql_packet.h"
#include "capture/source.h"

#include <mysql.h>

enum {
    LS_MY_CONNECT_S = 10,     /* a server that has not answered by then does not answer */
    LS_MY_ANSWER_S = 60,      /* longest wait for the answer to a question */
    LS_MY_STOP_LOOK_MS = 200, /* ... and meanwhile it is looked so often whether the run is to end */
    LS_MY_HEARTBEAT_S = 5,    /* an idle server sends one so often */
    LS_MY_SILENCE_MS = 30000, /* a server that has sent nothing for so long is gone */
    LS_MY_BEGIN_MS = 10000,   /* a MariaDB whose stream has not begun by then waits for an older one to end */
    LS_MY_PATIENCE_S = 86400, /* how long the server keeps a paused dump, or an idle connection */
    LS_MY_HOLD_MAX = 8 * 1024 * 1024,  /* bytes of events held: see ls_binlog_conf */
    LS_MY_CHARSET_MAX = 32    /* bytes of a character set's name */
};

typedef struct ls_my_collation {
    uint32_t id;
    char charset[LS_MY_CHARSET_MAX];
} ls_my_collation;

typedef struct ls_my {
    ls_source source; /* first: the pipeline's view */
    ls_source_conf conf;
    ls_log log;
    MYSQL *side, *dump;
    bool mariadb;
    bool lower_case;
    bool gtids; /* MySQL with gtid_mode = ON: the checkpoint has a GTID set, and the stream begins by it */
    unsigned long version; /* 101119 for 10.11.19 */
    uint32_t own_id;       /* the server_id that we take */
    char base[LS_BINLOG_NAME_MAX];
    char identity[LS_IDENTITY_MAX];
    ls_my_collation *collations; /* by id */
    size_t ncollations;
    ls_binlog *decoder;
    ls_packets packets;
    bool in_event;    /* the decoder has more of the last packet */
    int64_t heard_at; /* ls_clock_ms() of the last bytes */
    bool has_failed;  /* with failure, which read() gives once all before it is handed over */
    ls_error failure;
} ls_my;

/* mysql_connect.c */
/* A connection fit for questions; *out is to be closed by mysql_close(). LS_AGAIN: does not answer; LS_USAGE: refuses
 * us. */
int ls_my_connect(const ls_my *s, MYSQL **out, ls_error *err) LS_MUST_CHECK;
/* Runs a statement; *out, if given, is its result, freed by mysql_free_result(). */
int ls_my_query(const ls_my *s, MYSQL *c, MYSQL_RES **out, ls_error *err, const char *doing,
                const char *sql) LS_MUST_CHECK;
/* Until the server says something, up to wait_ms. 1, 0: it did not, -1: the run is to end, and the connection is of no
 * use any more. */
int ls_my_await(const ls_my *s, MYSQL *c, int wait_ms, ls_error *err) LS_MUST_CHECK;
/* Fills *err with what the connection says about `doing`. Gives -1. */
int ls_my_failed(const ls_my *s, MYSQL *c, ls_error *err, const char *doing);
/* The same for an error packet of the dump. */
int ls_my_dump_failed(const ls_my *s, unsigned code, const char *text, ls_error *err);
/* Appends a string literal for the side connection. */
void ls_my_quote(const ls_my *s, ls_buf *out, const char *p, size_t n);
/* The statement that grants what capture needs. */
void ls_my_grant_line(const ls_my *s, char *out, size_t size);

/* mysql_check.c: settings, grants, exact tables; fills version, base, identity, lower_case. */
int ls_my_check(ls_my *s, const char *known, ls_error *err) LS_MUST_CHECK;

/* mysql_place.c */
/* The log's end; executed, if given, becomes the GTID set there (MySQL). It and the next notice the files' common name. */
int ls_my_log_end(ls_my *s, ls_place *end, ls_buf *executed, ls_error *err) LS_MUST_CHECK;
/* The oldest log's first event. */
int ls_my_log_begin(ls_my *s, ls_place *begin, ls_error *err) LS_MUST_CHECK;
/* MariaDB: the GTID position at a place; *known false: nothing ends there. */
int ls_my_gtid_at(const ls_my *s, const ls_place *at, ls_buf *gtid, bool *known, ls_error *err) LS_MUST_CHECK;
/* Of one of the log's files, in bytes; 0: it is not there. */
int ls_my_file_size(const ls_my *s, uint64_t file, uint64_t *size, ls_error *err) LS_MUST_CHECK;
/* MySQL: the set of all before a file; *known false: it is not there. */
int ls_my_gtid_before(const ls_my *s, uint64_t file, ls_buf *gtid, bool *known, ls_error *err) LS_MUST_CHECK;
/* The value of a system variable, "@@...", or of an expression without a table. */
int ls_my_variable(const ls_my *s, const char *name, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* MySQL: the set of what was executed, or purged from the log. */
int ls_my_gtid_executed(const ls_my *s, bool purged, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Does a transaction begin at the place, or could one? LS_LOST when not; else the GTIDs there. */
int ls_my_transaction_at(ls_my *s, const ls_place *at, ls_buf *gtid, ls_error *err) LS_MUST_CHECK;

/* mysql_start.c */
typedef struct ls_my_way { /* how the stream begins */
    bool by_gtid;   /* behind the checkpoint's GTIDs, else at `at` */
    ls_place at;    /* by GTID: the stream begins nowhere before it */
    uint64_t epoch; /* greater than the checkpoint's: in another server's log */
} ls_my_way;
/* Can the server serve from the checkpoint on? LS_LOST when not, with what to do. */
int ls_my_find_way(ls_my *s, const ls_resume *from, ls_my_way *way, ls_error *err) LS_MUST_CHECK;
/* As ls_source_ops has it. */
int ls_my_locate(ls_my *s, const char *text, ls_place *at, ls_buf *gtid, ls_error *err) LS_MUST_CHECK;
/* Adds to an LS_LOST what to do. Gives -1. */
int ls_my_lost(const ls_my *s, ls_error *err);

/* mysql_tables.c: as ls_source_ops has it. */
int ls_my_tables(ls_source *source, int (*each)(void *ctx, const ls_source_table *t, ls_error *err), void *ctx, ls_error *err) LS_MUST_CHECK;

/* mysql_columns.c: the decoder's questions. */
ls_binlog_ask ls_my_ask(ls_my *s);
int ls_my_load_collations(ls_my *s, ls_error *err) LS_MUST_CHECK;

#endif
