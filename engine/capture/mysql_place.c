/* mysql_place.c - where the server's binary log begins and ends, what of GTIDs is where, and what stands at a place. */
#include "capture/mysql_session.h"

#include "capture/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_AT_A_TIME = 5000 }; /* rows of SHOW BINLOG EVENTS */

/* Columns of SHOW BINLOG EVENTS. */
enum { EVENT_FILE, EVENT_POS, EVENT_TYPE, EVENT_SERVER, EVENT_END, EVENT_INFO };

static int read_place(ls_my *s, const char *name, const char *offset, ls_place *at, ls_error *err) {
    char base[LS_BINLOG_NAME_MAX];
    *at = (ls_place){.offset = offset ? strtoull(offset, NULL, 10) : 4};
    if (!name || ls_binlog_name_read(name, strlen(name), base, sizeof base, &at->file))
        return ls_fail(err, LS_USAGE, "\"%s\" is no binary log's name: it must end in a dot and a number",
                       name ? name : "");
    memcpy(s->base, base, sizeof s->base);
    return 0;
}

static int ask_place(ls_my *s, const char *doing, const char *sql, bool with_offset, ls_place *at, ls_buf *executed, ls_error *err) {
    enum { EXECUTED = 4 };
    MYSQL_RES *res;
    if (ls_my_query(s, s->side, &res, err, doing, sql)) return -1;
    MYSQL_ROW row = mysql_fetch_row(res);
    int rc = row ? read_place(s, row[0], with_offset ? row[1] : NULL, at, err)
                 : ls_fail(err, LS_USAGE, "the server at %s port %d has no binary log: set log_bin", s->conf.host,
                           s->conf.port);
    if (executed) ls_buf_clear(executed);
    if (rc == 0 && executed && mysql_num_fields(res) > EXECUTED && row[EXECUTED]) ls_buf_str(executed, row[EXECUTED]);
    mysql_free_result(res);
    return rc == 0 && executed && executed->failed ? ls_fail_memory(err, doing) : rc;
}

int ls_my_log_end(ls_my *s, ls_place *end, ls_buf *executed, ls_error *err) {
    bool renamed = !s->mariadb && s->version >= 80200; /* MySQL dropped the old words then */
    return ask_place(s, "asking for the binary log's end", renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS",
                     true, end, executed, err);
}

int ls_my_log_begin(ls_my *s, ls_place *begin, ls_error *err) {
    return ask_place(s, "asking for the oldest binary log", "SHOW BINARY LOGS", false, begin, NULL, err);
}

int ls_my_variable(const ls_my *s, const char *name, ls_buf *out, ls_error *err) {
    static const char doing[] = "reading a variable";
    char sql[64];
    MYSQL_RES *res;
    snprintf(sql, sizeof sql, "SELECT %s", name);
    if (ls_my_query(s, s->side, &res, err, doing, sql)) return -1;
    MYSQL_ROW row = mysql_fetch_row(res);
    ls_buf_clear(out);
    if (row && row[0]) ls_buf_str(out, row[0]);
    mysql_free_result(res);
    return out->failed ? ls_fail_memory(err, doing) : 0;
}

int ls_my_gtid_executed(const ls_my *s, bool purged, ls_buf *out, ls_error *err) {
    return ls_my_variable(s, purged ? "@@GLOBAL.gtid_purged" : "@@GLOBAL.gtid_executed", out, err);
}

int ls_my_gtid_at(const ls_my *s, const ls_place *at, ls_buf *gtid, bool *known, ls_error *err) {
    char sql[LS_BINLOG_NAME_MAX * 2 + 96], name[LS_BINLOG_NAME_MAX * 2 + 1];
    MYSQL_RES *res;
    mysql_real_escape_string(s->side, name, s->base, strlen(s->base));
    snprintf(sql, sizeof sql, "SELECT BINLOG_GTID_POS('%s.%06llu', %llu)", name, (unsigned long long)at->file,
             (unsigned long long)at->offset);
    if (ls_my_query(s, s->side, &res, err, "asking for the GTID position", sql)) return -1;
    MYSQL_ROW row = mysql_fetch_row(res);
    *known = row && row[0];
    ls_buf_clear(gtid);
    if (*known) ls_buf_str(gtid, row[0]);
    mysql_free_result(res);
    return gtid->failed ? ls_fail_memory(err, "a GTID position") : 0;
}

/* ---- events ---- */

/* Events of a file from an offset on; *res NULL: none begins there. */
static int ask_events(const ls_my *s, uint64_t file, uint64_t from, int most, MYSQL_RES **res, ls_error *err) {
    enum { NO_SUCH_EVENT = 1220 }; /* ER_ERROR_WHEN_EXECUTING_COMMAND: no such file, or no event begins at the offset */
    char sql[LS_BINLOG_NAME_MAX * 2 + 128], name[LS_BINLOG_NAME_MAX * 2 + 1];
    mysql_real_escape_string(s->side, name, s->base, strlen(s->base));
    snprintf(sql, sizeof sql, "SHOW BINLOG EVENTS IN '%s.%06" PRIu64 "' FROM %" PRIu64 " LIMIT %d", name, file, from, most);
    *res = NULL;
    if (ls_my_query(s, s->side, res, err, "looking at the binary log's events", sql) == 0) return 0;
    return mysql_errno(s->side) == NO_SUCH_EVENT ? 0 : -1;
}

static uint64_t number(const char *text) {
    return text ? strtoull(text, NULL, 10) : 0;
}

/* "SET @@SESSION.GTID_NEXT= 'uuid:7'" */
static int add_gtid(ls_buf *set, const char *info, ls_error *err) {
    char gtid[LS_GTID_TEXT];
    const char *open = info ? strchr(info, '\'') : NULL;
    if (!open || sscanf(open, "'%95[^']'", gtid) != 1 || !strchr(gtid, ':')) return 0; /* ANONYMOUS */
    return ls_gtid_set_add(set, gtid, err);
}

int ls_my_gtid_before(const ls_my *s, uint64_t file, ls_buf *gtid, bool *known, ls_error *err) {
    enum { FIRST_EVENT = 4, FIRST_FEW = 3 }; /* the file's description, then what went before */
    MYSQL_RES *res;
    MYSQL_ROW row;
    *known = false;
    ls_buf_clear(gtid);
    if (ask_events(s, file, FIRST_EVENT, FIRST_FEW, &res, err)) return -1;
    while (res && (row = mysql_fetch_row(res)))
        if (row[EVENT_TYPE] && strcmp(row[EVENT_TYPE], "Previous_gtids") == 0 && row[EVENT_INFO]) {
            *known = true;
            ls_buf_str(gtid, row[EVENT_INFO]);
        }
    mysql_free_result(res);
    return gtid->failed ? ls_fail_memory(err, "a GTID set") : 0;
}

/* MySQL: the set at a place that an event begins or ends at: what went before the file, and the transactions in it up to there. */
static int set_at(const ls_my *s, const ls_place *at, ls_buf *gtid, ls_error *err) {
    enum { FIRST_EVENT = 4 };
    bool known;
    uint64_t from = FIRST_EVENT, begun = 0;
    if (ls_my_gtid_before(s, at->file, gtid, &known, err)) return -1;
    while (from < at->offset && begun != from) {
        MYSQL_RES *res;
        MYSQL_ROW row;
        int rc = 0;
        begun = from;
        if (ask_events(s, at->file, from, EVENTS_AT_A_TIME, &res, err)) return -1;
        while (rc == 0 && res && (row = mysql_fetch_row(res)) && number(row[EVENT_POS]) < at->offset) {
            if (row[EVENT_TYPE] && strncasecmp(row[EVENT_TYPE], "Gtid", 4) == 0) rc = add_gtid(gtid, row[EVENT_INFO], err);
            from = number(row[EVENT_END]);
        }
        mysql_free_result(res);
        if (rc) return -1;
    }
    return 0;
}

/* Events that stand between transactions, or begin one. */
static bool is_between(const char *type) {
    static const char *const all[] = {"Gtid", "Anonymous_Gtid", "Gtid_tagged", "Format_desc", "Previous_gtids", "Gtid_list", "Binlog_checkpoint", "Rotate", "Stop", "Start_encryption"};
    for (size_t i = 0; type && i < sizeof all / sizeof *all; i++)
        if (strncasecmp(type, all[i], strlen(all[i])) == 0) return true;
    return false;
}

int ls_my_file_size(const ls_my *s, uint64_t file, uint64_t *size, ls_error *err) {
    char name[LS_BINLOG_NAME_MAX + 24];
    MYSQL_RES *res;
    MYSQL_ROW row;
    *size = 0;
    snprintf(name, sizeof name, "%s.%06" PRIu64, s->base, file);
    if (ls_my_query(s, s->side, &res, err, "listing the binary logs", "SHOW BINARY LOGS")) return -1;
    while ((row = mysql_fetch_row(res)))
        if (row[0] && strcmp(row[0], name) == 0) *size = number(row[1]);
    mysql_free_result(res);
    return 0;
}

int ls_my_transaction_at(ls_my *s, const ls_place *at, ls_buf *gtid, ls_error *err) {
    MYSQL_RES *res;
    bool known = true;
    uint64_t size;
    if (ls_my_file_size(s, at->file, &size, err)) return -1;
    bool there = size == at->offset;
    if (!there) {
        if (ask_events(s, at->file, at->offset, 1, &res, err)) return -1;
        MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
        there = row && number(row[EVENT_POS]) == at->offset && is_between(row[EVENT_TYPE]);
        mysql_free_result(res);
    }
    if (!there)
        return ls_fail(err, LS_LOST,
                       "no transaction begins at %s.%06" PRIu64 ":%" PRIu64 " on the server at %s port %d: SHOW BINARY LOGS lists its files, and SHOW BINLOG "
                       "EVENTS IN '%s.%06" PRIu64 "' where their events begin (Pos): take that of a Gtid event", s->base, at->file, at->offset, s->conf.host,
                       s->conf.port, s->base, at->file);
    ls_buf_clear(gtid);
    if (s->mariadb && at->offset <= UINT32_MAX && ls_my_gtid_at(s, at, gtid, &known, err)) return -1;
    return s->gtids ? set_at(s, at, gtid, err) : 0;
}
