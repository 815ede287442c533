/* mysql.c - a capture session on MariaDB or MySQL: binlog dump -> decoder -> batches. */
#include "capture/mysql_session.h"

#include "base/clock.h"
#include "capture/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_EVENT = 4, PACKET_OK = 0, PACKET_EOF = 0xfe, PACKET_ERROR = 0xff };

static const uint32_t MADE_ID = 0x80000000u; /* made ids are in the upper half, where hand-given ones seldom are */

static ls_my *my_of(ls_source *s) {
    return (ls_my *)(void *)s;
}

static uint32_t id_from_name(const char *name) { /* FNV-1a */
    uint32_t h = 0x811c9dc5u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x01000193u;
    return h | MADE_ID;
}

static void close_session(ls_source *source) {
    ls_my *s = my_of(source);
    if (s->dump) mysql_close(s->dump);
    if (s->side) mysql_close(s->side);
    ls_binlog_free(s->decoder);
    ls_packets_free(&s->packets);
    free(s->collations);
    free(s);
}

static int open_session(ls_source **out, const ls_source_conf *conf, const ls_log *log, const char *known,
                        ls_source_identity *id, ls_error *err) {
    ls_my *s = calloc(1, sizeof *s);
    if (!s) return ls_fail_memory(err, "a session");
    s->source.ops = &ls_source_mysql;
    s->conf = *conf;
    s->log = *log;
    ls_packets_init(&s->packets, -1);
    s->own_id = conf->server_id ? conf->server_id : id_from_name(conf->name);
    if (ls_my_connect(s, &s->side, err)) goto fail;
    s->mariadb = mariadb_connection(s->side);
    s->version = mysql_get_server_version(s->side);
    if (ls_my_check(s, known, err) || ls_my_load_collations(s, err)) goto fail;
    *id = (ls_source_identity){0};
    snprintf(id->json, sizeof id->json, "%s", s->identity);
    snprintf(id->db, sizeof id->db, "%s", s->mariadb ? "mariadb" : "mysql");
    snprintf(id->binlog, sizeof id->binlog, "%s", s->base);
    *out = &s->source;
    return 0;
fail:
    close_session(&s->source);
    return -1;
}

/* The server keeps nothing for anybody. */
static int vacant(ls_source *source, ls_error *err) {
    (void)source, (void)err;
    return 0;
}

/* Nothing has to be made on the server: the place is all. */
static int create(ls_source *source, bool again, ls_place *at, ls_buf *gtid, ls_error *err) {
    ls_my *s = my_of(source);
    bool known = true;
    (void)again;
    ls_buf_clear(gtid);
    bool earliest = strcmp(s->conf.start, "earliest") == 0;
    if (!earliest && strcmp(s->conf.start, "now") != 0) return ls_my_locate(s, s->conf.start, at, gtid, err) ? ls_my_lost(s, err) : 0;
    if (earliest ? ls_my_log_begin(s, at, err) : ls_my_log_end(s, at, s->gtids ? gtid : NULL, err)) return -1;
    if (earliest && s->gtids && ls_my_gtid_executed(s, true, gtid, err)) return -1;
    if (s->mariadb && ls_my_gtid_at(s, at, gtid, &known, err)) return -1;
    return known ? 0 : ls_fail(err, LS_AGAIN, "the server has no GTID position for the end of its binary log");
}

/* ---- start ---- */

/* Session variables that the dump reads. */
static int prepare_dump(const ls_my *s, const ls_resume *from, bool by_gtid, ls_error *err) {
    static const char doing[] = "preparing the binlog stream";
    char sql[512];
    ls_buf connect_state = {0};
    snprintf(
        sql, sizeof sql,
        "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum, "
        "@master_heartbeat_period = %" PRIu64 ", @source_heartbeat_period = %" PRIu64
        ", @mariadb_slave_capability = 4, "
        "@slave_uuid = UUID(), @replica_uuid = @slave_uuid",
        (uint64_t)LS_MY_HEARTBEAT_S * 1000000000u, (uint64_t)LS_MY_HEARTBEAT_S * 1000000000u);
    if (ls_my_query(s, s->dump, NULL, err, doing, sql)) return -1;
    if (!by_gtid || !s->mariadb) return 0; /* MySQL takes the set with the command */
    ls_buf_str(&connect_state, "SET @slave_gtid_strict_mode = 1, @slave_connect_state = ");
    ls_my_quote(s, &connect_state, from->gtid, strlen(from->gtid));
    const char *text = ls_buf_cstr(&connect_state);
    int rc = text ? ls_my_query(s, s->dump, NULL, err, doing, text) : ls_fail_memory(err, doing);
    ls_buf_free(&connect_state);
    return rc;
}

static void put_le(ls_buf *out, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++) ls_buf_char(out, (char)(v >> 8 * i));
}

/* u32 offset, u16 flags, u32 server_id, the file's name; by GTID MariaDB takes no name. */
static void put_dump(const ls_my *s, const ls_place *at, bool by_gtid, ls_buf *cmd) {
    put_le(cmd, by_gtid ? FIRST_EVENT : at->offset, 4);
    put_le(cmd, 0, 2);
    put_le(cmd, s->own_id, 4);
    if (!by_gtid) ls_buf_fmt(cmd, "%s.%06" PRIu64, s->base, at->file);
}

/* u16 flags, u32 server_id, u32 length and name of a file, u64 offset, u32 length and bytes of the set. */
static int put_gtid_dump(const ls_my *s, const char *gtids, ls_buf *cmd, ls_error *err) {
    enum { BY_GTID = 4 };
    ls_gtid_set set = {0};
    ls_buf encoded = {0};
    int rc = ls_gtid_set_read(&set, gtids, strlen(gtids), err);
    if (rc == 0) ls_gtid_set_encode(&set, &encoded);
    put_le(cmd, BY_GTID, 2);
    put_le(cmd, s->own_id, 4);
    put_le(cmd, 0, 4);
    put_le(cmd, FIRST_EVENT, 8);
    put_le(cmd, encoded.len, 4);
    ls_buf_add(cmd, encoded.data, encoded.len);
    if (encoded.failed) cmd->failed = true;
    ls_gtid_set_free(&set);
    ls_buf_free(&encoded);
    return rc;
}

static int send_dump(const ls_my *s, const ls_resume *from, bool by_gtid, ls_error *err) {
    enum { DUMP = 18, DUMP_GTID = 30 }; /* COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID: the library names only one of them */
    static const char doing[] = "asking for the binlog";
    ls_buf cmd = {0};
    bool set = by_gtid && !s->mariadb;
    int rc = 0;
    if (set)
        rc = put_gtid_dump(s, from->gtid, &cmd, err);
    else
        put_dump(s, &from->restart, by_gtid, &cmd);
    if (rc == 0 && cmd.failed) rc = ls_fail_memory(err, doing);
    if (rc == 0 && s->dump->methods->db_command(s->dump, set ? (enum enum_server_command)DUMP_GTID : (enum enum_server_command)DUMP, cmd.data, cmd.len, 1, NULL))
        rc = ls_my_failed(s, s->dump, err, doing);
    ls_buf_free(&cmd);
    return rc;
}

static int ask_for_stream(ls_my *s, const ls_resume *from, bool by_gtid, ls_error *err) {
    return ls_my_connect(s, &s->dump, err) || prepare_dump(s, from, by_gtid, err) || send_dump(s, from, by_gtid, err) ? -1 : 0;
}

/* MariaDB first ends an older stream under the same server_id, and (10.11.19) waits until it has ended. One that writes
 * to a connection which is dead, so that only TCP's time-out ends it, is stepped round under another id. */
static int begin_stream(ls_my *s, const ls_resume *from, bool by_gtid, ls_error *err) {
    if (ask_for_stream(s, from, by_gtid, err)) return -1;
    if (!s->mariadb) return 0; /* MySQL waits for nobody, and may search long before it begins */
    bool may_change = !s->conf.server_id || s->conf.any_id;
    int wait_ms = may_change && !by_gtid ? LS_MY_BEGIN_MS : LS_MY_SILENCE_MS; /* GTIDs may be searched for before */
    int rc = ls_my_await(s, s->dump, wait_ms, err);
    if (rc) return rc < 0 ? -1 : 0;
    uint32_t older = s->own_id;
    const char *host = s->conf.host;
    int port = s->conf.port;
    if (!may_change)
        return ls_fail(err, LS_AGAIN, "MariaDB at %s port %d has not begun the stream within %d s: it may wait for an older one under server_id %" PRIu32
                       " to end, which takes a quarter of an hour if its connection is dead (without the option server_id another id would be taken)",
                       host, port, wait_ms / 1000, older);
    mysql_close(s->dump);
    s->dump = NULL;
    s->own_id = (older ^ (uint32_t)ls_clock_ms()) | MADE_ID; /* not the next one: that may have been taken for the same reason before */
    ls_log_line(&s->log, LS_INFO, "MariaDB at %s port %d has not begun the stream within %d s, as if it waited for an older one under server_id %" PRIu32
                " to end; reads under %" PRIu32, host, port, wait_ms / 1000, older, s->own_id);
    return ask_for_stream(s, from, by_gtid, err);
}

/* What of the stream is delivered already: told by places where they are of the same epoch, else by its transaction's GTID. */
static void set_begin(ls_my *s, const ls_resume *from, const ls_my_way *way) {
    uint64_t epoch;
    ls_place at;
    bool same = *from->delivered_pos && ls_place_read_pos(from->delivered_pos, &epoch, &at) == 0 && epoch == way->epoch;
    ls_binlog_start(s->decoder, &way->at, same ? from->delivered_pos : "", from->delivered_seq, way->by_gtid);
    ls_binlog_epoch(s->decoder, way->epoch, same ? "" : from->delivered_gtid, from->delivered_seq);
    s->source.epoch = way->epoch;
    s->source.place = way->at;
}

static int start(ls_source *source, const ls_resume *from, ls_error *err) {
    ls_my *s = my_of(source);
    ls_my_way way;
    if (ls_my_find_way(s, from, &way, err)) return -1;
    const ls_binlog_conf conf = {.tables = s->conf.tables,
                                 .ntables = s->conf.ntables,
                                 .ddl = s->conf.ddl,
                                 .mariadb = s->mariadb,
                                 .partial_rows = s->conf.partial_rows,
                                 .on_invalid_text = s->conf.on_invalid_text,
                                 .lower_case = s->lower_case,
                                 .hold_max = LS_MY_HOLD_MAX,
                                 .schemas = s->conf.schemas,
                                 .ask = ls_my_ask(s)};
    if (ls_binlog_new(&s->decoder, &conf, err)) return -1;
    set_begin(s, from, &way);
    if (begin_stream(s, from, way.by_gtid, err)) return -1;
    ls_packets_init(&s->packets, mysql_get_socket(s->dump));
    s->heard_at = ls_clock_ms();
    return 0;
}

/* ---- the stream ---- */

/* 0xff, u16 code, '#' and five characters of SQL state, text. */
static int dump_error(const ls_my *s, const uint8_t *p, size_t n, ls_error *err) {
    char text[512];
    size_t skip = n > 8 && p[3] == '#' ? 9 : 3;
    if (n < 3) return ls_fail(err, LS_AGAIN, "the server ends the binlog stream without a reason");
    snprintf(text, sizeof text, "%.*s", (int)(n > skip ? n - skip : 0), (const char *)p + skip);
    return ls_my_dump_failed(s, (unsigned)p[1] | (unsigned)p[2] << 8, text, err);
}

static int take_packet(ls_my *s, const uint8_t *p, size_t n, ls_work *w, ls_error *err) {
    uint8_t first = n ? p[0] : PACKET_EOF;
    if (first == PACKET_ERROR) return dump_error(s, p, n, err);
    if (first == PACKET_EOF)
        return ls_fail(err, LS_AGAIN, "the server at %s port %d ended the binlog stream", s->conf.host, s->conf.port);
    if (first != PACKET_OK)
        return ls_fail(err, LS_FAIL, "the server sent a packet that begins with %u where an event is due", first);
    int rc = ls_binlog_event(s->decoder, p + 1, n - 1, w, err);
    s->in_event = rc == 1;
    return rc < 0 ? ls_my_lost(s, err) : 0;
}

static int go_on(ls_my *s, ls_work *w, ls_error *err) {
    if (!s->in_event) return 0;
    int rc = ls_binlog_more(s->decoder, w, err);
    s->in_event = rc == 1;
    return rc < 0 ? -1 : 0;
}

/* Waits for bytes until the deadline. 1, 0: none came. */
static int await(ls_my *s, int64_t deadline, ls_error *err) {
    int64_t now = ls_clock_ms();
    int rc = deadline > now ? ls_packets_wait(&s->packets, (int)(deadline - now), err) : 0;
    now = ls_clock_ms();
    if (rc > 0) s->heard_at = now;
    if (rc) return rc;
    if (now - s->heard_at >= LS_MY_SILENCE_MS)
        return ls_fail(
            err, LS_AGAIN,
            "the server at %s port %d has sent nothing for %d s, not even the heartbeat that is due every %d s",
            s->conf.host, s->conf.port, LS_MY_SILENCE_MS / 1000, LS_MY_HEARTBEAT_S);
    return 0;
}

static int fill(ls_my *s, ls_work *w, int wait_ms, ls_error *err) {
    int64_t deadline = ls_clock_ms() + wait_ms;
    if (go_on(s, w, err)) return -1;
    while (!s->in_event && !ls_work_full(w)) {
        const uint8_t *p;
        size_t n;
        int rc = ls_packets_next(&s->packets, &p, &n, err);
        if (rc < 0) return ls_fail_in(err, "%s port %d", s->conf.host, s->conf.port);
        if (rc > 0) {
            s->heard_at = ls_clock_ms();
            rc = take_packet(s, p, n, w, err);
        } else if (rc == 0) {
            if (w->seen.count || w->nmarks) return 0;
            rc = await(s, deadline, err);
            if (rc == 0) return 0;
        }
        if (rc < 0) return -1;
    }
    return 0;
}

/* What came before a failure is handed over first. */
static int read_batch(ls_source *source, ls_work *w, int wait_ms, ls_error *err) {
    ls_my *s = my_of(source);
    if (!s->has_failed && fill(s, w, wait_ms, &s->failure)) s->has_failed = true;
    if (!s->has_failed || w->seen.count || w->nmarks) return 0;
    *err = s->failure;
    return -1;
}

/* The server keeps nothing for us. */
static int confirm(ls_source *source, const ls_place *restart, ls_error *err) {
    (void)source, (void)restart, (void)err;
    return 0;
}

static int log_end(ls_source *source, ls_place *end, ls_error *err) {
    return ls_my_log_end(my_of(source), end, NULL, err);
}

/* "now" and "earliest" are places, too. */
static int locate(ls_source *source, const char *text, ls_place *at, ls_buf *gtid, ls_error *err) {
    ls_my *s = my_of(source);
    if (strcmp(text, "now") != 0 && strcmp(text, "earliest") != 0) return ls_my_locate(s, text, at, gtid, err);
    s->conf.start = text;
    return create(source, false, at, gtid, err);
}

static int look(ls_source *source, ls_source_state *now, ls_error *err) {
    *now = (ls_source_state){0};
    return ls_my_log_end(my_of(source), &now->end, NULL, err);
}

static int drop(ls_source *source, bool *dropped, ls_error *err) {
    (void)source, (void)err;
    *dropped = false;
    return 0;
}

const ls_source_ops ls_source_mysql = {
    .db_type = "mysql",
    .open = open_session,
    .tables = ls_my_tables,
    .vacant = vacant,
    .create = create,
    .start = start,
    .read = read_batch,
    .confirm = confirm,
    .end = log_end,
    .locate = locate,
    .look = look,
    .drop = drop,
    .close = close_session,
};
