#include "change/value.h"
#include "script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ls_script_env no_env;

/* ---- the batch that tests/lua/rows.lua and errors.lua know ---- */

static ls_schemas schemas;
static const ls_tx tx = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742"};

static ls_schema *orders(void) {
    static const ls_column_def cols[] = {
        {"id", 2, LS_TYPE_INTEGER},     {"status", 6, LS_TYPE_STRING}, {"total", 5, LS_TYPE_DECIMAL}, {"qty", 3, LS_TYPE_FLOAT},
        {"paid", 4, LS_TYPE_BOOLEAN},   {"data", 4, LS_TYPE_BYTES},    {"at", 2, LS_TYPE_TIMESTAMP},  {"note", 4, LS_TYPE_STRING},
        {"big", 3, LS_TYPE_INTEGER},    {"day", 3, LS_TYPE_DATE},
    };
    static const uint16_t key[] = {0};
    return ls_schema_new(&schemas, "public", 6, "orders", 6, cols, sizeof cols / sizeof *cols, key, 1);
}

static void fill_order(ls_value *v) {
    v[0] = ls_value_text("7", 1); /* as a PostgreSQL server sends it */
    v[1] = ls_value_text("neu\xc3\xb6", 5);
    v[2] = ls_value_text("12.50", 5);
    v[3] = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = 1.5};
    v[4] = (ls_value){.kind = LS_KIND_BOOL, .as.i = 1};
    v[5] = ls_value_bytes_of(LS_KIND_BYTES, "\x00\xff", 2);
    v[6] = ls_value_text("2026-01-02T03:04:05Z", 20);
    v[7] = ls_value_state(LS_NULL);
    v[8] = ls_value_int(9007199254740993);
    v[9] = ls_value_text("2026-01-02", 10);
}

/* I, U, D of one order, T, and U in a table without a key. */
static ls_work *make_batch(void) {
    static const ls_column_def line = {"line", 4, LS_TYPE_STRING};
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders(), *log = ls_schema_new(&schemas, "public", 6, "log", 3, &line, 1, NULL, 0);
    const ls_tx *t = ls_work_tx(w, &tx);
    ls_change *c = ls_work_add(w, o, t, 'I', 1);
    fill_order(c->after = ls_work_values(w, o->ncols));
    c = ls_work_add(w, o, t, 'U', 2);
    fill_order(c->after = ls_work_values(w, o->ncols));
    c->after[2] = ls_value_state(LS_NULL);
    c->after[7] = ls_value_state(LS_UNCHANGED);
    c->before = ls_work_values(w, o->ncols);
    c->before[0] = c->after[0];
    c = ls_work_add(w, o, t, 'D', 3);
    c->before = ls_work_values(w, o->ncols);
    c->before[0] = ls_value_int(7);
    assert_non_null(ls_work_add(w, o, t, 'T', 4));
    c = ls_work_add(w, log, t, 'U', 5);
    c->before = ls_work_values(w, 1);
    c->before[0] = ls_value_text("old", 3);
    c->after = ls_work_values(w, 1);
    c->after[0] = ls_value_text("new", 3);
    ls_schema_unref(o);
    ls_schema_unref(log);
    return w;
}

static void show_image(ls_buf *out, const ls_change *c, const ls_value *row, const char *name) {
    static const char *const states[] = {[LS_NULL] = "NULL", [LS_UNCHANGED] = "unchanged"};
    if (!row) return;
    ls_buf_fmt(out, " %s", name);
    for (uint32_t i = 0; i < c->schema->ncols; i++) {
        if (row[i].state == LS_ABSENT) continue;
        ls_buf_fmt(out, " %s=", c->schema->cols[i].name);
        if (row[i].state == LS_PRESENT)
            ls_value_print(out, &row[i]);
        else
            ls_buf_str(out, states[row[i].state]);
    }
}

/* A change on one line: "I public.orders after id=7 ...". */
static void assert_change(const ls_work *w, uint32_t i, const char *want) {
    ls_buf out = {0};
    const ls_change *c = &w->seen.changes[i];
    ls_buf_fmt(&out, "%s%c %s.%s", c->flags & LS_DROPPED ? "dropped " : "", c->action, c->schema->schema, c->schema->table);
    show_image(&out, c, c->before, "before");
    show_image(&out, c, c->after, "after");
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
}

#define ORDER "id=7 status=neu\xc3\xb6 total=12.50 qty=1.5 paid=true data=AP8= at=2026-01-02T03:04:05Z note=NULL big=9007199254740993 day=2026-01-02"
#define UPDATED                                                                                                                  \
    "id=7 status=neu\xc3\xb6 total=NULL qty=1.5 paid=true data=AP8= at=2026-01-02T03:04:05Z note=unchanged big=9007199254740993 " \
    "day=2026-01-02"
static const char *const as_it_was[] = {"I public.orders after " ORDER, "U public.orders before id=7 after " UPDATED,
                                        "D public.orders before id=7", "T public.orders",
                                        "U public.log before line=old after line=new"};

/* ---- hooks over it ---- */

static void run_stage(const char *stage, const char *const want[5]) {
    ls_script *s;
    ls_error err = {0};
    ls_work *w = make_batch();
    if (ls_script_open(&s, TESTS_DIR "/lua/rows.lua", &no_env, &err) || ls_script_use(s, stage, &err) || ls_script_run(s, &w->seen, &err))
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < 5; i++) assert_change(w, i, want[i] ? want[i] : as_it_was[i]);
    ls_script_close(s);
    ls_work_free(w);
}

static void test_rows_are_read(void **state) {
    (void)state;
    static const char *const want[5];
    run_stage("reads", want);
    run_stage("copies", want);
    run_stage("reads_more", want);
    run_stage("reads_json", want);
    run_stage("absent", want);
    run_stage("no_hooks", want);
}

/* The key that a moved row names is masked as the row's own is, to the last digit and with its type. */
static void test_a_moved_row_is_masked(void **state) {
    (void)state;
    static const char *const want[] = {"#1000000000000001 #9007199254740992", "8 1000000000000003"};
    ls_script *s;
    ls_error err = {0};
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders();
    for (int i = 0; i < 2; i++) {
        ls_change *c = ls_work_add(w, o, &tx, i ? 'D' : 'I', (uint64_t)i + 1);
        ls_value *row = ls_work_values(w, o->ncols), *moved = ls_work_values(w, 1);
        row[0] = ls_value_int(i ? 7 : 1000000000000000);
        moved[0] = ls_value_int(i ? 1000000000000002 : 9007199254740991);
        *(i ? &c->before : &c->after) = row;
        c->moved = moved;
        c->flags = i ? LS_MOVED_TO : LS_MOVED_FROM;
    }
    if (ls_script_open(&s, TESTS_DIR "/lua/rows.lua", &no_env, &err) || ls_script_use(s, "masks_a_moved_row", &err) || ls_script_run(s, &w->seen, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 2; i++) {
        const ls_change *c = &w->seen.changes[i];
        ls_buf out = {0};
        ls_value_print(&out, i ? c->before : c->after);
        ls_buf_char(&out, ' ');
        ls_value_print(&out, c->moved);
        assert_string_equal(ls_buf_cstr(&out), want[i]);
        ls_buf_free(&out);
    }
    ls_schema_unref(o);
    ls_work_free(w);
    ls_script_close(s);
}

static void test_rows_are_left_out(void **state) {
    (void)state;
    static const char *const filtered[5] = {[1] = "dropped U public.orders before id=7 after " UPDATED,
                                            [4] = "dropped U public.log before line=old after line=new"};
    run_stage("filters", filtered);
    static const char *const both[5] = {"dropped I public.orders after " ORDER, "dropped U public.orders before id=7 after " UPDATED, NULL,
                                        NULL, "dropped U public.log before line=old after line=new"};
    run_stage("filters_then_maps", both);
}

static void test_rows_are_written(void **state) {
    (void)state;
    static const char *const written[5] = {"I public.orders after id=8 status=NEU\xc3\xb6 total=3 qty=0.1 paid=false data=AAEC "
                                           "at=2026-01-02T03:04:05.5Z note=a note big=18446744073709551615 day=NULL"};
    run_stage("writes", written);
#define ADDED " n=2 text=x flag=true large=-9007199254740993 none=NULL"
    static const char *const added[5] = {"I public.orders after " ORDER ADDED, "U public.orders before id=7 after " UPDATED ADDED, NULL, NULL,
                                         "U public.log before line=old after line=new" ADDED};
    run_stage("adds", added);
    static const char *const dropped[5] = {"I public.orders after id=7 status=neu\xc3\xb6 day=2026-01-02 added=x",
                                           "U public.orders before id=7 after id=7 status=neu\xc3\xb6 note=unchanged day=2026-01-02 added=x"};
    run_stage("drops", dropped);
    static const char *const renamed[5] = {"I archive.orders_2026 after " ORDER, "U archive.orders_2026 before id=7 after " UPDATED,
                                           "D archive.orders_2026 before id=7", NULL, "U archive.log_2026 before line=old after line=new"};
    run_stage("renames", renamed);
    static const char *const actions[5] = {"U public.orders before id=7 after " ORDER, "D public.orders before id=7", NULL, NULL,
                                           "I public.log after line=new"};
    run_stage("changes_action", actions);
    static const char *const more[5] = {"I public.orders after id=7 status=neu\xc3\xb6 total=99999999999999999999.10 qty=1.5 paid=true data=AQID "
                                        "at=2026-01-02T03:04:05Z note=NULL big=9007199254740993 day=2026-01-02 more=5 raw=AA== "
                                        "list=[1,0.1,[\"x\"]] doc={\"x\":1}"};
    run_stage("writes_more", more);
    static const char *const columns[5] = {"I public.orders after number=7 state=neu\xc3\xb6 total=12.50 qty=1.5 paid=true data=AP8= "
                                           "at=2026-01-02T03:04:05Z note=NULL big=9007199254740993 day=2026-01-02",
                                           "U public.orders before number=7 after number=7 state=neu\xc3\xb6 total=NULL qty=1.5 paid=true data=AP8= "
                                           "at=2026-01-02T03:04:05Z note=unchanged big=9007199254740993 day=2026-01-02",
                                           "D public.orders before number=7"};
    run_stage("renames_columns", columns);
#define SEVEN "9c737d163bcd1315bb695b00262e3ba4487ae2670bb2b0e6b8ee7f6ad354215a"
    static const char *const masked[5] = {"I public.orders after id=" SEVEN " status=NEU\xc3\xb6 total=12.50 qty=1.5 paid=true data=AP8= "
                                          "at=2026-01-02T03:04:05Z note=NULL big=9007199254740993 day=NULL",
                                          "U public.orders before id=" SEVEN " after id=" SEVEN " status=NEU\xc3\xb6 total=NULL qty=1.5 paid=true data=AP8= "
                                          "at=2026-01-02T03:04:05Z note=unchanged big=9007199254740993 day=NULL",
                                          "D public.orders before id=" SEVEN};
    run_stage("masks", masked);
}

/* Behind their row, in the order in which they were made; the row itself may be left out. */
static void test_clones(void **state) {
    (void)state;
    static const char *const want[] = {"I public.orders after " ORDER, "I public.first after " ORDER,
                                       "I public.second after id=7 status=neu\xc3\xb6 total=12.50 qty=1.5 paid=true data=AP8= "
                                       "at=2026-01-02T03:04:05Z note=2 big=9007199254740993 day=2026-01-02",
                                       "U public.orders before id=7 after " UPDATED, "U public.first before id=7 after " UPDATED,
                                       "dropped D public.orders before id=7", "D public.first before id=7", "T public.orders",
                                       "dropped U public.log before line=old after line=new"};
    static const uint32_t subs[] = {0, 1, 2, 0, 1, 0, 1, 0, 0};
    ls_script *s;
    ls_error err = {0};
    ls_work *w = make_batch();
    ls_place place = {.offset = 5};
    w->seen.count = 2; /* a mark behind the second row */
    assert_int_equal(ls_work_mark(w, &place), 0);
    w->seen.count = 5;
    if (ls_script_open(&s, TESTS_DIR "/lua/rows.lua", &no_env, &err) || ls_script_use(s, "clones", &err) || ls_script_run(s, &w->seen, &err))
        fail_msg("%s", err.text);
    assert_int_equal(w->seen.count, sizeof want / sizeof *want);
    for (uint32_t i = 0; i < w->seen.count; i++) {
        assert_change(w, i, want[i]);
        assert_int_equal(w->seen.changes[i].sub, subs[i]);
    }
    assert_int_equal(w->marks[0].changes, 5);
    ls_script_close(s);
    ls_work_free(w);
}

static void test_rows_die_with_their_batch(void **state) {
    (void)state;
    ls_script *s;
    ls_error err = {0};
    FILE *f = fopen("keeps.lua", "w");
    assert_non_null(f);
    fputs("local ls = require 'list_sync'\nlocal kept\n"
          "ls.connector { name = 'keeps', db_type = 'mysql', host = 'h', user = 'u', table = 'a.b', topic = 't', kafka_conf = 'memory',\n"
          "filter = function(row)\nif not kept then kept = row end\nif kept ~= row then return kept.image.id == 7 end\nreturn row.action == 'x'\nend }\n", f);
    fclose(f);
    assert_int_equal(ls_script_open(&s, "keeps.lua", &no_env, &err), 0);
    assert_int_equal(ls_script_use(s, "keeps", &err), 0);
    ls_work *w = make_batch();
    w->seen.count = 1;
    assert_int_equal(ls_script_run(s, &w->seen, &err), 0);
    ls_work_free(w); /* the row that was kept must not be read through any more */
    w = make_batch();
    w->seen.count = 1;
    assert_int_equal(ls_script_run(s, &w->seen, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, "keeps.lua:6: filter of connector \"keeps\": this row's hook has returned: a row is kept with row:copy()"));
    ls_work_free(w);
    ls_script_close(s);
}

/* ---- scripts that are wrong ---- */

static const char *text_field(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1); /* the table still holds it */
    return text;
}

static size_t read_params(lua_State *L, ls_conf_pair *pairs) {
    size_t n = 0;
    lua_getfield(L, -1, "params");
    if (lua_istable(L, -1))
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) pairs[n++] = (ls_conf_pair){lua_tostring(L, -2), lua_tostring(L, -1)};
    lua_pop(L, 1);
    return n;
}

/* The case on top of the stack; a difference is told. */
static bool error_is_right(lua_State *L) {
    const char *script = text_field(L, "script"), *want = text_field(L, "want"), *stage = text_field(L, "hooks");
    ls_conf_pair pairs[4];
    ls_script_env env = {.params = pairs, .nparams = read_params(L, pairs)};
    ls_script *s = NULL;
    ls_error err = {0};
    ls_work *w = make_batch();
    FILE *f = fopen("case.lua", "w");
    assert_non_null(f);
    fputs(script, f);
    fclose(f);
    ls_code code = LS_USAGE;
    int rc = ls_script_open(&s, "case.lua", &env, &err);
    if (rc == 0 && stage) rc = ls_script_use(s, stage, &err);
    if (rc == 0 && stage) {
        code = LS_FAIL;
        rc = ls_script_run(s, &w->seen, &err) || ls_script_lay_out(s, &w->seen, &err) ? -1 : 0;
    }
    bool right = rc != 0 && err.code == code && strcmp(err.text, want) == 0;
    if (!right) print_error("code %d\n got: %s\nwant: %s\nof:\n%s\n", err.code, err.text, want, script);
    ls_script_close(s);
    ls_work_free(w);
    return right;
}

static void test_errors(void **state) {
    (void)state;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_dofile(L, TESTS_DIR "/lua/errors.lua")) fail_msg("%s", lua_tostring(L, -1));
    size_t n = lua_objlen(L, -1);
    assert_true(n > 80);
    size_t wrong = 0;
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        wrong += !error_is_right(L);
        lua_pop(L, 1);
    }
    lua_close(L);
    assert_int_equal(wrong, 0);
}

static void test_unreadable_script(void **state) {
    (void)state;
    ls_script *s;
    ls_error err = {0};
    assert_int_equal(ls_script_open(&s, "missing.lua", &no_env, &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_string_equal(err.text, "cannot read the script missing.lua: No such file or directory");
    assert_null(s);
    assert_int_equal(ls_script_open(&s, ".", &no_env, &err), -1);
    assert_string_equal(err.text, "cannot read the script .: Is a directory");
}

static void test_long_path(void **state) { /* Lua itself would cut it */
    (void)state;
    char path[256];
    ls_script *s;
    ls_error err = {0};
    memset(path, 'x', 100);
    strcpy(path + 100, ".lua");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("\nerror 'no'\n", f);
    fclose(f);
    assert_int_equal(ls_script_open(&s, path, &no_env, &err), -1);
    strcat(path, ":2: no");
    assert_string_equal(err.text, path);
}

/* ---- the stages ---- */

static void assert_list(const char *const *got, size_t n, const char *want) {
    char text[256] = "";
    for (size_t i = 0; i < n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, got[i]);
    }
    assert_string_equal(text, want);
}

static void check_connectors(const ls_config *c) {
    const ls_stage *s = &c->stages[0];
    const ls_connector_options *o = &s->as.connector;
    assert_true(s->is_connector && !s->has_hooks && s->kafka.memory);
    assert_int_equal(s->line, 9);
    assert_string_equal(s->name, "Shop-EU");
    assert_string_equal(o->db_type, "postgres");
    assert_string_equal(o->host, "db1");
    assert_int_equal(o->port, 5432);
    assert_null(o->password);
    assert_list(o->tables, o->ntables, "public.orders");
    assert_list(o->sets[0].topics, o->sets[0].ntopics, "wal");
    assert_string_equal(o->slot, "shop_eu");
    assert_string_equal(o->plugin, "pgoutput");
    assert_string_equal(o->start, "now");
    assert_string_equal(o->on_invalid_text, "stop");
    assert_null(o->publication);
    assert_true(o->partition_root && !o->ddl && o->sets[0].partitions == 3 && o->sets[0].replication == 0 && o->memory == 12 << 20);
    s = &c->stages[1];
    o = &s->as.connector;
    assert_true(s->has_hooks && !s->kafka.memory && s->kafka.npairs == 3);
    assert_string_equal(s->kafka.pairs[0].name, "bootstrap.servers");
    assert_string_equal(s->kafka.pairs[0].value, "elsewhere:9092");
    assert_string_equal(s->kafka.pairs[1].value, "5");
    assert_string_equal(s->kafka.pairs[2].value, "true");
    assert_string_equal(o->db_type, "mysql");
    assert_string_equal(o->password, "secret");
    assert_string_equal(o->database, "");
    assert_list(o->tables, o->ntables, "stock.* !stock.log");
    assert_list(o->sets[0].topics, o->sets[0].ntopics, "{database}.{table} all");
    assert_null(o->slot);
    assert_string_equal(o->start, "earliest");
    assert_string_equal(o->on_invalid_text, "replace");
    assert_true(o->port == 3307 && o->sets[0].partitions == 12 && o->sets[0].replication == 2 && o->server_id == UINT32_MAX && o->ddl && o->memory == 8 << 20);
    s = &c->stages[2];
    o = &s->as.connector;
    assert_true(s->has_hooks && !o->partition_root);
    assert_string_equal(o->slot, "my_slot");
    assert_string_equal(o->publication, "pub");
    assert_string_equal(o->start, "slot");
    assert_string_equal(o->on_invalid_text, "skip");
    assert_string_equal(s->kafka.pairs[0].value, "b:1");
}

static void check_consumers(const ls_config *c) {
    const ls_stage *s = &c->stages[3];
    const ls_consumer_options *o = &s->as.consumer;
    assert_true(!s->is_connector && !s->has_hooks && o->instances == 1 && o->memory == 6 << 20);
    assert_string_equal(s->name, "reports");
    assert_string_equal(o->consumer_id, "reports");
    assert_string_equal(o->auto_offset_reset, "earliest");
    assert_list(o->topics, o->ntopics, "wal");
    assert_string_equal(o->csv.filename, "out/rows");
    assert_true(o->csv.max_open_files == 64 && !o->csv.formula_guard && !o->csv.compress);
    assert_true(!o->csv.rotate_bytes && !o->csv.rotate_rows && !o->csv.rotate_every);
    assert_true(!o->csv.split_files && o->csv.header && !o->csv.bom && o->csv.delimiter == ',' && o->csv.quote == '"');
    assert_string_equal(o->csv.newline, "\n");
    assert_string_equal(o->csv.null_text, "");
    assert_string_equal(o->csv.absent_text, "");
    s = &c->stages[4];
    o = &s->as.consumer;
    assert_true(s->has_hooks && o->instances == 3 && o->memory == 3 << 20 && o->csv.prefix && !o->csv.nlayouts);
    assert_string_equal(s->name, "second");
    assert_string_equal(o->consumer_id, "c");
    assert_string_equal(o->auto_offset_reset, "latest");
    assert_list(o->topics, o->ntopics, "a b");
    assert_string_equal(o->csv.filename, "out/{date}/{kind}_{consumer}");
    assert_true(o->csv.max_open_files == 200 && o->csv.formula_guard);
    assert_string_equal(o->csv.compress, "gzip");
    assert_true(o->csv.rotate_bytes == 64 << 20 && o->csv.rotate_rows == 1000000 && o->csv.rotate_every == 7200);
    assert_true(o->csv.split_files && !o->csv.header && o->csv.bom && o->csv.delimiter == '\t' && o->csv.quote == '\'');
    assert_string_equal(o->csv.newline, "\r\n");
    assert_string_equal(o->csv.null_text, "\\N");
    assert_string_equal(o->csv.absent_text, "?");
    /* a callback's offsets are committed by time alone, a writer's also after so many rows */
    assert_true(c->stages[5].as.consumer.flush_every.rows == 0 && c->stages[5].as.consumer.flush_every.ms == 500);
    assert_true(c->stages[6].as.consumer.flush_every.rows == 10000 && c->stages[6].as.consumer.flush_every.ms == 500);
}

static void test_config(void **state) {
    (void)state;
    const ls_conf_pair pairs[] = {{"brokers", "elsewhere:9092"}, {"partitions", "12"}, {"small", "true"}};
    ls_script_env env = {.params = pairs, .nparams = 3};
    ls_script *s;
    ls_config c;
    ls_error err = {0};
    setenv("LIST_SYNC_TEST_PASSWORD", "secret", 1);
    if (ls_script_open(&s, TESTS_DIR "/lua/config.lua", &env, &err) || ls_script_config(s, &c, &err)) fail_msg("%s", err.text);
    ls_script_close(s); /* the config stands alone */
    assert_string_equal(c.script, TESTS_DIR "/lua/config.lua");
    assert_int_equal(c.nstages, 7);
    check_connectors(&c);
    check_consumers(&c);
    ls_config_free(&c);
    unsetenv("LIST_SYNC_TEST_PASSWORD");
    env = (ls_script_env){.offline = true}; /* an environment variable that is not set is no error then */
    assert_int_equal(ls_script_open(&s, TESTS_DIR "/lua/config.lua", &env, &err), 0);
    ls_script_close(s);
}

/* ---- the compiled loop ---- */

enum { JIT_ROWS = 1000, JIT_BATCHES = 5 };

static ls_work *many_rows(ls_schema *s, size_t n) {
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    for (size_t i = 0; i < n; i++) {
        ls_change *c = ls_work_add(w, s, &tx, 'I', i + 1);
        c->after = ls_work_values(w, s->ncols);
        c->after[0] = ls_value_text("1234", 4);
        c->after[1] = i % 3 ? ls_value_text("open", 4) : ls_value_text("draft", 5);
        c->after[2] = ls_value_text("12.50", 5);
        c->after[3] = ls_value_state(LS_NULL);
        if (s->ncols > 4) c->after[4] = ls_value_text("x", 1);
    }
    return w;
}

/* The loop and its way through the hooks were compiled, and no trace was given up: compiles.lua's report says so. columns: names of an integer, a
 * text, a decimal, a NULL and a text. */
static void assert_compiles_over(const char *stage, const char *table, const char *const columns[5]) {
    static const uint8_t types[] = {LS_TYPE_INTEGER, LS_TYPE_STRING, LS_TYPE_DECIMAL, LS_TYPE_STRING, LS_TYPE_STRING};
    static const uint16_t key[] = {0};
    static const ls_script_env offline = {.offline = true};
    ls_column_def cols[5];
    size_t ncols = 0;
    for (; ncols < 5 && columns[ncols]; ncols++) cols[ncols] = (ls_column_def){columns[ncols], strlen(columns[ncols]), types[ncols]};
    ls_schema *schema = ls_schema_new(&schemas, "public", 6, table, strlen(table), cols, ncols, key, 1);
    ls_script *s;
    ls_error err = {0};
    bool callback = strcmp(stage, "callback") == 0; /* whose loop, as a writer's, may leave a batch's beginning interpreted */
    if (ls_script_open(&s, TESTS_DIR "/lua/compiles.lua", &offline, &err) || ls_script_use(s, stage, &err)) fail_msg("%s", err.text);
    if (callback && ls_script_use_writer(s, stage, &err)) fail_msg("%s", err.text);
    for (int i = 0; i < JIT_BATCHES; i++) {
        ls_work *w = many_rows(schema, JIT_ROWS);
        if (callback ? ls_script_write(s, &w->seen, &err) : ls_script_run(s, &w->seen, &err) || ls_script_lay_out(s, &w->seen, &err)) fail_msg("%s", err.text);
        ls_work_free(w);
    }
    ls_schema *told = ls_schema_new(&schemas, "public", 6, "told", 4, (const ls_column_def[]){{"id", 2, LS_TYPE_INTEGER}, {"status", 6, LS_TYPE_STRING},
                                    {"total", 5, LS_TYPE_DECIMAL}, {"note", 4, LS_TYPE_STRING}}, 4, key, 1);
    ls_work *w = many_rows(told, 1);
    if (ls_script_use(s, "report", &err) || ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    const ls_value *v = &w->seen.changes[0].after[1];
    char got[512];
    snprintf(got, sizeof got, "%.*s", (int)v->len, v->as.p);
    if (strncmp(got, "compiled, given up: none", callback ? sizeof "compiled," - 1 : sizeof got) != 0) fail_msg("%s, %s: %s", stage, table, got);
    ls_work_free(w);
    ls_schema_unref(told);
    ls_script_close(s);
    ls_schema_unref(schema);
}

static void assert_compiles(const char *stage) {
    assert_compiles_over(stage, "orders", (const char *const[5]){"id", "status", "total", "note"});
}

/* The functions of the shipped examples, but for writers: what they call is no trace's business. */
static void test_the_examples_compile(void **state) {
    (void)state;
    static const struct {
        const char *file, *stage, *table, *columns[5];
    } all[] = {{"03_filter_and_map", "shop", "items", {"id", "category", "price", "note"}},
               {"06_soft_deletes", "shop", "items", {"id", "category", "price", "deleted_at"}},
               {"07_outbox", "outbox", "outbox", {"id", "aggregate", "payload", "kind", "aggregate_id"}},
               {"08_spreadsheet", "spreadsheets", "orders", {"id", "note", "net", "ordered"}},
               {"09_custom_format", "shop", "items", {"id", "category", "price", "note"}},
               {"10_masked_tenants", "customers", "customers", {"id", "tenant", "x", "iban", "name"}},
               {"11_dead_letters", "items", "items", {"id", "category", "price", "note"}}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char path[512];
        snprintf(path, sizeof path, TESTS_DIR "/../examples/%s.lua", all[i].file);
        setenv("LIST_SYNC_TEST_EXAMPLE", path, 1);
        assert_compiles_over(all[i].stage, all[i].table, all[i].columns);
    }
    unsetenv("LIST_SYNC_TEST_EXAMPLE");
}

static void test_loops_compile(void **state) {
    (void)state;
    assert_compiles("filter");
    assert_compiles("filter_and_map");
    assert_compiles("adds_and_drops");
    assert_compiles("reads_much");
    assert_compiles("cells");
    assert_compiles("records");
    assert_compiles("topic_and_key");
    assert_compiles("headers");
    assert_compiles("format");
    assert_compiles("format_json");
    assert_compiles("by_table");
    assert_compiles("callback");
}

/* ---- list_sync options ---- */

static void test_reference(void **state) {
    (void)state;
    ls_buf text = {0}, page = {0};
    ls_error err = {0};
    FILE *f = fopen(TESTS_DIR "/../docs/options.md", "rb");
    assert_non_null(f);
    for (int ch; (ch = fgetc(f)) != EOF;) ls_buf_char(&page, (char)ch);
    fclose(f);
    assert_int_equal(ls_script_options(NULL, &text, &err), 0);
    assert_string_equal(ls_buf_cstr(&text), ls_buf_cstr(&page)); /* made with: list_sync options > docs/options.md */
    ls_buf_clear(&text);
    assert_int_equal(ls_script_options("slot", &text, &err), 0);
    assert_string_equal(ls_buf_cstr(&text),
                        "## ls.connector\n\nCaptures one database and sends its changes to Kafka.\n\n"
                        "- `slot` (text of at most 63 bytes; PostgreSQL only; default: the connector's name in lower case, with _ for all but\n"
                        "  letters and digits): The replication slot. It is made at the first start.\n");
    ls_buf_clear(&text);
    assert_int_equal(ls_script_options("csv_writer", &text, &err), 0);
    assert_int_equal(memcmp(text.data, "## ls.csv_writer\n", 17), 0);
    assert_int_equal(ls_script_options("partition", &text, &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_string_equal(err.text, "there is no option \"partition\"; did you mean \"partitions\"?");
    ls_buf_free(&text);
    ls_buf_free(&page);
}

static int enter_folder(void **state) {
    static char folder[] = "/tmp/list_sync_test_XXXXXX";
    *state = folder;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return chdir("/") || system(command) ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_read),
        cmocka_unit_test(test_rows_are_left_out),
        cmocka_unit_test(test_a_moved_row_is_masked),
        cmocka_unit_test(test_rows_are_written),
        cmocka_unit_test(test_clones),
        cmocka_unit_test(test_rows_die_with_their_batch),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_unreadable_script),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_loops_compile),
        cmocka_unit_test(test_the_examples_compile),
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests_name("script", tests, enter_folder, leave_folder);
}
