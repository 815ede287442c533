/* binlogevent.h - builds binlog events byte by byte, feeds them to a decoder, and shows what came out: for the decoder's tests. */
#ifndef BINLOGEVENT_H
#define BINLOGEVENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "capture/binlog.h"
#include "change/value.h"

enum {
    QUERY = 2,
    ROTATE = 4,
    FORMAT = 15,
    XID = 16,
    TABLE_MAP = 19,
    WRITE = 23,
    UPDATE = 24,
    DELETE = 25,
    INCIDENT = 26,
    HEARTBEAT = 27,
    V2 = 7,
    XA_PREPARE = 38,
    GTID = 162
};
enum { STANDALONE = 1, TRANSACTIONAL = 4, PREPARED_XA = 0x40 };
enum { TS = 1700000000, HOLD_MAX = 4 * 1024 * 1024 };

typedef struct fixture {
    ls_schemas schemas;
    ls_binlog_conf conf;
    ls_binlog *b;
    ls_work *w;
    ls_error err;
    ls_buf event;
    uint64_t at;     /* where the next event begins */
    uint64_t second; /* where resume()'s second transaction begins */
    bool places;     /* batch() shows marks' places */
    bool checksum;
    uint8_t key[4]; /* of table t */
    size_t nkey;
    uint64_t id; /* its table id */
    ls_asked_type asked_type;
    int asked_precision; /* what the server says of each column */
    int asked; /* questions so far */
    char warned[1024];
} fixture;

static inline const char *charset_of(void *ctx, uint32_t collation) {
    static const struct {
        uint32_t id;
        const char *name;
    } all[] = {{7, "koi8r"}, {8, "latin1"},   {11, "ascii"},   {13, "sjis"},  {33, "utf8mb3"},
               {35, "ucs2"}, {45, "utf8mb4"}, {46, "utf8mb4"}, {54, "utf16"}, {60, "utf32"}};
    (void)ctx;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].id == collation) return all[i].name;
    return NULL;
}

static inline int columns_of(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n,
                      ls_error *err) {
    fixture *f = ctx;
    (void)schema, (void)table, (void)err;
    f->asked++;
    for (size_t i = 0; i < n; i++) cols[i].type = f->asked_type, cols[i].precision = f->asked_precision;
    return 0;
}

static inline int versioned_of(void *ctx, const char *schema, const char *table, bool *is, ls_error *err) {
    (void)ctx, (void)schema, (void)err;
    *is = strcmp(table, "versioned") == 0;
    return 0;
}

static inline void warned(void *ctx, const char *text) {
    fixture *f = ctx;
    size_t n = strlen(f->warned);
    snprintf(f->warned + n, sizeof f->warned - n, "%s|", text);
}

static inline void start_decoder(fixture *f, uint64_t file, uint64_t offset, const char *delivered_pos,
                          uint64_t delivered_seq) {
    ls_place at = {.file = file, .offset = offset};
    ls_binlog_free(f->b);
    assert_int_equal(ls_binlog_new(&f->b, &f->conf, &f->err), 0);
    ls_binlog_start(f->b, &at, delivered_pos, delivered_seq, false);
    f->at = offset;
}

static inline void put(fixture *f, uint64_t v, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ls_buf_char(&f->event, (char)(v >> 8 * i));
}

static inline void text(fixture *f, const char *s) { /* one byte of length in front */
    put(f, strlen(s), 1);
    ls_buf_str(&f->event, s);
}

/* Begins an event; its length and position are filled in by feed(). */
static inline void event(fixture *f, uint8_t type, uint16_t flags) {
    ls_buf_clear(&f->event);
    put(f, flags & 0x20 ? 0 : TS, 4);
    put(f, type, 1);
    put(f, 9, 4); /* server_id */
    put(f, 0, 8);
    put(f, flags, 2);
}

static inline void close_event(fixture *f, uint64_t end) {
    uint32_t len = (uint32_t)(f->event.len + (f->checksum ? 4 : 0));
    uint32_t pos = (uint32_t)(end ? end : f->at + len);
    memcpy(f->event.data + 9, &len, 4);
    memcpy(f->event.data + 13, &pos, 4);
    if (f->checksum) put(f, crc32_z(0, (const uint8_t *)f->event.data, f->event.len), 4);
}

static inline int feed(fixture *f) {
    uint64_t end = f->at + f->event.len + (f->checksum ? 4 : 0);
    close_event(f, end);
    int rc = ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err);
    f->at = end;
    return rc;
}

static inline void ok(fixture *f) {
    int rc = feed(f);
    if (rc) fail_msg("%d: %s", rc, rc < 0 ? f->err.text : "");
}

static inline void fails(fixture *f, const char *with) {
    int rc = feed(f);
    if (rc != -1 || !strstr(f->err.text, with))
        fail_msg("%d: \"%s\" has no \"%s\"", rc, rc == -1 ? f->err.text : "", with);
}

/* An event that the server makes up: it stands nowhere in the file. */
static inline void artificial(fixture *f) {
    uint64_t at = f->at;
    close_event(f, 0);
    memset(f->event.data + 13, 0, 4);
    if (f->checksum) {
        f->event.len -= 4;
        put(f, crc32_z(0, (const uint8_t *)f->event.data, f->event.len), 4);
    }
    assert_int_equal(ls_binlog_event(f->b, (const uint8_t *)f->event.data, f->event.len, f->w, &f->err), 0);
    f->at = at;
}

static inline void format_event(fixture *f) {
    event(f, FORMAT, 0);
    put(f, 4, 2);
    for (int i = 0; i < 54; i++) put(f, 0, 1);
    put(f, 19, 1);
    for (int i = 0; i < 40; i++) put(f, 8, 1);
    put(f, f->checksum, 1);
}

static inline void rotate_event(fixture *f, uint16_t flags, const char *name, uint64_t offset) {
    event(f, ROTATE, flags);
    put(f, offset, 8);
    ls_buf_str(&f->event, name);
}

/* What a dump from the middle of a file begins with. */
static inline void open_stream(fixture *f) {
    rotate_event(f, 0x20, "binlog.000003", f->at);
    artificial(f);
    format_event(f);
    bool checksum = f->checksum;
    f->checksum = true; /* a FORMAT_DESCRIPTION has one always */
    artificial(f);
    f->checksum = checksum;
}

static inline void gtid_event(fixture *f, uint64_t seq, uint8_t flags) {
    event(f, GTID, 0);
    put(f, seq, 8);
    put(f, 2, 4); /* domain */
    put(f, flags, 1);
    put(f, 0, 6);
}

static inline void begin(fixture *f, uint64_t seq, uint8_t flags) {
    gtid_event(f, seq, flags);
    ok(f);
}

static inline void commit(fixture *f) {
    event(f, XID, 0);
    put(f, 1, 8);
    ok(f);
}

static inline void query_event(fixture *f, const char *schema, const char *sql) {
    event(f, QUERY, 0);
    put(f, 0, 8);
    put(f, strlen(schema), 1);
    put(f, 0, 2);
    put(f, 0, 2); /* no status variables */
    ls_buf_add(&f->event, schema, strlen(schema) + 1);
    ls_buf_str(&f->event, sql);
}

static inline void query(fixture *f, const char *sql) {
    query_event(f, "db", sql);
    ok(f);
}

static inline void map_head(fixture *f, const char *schema, const char *table) {
    event(f, TABLE_MAP, 0);
    put(f, f->id, 6);
    put(f, 1, 2);
    text(f, schema);
    put(f, 0, 1);
    text(f, table);
    put(f, 0, 1);
}

static inline void map_key(fixture *f) {
    if (!f->nkey) return;
    put(f, 8, 1);
    put(f, f->nkey, 1);
    for (size_t i = 0; i < f->nkey; i++) put(f, f->key[i], 1);
}

/* id INT UNSIGNED, note VARCHAR(10) utf8mb4, n SMALLINT */
static inline void map_event(fixture *f, const char *schema, const char *table) {
    map_head(f, schema, table);
    put(f, 3, 1);
    put(f, 3 | 15 << 8 | 2 << 16, 3);
    put(f, 2, 1);
    put(f, 40, 2); /* VARCHAR: bytes */
    put(f, 6, 1);  /* which may be NULL */
    put(f, 0x800101, 3);
    put(f, 0x2d0102, 3);
    put(f, 4, 1);
    put(f, 10, 1);
    text(f, "id");
    text(f, "note");
    text(f, "n");
    map_key(f);
}

static inline void map(fixture *f) {
    map_event(f, "db", "t");
    ok(f);
}

/* present: bitmaps of the images, one or for UPDATE two. */
static inline void rows_event(fixture *f, uint8_t type, uint64_t present, uint64_t after) {
    event(f, type, 0);
    put(f, f->id, 6);
    put(f, 1, 2); /* ends the statement */
    if (type > DELETE) put(f, 2, 2);
    put(f, 3, 1);
    put(f, present, 1);
    if (type == UPDATE || type == UPDATE + V2) put(f, after, 1);
}

static inline void image(fixture *f, uint32_t id, const char *note, int16_t n) { /* note NULL: NULL */
    put(f, note ? 0 : 2, 1);
    put(f, id, 4);
    if (note) text(f, note);
    put(f, (uint16_t)n, 2);
}

static inline void insert(fixture *f, uint32_t id, const char *note) {
    rows_event(f, WRITE, 7, 0);
    image(f, id, note, -1);
    ok(f);
}

/* ---- what came out ---- */

static inline void print_image(ls_buf *out, const char *what, const ls_schema *s, const ls_value *v) {
    if (!v) return;
    ls_buf_fmt(out, " %s", what);
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (v[i].state == LS_ABSENT) continue;
        ls_buf_fmt(out, " %s=", s->cols[i].name);
        if (v[i].state == LS_PRESENT)
            ls_value_print(out, &v[i]);
        else
            ls_buf_str(out, v[i].state == LS_NULL ? "NULL" : "?");
    }
}

/* "I1 t after id=1 note=a; ...; mark 1 2-9-1" */
static inline const char *batch(fixture *f) {
    static ls_buf out;
    ls_buf_clear(&out);
    for (uint32_t i = 0; i < f->w->seen.count; i++) {
        const ls_change *c = &f->w->seen.changes[i];
        ls_buf_fmt(&out, "%s%c%d %s", out.len ? "; " : "", c->action, (int)c->seq,
                   c->whole_table ? c->schema->table : "*");
        if (c->to_table) ls_buf_fmt(&out, ">%s.%s", c->to_schema, c->to_table);
        print_image(&out, "before", c->schema, c->before);
        print_image(&out, "after", c->schema, c->after);
    }
    for (uint32_t i = 0; i < f->w->nmarks; i++) {
        const ls_mark *m = &f->w->marks[i];
        ls_buf_fmt(&out, "%smark %d %s", out.len ? "; " : "", (int)m->changes, m->place.gtid);
        if (f->places) ls_buf_fmt(&out, "%d:%d", (int)m->place.file, (int)m->place.offset);
    }
    ls_work_reset(f->w);
    return ls_buf_cstr(&out);
}

static inline void came(fixture *f, const char *want) {
    assert_string_equal(batch(f), want);
}

static inline int set_up(void **state) {
    static const char *const tables[] = {"db.*", "!db.out"};
    fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->conf = (ls_binlog_conf){.tables = tables,
                               .ntables = 2,
                               .ddl = true,
                               .mariadb = true,
                               .hold_max = 0, /* rows come as they are fed: holds() changes that */
                               .schemas = &f->schemas,
                               .ask = {.ctx = f, .charset = charset_of, .columns = columns_of, .versioned = versioned_of, .warn = warned}};
    f->w = ls_work_new(&f->schemas, "shop", "mariadb");
    f->checksum = true;
    f->nkey = 1;
    f->id = 100;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
    *state = f;
    return f->w ? 0 : -1;
}

/* From now on transactions are held until they end. */
static inline void holds(fixture *f) {
    f->conf.hold_max = HOLD_MAX;
    start_decoder(f, 3, 1000, "", 0);
    open_stream(f);
}

static inline int tear_down(void **state) {
    fixture *f = *state;
    ls_work_free(f->w);
    ls_binlog_free(f->b);
    ls_buf_free(&f->event);
    free(f);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
