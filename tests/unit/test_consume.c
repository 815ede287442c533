/* Consumer instances with writers in Lua, over the in-process broker: what they lose and repeat when partitions move. */
#include "kafka/producer.h"
#include "pipeline/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ROWS = 200, PARTITIONS = 4, WAITS_MAX = 600 }; /* of 100 ms: a bound, not a wait */

static const ls_log quiet = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};
static void take(void *ctx, const ls_report *r) { *(int *)ctx += !r->failed; }

static void produce(ls_memory_broker *broker) {
    ls_kafka_conf kafka = {.memory = broker};
    ls_producer *p;
    ls_topic *t;
    ls_error err;
    int stored = 0;
    assert_int_equal(ls_producer_open(&p, &kafka, 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, "rows", PARTITIONS, 0, &t, &err), 0);
    for (int i = 0; i < ROWS; i++) {
        char row[200];
        int n = snprintf(row, sizeof row, "{\"action\":\"I\",\"schema\":\"public\",\"table\":\"t\",\"pk\":[{\"name\":\"id\"}],"
                                          "\"columns\":[{\"name\":\"id\",\"value\":%d}]}", i);
        assert_int_equal(ls_producer_send(p, t, i % PARTITIONS, NULL, 0, row, (size_t)n, NULL, 0, NULL, &err), 0);
    }
    for (int i = 0; i < WAITS_MAX && stored < ROWS; i++) ls_producer_reports(p, 100, take, &stored);
    assert_int_equal(stored, ROWS);
    ls_producer_close(p);
}

/* How many different rows the writers have flushed to the file, and how many in all. */
static int flushed(int *all) {
    bool seen[ROWS] = {0};
    int id, n = 0;
    FILE *f = fopen("flushed", "r");
    for (*all = 0; f && fscanf(f, "%d", &id) == 1; ++*all)
        if (!seen[id]) n++, seen[id] = true;
    if (f) fclose(f);
    return n;
}

typedef struct fixture {
    ls_run run;
    ls_config config;
    ls_stage *stage;
    ls_error err;
} fixture;

/* A broker with the rows, and the stage of writers.lua with a client that is this hasty. */
static void begin(fixture *f, const char *name, const ls_pair *pairs, size_t npairs) {
    static const ls_script_env no_env;
    ls_script *s;
    *f = (fixture){.run = {.script = TESTS_DIR "/lua/writers.lua", .env = &no_env, .log = &quiet}};
    assert_int_equal(ls_memory_broker_new(&f->run.memory, &f->err), 0);
    if (ls_run_init(&f->run, &f->err) || ls_script_open(&s, f->run.script, &no_env, &f->err) || ls_script_config(s, &f->config, &f->err))
        fail_msg("%s", f->err.text);
    ls_script_close(s);
    for (f->stage = f->config.stages; strcmp(f->stage->name, name) != 0;) f->stage++;
    f->stage->kafka.pairs = (const ls_conf_pair *)(const void *)pairs;
    f->stage->kafka.npairs = npairs;
    produce(f->run.memory);
    unlink("flushed");
}

static void end(fixture *f) {
    ls_run_free(&f->run);
    ls_config_free(&f->config);
    ls_memory_broker_free(f->run.memory);
}

/* A flush fails while one member takes partitions over from another: the rows of those that stay come again as well. */
static void test_a_flush_that_fails_in_a_rebalance(void **state) {
    (void)state;
    static const ls_pair hasty[] = {{"session.timeout.ms", "5000"}, {"heartbeat.interval.ms", "100"}};
    fixture f;
    ls_worker one, other;
    int all;
    begin(&f, "slow", hasty, 2);
    assert_int_equal(ls_worker_start(&one, &f.run, f.stage, 1, &f.err), 0);
    for (int i = 0; i < WAITS_MAX && access("writing", F_OK); i++) usleep(100000);
    assert_int_equal(ls_worker_start(&other, &f.run, f.stage, 2, &f.err), 0);
    for (int i = 0; i < WAITS_MAX && flushed(&all) < ROWS; i++) usleep(100000);
    ls_run_stop(&f.run);
    ls_worker_join(&one);
    ls_worker_join(&other);
    assert_true(one.err.code == LS_OK && other.err.code == LS_OK);
    assert_int_equal(access("failed", F_OK), 0);
    assert_int_equal(flushed(&all), ROWS);
    end(&f);
}

/* A member whose partitions were given away throws away what it has not flushed: a store that keeps positions has no row twice. */
static void test_partitions_that_are_lost(void **state) {
    (void)state;
    static const ls_pair hasty[] = {{"session.timeout.ms", "6000"}, {"max.poll.interval.ms", "6000"}, {"heartbeat.interval.ms", "100"}};
    fixture f;
    ls_worker one;
    int all;
    begin(&f, "late", hasty, 3);
    assert_int_equal(ls_worker_start(&one, &f.run, f.stage, 1, &f.err), 0);
    for (int i = 0; i < WAITS_MAX && flushed(&all) < ROWS; i++) usleep(100000);
    ls_run_stop(&f.run);
    ls_worker_join(&one);
    eventfd_t ended;
    assert_int_equal(eventfd_read(f.run.ended, &ended), 0); /* the main thread is told */
    assert_int_equal(one.err.code, LS_OK);
    assert_int_equal(access("discarded", F_OK), 0);
    assert_int_equal(flushed(&all), ROWS);
    assert_int_equal(all, ROWS);
    end(&f);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_flush_that_fails_in_a_rebalance), cmocka_unit_test(test_partitions_that_are_lost)};
    return cmocka_run_group_tests_name("consume", tests, enter_folder, leave_folder);
}
