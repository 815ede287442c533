/* Layouts whose cells functions of a script give, from the script to the file: tests/lua/layouts.lua. */
#include "change/value.h"
#include "pipeline/csv_conf.h"
#include "script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ls_script_env no_env;
static ls_schemas schemas;
static const ls_origin origin = {"rows", 0};

static ls_schema *table(const char *name, size_t ncols) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"total", 5, LS_TYPE_DECIMAL}, {"big", 3, LS_TYPE_INTEGER}};
    static const uint16_t key[] = {0};
    return ls_schema_new(&schemas, "public", 6, name, strlen(name), cols, ncols, key, 1);
}

static void add(ls_work *w, const ls_schema *s, char action, int64_t id) {
    ls_tx tx = {.ts = 1732313405123456, .pos = "01"};
    ls_change *c = ls_work_add(w, s, ls_work_tx(w, &tx), (uint8_t)action, w->seen.count + 1);
    c->origin = &origin;
    if (action == 'T') return;
    if (action != 'D') {
        c->after = ls_work_values(w, s->ncols);
        c->after[0] = ls_value_int(id);
        c->after[1] = ls_value_text("12.50", 5);
        c->after[2] = ls_value_int(9007199254740993);
    }
    if (action == 'I') return;
    c->before = ls_work_values(w, s->ncols);
    c->before[0] = ls_value_int(id);
}

static void assert_file(const char *name, const char *want) {
    char got[4096];
    FILE *f = fopen(name, "rb");
    if (!f) fail_msg("there is no %s", name);
    size_t n = fread(got, 1, sizeof got - 1, f);
    got[n] = '\0';
    fclose(f);
    assert_string_equal(got, want);
}

static void write_batch(const ls_stage *stage, ls_script *s, ls_work *w) {
    const ls_csv_options *o = &stage->as.consumer.csv;
    ls_error err = {0};
    ls_csv_conf conf = ls_csv_conf_of(o, "c", NULL);
    ls_csv_layout *layouts;
    ls_writer *csv;
    assert_int_equal(ls_csv_layouts_of(&layouts, o, "c", NULL, &err), 0);
    conf.layouts = layouts;
    conf.nlayouts = o->nlayouts;
    if (ls_script_run(s, &w->seen, &err) || ls_script_lay_out(s, &w->seen, &err)) fail_msg("%s", err.text);
    if (ls_csv_open(&csv, &conf, &err) || csv->ops->write(csv, &w->seen, &err) || csv->ops->flush(csv, NULL, 0, &err)) fail_msg("%s", err.text);
    csv->ops->close(csv);
    free(layouts);
}

/* Writes the rows by the stage of that name. */
static void write_rows(const char *name, ls_work *w) {
    ls_script *s;
    ls_config config;
    ls_error err = {0};
    const ls_stage *stage = NULL;
    if (ls_script_open(&s, TESTS_DIR "/lua/layouts.lua", &no_env, &err) || ls_script_config(s, &config, &err) || ls_script_use(s, name, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < config.nstages; i++)
        if (strcmp(config.stages[i].name, name) == 0) stage = &config.stages[i];
    assert_true(stage && stage->has_hooks);
    write_batch(stage, s, w);
    ls_script_close(s);
    ls_config_free(&config);
    ls_work_free(w);
}

static ls_work *some_rows(void) {
    ls_work *w = ls_work_new(&schemas, "", "");
    ls_schema *s = table("orders", 3), *key = table("orders", 1);
    add(w, s, 'I', 1);
    add(w, s, 'U', 2);
    add(w, s, 'T', 0);
    add(w, s, 'D', 3);
    add(w, key, 'D', 4); /* as a consumer has it that has seen no other row of the table */
    ls_schema_unref(s);
    ls_schema_unref(key);
    return w;
}

static void test_an_update_is_two_halves(void **state) {
    (void)state;
    write_rows("halves", some_rows());
    assert_file("halves_c.csv", "action,table,id,action,total\n"
                                "I,public.orders,1,In1,12.50\n"
                                "D,public.orders,2,Do2,?\n"
                                "I,public.orders,2,In3,12.50\n"
                                "T,public.orders,?,?,?\n"
                                "D,public.orders,3,Do4,?\n"
                                "D,public.orders,4,Do5,?\n");
}

static void test_what_was_not_sent_is_absent(void **state) {
    (void)state;
    write_rows("absent", some_rows());
    assert_file("absent_c.csv", "action,table,id,read,sum,number,method,library,asked,unknown\n"
                                "I,public.orders,1,12.50,13.5,13.5,25,12,true,1\n"
                                "D,public.orders,2,?,?,?,?,?,false,1\n"
                                "I,public.orders,2,12.50,13.5,13.5,25,12,true,1\n"
                                "T,public.orders,?,?,?,?,?,?,?,?\n"
                                "D,public.orders,3,?,?,?,?,?,false,1\n"
                                "D,public.orders,4,?,?,?,?,?,false,?\n");
}

static void test_every_kind_of_cell(void **state) {
    (void)state;
    ls_work *w = ls_work_new(&schemas, "", "");
    ls_schema *s = table("orders", 3);
    add(w, s, 'I', 1);
    ls_schema_unref(s);
    write_rows("kinds", w);
    assert_file("kinds_c.csv", "action,table,text,empty,null,ls.null,whole,large,tenth,minus zero,nan,int64,uint64,yes,no,array,table,decimal,bytes,json,date,"
                               "big,hash,absent\n"
                               "I,public.orders,\"a,b\",\"\",NULL,NULL,3,1e+21,0.1,-0,NaN,-9223372036854775808,18446744073709551615,true,false,"
                               "\"[1,null,\"\"x\"\"]\",\"{\"\"a\"\":{},\"\"b\"\":1}\",1.50,AP8=,[1],22/11/2024,9007199254740993,"
                               "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881,?\n");
}

static void test_whole_records(void **state) {
    (void)state;
    write_rows("record", some_rows());
    assert_file("records_c.csv", "what,id,total\norders,1,12.50\norders,2,12.50\n");
}

static void test_functions_of_the_most_specific_layout(void **state) {
    (void)state;
    ls_work *w = some_rows();
    ls_schema *s = table("others", 3);
    add(w, s, 'U', 5);
    w->seen.changes[0].flags |= LS_DROPPED;
    ls_schema_unref(s);
    write_rows("patterns", w);
    assert_file("patterns_orders_c.csv", "action,table,id\nD,public.orders,2\nI,public.orders,2\nT,public.orders,?\nD,public.orders,3\nD,public.orders,4\n");
    assert_file("patterns_all_c.csv", "action,table,id,n\nD,public.others,5,1\nI,public.others,5,2\n");
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
        cmocka_unit_test(test_an_update_is_two_halves),
        cmocka_unit_test(test_what_was_not_sent_is_absent),
        cmocka_unit_test(test_every_kind_of_cell),
        cmocka_unit_test(test_whole_records),
        cmocka_unit_test(test_functions_of_the_most_specific_layout),
    };
    return cmocka_run_group_tests_name("layouts", tests, enter_folder, leave_folder);
}
