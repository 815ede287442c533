#include "capture/binlog_state.h"
#include "base/text.h"
#include "capture/gtid.h"

#include <inttypes.h>
#include <stdio.h>

enum gtid_flag { GTID_STANDALONE = 1, GTID_PREPARED_XA = 0x40 };
enum { UUID = 16, TAG_MAX = 32 }; /* bytes */

/* A transaction that was begun on another server goes on where it was. */
static void go_on_within(ls_binlog *b) {
    if (*b->within && strcmp(b->gtid, b->within) == 0) b->drop_to = b->delivered_seq;
}

static int gtid(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    ls_gtid g = {.server = h->server_id};
    g.seq = ls_cursor_le(&in, 8);
    g.domain = (uint32_t)ls_cursor_le(&in, 4);
    uint8_t flags = ls_cursor_u8(&in);
    if (in.failed) return ls_fail_cut(err, &in);
    if (ls_bl_begin(b, h, err)) return -1;
    ls_gtid_print(b->gtid, &g);
    memcpy(b->tx.id, b->gtid, sizeof b->gtid);
    go_on_within(b);
    b->standalone = flags & GTID_STANDALONE;
    b->xa = flags & GTID_PREPARED_XA;
    /* TRANSACTIONAL is no promise: a transaction that made or dropped a temporary table is logged with its rows and the
     * ROLLBACK that takes them back */
    b->hold.on = b->xa || (!b->standalone && b->drop_to != UINT64_MAX);
    return 0;
}

static int begin_mysql(ls_binlog *b, const ls_event *h, const uint8_t *u, const char *tag, uint64_t number, ls_error *err) {
    if (ls_bl_begin(b, h, err)) return -1;
    b->standalone = true; /* until a BEGIN follows */
    if (h->type != LS_EV_ANONYMOUS_GTID)
        snprintf(b->tx.id, sizeof b->tx.id,
                 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x:%s%s%" PRIu64, u[0], u[1], u[2], u[3],
                 u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15], tag, *tag ? ":" : "", number);
    memcpy(b->gtid, b->tx.id, sizeof b->gtid);
    go_on_within(b);
    return 0;
}

static int gtid_mysql(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    ls_cursor_take(&in, 1); /* flags */
    const uint8_t *u = ls_cursor_take(&in, UUID);
    uint64_t number = ls_cursor_le(&in, 8);
    return in.failed ? ls_fail_cut(err, &in) : begin_mysql(b, h, u, "", number, err);
}

/* A number of MySQL's own serialization: as many more bytes follow as the first one's low bits are set. */
static uint64_t serial(ls_cursor *in) {
    enum { WHOLE = 8 };
    uint8_t first = ls_cursor_u8(in);
    unsigned more = 0;
    while (more < WHOLE && first >> more & 1) more++;
    if (more == WHOLE) return ls_cursor_le(in, WHOLE);
    uint64_t high = more ? ls_cursor_le(in, more) : 0;
    if (more == WHOLE - 1) return high;
    return (uint64_t)first >> (more + 1) | high << (WHOLE - 1 - more);
}

/* Fields, each with its number in front, in their order; those behind the tag are not needed. */
static int gtid_tagged(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    enum field { FLAGS, SERVER, NUMBER, TAG, FIELDS };
    uint8_t server[UUID] = {0};
    char tag[TAG_MAX + 1] = "";
    uint64_t number = 0;
    uint64_t version = serial(&in);
    serial(&in); /* bytes of all */
    serial(&in); /* the last field that a reader must know */
    if (!in.failed && version != 1) return ls_fail(err, LS_FAIL, "it is in serialization version %" PRIu64 ", only 1 is known", version);
    for (uint64_t field = FLAGS; field < FIELDS && !in.failed; field++) {
        uint64_t given = serial(&in), n;
        if (in.failed) break;
        if (given != field) return ls_fail(err, LS_FAIL, "field %" PRIu64 " stands where field %" PRIu64 " is due", given, field);
        switch (field) {
        case FLAGS:
            serial(&in);
            break;
        case SERVER:
            for (int i = 0; i < UUID; i++) server[i] = (uint8_t)serial(&in);
            break;
        case NUMBER:
            number = serial(&in) >> 1; /* its lowest bit is the sign */
            break;
        default:
            n = serial(&in);
            if (n > TAG_MAX) return ls_fail(err, LS_FAIL, "a tag of %" PRIu64 " bytes, %d at most", n, TAG_MAX);
            const uint8_t *p = ls_cursor_take(&in, (size_t)n);
            if (p) memcpy(tag, p, (size_t)n);
            if (!ls_utf8_valid(tag, strlen(tag))) return ls_fail(err, LS_FAIL, "its tag is no text");
            break;
        }
    }
    return in.failed ? ls_fail_cut(err, &in) : begin_mysql(b, h, server, tag, number, err);
}

int ls_bl_gtid(ls_binlog *b, const ls_event *h, ls_cursor in, ls_error *err) {
    switch (h->type) {
    case LS_EV_GTID:
        return gtid(b, h, in, err);
    case LS_EV_GTID_TAGGED:
        return gtid_tagged(b, h, in, err);
    default:
        return gtid_mysql(b, h, in, err);
    }
}
