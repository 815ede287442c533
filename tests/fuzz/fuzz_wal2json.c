/* Any bytes as a row of wal2json messages, a line each: decoded or refused, and what is decoded can be read. The seeds were
 * recorded from a PostgreSQL 15 server with wal2json 2.5. */
#include "base/text.h"
#include "capture/wal2json.h"
#include "change/value.h"

#include <stdlib.h>
#include <string.h>

static int keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    static const char *primary[] = {"id"}, *several[] = {"y", "x"}, *replica[] = {"b", "a"};
    (void)ctx, (void)arena;
    if (table % 16 == 15) return ls_fail(err, LS_AGAIN, "the catalog does not answer");
    if (table % 4) out->primary = (ls_pg_index){table % 4 == 1 ? primary : several, table % 4 == 1 ? 1 : 2, NULL};
    if (table % 2) out->replica = (ls_pg_index){replica, 2, NULL};
    return 0;
}

static int type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    (void)ctx, (void)err;
    static const uint32_t oids[] = {16, 17, 23, 25, 114, 701, 790, 1042, 1184, 1186, 1560, 1700, 1007, 1009, 16503};
    uint32_t is = oids[oid % (sizeof oids / sizeof *oids)];
    *out = (ls_pg_type_info){.typtype = "eb\0"[oid % 3], .oid = is, .delimiter = ',', .element = is == 1007 ? 23 : is == 1009 ? 25 : 0};
    strcpy(out->schema, "pg_catalog");
    return 0;
}

static int settle(void *ctx, uint32_t xid, ls_error *err) {
    (void)ctx;
    return xid % 1000 == 999 ? ls_fail(err, LS_AGAIN, "not to be seen yet") : 0;
}

static void no_identity(void *ctx, const char *schema, const char *table) {
    (void)ctx, (void)schema, (void)table;
}

/* What the catalog says of a table is made from its name. */
static int table(void *ctx, const char *schema, const char *name, ls_arena *arena, ls_wal2json_facts *out, ls_error *err) {
    static ls_wal2json_column cols[] = {
        {"id", 23, 1, false, false, 0, false},  {"n", 23, 2, false, false, 0, false},   {"gone", 0, 3, true, true, 750, false},
        {"v", 25, 4, false, true, 800, false},  {"b", 17, 5, false, true, 740, false},  {"c", 25, 6, true, true, 0, true},
        {"late", 25, 9, false, true, 790, false}};
    (void)ctx, (void)schema, (void)arena, (void)err;
    uint32_t h = 1;
    for (const char *p = name; *p; p++) h = h * 31 + (uint8_t)*p;
    *out = (ls_wal2json_facts){.known_to = (uint64_t)h << 8};
    if (h % 8 == 0) return 0;
    out->oid = h;
    out->kind = h % 64 == 5 ? 'm' : 'r';
    out->identity = "dfin"[h / 8 % 4];
    out->deferrable = h % 16 == 3;
    out->cols = cols;
    out->ncols = h / 32 % (sizeof cols / sizeof *cols + 1);
    return 0;
}

static void warn(void *ctx, const char *text) {
    (void)ctx;
    if (!ls_utf8_valid(text, strlen(text))) abort();
}

/* Mended text is sent under one policy only. */
static void read_image(ls_buf *text, const ls_schema *s, const ls_value *v, ls_invalid_policy policy) {
    for (uint32_t i = 0; v && i < s->ncols; i++) {
        if (v[i].state <= LS_NULL) ls_value_json(text, &v[i], s->cols[i].type);
        if (v[i].state == LS_PRESENT && v[i].kind == LS_KIND_TEXT && !ls_utf8_valid(v[i].as.p, v[i].len)) abort();
        if (v[i].state == LS_PRESENT && v[i].mended && policy != LS_INVALID_REPLACE) abort();
    }
}

/* on_invalid_text, by all of the input's bytes: each input has one, and its neighbours have others. */
static ls_invalid_policy policy_of(const uint8_t *data, size_t size) {
    uint32_t h = 0x811c9dc5u; /* FNV-1a */
    for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * 0x01000193u;
    return (ls_invalid_policy)((h >> 16) % (LS_INVALID_SKIP + 1));
}

/* first: room for the first change's place. */
static void read_batch(ls_work *w, ls_buf *text, ls_invalid_policy policy, char first[40]) {
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_clear(text);
        ls_buf_str(text, c->schema->schema);
        read_image(text, c->schema, c->after, policy);
        read_image(text, c->schema, c->before, policy);
        for (uint32_t k = 0; c->moved && k < c->schema->nkey; k++)
            if (c->moved[k].state == LS_PRESENT) ls_value_print(text, &c->moved[k]);
        if (c->seq == 0 || text->failed) abort();
        if (!*first) memcpy(first, c->tx->pos, sizeof c->tx->pos);
    }
    ls_work_reset(w);
}

/* One message, copied to its own allocation so that a read beyond it is seen. */
static int decode(ls_wal2json *d, ls_work *w, const uint8_t *p, size_t n) {
    ls_error err;
    void *message = malloc(n ? n : 1);
    if (!message) return -1;
    if (n) memcpy(message, p, n);
    int rc = ls_wal2json_message(d, w, message, n, &err);
    if (ls_work_keep(w, message, n, free)) return -1;
    return rc;
}

static void run(const uint8_t *data, size_t size, const char *delivered_pos, uint64_t delivered_seq, char first[40]) {
    static const char *const tables[] = {"public.*", "!public.other"};
    ls_schemas schemas = {0};
    ls_buf text = {0};
    ls_work *w = ls_work_new(&schemas, "fuzz", "postgres");
    ls_wal2json_conf conf = {.tables = tables,
                             .ntables = 2,
                             .schemas = &schemas,
                             .delivered_pos = delivered_pos,
                             .delivered_seq = delivered_seq,
                             .on_invalid_text = policy_of(data, size),
                             .catalog = {.base = {.settle = settle, .keys = keys, .type = type, .no_identity = no_identity, .warn = warn},
                                         .table = table}};
    ls_wal2json *d = w ? ls_wal2json_new(&conf) : NULL;
    for (const uint8_t *p = data, *end = data + size; d && p < end;) {
        const uint8_t *line = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((line ? line : end) - p);
        if (decode(d, w, p, n)) break;
        p += n + (line != NULL);
        if (ls_work_full(w)) read_batch(w, &text, conf.on_invalid_text, first);
    }
    if (w) read_batch(w, &text, conf.on_invalid_text, first);
    ls_wal2json_free(d);
    ls_work_free(w);
    ls_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char first[40] = "", again[40] = "";
    if (!size) return 0;
    run(data, size, "", 0, first);
    run(data, size, first, 1, again); /* as after a restart */
    return 0;
}
