/* w2jmessage.h - feeds wal2json messages to the decoder, with a catalog that answers, and shows what came out. */
#ifndef W2JMESSAGE_H
#define W2JMESSAGE_H

#include "capture/wal2json.h"
#include "change/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_AT(lsn) "{\"action\":\"B\",\"xid\":742,\"timestamp\":\"2000-01-01 01:00:00+00\",\"lsn\":\"" lsn "\",\"nextlsn\":\"0/FFFF\"}"
#define BEGIN BEGIN_AT("0/1A3B748")
#define COMMIT "{\"action\":\"C\",\"xid\":742,\"timestamp\":\"2000-01-01 01:00:00+00\",\"lsn\":\"0/1A3B748\",\"nextlsn\":\"0/1A3B778\"}"
#define END UINT64_C(0x1a3b778)
/* t(id int4 primary key, note text) */
#define ROW(action, members) "{\"action\":\"" action "\",\"schema\":\"public\",\"table\":\"t\"" members ",\"pk\":[{\"name\":\"id\",\"typeoid\":23}]}"
#define ID(v) "{\"name\":\"id\",\"typeoid\":23,\"value\":" v ",\"position\":1}"
#define NOTE(v) "{\"name\":\"note\",\"typeoid\":25,\"value\":" v ",\"position\":2}"
#define OLD_ID(v) ",\"identity\":[{\"name\":\"id\",\"typeoid\":23,\"value\":" v "}]"
#define INSERT(id, note) ROW("I", ",\"columns\":[" ID(id) "," NOTE(note) "]")
#define UPDATE(id, note, old) ROW("U", ",\"columns\":[" ID(id) "," NOTE(note) "]" OLD_ID(old))
#define DELETE(old) ROW("D", OLD_ID(old))
#define TRUNCATE "{\"action\":\"T\",\"schema\":\"public\",\"table\":\"t\"}"

typedef struct fixture {
    ls_schemas schemas;
    ls_work *w;
    ls_wal2json *d;
    ls_buf shown;
    ls_error err;
    void *kept[512]; /* messages, allocated to their last byte: freed at the end */
    size_t nkept;

    ls_wal2json_column cols[6]; /* what the catalog answers */
    size_t ncols;
    char kind, identity;
    bool deferrable;
    bool gone;
    uint64_t known_to;
    const char *primary[3], *replica[3];
    size_t nprimary, nreplica;
    uint32_t settled;
    int asked, warned;
    bool type_fails;
    ls_invalid_policy policy;
    char said[2048]; /* warnings, a | behind each */
} fixture;

static inline int answer_keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    fixture *f = ctx;
    (void)table, (void)arena, (void)err;
    out->primary = (ls_pg_index){f->primary, f->nprimary, NULL};
    out->replica = (ls_pg_index){f->replica, f->nreplica, NULL};
    return 0;
}

/* 16500: an enum; 16501, 16502: domains over int4 and bytea; 16503: a type that nothing is known of; others are gone. */
static inline int answer_type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    static const ls_pg_type_info all[] = {{.typtype = 'e', .oid = 16500, .schema = "public", .name = "mood"},
                                          {.typtype = 'b', .oid = 23, .schema = "pg_catalog", .name = "int4"},
                                          {.typtype = 'b', .oid = 17, .schema = "pg_catalog", .name = "bytea"},
                                          {.typtype = 'b', .oid = 16503, .schema = "public", .name = "box3d"}};
    if (((fixture *)ctx)->type_fails) return ls_fail(err, LS_AGAIN, "the catalog does not answer");
    if (oid >= 16500 && oid <= 16503) *out = all[oid - 16500];
    if (oid == 1007) *out = (ls_pg_type_info){.typtype = 'b', .oid = oid, .element = 23, .delimiter = ',', .schema = "pg_catalog", .name = "_int4"};
    return 0;
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

static inline int answer_table(void *ctx, const char *schema, const char *table, ls_arena *arena, ls_wal2json_facts *out,
                               ls_error *err) {
    fixture *f = ctx;
    (void)arena, (void)err;
    assert_true(*schema && *table);
    f->asked++;
    *out = (ls_wal2json_facts){.known_to = f->known_to};
    if (f->gone) return 0;
    *out = (ls_wal2json_facts){100, f->kind, f->identity, f->deferrable, f->cols, f->ncols, f->known_to};
    return 0;
}

static inline void open_decoder(fixture *f, const char *delivered_pos, uint64_t delivered_seq) {
    static const char *const tables[] = {"public.*", "!public.other"};
    ls_wal2json_free(f->d);
    ls_work_reset(f->w);
    ls_wal2json_conf conf = {.tables = tables,
                             .ntables = 2,
                             .schemas = &f->schemas,
                             .delivered_pos = delivered_pos,
                             .delivered_seq = delivered_seq,
                             .on_invalid_text = f->policy,
                             .catalog = {{f, answer_settle, answer_keys, answer_type, note_no_identity, note_warning, NULL}, answer_table}};
    f->d = ls_wal2json_new(&conf);
    assert_non_null(f->d);
}

static inline int setup(void **state) {
    fixture *f = *state = calloc(1, sizeof *f);
    if (!f || !(f->w = ls_work_new(&f->schemas, "shop", "postgres"))) return -1;
    f->primary[0] = "id";
    f->nprimary = 1;
    f->kind = 'r';
    f->identity = 'd';
    f->known_to = END;
    f->cols[0] = (ls_wal2json_column){"id", 23, 1, false, false, 0, false};
    f->cols[1] = (ls_wal2json_column){"note", 25, 2, false, true, 0, false};
    f->ncols = 2;
    open_decoder(f, "", 0);
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    ls_wal2json_free(f->d);
    ls_work_free(f->w);
    for (size_t i = 0; i < f->nkept; i++) free(f->kept[i]);
    ls_buf_free(&f->shown);
    free(f);
    return 0;
}

static inline int decode_bytes(fixture *f, const char *p, size_t n) {
    void *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    assert_true(f->nkept < 512);
    if (n) memcpy(copy, p, n);
    f->kept[f->nkept++] = copy;
    return ls_wal2json_message(f->d, f->w, copy, n, &f->err);
}

static inline void ok(fixture *f, const char *text) {
    if (decode_bytes(f, text, strlen(text))) fail_msg("%s\nof %s", f->err.text, text);
}

static inline void refused(fixture *f, const char *text, const char *why) {
    f->err.text[0] = '\0';
    assert_int_equal(decode_bytes(f, text, strlen(text)), -1);
    assert_int_equal(f->err.code, LS_FAIL);
    assert_string_equal(f->err.text, why);
}

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
