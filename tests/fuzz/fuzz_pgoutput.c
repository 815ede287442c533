/* Any bytes as a row of pgoutput messages, each behind its length (4 bytes, big endian): decoded or refused, and what
 * is decoded can be read. The seeds were recorded from a PostgreSQL 15 server. */
#include "base/cursor.h"
#include "base/text.h"
#include "capture/pgoutput.h"
#include "change/value.h"

#include <stdlib.h>
#include <string.h>

static int keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    static const char *primary[] = {"id"}, *several[] = {"y", "x"}, *replica[] = {"w", "u"};
    (void)ctx, (void)arena;
    if (table % 16 == 15) return ls_fail(err, LS_AGAIN, "the catalog does not answer");
    if (table % 4) out->primary = (ls_pg_index){table % 4 == 1 ? primary : several, table % 4 == 1 ? 1 : 2, NULL};
    if (table % 2) out->replica = (ls_pg_index){replica, 2, NULL};
    return 0;
}

/* The built-in arrays of the seeds; of other types each kind of answer: gone, an enum, an array (of a built-in type, of what may be
 * another array), a domain, PostGIS. */
static int type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    static const uint32_t built_in[] = {16, 17, 23, 25, 114, 701, 790, 1042, 1184, 1186, 1560, 1700, 3802};
    static const uint32_t arrays[][2] = {{1007, 23}, {1009, 25}, {1020, 603}, {1014, 1042}, {1022, 701}, {3807, 3802}, {1001, 17}, {1185, 1184}};
    (void)ctx;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i][0] != oid) continue;
        *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = arrays[i][1], .delimiter = oid == 1020 ? ';' : ','};
        return 0;
    }
    if (oid % 64 == 63) return ls_fail(err, LS_AGAIN, "the catalog does not answer");
    uint32_t some = built_in[oid / 8 % (sizeof built_in / sizeof *built_in)];
    switch (oid % 8) {
    case 0: return 0;
    case 1: *out = (ls_pg_type_info){.typtype = 'e', .oid = oid, .name = "mood"}; return 0;
    case 2: *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = some, .delimiter = ','}; return 0;
    case 3: *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = oid + 8, .delimiter = ';'}; return 0;
    case 4: *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = oid - 1, .delimiter = ':'}; return 0;
    case 5: *out = (ls_pg_type_info){.typtype = 'b', .oid = some}; return 0;
    case 6: *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .name = "geometry", .extension = "postgis"}; return 0;
    default: *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = oid - 1, .delimiter = ':'}; return 0;
    }
}

static int settle(void *ctx, uint32_t xid, ls_error *err) {
    (void)ctx;
    return xid % 1000 == 999 ? ls_fail(err, LS_AGAIN, "not to be seen yet") : 0;
}

static void no_identity(void *ctx, const char *schema, const char *table) {
    (void)ctx, (void)schema, (void)table;
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
static int decode(ls_pgoutput *d, ls_work *w, const uint8_t *p, size_t n) {
    ls_error err;
    void *message = malloc(n ? n : 1);
    if (!message) return -1;
    memcpy(message, p, n);
    int rc = ls_pgoutput_message(d, w, message, n, &err);
    if (ls_work_keep(w, message, n, free)) return -1;
    return rc;
}

static void run(const uint8_t *data, size_t size, const char *delivered_pos, uint64_t delivered_seq, char first[40]) {
    static const char *const tables[] = {"public.*", "!public.other"};
    ls_schemas schemas = {0};
    ls_buf text = {0};
    ls_work *w = ls_work_new(&schemas, "fuzz", "postgres");
    ls_pgoutput_conf conf = {.tables = tables,
                             .ntables = 2,
                             .schemas = &schemas,
                             .delivered_pos = delivered_pos,
                             .delivered_seq = delivered_seq,
                             .on_invalid_text = policy_of(data, size),
                             .catalog = {.settle = settle, .keys = keys, .type = type, .no_identity = no_identity, .warn = warn}};
    ls_pgoutput *d = w ? ls_pgoutput_new(&conf) : NULL;
    ls_cursor c = ls_cursor_over(data, size);
    while (d && ls_cursor_left(&c)) {
        size_t n = (size_t)ls_cursor_be(&c, 4);
        if (n > ls_cursor_left(&c)) n = ls_cursor_left(&c);
        if (c.failed || decode(d, w, ls_cursor_take(&c, n), n)) break;
        if (ls_work_full(w)) read_batch(w, &text, conf.on_invalid_text, first);
    }
    if (w) read_batch(w, &text, conf.on_invalid_text, first);
    ls_pgoutput_free(d);
    ls_work_free(w);
    ls_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char first[40] = "", again[40] = "";
    run(data, size, "", 0, first);
    run(data, size, first, 1, again); /* as after a restart */
    return 0;
}
