#include "capture/gtid.h"

#include "capture/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ls_gtid_print(char out[LS_GTID_TEXT], const ls_gtid *g) {
    snprintf(out, LS_GTID_TEXT, "%" PRIu32 "-%" PRIu32 "-%" PRIu64, g->domain, g->server, g->seq);
}

/* Digits up to `max`; *at is moved behind them. */
static bool number(const char **at, const char *end, uint64_t max, uint64_t *out) {
    const char *p = *at;
    uint64_t v = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (max - digit) / 10) return false;
        v = v * 10 + digit;
    }
    bool some = p > *at;
    *at = p;
    *out = v;
    return some;
}

static bool mark(const char **at, const char *end, char c) {
    if (*at == end || **at != c) return false;
    ++*at;
    return true;
}

int ls_gtid_next(const char **at, const char *end, ls_gtid *g) {
    uint64_t domain, server, seq;
    if (*at == end) return 0;
    if (!number(at, end, UINT32_MAX, &domain) || !mark(at, end, '-') || !number(at, end, UINT32_MAX, &server) ||
        !mark(at, end, '-') || !number(at, end, UINT64_MAX, &seq))
        return -1;
    if (*at != end && (!mark(at, end, ',') || *at == end)) return -1;
    *g = (ls_gtid){(uint32_t)domain, (uint32_t)server, seq};
    return 1;
}

/* Replaces bytes [from, to) of the position. */
static int splice(ls_buf *b, size_t from, size_t to, const char *p, size_t n, ls_error *err) {
    size_t tail = b->len - to;
    if (!ls_buf_room(b, n)) return ls_fail_memory(err, "a GTID position");
    memmove(b->data + from + n, b->data + to, tail);
    memcpy(b->data + from, p, n);
    b->len = from + n + tail;
    return 0;
}

int ls_gtid_add(ls_buf *position, const char *gtid, ls_error *err) {
    const char *add = gtid, *add_end = gtid + strlen(gtid);
    ls_gtid g, have;
    size_t n = (size_t)(add_end - gtid), domains = 0;
    char text[LS_GTID_TEXT + 2]; /* a comma before or behind */
    if (strchr(gtid, ':')) return ls_gtid_set_add(position, gtid, err);
    if (ls_gtid_next(&add, add_end, &g) != 1 || add != add_end || n >= LS_GTID_TEXT)
        return ls_fail(err, LS_FAIL, "\"%s\" is no MariaDB GTID", gtid);
    const char *start = position->data, *at = start, *end = start ? start + position->len : start;
    for (const char *was = at;; was = at, domains++) {
        int more = ls_gtid_next(&at, end, &have);
        if (more < 0) return ls_fail(err, LS_FAIL, "\"%.*s\" is no MariaDB GTID position", (int)position->len, start);
        if (more && have.domain < g.domain) continue;
        size_t from = (size_t)(was - start), to = (size_t)(at - start);
        if (more && have.domain == g.domain) /* the comma behind stays */
            return splice(position, from, to - (to > from && start[to - 1] == ','), gtid, n, err);
        if (domains >= LS_GTID_DOMAINS) return ls_fail(err, LS_FAIL, "more than %d GTID domains", LS_GTID_DOMAINS);
        snprintf(text, sizeof text, "%s%s%s", more || from == 0 ? "" : ",", gtid, more ? "," : "");
        return splice(position, from, from, text, strlen(text), err);
    }
}

static int find_domain(const char *position, uint32_t domain, ls_gtid *out) {
    const char *at = position, *end = position + strlen(position);
    int more;
    while ((more = ls_gtid_next(&at, end, out)) == 1)
        if (out->domain == domain) return 1;
    return more;
}

int ls_gtid_same_log(const char *stored, const char *server) {
    const char *at = server, *end = server + strlen(server);
    ls_gtid there, here;
    int more, found, same = !*stored || *server;
    while ((more = ls_gtid_next(&at, end, &there)) == 1) {
        if ((found = find_domain(stored, there.domain, &here)) < 0) return -1;
        if (!found || here.seq != there.seq || here.server != there.server) same = 0;
    }
    return more < 0 || find_domain(stored, 0, &here) < 0 ? -1 : same;
}

static int set_within(const char *inner, const char *outer) {
    ls_gtid_set a = {0}, b = {0};
    ls_error err;
    int rc = ls_gtid_set_read(&a, inner, strlen(inner), &err) || ls_gtid_set_read(&b, outer, strlen(outer), &err) ? -1 : ls_gtid_set_contains(&b, &a);
    ls_gtid_set_free(&a);
    ls_gtid_set_free(&b);
    return rc;
}

int ls_gtid_within(const char *inner, const char *outer) {
    const char *at = inner, *end = inner + strlen(inner);
    ls_gtid in, out;
    int more, found, within = 1;
    if (strchr(inner, ':') || strchr(outer, ':')) return set_within(inner, outer);
    while ((more = ls_gtid_next(&at, end, &in)) == 1) {
        if ((found = find_domain(outer, in.domain, &out)) < 0) return -1;
        if (!found || out.seq < in.seq) within = 0;
    }
    return more < 0 || find_domain(outer, 0, &out) < 0 ? -1 : within;
}
