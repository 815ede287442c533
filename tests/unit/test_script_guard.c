/* A script's functions that hang, and a script that leaks. What ends the program is run in a child. */
#include "base/clock.h"
#include "change/value.h"
#include "script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 1000, LIMIT_S = 60 }; /* a bound, not a wait */

static ls_schemas schemas;
static const ls_tx tx = {.ts = 1, .pos = "0000000001a3b748", .id = "7", .connector = "shop", .db = "postgres"};
static const char path[] = TESTS_DIR "/lua/guards.lua";

static ls_work *make_batch(void) {
    static const ls_column_def cols[] = {{"id", 2, LS_TYPE_INTEGER}};
    static const uint16_t key[] = {0};
    ls_schema *of = ls_schema_new(&schemas, "public", 6, "orders", 6, cols, 1, key, 1);
    ls_work *w = ls_work_new(&schemas, "shop", "postgres");
    for (uint64_t i = 1; i <= ROWS; i++) {
        ls_change *c = ls_work_add(w, of, &tx, 'I', i);
        c->after = ls_work_values(w, 1);
        c->after[0] = ls_value_int((int64_t)i);
    }
    ls_schema_unref(of);
    return w;
}

static ls_script *script_of(const char *stage, const ls_log *log) {
    ls_script *s;
    ls_error err;
    ls_script_env env = {.log = log};
    if (ls_script_open(&s, path, &env, &err) || ls_script_use(s, stage, &err)) fail_msg("%s", err.text);
    return s;
}

/* ---- what hangs ---- */

/* The stages of consumers are named after what of their writer hangs. */
static void call(ls_script *s, const char *stage, ls_batch *b) {
    ls_error err;
    ls_script_position at = {"t", 0, 0};
    if (ls_script_run(s, b, &err) || ls_script_use_writer(s, stage, &err) || ls_script_writer_open(s, &err) ||
        ls_script_writer_begin(s, &at, &err) || ls_script_write(s, b, &err) || ls_script_writer_flush(s, &at, 1, &err) ||
        ls_script_writer_end(s, true, &err) || ls_script_writer_end(s, false, &err))
        fprintf(stderr, "%s: %s\n", stage, err.text);
}

static void child(const char *stage) {
    ls_log log = {.fd = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600), .least = LS_ERROR, .stage = ""};
    alarm(LIMIT_S);
    call(script_of(stage, &log), stage, &make_batch()->seen);
    _exit(99);
}

/* `begins`: file, line and name, without the folder. */
static void assert_hangs(const char *stage, const char *begins, const char *row) {
    char log[4096] = "", want[1024];
    int status;
    int64_t began = ls_clock_ms();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) child(stage);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    int64_t took = ls_clock_ms() - began;
    FILE *f = fopen("log", "r");
    assert_non_null(f);
    size_t n = fread(log, 1, sizeof log - 1, f);
    fclose(f);
    log[n] = '\0';
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), LS_FAIL);
    assert_true(took >= 200);
    snprintf(want, sizeof want, "error: %s:%s has run for 0.", path, begins);
    if (!strstr(log, want)) fail_msg("\n got: %s\nwant: %s", log, want);
    snprintf(want, sizeof want, " s%s and has not returned; hook_timeout is 0.2 s%s%s%s: ", row ? " on one row" : "", row ? " (row " : "",
             row ? row : "", row ? " of the batch that begins with public.orders, position 0000000001a3b748/1)" : "");
    if (!strstr(log, want)) fail_msg("\n got: %s\nwant: %s", log, want);
    assert_ptr_equal(strchr(log, '\n'), log + n - 1);
}

static void test_hooks_that_hang(void **state) {
    (void)state;
    assert_hangs("spins", "21: filter of connector \"spins\"", "1");
    assert_hangs("spins_compiled", "25: map of connector \"spins_compiled\"", "901");
    assert_hangs("sleeps", "19: map of connector \"sleeps\"", "1");
    assert_hangs("in_c", " filter of connector \"in_c\"", "1");
}

static void test_writers_that_hang(void **state) {
    (void)state;
    assert_hangs("write", "17: writer.write of consumer \"write\"", "1");
    assert_hangs("callback", "45: callback of consumer \"callback\"", "1");
    assert_hangs("open", "19: writer.open of consumer \"open\"", NULL);
    assert_hangs("begin", "42: writer.open of consumer \"begin\"", NULL);
    assert_hangs("flush", "19: writer.flush of consumer \"flush\"", NULL);
    assert_hangs("discard", "19: writer.discard of consumer \"discard\"", NULL);
    assert_hangs("close", "19: writer.close of consumer \"close\"", NULL);
}

/* A batch may take as long as its rows need; so may what comes between two batches. */
static void test_tables_of_their_own(void **state) {
    (void)state;
    static const ls_table_rule rules[] = {{.pattern = "public.o*"}};
    assert_hangs("headers", "51: headers of connector \"headers\"", "1");
    schemas.rules = rules;
    schemas.nrules = 1;
    assert_hangs("by_table", "49: filter of connector \"by_table\"", "1");
    schemas.nrules = 0;
}

static void test_slow_is_not_hung(void **state) {
    (void)state;
    static const ls_log log = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};
    ls_script *s = script_of("patient", &log);
    ls_work *w = make_batch();
    ls_error err;
    int64_t began = ls_clock_ms();
    if (ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    assert_true(ls_clock_ms() - began >= 3 * ROWS);
    usleep(600000); /* three timeouts outside of Lua: nothing may come of it */
    w->seen.count = 1;
    for (int i = 0; i < 200; i++) /* the same row's number again and again */
        if (ls_script_run(s, &w->seen, &err)) fail_msg("%s", err.text);
    ls_work_free(w);
    ls_script_close(s);
}

/* ---- memory ---- */

static int run_batches(const char *stage, int n, size_t *most, ls_error *err) {
    ls_script *s = script_of(stage, NULL);
    ls_work *w = make_batch();
    int rc = 0;
    *most = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = ls_script_run(s, &w->seen, err);
        if (ls_script_memory(s) > *most) *most = ls_script_memory(s);
    }
    ls_work_free(w);
    ls_script_close(s);
    return rc;
}

static void test_a_leak_stops_the_stage(void **state) {
    (void)state;
    ls_error err = {0};
    size_t most;
    assert_int_equal(run_batches("leaks", 1000, &most, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    char want[512];
    snprintf(want, sizeof want, "%s:9: connector \"leaks\": what the script keeps takes 8.", path);
    if (strncmp(err.text, want, strlen(want))) fail_msg("%s", err.text);
    assert_non_null(strstr(err.text, " MiB, and script_memory is 8.0 MiB: look for a table that grows with the rows"));
    assert_true(most > 8 << 20 && most < 9 << 20);
}

static void test_garbage_does_not(void **state) {
    (void)state;
    ls_error err = {0};
    size_t most;
    if (run_batches("litters", 200, &most, &err)) fail_msg("%s", err.text);
    assert_true(most > 4 << 20 && most <= 8 << 20);
}

/* A full collection runs the script's finalizers, and what they raise is an error like any other. */
static void test_a_finalizer_raises(void **state) {
    (void)state;
    ls_error err = {0};
    size_t most;
    assert_int_equal(run_batches("finalizes", 1000, &most, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, "a finalizer"));
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
        cmocka_unit_test(test_hooks_that_hang),
        cmocka_unit_test(test_writers_that_hang),
        cmocka_unit_test(test_tables_of_their_own),
        cmocka_unit_test(test_slow_is_not_hung),
        cmocka_unit_test(test_a_leak_stops_the_stage),
        cmocka_unit_test(test_garbage_does_not),
        cmocka_unit_test(test_a_finalizer_raises),
    };
    return cmocka_run_group_tests_name("script_guard", tests, enter_folder, leave_folder);
}
