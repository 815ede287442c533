#include "kafka/standby.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TURN_MS = 20000, LOOK_US = 20000 }; /* a bound, not a wait */

static ls_memory_broker *broker;

static int start_broker(void **state) {
    (void)state;
    ls_error err;
    return ls_memory_broker_new(&broker, &err);
}

static int stop_broker(void **state) {
    (void)state;
    ls_memory_broker_free(broker);
    return 0;
}

static int lines_with(FILE *f, const char *what) {
    char line[4096];
    int n = 0;
    rewind(f);
    while (fgets(line, sizeof line, f)) n += strstr(line, what) != NULL;
    return n;
}

static void await_line(FILE *f, const char *what) {
    for (int64_t until = ls_clock_ms() + TURN_MS; !lines_with(f, what) && ls_clock_ms() < until;) usleep(LOOK_US);
    assert_int_equal(lines_with(f, what), 1);
}

static int await_turn(ls_standby *s, ls_error *err) {
    int turn = 0;
    for (int64_t until = ls_clock_ms() + TURN_MS; (turn = ls_standby_turn(s, err)) == 0 && ls_clock_ms() < until;) usleep(LOOK_US);
    return turn;
}

/* One that leaves hands the turn to the next, who has waited; of another connector nobody hears. */
static void test_turns(void **state) {
    (void)state;
    ls_kafka_conf conf = {.memory = broker};
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fcntl(fileno(f), F_SETFL, O_APPEND), 0); /* lines are read while others are written */
    ls_log log = {.fd = fileno(f), .least = LS_INFO, .stage = "test"};
    ls_standby *one, *two, *other;
    ls_error err;
    assert_int_equal(ls_standby_open(&one, &conf, "shop", &log, &err), 0);
    assert_int_equal(ls_standby_check(one, &err), -1); /* no turn has begun */
    assert_int_equal(await_turn(one, &err), 1);
    assert_int_equal(ls_standby_check(one, &err), 0);
    assert_int_equal(ls_standby_open(&two, &conf, "shop", &log, &err), 0);
    await_line(f, "waits as standby, the group \"__list_sync.shop\" is held by another program");
    assert_int_equal(ls_standby_turn(two, &err), 0);
    assert_int_equal(ls_standby_check(two, &err), -1);
    assert_int_equal(err.code, LS_FENCED);
    assert_int_equal(ls_standby_check(one, &err), 0);
    assert_int_equal(ls_standby_open(&other, &conf, "other", &log, &err), 0);
    assert_int_equal(await_turn(other, &err), 1);
    assert_int_equal(lines_with(f, "takes over"), 0);
    ls_standby_close(one);
    assert_int_equal(await_turn(two, &err), 1);
    assert_int_equal(ls_standby_check(two, &err), 0);
    assert_int_equal(lines_with(f, "takes over"), 1);
    assert_int_equal(lines_with(f, "waits as standby"), 1);
    ls_standby_close(two);
    ls_standby_close(other);
    fclose(f);
}

static void test_no_broker(void **state) {
    (void)state;
    static const ls_pair nobody[] = {{"bootstrap.servers", "127.0.0.1:1"}};
    static const ls_log quiet = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};
    ls_kafka_conf conf = {.pairs = nobody, .npairs = 1};
    ls_standby *s;
    ls_error err;
    assert_int_equal(ls_standby_open(&s, &conf, "shop", &quiet, &err), -1);
    assert_int_equal(err.code, LS_AGAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_turns), cmocka_unit_test(test_no_broker)};
    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
