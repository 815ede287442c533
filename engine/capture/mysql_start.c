/* mysql_start.c - can the server serve from the checkpoint on, and how: by file and offset, or by GTID. */
#include "capture/mysql_session.h"

#include "capture/gtid.h"
#include "capture/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_EVENT = 4 }; /* offset of a file's first event */

static int lost(const ls_my *s, ls_error *err) {
    char anew[LS_ANEW_MAX];
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, "; %s", ls_source_anew(&s->conf, false, anew));
    err->code = LS_LOST;
    return -1;
}

int ls_my_lost(const ls_my *s, ls_error *err) {
    return err->code == LS_LOST ? lost(s, err) : -1;
}

/* ---- GTIDs ---- */

/* Is the text of the kind that this server has? */
static bool of_this_kind(const ls_my *s, const char *gtid) {
    return *gtid && (s->mariadb ? !strchr(gtid, ':') : s->gtids && strchr(gtid, ':'));
}

static int read_set(ls_gtid_set *set, const ls_buf *text, ls_error *err) {
    return ls_gtid_set_read(set, text->data ? text->data : "", text->len, err);
}

static int check_set(const ls_my *s, const char *what, const char *wanted, ls_error *err) {
    ls_gtid_set then = {0}, executed = {0}, purged = {0};
    ls_buf text = {0};
    int rc = -1;
    if (ls_gtid_set_read(&then, wanted, strlen(wanted), err) || ls_my_gtid_executed(s, false, &text, err) || read_set(&executed, &text, err) ||
        ls_my_gtid_executed(s, true, &text, err) || read_set(&purged, &text, err))
        goto out;
    if (!ls_gtid_set_contains(&executed, &then)) {
        ls_fail(err, LS_LOST,
                "the server at %s port %d lacks transactions: %s GTID set \"%.500s\" is not within its gtid_executed: it is no replica that had "
                "them all, its log was begun anew (RESET BINARY LOGS AND GTIDS), or it was restored", s->conf.host, s->conf.port, what, wanted);
    } else if (!ls_gtid_set_contains(&then, &purged)) {
        ls_fail(err, LS_LOST,
                "the server at %s port %d has purged transactions (binlog_expire_logs_seconds, PURGE BINARY LOGS) that are not in %s GTID set "
                "\"%.500s\": changes are missing", s->conf.host, s->conf.port, what, wanted);
    } else {
        rc = 0;
    }
out:
    ls_gtid_set_free(&then);
    ls_gtid_set_free(&executed);
    ls_gtid_set_free(&purged);
    ls_buf_free(&text);
    return rc;
}

/* By domain; that the very transactions are in the log, and what follows them, the server proves when the stream begins. */
static int check_position(const ls_my *s, const char *what, const char *wanted, ls_error *err) {
    ls_buf now = {0};
    int rc = ls_my_variable(s, "@@GLOBAL.gtid_binlog_pos", &now, err);
    const char *text = rc ? NULL : ls_buf_cstr(&now);
    int within = text ? ls_gtid_within(wanted, text) : 0;
    if (rc == 0 && !text)
        rc = ls_fail_memory(err, "a GTID position");
    else if (rc == 0 && within != 1)
        rc = ls_fail(err, within < 0 ? LS_USAGE : LS_LOST,
                     "the server at %s port %d lacks transactions: %s GTID position \"%.500s\" is not within its gtid_binlog_pos \"%.500s\": it is no "
                     "replica that had them all (with log_slave_updates), its log was begun anew (RESET MASTER), or it was restored",
                     s->conf.host, s->conf.port, what, wanted, text);
    ls_buf_free(&now);
    return rc;
}

static int check_gtids(const ls_my *s, const char *what, const char *wanted, ls_error *err) {
    return s->mariadb ? check_position(s, what, wanted, err) : check_set(s, what, wanted, err);
}

/* Finds the newest file before which there is nothing that is not in `gtid`: as the server itself does. */
static int find_file(ls_my *s, const char *gtid, ls_place *at, ls_error *err) {
    ls_place begin, end;
    ls_buf head = {0};
    if (ls_my_log_begin(s, &begin, err) || ls_my_log_end(s, &end, NULL, err)) return -1;
    for (uint64_t file = end.file; file >= begin.file && file; file--) {
        bool known;
        *at = (ls_place){.file = file, .offset = FIRST_EVENT};
        if (s->mariadb ? ls_my_gtid_at(s, at, &head, &known, err) : ls_my_gtid_before(s, file, &head, &known, err)) goto fail;
        const char *text = ls_buf_cstr(&head);
        if (!text) {
            ls_fail_memory(err, "a GTID position");
            goto fail;
        }
        if (!known || ls_gtid_within(text, gtid) != 1) continue;
        ls_buf_free(&head);
        return 0;
    }
    ls_fail(err, LS_LOST,
            "the server at %s port %d has purged transactions (expire_logs_days, binlog_expire_logs_seconds, PURGE BINARY LOGS) that are not in "
            "\"%.500s\": changes are missing", s->conf.host, s->conf.port, gtid);
fail:
    ls_buf_free(&head);
    return -1;
}

/* ---- another server ---- */

static int another(const ls_my *s, const ls_resume *from, ls_error *err) {
    bool same = from->identity && strcmp(from->identity, s->identity) == 0;
    if (same)
        ls_fail(err, LS_LOST, "the server's binary logs are named %s, the checkpoint's %s: give log_bin its former name", s->base, from->binlog);
    else
        ls_fail(err, LS_LOST,
                "the server at %s port %d is another one (%s) than the checkpoint's (%s), and %s, by which a replica could go on: connect to that "
                "server", s->conf.host, s->conf.port, s->identity, from->identity,
                *from->gtid ? "does not have its kind of GTIDs" : "the checkpoint has no GTIDs");
    return lost(s, err);
}

/* Is the delivered row's transaction one that the GTIDs do not have? */
static bool is_within(const ls_resume *from) {
    char at[40];
    if (!*from->delivered_pos) return false;
    if (*from->delivered_gtid) return ls_gtid_within(from->delivered_gtid, from->gtid) != 1;
    ls_place_pos_binlog(at, from->epoch, from->restart.file, from->restart.offset);
    return strcmp(from->delivered_pos, at) >= 0;
}

/* What the checkpoint has must be in this server's past, and all that it has not in its log. */
static int fail_over(ls_my *s, const ls_resume *from, ls_my_way *way, ls_error *err) {
    if (check_gtids(s, "the checkpoint's", from->gtid, err)) return ls_my_lost(s, err);
    if (is_within(from) && !*from->delivered_gtid) {
        ls_fail(err, LS_LOST,
                "the server at %s port %d is another one (%s) than the checkpoint's (%s), which stands behind transactions that were read while an XA "
                "transaction was prepared, or before a fault: they cannot be told here; connect to that server",
                s->conf.host, s->conf.port, s->identity, from->identity);
        return lost(s, err);
    }
    if (find_file(s, from->gtid, &way->at, err)) return ls_my_lost(s, err);
    way->by_gtid = true;
    way->epoch = from->epoch + 1;
    ls_log_line(&s->log, LS_INFO, "the server is another one (%s) than before (%s), and has all that was captured: goes on behind GTID %.300s, in %s.%06" PRIu64,
                s->identity, from->identity ? from->identity : "", from->gtid, s->base, way->at.file);
    return 0;
}

/* ---- the same server ---- */

/* No event begins at the place: which way it was lost. */
static int no_such_place(ls_my *s, const ls_place *at, ls_error *err) {
    ls_place begin;
    if (ls_my_log_begin(s, &begin, err)) return -1;
    if (at->file < begin.file)
        ls_fail(err, LS_LOST,
                "the server's oldest binary log is %s.%06" PRIu64 ", the checkpoint stands in %s.%06" PRIu64
                ": what it has not read yet was purged (expire_logs_days, PURGE BINARY LOGS); changes are missing",
                s->base, begin.file, s->base, at->file);
    else
        ls_fail(err, LS_LOST,
                "no event ends at offset %" PRIu64 " of %s.%06" PRIu64
                " on the server: its log was begun anew (RESET MASTER), lost its end in a crash (sync_binlog = 1 prevents that), or it was restored",
                at->offset, s->base, at->file);
    return lost(s, err);
}

/* Is the checkpoint's place in the log? A server that lost its log's end has begun another file since. */
static int check_end(ls_my *s, const ls_place *at, ls_error *err) {
    ls_place end;
    uint64_t size;
    if (ls_my_log_end(s, &end, NULL, err) || ls_my_file_size(s, at->file, &size, err)) return -1;
    if (ls_place_cmp(&end, at) >= 0 && (!size || size >= at->offset)) return 0;
    if (size) end = (ls_place){.file = at->file, .offset = size};
    ls_fail(err, LS_LOST,
            "the server's binary log ends at %s.%06" PRIu64 ", offset %" PRIu64 ", before the checkpoint at %s.%06" PRIu64 ", offset %" PRIu64
            ": its log was begun anew (RESET MASTER, RESET BINARY LOGS AND GTIDS), lost its end in a crash (sync_binlog = 1 prevents that), or it was restored",
            s->base, end.file, end.offset, s->base, at->file, at->offset);
    return lost(s, err);
}

static int purged_but_known(ls_my *s, const ls_resume *from, bool *is, ls_error *err) {
    ls_place begin;
    if (ls_my_log_begin(s, &begin, err)) return -1;
    *is = from->restart.file < begin.file && *from->gtid;
    return 0;
}

/* After RESET MASTER, or on a restored server, the same file and offset are of another log. `at` the place the server's position is the
 * checkpoint's, or less of it where the checkpoint came from another server, whose order was another. */
static int same_mariadb(ls_my *s, const ls_resume *from, ls_my_way *way, ls_error *err) {
    ls_buf now = {0};
    bool known;
    if (from->restart.offset > UINT32_MAX) { /* which the function cannot take, nor the command */
        way->by_gtid = *from->gtid != '\0';
        return 0;
    }
    if (ls_my_gtid_at(s, &from->restart, &now, &known, err)) return -1;
    const char *text = ls_buf_cstr(&now);
    int rc = 0, same = text && known ? ls_gtid_same_log(from->gtid, text) : 0;
    if (!text)
        rc = ls_fail_memory(err, "a GTID position");
    else if (!known && purged_but_known(s, from, &way->by_gtid, err))
        rc = -1;
    else if (!known && !way->by_gtid)
        rc = no_such_place(s, &from->restart, err);
    else if (known && same != 1)
        way->by_gtid = *from->gtid && ls_gtid_within(text, from->gtid) == 1;
    if (rc == 0 && known && same != 1 && !way->by_gtid) {
        ls_fail(err, LS_LOST,
                "%s.%06" PRIu64 ", offset %" PRIu64 " is GTID position \"%s\" on the server, the checkpoint says \"%s\": its log was begun anew "
                "(RESET MASTER) or it was restored", s->base, from->restart.file, from->restart.offset, text, from->gtid);
        rc = lost(s, err);
    }
    ls_buf_free(&now);
    if (rc == 0 && way->by_gtid && check_gtids(s, "the checkpoint's", from->gtid, err)) rc = ls_my_lost(s, err);
    return rc;
}

int ls_my_find_way(ls_my *s, const ls_resume *from, ls_my_way *way, ls_error *err) {
    bool same = !from->identity || strcmp(from->identity, s->identity) == 0;
    if (from->binlog && *from->binlog && strcmp(from->binlog, s->base) != 0) same = false;
    *way = (ls_my_way){.at = from->restart, .epoch = from->epoch};
    if (!same) return of_this_kind(s, from->gtid) ? fail_over(s, from, way, err) : another(s, from, err);
    if (check_end(s, &from->restart, err)) return -1;
    if (s->mariadb) {
        if (same_mariadb(s, from, way, err)) return -1;
    } else if (of_this_kind(s, from->gtid)) {
        way->by_gtid = true;
        if (check_gtids(s, "the checkpoint's", from->gtid, err)) return ls_my_lost(s, err);
    }
    if (way->by_gtid || from->restart.offset <= UINT32_MAX) return 0;
    return ls_fail(err, LS_FAIL, "offset %" PRIu64 " of %s.%06" PRIu64 " is above 4 GiB, where a stream can begin only by a GTID%s", from->restart.offset,
                   s->base, from->restart.file, s->mariadb ? "" : "; gtid_mode is not ON");
}

/* ---- a position that is given ---- */

/* "binlog.000003:1234": 1; 0: it is none, and may be GTIDs. */
static int read_place(const ls_my *s, const char *text, ls_place *at, ls_error *err) {
    const char *colon = strrchr(text, ':');
    char base[LS_BINLOG_NAME_MAX], rest;
    if (!colon || !memchr(text, '.', (size_t)(colon - text))) return 0;
    *at = (ls_place){0};
    if (ls_binlog_name_read(text, (size_t)(colon - text), base, sizeof base, &at->file) || sscanf(colon + 1, "%20" SCNu64 "%c", &at->offset, &rest) != 1 || at->offset < FIRST_EVENT)
        return ls_fail(err, LS_USAGE, "\"%s\" is no position: write the file and the offset of an event, as in \"%s.000003:1234\"", text, s->base);
    if (strcmp(base, s->base) == 0) return 1;
    return ls_fail(err, LS_USAGE, "position \"%s\": the server's binary logs are named %s", text, s->base);
}

int ls_my_locate(ls_my *s, const char *text, ls_place *at, ls_buf *gtid, ls_error *err) {
    int is = read_place(s, text, at, err);
    ls_buf_clear(gtid);
    if (is < 0) return -1;
    if (is) return ls_my_transaction_at(s, at, gtid, err);
    if (!of_this_kind(s, text) || ls_gtid_within(text, text) != 1)
        return ls_fail(err, LS_USAGE, "\"%.200s\" is no position: write \"%s.000003:1234\", a binary log and the offset of an event, %s", text, s->base,
                       s->mariadb ? "or a GTID position as in gtid_binlog_pos: \"0-1-5\""
                       : s->gtids ? "or a GTID set as in gtid_executed: \"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5\""
                                  : "since gtid_mode is not ON");
    if (check_gtids(s, "the", text, err) || find_file(s, text, at, err)) return -1;
    ls_buf_str(gtid, text);
    return gtid->failed ? ls_fail_memory(err, "a GTID position") : 0;
}
