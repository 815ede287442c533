#include "capture/postgres.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct slot_state {
    bool exists, lost, active;
    uint64_t confirmed;
    uint64_t wal_end; /* the server's, flushed */
} slot_state;

/* Reads the slot's state; one that is not ours by its kind is refused. */
static int look(ls_pg *s, slot_state *slot, ls_error *err) {
    const char *name = s->slot;
    PGresult *res = ls_pg_query(
        s, err, "looking up the replication slot",
        "SELECT coalesce(plugin, ''), coalesce(database, ''), coalesce(confirmed_flush_lsn::text, '0/0'), "
        "coalesce(wal_status, ''), pg_current_wal_flush_lsn(), active FROM pg_replication_slots WHERE slot_name = $1",
        1, &name);
    if (!res) return -1;
    int rc = 0;
    *slot = (slot_state){.exists = PQntuples(res) == 1};
    if (slot->exists) {
        const char *plugin = PQgetvalue(res, 0, 0), *database = PQgetvalue(res, 0, 1);
        slot->active = *PQgetvalue(res, 0, 5) == 't';
        slot->lost = strcmp(PQgetvalue(res, 0, 3), "lost") == 0;
        if (strcmp(plugin, s->conf->plugin) != 0 || strcmp(database, s->conf->database) != 0)
            rc = ls_fail(err, LS_USAGE,
                         "replication slot \"%s\" is another's: it is for plugin \"%s\" and database \"%s\", not for "
                         "\"%s\" and \"%s\"; set `slot` to a name of its own",
                         name, plugin, database, s->conf->plugin, s->conf->database);
        else if (ls_pg_lsn(PQgetvalue(res, 0, 2), &slot->confirmed) || ls_pg_lsn(PQgetvalue(res, 0, 4), &slot->wal_end))
            rc = ls_fail(err, LS_FAIL, "replication slot \"%s\" has no WAL position: \"%s\"", name,
                         PQgetvalue(res, 0, 2));
    }
    PQclear(res);
    return rc;
}

/* The fence of the checkpoints has proven that whoever has it is not the connector any more. The server itself would miss a stopped program
 * after wal_sender_timeout. */
void ls_pg_slot_free(ls_pg *s, const char *state) {
    const char *name = s->slot;
    ls_error err;
    if (!s->conf->takes_over || !state || strcmp(state, "55006") != 0) return;
    PGresult *res = ls_pg_query(s, &err, "ending the session that has the replication slot",
                                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL", 1, &name);
    if (!res)
        ls_log_line(&s->log, LS_WARN, "%s", err.text);
    else if (PQntuples(res))
        ls_log_line(&s->log, LS_INFO, "ended the session of the program that had replication slot \"%s\" before", name);
    PQclear(res);
}

/* ---- making it */

static bool stopping(const ls_pg *s) {
    return s->conf->stop && atomic_load(s->conf->stop);
}

/* The slot's start is where all transactions that were open have ended: the server answers only then. */
static PGresult *await_slot(ls_pg *s) {
    PGresult *last = NULL;
    int64_t began = ls_clock_ms();
    for (bool told = false;;) {
        struct pollfd f = {.fd = PQsocket(s->repl), .events = POLLIN};
        int n = PQisBusy(s->repl) ? poll(&f, 1, LS_PG_STOP_LOOK_MS) : 1;
        if (n == 0 && stopping(s)) return last;
        if (n == 0 && !told && ls_clock_ms() - began >= LS_PG_SLOT_WAIT_MS) {
            told = true;
            ls_log_line(&s->log, LS_INFO,
                        "making replication slot \"%s\" waits for the transactions that are open on the server to end",
                        s->slot);
        }
        if (n < 0 && errno != EINTR) return last;
        if (n <= 0) continue;
        if (PQisBusy(s->repl) && !PQconsumeInput(s->repl)) return last;
        while (!PQisBusy(s->repl)) {
            PGresult *res = PQgetResult(s->repl);
            if (!res) return last;
            PQclear(last);
            last = res;
        }
    }
}

static int make(ls_pg *s, ls_place *at, ls_error *err) {
    enum { FAILOVER_SLOTS = 170000 }; /* the version that can keep slots on standbys too, so that a promoted one serves from where we are */
    char sql[256];
    bool kept = PQserverVersion(s->repl) >= FAILOVER_SLOTS && !s->conf->temporary_slot;
    snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT \"%s\" %sLOGICAL %s %s", s->slot, s->conf->temporary_slot ? "TEMPORARY " : "", s->plugin->name,
             kept ? "(SNAPSHOT 'nothing', FAILOVER)" : "NOEXPORT_SNAPSHOT");
    PGresult *res = PQsendQuery(s->repl, sql) ? await_slot(s) : NULL;
    int rc = 0;
    if (!res && stopping(s)) {
        rc = ls_fail(err, LS_OK, "stopping"); /* the server gives the slot up with the connection */
    } else if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) < 2) {
        char doing[LS_PG_NAME_MAX + 64];
        snprintf(doing, sizeof doing, "making replication slot \"%s\"", s->slot);
        rc = ls_pg_failed(s->repl, res, err, doing);
    } else if (ls_pg_lsn(PQgetvalue(res, 0, 1), &at->offset)) {
        rc = ls_fail(err, LS_FAIL, "making replication slot \"%s\" gave no WAL position: \"%s\"", s->slot,
                     PQgetvalue(res, 0, 1));
    }
    PQclear(res);
    return rc;
}

static int drop(ls_pg *s, const char *doing, ls_error *err) {
    const char *name = s->slot;
    PGresult *res = ls_pg_ask(s, s->side, "SELECT pg_drop_replication_slot($1)", 1, &name);
    int rc = PQresultStatus(res) == PGRES_TUPLES_OK ? 0 : ls_pg_failed(s->side, res, err, doing);
    if (rc) ls_pg_slot_free(s, PQresultErrorField(res, PG_DIAG_SQLSTATE));
    PQclear(res);
    return rc;
}

static bool starts_at_slot(const ls_pg *s) {
    return strcmp(s->conf->start, "slot") == 0 && !s->conf->temporary_slot;
}

static bool starts_at_position(const ls_pg *s) {
    return strcmp(s->conf->start, "slot") != 0 && strcmp(s->conf->start, "now") != 0;
}

static int not_vacant(const ls_pg *s, ls_error *err) {
    char anew[LS_ANEW_MAX];
    return ls_fail(err, LS_LOST,
                   "replication slot \"%s\" exists, but no checkpoint that goes with it; to go on from where the "
                   "slot stands take start = \"slot\"; %s",
                   s->slot, ls_source_anew(s->conf, true, anew));
}

int ls_pg_slot_vacant(ls_pg *s, ls_error *err) {
    slot_state slot;
    if (look(s, &slot, err)) return -1;
    return slot.exists && !starts_at_slot(s) && !starts_at_position(s) ? not_vacant(s, err) : 0;
}

int ls_pg_slot_create(ls_pg *s, bool again, ls_place *at, ls_error *err) {
    slot_state slot;
    *at = (ls_place){0};
    if (starts_at_position(s)) return ls_pg_slot_locate(s, s->conf->start, at, err);
    if (look(s, &slot, err)) return -1;
    if (starts_at_slot(s)) {
        if (!slot.exists)
            return ls_fail(err, LS_USAGE,
                           "start = \"slot\", but there is no replication slot \"%s\"; take start = \"now\"", s->slot);
        at->offset = slot.confirmed;
        return 0;
    }
    if (slot.exists && !again) return not_vacant(s, err);
    if (slot.exists && drop(s, "dropping the replication slot of a start that did not finish", err)) return -1;
    return make(s, at, err);
}

/* ---- continuing */

static int another_server(const ls_pg *s, const char *was, ls_error *err) {
    char anew[LS_ANEW_MAX];
    return ls_fail(err, LS_LOST,
                   "the checkpoint is of another server: its system identifier is %s, this one's is %s; connect to the "
                   "server of then (or a standby of it that was promoted); %s",
                   was, s->system, ls_source_anew(s->conf, false, anew));
}

/* The checkpoint's system identifier and timeline. */
static int read_identity(const char *json, char system[24], unsigned *timeline, ls_error *err) {
    ls_json j = ls_json_over(json, strlen(json));
    ls_json_value key, v;
    int more;
    system[0] = '\0';
    *timeline = 0;
    while ((more = ls_json_member(&j, &key, &v, err)) > 0) {
        if (v.n >= 24) continue;
        if (ls_json_is(&key, "system")) snprintf(system, 24, "%.*s", (int)v.n, v.p);
        uint64_t n;
        if (ls_json_is(&key, "timeline") && ls_json_u64(&v, &n) == 0 && n <= UINT32_MAX) *timeline = (unsigned)n;
    }
    return more;
}

/* Where the history file's text says that timeline `then` was left; -1 when it does not. */
static int left_at(const char *history, unsigned then, uint64_t *lsn) {
    for (const char *line = history; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned timeline, high, low;
        if (sscanf(line, "%u %X/%X", &timeline, &high, &low) != 3 || timeline != then) continue;
        *lsn = (uint64_t)high << 32 | low;
        return 0;
    }
    return -1;
}

static int not_in_past(const ls_pg *s, unsigned then, ls_error *err) {
    char anew[LS_ANEW_MAX];
    return ls_fail(err, LS_LOST,
                   "the checkpoint is of timeline %u, which is not in the past of this server's timeline %u; connect "
                   "to the server of then; %s",
                   then, s->timeline, ls_source_anew(s->conf, true, anew));
}

/* The WAL that all that was captured is in ends here, at least: a delivered row's transaction is committed. */
static uint64_t captured_to(const ls_resume *from) {
    uint64_t epoch;
    ls_place commit;
    bool beyond = *from->delivered_pos && ls_place_read_pos(from->delivered_pos, &epoch, &commit) == 0 && commit.offset >= from->restart.offset;
    return beyond ? commit.offset + 1 : from->restart.offset;
}

/* A standby was promoted: what the checkpoint has must be in this server's past. */
static int verify_timeline(ls_pg *s, unsigned then, uint64_t reached, ls_error *err) {
    char sql[64], anew[LS_ANEW_MAX];
    uint64_t left = 0;
    if (then > s->timeline) return not_in_past(s, then, err);
    snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", s->timeline);
    PGresult *res = ls_pg_ask(s, s->repl, sql, -1, NULL);
    int rc = 0;
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) < 2)
        rc = ls_pg_failed(s->repl, res, err, sql);
    else if (left_at(PQgetvalue(res, 0, 1), then, &left))
        rc = not_in_past(s, then, err);
    else if (reached > left)
        rc = ls_fail(err, LS_LOST,
                     "the checkpoint at " LS_PG_LSN " is beyond " LS_PG_LSN
                     ", where this server left timeline %u: it lacks transactions that were captured; %s",
                     LS_PG_LSN_ARGS(reached), LS_PG_LSN_ARGS(left), then, ls_source_anew(s->conf, true, anew));
    PQclear(res);
    return rc;
}

static int verify_server(ls_pg *s, const ls_resume *from, ls_error *err) {
    char system[24];
    unsigned timeline;
    if (!from->identity) return 0;
    if (read_identity(from->identity, system, &timeline, err)) return ls_fail_in(err, "the checkpoint's server");
    if (strcmp(system, s->system) != 0) return another_server(s, *system ? system : "unknown", err);
    return timeline && timeline != s->timeline ? verify_timeline(s, timeline, captured_to(from), err) : 0;
}

int ls_pg_slot_verify(ls_pg *s, const ls_resume *from, ls_error *err) {
    slot_state slot;
    char anew[LS_ANEW_MAX];
    if (verify_server(s, from, err) || look(s, &slot, err)) return -1;
    ls_source_anew(s->conf, slot.exists, anew);
    if (!slot.exists && s->conf->temporary_slot)
        return ls_fail(
            err, LS_LOST,
            "the temporary replication slot went with its connection: changes since then are lost; run it again");
    if (!slot.exists)
        return ls_fail(
            err, LS_LOST,
            "replication slot \"%s\" is gone: it was dropped, or this is a standby that was promoted without it (PostgreSQL 17 and later keep it there: "
            "sync_replication_slots); changes since the checkpoint are lost; %s",
            s->slot, anew);
    if (slot.lost)
        return ls_fail(
            err, LS_LOST,
            "replication slot \"%s\" was invalidated, the WAL that it needs is gone (max_slot_wal_keep_size); %s",
            s->slot, anew);
    if (slot.confirmed > from->restart.offset)
        return ls_fail(err, LS_LOST,
                       "replication slot \"%s\" stands at " LS_PG_LSN ", beyond the checkpoint at " LS_PG_LSN
                       ": somebody else read it, or made it again, and what lies between is lost; %s",
                       s->slot, LS_PG_LSN_ARGS(slot.confirmed), LS_PG_LSN_ARGS(from->restart.offset), anew);
    if (slot.wal_end < captured_to(from))
        return ls_fail(err, LS_LOST,
                       "the server's WAL ends at " LS_PG_LSN ", before the checkpoint at " LS_PG_LSN
                       ": it was restored to an earlier state, or lost its end in a crash, and lacks transactions that were captured; %s",
                       LS_PG_LSN_ARGS(slot.wal_end), LS_PG_LSN_ARGS(captured_to(from)), anew);
    s->confirmed = slot.confirmed;
    return 0;
}

/* ---- a position that is given, and the rest */

static int read_lsn(const char *text, uint64_t *lsn, ls_error *err) {
    if (ls_pg_lsn(text, lsn) == 0 && *lsn) return 0;
    return ls_fail(err, LS_USAGE, "\"%.100s\" is no position: write a WAL position such as \"0/2A1F00\", or \"now\"", text);
}

int ls_pg_slot_locate(ls_pg *s, const char *text, ls_place *at, ls_error *err) {
    slot_state slot;
    bool now = strcmp(text, "now") == 0;
    *at = (ls_place){0};
    if (!now && read_lsn(text, &at->offset, err)) return -1;
    if (s->conf->temporary_slot) return ls_fail(err, LS_USAGE, "a position needs a replication slot that keeps what is behind it, and this run makes a temporary one; take start = \"now\"");
    if (look(s, &slot, err)) return -1;
    if (!slot.exists)
        return ls_fail(err, LS_LOST,
                       "there is no replication slot \"%s\": the server can serve only what a slot has kept; without a checkpoint start = \"now\" makes one",
                       s->slot);
    if (now) at->offset = slot.wal_end;
    if (slot.lost) return ls_fail(err, LS_LOST, "replication slot \"%s\" was invalidated, and the WAL that it needs is gone (max_slot_wal_keep_size)", s->slot);
    if (at->offset < slot.confirmed)
        return ls_fail(err, LS_LOST, "position " LS_PG_LSN " is below " LS_PG_LSN ", where replication slot \"%s\" stands: the server serves nothing below it",
                       LS_PG_LSN_ARGS(at->offset), LS_PG_LSN_ARGS(slot.confirmed), s->slot);
    if (at->offset > slot.wal_end)
        return ls_fail(err, LS_LOST, "position " LS_PG_LSN " is beyond " LS_PG_LSN ", where the server's WAL ends", LS_PG_LSN_ARGS(at->offset),
                       LS_PG_LSN_ARGS(slot.wal_end));
    return 0;
}

int ls_pg_slot_look(ls_pg *s, ls_source_state *now, ls_error *err) {
    slot_state slot;
    if (look(s, &slot, err)) return -1;
    snprintf(now->slot, sizeof now->slot, "%s", s->slot);
    now->has_slot = slot.exists;
    now->active = slot.active;
    now->lost = slot.lost;
    now->confirmed = slot.confirmed;
    return 0;
}

int ls_pg_slot_drop(ls_pg *s, bool *dropped, ls_error *err) {
    slot_state slot;
    *dropped = false;
    if (look(s, &slot, err)) return -1;
    if (!slot.exists) return 0;
    if (slot.active) return ls_fail(err, LS_AGAIN, "replication slot \"%s\" is in use: stop the program that reads it", s->slot);
    if (drop(s, "dropping the replication slot", err)) return -1;
    *dropped = true;
    return 0;
}
