#include "capture/gtid_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ls_gtid_set_free(ls_gtid_set *s) {
    for (size_t i = 0; i < s->n; i++) free(s->sources[i].intervals);
    free(s->sources);
    *s = (ls_gtid_set){0};
}

static int no_memory(ls_error *err) {
    return ls_fail_memory(err, "a GTID set");
}

static int order(const ls_gtid_source *a, const uint8_t *uuid, const char *tag) {
    int o = memcmp(a->uuid, uuid, LS_GTID_UUID);
    return o ? o : strcmp(a->tag, tag);
}

/* Where a source stands, or would stand. */
static size_t place_of(const ls_gtid_set *s, const uint8_t *uuid, const char *tag) {
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (order(&s->sources[mid], uuid, tag) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static ls_gtid_source *source_of(ls_gtid_set *s, const uint8_t *uuid, const char *tag) {
    size_t at = place_of(s, uuid, tag);
    if (at < s->n && order(&s->sources[at], uuid, tag) == 0) return &s->sources[at];
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        ls_gtid_source *more = realloc(s->sources, cap * sizeof *more);
        if (!more) return NULL;
        s->sources = more;
        s->cap = cap;
    }
    memmove(s->sources + at + 1, s->sources + at, (s->n++ - at) * sizeof *s->sources);
    ls_gtid_source *source = &s->sources[at];
    *source = (ls_gtid_source){0};
    memcpy(source->uuid, uuid, LS_GTID_UUID);
    memcpy(source->tag, tag, strlen(tag) + 1);
    return source;
}

/* Puts an interval among the others, which it may meet or touch. */
static int insert(ls_gtid_source *s, uint64_t first, uint64_t last) {
    size_t from = 0, to;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        ls_gtid_interval *more = realloc(s->intervals, cap * sizeof *more);
        if (!more) return -1;
        s->intervals = more;
        s->cap = cap;
    }
    from = s->n; /* most come behind the others, or go on the last one */
    while (from && s->intervals[from - 1].last >= first - 1) from--;
    for (to = from; to < s->n && s->intervals[to].first - 1 <= last; to++) {
        if (s->intervals[to].first < first) first = s->intervals[to].first;
        if (s->intervals[to].last > last) last = s->intervals[to].last;
    }
    memmove(s->intervals + from + 1, s->intervals + to, (s->n - to) * sizeof *s->intervals);
    s->intervals[from] = (ls_gtid_interval){first, last};
    s->n = s->n - (to - from) + 1;
    return 0;
}

/* ---- text */

static void skip_blanks(const char **at, const char *end) {
    while (*at < end && (**at == ' ' || **at == '\n' || **at == '\r' || **at == '\t')) ++*at;
}

static bool mark(const char **at, const char *end, char c) {
    skip_blanks(at, end);
    if (*at == end || **at != c) return false;
    ++*at;
    return true;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_uuid(const char **at, const char *end, uint8_t *uuid) {
    skip_blanks(at, end);
    for (size_t i = 0; i < LS_GTID_UUID; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && (*at == end || *(*at)++ != '-')) return false;
        if (end - *at < 2) return false;
        int high = hex((*at)[0]), low = hex((*at)[1]);
        if (high < 0 || low < 0) return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        *at += 2;
    }
    return true;
}

static bool read_number(const char **at, const char *end, uint64_t *out) {
    skip_blanks(at, end);
    const char *p = *at;
    *out = 0;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (*out > (INT64_MAX - digit) / 10) return false;
        *out = *out * 10 + digit;
    }
    bool some = p > *at;
    *at = p;
    return some && *out > 0;
}

/* A tag begins with a letter or _, a number with a digit. */
static bool read_tag(const char **at, const char *end, char tag[LS_GTID_TAG_MAX + 1]) {
    size_t n = 0;
    for (; *at < end; ++*at) {
        char c = **at;
        bool upper = c >= 'A' && c <= 'Z', word = upper || (c >= 'a' && c <= 'z') || c == '_' || (n && c >= '0' && c <= '9');
        if (!word) break;
        if (n == LS_GTID_TAG_MAX) return false;
        tag[n++] = upper ? (char)(c + ('a' - 'A')) : c;
    }
    tag[n] = '\0';
    return true;
}

static int wrong(const char *text, size_t n, const char *at, ls_error *err) {
    return ls_fail(err, LS_FAIL, "\"%.*s\" is no MySQL GTID set: at byte %zu a UUID, a tag or an interval is wanted", (int)(n < 200 ? n : 200), text,
                   (size_t)(at - text));
}

/* "uuid:1-5:7", "uuid:1:tag:2-3": a tag holds for the intervals behind it. */
static int read_source(ls_gtid_set *s, const char **at, const char *end, bool *fine, ls_error *err) {
    uint8_t uuid[LS_GTID_UUID];
    char tag[LS_GTID_TAG_MAX + 1] = "";
    *fine = read_uuid(at, end, uuid);
    while (*fine && mark(at, end, ':')) {
        uint64_t first, last;
        skip_blanks(at, end);
        if (*at < end && (**at < '0' || **at > '9')) {
            *fine = read_tag(at, end, tag) && *tag;
            continue;
        }
        *fine = read_number(at, end, &first);
        last = first;
        if (*fine && mark(at, end, '-')) *fine = read_number(at, end, &last) && last >= first;
        if (!*fine) break;
        ls_gtid_source *source = source_of(s, uuid, tag);
        if (!source || insert(source, first, last)) return no_memory(err);
    }
    return 0;
}

int ls_gtid_set_read(ls_gtid_set *s, const char *text, size_t n, ls_error *err) {
    const char *at = text, *end = text + n;
    bool fine = true;
    for (skip_blanks(&at, end); at < end;) {
        if (read_source(s, &at, end, &fine, err)) return -1;
        if (!fine) return wrong(text, n, at, err);
        if (!mark(&at, end, ',') && at < end) return wrong(text, n, at, err);
        skip_blanks(&at, end);
    }
    return 0;
}

static void print_uuid(const uint8_t *uuid, ls_buf *out) {
    for (size_t i = 0; i < LS_GTID_UUID; i++) ls_buf_fmt(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

void ls_gtid_set_print(const ls_gtid_set *s, ls_buf *out) {
    for (size_t i = 0; i < s->n; i++) {
        const ls_gtid_source *source = &s->sources[i];
        if (i) ls_buf_char(out, ',');
        print_uuid(source->uuid, out);
        if (*source->tag) ls_buf_fmt(out, ":%s", source->tag);
        for (size_t k = 0; k < source->n; k++) {
            const ls_gtid_interval *v = &source->intervals[k];
            ls_buf_fmt(out, ":%" PRIu64, v->first);
            if (v->last > v->first) ls_buf_fmt(out, "-%" PRIu64, v->last);
        }
    }
}

int ls_gtid_set_add(ls_buf *set, const char *gtid, ls_error *err) {
    ls_gtid_set s = {0};
    int rc = ls_gtid_set_read(&s, set->data ? set->data : "", set->len, err) || ls_gtid_set_read(&s, gtid, strlen(gtid), err) ? -1 : 0;
    if (rc == 0) {
        ls_buf_clear(set);
        ls_gtid_set_print(&s, set);
        if (set->failed) rc = no_memory(err);
    }
    ls_gtid_set_free(&s);
    return rc;
}

/* "7" or "4-6", and nothing behind it; a tag is neither. */
static bool read_row(const char *p, uint64_t *first, uint64_t *last) {
    const char *end = p + strlen(p);
    if (!read_number(&p, end, first)) return false;
    *last = *first;
    return p == end || (*p++ == '-' && read_number(&p, end, last) && p == end);
}

bool ls_gtid_set_extend(char *was, size_t size, const char *gtid) {
    const char *number = strrchr(gtid, ':');
    char *row = strrchr(was, ':');
    uint64_t first, last, next, same;
    if (!number || !row || number - gtid != row - was || memcmp(gtid, was, (size_t)(row - was)) != 0) return false;
    size_t at = (size_t)(row + 1 - was);
    if (!read_row(row + 1, &first, &last) || !read_row(number + 1, &next, &same) || next != same || next != last + 1) return false;
    return snprintf(was + at, size - at, "%" PRIu64 "-%" PRIu64, first, next) < (int)(size - at);
}

/* ---- sets */

static bool covers(const ls_gtid_source *s, const ls_gtid_interval *v) {
    for (size_t i = 0; i < s->n; i++)
        if (s->intervals[i].first <= v->first && s->intervals[i].last >= v->last) return true;
    return false;
}

bool ls_gtid_set_contains(const ls_gtid_set *a, const ls_gtid_set *b) {
    for (size_t i = 0; i < b->n; i++) {
        const ls_gtid_source *wanted = &b->sources[i];
        size_t at = place_of(a, wanted->uuid, wanted->tag);
        bool there = at < a->n && order(&a->sources[at], wanted->uuid, wanted->tag) == 0;
        for (size_t k = 0; k < wanted->n; k++)
            if (!there || !covers(&a->sources[at], &wanted->intervals[k])) return false;
    }
    return true;
}

static void put_le(ls_buf *out, uint64_t v) {
    for (int i = 0; i < 8; i++) ls_buf_char(out, (char)(v >> 8 * i));
}

/* The number of sources, or with tags that number between two marks; then each source with its intervals, whose ends are not in
 * them. A tag's length is a number of the server's own serialization: of one byte it is twice the length. */
void ls_gtid_set_encode(const ls_gtid_set *s, ls_buf *out) {
    bool tagged = false;
    for (size_t i = 0; i < s->n; i++) tagged |= *s->sources[i].tag != '\0';
    put_le(out, tagged ? UINT64_C(1) << 56 | (uint64_t)s->n << 8 | 1 : s->n);
    for (size_t i = 0; i < s->n; i++) {
        const ls_gtid_source *source = &s->sources[i];
        ls_buf_add(out, source->uuid, LS_GTID_UUID);
        if (tagged) {
            size_t n = strlen(source->tag);
            ls_buf_char(out, (char)(n << 1));
            ls_buf_add(out, source->tag, n);
        }
        put_le(out, source->n);
        for (size_t k = 0; k < source->n; k++) {
            put_le(out, source->intervals[k].first);
            put_le(out, source->intervals[k].last + 1);
        }
    }
}
