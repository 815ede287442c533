#include "capture/postgres.h"

#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The settings on which the canonical values and our own statements rest, whatever the role or database has set. */
static const char pinned[] = "-c DateStyle=ISO -c IntervalStyle=iso_8601 -c TimeZone=UTC -c extra_float_digits=1 "
                             "-c bytea_output=hex -c lc_monetary=C -c search_path=pg_catalog -c statement_timeout=0 "
                             "-c lock_timeout=" LS_PG_LOCK_TEXT;

/* ---- what a failure means */

ls_code ls_pg_code(const char *sqlstate) {
    static const struct {
        const char *begins;
        ls_code code;
    } meanings[] = {
        {"57P04", LS_USAGE}, /* database dropped */
        {"55006", LS_AGAIN}, /* slot or object in use: often our own session that the server has not yet missed */
        {"53400", LS_USAGE}, /* a configured limit, such as max_replication_slots */
        {"08", LS_AGAIN},    {"40", LS_AGAIN}, {"53", LS_AGAIN},    {"55", LS_AGAIN},
        {"57", LS_AGAIN},    {"0A", LS_USAGE}, {"22023", LS_USAGE}, {"25006", LS_USAGE},
        {"28", LS_USAGE},    {"3D", LS_USAGE}, {"42", LS_USAGE},
    };
    if (!sqlstate || !*sqlstate) return LS_AGAIN;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strncmp(sqlstate, meanings[i].begins, strlen(meanings[i].begins)) == 0) return meanings[i].code;
    return LS_FAIL;
}

/* libpq's text in one line, without the place in the server's source. */
static void one_line(const char *text, char *out, size_t size) {
    size_t n = 0;
    while (*text && n + 3 < size) {
        size_t line = strcspn(text, "\n");
        if (strncmp(text, "LOCATION:", 9) != 0 && line) {
            if (n) n += (size_t)snprintf(out + n, size - n, "; ");
            for (size_t i = 0; i < line && n + 1 < size; i++)
                if (text[i] != '\t' && !(text[i] == ' ' && text[i + 1] == ' ')) out[n++] = text[i];
        }
        text += line + (text[line] == '\n');
    }
    out[n < size ? n : size - 1] = '\0';
}

int ls_pg_failed(PGconn *c, const PGresult *res, ls_error *err, const char *doing) {
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *text = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;
    char line[LS_ERROR_MAX / 2];
    one_line(text ? text : PQerrorMessage(c), line, sizeof line);
    ls_code code = PQstatus(c) == CONNECTION_BAD && !state ? LS_AGAIN : ls_pg_code(state);
    return ls_fail(err, code, "%s: %s%s%s%s%s%s%s%s", doing, *line ? line : PQstatus(c) == CONNECTION_BAD ? "the connection was closed" : "the server does not answer",
                   detail ? ": " : "", detail ? detail : "", hint ? "; " : "", hint ? hint : "",
                   state ? " (SQLSTATE " : "", state ? state : "", state ? ")" : "");
}

/* ---- connecting */

/* The SQLSTATE of the last failure in a connection's verbose text ("FATAL:  28P01: password ..."); "" without one. */
static void state_of(const char *text, char out[6]) {
    out[0] = '\0';
    for (const char *p = text; (p = strstr(p, ":  ")); p++) {
        size_t n = 0;
        while (n < 5 && (isdigit((unsigned char)p[3 + n]) || isupper((unsigned char)p[3 + n]))) n++;
        if (n < 5 || p[8] != ':') continue;
        memcpy(out, p + 3, 5);
        out[5] = '\0';
    }
}

static int refused(const ls_pg *s, PGconn *c, bool replication, ls_error *err) {
    static const struct {
        const char *state, *mend;
    } mends[] = {
        {"28P01", "; check `user` and `password`"},
        {"28000", "; check `user`, and the server's pg_hba.conf"},
        {"3D000", "; check `database`"},
        {"42501", "; let the role connect to this database"},
    };
    char state[6], line[LS_ERROR_MAX / 2];
    const char *mend = "";
    state_of(PQerrorMessage(c), state);
    one_line(PQerrorMessage(c), line, sizeof line);
    if (!*state && PQconnectionNeedsPassword(c))
        return ls_fail(err, LS_USAGE, "cannot connect to PostgreSQL: %s; set `password`", line);
    if (replication && strcmp(state, "42501") == 0) {
        ls_buf role = {0};
        ls_pg_quote(&role, s->conf->user);
        const char *name = ls_buf_cstr(&role);
        ls_fail(err, LS_USAGE, "the role may not replicate: %s; as an administrator run: ALTER ROLE %s REPLICATION",
                line, name ? name : s->conf->user);
        ls_buf_free(&role);
        return -1;
    }
    for (size_t i = 0; i < sizeof mends / sizeof *mends; i++)
        if (strcmp(mends[i].state, state) == 0) mend = mends[i].mend;
    return ls_fail(err, ls_pg_code(state), "cannot connect to PostgreSQL: %s%s", line, mend);
}

static bool stopping(const ls_pg *s) {
    return s->conf->stop && atomic_load(s->conf->stop);
}

/* Carries the connection through; -1 when it failed, the time is over, or the run is to end. */
static int establish(const ls_pg *s, PGconn *c, int wait_ms) {
    int64_t until = ls_clock_ms() + wait_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        struct pollfd f = {.fd = PQsocket(c), .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int64_t left = until - ls_clock_ms();
        if (f.fd < 0 || left <= 0 || stopping(s)) return -1;
        int n = poll(&f, 1, left < LS_PG_STOP_LOOK_MS ? (int)left : LS_PG_STOP_LOOK_MS);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) state = PQconnectPoll(c);
    }
    return state == PGRES_POLLING_OK ? 0 : -1;
}

static int connect_one(ls_pg *s, bool replication, int wait_ms, PGconn **out, ls_error *err) {
    const ls_source_conf *o = s->conf;
    char port[16];
    snprintf(port, sizeof port, "%d", o->port);
    const char *const words[] = {"host",
                                 "port",
                                 "user",
                                 "password",
                                 "dbname",
                                 "options",
                                 "client_encoding",
                                 "application_name",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 replication ? "replication" : NULL,
                                 NULL};
    const char *const values[] = {o->host,     port,   o->user, o->password,
                                  o->database, pinned, "UTF8",  "list_sync",
                                  "30",        "10",   "3",     replication ? "database" : NULL,
                                  NULL};
    if (ls_libpq_load(err)) return -1;
    PGconn *c = *out = PQconnectStartParams(words, values, 0);
    if (!c) return ls_fail_memory(err, "connecting to PostgreSQL");
    if (PQstatus(c) == CONNECTION_BAD) return refused(s, c, replication, err);
    PQsetErrorVerbosity(c, PQERRORS_VERBOSE); /* for the SQLSTATE, which libpq gives for results only */
    bool ok = establish(s, c, wait_ms) == 0;
    if (!ok && !*PQerrorMessage(c))
        return ls_fail(err, LS_AGAIN, "PostgreSQL at %s port %d does not answer: nothing within %d seconds", o->host,
                       o->port, wait_ms / 1000);
    return ok ? 0 : refused(s, c, replication, err);
}

static void notice(void *ctx, const PGresult *res) {
    const ls_pg *s = ctx;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (text) ls_log_line(&s->log, LS_DEBUG, "PostgreSQL: %s", text);
}

static void stream_notice(void *ctx, const PGresult *res) {
    ls_pg *s = ctx;
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    s->plugin->notice(s, PQresultErrorField(res, PG_DIAG_SQLSTATE), text ? text : "");
    notice(ctx, res);
}

/* Who the server is. */
static int identify(ls_pg *s, ls_error *err) {
    static const char doing[] = "IDENTIFY_SYSTEM";
    PGresult *res = ls_pg_ask(s, s->repl, doing, -1, NULL);
    int rc = -1;
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) < 2) {
        ls_pg_failed(s->repl, res, err, doing);
    } else {
        snprintf(s->system, sizeof s->system, "%s", PQgetvalue(res, 0, 0));
        rc = sscanf(PQgetvalue(res, 0, 1), "%u", &s->timeline) == 1
                 ? 0
                 : ls_fail(err, LS_FAIL, "%s gave no timeline", doing);
    }
    PQclear(res);
    return rc;
}

/* More memory means fewer transactions that the server spills to its disk. Any role may set it; if it is refused all
 * the same, the server's own setting does. */
static void raise_decoding_memory(ls_pg *s) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT set_config(name, '%dkB', false) FROM pg_settings "
             "WHERE name = 'logical_decoding_work_mem' AND setting::bigint < %d",
             LS_PG_DECODING_KIB, LS_PG_DECODING_KIB);
    PQclear(ls_pg_ask(s, s->repl, sql, -1, NULL));
}

/* The server checks text that it sends in UTF8, and its error names no row. Of a database without an encoding the bytes are
 * taken as they are: the decoder checks them, and says where the wrong ones stand. */
static int take_unchecked(ls_pg *s, ls_error *err) {
    const char *encoding = PQparameterStatus(s->repl, "server_encoding");
    if (!encoding || strcmp(encoding, "SQL_ASCII") != 0 || PQsetClientEncoding(s->repl, "SQL_ASCII") == 0) return 0;
    return ls_pg_failed(s->repl, NULL, err, "setting client_encoding");
}

int ls_pg_connect_stream(ls_pg *s, int wait_ms, ls_error *err) {
    if (connect_one(s, true, wait_ms, &s->repl, err)) return -1;
    PQsetNoticeReceiver(s->repl, stream_notice, s);
    raise_decoding_memory(s);
    return take_unchecked(s, err) ? -1 : identify(s, err);
}

int ls_pg_connect(ls_pg *s, ls_error *err) {
    if (connect_one(s, false, LS_PG_CONNECT_MS, &s->side, err)) return -1;
    PQsetNoticeReceiver(s->side, notice, s);
    int version = PQserverVersion(s->side);
    if (version < LS_PG_VERSION_MIN)
        return ls_fail(err, LS_USAGE, "PostgreSQL %d is too old: %d or later is needed", version / 10000,
                       LS_PG_VERSION_MIN / 10000);
    if (ls_pg_connect_stream(s, LS_PG_CONNECT_MS, err)) return -1;
    ls_pg_socket_open(s);
    return 0;
}

/* ---- statements */

static bool is_copy(const PGresult *res) {
    ExecStatusType status = PQresultStatus(res);
    return status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT || status == PGRES_COPY_IN;
}

/* Until a result is there, or none is to come. -1: the time is over. */
static int await_result(const ls_pg *s, PGconn *c, int64_t until) {
    while (PQisBusy(c)) {
        struct pollfd f = {.fd = PQsocket(c), .events = POLLIN};
        int n = poll(&f, 1, LS_PG_STOP_LOOK_MS);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0 && !PQconsumeInput(c)) return 0; /* PQgetResult() says what it was */
        if (n <= 0 && (ls_clock_ms() >= until || stopping(s))) return -1;
    }
    return 0;
}

PGresult *ls_pg_ask(const ls_pg *s, PGconn *c, const char *sql, int n, const char *const *params) {
    int64_t until = ls_clock_ms() + LS_PG_ANSWER_MS;
    PGresult *last = NULL;
    int sent = n < 0 ? PQsendQuery(c, sql) : PQsendQueryParams(c, sql, n, NULL, params, NULL, NULL, 0);
    while (sent && !is_copy(last)) {
        PGresult *res = await_result(s, c, until) == 0 ? PQgetResult(c) : NULL;
        if (!res && PQisBusy(c)) { /* not at its end */
            PQclear(last);
            return NULL;
        }
        if (!res) break;
        PQclear(last);
        last = res;
    }
    return last;
}

bool ls_pg_is_cut_off(ls_pg *s) {
    static const char look[] = "SELECT CASE WHEN wait_event_type IN ('Activity', 'Client') THEN CASE WHEN $2::bool THEN pg_terminate_backend(pid) ELSE true END ELSE false END "
                               "FROM pg_stat_activity WHERE pid = $1::int AND backend_type = 'walsender'";
    char pid[16];
    const char *const params[] = {pid, s->waits ? "true" : "false"};
    bool waited = s->waits, gone = false;
    PGconn *c = NULL;
    ls_error err;
    snprintf(pid, sizeof pid, "%d", PQbackendPID(s->repl));
    s->waits = false;
    if (connect_one(s, false, LS_PG_CONNECT_MS, &c, &err) == 0) {
        PGresult *res = ls_pg_ask(s, c, look, 2, params);
        if (PQresultStatus(res) == PGRES_TUPLES_OK) {
            gone = !PQntuples(res);
            s->waits = !gone && *PQgetvalue(res, 0, 0) == 't';
        }
        PQclear(res);
    }
    PQfinish(c);
    return gone || (waited && s->waits);
}

PGresult *ls_pg_query(ls_pg *s, ls_error *err, const char *doing, const char *sql, int n, const char *const *params) {
    PGresult *res = ls_pg_ask(s, s->side, sql, n, params);
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return res;
    ls_pg_failed(s->side, res, err, doing);
    PQclear(res);
    return NULL;
}

int ls_pg_run(ls_pg *s, ls_error *err, const char *doing, const char *sql) {
    PGresult *res = ls_pg_query(s, err, doing, sql, 0, NULL);
    PQclear(res);
    return res ? 0 : -1;
}

void ls_pg_quote(ls_buf *out, const char *name) {
    ls_buf_char(out, '"');
    for (; *name; name++) {
        if (*name == '"') ls_buf_char(out, '"');
        ls_buf_char(out, *name);
    }
    ls_buf_char(out, '"');
}

void ls_pg_quote_table(ls_buf *out, const char *schema, const char *table) {
    ls_pg_quote(out, schema);
    ls_buf_char(out, '.');
    ls_pg_quote(out, table);
}

int ls_pg_lsn(const char *text, uint64_t *lsn) {
    unsigned high, low;
    char more;
    if (sscanf(text, "%8X/%8X%c", &high, &low, &more) != 2) return -1;
    *lsn = (uint64_t)high << 32 | low;
    return 0;
}
