/* Where functions of a script send rows, and what moves = "split" makes of an update. */
#include "base/names.h"
#include "change/sending.h"
#include "change/value.h"
#include "script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const ls_script_env no_env;
static ls_schemas schemas;
static const ls_tx tx = {.ts = 1732313405123456, .pos = "0000000001a3b748", .id = "742", .connector = "shop", .db = "postgres"};

static ls_value text(const char *s) { return s ? ls_value_text(s, strlen(s)) : ls_value_state(LS_UNCHANGED); }

static ls_schema *orders(const char *table) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}, {"tenant", 6, LS_TYPE_STRING}, {"note", 4, LS_TYPE_STRING}};
    static const uint16_t key[] = {0};
    return ls_schema_new(&schemas, "public", 6, table, strlen(table), cols, 3, key, 1);
}

static ls_value *row(ls_work *w, int64_t id, const char *tenant, const char *note) {
    ls_value *v = ls_work_values(w, 3);
    v[0] = ls_value_int(id);
    v[1] = text(tenant);
    v[2] = text(note);
    return v;
}

static void add(ls_work *w, const ls_schema *s, char action, ls_value *before, ls_value *after) {
    ls_change *c = ls_work_add(w, s, &tx, (uint8_t)action, w->seen.count + 1);
    c->before = before;
    c->after = after;
}

/* I, U that moves, U that stays, D, T, I of another table. */
static ls_work *make_batch(void) {
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders("orders"), *log = orders("log");
    add(w, o, 'I', NULL, row(w, 1, "red", "a"));
    add(w, o, 'U', row(w, 2, "red", "b"), row(w, 2, "blue", "b"));
    add(w, o, 'U', row(w, 3, "blue", "c"), row(w, 3, "blue", "d"));
    add(w, o, 'D', row(w, 4, "blue", "e"), NULL);
    add(w, o, 'T', NULL, NULL);
    add(w, log, 'I', NULL, row(w, 5, "red", "f"));
    ls_schema_unref(o);
    ls_schema_unref(log);
    return w;
}

static void show_row(ls_buf *out, const char *title, const ls_value *v) {
    if (!v) return;
    ls_buf_str(out, title);
    for (int i = 0; i < 2; i++) {
        if (i) ls_buf_char(out, '/');
        ls_value_print(out, &v[i]);
    }
}

/* "U 2/red>2/blue .1 topics=a,b key=k x=y message=m" */
static void show(ls_buf *out, const ls_change *c) {
    const ls_sending *s = c->sending;
    ls_buf_clear(out);
    ls_buf_char(out, (char)c->action);
    show_row(out, " ", c->before);
    show_row(out, " >", c->after);
    if (c->sub) ls_buf_fmt(out, " .%u", c->sub);
    if (c->flags & LS_DROPPED) ls_buf_str(out, " dropped");
    for (const ls_sent_topic *t = s ? s->topics : NULL; t; t = t->next) ls_buf_fmt(out, "%s%s", t == s->topics ? " topics=" : ",", t->name);
    if (s && s->has_key) ls_buf_fmt(out, " key=%s", s->has_key == LS_SAID ? s->key : "(none)");
    for (const ls_sent_header *h = s ? s->headers : NULL; h; h = h->next) ls_buf_fmt(out, " %s=%s", h->name, h->value ? h->value : "(null)");
    if (s && s->has_message) ls_buf_fmt(out, " message=%s", s->has_message == LS_SAID ? s->message : "(null)");
}

static void use_rules(const ls_table_rule *rules, uint32_t n, ls_before before) {
    schemas.rules = rules;
    schemas.nrules = n;
    schemas.before = before;
}

static int run(const char *stage, ls_work *w, ls_error *err) {
    ls_script *s;
    if (ls_script_open(&s, TESTS_DIR "/lua/sends.lua", &no_env, err)) return -1;
    int rc = ls_script_use(s, stage, err) || ls_script_run(s, &w->seen, err) ? -1 : 0;
    ls_script_close(s);
    return rc;
}

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void expect(const char *stage, const char *const *want, size_t n) {
    ls_error err = {0};
    ls_buf line = {0};
    ls_work *w = make_batch();
    if (run(stage, w, &err)) fail_msg("%s", err.text);
    assert_int_equal(w->seen.count, n);
    for (uint32_t i = 0; i < n; i++) {
        show(&line, &w->seen.changes[i]);
        assert_string_equal(ls_buf_cstr(&line), want[i]);
    }
    ls_buf_free(&line);
    ls_work_free(w);
}

static void test_functions(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEY);
    static const char *const all[] = {
        "I >1/red topics=t_red key=1 action=I n=5 none=(null) zone=eu message={\"id\":1,\"tenant\":\"red\"}",
        "U 2/red >2/blue topics=t_blue key=2 action=U n=5 none=(null) zone=eu message={\"id\":2,\"tenant\":\"blue\"}",
        "U 3/blue >3/blue topics=t_blue key=3 action=U n=5 none=(null) zone=eu message={\"id\":3,\"tenant\":\"blue\"}",
        "D 4/blue topics=t_blue key=4 action=D n=5 none=(null) zone=eu message=(null)",
        "T message=truncated orders",
        "I >5/red topics=a,b key=(none) action=I n=5 none=(null) zone=eu message={\"id\":5,\"tenant\":\"red\"}"};
    expect("all", all, COUNT(all));
    static const char *const keys[] = {"I >1/red key=[\"red\",1,1.5,true]", "U 2/red >2/blue key=[\"blue\",2,1.5,true]",
                                       "U 3/blue >3/blue key=[\"blue\",3,1.5,true]", "D 4/blue key=[\"blue\",4,1.5,true]", "T",
                                       "I >5/red key=[\"red\",5,1.5,true]"};
    expect("keys", keys, COUNT(keys));
    static const char *const skips[] = {"I >1/red message=I", "U 2/red >2/blue message=U", "U 3/blue >3/blue message=U", "D 4/blue dropped", "T message=T",
                                        "I >5/red message=I"};
    expect("skips", skips, COUNT(skips));
    static const char *const clones[] = {"I >1/red topics=t_red", "U 2/red >2/blue topics=t_blue", "U 2/red >2/copy .1 topics=t_copy",
                                         "U 3/blue >3/blue topics=t_blue", "U 3/blue >3/copy .1 topics=t_copy", "D 4/blue topics=t_blue", "T", "I >5/red topics=t_red"};
    expect("clones", clones, COUNT(clones));
}

/* A table's options are its own, and else the connector's. */
static void test_by_table(void **state) {
    (void)state;
    static const ls_table_rule rules[] = {{.pattern = "public.log"}, {.pattern = "public.o*"}}; /* as tables.lua sorts them */
    use_rules(rules, 2, LS_BEFORE_KEY);
    static const char *const want[] = {"I >1/red topics=t_red", "U 2/red >2/blue topics=t_blue", "U 3/blue >3/blue topics=t_blue", "D 4/blue topics=t_blue", "T",
                                       "I >5/red dropped"};
    expect("by_table", want, COUNT(want));
}

static void test_splits(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    static const char *const splits[] = {"I >1/red topics=t_red message=Ired", "D 2/red topics=t_red message=Dred", "I >2/blue .1 topics=t_blue message=Iblue",
                                         "U 3/blue >3/blue topics=t_blue message=Ublue", "D 4/blue topics=t_blue message=Dblue", "T message=T", "I >5/red topics=t_red message=Ired"};
    expect("splits", splits, COUNT(splits));
    static const char *const by_key[] = {"I >1/red", "D 2/red", "I >2/blue .1", "U 3/blue >3/blue", "D 4/blue", "T", "I >5/red"};
    expect("splits_by_key", by_key, COUNT(by_key));
    static const char *const filter[] = {"I >1/red dropped", "I >2/blue", "U 3/blue >3/blue", "D 4/blue", "T", "I >5/red dropped"};
    expect("split_filter", filter, COUNT(filter));
    static const char *const clones[] = {"I >1/red topics=t_red", "D 2/red topics=t_red", "D 2/red .1 topics=t_red", "I >2/blue .2 topics=t_blue",
                                         "I >2/x .3 topics=t_x", "U 3/blue >3/blue topics=t_blue", "D 3/blue .1 topics=t_blue", "I >3/x .2 topics=t_x",
                                         "D 4/blue topics=t_blue", "T", "I >5/red topics=t_red"};
    expect("split_clones", clones, COUNT(clones));
}

/* What clones go as does not depend on whether their row is sent. */
static void test_clones_of_rows_left_out(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    static const char *const alone[] = {"I >1/red dropped", "I >1/red .1 topics=t_red key=items message=I", "U 2/red >2/blue dropped",
                                        "U 2/red >2/blue .1 topics=t_blue key=items message=U", "U 3/blue >3/blue dropped",
                                        "U 3/blue >3/blue .1 topics=t_blue key=items message=U", "D 4/blue dropped", "T message=T", "I >5/red dropped"};
    expect("clones_alone", alone, COUNT(alone));
    static const char *const split[] = {"I >1/red topics=t_red", "U 2/red >2/blue dropped", "D 2/red .1 topics=t_red", "I >2/blue .2 topics=t_blue",
                                        "U 3/blue >3/blue dropped", "U 3/blue >3/blue .1 topics=t_blue", "D 4/blue topics=t_blue", "T", "I >5/red topics=t_red"};
    expect("split_clones_alone", split, COUNT(split));
}

/* An update that a hook makes of an insert has no row before that could be elsewhere. */
static void test_upserts_are_not_split(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    static const char *const want[] = {"U 1/ >1/red topics=t_red", "D 2/red topics=t_red", "I >2/blue .1 topics=t_blue", "U 3/blue >3/blue topics=t_blue",
                                       "D 4/blue topics=t_blue", "T", "U 5/ >5/red topics=t_red"};
    expect("split_upserts", want, COUNT(want));
}

/* As many clones as a row may have, each of them split. */
static void test_all_clones_split(void **state) {
    (void)state;
    ls_error err = {0};
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders("orders");
    add(w, o, 'U', row(w, 2, "red", "b"), row(w, 2, "blue", "b"));
    if (run("split_most_clones", w, &err)) fail_msg("%s", err.text);
    assert_int_equal(w->seen.count, 514);
    for (uint32_t i = 0; i < 514; i++) {
        assert_int_equal(w->seen.changes[i].action, i < 257 ? 'D' : 'I');
        assert_int_equal(w->seen.changes[i].sub, i);
        assert_string_equal(w->seen.changes[i].sending->topics->name, i < 257 ? "t_red" : "t_blue");
    }
    ls_schema_unref(o);
    ls_work_free(w);
}

static void test_a_topic_is_said_once(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEY);
    static const char *const want[] = {"I >1/red topics=a,b", "U 2/red >2/blue topics=a,b,t_blue", "U 3/blue >3/blue topics=a,b,t_blue", "D 4/blue topics=a,b,t_blue", "T",
                                       "I >5/red topics=a,b"};
    expect("one_topic_twice", want, COUNT(want));
}

static void refused(const char *stage, const char *why) {
    ls_error err = {0};
    ls_work *w = make_batch();
    assert_int_equal(run(stage, w, &err), -1);
    if (!strstr(err.text, why)) fail_msg("%s: \"%s\" lacks \"%s\"", stage, err.text, why);
    ls_work_free(w);
}

/* Before any row of the batch is sent, and with the function's line. */
static void test_what_is_refused(void **state) {
    (void)state;
    use_rules(NULL, 0, LS_BEFORE_KEY);
    refused("topic_space", ": topic of connector \"topic_space\": it gave \"a b\", which Kafka does not take for a topic's name: 1 to 249 letters, digits, dots, _ and -; "
                           "replace the others: name:gsub(\"[^%w._-]\", \"_\") (public.orders, key 1, position 0000000001a3b748/1)");
    refused("topic_empty", ": it gave \"\", which Kafka");
    refused("topic_dots", ": it gave \"..\", which Kafka");
    refused("topic_long", "xx\", which Kafka");
    refused("topic_nul", ": it gave \"a\", which Kafka");
    refused("key_named", ": key of connector \"key_named\": it returned a table with the key \"id\"; it returns a text, a number, a list of them, ls.json, or nil for no key");
    refused("key_bytes", ": key of connector \"key_bytes\": JSON takes no ls.bytes: give it as text");
    refused("changes_a_truncate", ": format of connector \"changes_a_truncate\": a row is not changed where it is asked for its topic, key");
}

static void test_keys(void **state) {
    (void)state;
    static const struct {
        const char *stage, *key;
    } all[] = {{"key_empty", ""}, {"key_huge", "1e+300"}, {"key_zero", "0"}, {"key_none", "NaN"}, {"key_whole", "4611686018427387905"}, {"key_decimal", "1.50"},
               {"key_list", "[\"1.50\",7,null,null]"}, {"key_json", "{\"a\":\"1.50\",\"b\":{\"c\":7}}"}};
    use_rules(NULL, 0, LS_BEFORE_KEY);
    for (size_t i = 0; i < COUNT(all); i++) {
        ls_error err = {0};
        ls_work *w = make_batch();
        if (run(all[i].stage, w, &err)) fail_msg("%s: %s", all[i].stage, err.text);
        assert_int_equal(w->seen.changes[0].sending->has_key, LS_SAID);
        assert_string_equal(w->seen.changes[0].sending->key, all[i].key);
        ls_work_free(w);
    }
}

/* What a row becomes by the rules in docs/scripting.md, written down once more: a line for each change. */
static void model_line(ls_buf *out, char action, int id, const char *before, const char *after, unsigned sub, bool dropped) {
    if (action == 'I') before = NULL;
    if (action == 'D') after = NULL;
    const char *image = after ? after : before;
    ls_buf_char(out, action);
    if (before) ls_buf_fmt(out, " %d/%s", id, before);
    if (after) ls_buf_fmt(out, " >%d/%s", id, after);
    if (sub) ls_buf_fmt(out, " .%u", sub);
    if (dropped)
        ls_buf_str(out, " dropped");
    else
        ls_buf_fmt(out, " topics=t_%s key=%s new=%s old=%s message=%c%d", image, image, after ? after : "-", before ? before : "-", action, id);
    ls_buf_char(out, '\n');
}

static void model(ls_buf *out, char action, int id, const char *before, const char *after) {
    bool was = before && strcmp(before, "green") != 0, is = after && strcmp(after, "green") != 0;
    if (!was && !is) {
        model_line(out, action, id, before, after, 0, true);
        return;
    }
    if (action == 'U') action = was && is ? 'U' : is ? 'I' : 'D';
    bool cloned = action == 'U' && id % 5 == 0, dropped = id % 7 == 0, split = action == 'U' && !dropped && strcmp(before, after) != 0;
    unsigned sub = 1;
    model_line(out, split ? 'D' : action, id, before, after, 0, dropped);
    if (cloned) model_line(out, 'D', id, before, "x", sub++, false);
    if (split) model_line(out, 'I', id, before, after, sub++, false);
    if (cloned) model_line(out, 'I', id, before, "x", sub++, false);
}

static void run_random(ls_script *s, ls_work *w, const ls_schema *o, unsigned *seed) {
    static const char *const tenants[] = {"red", "green", "blue"};
    ls_error err = {0};
    ls_buf want = {0}, got = {0}, line = {0};
    ls_work_reset(w);
    for (int i = 0; i < 700; i++) {
        *seed = *seed * 1103515245 + 12345;
        unsigned r = *seed >> 8;
        int id = (int)(r % 1000);
        char action = "IUUUD"[r / 1000 % 5];
        const char *before = action == 'I' ? NULL : tenants[r / 7 % 3], *after = action == 'D' ? NULL : tenants[r / 23 % 3];
        model(&want, action, id, before, after);
        ls_value *is = after ? row(w, id, after, "n") : NULL, *was = before ? row(w, id, before, "o") : NULL;
        add(w, o, action, was, is);
    }
    if (ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    for (uint32_t i = 0; i < w->seen.count; i++) {
        show(&line, &w->seen.changes[i]);
        ls_buf_add(&got, line.data, line.len);
        ls_buf_char(&got, '\n');
    }
    assert_string_equal(ls_buf_cstr(&got), ls_buf_cstr(&want));
    ls_buf_free(&want);
    ls_buf_free(&got);
    ls_buf_free(&line);
}

/* Many batches through one Lua state, so that what is compared is what LuaJIT has compiled. */
static void test_random_rows(void **state) {
    (void)state;
    ls_script *s;
    ls_error err = {0};
    unsigned seed = 7;
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders("orders");
    if (ls_script_open(&s, TESTS_DIR "/lua/sends.lua", &no_env, &err) || ls_script_use(s, "random", &err)) fail_msg("%s", err.text);
    for (int batch = 0; batch < 60; batch++) run_random(s, w, o, &seed);
    ls_script_close(s);
    ls_work_free(w);
    ls_schema_unref(o);
}

static void test_a_split_needs_whole_rows(void **state) {
    (void)state;
    ls_error err = {0};
    use_rules(NULL, 0, LS_BEFORE_KEPT);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    ls_schema *o = orders("orders");
    add(w, o, 'U', row(w, 2, "red", "b"), row(w, 2, "blue", NULL));
    assert_int_equal(run("splits_by_key", w, &err), -1);
    assert_non_null(strstr(err.text, ": moves of connector \"splits_by_key\": moves = \"split\" makes an insert of the row after, and its column \"note\" was not "
                                     "sent: the server must send rows before whole (public.orders, key 2, position 0000000001a3b748/1)"));
    ls_schema_unref(o);
    ls_work_free(w);
}

static void test_names(void **state) {
    (void)state;
    ls_names n = {0};
    char name[16];
    assert_int_equal(ls_names_find(&n, "x", 1), -1);
    for (int i = 0; i < 5000; i++) {
        int len = snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(ls_names_add(&n, name, (size_t)len), i);
        assert_int_equal(ls_names_add(&n, name, (size_t)len), i);
    }
    assert_int_equal(ls_names_add(&n, "a\0b", 3), 5000);
    assert_int_equal(ls_names_find(&n, "a\0c", 3), -1);
    assert_int_equal(ls_names_find(&n, "", 0), -1);
    assert_int_equal(ls_names_add(&n, "", 0), 5001);
    assert_int_equal(ls_names_find(&n, "n4711", 5), 4711);
    assert_int_equal(n.n, 5002);
    ls_names_free(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions), cmocka_unit_test(test_by_table), cmocka_unit_test(test_splits),
        cmocka_unit_test(test_a_split_needs_whole_rows), cmocka_unit_test(test_clones_of_rows_left_out), cmocka_unit_test(test_upserts_are_not_split),
        cmocka_unit_test(test_all_clones_split), cmocka_unit_test(test_random_rows), cmocka_unit_test(test_a_topic_is_said_once), cmocka_unit_test(test_what_is_refused), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("send", tests, NULL, NULL);
}
