#include "change/value.h"
#include "script/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ls_schemas schemas;

static void write_file(const char *text) {
    FILE *f = fopen("case.lua", "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* ---- files that are wrong ---- */

static int give_first(ls_cases *c, ls_error *err) {
    ls_case_tables tables;
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    int rc = ls_cases_tables(c, &schemas, &tables, err);
    if (rc == 0) rc = ls_cases_give(c, 0, w, &tables, true, err);
    ls_work_free(w);
    ls_cases_drop_tables(&tables);
    return rc;
}

static const char *field(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    const char *text = lua_tostring(L, -1); /* the table keeps it */
    lua_pop(L, 1);
    return text;
}

/* Of the entry on top of the stack. */
static bool error_is_right(lua_State *L) {
    ls_cases *c;
    ls_error err = {0};
    lua_getfield(L, -1, "give");
    bool give = lua_toboolean(L, -1);
    lua_pop(L, 1);
    write_file(field(L, "file"));
    int rc = ls_cases_open(&c, "case.lua", &err);
    if (rc == 0 && give) rc = give_first(c, &err);
    ls_cases_close(c);
    bool right = rc == -1 && err.code == LS_USAGE && strcmp(err.text, field(L, "want")) == 0;
    if (!right) print_error("%s\n wanted: %s\n    got: %s\n", field(L, "file"), field(L, "want"), rc ? err.text : "no error");
    return right;
}

static void test_errors(void **state) {
    (void)state;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    if (luaL_dofile(L, TESTS_DIR "/lua/case_errors.lua")) fail_msg("%s", lua_tostring(L, -1));
    size_t n = lua_objlen(L, -1), wrong = 0;
    assert_true(n > 50);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        wrong += !error_is_right(L);
        lua_pop(L, 1);
    }
    lua_close(L);
    assert_int_equal(wrong, 0);
}

static void test_no_file(void **state) {
    (void)state;
    ls_cases *c;
    ls_error err = {0};
    assert_int_equal(ls_cases_open(&c, "missing.lua", &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_string_equal(err.text, "cannot read the cases: cannot open missing.lua: No such file or directory");
    assert_null(c);
}

/* ---- the rows that cases give ---- */

static const char rows[] =
    "local ls = require 'list_sync'\n"
    "ls.table { 'public.t', { 'a', 'integer', key = 2 }, { 'b', 'string', key = 1 }, { 'n', 'float' }, { 'at', 'timestamp' }, { 'raw', 'bytes' }, "
    "{ 'tags', 'array' }, { 'doc', 'json' }, { 'g', 'geometry' } }\n"
    "ls.table { 'we\\\\.ird.t', { 'x', 'string' } }\n"
    "ls.case { name = 'all', give = { table = 'public.t', new = { a = 18446744073709551615ULL, b = 'ö', n = 1.5, at = '2026-01-02T03:04:05Z', raw = ls.bytes '\\0\\255', "
    "tags = ls.array { 1, ls.null, n = 2 }, doc = ls.json { a = 1 }, g = '{\"srid\":1,\"wkb\":\"AQ==\"}' }, source = { pos = '01', seq = 3, tx = '742', ts = 5 } } }\n"
    "ls.case { name = 'update', stage = 'shop', give = { table = 'public.t', new = { a = 1, b = 'b', n = ls.null, tags = ls.absent } } }\n"
    "ls.case { name = 'key', give = { table = 'public.t', old = { a = 1, b = 'b' }, new = { a = 2, b = 'b' } } }\n"
    "ls.case { name = 'gone', give = { { table = 'public.t', action = 'D', old = { a = 1, b = 'b', n = 2 } }, { table = 'we\\\\.ird.t', old = { x = 'y' }, new = { } } } }\n"
    "ls.case { name = 'halves', give = { { table = 'public.t', action = 'D', old = { a = 1, b = 'b' }, moved_to = { a = 2, b = 'c' }, topic = 'wal', partition = 2 },\n"
    "  { table = 'public.t', action = 'I', new = { a = 2, b = 'c' }, moved_from = { a = 1, b = 'b' } } } }\n";

static void show(ls_buf *out, const ls_value *row, uint32_t n) {
    static const char *const states[] = {[LS_NULL] = "NULL", [LS_UNCHANGED] = "unchanged", [LS_ABSENT] = "-"};
    for (uint32_t i = 0; i < n; i++) {
        ls_buf_char(out, i ? ',' : ' ');
        if (row[i].state == LS_PRESENT)
            ls_value_print(out, &row[i]);
        else
            ls_buf_str(out, states[row[i].state]);
    }
}

static void assert_given(ls_cases *c, const ls_case_tables *tables, size_t i, const char *want) {
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_buf out = {0};
    ls_error err = {0};
    if (ls_cases_give(c, i, w, tables, true, &err)) fail_msg("%s", err.text);
    for (uint32_t k = 0; k < w->seen.count; k++) {
        const ls_change *ch = &w->seen.changes[k];
        ls_buf_fmt(&out, "%s%c %s.%s", k ? "; " : "", ch->action, ch->schema->schema, ch->schema->table);
        if (ch->before) show(&out, ch->before, ch->schema->ncols);
        if (ch->after) ls_buf_str(&out, " ->"), show(&out, ch->after, ch->schema->ncols);
        if (ch->moved) ls_buf_str(&out, ch->flags & LS_MOVED_TO ? " to" : " from"), show(&out, ch->moved, ch->schema->nkey);
        if (ch->origin) ls_buf_fmt(&out, " in %s/%d", ch->origin->topic, (int)ch->origin->partition);
        ls_buf_fmt(&out, " %s/%llu", ch->tx->pos, (unsigned long long)ch->seq);
    }
    assert_string_equal(ls_buf_cstr(&out), want);
    ls_buf_free(&out);
    ls_work_free(w);
}

static void test_given_rows(void **state) {
    (void)state;
    ls_cases *c;
    ls_error err = {0};
    ls_case_tables tables;
    write_file(rows);
    if (ls_cases_open(&c, "case.lua", &err) || ls_cases_tables(c, &schemas, &tables, &err)) fail_msg("%s", err.text);
    assert_int_equal(ls_cases_count(c), 5);
    assert_string_equal(ls_cases_at(c, 1)->stage, "shop");
    assert_int_equal(ls_cases_at(c, 1)->line, 5);
    assert_int_equal(ls_cases_at(c, 3)->nrows, 2);
    assert_int_equal(ls_cases_table_of(c, 3, 1), 1);
    assert_given(c, &tables, 0, "I public.t -> 18446744073709551615,\xc3\xb6,1.5,2026-01-02T03:04:05Z,AP8=,[1,null],{\"a\":1},{\"srid\":1,\"wkb\":\"AQ==\"} 01/3");
    assert_given(c, &tables, 1, "I public.t -> 1,b,NULL,NULL,NULL,-,NULL,NULL /1");
    assert_given(c, &tables, 2, "D public.t 1,b,-,-,-,-,-,- to b,2 /1; I public.t -> 2,b,NULL,NULL,NULL,NULL,NULL,NULL from b,1 /2");
    assert_given(c, &tables, 3, "D public.t 1,b,-,-,-,-,-,- /1; U we.ird.t y -> NULL /2");
    assert_given(c, &tables, 4, "D public.t 1,b,-,-,-,-,-,- to c,2 in wal/2 /1; I public.t -> 2,c,NULL,NULL,NULL,NULL,NULL,NULL from b,1 /2");
    ls_cases_drop_tables(&tables);
    ls_cases_close(c);
}

static int in_a_folder(void **state) {
    static char folder[] = "/tmp/list_sync-test-XXXXXX";
    *state = folder;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    unlink("case.lua");
    return chdir("/") || rmdir(*state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_given_rows),
    };
    return cmocka_run_group_tests(tests, in_a_folder, remove_folder);
}
