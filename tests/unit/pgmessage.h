/* pgmessage.h - builds pgoutput messages, a catalog that answers, and shows what came out: for the decoder's tests. */
#ifndef PGMESSAGE_H
#define PGMESSAGE_H

#include "capture/pgoutput.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INT4 = 23,
    TEXT = 25,
    BYTEA = 17,
    JSONB = 3802,
    INT4_ARRAY = 1007,
    INT_VECTOR = 22,
    MOOD = 16500,
    GONE = 16501,
    GONE_ARRAY = 16502,
    POS = 16503,
    BOX = 16504
};

#define LSN UINT64_C(0x1a3b748)
#define END UINT64_C(0x1a3b778)

typedef struct answer { /* to the question after a type */
    uint32_t asked;
    ls_pg_type_info info;
} answer;

typedef struct fixture {
    ls_schemas schemas;
    ls_work *w;
    ls_pgoutput *d;
    ls_buf m;     /* the message being built */
    ls_buf shown; /* the batch as text */
    ls_error err;
    void *kept[512]; /* messages, allocated to their last byte: freed at the end */
    size_t nkept;

    uint32_t settled; /* the transaction that the catalog was to show */
    const char *generated; /* of the primary key's columns */
    const char *primary[3], *replica[3]; /* what the catalog answers */
    size_t nprimary, nreplica;
    int asked, warned;
    const answer *types; /* of the catalog; a type that is not there is gone */
    size_t ntypes;
    int types_asked;
    bool type_fails;
    ls_invalid_policy policy;
    char said[2048]; /* warnings, a | behind each */
} fixture;

/* ---- the catalog */

static inline int answer_keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    fixture *f = ctx;
    (void)table, (void)arena, (void)err;
    f->asked++;
    out->primary = (ls_pg_index){f->primary, f->nprimary, f->generated};
    out->replica = (ls_pg_index){f->replica, f->nreplica, NULL};
    return 0;
}

static inline int answer_type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    fixture *f = ctx;
    (void)err;
    f->types_asked++;
    for (size_t i = 0; i < f->ntypes; i++)
        if (f->types[i].asked == oid) *out = f->types[i].info;
    return f->type_fails ? ls_fail(err, LS_AGAIN, "the catalog does not answer") : 0;
}

static inline int answer_settle(void *ctx, uint32_t xid, ls_error *err) {
    fixture *f = ctx;
    (void)err;
    f->settled = xid;
    return 0;
}

static inline void note_no_identity(void *ctx, const char *schema, const char *table) {
    fixture *f = ctx;
    assert_string_equal(schema, "public");
    assert_true(*table);
    f->warned++;
}

static inline void note_warning(void *ctx, const char *text) {
    fixture *f = ctx;
    size_t n = strlen(f->said);
    snprintf(f->said + n, sizeof f->said - n, "%s|", text);
}

/* ---- set-up */

static inline void open_decoder(fixture *f, const char *delivered_pos, uint64_t delivered_seq) {
    static const char *const tables[] = {"public.*", "!public.other"};
    ls_pgoutput_free(f->d);
    ls_work_reset(f->w);
    ls_pgoutput_conf conf = {.tables = tables,
                             .ntables = 2,
                             .schemas = &f->schemas,
                             .delivered_pos = delivered_pos,
                             .delivered_seq = delivered_seq,
                             .on_invalid_text = f->policy,
                             .catalog = {f, answer_settle, answer_keys, answer_type, note_no_identity, note_warning, NULL}};
    f->d = ls_pgoutput_new(&conf);
    assert_non_null(f->d);
}

static inline int setup(void **state) {
    fixture *f = *state = calloc(1, sizeof *f);
    if (!f || !(f->w = ls_work_new(&f->schemas, "shop", "postgres"))) return -1;
    f->primary[0] = "id";
    f->nprimary = 1;
    open_decoder(f, "", 0);
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    ls_pgoutput_free(f->d);
    ls_work_free(f->w);
    for (size_t i = 0; i < f->nkept; i++) free(f->kept[i]);
    ls_buf_free(&f->m);
    ls_buf_free(&f->shown);
    free(f);
    return 0;
}

/* ---- messages */

static inline void put(fixture *f, uint64_t v, int bytes) {
    while (bytes-- > 0) ls_buf_char(&f->m, (char)(v >> 8 * bytes));
}

static inline void put_name(fixture *f, const char *s) {
    ls_buf_add(&f->m, s, strlen(s) + 1);
}

static inline void message(fixture *f, char kind) {
    ls_buf_clear(&f->m);
    ls_buf_char(&f->m, kind);
}

static inline int decode_bytes(fixture *f, const void *p, size_t n) {
    void *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    assert_true(f->nkept < 512);
    if (n) memcpy(copy, p, n);
    f->kept[f->nkept++] = copy;
    return ls_pgoutput_message(f->d, f->w, copy, n, &f->err);
}

static inline int decode(fixture *f) {
    return decode_bytes(f, f->m.data, f->m.len);
}

static inline void ok(fixture *f) {
    if (decode(f)) fail_msg("%s", f->err.text);
}

static inline void refused(fixture *f, const char *text) {
    f->err.text[0] = '\0';
    assert_int_equal(decode(f), -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_string_equal(f->err.text, text);
}

static inline void begin_at(fixture *f, uint64_t lsn) {
    message(f, 'B');
    put(f, lsn, 8);
    put(f, 3600000000, 8); /* 2000-01-01 01:00 */
    put(f, 742, 4);
    ok(f);
}

static inline void begin(fixture *f) {
    begin_at(f, LSN);
}

static inline void commit_at(fixture *f, uint64_t lsn, uint64_t end) {
    message(f, 'C');
    put(f, 0, 1);
    put(f, lsn, 8);
    put(f, end, 8);
    put(f, 3600000000, 8);
}

static inline void commit(fixture *f) {
    commit_at(f, LSN, END);
    ok(f);
}

/* The head of a Relation message; its columns follow. */
static inline void relation_head(fixture *f, uint32_t oid, const char *table, char identity, size_t ncols) {
    message(f, 'R');
    put(f, oid, 4);
    put_name(f, "public");
    put_name(f, table);
    put(f, (uint8_t)identity, 1);
    put(f, ncols, 2);
}

static inline void column(fixture *f, bool identity, const char *name, uint32_t type) {
    put(f, identity, 1);
    put_name(f, name);
    put(f, type, 4);
    put(f, UINT32_MAX, 4);
}

/* t(id int4, note text), `flags` the columns of the replica identity: bit 0 id, bit 1 note. */
static inline void table_t(fixture *f, char identity, unsigned flags) {
    relation_head(f, 100, "t", identity, 2);
    column(f, flags & 1, "id", INT4);
    column(f, flags >> 1 & 1, "note", TEXT);
    ok(f);
}

/* A tuple; each value is text, or NULL for NULL, or "\1" for one that was not sent. */
static inline void tuple(fixture *f, char kind, size_t n, const char *const *values) {
    put(f, (uint8_t)kind, 1);
    put(f, n, 2);
    for (size_t i = 0; i < n; i++) {
        const char *v = values[i];
        put(f, !v ? 'n' : *v == '\1' ? 'u' : 't', 1);
        if (!v || *v == '\1') continue;
        put(f, strlen(v), 4);
        ls_buf_str(&f->m, v);
    }
}
#define TUPLE(f, kind, ...)                                                                                            \
    tuple(f, kind, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

static inline void row(fixture *f, char kind) {
    message(f, kind);
    put(f, 100, 4);
}

static inline void insert(fixture *f, const char *id, const char *note) {
    row(f, 'I');
    TUPLE(f, 'N', id, note);
    ok(f);
}

/* ---- what came out */

static inline void show_image(ls_buf *b, const ls_schema *s, const char *name, const ls_value *v) {
    if (!v) return;
    ls_buf_fmt(b, " %s", name);
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (v[i].state == LS_ABSENT) continue;
        ls_buf_fmt(b, " %s=", s->cols[i].name);
        if (v[i].state == LS_PRESENT)
            ls_value_print(b, &v[i]);
        else
            ls_buf_str(b, v[i].state == LS_NULL ? "NULL" : "?");
    }
}

/* "I1 after id=1 note=a; " a change, "mark N" a mark behind N changes. */
static inline const char *batch(fixture *f) {
    ls_buf *b = &f->shown;
    const ls_work *w = f->w;
    ls_buf_clear(b);
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf_fmt(b, "%c%d", c->action, (int)c->seq);
        show_image(b, c->schema, "after", c->after);
        show_image(b, c->schema, "before", c->before);
        if (c->moved) ls_buf_str(b, c->flags & LS_MOVED_TO ? " to" : " from");
        for (uint32_t k = 0; c->moved && k < c->schema->nkey; k++) {
            ls_buf_char(b, ' ');
            ls_value_print(b, &c->moved[k]);
        }
        ls_buf_str(b, "; ");
    }
    for (uint32_t i = 0; i < w->nmarks; i++) ls_buf_fmt(b, "mark %u", w->marks[i].changes);
    return ls_buf_cstr(b);
}

static inline void key_is(const fixture *f, const char *want) {
    char text[64] = "";
    const ls_schema *s = f->w->seen.changes[f->w->seen.count - 1].schema;
    for (uint32_t i = 0; i < s->nkey; i++) {
        strcat(text, i ? "," : "");
        strcat(text, s->cols[s->key[i]].name);
    }
    assert_string_equal(text, want);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
