/* postgres_renew.c - giving back what a large row took. libpq receives a message whole, into a buffer that it never makes smaller: after a row of 100 MiB it has as
 * much until the connection ends. So some time after the last large one the stream goes on over another connection. Nothing comes twice, as after an outage: the
 * server is asked for what lies behind the last mark, which is all that has not come yet. It decodes again from where the oldest transaction of then began
 * (restart_lsn); where that is far behind, the buffer stays. */
#include "capture/postgres.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    LARGE_BYTES = 1024 * 1024,            /* of a message; what is smaller is not worth a connection */
    CALM_MS = 10000,                      /* after the last large one: they come in groups */
    AGAIN_MS = 60000,                     /* when it could not be done; twice as long each time, */
    AGAIN_MAX_MS = 3600000,               /* ... up to this */
    CONNECT_MS = 2000,                    /* the stream that there is waits meanwhile */
    DECODED_AGAIN_BYTES = 64 * 1024 * 1024, /* at most: less than a second */
    END_MS = 30000                        /* for the stream's end: a transaction that is being sent comes whole before it, and again after it */
};

void ls_pg_renew_note(ls_pg *s, int bytes) {
    if (bytes < LARGE_BYTES || s->conf->temporary_slot) return; /* such a slot goes with its connection */
    int64_t at = ls_clock_ms() + CALM_MS;
    if (s->renew_at < at) s->renew_at = at; /* a try that failed is not followed sooner */
}

bool ls_pg_renew_due(const ls_pg *s) {
    return s->renew_at && ls_clock_ms() >= s->renew_at && !s->source.behind && !s->plugin->in_transaction(s);
}

/* Does the slot's session wait for WAL, and not for us, and does it need little of it again? Asked over `c`. */
static bool is_cheap(const ls_pg *s, PGconn *c) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), r.restart_lsn) <= %d AND lower(a.wait_event) IN ('walsendermain', 'walsenderwaitforwal') "
             "FROM pg_replication_slots r JOIN pg_stat_activity a ON a.pid = r.active_pid WHERE r.slot_name = '%s'",
             DECODED_AGAIN_BYTES, s->slot); /* its letters are harmless: name_slot() */
    PGresult *res = ls_pg_ask(s, c, sql, -1, NULL);
    bool cheap = PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1 && *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return cheap;
}

/* Waits for more of the stream's end. */
static int await_more(const ls_pg *s, PGconn *c, int64_t until, ls_error *err) {
    static const char doing[] = "ending the stream";
    struct pollfd f = {.fd = PQsocket(c), .events = POLLIN};
    int64_t left = until - ls_clock_ms();
    if (left <= 0 || (s->conf->stop && atomic_load(s->conf->stop))) return ls_fail(err, LS_AGAIN, "%s: the server does not answer", doing);
    if (poll(&f, 1, left < LS_PG_STOP_LOOK_MS ? (int)left : LS_PG_STOP_LOOK_MS) < 0 && errno != EINTR) return ls_fail(err, LS_AGAIN, "%s: poll: %s", doing, strerror(errno));
    return PQconsumeInput(c) ? 0 : ls_pg_failed(c, NULL, err, doing);
}

/* When the command is at its end the server has given the slot free. What it sends until then lies behind the last mark, and comes again. */
static int end_stream(const ls_pg *s, PGconn *c, ls_error *err) {
    static const char doing[] = "ending the stream";
    int64_t until = ls_clock_ms() + END_MS;
    char *message = NULL;
    int n = 0;
    if (PQputCopyEnd(c, NULL) != 1 || PQflush(c) < 0) return ls_pg_failed(c, NULL, err, doing);
    while ((n = PQgetCopyData(c, &message, 1)) >= 0) {
        if (n) PQfreemem(message);
        if (!n && await_more(s, c, until, err)) return -1;
    }
    if (n < -1) return ls_pg_failed(c, NULL, err, doing);
    for (;;) {
        while (PQisBusy(c))
            if (await_more(s, c, until, err)) return -1;
        PGresult *res = PQgetResult(c);
        bool failed = res && PQresultStatus(res) == PGRES_FATAL_ERROR, ended = !res;
        if (failed) ls_pg_failed(c, res, err, doing);
        PQclear(res);
        if (ended || failed) return failed ? -1 : 0;
    }
}

/* Another connection, to the server that we know, when it is cheap to go on there. NULL: not now; why is in *err, or it is not. */
static PGconn *another(ls_pg *s, ls_error *err) {
    PGconn *had = s->repl;
    char system[sizeof s->system];
    unsigned timeline = s->timeline;
    memcpy(system, s->system, sizeof system);
    s->repl = NULL;
    bool good = ls_pg_connect_stream(s, CONNECT_MS, err) == 0 && strcmp(system, s->system) == 0 && timeline == s->timeline && is_cheap(s, s->repl);
    PGconn *c = s->repl;
    s->repl = had;
    memcpy(s->system, system, sizeof system);
    s->timeline = timeline;
    if (good) return c;
    PQfinish(c);
    return NULL;
}

int ls_pg_renew(ls_pg *s, ls_error *err) {
    ls_error why = {0};
    int64_t began = ls_clock_ms();
    PGconn *c = another(s, &why);
    if (!c) {
        ls_log_line(&s->log, LS_DEBUG, "the memory of a large row is kept: %s", *why.text ? why.text : "going on over another connection would take long");
        s->renew_wait_ms = !s->renew_wait_ms ? AGAIN_MS : s->renew_wait_ms < AGAIN_MAX_MS / 2 ? s->renew_wait_ms * 2 : AGAIN_MAX_MS;
        s->renew_at = ls_clock_ms() + s->renew_wait_ms;
        return 0;
    }
    int rc = end_stream(s, s->repl, err);
    PQfinish(s->repl);
    s->repl = c;
    if (rc == 0) ls_pg_socket_open(s);
    if (rc == 0) rc = ls_pg_stream(s, s->marked, err);
    if (rc) {
        err->code = LS_AGAIN; /* what it is, the next session finds out */
        return -1;
    }
    s->renew_at = s->renew_wait_ms = 0;
    s->heard_at = ls_clock_ms();
    ls_log_line(&s->log, LS_DEBUG, "the stream goes on over another connection, behind " LS_PG_LSN ", after %" PRId64 " ms: a large row's memory is given back", LS_PG_LSN_ARGS(s->marked),
                ls_clock_ms() - began);
    return 0;
}
