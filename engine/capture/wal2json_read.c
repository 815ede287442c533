#include "capture/wal2json_read.h"

#include "base/text.h"
#include "change/schema.h"
#include "change/time.h"

#include <stdlib.h>
#include <string.h>

enum given {
    GIVEN_ACTION = 1,
    GIVEN_XID = 2,
    GIVEN_TIMESTAMP = 4,
    GIVEN_LSN = 8,
    GIVEN_NEXTLSN = 16,
    GIVEN_SCHEMA = 32,
    GIVEN_TABLE = 64,
    GIVEN_COLUMNS = 128,
    GIVEN_IDENTITY = 256,
    GIVEN_PK = 512
};

/* One message on its way. */
typedef struct reader {
    ls_json j;
    ls_arena *scratch;
    ls_w2j_message *m;
    ls_error *err;
} reader;

void ls_w2j_message_free(ls_w2j_message *m) {
    free(m->columns.at);
    free(m->identity.at);
    free(m->pk.at);
}

/* ---- errors */

/* Puts in front of what the JSON reader said of its offset which message it was, and how much of it remained. */
static int in_message(const reader *r) {
    return ls_fail_in(r->err, "wal2json message of %zu bytes, %zu remaining", (size_t)(r->j.end - r->j.start),
                      (size_t)(r->j.end - r->j.at));
}

/* v is not what the member must hold. */
static int wrong_value(const reader *r, const char *member, const ls_json_value *v, const char *wanted) {
    ls_fail(r->err, LS_FAIL, "member \"%s\" at byte %zu (%zu bytes) is not %s", member, (size_t)(v->p - r->j.start), v->n,
            wanted);
    return in_message(r);
}

/* ---- scalars */

/* A name's plain text; NUL-terminated when `copy`. */
static int read_name(const reader *r, const char *member, const ls_json_value *v, bool copy, const char **p, size_t *n) {
    if (v->kind != LS_JSON_STRING) return wrong_value(r, member, v, "a string");
    *p = v->p;
    *n = v->n;
    if (copy && !v->escaped && !(*p = ls_arena_copy(r->scratch, v->p, v->n)))
        return ls_fail_memory(r->err, "reading a wal2json message");
    if (v->escaped) {
        ls_buf text = {0};
        int rc = ls_json_unescape(v, &text, r->err);
        *p = rc ? NULL : ls_arena_copy(r->scratch, text.data, text.len);
        *n = text.len;
        ls_buf_free(&text);
        if (rc) return in_message(r);
        if (!*p) return ls_fail_memory(r->err, "reading a wal2json message");
    }
    if (!*n || memchr(*p, 0, *n) || !ls_utf8_valid(*p, *n)) return wrong_value(r, member, v, "a name in UTF-8");
    return 0;
}

/* An oid, which wal2json prints as a signed number. */
static int read_oid(const reader *r, const char *member, const ls_json_value *v, uint32_t *out) {
    int64_t n;
    if (ls_json_i64(v, &n) || n < INT32_MIN || n > (int64_t)UINT32_MAX) return wrong_value(r, member, v, "a number of 32 bits");
    *out = (uint32_t)n;
    return 0;
}

/* Up to `most` hex digits; NULL when there is none. */
static const char *hex_part(const char *p, const char *end, int most, uint64_t *out) {
    const char *from = p;
    for (*out = 0; p < end && p - from < most; p++) {
        char c = *p;
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0) break;
        *out = *out << 4 | (uint64_t)d;
    }
    return p > from ? p : NULL;
}

static int read_lsn(const reader *r, const char *member, const ls_json_value *v, uint64_t *out) {
    uint64_t high = 0, low = 0;
    const char *end = v->p + v->n, *p = v->kind == LS_JSON_STRING ? hex_part(v->p, end, 8, &high) : NULL;
    if (p && p < end && *p == '/') p = hex_part(p + 1, end, 8, &low);
    if (!p || p != end) return wrong_value(r, member, v, "a place of the WAL (0/2A1F00)");
    *out = high << 32 | low;
    return 0;
}

/* `width` digits and, if it is not 0, the sign behind them; NULL when something else stands there. */
static const char *digits(const char *p, const char *end, int width, char sign, int *out) {
    *out = 0;
    for (int i = 0; i < width; i++, p++) {
        if (p >= end || *p < '0' || *p > '9') return NULL;
        *out = *out * 10 + (*p - '0');
    }
    if (!sign) return p;
    return p < end && *p == sign ? p + 1 : NULL;
}

/* 2026-01-02 03:04:05.678901+00, as the server prints a commit's time under TimeZone UTC. */
static int read_timestamp(const reader *r, const char *member, const ls_json_value *v, int64_t *out) {
    int part[6];
    static const int width[6] = {4, 2, 2, 2, 2, 2};
    static const char sign[6] = {'-', '-', ' ', ':', ':', 0};
    const char *end = v->p + v->n, *p = v->kind == LS_JSON_STRING ? v->p : NULL;
    for (int i = 0; i < 6 && p; i++) p = digits(p, end, width[i], sign[i], &part[i]);
    int64_t micro = 0;
    if (p && p < end && *p == '.') {
        int unit = 100000;
        for (p++; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10) micro += unit * (*p - '0');
    }
    bool ok = p && end - p == 3 && memcmp(p, "+00", 3) == 0 && part[1] >= 1 && part[1] <= 12 && part[2] >= 1 &&
              part[2] <= 31;
    if (!ok) return wrong_value(r, member, v, "a time in UTC (2026-01-02 03:04:05.678901+00)");
    int64_t seconds = ((ls_time_days(part[0], part[1], part[2]) * 24 + part[3]) * 60 + part[4]) * 60 + part[5];
    *out = seconds * 1000000 + micro;
    return 0;
}

/* ---- columns, identity, pk */

static ls_w2j_field *add_field(const reader *r, ls_w2j_fields *list) {
    if (list->n == LS_COLUMNS_MAX) {
        ls_fail(r->err, LS_FAIL, "more than %d columns at byte %zu", LS_COLUMNS_MAX, (size_t)(r->j.at - r->j.start));
        in_message(r);
        return NULL;
    }
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 32;
        ls_w2j_field *more = realloc(list->at, cap * sizeof *more);
        if (!more) {
            ls_fail_memory(r->err, "reading a wal2json message");
            return NULL;
        }
        list->at = more;
        list->cap = cap;
    }
    ls_w2j_field *f = &list->at[list->n++];
    *f = (ls_w2j_field){0};
    return f;
}

/* One member of a column's object. */
static int read_part(const reader *r, const ls_json_value *key, const ls_json_value *v, ls_w2j_field *f, bool *typed) {
    if (ls_json_is(key, "name")) return read_name(r, "name", v, false, &f->name, &f->name_len);
    if (ls_json_is(key, "typeoid")) {
        *typed = true;
        return read_oid(r, "typeoid", v, &f->type);
    }
    if (ls_json_is(key, "position")) {
        int64_t n;
        if (ls_json_i64(v, &n) || n < 1 || n > INT16_MAX) return wrong_value(r, "position", v, "a column's number");
        f->position = (int32_t)n;
    } else if (ls_json_is(key, "value")) {
        f->value = *v;
    }
    return 0;
}

/* valued: each must have a value, and in a row (columns) a position. */
static int read_fields(reader *r, ls_w2j_fields *list, const char *member, bool valued, bool placed) {
    ls_json_value key, v;
    bool first = true;
    int more;
    list->n = 0;
    list->given = true;
    if (ls_json_open(&r->j, '[', r->err)) return in_message(r);
    while ((more = ls_json_more(&r->j, ']', &first, r->err)) > 0) {
        ls_w2j_field *f = add_field(r, list);
        bool first_part = true, typed = false;
        if (!f) return -1;
        if (ls_json_open(&r->j, '{', r->err)) return in_message(r);
        while ((more = ls_json_more(&r->j, '}', &first_part, r->err)) > 0) {
            if (ls_json_name(&r->j, &key, r->err) || ls_json_read(&r->j, &v, r->err)) return in_message(r);
            if (read_part(r, &key, &v, f, &typed)) return -1;
        }
        if (more < 0) return in_message(r);
        const char *missing = !f->name ? "name" : !typed ? "typeoid (wal2json 2.5 and later have it)" : valued && !f->value.p ? "value" : NULL;
        if (!missing && placed && f->position <= (list->n > 1 ? f[-1].position : 0)) missing = "position above the last one's";
        if (!missing) continue;
        ls_fail(r->err, LS_FAIL, "\"%s\", column %zu, ends at byte %zu where a %s was wanted", member, list->n,
                (size_t)(r->j.at - r->j.start), missing);
        return in_message(r);
    }
    return more < 0 ? in_message(r) : 0;
}

/* ---- the message */

static int read_action(const reader *r, const ls_json_value *v) {
    if (v->kind != LS_JSON_STRING || v->n != 1 || !strchr("BCIUDTM", *v->p))
        return wrong_value(r, "action", v, "one of B C I U D T M");
    r->m->action = *v->p;
    return 0;
}

/* One member; its value is read here, since three of them are lists that are walked as they are read. */
static int read_member(reader *r, const ls_json_value *key) {
    ls_w2j_message *m = r->m;
    ls_json_value v;
    if (ls_json_is(key, "columns")) return m->given |= GIVEN_COLUMNS, read_fields(r, &m->columns, "columns", true, true);
    if (ls_json_is(key, "identity")) return m->given |= GIVEN_IDENTITY, read_fields(r, &m->identity, "identity", true, false);
    if (ls_json_is(key, "pk")) return m->given |= GIVEN_PK, read_fields(r, &m->pk, "pk", false, false);
    if (ls_json_read(&r->j, &v, r->err)) return in_message(r);
    if (v.kind == LS_JSON_NULL) return 0; /* of a message that belongs to no transaction */
    if (ls_json_is(key, "action")) return m->given |= GIVEN_ACTION, read_action(r, &v);
    if (ls_json_is(key, "xid")) return m->given |= GIVEN_XID, read_oid(r, "xid", &v, &m->xid);
    if (ls_json_is(key, "timestamp")) return m->given |= GIVEN_TIMESTAMP, read_timestamp(r, "timestamp", &v, &m->ts);
    if (ls_json_is(key, "lsn")) return m->given |= GIVEN_LSN, read_lsn(r, "lsn", &v, &m->lsn);
    if (ls_json_is(key, "nextlsn")) return m->given |= GIVEN_NEXTLSN, read_lsn(r, "nextlsn", &v, &m->nextlsn);
    if (ls_json_is(key, "schema"))
        return m->given |= GIVEN_SCHEMA, read_name(r, "schema", &v, true, &m->schema, &m->schema_len);
    if (ls_json_is(key, "table")) return m->given |= GIVEN_TABLE, read_name(r, "table", &v, true, &m->table, &m->table_len);
    return 0;
}

/* Does it have what its action needs? */
static int complete(const reader *r) {
    static const struct {
        char action;
        unsigned needs;
    } needs[] = {{'B', GIVEN_XID | GIVEN_TIMESTAMP | GIVEN_LSN},
                 {'C', GIVEN_LSN | GIVEN_NEXTLSN},
                 {'I', GIVEN_SCHEMA | GIVEN_TABLE | GIVEN_COLUMNS | GIVEN_PK},
                 {'U', GIVEN_SCHEMA | GIVEN_TABLE | GIVEN_COLUMNS | GIVEN_IDENTITY | GIVEN_PK},
                 {'D', GIVEN_SCHEMA | GIVEN_TABLE | GIVEN_IDENTITY | GIVEN_PK},
                 {'T', GIVEN_SCHEMA | GIVEN_TABLE}};
    static const char *const names[] = {"action", "xid",   "timestamp", "lsn",      "nextlsn",
                                        "schema", "table", "columns",   "identity", "pk"};
    const ls_w2j_message *m = r->m;
    unsigned wanted = GIVEN_ACTION;
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (m->action == needs[i].action) wanted |= needs[i].needs;
    unsigned missing = wanted & ~m->given;
    for (size_t i = 0; missing && i < sizeof names / sizeof *names; i++) {
        if (!(missing >> i & 1)) continue;
        ls_fail(r->err, LS_FAIL, "%s ends at byte %zu where a member \"%s\" was wanted", m->action ? (const char[]){m->action, 0} : "it",
                (size_t)(r->j.at - r->j.start), names[i]);
        return in_message(r);
    }
    return 0;
}

int ls_w2j_read(ls_w2j_message *m, ls_arena *scratch, const void *p, size_t n, ls_error *err) {
    ls_w2j_fields columns = m->columns, identity = m->identity, pk = m->pk;
    columns.n = identity.n = pk.n = 0;
    columns.given = identity.given = pk.given = false;
    *m = (ls_w2j_message){.columns = columns, .identity = identity, .pk = pk};
    reader r = {.j = ls_json_over(p, n), .scratch = scratch, .m = m, .err = err};
    ls_json_value key;
    bool first = true;
    int more;
    if (ls_json_open(&r.j, '{', err)) return in_message(&r);
    while ((more = ls_json_more(&r.j, '}', &first, err)) > 0) {
        if (ls_json_name(&r.j, &key, err)) return in_message(&r);
        if (read_member(&r, &key)) return -1;
    }
    if (more < 0 || ls_json_end(&r.j, err)) return in_message(&r);
    return complete(&r);
}
