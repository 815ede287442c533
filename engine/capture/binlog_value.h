/* binlog_value.h - one column's bytes in a row event <-> a value. Pure. */
#ifndef LS_BINLOG_VALUE_H
#define LS_BINLOG_VALUE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "capture/binlog_labels.h"
#include "change/value.h"

/* Column types as the table map numbers them. */
enum ls_wire_code {
    LS_WIRE_DECIMAL_OLD = 0,
    LS_WIRE_TINY = 1,
    LS_WIRE_SHORT = 2,
    LS_WIRE_LONG = 3,
    LS_WIRE_FLOAT = 4,
    LS_WIRE_DOUBLE = 5,
    LS_WIRE_NULL = 6,
    LS_WIRE_TIMESTAMP = 7,
    LS_WIRE_LONGLONG = 8,
    LS_WIRE_INT24 = 9,
    LS_WIRE_DATE = 10,
    LS_WIRE_TIME = 11,
    LS_WIRE_DATETIME = 12,
    LS_WIRE_YEAR = 13,
    LS_WIRE_NEWDATE = 14,
    LS_WIRE_VARCHAR = 15,
    LS_WIRE_BIT = 16,
    LS_WIRE_TIMESTAMP2 = 17,
    LS_WIRE_DATETIME2 = 18,
    LS_WIRE_TIME2 = 19,
    LS_WIRE_BLOB_COMPRESSED = 140,
    LS_WIRE_VARCHAR_COMPRESSED = 141,
    LS_WIRE_VECTOR = 242,
    LS_WIRE_JSON = 245,
    LS_WIRE_NEWDECIMAL = 246,
    LS_WIRE_ENUM = 247,
    LS_WIRE_SET = 248,
    LS_WIRE_TINY_BLOB = 249,
    LS_WIRE_MEDIUM_BLOB = 250,
    LS_WIRE_LONG_BLOB = 251,
    LS_WIRE_BLOB = 252,
    LS_WIRE_VAR_STRING = 253,
    LS_WIRE_STRING = 254,
    LS_WIRE_GEOMETRY = 255
};

enum { LS_COLLATION_BINARY = 63 };

/* What only information_schema says of a column. */
typedef enum ls_asked_type {
    LS_ASKED_PLAIN,
    LS_ASKED_UUID,
    LS_ASKED_INET4,
    LS_ASKED_INET6,
    LS_ASKED_JSON
} ls_asked_type;

/* What the table map says of a column. */
typedef struct ls_wire_column {
    const char *name; /* name_len bytes, not terminated; owned by the map */
    uint32_t name_len;
    uint32_t collation;        /* of a column with text or bytes */
    const ls_charset *charset; /* NULL: bytes, or no text */
    const char *unsupported;   /* the type's name when its values are not decoded, else NULL; static */
    ls_labels *labels;         /* of ENUM and SET; owned by the map */
    uint16_t meta; /* STRING, VARCHAR: bytes; BLOB, GEOMETRY: bytes of the length; temporal: digits of the fraction; BIT: bytes and bits;
                      ENUM, SET: bytes */
    uint8_t code;              /* enum ls_wire_code; STRING is resolved into STRING, ENUM and SET */
    uint8_t scale;             /* NEWDECIMAL, whose precision is meta */
    uint8_t type;              /* enum ls_type */
    uint8_t asked;             /* ls_asked_type, where it is doubtful */
    uint32_t at; /* the column's number in the schema, unless it is hidden */
    bool hidden; /* MariaDB's own, for a UNIQUE of long columns: no statement sees it */
    bool is_unsigned;
    bool is_key;
    bool doubtful; /* only information_schema knows the type, or its precision */
} ls_wire_column;

/* Reads the table map's metadata of a column whose code is set, and resolves STRING. false: it makes no sense. */
bool ls_wire_meta(ls_wire_column *c, ls_cursor *meta);
/* The columns that the table map's field of signs counts. */
bool ls_wire_is_numeric(uint8_t code);
bool ls_wire_is_labelled(uint8_t code); /* ENUM or SET */
/* The columns that its character set fields count: MariaDB takes GEOMETRY for one of them, MySQL does not. */
bool ls_wire_has_collation(const ls_wire_column *c, bool mariadb);
/* What to call a type whose values are not decoded. */
const char *ls_wire_unsupported(uint8_t code);
/* Passes a value. A cursor that has failed afterwards is an error of the event. */
void ls_wire_skip(const ls_wire_column *c, ls_cursor *in);
/* Reads a value; its bytes are copied into the arena. `text` is scratch. mended: set when it is text that was not valid in its
 * character set, which was mended and flagged; NULL: that is an error. A cursor that has failed afterwards is an error of the
 * event, *out is then undefined. -1: memory, or bytes that are no value of the type. */
int ls_wire_read(const ls_wire_column *c, ls_cursor *in, ls_arena *arena, ls_buf *text, bool *mended, ls_value *out,
                 ls_error *err) LS_MUST_CHECK;
/* STRING, VARCHAR, BLOB and their like: the bytes behind their length; NULL, the cursor failed: there are fewer. */
const uint8_t *ls_wire_take(const ls_wire_column *c, ls_cursor *in, size_t *n);
/* MySQL's JSON: the document before with its changes (see binlog_json_diff.h). */
int ls_wire_changed_json(const uint8_t *before, size_t nbefore, const uint8_t *changes, size_t nchanges, ls_arena *arena, ls_buf *text,
                         bool *mended, ls_value *out, ls_error *err) LS_MUST_CHECK;

#endif
