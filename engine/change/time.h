/* time.h - calendar arithmetic and ISO 8601 text (proleptic Gregorian calendar, UTC). */
#ifndef LS_TIME_H
#define LS_TIME_H

#include "base/buf.h"

#include <stdint.h>

typedef struct ls_civil {
    int64_t year;
    int month, day, hour, minute, second;
    int micro;
} ls_civil;

ls_civil ls_time_civil(int64_t unix_us);
int64_t ls_time_days(int64_t year, int month, int day); /* days since 1970-01-01 */

/* Each appends: 2026-01-02, 03:04:05.67 (fraction without trailing zeros, none without), zero and partial dates as they are. */
void ls_time_date(ls_buf *out, int64_t year, int month, int day);
void ls_time_clock(ls_buf *out, int64_t hours, int minutes, int seconds, int micro);
/* PostgreSQL's ISO text of a date, time, timestamp or timestamptz (DateStyle ISO, TimeZone UTC) in the canonical form:
 * T for the blank, Z for +00, no trailing zeros of the fraction, " BC" and "infinity" kept. -1 on another text. */
int ls_time_from_postgres(ls_buf *out, const char *p, size_t n, bool zoned) LS_MUST_CHECK;

/* A canonical date, datetime or timestamp -> microseconds since 1970; a time of day, or a TIME of MySQL and MariaDB -> its
 * microseconds. Gives 1; 2 for infinity, 3 for -infinity; 0: another text, a zero or partial date, or more than 64 bits hold. */
int ls_time_read(const char *p, size_t n, int64_t *us);

#endif
