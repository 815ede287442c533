#include "capture/binlog_value_parts.h"
#include "change/time.h"

static const uint64_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

static size_t fraction_bytes(const ls_wire_column *c) {
    return (c->meta + 1u) / 2;
}

/* What MariaDB wrote before mysql56_temporal_format, with a fraction of meta digits: one number, big endian. */
static bool is_old_with_fraction(const ls_wire_column *c) {
    return (c->code == LS_WIRE_TIME || c->code == LS_WIRE_DATETIME || c->code == LS_WIRE_TIMESTAMP) && c->meta;
}

size_t ls_wire_temporal_bytes(const ls_wire_column *c) {
    static const uint8_t time[] = {3, 4, 4, 5, 5, 5, 6}, datetime[] = {8, 6, 6, 7, 7, 7, 8}, timestamp[] = {4, 5, 5, 6, 6, 7, 7};
    switch (c->code) {
    case LS_WIRE_TIME:
        return time[c->meta];
    case LS_WIRE_DATETIME:
        return datetime[c->meta];
    case LS_WIRE_TIMESTAMP:
        return timestamp[c->meta];
    case LS_WIRE_TIME2:
        return 3 + fraction_bytes(c);
    case LS_WIRE_DATETIME2:
        return 5 + fraction_bytes(c);
    case LS_WIRE_TIMESTAMP2:
        return 4 + fraction_bytes(c);
    default:
        return 3; /* DATE */
    }
}

/* The fraction's bytes (big endian, in units of 100 to the power of what its width leaves) as microseconds. */
static int read_fraction(const ls_wire_column *c, ls_cursor *in) {
    static const int unit[] = {0, 10000, 100, 1};
    size_t n = fraction_bytes(c);
    return n ? (int)ls_cursor_be(in, n) * unit[n] : 0;
}

static int bad_time(const ls_wire_column *c, ls_error *err) {
    static const char *const names[] = {[LS_TYPE_DATE] = "DATE",
                                        [LS_TYPE_TIME] = "TIME",
                                        [LS_TYPE_DATETIME] = "DATETIME",
                                        [LS_TYPE_TIMESTAMP] = "TIMESTAMP"};
    return ls_fail(err, LS_FAIL, "bytes that are no %s", names[c->type]);
}

typedef struct moment {
    uint64_t year, month, day, hour, minute, second;
    int micro;
} moment;

static bool clock_fits(const moment *m) {
    return m->minute < 60 && m->second < 60 && m->micro < 1000000;
}

static bool moment_fits(const moment *m) {
    return m->year <= 9999 && m->month <= 12 && m->day <= 31 && m->hour < 24 && clock_fits(m);
}

/* What change/time.h prints, without its generality: the temporal columns are what decoding spends most time on. */
static char *put_digits(char *p, uint64_t v, int width) {
    for (int i = width; i-- > 0; v /= 10) p[i] = (char)('0' + v % 10);
    return p + width;
}

static char *put_date(char *p, const moment *m) {
    p = put_digits(p, m->year, 4);
    *p++ = '-';
    p = put_digits(p, m->month, 2);
    *p++ = '-';
    return put_digits(p, m->day, 2);
}

static char *put_clock(char *p, const moment *m) {
    p = put_digits(p, m->hour, m->hour > 99 ? 3 : 2);
    *p++ = ':';
    p = put_digits(p, m->minute, 2);
    *p++ = ':';
    p = put_digits(p, m->second, 2);
    if (!m->micro) return p;
    *p++ = '.';
    p = put_digits(p, (uint64_t)m->micro, 6);
    while (p[-1] == '0') p--;
    return p;
}

static char *put_moment(char *p, const moment *m) {
    p = put_date(p, m);
    *p++ = 'T';
    return put_clock(p, m);
}

static int read_date(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    uint64_t v = ls_cursor_le(in, 3);
    moment m = {.year = v >> 9, .month = v >> 5 & 15, .day = v & 31};
    if (!moment_fits(&m)) return bad_time(c, err);
    *p = put_date(*p, &m);
    return 0;
}

static const uint64_t DATETIME2_OFFSET = 0x8000000000;

static int read_datetime(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    moment m;
    if (is_old_with_fraction(c)) {
        uint64_t v = ls_cursor_be(in, ls_wire_temporal_bytes(c)), s = v / power[c->meta], d = s / 86400;
        m = (moment){.year = d / 32 / 13, .month = d / 32 % 13, .day = d % 32};
        m.hour = s / 3600 % 24, m.minute = s / 60 % 60, m.second = s % 60;
        m.micro = (int)(v % power[c->meta] * power[6 - c->meta]);
    } else if (c->code == LS_WIRE_DATETIME2) {
        uint64_t v = ls_cursor_be(in, 5) ^ DATETIME2_OFFSET, months = v >> 22; /* there are no negative ones */
        m = (moment){.year = months / 13, .month = months % 13, .day = v >> 17 & 31};
        m.hour = v >> 12 & 31, m.minute = v >> 6 & 63, m.second = v & 63;
        m.micro = read_fraction(c, in);
    } else {
        uint64_t v = ls_cursor_le(in, 8), d = v / 1000000, t = v % 1000000;
        m = (moment){.year = d / 10000, .month = d / 100 % 100, .day = d % 100};
        m.hour = t / 10000, m.minute = t / 100 % 100, m.second = t % 100;
    }
    if (!moment_fits(&m)) return bad_time(c, err);
    *p = put_moment(*p, &m);
    return 0;
}

static int read_timestamp(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    bool old = c->code == LS_WIRE_TIMESTAMP, fraction = is_old_with_fraction(c);
    int64_t seconds = (int64_t)(old && !fraction ? ls_cursor_le(in, 4) : ls_cursor_be(in, 4));
    uint64_t part = fraction ? ls_cursor_be(in, ls_wire_temporal_bytes(c) - 4) : 0;
    if (part >= power[6]) return bad_time(c, err);
    int micro = fraction ? (int)(part * power[6 - c->meta]) : old ? 0 : read_fraction(c, in);
    if (micro >= 1000000) return bad_time(c, err);
    moment m = {0}; /* second 0 is the server's '0000-00-00 00:00:00' */
    if (seconds || micro) {
        ls_civil t = ls_time_civil(seconds * 1000000 + micro);
        m = (moment){(uint64_t)t.year,   (uint64_t)t.month,  (uint64_t)t.day, (uint64_t)t.hour,
                     (uint64_t)t.minute, (uint64_t)t.second, t.micro};
    }
    *p = put_moment(*p, &m);
    *(*p)++ = 'Z';
    return 0;
}

static int read_time(const ls_wire_column *c, ls_cursor *in, char **p, ls_error *err) {
    moment m;
    bool negative;
    if (is_old_with_fraction(c)) {
        const int64_t zero = INT64_C(3020400) * (int64_t)power[c->meta]; /* 839 hours: what is below is negative */
        int64_t packed = (int64_t)ls_cursor_be(in, ls_wire_temporal_bytes(c)) - zero;
        negative = packed < 0;
        uint64_t v = (uint64_t)(negative ? -packed : packed), s = v / power[c->meta];
        m = (moment){.hour = s / 3600, .minute = s / 60 % 60, .second = s % 60};
        m.micro = (int)(v % power[c->meta] * power[6 - c->meta]);
    } else if (c->code == LS_WIRE_TIME2) { /* whole and fraction are one number, kept with an offset of half its range */
        static const uint64_t unit[] = {0, 10000, 100, 1};
        size_t n = fraction_bytes(c);
        int64_t packed = (int64_t)ls_cursor_be(in, 3 + n) - ((int64_t)0x800000 << (8 * n));
        negative = packed < 0;
        uint64_t v = (uint64_t)(negative ? -packed : packed);
        uint64_t whole = v >> (8 * n), part = v & ((UINT64_C(1) << (8 * n)) - 1);
        m = (moment){.hour = whole >> 12 & 0x3ff, .minute = whole >> 6 & 63, .second = whole & 63};
        m.micro = (int)(part * unit[n]);
    } else {
        int64_t packed = ls_wire_signed(ls_cursor_le(in, 3), 3);
        negative = packed < 0;
        uint64_t v = (uint64_t)(negative ? -packed : packed);
        m = (moment){.hour = v / 10000, .minute = v / 100 % 100, .second = v % 100};
    }
    if (!clock_fits(&m) || m.hour > 838) return bad_time(c, err);
    if (negative) *(*p)++ = '-';
    *p = put_clock(*p, &m);
    return 0;
}

int ls_wire_temporal(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_value *out, ls_error *err) {
    char text[40], *p = text; /* "9999-12-31T23:59:59.999999Z" is the longest */
    int rc = c->type == LS_TYPE_DATE       ? read_date(c, in, &p, err)
             : c->type == LS_TYPE_TIME     ? read_time(c, in, &p, err)
             : c->type == LS_TYPE_DATETIME ? read_datetime(c, in, &p, err)
                                           : read_timestamp(c, in, &p, err);
    if (rc || in->failed) return in->failed ? 0 : rc;
    size_t n = (size_t)(p - text);
    char *copy = ls_arena_alloc(arena, n);
    if (!copy) return ls_fail_memory(err, "a value");
    memcpy(copy, text, n);
    *out = ls_value_text(copy, n);
    return 0;
}
