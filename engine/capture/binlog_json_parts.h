/* binlog_json_parts.h - binary JSON as its printer and what changes a document share it. Private to them. */
#ifndef LS_BINLOG_JSON_PARTS_H
#define LS_BINLOG_JSON_PARTS_H

#include "base/buf.h"
#include "base/cursor.h"

/* A document, or a value that a change brings, while it is read. */
typedef struct ls_jsonb {
    const uint8_t *start;
    size_t budget; /* bytes that values may still take: no two share any, or a small document would print without end */
    uint32_t change; /* which one brings it, from 1; 0: it is the document */
    bool *mended;    /* see ls_jsonb_text() */
    ls_buf *out;
    ls_error *err;
} ls_jsonb;

/* An object or array: `count` entries. */
typedef struct ls_jsonb_container {
    ls_cursor all; /* its bytes; offsets count from their start */
    ls_cursor keys, values;
    uint64_t count;
    size_t width; /* bytes of an offset */
    bool object;
} ls_jsonb_container;

bool ls_jsonb_is_container(uint8_t type);
/* `in` at the value, behind its type. Each container is opened once, by its printing or by this. Errors name the offset. */
int ls_jsonb_open(ls_jsonb *r, uint8_t type, ls_cursor in, int depth, ls_jsonb_container *out) LS_MUST_CHECK;
/* The i-th entry's key, not checked for UTF-8, and its value. */
int ls_jsonb_key(const ls_jsonb *r, const ls_jsonb_container *c, uint64_t i, const uint8_t **key, size_t *n) LS_MUST_CHECK;
int ls_jsonb_entry(const ls_jsonb *r, const ls_jsonb_container *c, uint64_t i, uint8_t *type, ls_cursor *in) LS_MUST_CHECK;
/* Counts bytes as taken by a text, which must be UTF-8 unless it is to be mended. */
int ls_jsonb_take_text(ls_jsonb *r, const uint8_t *p, size_t n) LS_MUST_CHECK;
/* Appends a text that was taken, as a JSON string. */
void ls_jsonb_put_text(ls_jsonb *r, const uint8_t *p, size_t n);
/* Appends a value; n of a container's entries, commas between them. depth: how many containers it stands in. */
int ls_jsonb_print(ls_jsonb *r, uint8_t type, ls_cursor in, int depth) LS_MUST_CHECK;
int ls_jsonb_print_entries(ls_jsonb *r, const ls_jsonb_container *c, uint64_t first, uint64_t n, int depth) LS_MUST_CHECK;

#endif
