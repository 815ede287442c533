#include "capture/binlog.h"

#include "capture/binlog_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { CHECKSUM = 4 }; /* bytes */

static const char *event_name(uint8_t type) {
    switch (type) {
    case LS_EV_QUERY:
    case LS_EV_QUERY_COMPRESSED:
        return "QUERY";
    case LS_EV_STOP:
        return "STOP";
    case LS_EV_ROTATE:
        return "ROTATE";
    case LS_EV_FORMAT_DESCRIPTION:
        return "FORMAT_DESCRIPTION";
    case LS_EV_XID:
        return "XID";
    case LS_EV_TABLE_MAP:
        return "TABLE_MAP";
    case LS_ROWS_V1:
    case LS_ROWS_V2:
    case LS_ROWS_COMPRESSED_V1:
    case LS_ROWS_COMPRESSED_V2:
        return "WRITE_ROWS";
    case LS_ROWS_V1 + 1:
    case LS_ROWS_V2 + 1:
    case LS_ROWS_COMPRESSED_V1 + 1:
    case LS_ROWS_COMPRESSED_V2 + 1:
        return "UPDATE_ROWS";
    case LS_ROWS_V1 + 2:
    case LS_ROWS_V2 + 2:
    case LS_ROWS_COMPRESSED_V1 + 2:
    case LS_ROWS_COMPRESSED_V2 + 2:
        return "DELETE_ROWS";
    case LS_EV_INCIDENT:
        return "INCIDENT";
    case LS_EV_HEARTBEAT:
        return "HEARTBEAT";
    case LS_EV_ANONYMOUS_GTID:
    case LS_EV_GTID_MYSQL:
    case LS_EV_GTID_TAGGED:
    case LS_EV_GTID:
        return "GTID";
    case LS_EV_XA_PREPARE:
        return "XA_PREPARE";
    case LS_ROWS_PARTIAL_UPDATE:
        return "PARTIAL_UPDATE_ROWS";
    case LS_EV_TRANSACTION_PAYLOAD:
        return "TRANSACTION_PAYLOAD";
    default:
        return NULL;
    }
}

int ls_binlog_new(ls_binlog **out, const ls_binlog_conf *conf, ls_error *err) {
    ls_binlog *b = calloc(1, sizeof *b);
    *out = b;
    if (!b) return ls_fail_memory(err, "the binlog decoder");
    b->conf = *conf;
    return ls_maps_new(&b->maps, &b->conf, err);
}

void ls_binlog_free(ls_binlog *b) {
    if (!b) return;
    ls_maps_free(b->maps);
    ls_buf_free(&b->hold.events);
    free(b->hold.savepoints);
    ls_xas_free(&b->xas);
    ls_payload_free(&b->payload);
    ls_buf_free(&b->text);
    ls_buf_free(&b->inflated);
    free(b);
}

void ls_binlog_start(ls_binlog *b, const ls_place *at, const char *delivered_pos, uint64_t delivered_seq, bool from_beginning) {
    enum { FIRST_EVENT = 4 };
    b->file = at->file;
    b->offset = from_beginning ? FIRST_EVENT : at->offset;
    b->seeking = from_beginning;
    b->sought = b->from = *at;
    snprintf(b->delivered_pos, sizeof b->delivered_pos, "%s", delivered_pos);
    b->delivered_seq = delivered_seq;
    b->marked = true;
}

void ls_binlog_epoch(ls_binlog *b, uint64_t epoch, const char *gtid, uint64_t seq) {
    b->epoch = epoch;
    if (!*gtid) return;
    snprintf(b->within, sizeof b->within, "%s", gtid);
    b->delivered_seq = seq;
}

const char *ls_binlog_base(const ls_binlog *b) {
    return b->base;
}

int ls_binlog_name_read(const char *name, size_t n, char *base, size_t size, uint64_t *number) {
    const char *dot = memrchr(name, '.', n), *end = name + n;
    if (!dot || dot == name || (size_t)(dot - name) >= size || end - dot < 2 || end - dot > 11 || memchr(name, 0, n))
        return -1;
    *number = 0;
    for (const char *p = dot + 1; p < end; p++) {
        if (*p < '0' || *p > '9') return -1;
        *number = *number * 10 + (uint64_t)(*p - '0');
    }
    memcpy(base, name, (size_t)(dot - name));
    base[dot - name] = '\0';
    return *number > UINT32_MAX ? -1 : 0;
}

/* ---- the other events ---- */

/* The server died while it wrote a transaction: what came of it was never committed. */
static void break_off(ls_binlog *b) {
    char text[LS_GTID_TEXT + 200];
    if (!b->in_tx) return;
    snprintf(text, sizeof text,
             "the log breaks off in transaction %s, which was not committed; %" PRIu64 " rows of it were sent",
             b->tx.id, b->seq);
    b->conf.ask.warn(b->conf.ask.ctx, text);
    b->in_tx = false;
    ls_bl_forget_held(b);
}

static int rotate(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    uint64_t offset = ls_cursor_le(&in, 8), file;
    size_t n = ls_cursor_left(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (ls_binlog_name_read((const char *)in.at, n, b->base, sizeof b->base, &file))
        return ls_fail(err, LS_FAIL, "\"%.*s\" is no binary log's name", (int)(n < 64 ? n : 64), (const char *)in.at);
    bool behind = file == b->file && offset <= b->offset; /* started by GTID, it says where the file begins */
    if (!(h->flags & LS_FLAG_ARTIFICIAL) || !behind) {
        b->marked = b->marked && file == b->file && offset == b->offset;
        if (file != b->file) b->created = 0;
        b->file = file;
        b->offset = offset;
        break_off(b);
    }
    b->statement_open = false;
    ls_maps_forget_ids(b->maps);
    return 0;
}

/* The same name is no proof: a log that was begun anew has the same ones again. */
static int check_file(const ls_binlog *b, const ls_event *h, ls_error *err) {
    if (b->described || !b->from.created || b->file > b->from.file) return 0;
    if (b->file < b->from.file)
        return ls_fail(err, LS_LOST, "the server begins with this file, and the checkpoint stands in a later one, number %" PRIu64 ": its log was begun anew (RESET MASTER, RESET BINARY LOGS AND GTIDS), or it was restored", b->from.file);
    if (b->from.created == h->ts) return 0;
    return ls_fail(err, LS_LOST, "the file was made at %" PRIu32 " (seconds since 1970), the one that the checkpoint is of at %" PRIu32 ": the server's log was begun anew (RESET MASTER, RESET BINARY LOGS AND GTIDS), or it was restored",
                   h->ts, b->from.created);
}

static int format_description(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    enum { VERSION = 4, SERVER_NAME = 50, CREATED = 4 };
    uint64_t version = ls_cursor_le(&in, 2);
    ls_cursor_take(&in, SERVER_NAME + CREATED);
    uint8_t header_len = ls_cursor_u8(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (version != VERSION || header_len != LS_EVENT_HEADER)
        return ls_fail(err, LS_FAIL,
                       "binlog version %" PRIu64 " with headers of %u bytes; only version %d with %d is known", version,
                       header_len, VERSION, LS_EVENT_HEADER);
    if (check_file(b, h, err)) return -1;
    b->created = h->ts;
    b->described = true;
    b->statement_open = false;
    ls_maps_forget_ids(b->maps);
    return 0;
}

/* The place is the server's, which may have passed over events. */
static void heartbeat(ls_binlog *b, const ls_event *h) {
    uint64_t at = (b->offset & ~UINT64_C(0xffffffff)) | h->next_pos;
    if (b->in_tx || h->next_pos == 0 || at <= b->offset) return;
    b->offset = at;
    b->marked = false;
}

static int incident(ls_cursor in, ls_error *err) {
    ls_cursor_take(&in, 2);
    size_t n = ls_cursor_u8(&in);
    const uint8_t *p = ls_cursor_take(&in, n);
    return ls_fail(err, LS_FAIL, "the server could not write all changes to its log (\"%.*s\"): the log has a gap",
                   p ? (int)n : 0, p ? (const char *)p : "");
}

static int unknown(const ls_event *h, ls_error *err) {
    switch (h->type) {
    case 3:
    case 5:
    case 13:
    case 14: /* STOP; INTVAR, RAND, USER_VAR: only statements need them */
    case 28:
    case 29:
    case 35:
    case 36:
    case 37:
    case 41: /* IGNORABLE, ROWS_QUERY, PREVIOUS_GTIDS, group replication, HEARTBEAT_V2 */
    case 160:
    case 161:
    case 163:
    case 164:
        return 0; /* ANNOTATE_ROWS, BINLOG_CHECKPOINT, GTID_LIST, START_ENCRYPTION */
    case 6:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 17:
    case 18:
        return ls_fail(err, LS_FAIL,
                       "LOAD DATA was logged as a statement: SET GLOBAL binlog_format = 'ROW', and reconnect the "
                       "applications: a session keeps the format that it began with");
    default:
        if (h->flags & LS_FLAG_IGNORABLE) return 0;
        return ls_fail(err, LS_FAIL, "events of type %u are not known", h->type);
    }
}

static int run_payload(ls_binlog *b, ls_work *w, ls_error *err);

static int decode(ls_binlog *b, const ls_event *h, const uint8_t *event, size_t n, ls_cursor in, ls_work *w,
                  ls_error *err) {
    if (b->hold.on && (ls_rows_is(h->type) || h->type == LS_EV_TABLE_MAP))
        return ls_bl_hold(b, h, event, n, in, w, err);
    if (ls_rows_is(h->type)) return ls_bl_rows(b, h, in, w, err);
    switch (h->type) {
    case LS_EV_TABLE_MAP:
        return ls_bl_table_map(b, in, err);
    case LS_EV_XID:
        return ls_bl_commit(b, w, err);
    case LS_EV_GTID:
    case LS_EV_GTID_MYSQL:
    case LS_EV_ANONYMOUS_GTID:
    case LS_EV_GTID_TAGGED:
        return ls_bl_gtid(b, h, in, err);
    case LS_EV_QUERY:
    case LS_EV_QUERY_COMPRESSED:
        return ls_bl_query(b, h, in, w, err);
    case LS_EV_HEARTBEAT:
        heartbeat(b, h);
        return 0;
    case LS_EV_ROTATE:
        return rotate(b, h, in, err);
    case LS_EV_FORMAT_DESCRIPTION:
        return format_description(b, h, in, err);
    case LS_EV_XA_PREPARE:
        return ls_bl_prepare(b, h, in, w, err);
    case LS_EV_INCIDENT:
        return incident(in, err);
    case LS_EV_TRANSACTION_PAYLOAD:
        if (b->payload.open) return ls_fail(err, LS_FAIL, "a compressed transaction stands inside another one");
        return ls_payload_open(&b->payload, in, err) ? -1 : run_payload(b, w, err);
    default:
        return unknown(h, err);
    }
}

/* Those that speak of the file do not stand inside a transaction. */
static bool is_of_a_file(uint8_t type) {
    return type == LS_EV_ROTATE || type == LS_EV_FORMAT_DESCRIPTION || type == LS_EV_HEARTBEAT || type == LS_EV_GTID ||
           type == LS_EV_GTID_MYSQL || type == LS_EV_ANONYMOUS_GTID || type == LS_EV_GTID_TAGGED;
}

/* The events inside have no places of their own: the outer one's is theirs. */
static int run_payload(ls_binlog *b, ls_work *w, ls_error *err) {
    const ls_event outer = b->now;
    int rc = 0, more;
    while (b->payload.open && (more = ls_payload_next(&b->payload, err)) != 0) {
        if (more < 0) return -1;
        ls_cursor in = ls_cursor_over(b->payload.event.data, b->payload.event.len);
        ls_event h = outer;
        h.ts = (uint32_t)ls_cursor_le(&in, 4);
        h.type = ls_cursor_u8(&in);
        h.server_id = (uint32_t)ls_cursor_le(&in, 4);
        h.len = (uint32_t)ls_cursor_le(&in, 4);
        ls_cursor_take(&in, 4); /* a position that means nothing */
        h.flags = (uint16_t)ls_cursor_le(&in, 2);
        b->now = h;
        if (is_of_a_file(h.type)) return ls_fail(err, LS_FAIL, "it stands inside a compressed transaction");
        rc = decode(b, &h, (const uint8_t *)b->payload.event.data, b->payload.event.len, in, w, err);
        if (rc) return rc;
        b->now = outer;
    }
    if (b->payload.event.cap > LS_BATCH_BYTES) ls_buf_free(&b->payload.event);
    return 0;
}

/* Takes the checksum off *n once it is proven. */
static int verify(ls_binlog *b, const ls_event *h, const uint8_t *event, size_t *n, ls_error *err) {
    bool rotates = h->type == LS_EV_ROTATE &&
                   (h->flags & LS_FLAG_ARTIFICIAL); /* made up by the server, with a checksum or without */
    if (h->type == LS_EV_FORMAT_DESCRIPTION) {
        if (*n < LS_EVENT_HEADER + CHECKSUM + 1) return ls_fail(err, LS_FAIL, "%zu bytes are too few", *n);
        b->checksum = event[*n - CHECKSUM - 1] == 1;
    } else if (!b->described && !rotates) {
        return ls_fail(err, LS_FAIL, "it comes before the first FORMAT_DESCRIPTION event");
    }
    if (!b->checksum && !rotates && h->type != LS_EV_FORMAT_DESCRIPTION) return 0;
    if (*n < LS_EVENT_HEADER + CHECKSUM) return rotates ? 0 : ls_fail(err, LS_FAIL, "%zu bytes are too few", *n);
    ls_cursor in = ls_cursor_over(event + *n - CHECKSUM, CHECKSUM);
    uint32_t given = (uint32_t)ls_cursor_le(&in, CHECKSUM);
    uint32_t computed = (uint32_t)crc32_z(0, event, *n - CHECKSUM);
    if (given == computed || (!rotates && !b->checksum)) {
        *n -= CHECKSUM;
        return 0;
    }
    if (rotates) return 0;
    return ls_fail(err, LS_FAIL,
                   "its checksum is %08" PRIx32 ", its bytes give %08" PRIx32 ": the log or the connection is corrupt",
                   given, computed);
}

static int read_header(ls_binlog *b, const uint8_t *event, size_t n, ls_event *h, ls_error *err) {
    ls_cursor in = ls_cursor_over(event, n);
    h->ts = (uint32_t)ls_cursor_le(&in, 4);
    h->type = ls_cursor_u8(&in);
    h->server_id = (uint32_t)ls_cursor_le(&in, 4);
    h->len = (uint32_t)ls_cursor_le(&in, 4);
    h->next_pos = (uint32_t)ls_cursor_le(&in, 4);
    h->flags = (uint16_t)ls_cursor_le(&in, 2);
    h->start = h->end = b->offset;
    b->now = *h;
    if (in.failed) return ls_fail_cut(err, &in);
    if (h->len != n) return ls_fail(err, LS_FAIL, "its header says %" PRIu32 " bytes, %zu came", h->len, n);
    return 0;
}

/* Is it the transaction that the stream was to begin with? What it leaves out may be longer than the header's 32 bits can tell. */
static bool is_sought(const ls_binlog *b, const ls_event *h) {
    bool begins = h->type == LS_EV_GTID_MYSQL || h->type == LS_EV_GTID_TAGGED || h->type == LS_EV_GTID;
    return begins && b->file == b->sought.file && h->next_pos - h->len == (uint32_t)b->sought.offset;
}

/* The header's position has 32 bits, a file may be longer: counted on from where the stream stands. */
static int locate(ls_binlog *b, ls_event *h, ls_error *err) {
    if (h->next_pos == 0 || (h->flags & LS_FLAG_ARTIFICIAL) || h->type == LS_EV_HEARTBEAT) return 0;
    h->end = (b->offset & ~UINT64_C(0xffffffff)) | h->next_pos;
    if (h->end < b->offset) h->end += UINT64_C(1) << 32;
    if (b->seeking && is_sought(b, h)) {
        h->end = b->sought.offset + h->len;
        b->seeking = false;
    }
    if (h->end < h->len) return ls_fail(err, LS_FAIL, "its end position %" PRIu32 " is below its length", h->next_pos);
    h->start = h->end - h->len;
    b->marked = b->marked && b->offset == h->end;
    b->offset = h->end;
    b->now = *h;
    return 0;
}

static int finish(ls_binlog *b, ls_work *w, int rc, ls_error *err) {
    char of_type[32];
    const char *name = event_name(b->now.type);
    if (rc == 0 && !b->in_tx && !b->marked) rc = ls_bl_mark(b, w, "", err);
    if (rc >= 0) return rc;
    snprintf(of_type, sizeof of_type, "event of type %u", b->now.type);
    return ls_fail_in(err, "%s.%06" PRIu64 ", offset %" PRIu64 ", %s%s", b->base[0] ? b->base : "binary log", b->file,
                      b->now.start, name ? name : of_type, name ? " event" : "");
}

int ls_binlog_event(ls_binlog *b, const uint8_t *event, size_t n, ls_work *w, ls_error *err) {
    ls_event h;
    int rc = read_header(b, event, n, &h, err);
    if (!rc) rc = verify(b, &h, event, &n, err);
    if (!rc) rc = locate(b, &h, err);
    if (!rc) {
        ls_cursor in = ls_cursor_over(event, n);
        ls_cursor_take(&in, LS_EVENT_HEADER);
        rc = decode(b, &h, event, n, in, w, err);
    }
    return finish(b, w, rc, err);
}

int ls_binlog_more(ls_binlog *b, ls_work *w, ls_error *err) {
    int rc = b->rows_open ? ls_bl_run_rows(b, w, err) : 0;
    if (rc == 0 && b->draining) rc = ls_bl_drain(b, w, err);
    if (rc == 0 && b->ending) rc = ls_bl_end(b, w, err);
    if (rc == 0 && b->payload.open) rc = run_payload(b, w, err);
    return finish(b, w, rc, err);
}
