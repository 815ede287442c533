/* A consumer's dead letters when the producer fails, on the in-process broker. That they stand in their topic is shown on real brokers (tests/e2e/test_dead_letters.py). */
#include "base/clock.h"
#include "pipeline/dead_sender.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

enum { PRODUCE = 0, SOON_MS = 20000, BUDGET = 1024 * 1024 };

static const ls_log quiet = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};

/* Sends a message through the broker, so that there is one as a consumer has it. */
static rd_kafka_message_t *through(const ls_kafka_conf *conf, rd_kafka_t **rk) {
    static const ls_pair from_start[] = {{"auto.offset.reset", "earliest"}};
    ls_producer *p;
    ls_topic *t;
    ls_error err;
    rd_kafka_conf_t *c;
    char why[256];
    assert_int_equal(ls_producer_open(&p, conf, BUDGET, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, "in", 1, 0, &t, &err), 0);
    assert_int_equal(ls_producer_send(p, t, 0, "k", 1, "v", 1, NULL, 0, NULL, &err), 0);
    assert_int_equal(rd_kafka_flush(ls_producer_handle(p), 100), RD_KAFKA_RESP_ERR__TIMED_OUT); /* its report is not taken */
    assert_int_equal(ls_kafka_conf_make(&c, conf, from_start, 1, &quiet, &err), 0);
    *rk = rd_kafka_new(RD_KAFKA_CONSUMER, c, why, sizeof why);
    assert_non_null(*rk);
    rd_kafka_topic_t *in = rd_kafka_topic_new(*rk, "in", NULL);
    assert_int_equal(rd_kafka_consume_start(in, 0, RD_KAFKA_OFFSET_BEGINNING), 0);
    rd_kafka_message_t *m = NULL;
    for (int64_t until = ls_clock_ms() + SOON_MS; !m && ls_clock_ms() < until;) m = rd_kafka_consume(in, 0, 100);
    assert_non_null(m);
    assert_int_equal(m->err, 0);
    rd_kafka_consume_stop(in, 0);
    rd_kafka_topic_destroy(in);
    ls_producer_close(p);
    return m;
}

/* What may be taken the next time is LS_AGAIN, and the next time has a producer that works; what would fail again ends the stage. */
static void fails_with(rd_kafka_resp_err_t e, ls_code want) {
    ls_memory_broker *broker;
    ls_error err;
    ls_run run = {.log = &quiet};
    ls_stage stage = {.name = "c", .as.consumer = {.on_error = "dead_letter", .dead_letter_topic = "c.dead_letters"}};
    ls_worker worker = {.run = &run, .stage = &stage, .log = quiet};
    ls_dead *dead;
    rd_kafka_t *rk;
    assert_int_equal(ls_memory_broker_new(&broker, &err), 0);
    assert_int_equal(ls_run_init(&run, &err), 0);
    assert_int_equal(ls_dead_new(&dead, &worker, &err), 0);
    const ls_kafka_conf conf = {.memory = broker};
    rd_kafka_message_t *raw = through(&conf, &rk);
    const ls_message m = {.topic = "in", .time = -1, .key = raw->key, .value = raw->payload, .key_len = raw->key_len, .value_len = raw->len, .raw = raw};
    const ls_fault fault = {.hook = "map", .text = "it fails"};
    const ls_dead_row row = {.fault = &fault, .topic = "in"};
    ls_dead_sender *s = ls_dead_sender_new(&worker, dead, &conf, BUDGET);
    assert_non_null(s);
    assert_int_equal(ls_dead_sender_send(s, &m, &row, &err), 0);
    assert_int_equal(ls_dead_sender_await(s, &err), 0);
    rd_kafka_mock_push_request_errors_array(ls_memory_broker_cluster(broker), PRODUCE, 1, &e);
    assert_int_equal(ls_dead_sender_send(s, &m, &row, &err), 0);
    assert_int_equal(ls_dead_sender_await(s, &err), -1);
    assert_int_equal(err.code, want);
    if (want == LS_AGAIN) {
        assert_int_equal(ls_dead_sender_send(s, &m, &row, &err), 0);
        assert_int_equal(ls_dead_sender_await(s, &err), 0);
    }
    ls_dead_sender_free(s);
    ls_dead_free(dead);
    rd_kafka_message_destroy(raw);
    rd_kafka_destroy(rk);
    ls_run_free(&run);
    ls_memory_broker_free(broker);
}

static void test_what_may_pass(void **state) {
    (void)state;
    fails_with(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LS_AGAIN);
}

static void test_what_does_not(void **state) {
    (void)state;
    fails_with(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LS_FAIL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_may_pass), cmocka_unit_test(test_what_does_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
