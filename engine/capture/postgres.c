#include "capture/postgres.h"

#include "base/clock.h"
#include "base/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLOCK_EVERY = 256 }; /* messages between two looks at the clock */

#define US_1970_TO_2000 INT64_C(946684800000000)

static ls_pg *session(ls_source *s) {
    return (ls_pg *)s;
}

/* ---- opening and closing */

static void pg_close(ls_source *source) {
    ls_pg *s = session(source);
    if (!s) return;
    if (s->repl) PQfinish(s->repl);
    if (s->side) PQfinish(s->side);
    if (s->decoder) s->plugin->free(s->decoder);
    ls_buf_free(&s->dropped);
    ls_arena_free(&s->arena);
    free(s);
}

/* The slot's name: the connector's, or one that no other process uses. */
static int name_slot(ls_pg *s, ls_error *err) {
    const ls_source_conf *o = s->conf;
    if (!*o->slot || o->slot[strspn(o->slot, "abcdefghijklmnopqrstuvwxyz0123456789_")])
        return ls_fail(err, LS_USAGE, "slot \"%s\": PostgreSQL takes lower-case letters, digits and _ in a slot's name",
                       o->slot);
    if (!o->temporary_slot) {
        if (snprintf(s->slot, sizeof s->slot, "%s", o->slot) < (int)sizeof s->slot) return 0;
        return ls_fail(err, LS_USAGE, "slot \"%s\" is longer than PostgreSQL's %d bytes", o->slot, LS_PG_NAME_MAX - 1);
    }
    int n = snprintf(s->slot, sizeof s->slot, "%.40s_tmp_%ld", o->slot, (long)getpid());
    return n < (int)sizeof s->slot ? 0 : ls_fail(err, LS_FAIL, "slot name too long");
}

static int pg_open(ls_source **out, const ls_source_conf *conf, const ls_log *log, const char *known,
                   ls_source_identity *id, ls_error *err) {
    ls_pg *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return ls_fail_memory(err, "opening a connector");
    *s = (ls_pg){.source.ops = &ls_source_postgres, .conf = conf, .log = *log};
    s->plugin = ls_pg_plugin_find(conf->plugin);
    if (!s->plugin) ls_fail(err, LS_USAGE, "there is no plugin \"%s\"", conf->plugin);
    if (!s->plugin || name_slot(s, err) || ls_pg_connect(s, err) || ls_pg_check(s, known, err) ||
        (!conf->bare && (ls_pg_identity(s, err) || s->plugin->prepare(s, known != NULL, err)))) {
        pg_close(&s->source);
        return -1;
    }
    *id = (ls_source_identity){.db = "postgres"};
    snprintf(id->json, sizeof id->json, "\"system\":\"%s\",\"timeline\":%u", s->system, s->timeline);
    *out = &s->source;
    return 0;
}

static int pg_vacant(ls_source *source, ls_error *err) {
    return ls_pg_slot_vacant(session(source), err);
}

static int pg_create(ls_source *source, bool again, ls_place *at, ls_buf *gtid, ls_error *err) {
    ls_buf_clear(gtid);
    return ls_pg_slot_create(session(source), again, at, err);
}

/* ---- starting */

/* What a failure's SQLSTATE means on the stream, where it differs. */
static ls_code stream_code(const char *state, ls_code otherwise) {
    static const char *const lost[] = {"55000", "58P01", "42704"}; /* slot invalidated; its WAL gone; it itself gone */
    for (size_t i = 0; state && i < sizeof lost / sizeof *lost; i++)
        if (strcmp(state, lost[i]) == 0) return LS_LOST;
    return otherwise == LS_USAGE ? LS_FAIL : otherwise;
}

static void add_mend(const ls_pg *s, ls_error *err) {
    char anew[LS_ANEW_MAX];
    size_t n = strlen(err->text);
    if (err->code == LS_LOST) snprintf(err->text + n, sizeof err->text - n, "; %s", ls_source_anew(s->conf, true, anew));
}

/* One START_REPLICATION: its result, or NULL: no answer, or no memory. */
static PGresult *ask_for_stream(ls_pg *s, uint64_t from) {
    ls_buf sql = {0};
    ls_buf_fmt(&sql, "START_REPLICATION SLOT \"%s\" LOGICAL " LS_PG_LSN " (", s->slot, LS_PG_LSN_ARGS(from));
    s->plugin->options(s, &sql);
    ls_buf_char(&sql, ')');
    const char *text = ls_buf_cstr(&sql);
    PGresult *res = text ? ls_pg_ask(s, s->repl, text, -1, NULL) : NULL;
    ls_buf_free(&sql);
    return res;
}

int ls_pg_stream(ls_pg *s, uint64_t from, ls_error *err) {
    PGresult *res = ask_for_stream(s, from);
    if (res && PQresultStatus(res) != PGRES_COPY_BOTH && s->plugin->again(s, res)) {
        PQclear(res);
        res = ask_for_stream(s, from);
    }
    int rc = 0;
    if (!res) {
        rc = ls_pg_failed(s->repl, NULL, err, "starting to stream");
    } else if (PQresultStatus(res) != PGRES_COPY_BOTH) {
        char doing[LS_PG_NAME_MAX + 64];
        snprintf(doing, sizeof doing, "streaming from replication slot \"%s\"", s->slot);
        rc = ls_pg_failed(s->repl, res, err, doing);
        err->code = stream_code(PQresultErrorField(res, PG_DIAG_SQLSTATE), err->code);
        if (!s->decoder) ls_pg_slot_free(s, PQresultErrorField(res, PG_DIAG_SQLSTATE)); /* it is our turn as of this session's start, not of its middle */
        add_mend(s, err);
    }
    PQclear(res);
    return rc;
}

static int pg_start(ls_source *source, const ls_resume *from, ls_error *err) {
    ls_pg *s = session(source);
    if (ls_pg_slot_verify(s, from, err)) return -1;
    s->marked = from->restart.offset;
    s->heard_at = ls_clock_ms();
    if (ls_pg_stream(s, from->restart.offset, err)) return -1;
    s->decoder = s->plugin->decoder(s, from);
    return s->decoder ? 0 : ls_fail_memory(err, "starting to stream");
}

/* ---- feedback */

static void put_be(uint8_t *p, uint64_t v) {
    for (int i = 8; i-- > 0; v >>= 8) p[i] = (uint8_t)v;
}

/* Standby status update: written, flushed and applied up to what is confirmed. Of a server that has been silent for a while an answer is asked for. */
static int feedback(ls_pg *s, ls_error *err) {
    uint8_t m[1 + 8 + 8 + 8 + 8 + 1] = {'r'};
    put_be(m + 1, s->confirmed);
    put_be(m + 9, s->confirmed);
    put_be(m + 17, s->confirmed);
    put_be(m + 25, (uint64_t)(ls_clock_wall_us() - US_1970_TO_2000));
    m[33] = ls_clock_ms() - s->heard_at >= LS_PG_QUIET_MS;
    if (PQputCopyData(s->repl, (const char *)m, sizeof m) == 1 && PQflush(s->repl) >= 0) return 0;
    return ls_pg_failed(s->repl, NULL, err, "answering PostgreSQL");
}

static int pg_confirm(ls_source *source, const ls_place *restart, ls_error *err) {
    ls_pg *s = session(source);
    if (restart->offset > s->confirmed) s->confirmed = restart->offset;
    return s->decoder ? feedback(s, err) : 0;
}

/* ---- reading */

static int unpublished(const ls_pg *s, ls_error *err) {
    char anew[LS_ANEW_MAX];
    return ls_fail(err, LS_LOST,
                   "publication \"%s\" did not exist at this place of the WAL: it was dropped, or made later than the "
                   "replication slot, and what was changed without it is lost; %s",
                   s->publication, ls_source_anew(s->conf, true, anew));
}

/* The stream has ended, which it does not do by itself. */
static int stream_ended(ls_pg *s, ls_error *err) {
    static const char doing[] = "streaming from PostgreSQL";
    PGresult *res = PQgetResult(s->repl);
    bool failed = PQresultStatus(res) == PGRES_FATAL_ERROR;
    const char *state = failed ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    ls_pg_failed(s->repl, failed ? res : NULL, err, doing);
    err->code = stream_code(state, err->code);
    add_mend(s, err);
    if (!failed)
        ls_fail(err, LS_AGAIN, "%s: the server ended the stream", doing);
    else if (s->plugin->published && state && strcmp(state, "42704") == 0) /* undefined object: of a running stream the publication */
        unpublished(s, err);
    else if (state && strncmp(state, "22", 2) == 0) /* a value that does not go into UTF8, for one */
        ls_fail_in(err, "behind WAL position " LS_PG_LSN, LS_PG_LSN_ARGS(s->marked));
    PQclear(res);
    return -1;
}

static int keepalive(ls_pg *s, ls_work *w, ls_cursor *c, ls_error *err) {
    ls_place end = {.offset = ls_cursor_be(c, 8)};
    ls_cursor_be(c, 8); /* the server's clock */
    bool answer = ls_cursor_u8(c);
    if (c->failed)
        return ls_fail(err, LS_FAIL, "keepalive message ends early: at byte %zu %zu bytes were wanted, %zu remained",
                       c->fail_offset, c->fail_wanted, c->fail_remaining);
    /* all that was committed below it has been sent: an idle database's position moves too */
    if (end.offset > s->marked && !s->plugin->in_transaction(s)) {
        if (ls_work_mark(w, &end)) return ls_fail_memory(err, "noting a position");
        s->marked = end.offset;
    }
    return answer ? feedback(s, err) : 0;
}

static int wal_data(ls_pg *s, ls_work *w, ls_cursor *c, ls_error *err) {
    uint64_t lsn = ls_cursor_be(c, 8);
    ls_cursor_be(c, 8); /* the WAL's end */
    ls_cursor_be(c, 8); /* the server's clock */
    if (c->failed)
        return ls_fail(err, LS_FAIL, "XLogData message ends early: at byte %zu %zu bytes were wanted, %zu remained",
                       c->fail_offset, c->fail_wanted, c->fail_remaining);
    if (s->plugin->message(s, w, c->at, ls_cursor_left(c), err)) /* some messages have no place of their own */
        return lsn ? ls_fail_in(err, "at WAL position " LS_PG_LSN, LS_PG_LSN_ARGS(lsn)) : -1;
    if (w->nmarks && w->marks[w->nmarks - 1].place.offset > s->marked) s->marked = w->marks[w->nmarks - 1].place.offset;
    return 0;
}

static void drop_message(void *p) {
    PQfreemem(p);
}

/* One CopyData message; its buffer goes to the batch if values point into it. */
static int take(ls_pg *s, ls_work *w, char *message, int n, ls_error *err) {
    ls_cursor c = ls_cursor_over(message, (size_t)n);
    uint32_t count = w->seen.count;
    uint8_t kind = ls_cursor_u8(&c);
    int rc = kind == 'w'   ? wal_data(s, w, &c, err)
             : kind == 'k' ? keepalive(s, w, &c, err)
                           : ls_fail(err, LS_FAIL,
                                     "replication message of kind 0x%02x (%d bytes), where w or k was wanted", kind, n);
    if (rc || w->seen.count == count) {
        PQfreemem(message);
        return rc;
    }
    if (ls_work_keep(w, message, (size_t)n, drop_message)) return ls_fail_memory(err, "keeping a message");
    return 0;
}

/* Nothing came. A server that decodes what nobody captures may be silent for long, so that alone is no reason to connect anew. */
static int note_silence(ls_pg *s, ls_error *err) {
    int64_t now = ls_clock_ms();
    if (now - s->heard_at < LS_PG_SILENCE_MS || (s->silent && now < s->look_at)) return 0;
    if (!s->silent)
        ls_log_line(&s->log, LS_WARN, "PostgreSQL at %s port %d has sent nothing for %d s, not even the answer that it was asked for: see whether it hangs",
                    s->conf->host, s->conf->port, LS_PG_SILENCE_MS / 1000);
    s->silent = true;
    bool cut_off = ls_pg_is_cut_off(s);
    s->look_at = ls_clock_ms() + LS_PG_LOOK_MS;
    return cut_off ? ls_fail(err, LS_AGAIN, "streaming from PostgreSQL at %s port %d: the connection is dead, what either side sends does not come to the other", s->conf->host,
                             s->conf->port)
                   : 0;
}

static void note_message(ls_pg *s) {
    int64_t now = ls_clock_ms();
    if (s->silent) ls_log_line(&s->log, LS_INFO, "PostgreSQL answers again after %.1f s", (double)(now - s->heard_at) / 1000);
    s->silent = s->waits = false;
    s->heard_at = now;
}

static int pg_read(ls_source *source, ls_work *w, int wait_ms, ls_error *err) {
    ls_pg *s = session(source);
    int64_t until = ls_clock_ms() + wait_ms;
    s->eager = s->eager || source->behind;
    for (unsigned taken = 0; !ls_work_full(w);) {
        char *message = NULL;
        int n = PQgetCopyData(s->repl, &message, 1);
        if (s->unpublished) {
            if (n > 0) PQfreemem(message);
            return unpublished(s, err);
        }
        if (n < 0) return stream_ended(s, err);
        if (n > 0) {
            ls_pg_renew_note(s, n);
            if (take(s, w, message, n, err)) return -1;
            /* changes of tables that are left out fill no batch: the pipeline must get its turn all the same */
            if (++taken % CLOCK_EVERY == 0 && ls_clock_ms() >= until) return 0;
            continue;
        }
        bool empty = !w->seen.count && !w->nmarks;
        if (empty && ls_pg_renew_due(s) && ls_pg_renew(s, err)) return -1;
        int64_t left = empty ? until - ls_clock_ms() : 0;
        int ready = ls_pg_socket_wait(s, left > 0 ? (int)left : 0, err);
        if (ready < 0) return -1;
        if (ready && !s->eager) note_message(s);
        if (!ready && left <= 0) return note_silence(s, err);
    }
    s->eager = true;
    return 0;
}

static int pg_end(ls_source *source, ls_place *end, ls_error *err) {
    PGresult *res =
        ls_pg_query(session(source), err, "reading the WAL's end", "SELECT pg_current_wal_flush_lsn()", 0, NULL);
    if (!res) return -1;
    *end = (ls_place){0};
    int rc = ls_pg_lsn(PQgetvalue(res, 0, 0), &end->offset);
    if (rc) ls_fail(err, LS_FAIL, "the WAL's end is no position: \"%s\"", PQgetvalue(res, 0, 0));
    PQclear(res);
    return rc;
}

static int pg_locate(ls_source *source, const char *text, ls_place *at, ls_buf *gtid, ls_error *err) {
    ls_buf_clear(gtid);
    return ls_pg_slot_locate(session(source), text, at, err);
}

static int pg_look(ls_source *source, ls_source_state *now, ls_error *err) {
    if (pg_end(source, &now->end, err)) return -1;
    return ls_pg_slot_look(session(source), now, err);
}

static int pg_drop(ls_source *source, bool *dropped, ls_error *err) {
    return ls_pg_slot_drop(session(source), dropped, err);
}

const ls_source_ops ls_source_postgres = {
    .db_type = "postgres",
    .open = pg_open,
    .tables = ls_pg_tables,
    .vacant = pg_vacant,
    .create = pg_create,
    .start = pg_start,
    .read = pg_read,
    .confirm = pg_confirm,
    .end = pg_end,
    .locate = pg_locate,
    .look = pg_look,
    .drop = pg_drop,
    .close = pg_close,
};
