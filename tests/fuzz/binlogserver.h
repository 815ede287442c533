/* binlogserver.h - what the fuzzers of the binlog have in common: a server's answers, made from what is asked for, and the
 * reading of decoded rows. */
#ifndef BINLOGSERVER_H
#define BINLOGSERVER_H

#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_map.h"
#include "change/value.h"

#include <stdlib.h>
#include <string.h>

/* The numbers that servers give, so that recorded seeds are read as what they were written; of others, not one. */
static inline const char *charset(void *ctx, uint32_t collation) {
    static const struct {
        uint32_t collation;
        const char *name;
    } all[] = {{1, "big5"},     {7, "koi8r"},     {8, "latin1"},  {10, "swe7"},     {11, "ascii"},    {12, "ujis"},
               {13, "sjis"},    {19, "euckr"},    {28, "gbk"},    {33, "utf8mb3"},  {35, "ucs2"},     {45, "utf8mb4"},
               {46, "utf8mb4"}, {47, "latin1"},   {51, "cp1251"}, {54, "utf16"},    {56, "utf16le"},  {60, "utf32"},
               {65, "ascii"},   {83, "utf8mb3"},  {95, "cp932"},  {97, "eucjpms"},  {248, "gb18030"}};
    (void)ctx;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].collation == collation) return all[i].name;
    return collation >= 224 ? "utf8mb4" : NULL;
}

static inline int columns(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *err) {
    (void)ctx, (void)schema;
    if (table[0] == 'q') return ls_fail(err, LS_AGAIN, "the server does not answer");
    for (size_t i = 0; i < n; i++) {
        char first = cols[i].name_len ? cols[i].name[0] : '\0', last = cols[i].name_len ? cols[i].name[cols[i].name_len - 1] : '0';
        cols[i].type = first == 'u'   ? LS_ASKED_UUID
                       : first == 'v' ? LS_ASKED_INET4
                       : first == 'w' ? LS_ASKED_INET6
                       : first == 'j' ? LS_ASKED_JSON
                                      : LS_ASKED_PLAIN;
        cols[i].precision = last >= '0' && last <= '9' ? last - '0' : 0;
    }
    return 0;
}

static inline int versioned(void *ctx, const char *schema, const char *table, bool *is, ls_error *err) {
    (void)ctx, (void)schema, (void)err;
    *is = table[0] == 'v';
    return 0;
}

static inline void warn(void *ctx, const char *text) {
    (void)ctx;
    if (!*text || !ls_utf8_valid(text, strlen(text))) abort();
}

/* What stands in a message as it is must be JSON. */
static inline void read_document(const ls_value *v) {
    ls_json j = ls_json_over(v->as.p, v->len);
    ls_json_value document;
    ls_error err;
    if (ls_json_read(&j, &document, &err) || ls_json_end(&j, &err)) abort();
}

/* Mended text is sent under one policy only. */
static inline void read_image(ls_buf *text, const ls_schema *s, const ls_value *v, ls_invalid_policy policy) {
    for (uint32_t i = 0; v && i < s->ncols; i++) {
        if (v[i].state > LS_ABSENT) abort();
        if (v[i].state == LS_PRESENT && v[i].mended && policy != LS_INVALID_REPLACE) abort();
        if (v[i].state <= LS_NULL) ls_value_json(text, &v[i], s->cols[i].type);
        if (v[i].state == LS_PRESENT && v[i].kind == LS_KIND_TEXT && !ls_utf8_valid(v[i].as.p, v[i].len)) abort();
        if (v[i].state == LS_PRESENT && v[i].kind == LS_KIND_JSON) read_document(&v[i]);
    }
}

#endif
