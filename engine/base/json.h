/* json.h - JSON text: writing strings, and reading by tokens.
 * The reader copies nothing and allocates nothing: a string that holds escapes is unescaped into a buffer of the caller's. */
#ifndef LS_JSON_H
#define LS_JSON_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends the string with its quotes: \" \\ \b \f \n \r \t, \u00xx in lower case for other controls, all else raw. */
void ls_json_string(ls_buf *out, const char *p, size_t n);

/* Would the string stand between its quotes as it is? */
bool ls_json_is_plain(const char *p, size_t n);

enum { LS_JSON_DEPTH = 128 }; /* nesting that the reader takes; deeper is an error */

typedef struct ls_json {
    const char *start, *at, *end;
} ls_json;

typedef enum ls_json_kind {
    LS_JSON_OBJECT,
    LS_JSON_ARRAY,
    LS_JSON_STRING,
    LS_JSON_NUMBER,
    LS_JSON_TRUE,
    LS_JSON_FALSE,
    LS_JSON_NULL
} ls_json_kind;

/* A scalar's, or a whole nested value's, own text. p, n of a string are what stands between its quotes. */
typedef struct ls_json_value {
    ls_json_kind kind;
    bool escaped; /* a string with at least one backslash: ls_json_unescape() it */
    const char *p;
    size_t n;
} ls_json_value;

ls_json ls_json_over(const char *p, size_t n);

/* Reads one value whole (for an object or array: checked and passed over, p and n are its text). Errors name the offset. */
int ls_json_read(ls_json *j, ls_json_value *v, ls_error *err) LS_MUST_CHECK;
/* The text between an object's or array's brackets, to be walked with the two below. */
ls_json ls_json_inside(const ls_json_value *v);
/* Next member or element: 1 with *key (objects; always a string) and *v, 0 at the end, -1 on an error. */
int ls_json_member(ls_json *j, ls_json_value *key, ls_json_value *v, ls_error *err) LS_MUST_CHECK;
int ls_json_element(ls_json *j, ls_json_value *v, ls_error *err) LS_MUST_CHECK;
/* For a reader that knows what it wants and passes over the text once: the bracket ('{' or '['), then as long as _more
 * gives 1 (0: closed) a member's name or an element. */
int ls_json_open(ls_json *j, char bracket, ls_error *err) LS_MUST_CHECK;
int ls_json_more(ls_json *j, char closing, bool *first, ls_error *err) LS_MUST_CHECK; /* *first: true at the start */
int ls_json_name(ls_json *j, ls_json_value *key, ls_error *err) LS_MUST_CHECK; /* with its colon */
/* Nothing but white space may be left: 0, or -1 with an error. */
int ls_json_end(ls_json *j, ls_error *err) LS_MUST_CHECK;

/* Appends a string value's text, escapes resolved (surrogate pairs joined; a lone surrogate is an error). */
int ls_json_unescape(const ls_json_value *v, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Is the (unescaped) string equal to s? */
bool ls_json_is(const ls_json_value *v, const char *s);
/* A number without fraction or exponent that fits: 0, else -1. */
int ls_json_u64(const ls_json_value *v, uint64_t *out) LS_MUST_CHECK;
int ls_json_i64(const ls_json_value *v, int64_t *out) LS_MUST_CHECK;

/* Is the text one document, and nothing behind it? Not asked: whether it is UTF-8. */
bool ls_json_is_document(const char *p, size_t n);
/* Appends a valid document's text without the blanks between its tokens; order, numbers and escapes stay. */
void ls_json_compact(ls_buf *out, const char *p, size_t n);
/* Are there any such blanks? */
bool ls_json_is_compact(const char *p, size_t n);

#endif
