#include "change/time.h"

#include <stdbool.h>
#include <string.h>

/* Howard Hinnant's calendar formulas ("chrono-Compatible Low-Level Date Algorithms"): eras of 400 years from March. */
int64_t ls_time_days(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

ls_civil ls_time_civil(int64_t us) {
    enum { DAY = 86400 };
    int64_t seconds = us / 1000000, micro = us % 1000000;
    if (micro < 0) micro += 1000000, seconds--;
    int64_t days = seconds / DAY, left = seconds % DAY;
    if (left < 0) left += DAY, days--;
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t mp = (5 * of_year + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    return (ls_civil){.year = year + era * 400 + (month <= 2),
                      .month = month,
                      .day = (int)(of_year - (153 * mp + 2) / 5 + 1),
                      .hour = (int)(left / 3600),
                      .minute = (int)(left / 60 % 60),
                      .second = (int)(left % 60),
                      .micro = (int)micro};
}

static void digits(ls_buf *out, uint64_t v, int width) {
    char t[20];
    for (int i = width; i-- > 0; v /= 10) t[i] = (char)('0' + v % 10);
    ls_buf_add(out, t, (size_t)width);
}

void ls_time_date(ls_buf *out, int64_t year, int month, int day) {
    if (year > 9999)
        ls_buf_i64(out, year);
    else
        digits(out, (uint64_t)year, 4);
    ls_buf_char(out, '-');
    digits(out, (uint64_t)month, 2);
    ls_buf_char(out, '-');
    digits(out, (uint64_t)day, 2);
}

void ls_time_clock(ls_buf *out, int64_t hours, int minutes, int seconds, int micro) {
    if (hours > 99)
        ls_buf_i64(out, hours);
    else
        digits(out, (uint64_t)hours, 2);
    ls_buf_char(out, ':');
    digits(out, (uint64_t)minutes, 2);
    ls_buf_char(out, ':');
    digits(out, (uint64_t)seconds, 2);
    if (!micro) return;
    ls_buf_char(out, '.');
    int width = 6;
    while (micro % 10 == 0) micro /= 10, width--;
    digits(out, (uint64_t)micro, width);
}

static size_t run_of_digits(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') i++;
    return i;
}

/* Length of "YYYY-MM-DD" (a year of four digits or more) or "HH:MM:SS" at p; 0 if it is not that. */
static size_t three_parts(const char *p, size_t n, char mark) {
    size_t first = run_of_digits(p, n);
    if (first < (mark == '-' ? 4 : 2) || n < first + 6 || p[first] != mark || p[first + 3] != mark) return 0;
    if (run_of_digits(p + first + 1, 2) != 2 || run_of_digits(p + first + 4, 2) != 2) return 0;
    return first + 6;
}

int ls_time_from_postgres(ls_buf *out, const char *p, size_t n, bool zoned) {
    const char *end = p + n, *at = p;
    bool bc = n > 3 && memcmp(end - 3, " BC", 3) == 0;
    if ((n == 8 && memcmp(p, "infinity", 8) == 0) || (n == 9 && memcmp(p, "-infinity", 9) == 0)) {
        ls_buf_add(out, p, n);
        return 0;
    }
    if (bc) end -= 3;
    size_t date = three_parts(at, (size_t)(end - at), '-');
    at += date;
    bool blank = date && at < end && *at == ' ';
    at += blank;
    size_t clock = three_parts(at, (size_t)(end - at), ':');
    const char *whole_clock = at;
    at += clock;
    if (!clock && (!date || blank)) return -1;
    const char *fraction = at;
    size_t flen = 0;
    if (clock && at < end && *at == '.') {
        flen = 1 + run_of_digits(at + 1, (size_t)(end - at - 1));
        at += flen;
        while (flen && (fraction[flen - 1] == '0' || fraction[flen - 1] == '.')) flen--;
    }
    if (zoned) {
        if (end - at != 3 || memcmp(at, "+00", 3) != 0) return -1;
        at += 3;
    }
    if (at != end || (zoned && !(date && clock))) return -1;
    ls_buf_add(out, p, date);
    if (date && clock) ls_buf_char(out, 'T');
    ls_buf_add(out, whole_clock, clock);
    ls_buf_add(out, fraction, flen);
    if (zoned) ls_buf_char(out, 'Z');
    if (bc) ls_buf_str(out, " BC");
    return 0;
}

static int64_t number_of(const char *p, size_t n) {
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v * 10 + (p[i] - '0');
    return v;
}

/* "HH:MM:SS[.ffffff]", all of it. */
static int read_clock(const char *p, size_t n, int64_t *us) {
    size_t clock = three_parts(p, n, ':'), hours = clock - 6;
    if (!clock || hours > 3) return 0;
    *us = (number_of(p, hours) * 3600 + number_of(p + hours + 1, 2) * 60 + number_of(p + hours + 4, 2)) * 1000000;
    if (clock == n) return 1;
    size_t digits_n = n - clock - 1;
    if (p[clock] != '.' || !digits_n || digits_n > 6 || run_of_digits(p + clock + 1, digits_n) != digits_n) return 0;
    int64_t fraction = number_of(p + clock + 1, digits_n);
    for (size_t i = digits_n; i < 6; i++) fraction *= 10;
    *us += fraction;
    return 1;
}

static bool there_is(int64_t year, int64_t month, int64_t day) {
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return false;
    return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

int ls_time_read(const char *p, size_t n, int64_t *us) {
    enum { YEAR_DIGITS = 7 };
    int64_t clock = 0;
    if (n == 8 && memcmp(p, "infinity", 8) == 0) return 2;
    if (n == 9 && memcmp(p, "-infinity", 9) == 0) return 3;
    bool bc = n > 3 && memcmp(p + n - 3, " BC", 3) == 0;
    if (bc) n -= 3;
    size_t date = three_parts(p, n, '-'), years = date - 6;
    if (!date) {
        bool negative = n && *p == '-';
        if (bc || !read_clock(p + negative, n - negative, us)) return 0;
        if (negative) *us = -*us;
        return 1;
    }
    if (years > YEAR_DIGITS) return 0;
    int64_t year = number_of(p, years), month = number_of(p + years + 1, 2), day = number_of(p + years + 4, 2);
    if (bc) year = 1 - year; /* 1 BC is the year 0 of the calendar that is reckoned with */
    if ((!bc && !year) || !there_is(year, month, day)) return 0;
    if (date < n) {
        size_t rest = n - date - 1;
        if (p[date] != 'T') return 0;
        if (rest && p[n - 1] == 'Z') rest--;
        if (!read_clock(p + date + 1, rest, &clock)) return 0;
    }
    int64_t days = ls_time_days(year, (int)month, (int)day);
    return __builtin_mul_overflow(days, INT64_C(86400000000), us) || __builtin_add_overflow(*us, clock, us) ? 0 : 1;
}
