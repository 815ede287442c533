/* The transactions of exactly_once, on the in-process broker: it accepts them, and fails requests as it is told to. That nothing comes twice is shown on real brokers
 * (tests/e2e/test_exact.py). */
#include "base/clock.h"
#include "pipeline/delivery_parts.h"
#include "pipeline/outbox.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PRODUCE = 0, INIT_PRODUCER = 22, ADD_PARTITIONS = 24, END_TXN = 26, SOON_MS = 20000 };

static const ls_log quiet = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};

typedef struct fixture {
    ls_memory_broker *broker;
    ls_kafka_conf conf;
    ls_run run;
    ls_worker worker;
    ls_checkpoints *checkpoints;
    ls_producer *producer;
    ls_topic *topic;
    ls_progress progress;
    ls_delivery *delivery;
    uint64_t at; /* of the last segment */
} fixture;

static fixture *begin_as(bool exact) {
    fixture *f = calloc(1, sizeof *f);
    ls_error err;
    assert_non_null(f);
    assert_int_equal(ls_memory_broker_new(&f->broker, &err), 0);
    f->conf = (ls_kafka_conf){.memory = f->broker};
    assert_int_equal(ls_run_init(&f->run, &err), 0);
    f->worker = (ls_worker){.run = &f->run, .log = quiet};
    pthread_mutex_init(&f->worker.place_lock, NULL);
    assert_int_equal(ls_checkpoints_open(&f->checkpoints, &f->conf, "c", exact ? 1024 * 1024 : 0, &quiet, &err), 0);
    ls_progress_new_instance(&f->progress);
    f->progress.restart.offset = 1;
    ls_buf json = {0};
    ls_progress_write(&f->progress, &json);
    assert_int_equal(ls_checkpoints_store(f->checkpoints, json.data, json.len, &err), 0);
    ls_buf_free(&json);
    assert_int_equal(exact ? ls_producer_over(&f->producer, ls_checkpoints_client(f->checkpoints), &f->conf, &quiet, &err)
                           : ls_producer_open(&f->producer, &f->conf, 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(f->producer, "t", 2, 0, &f->topic, &err), 0);
    const ls_delivery_conf conf = {.worker = &f->worker, .producer = f->producer, .checkpoints = f->checkpoints, .progress = &f->progress, .exact = exact};
    assert_int_equal(ls_delivery_start(&f->delivery, &conf, &err), 0);
    return f;
}

static fixture *begin(void) { return begin_as(true); }

static void end(fixture *f) {
    ls_producer_close(f->producer);
    ls_delivery_free(f->delivery);
    ls_checkpoints_close(f->checkpoints);
    ls_progress_free(&f->progress);
    ls_memory_broker_free(f->broker);
    pthread_mutex_destroy(&f->worker.place_lock);
    ls_run_free(&f->run);
    free(f);
}

/* Sends n messages as one segment, and has the transaction ended. */
static void send_rows(fixture *f, int n) {
    ls_error err;
    ls_inflight *in = ls_delivery_inflight(f->delivery);
    ls_segment *s = ls_inflight_open(in);
    assert_non_null(s);
    for (int i = 0; i < n; i++) {
        int64_t until = ls_clock_ms() + SOON_MS;
        while (!ls_delivery_enter(f->delivery)) {
            assert_true(ls_clock_ms() < until);
            ls_delivery_wait(f->delivery, 10);
        }
        ls_inflight_add(in, s, 5);
        int rc = ls_producer_send(f->producer, f->topic, i % 2, "k", 1, "value", 4, NULL, 0, s, &err);
        ls_delivery_leave(f->delivery, rc ? 0 : 5);
        if (rc) ls_inflight_unsent(in, s, 5);
    }
    s->rows = (uint32_t)n;
    s->has_place = true;
    s->place = (ls_place){.offset = f->at += 100};
    snprintf(s->pos, sizeof s->pos, "%016llx", (unsigned long long)f->at - 1);
    s->seq = (uint64_t)n;
    ls_inflight_close(in, s);
    ls_delivery_cut(f->delivery, LS_CUT_NOW);
}

static void await_commit(fixture *f, uint64_t before) {
    ls_error err;
    int64_t until = ls_clock_ms() + SOON_MS;
    while (ls_delivery_commits(f->delivery) == before) {
        if (ls_delivery_check(f->delivery, &err)) fail_msg("%s", err.text);
        assert_true(ls_clock_ms() < until);
        ls_delivery_wait(f->delivery, 10);
    }
}

static ls_error await_failure(fixture *f) {
    ls_error err;
    int64_t until = ls_clock_ms() + SOON_MS;
    while (ls_delivery_check(f->delivery, &err) == 0) {
        assert_true(ls_clock_ms() < until);
        ls_delivery_wait(f->delivery, 10);
    }
    return err;
}

/* What the capture thread does. */
static void go_back(fixture *f) {
    ls_error err;
    ls_buf json = {0};
    ls_progress stored;
    assert_true(ls_delivery_is_undone(f->delivery));
    bool lost = ls_checkpoints_lost(f->checkpoints);
    if (lost) ls_producer_release(f->producer);
    assert_int_equal(ls_checkpoints_renew(f->checkpoints, &json, &err), 1);
    if (lost) assert_int_equal(ls_producer_renew(f->producer, ls_checkpoints_client(f->checkpoints), &err), 0);
    assert_int_equal(ls_progress_read(&stored, json.data, json.len, &err), 0);
    f->progress.restart = stored.restart;
    f->at = stored.restart.offset == 1 ? 0 : stored.restart.offset;
    ls_progress_free(&stored);
    ls_buf_free(&json);
    assert_int_equal(ls_delivery_again(f->delivery, &err), 0);
}

static void inject(fixture *f, int16_t api, size_t n, const rd_kafka_resp_err_t *errors) {
    rd_kafka_mock_push_request_errors_array(ls_memory_broker_cluster(f->broker), api, n, errors);
}

static void test_commits(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    for (uint64_t n = 1; n <= 5; n++) {
        send_rows(f, 100);
        await_commit(f, n - 1);
        assert_int_equal(ls_delivery_confirmed(f->delivery).offset, n * 100);
        assert_int_equal(atomic_load(&f->worker.rows), n * 100);
    }
    assert_int_equal(ls_inflight_bytes(ls_delivery_inflight(f->delivery)), 0);
    send_rows(f, 7); /* what is on its way at the end is committed, too */
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 600);
    assert_int_equal(atomic_load(&f->worker.rows), 507);
    ls_buf value = {0};
    assert_int_equal(ls_checkpoints_load(f->checkpoints, &value, &err), 1);
    assert_non_null(strstr(ls_buf_cstr(&value), "\"restart\":{\"lsn\":\"0/258\"},\"delivered\":{\"pos\":\"0000000000000257\",\"seq\":7}"));
    ls_buf_free(&value);
    end(f);
}

static void test_the_coordinator_moves(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t away[] = {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                        RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS};
    inject(f, ADD_PARTITIONS, 4, away);
    inject(f, END_TXN, 3, away);
    send_rows(f, 10);
    await_commit(f, 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 100);
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    end(f);
}

/* A message fails that may be taken the next time: the transaction is aborted, and capture goes back to the checkpoint before it. */
static void test_undone(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t once[] = {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS};
    send_rows(f, 10);
    await_commit(f, 0);
    for (int round = 0; round < 3; round++) {
        inject(f, PRODUCE, 1, once);
        send_rows(f, 10);
        err = await_failure(f);
        assert_int_equal(err.code, LS_AGAIN);
        assert_false(ls_delivery_enter(f->delivery));
        assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 100);
        go_back(f);
        assert_int_equal(f->progress.restart.offset, 100);
    }
    for (int64_t until = ls_clock_ms() + SOON_MS; ls_delivery_commits(f->delivery) == 1; ls_delivery_wait(f->delivery, 10)) {
        assert_true(ls_clock_ms() < until);
        if (ls_delivery_is_undone(f->delivery)) go_back(f); /* the client may need a second one, to bump its epoch */
        if (f->at == 100) send_rows(f, 10);
    }
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 200);
    assert_int_equal(atomic_load(&f->worker.rows), 20);
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    end(f);
}

static void test_another_instance(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t fenced[] = {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH};
    inject(f, END_TXN, 1, fenced); /* of a transaction that is too young to have timed out */
    send_rows(f, 10);
    err = await_failure(f);
    assert_int_equal(err.code, LS_FENCED);
    assert_non_null(strstr(err.text, "another instance runs under the name \"c\""));
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), -1);
    assert_int_equal(err.code, LS_FENCED);
    end(f);
}

static void test_a_message_that_is_at_fault(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t size[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE};
    inject(f, PRODUCE, 1, size);
    send_rows(f, 10);
    err = await_failure(f);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, "raise the topic's max.message.bytes"));
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), -1);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 1);
    end(f);
}

/* The program ends while it goes back: no error of its own, and with a client that is lost it has let go of it. */
static void test_stopped_while_it_goes_back(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t once[] = {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS};
    inject(f, PRODUCE, 1, once);
    send_rows(f, 10);
    err = await_failure(f);
    assert_int_equal(err.code, LS_AGAIN);
    ls_producer_release(f->producer);
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 1);
    end(f);
}

/* The capture thread has failed with a message that it could not hand over: the checkpoint must not pass over it. */
static void test_a_message_that_was_not_sent(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    ls_inflight *in = ls_delivery_inflight(f->delivery);
    ls_segment *s = ls_inflight_open(in);
    assert_non_null(s);
    ls_inflight_add(in, s, 5);
    s->has_place = true;
    s->place = (ls_place){.offset = 100};
    ls_inflight_close(in, s);
    assert_int_equal(ls_delivery_finish(f->delivery, 2000, &err), 0);
    assert_int_equal(ls_delivery_commits(f->delivery), 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 1);
    end(f);
}

/* Of a row's messages some are sent and some are not: nobody may see them. */
static void test_spoilt_by_the_capture_thread(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    send_rows(f, 10);
    await_commit(f, 0);
    ls_inflight *in = ls_delivery_inflight(f->delivery);
    ls_segment *s = ls_inflight_open(in);
    assert_non_null(s);
    assert_true(ls_delivery_enter(f->delivery));
    ls_inflight_add(in, s, 5);
    assert_int_equal(ls_producer_send(f->producer, f->topic, 0, "k", 1, "value", 4, NULL, 0, s, &err), 0);
    ls_delivery_spoil(f->delivery); /* between enter() and leave() nobody ends the transaction */
    ls_delivery_leave(f->delivery, 5);
    ls_inflight_close(in, s);
    ls_delivery_cut(f->delivery, LS_CUT_NOW);
    err = await_failure(f);
    assert_int_equal(err.code, LS_AGAIN);
    assert_int_equal(ls_delivery_commits(f->delivery), 1);
    go_back(f);
    send_rows(f, 10);
    await_commit(f, 1);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 200);
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    end(f);
}

/* Rows that are old already wait for a transaction of a second, whatever its size: commits take less of the time. */
static void test_the_size_of_a_transaction(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    ls_inflight *in = ls_delivery_inflight(f->delivery);
    for (int late = 1; late >= 0; late--) {
        uint64_t before = ls_delivery_commits(f->delivery);
        ls_segment *s = ls_inflight_open(in);
        assert_non_null(s);
        assert_true(ls_delivery_enter(f->delivery));
        ls_inflight_add(in, s, 5);
        assert_int_equal(ls_producer_send(f->producer, f->topic, 0, "k", 1, "value", 4, NULL, 0, s, &err), 0);
        ls_delivery_leave(f->delivery, 8 * 1024 * 1024);
        s->has_place = true;
        s->place = (ls_place){.offset = f->at += 100};
        ls_inflight_close(in, s);
        if (late) {
            f->delivery->began_at = ls_clock_ms() - 500;
            assert_in_range(ls_delivery_cut(f->delivery, LS_CUT_LATE), 1, 500);
            assert_true(ls_delivery_enter(f->delivery)); /* more of it may come */
            ls_delivery_leave(f->delivery, 1);
            f->delivery->began_at -= 500;
        }
        ls_delivery_cut(f->delivery, late ? LS_CUT_LATE : LS_CUT_SOON);
        await_commit(f, before);
        assert_int_equal(ls_delivery_confirmed(f->delivery).offset, f->at);
        while (!ls_delivery_enter(f->delivery)) ls_delivery_wait(f->delivery, 10); /* the gate opens behind it */
        ls_delivery_leave(f->delivery, 0);
    }
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    end(f);
}

/* The capture thread is kept by a hook or by the database: the transaction does not wait for it until it times out. */
static void test_a_capture_thread_that_is_away(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    ls_inflight *in = ls_delivery_inflight(f->delivery);
    ls_segment *s = ls_inflight_open(in), *next;
    assert_non_null(s);
    assert_true(ls_delivery_enter(f->delivery));
    ls_inflight_add(in, s, 5);
    assert_int_equal(ls_producer_send(f->producer, f->topic, 0, "k", 1, "value", 4, NULL, 0, s, &err), 0);
    ls_delivery_leave(f->delivery, 5);
    s->has_place = true;
    s->place = (ls_place){.offset = 100};
    ls_inflight_close(in, s);
    assert_in_range(ls_delivery_cut(f->delivery, LS_CUT_SOON), 1, 100); /* it is not time yet */
    next = ls_inflight_open(in); /* a batch that is at work */
    assert_non_null(next);
    await_commit(f, 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 100);
    next->has_place = true;
    next->place = (ls_place){.offset = 200};
    ls_inflight_close(in, next);
    assert_int_equal(ls_delivery_finish(f->delivery, SOON_MS, &err), 0);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 200);
    end(f);
}

static void test_a_topic_that_may_not_be_written(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    const rd_kafka_resp_err_t refused[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
    inject(f, ADD_PARTITIONS, 1, refused);
    send_rows(f, 10);
    err = await_failure(f);
    if (err.code != LS_USAGE) fail_msg("%d %s", err.code, err.text);
    assert_non_null(strstr(err.text, "Topic authorization failed"));
    assert_non_null(strstr(err.text, "the right to write"));
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 1);
    end(f);
}

static void test_a_broker_that_allows_less_time(void **state) {
    (void)state;
    fixture *f = begin();
    ls_error err;
    ls_checkpoints *c;
    const rd_kafka_resp_err_t refused[] = {RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT};
    inject(f, INIT_PRODUCER, 1, refused);
    assert_int_equal(ls_checkpoints_open(&c, &f->conf, "d", 1024 * 1024, &quiet, &err), -1);
    if (err.code != LS_USAGE) fail_msg("%d %s", err.code, err.text);
    assert_non_null(strstr(err.text, "transaction.max.timeout.ms"));
    assert_non_null(strstr(err.text, "30000"));
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), 0);
    end(f);
}

/* at_least_once: a message that is given up for what a broker has forgotten may be taken the next time, and none behind it before. */
static void test_at_least_once_goes_back(void **state) {
    (void)state;
    fixture *f = begin_as(false);
    ls_error err;
    const rd_kafka_resp_err_t lost_count[] = {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER};
    send_rows(f, 10);
    await_commit(f, 0);
    inject(f, PRODUCE, 1, lost_count);
    send_rows(f, 10);
    err = await_failure(f);
    assert_int_equal(err.code, LS_AGAIN);
    assert_int_equal(ls_producer_send(f->producer, f->topic, 0, "k", 1, "value", 5, NULL, 0, NULL, &err), -1);
    assert_int_equal(err.code, LS_AGAIN);
    assert_int_equal(ls_delivery_finish(f->delivery, 1000, &err), -1);
    assert_int_equal(ls_delivery_confirmed(f->delivery).offset, 100);
    end(f);
}

static void ignore(void *ctx, const ls_report *r) {
    if (r->opaque) ++*(int *)ctx;
}

static void test_outbox(void **state) {
    (void)state;
    ls_memory_broker *broker;
    ls_producer *p;
    ls_topic *t;
    ls_error err;
    ls_outbox o = {0};
    int mark, seen = 0;
    assert_int_equal(ls_memory_broker_new(&broker, &err), 0);
    const ls_kafka_conf conf = {.memory = broker};
    assert_int_equal(ls_producer_open(&p, &conf, 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, "o", 1, 0, &t, &err), 0);
    char *large = calloc(1, LS_OUTBOX_BYTES);
    assert_non_null(large);
    const ls_producer_header headers[] = {{"a", "1", 1}, {"none", NULL, 0}, {"empty", "", 0}};
    const ls_parcel some[] = {{.topic = t, .key = "k", .key_len = 1, .value = "v", .value_len = 1, .headers = headers, .nheaders = 3, .opaque = &mark},
                              {.topic = t, .key = "k", .key_len = 1, .opaque = &mark},
                              {.topic = t, .value = "", .opaque = &mark}},
                    too_much = {.topic = t, .value = large, .value_len = LS_OUTBOX_BYTES};
    assert_true(ls_outbox_is_empty(&o));
    for (int i = 0; i < 3; i++) assert_int_equal(ls_outbox_add(&o, &some[i]), 0);
    assert_int_equal(ls_outbox_add(&o, &too_much), 1);
    while (!ls_outbox_is_empty(&o)) assert_int_equal(ls_outbox_send(&o, p, &err), 0);
    for (int64_t until = ls_clock_ms() + SOON_MS; seen < 3 && ls_clock_ms() < until;) ls_producer_reports(p, 100, ignore, &seen);
    assert_int_equal(seen, 3);
    assert_int_equal(ls_outbox_add(&o, &some[0]), 0);
    ls_outbox_clear(&o);
    assert_true(ls_outbox_is_empty(&o));
    ls_outbox_free(&o);
    free(large);
    ls_producer_close(p);
    ls_memory_broker_free(broker);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits),          cmocka_unit_test(test_the_coordinator_moves),
        cmocka_unit_test(test_undone),           cmocka_unit_test(test_another_instance),
        cmocka_unit_test(test_a_message_that_is_at_fault), cmocka_unit_test(test_outbox), cmocka_unit_test(test_at_least_once_goes_back),
        cmocka_unit_test(test_stopped_while_it_goes_back), cmocka_unit_test(test_a_message_that_was_not_sent),
        cmocka_unit_test(test_spoilt_by_the_capture_thread), cmocka_unit_test(test_a_capture_thread_that_is_away),
        cmocka_unit_test(test_the_size_of_a_transaction),
        cmocka_unit_test(test_a_topic_that_may_not_be_written), cmocka_unit_test(test_a_broker_that_allows_less_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
