/* test_fault.c - rows in error that do not stop a batch: what is set aside, as what, and what goes on behind it. */
#include "change/columns.h"
#include "change/fault.h"
#include "change/row.h"
#include "change/value.h"
#include "script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ls_schemas schemas;
static const ls_script_env no_env;
static const ls_tx tx = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742"};

static ls_schema *items(void) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"name", 4, LS_TYPE_STRING}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    return ls_schema_new(&schemas, "public", 6, "items", 5, cols, 3, key, 1);
}

/* n updates, id 1 and up: name "old" to "new". The schema is the batch's. */
static ls_work *make_batch(int n, bool keep) {
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *s = items();
    const ls_tx *t = ls_work_tx(w, &tx);
    w->isolate = true;
    w->keep = keep;
    for (int i = 0; i < n; i++) {
        ls_change *c = ls_work_add(w, s, t, 'U', (uint64_t)i + 1);
        c->before = ls_work_values(w, 3);
        c->after = ls_work_values(w, 3);
        c->before[0] = c->after[0] = ls_value_int(i + 1);
        c->before[1] = ls_value_text("old", 3);
        c->after[1] = ls_value_text("new", 3);
        c->before[2] = c->after[2] = ls_value_state(LS_NULL);
    }
    ls_schema_unref(s);
    return w;
}

static void show_image(ls_buf *out, const ls_change *c, const ls_value *row) {
    for (uint32_t i = 0; row && i < c->schema->ncols; i++) {
        if (row[i].state > LS_NULL) continue;
        ls_buf_fmt(out, " %s=", c->schema->cols[i].name);
        if (row[i].state == LS_PRESENT) ls_value_print(out, &row[i]);
    }
}

/* "I1.0 id=1 name=x; " of each change that goes on, "!map U2.0 ..." of one that was set aside; "> " stands before the row after. */
static const char *text_of(ls_work *w) {
    static char text[4096];
    ls_buf out = {0};
    for (uint32_t i = 0; i < w->seen.count; i++) {
        const ls_change *c = &w->seen.changes[i];
        if (c->flags & LS_DROPPED && !c->fault) continue;
        if (c->fault) ls_buf_fmt(&out, "!%s ", c->fault->hook);
        ls_buf_fmt(&out, "%c%llu.%u", c->action, (unsigned long long)c->seq, c->sub);
        show_image(&out, c, c->before);
        if (c->after) ls_buf_str(&out, " >");
        show_image(&out, c, c->after);
        ls_buf_str(&out, "; ");
    }
    snprintf(text, sizeof text, "%s", out.len ? ls_buf_cstr(&out) : "");
    ls_buf_free(&out);
    return text;
}

static ls_script *open_script(const char *functions) {
    char path[] = "/tmp/test_fault.XXXXXX", text[4096];
    ls_script *s;
    ls_error err;
    int fd = mkstemp(path);
    int n = snprintf(text, sizeof text,
                     "local ls = require 'list_sync'\nls.connector { name = 'shop', db_type = 'postgres', host = 'h', user = 'u', database = 'd', table = 'public.items',\n"
                     "kafka_conf = 'memory', %s }\n", functions);
    assert_int_equal(write(fd, text, (size_t)n), n);
    close(fd);
    if (ls_script_open(&s, path, &no_env, &err) || ls_script_use(s, "shop", &err)) fail_msg("%s", err.text);
    unlink(path);
    return s;
}

#define PLAIN(id) "U" #id ".0 id=" #id " name=old note= > id=" #id " name=new note=; "

static ls_work *run(const char *functions, int rows, bool keep) {
    ls_work *w = make_batch(rows, keep);
    ls_script *s = open_script(functions);
    ls_error err;
    if (ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    ls_script_close(s);
    return w;
}

static void gives(const char *functions, const char *want) {
    ls_work *w = run(functions, 3, true);
    assert_string_equal(text_of(w), want);
    assert_int_equal(w->seen.frozen, 0);
    assert_int_equal(w->half, LS_WHOLE);
    ls_work_free(w);
}

static void goes_on(void **state) {
    (void)state;
    gives("topic = 't', filter = function(row) if row.new.id == 2 then error 'two' end return row.new.id ~= 3 end", PLAIN(1) "!filter " PLAIN(2));
    gives("topic = 't', filter = function(row) error 'all' end", "!filter " PLAIN(1) "!filter " PLAIN(2) "!filter " PLAIN(3));
    gives("topic = 't', map = function(row) if row.new.id == 3 then return 7 end end", PLAIN(1) PLAIN(2) "!map " PLAIN(3));
    gives("topic = function(row) if row.new.id == 1 then return nil end return 't' end", "!topic " PLAIN(1) PLAIN(2) PLAIN(3));
}

/* Whatever the hooks have done before they failed. */
static void half_done_edits_are_gone(void **state) {
    (void)state;
    gives("topic = 't', map = function(row) row.new.name = 'x' row.old.name = 'y' if row.new.id == 2 then error 'two' end end",
          "U1.0 id=1 name=y note= > id=1 name=x note=; !map " PLAIN(2) "U3.0 id=3 name=y note= > id=3 name=x note=; ");
    gives("topic = 't', map = function(row) row:drop 'note' row.new.more = 1 row:rename('name', 'title') row.table = 'other' if row.new.id < 3 then row.new.id = nil end end",
          "!map " PLAIN(1) "!map " PLAIN(2) "U3.0 id=3 title=old > id=3 title=new more=1; ");
    gives("topic = 't', map = function(row) row.action = 'D' if row.old.id == 1 then error 'one' end end", "!map " PLAIN(1) "D2.0 id=2 name=old note=; D3.0 id=3 name=old note=; ");
}

static void clones_are_gone(void **state) {
    (void)state;
    gives("topic = 't', map = function(row) local c = row:clone() c.new.name = 'clone' row:clone() if row.new.id == 2 then error 'two' end end",
          PLAIN(1) "U1.1 id=1 name=old note= > id=1 name=clone note=; U1.2 id=1 name=old note= > id=1 name=new note=; !map " PLAIN(2) PLAIN(3)
          "U3.1 id=3 name=old note= > id=3 name=clone note=; U3.2 id=3 name=old note= > id=3 name=new note=; ");
    /* a function that is asked of a clone fails: the row and its clones are one */
    gives("map = function(row) local c = row:clone() c.new.name = 'clone' end, topic = function(row) if row.new.id == 2 and row.new.name == 'clone' then error 'two' end return 't' end",
          PLAIN(1) "U1.1 id=1 name=old note= > id=1 name=clone note=; !topic " PLAIN(2) PLAIN(3) "U3.1 id=3 name=old note= > id=3 name=clone note=; ");
}

static void halves_are_whole_again(void **state) {
    (void)state;
    gives("moves = 'split', topic = function(row) if row.action == 'D' and row.old.id == 1 then error 'before' end if row.action == 'I' and row.new.id == 2 then error 'after' end "
          "return row.image.name end", "!topic " PLAIN(1) "!topic " PLAIN(2) "D3.0 id=3 name=old note=; I3.1 > id=3 name=new note=; ");
    gives("moves = 'split', topic = function(row) return row.image.name end, headers = function(row) if row.image.id < 3 and row.action == (row.image.id == 1 and 'I' or 'D') then error 'h' end end",
          "!headers " PLAIN(1) "!headers " PLAIN(2) "D3.0 id=3 name=old note=; I3.1 > id=3 name=new note=; ");
    gives("topic = 't', moves = 'split', filter = function(row) if row.action == 'I' and row.new.id == 2 then error 'f' end end", PLAIN(1) "!filter " PLAIN(2) PLAIN(3));
}

static void what_is_known_of_it(void **state) {
    ls_work *w = run("topic = 't',\nmap = function(row)\n  if row.new.id == 2 then error 'two' end\nend", 3, true);
    const ls_change *c = &w->seen.changes[1];
    (void)state;
    assert_string_equal(c->fault->hook, "map");
    assert_int_equal(c->fault->line, 5);
    assert_non_null(strstr(c->fault->path, "test_fault."));
    assert_non_null(strstr(c->fault->text, ":5: map of connector \"shop\": two (public.items, key 2, position 0000000001a3b748/2)"));
    assert_null(c->sending);
    assert_true(c->flags & LS_DROPPED);
    ls_work_free(w);
}

/* Rows that nobody wants back are not copied; rows that pass have no original unless they are written to. */
static void keeps_what_is_written_to(void **state) {
    const char *edits = "topic = 't', map = function(row) if row.new.id > 1 then row.new.name = 'x' end end";
    (void)state;
    ls_work *w = run(edits, 3, false);
    for (int i = 0; i < 3; i++) assert_null(w->seen.changes[i].original);
    ls_work_free(w);
    w = run(edits, 3, true);
    assert_null(w->seen.changes[0].original);
    assert_memory_equal(w->seen.changes[1].original->after[1].as.p, "new", 3);
    /* an error that comes later, as of a message's encoding */
    assert_int_equal(ls_fault_set(ls_work_of(&w->seen), 1, &(const ls_fault){.hook = "encoding", .text = "why"}), 0);
    assert_int_equal(ls_fault_set(ls_work_of(&w->seen), 1, &(const ls_fault){.hook = "size", .text = "later"}), 0);
    assert_string_equal(text_of(w), PLAIN(1) "!encoding " PLAIN(2) "U3.0 id=3 name=old note= > id=3 name=x note=; ");
    ls_work_free(w);
}

static void stops_without_isolate(void **state) {
    ls_work *w = make_batch(3, false);
    ls_script *s = open_script("topic = 't', filter = function(row) error 'all' end");
    ls_error err;
    (void)state;
    w->isolate = false;
    assert_int_equal(ls_script_run(s, &w->seen, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_null(w->seen.changes[0].fault);
    w->isolate = w->out_of_memory = true; /* no row is to blame */
    assert_int_equal(ls_script_run(s, &w->seen, &err), -1);
    ls_script_close(s);
    ls_work_free(w);
}

/* More rows than LuaJIT interprets: the compiled loop is left, and entered again. */
static void compiled(void **state) {
    enum { ROWS = 1000 };
    ls_work *w = run("topic = function(row) if row.new.id % 10 == 0 then error 'ten' end return 't' end, map = function(row) row.new.name = 'x' end", ROWS, true);
    (void)state;
    for (uint32_t i = 0; i < ROWS; i++) {
        const ls_change *c = &w->seen.changes[i];
        assert_int_equal(c->fault != NULL, (i + 1) % 10 == 0);
        assert_memory_equal(c->after[1].as.p, c->fault ? "new" : "x", 1);
    }
    ls_work_free(w);
}

/* ---- columns ---- */

static void uncast(void **state) {
    static const ls_column_rule rules[] = {{.name = "name", .cast = LS_TYPE_INTEGER}, {.name = "note", .drop = true, .cast = -1}};
    static const ls_column_rule masked[] = {{.name = "name", .cast = LS_TYPE_INTEGER, .mask = LS_MASK_KEEP_LAST, .keep = 1}};
    ls_log log = {.least = LS_ERROR};
    ls_error err;
    (void)state;
    for (int k = 0; k < 2; k++) {
        ls_work *w = make_batch(2, true);
        w->seen.changes[0].after[1] = w->seen.changes[0].before[1] = ls_value_text("77", 2);
        ls_columns *c = ls_columns_new(&(const ls_column_set){.rules = k ? masked : rules, .nrules = k ? 1 : 2, .strict = true}, 1, &schemas, &log);
        assert_int_equal(ls_columns_run(c, w, &err), 0);
        assert_string_equal(text_of(w), k ? "U1.0 id=1 name=*7 note= > id=1 name=*7 note=; !columns.cast U2.0 id=2 name=**d note= > id=2 name=**w note=; "
                                          : "U1.0 id=1 name=77 > id=1 name=77; !columns.cast U2.0 id=2 name=old > id=2 name=new; ");
        assert_int_equal(w->seen.changes[0].schema->cols[1].type, k ? LS_TYPE_STRING : LS_TYPE_INTEGER);
        assert_int_equal(w->seen.changes[1].schema->cols[1].type, LS_TYPE_STRING); /* a text, in a message as one */
        const char *why = w->seen.changes[1].fault->text;
        assert_non_null(strstr(why, k ? "columns.cast: \"***\" is no integer" : "columns.cast: \"new\" is no integer"));
        ls_work_free(w);
        ls_columns_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on),           cmocka_unit_test(half_done_edits_are_gone), cmocka_unit_test(clones_are_gone),
        cmocka_unit_test(halves_are_whole_again), cmocka_unit_test(what_is_known_of_it), cmocka_unit_test(keeps_what_is_written_to),
        cmocka_unit_test(stops_without_isolate), cmocka_unit_test(compiled),             cmocka_unit_test(uncast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
