/* number.h - numbers to text, digit for digit. */
#ifndef LS_NUMBER_H
#define LS_NUMBER_H

#include "base/buf.h"

#include <stdbool.h>

/* The shortest text that reads back as the same double (float), written as RFC 8785 section 3.2.2.3 does: 1e+21, 1e-7, 0.000001;
 * -0 is kept; NaN, Infinity, -Infinity by those names (as strings in JSON: the caller quotes). */
void ls_number_double(ls_buf *out, double d);
void ls_number_float(ls_buf *out, double d); /* d holds a float exactly */
/* A server's text of a double (float): "1e+20", "-0", "1.5e-05", "NaN", "Infinity", "-Infinity". -1: it is none, or beyond
 * the type's range. */
int ls_number_read_double(const char *p, size_t n, double *out) LS_MUST_CHECK;
int ls_number_read_float(const char *p, size_t n, double *out) LS_MUST_CHECK;
/* Is it a JSON integer, as PostgreSQL and RFC 8259 both write one ("-12")? */
bool ls_number_is_integer(const char *p, size_t n);
/* Is it decimal text: digits, an optional point and fraction, an optional sign? */
bool ls_number_is_decimal(const char *p, size_t n);

#endif
