#include "base/clock.h"
#include "kafka/checkpoint.h"
#include "kafka/consumer_parts.h"
#include "kafka/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POLLS_MAX = 300 }; /* of 100 ms: a bound, not a wait */

static const ls_log quiet = {.fd = STDERR_FILENO, .least = LS_ERROR, .stage = "test"};
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

static void test_murmur2(void **state) { /* values of Apache Kafka's UtilsTest.testMurmur2 */
    (void)state;
    static const struct { const char *key; int32_t hash; } known[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal((int32_t)ls_murmur2(known[i].key, strlen(known[i].key)), known[i].hash);
    assert_int_equal(ls_partition_for("foobar", 6, 3), (int)((uint32_t)(-790332482 & 0x7fffffff) % 3));
}

static void name_is(const char *template_, const char *schema, const char *table, const char *want) {
    char out[250];
    ls_error err;
    assert_int_equal(ls_topic_name(out, template_, "shop", schema, table, &err), 0);
    assert_string_equal(out, want);
}

static void test_topic_names(void **state) {
    (void)state;
    name_is("plain", "a", "b", "plain");
    name_is("{database}.{schema}.{table}", "public", "order_items", "shop.public.order_items");
    name_is("{table}", "", "a.b", "a_2eb");
    name_is("{table}", "", "a_2eb", "a_5f2eb"); /* or it would be the same topic as "a.b" */
    name_is("{table}", "", "a_2x", "a_2x");
    name_is("{table}", "", "\xc3\xa4 ", "_c3_a4_20");
    char out[250], other[250], longer[301];
    ls_error err;
    memset(longer, 'x', 300);
    longer[300] = '\0';
    assert_int_equal(ls_topic_name(out, "{table}", "", "", longer, &err), 0);
    assert_int_equal(strlen(out), 249);
    longer[299] = 'y';
    assert_int_equal(ls_topic_name(other, "{table}", "", "", longer, &err), 0);
    assert_string_not_equal(out, other);
    assert_int_equal(ls_topic_name(out, "{tabel}", "", "", "t", &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_non_null(strstr(err.text, "{tabel}"));
    assert_int_equal(ls_topic_name(out, "{table", "", "", "t", &err), -1);
}

static void test_owned_properties(void **state) {
    (void)state;
    ls_error err;
    rd_kafka_conf_t *c;
    static const ls_pair acks[] = {{"bootstrap.servers", "x:1"}, {"acks", "1"}}, typo[] = {{"bootstrap.servers", "x:1"}, {"lingr.ms", "1"}},
                         none[] = {{"linger.ms", "1"}};
    assert_int_equal(ls_kafka_conf_make(&c, &(ls_kafka_conf){.pairs = acks, .npairs = 2}, NULL, 0, &quiet, &err), -1);
    assert_int_equal(err.code, LS_USAGE);
    assert_non_null(strstr(err.text, "kafka_conf: acks is set by the program"));
    assert_int_equal(ls_kafka_conf_make(&c, &(ls_kafka_conf){.pairs = typo, .npairs = 2}, NULL, 0, &quiet, &err), -1);
    assert_non_null(strstr(err.text, "lingr.ms"));
    assert_int_equal(ls_kafka_conf_make(&c, &(ls_kafka_conf){.pairs = none, .npairs = 1}, NULL, 0, &quiet, &err), -1);
    assert_non_null(strstr(err.text, "bootstrap.servers"));
    assert_null(ls_kafka_owned("linger.ms"));
    assert_null(ls_kafka_owned("session.timeout.ms"));
    static const char *const refused[] = {"delivery.report.only.error", "group.instance.id", "allow.auto.create.topics", "transactional.id"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) assert_non_null(ls_kafka_owned(refused[i]));
}

static void test_codes(void **state) {
    (void)state;
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR__FENCED), LS_FENCED);
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH), LS_FENCED);
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS), LS_AGAIN);
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR__TRANSPORT), LS_AGAIN);
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), LS_FAIL);
    assert_int_equal(ls_kafka_code(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), LS_FAIL);
}

/* A log into a temporary file, to be read back. */
static ls_log log_to(FILE *f) { return (ls_log){.fd = fileno(f), .least = LS_INFO, .stage = "test"}; }

static int lines_with(FILE *f, const char *what) {
    char line[4096];
    int n = 0;
    rewind(f);
    while (fgets(line, sizeof line, f)) n += strstr(line, what) != NULL;
    return n;
}

typedef struct tally {
    int reports, failed;
    size_t bytes;
} tally;

static void take(void *ctx, const ls_report *r) {
    tally *t = ctx;
    t->reports++;
    t->failed += r->failed;
    t->bytes += r->bytes;
    assert_ptr_equal(r->opaque, t);
}

static void produce(const ls_kafka_conf *conf, const char *topic, int n) {
    ls_producer *p;
    ls_topic *t, *again;
    ls_error err;
    tally seen = {0};
    assert_int_equal(ls_producer_open(&p, conf, 128 * 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, topic, 3, 0, &t, &err), 0);
    assert_int_equal(ls_topic_count(t), 3);
    assert_int_equal(ls_producer_topic(p, topic, 3, 0, &again, &err), 0);
    assert_ptr_equal(t, again);
    for (int i = 0; i < n; i++) {
        char key[16], value[32];
        int k = snprintf(key, sizeof key, "%d", i), v = snprintf(value, sizeof value, "value %d", i);
        assert_int_equal(ls_producer_send(p, t, i % 3, key, (size_t)k, value, (size_t)v, NULL, 0, &seen, &err), 0);
    }
    for (int i = 0; i < POLLS_MAX && seen.reports < n; i++) ls_producer_reports(p, 100, take, &seen);
    assert_int_equal(seen.reports, n);
    assert_int_equal(seen.failed, 0);
    assert_int_equal(ls_producer_outstanding(p), 0);
    assert_int_equal(ls_producer_health(p, &err), 0);
    char *big = calloc(1, LS_MESSAGE_MAX + 1);
    assert_int_equal(ls_producer_send(p, t, 0, NULL, 0, big, LS_MESSAGE_MAX + 1, NULL, 0, &seen, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_non_null(strstr(err.text, "message.max.bytes"));
    assert_non_null(strstr(err.text, "max.message.bytes"));
    free(big);
    ls_producer_close(p);
}

static void revoked(void *ctx) { ++*(int *)ctx; }

static void test_there_and_back(void **state) {
    (void)state;
    enum { N = 1000 };
    static const char *const topics[] = {"there-and-back"};
    ls_kafka_conf kafka = {.memory = broker};
    int revocations = 0;
    produce(&kafka, topics[0], N);
    ls_consumer_conf conf = {.kafka = kafka, .group_id = "g", .topics = topics, .ntopics = 1, .auto_offset_reset = "earliest",
                             .budget = 4 * 1024 * 1024, .revoked = revoked, .ctx = &revocations};
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    int64_t next[3] = {0};
    size_t n;
    int seen = 0;
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    for (int i = 0; i < POLLS_MAX && seen < N; i++) {
        assert_int_equal(ls_consumer_poll(c, m, 64, 1024 * 1024, 100, &n, &err), 0);
        for (size_t k = 0; k < n; k++) {
            char value[32];
            snprintf(value, sizeof value, "value %.*s", (int)m[k].key_len, (const char *)m[k].key);
            assert_int_equal(m[k].value_len, strlen(value));
            assert_memory_equal(m[k].value, value, m[k].value_len);
            assert_int_equal(m[k].offset, next[m[k].partition]++); /* each partition in order, nothing twice */
        }
        seen += (int)n;
        ls_consumer_release(c);
    }
    assert_int_equal(seen, N);
    assert_int_equal(ls_consumer_assigned(c), 3);
    assert_int_equal(ls_consumer_note_ends(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 0); /* not committed yet */
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 1);
    ls_consumer_close(c);
    assert_int_equal(revocations, 1);
}

static void test_a_poll_keeps_to_its_bytes(void **state) {
    (void)state;
    static const char *const topics[] = {"bytes"};
    ls_kafka_conf kafka = {.memory = broker};
    int revocations = 0;
    produce(&kafka, topics[0], 100);
    ls_consumer_conf conf = {.kafka = kafka, .group_id = "bytes", .topics = topics, .ntopics = 1, .auto_offset_reset = "earliest",
                             .budget = 4 * 1024 * 1024, .revoked = revoked, .ctx = &revocations};
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    size_t n, seen = 0;
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    for (int i = 0; i < POLLS_MAX && seen < 100; i++) {
        assert_int_equal(ls_consumer_poll(c, m, 64, 1, 100, &n, &err), 0);
        assert_in_range(n, 0, 1);
        seen += n;
        ls_consumer_release(c);
    }
    assert_int_equal(seen, 100);
    ls_consumer_close(c);
}

/* Reads all of a topic whose messages fill the client's queue many times. Gives how often it was woken in polls that found messages waiting, and that found none. */
static void read_through_a_small_queue(const char *group, bool by_question, bool early, uint64_t *waiting, uint64_t *empty) {
    enum { N = 300, AT_ONCE = 4, FULL = 8, LONGEST_MS = 30000 };
    static const char *const topics[] = {"woken"};
    static const ls_pair few[] = {{"queued.min.messages", "8"}, {"sasl.username", "reader"}, {"sasl.password", "secret"}};
    ls_kafka_conf kafka = {.memory = broker, .pairs = few, .npairs = 3};
    int revocations = 0;
    ls_consumer_conf conf = {.kafka = kafka, .group_id = group, .topics = topics, .ntopics = 1, .auto_offset_reset = "earliest",
                             .budget = 4 * 1024 * 1024, .revoked = revoked, .ctx = &revocations};
    ls_consumer *c;
    ls_error err;
    ls_message m[AT_ONCE];
    size_t n, seen = 0;
    char has[32];
    int64_t until = ls_clock_ms() + LONGEST_MS;
    *waiting = *empty = 0;
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(c->nudges.max_messages, FULL);
    assert_int_equal(rd_kafka_conf_get(rd_kafka_conf(c->rk), "queued.max.messages.kbytes", has, &(size_t){sizeof has}), RD_KAFKA_CONF_OK);
    assert_int_equal(c->nudges.max_bytes, strtoul(has, NULL, 10) * 1024);
    assert_false(c->nudges.by_question);
    c->nudges.by_question = by_question;
    if (!early) c->nudges.max_messages = c->nudges.max_bytes = SIZE_MAX;
    while (seen < N && ls_clock_ms() < until) {
        uint64_t before = c->nudges.count, *sum = rd_kafka_queue_length(c->queue) ? waiting : empty;
        assert_int_equal(ls_consumer_poll(c, m, AT_ONCE, 1024 * 1024, 100, &n, &err), 0);
        seen += n;
        *sum += c->nudges.count - before;
        ls_consumer_release(c);
    }
    assert_int_equal(seen, N);
    for (int i = 0; i < 3; i++) assert_int_equal(ls_consumer_poll(c, m, AT_ONCE, 1024 * 1024, 100, &n, &err), 0);
    uint64_t before = c->nudges.count; /* all is read: it is left alone, but for ends that are told late */
    for (int i = 0; i < 12; i++) assert_int_equal(ls_consumer_poll(c, m, AT_ONCE, 1024 * 1024, 100, &n, &err), 0);
    assert_in_range(c->nudges.count - before, 0, 3);
    assert_int_equal(rd_kafka_conf_get(rd_kafka_conf(c->rk), "sasl.username", has, &(size_t){sizeof has}), RD_KAFKA_CONF_OK);
    assert_string_equal(has, "reader");
    assert_int_equal(rd_kafka_conf_get(rd_kafka_conf(c->rk), "sasl.password", has, &(size_t){sizeof has}), RD_KAFKA_CONF_OK);
    assert_string_equal(has, "secret");
    ls_consumer_close(c);
}

/* A client whose queue was full sleeps, up to a second each time that it was. It is woken before the last message is taken, or when nothing comes; with the credentials that
 * it has, or by a question. */
static void test_a_client_that_sleeps_is_woken(void **state) {
    (void)state;
    uint64_t waiting, empty;
    static const ls_pair small[] = {{"batch.num.messages", "6"}};
    produce(&(ls_kafka_conf){.memory = broker, .pairs = small, .npairs = 1}, "woken", 300);
    read_through_a_small_queue("woken early", false, true, &waiting, &empty);
    if (!ls_client_looks_itself()) assert_in_range(waiting, 1, 300);
    read_through_a_small_queue("woken late", false, false, &waiting, &empty);
    if (!ls_client_looks_itself()) assert_in_range(waiting + empty, 1, 300); /* an event may wait where no message does */
    read_through_a_small_queue("asked", true, true, &waiting, &empty);
    if (!ls_client_looks_itself()) assert_in_range(waiting, 1, 300);
}

static void test_which_clients_are_asked(void **state) {
    (void)state;
    static const struct { const char *protocol, *mechanism; bool asked; } are[] = {
        {"sasl_ssl", "GSSAPI", true}, {"SASL_PLAINTEXT", "GSSAPI", true}, {"sasl_ssl", "SCRAM-SHA-512", false}, {"sasl_plaintext", "PLAIN", false}, {"ssl", "GSSAPI", false}};
    for (size_t i = 0; i < sizeof are / sizeof *are; i++) {
        ls_nudges n = {0};
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        char why[256];
        assert_int_equal(rd_kafka_conf_set(conf, "security.protocol", are[i].protocol, why, sizeof why), RD_KAFKA_CONF_OK);
        assert_int_equal(rd_kafka_conf_set(conf, "sasl.mechanisms", are[i].mechanism, why, sizeof why), RD_KAFKA_CONF_OK);
        assert_int_equal(ls_nudges_init(&n, conf), 0);
        assert_int_equal(n.by_question, are[i].asked);
        ls_nudges_free(&n);
        rd_kafka_conf_destroy(conf);
    }
}

/* The broker's word is not all: what this run's producers had acknowledged lies before the end, too. */
static void test_ends_that_producers_know(void **state) {
    (void)state;
    enum { N = 30, THEIRS = 4 };
    static const char *const topics[] = {"filled"};
    int revocations = 0;
    ls_producer *p;
    ls_topic *t;
    ls_ends ends;
    ls_consumer_conf conf = {.kafka = {.memory = broker}, .group_id = "filled", .topics = topics, .ntopics = 1, .auto_offset_reset = "earliest",
                             .budget = 4 * 1024 * 1024, .ends = &ends, .revoked = revoked, .ctx = &revocations};
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    tally seen = {0};
    size_t n, read = 0;
    assert_int_equal(ls_ends_init(&ends, &err), 0);
    assert_int_equal(ls_producer_open(&p, &conf.kafka, 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, topics[0], 3, 0, &t, &err), 0);
    for (int i = 0; i < N; i++) assert_int_equal(ls_producer_send(p, t, i % 2, NULL, 0, "x", 1, NULL, 0, &seen, &err), 0);
    for (int i = 0; i < POLLS_MAX && seen.reports < N; i++) ls_producer_reports(p, 100, take, &seen);
    assert_int_equal(ls_producer_ends(p, &ends, &err), 0);
    ls_producer_close(p);
    assert_int_equal(ls_ends_of(&ends, "", topics[0], 0), N / 2);
    assert_int_equal(ls_ends_of(&ends, "", topics[0], 1), N / 2);
    assert_int_equal(ls_ends_of(&ends, "", topics[0], 2), 0);
    assert_int_equal(ls_ends_of(&ends, "", topics[0], -1), N / 2);
    assert_int_equal(ls_ends_of(&ends, "", "another", 0), 0);
    assert_int_equal(ls_ends_of(&ends, "broker:9092", topics[0], 0), 0);
    assert_int_equal(ls_ends_add(&ends, "", topics[0], 1, N / 2 + THEIRS), 0); /* as if the broker did not know of the last messages */
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    for (int i = 0; i < POLLS_MAX && read < N; i++, read += n) {
        assert_int_equal(ls_consumer_poll(c, m, 64, 1024 * 1024, 100, &n, &err), 0);
        ls_consumer_release(c);
    }
    assert_int_equal(read, N);
    assert_int_equal(ls_consumer_note_ends(c, &err), 0);
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 0);
    produce(&conf.kafka, topics[0], 3 * THEIRS);
    for (int i = 0; i < POLLS_MAX && read < N + 3 * THEIRS; i++, read += n) {
        assert_int_equal(ls_consumer_poll(c, m, 64, 1024 * 1024, 100, &n, &err), 0);
        ls_consumer_release(c);
    }
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 1);
    ls_consumer_close(c);
    ls_ends_free(&ends);
}

static void test_checkpoints(void **state) {
    (void)state;
    ls_kafka_conf kafka = {.memory = broker};
    ls_checkpoints *c;
    ls_error err;
    ls_buf value = {0};
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "a \"quoted\" name", 0, &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 0);
    assert_int_equal(ls_checkpoints_store(c, "one", 3, &err), 0);
    assert_int_equal(ls_checkpoints_store(c, "two!", 4, &err), 0);
    ls_checkpoints_close(c);
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "another", 0, &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 0);
    ls_checkpoints_close(c);
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "a \"quoted\" name", 0, &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 1);
    assert_string_equal(ls_buf_cstr(&value), "two!");
    ls_checkpoints_close(c);
    ls_buf_free(&value);
}

static void test_a_full_queue(void **state) {
    (void)state;
    enum { SIZE = 1000, TRIES = 100000 };
    ls_kafka_conf kafka = {.memory = broker};
    ls_producer *p;
    ls_topic *t;
    ls_error err;
    char value[SIZE] = {0};
    tally seen = {0};
    int sent = 0, rc = 0;
    assert_int_equal(ls_producer_open(&p, &kafka, 64 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, "full", 1, 0, &t, &err), 0);
    while (sent < TRIES && !(rc = ls_producer_send(p, t, 0, NULL, 0, value, SIZE, NULL, 0, &seen, &err))) sent++; /* no report is taken */
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, LS_AGAIN);
    assert_in_range(sent, 60, 66); /* the budget, in messages */
    for (int i = 0; i < POLLS_MAX && seen.reports < sent; i++) ls_producer_reports(p, 100, take, &seen);
    assert_int_equal(seen.reports, sent);
    assert_int_equal(seen.bytes, sent * SIZE);
    assert_int_equal(ls_producer_send(p, t, 0, NULL, 0, value, SIZE, NULL, 0, &seen, &err), 0);
    ls_producer_close(p);
}

/* The in-process broker lets a group wait for a session's time-out after a member has left it: here a short one. */
static ls_consumer_conf reader_of(const char *const *topics, const char *group, int *revocations) {
    static const ls_pair hasty[] = {{"session.timeout.ms", "5000"}, {"heartbeat.interval.ms", "1000"}};
    return (ls_consumer_conf){.kafka = {.memory = broker, .pairs = hasty, .npairs = 2}, .group_id = group, .topics = topics, .ntopics = 1, .auto_offset_reset = "earliest",
                              .budget = 4 * 1024 * 1024, .revoked = revoked, .ctx = revocations};
}

/* Polls until n messages have come; releases them if it is told to. Gives the first one's offset. */
static int64_t read_some(ls_consumer *c, size_t want, bool release) {
    ls_message m[64];
    ls_error err;
    int64_t first = -1;
    size_t n, seen = 0;
    for (int i = 0; i < POLLS_MAX && seen < want; i++) {
        assert_int_equal(ls_consumer_poll(c, m, want - seen < 64 ? want - seen : 64, 1024 * 1024, 100, &n, &err), 0);
        if (first < 0 && n) first = m[0].offset;
        seen += n;
        if (n && release) ls_consumer_release(c);
        if (n && !release) break;
    }
    return first;
}

static void test_only_released_messages_are_committed(void **state) {
    (void)state;
    static const char *const topics[] = {"released"};
    ls_kafka_conf kafka = {.memory = broker};
    int revocations = 0;
    ls_consumer_conf conf = reader_of(topics, "released", &revocations);
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    size_t n;
    ls_producer *p;
    ls_topic *t;
    tally seen = {0};
    assert_int_equal(ls_producer_open(&p, &kafka, 1024 * 1024, &quiet, &err), 0);
    assert_int_equal(ls_producer_topic(p, topics[0], 1, 0, &t, &err), 0);
    for (int i = 0; i < 40; i++) assert_int_equal(ls_producer_send(p, t, 0, NULL, 0, i % 2 ? "x" : NULL, (size_t)(i % 2), NULL, 0, &seen, &err), 0);
    for (int i = 0; i < POLLS_MAX && seen.reports < 40; i++) ls_producer_reports(p, 100, take, &seen);
    ls_producer_close(p);

    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(read_some(c, 10, true), 0);
    assert_int_equal(read_some(c, 30, false), 10); /* these, and the partition's end, are seen but not released */
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    assert_int_equal(ls_consumer_poll(c, m, 64, 1, 0, &n, &err), -1); /* before they are released there are no others */
    ls_consumer_close(c);

    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    for (n = 0; n == 0;) assert_int_equal(ls_consumer_poll(c, m, 2, 1024, 100, &n, &err), 0);
    assert_int_equal(m[0].offset, 10);
    assert_null(m[0].key);
    assert_null(m[0].value); /* a null message */
    ls_consumer_release(c);
    if (n == 1) assert_int_equal(read_some(c, 1, true), 11);
    assert_int_equal(read_some(c, 28, true), 12);
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    ls_consumer_close(c);

    /* nothing is left: an instance that reads no message is at the ends all the same */
    int all = 0;
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(ls_consumer_note_ends(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 1); /* by what the group has committed */
    for (int i = 0; i < POLLS_MAX && (ls_consumer_assigned(c) == 0 || !all); i++) {
        assert_int_equal(ls_consumer_poll(c, m, 64, 1, 100, &n, &err), 0);
        assert_int_equal(n, 0);
        assert_int_equal(ls_consumer_commit(c, &err), 0);
        all = ls_consumer_at_ends(c, &err);
    }
    assert_int_equal(all, 1);
    assert_int_equal(ls_consumer_lag(c), 0);
    ls_consumer_close(c);
}

/* Partitions that are given back wait for a commit that has failed: nobody else would try it again. */
static void test_a_commit_that_failed_is_tried_again_at_the_end(void **state) {
    (void)state;
    enum { OFFSET_COMMIT = 8 };
    static const rd_kafka_resp_err_t away[] = {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR}; /* the client itself tries twice again */
    static const char *const topics[] = {"again"};
    int revocations = 0;
    ls_consumer_conf conf = reader_of(topics, "again", &revocations);
    ls_consumer *c;
    ls_error err;
    produce(&(ls_kafka_conf){.memory = broker}, topics[0], 30); /* ten a partition */
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(read_some(c, 30, true), 0);
    rd_kafka_mock_push_request_errors_array(ls_memory_broker_cluster(broker), OFFSET_COMMIT, sizeof away / sizeof *away, away);
    assert_int_equal(ls_consumer_commit(c, &err), 0);
    assert_true(c->commit_failed);
    ls_consumer_close(c);
    produce(&(ls_kafka_conf){.memory = broker}, topics[0], 3);
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(read_some(c, 3, true), 10);
    ls_consumer_close(c);
}

/* Where a group begins that has no offsets is kept before it has read anything. */
static void test_the_end_is_where_a_group_began(void **state) {
    (void)state;
    static const char *const topics[] = {"began"};
    int revocations = 0;
    ls_consumer_conf conf = reader_of(topics, "began", &revocations);
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    size_t n;
    conf.auto_offset_reset = "latest";
    produce(&(ls_kafka_conf){.memory = broker}, topics[0], 30); /* ten a partition */
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    for (int i = 0; i < POLLS_MAX && ls_consumer_assigned(c) == 0; i++) assert_int_equal(ls_consumer_poll(c, m, 64, 1024, 100, &n, &err), 0);
    ls_consumer_close(c);
    produce(&(ls_kafka_conf){.memory = broker}, topics[0], 3);
    assert_int_equal(ls_consumer_open(&c, &conf, &quiet, &err), 0);
    assert_int_equal(read_some(c, 3, true), 10);
    ls_consumer_close(c);
}

static void test_a_topic_that_comes_later(void **state) {
    (void)state;
    static const char *const topics[] = {"later"};
    int revocations = 0;
    ls_consumer_conf conf = reader_of(topics, "later", &revocations);
    FILE *f = tmpfile();
    assert_non_null(f);
    ls_log log = log_to(f);
    ls_consumer *c;
    ls_error err;
    ls_message m[64];
    size_t n;
    assert_int_equal(ls_consumer_open(&c, &conf, &log, &err), 0);
    assert_int_equal(ls_consumer_note_ends(c, &err), 0);
    assert_int_equal(ls_consumer_at_ends(c, &err), 1); /* a topic that is not made yet is at its end */
    for (int i = 0; i < POLLS_MAX && !lines_with(f, "topic later does not exist: start its connector"); i++)
        assert_int_equal(ls_consumer_poll(c, m, 64, 1024, 100, &n, &err), 0);
    produce(&conf.kafka, topics[0], 9);
    assert_int_equal(read_some(c, 9, true), 0);
    assert_int_equal(lines_with(f, "topic later does not exist"), 1);
    assert_int_equal(lines_with(f, "topic later is there now"), 1);
    ls_consumer_close(c);
    fclose(f);
}

static void test_no_broker(void **state) {
    (void)state;
    static const char *const topics[] = {"t"};
    static const ls_pair nobody[] = {{"bootstrap.servers", "127.0.0.1:1"}};
    int revocations = 0;
    ls_consumer_conf conf = reader_of(topics, "g", &revocations);
    conf.kafka = (ls_kafka_conf){.pairs = nobody, .npairs = 1};
    FILE *f = tmpfile();
    assert_non_null(f);
    ls_log log = log_to(f);
    ls_consumer *c;
    ls_producer *p;
    ls_checkpoints *k;
    ls_topic *t;
    ls_error err;
    ls_message m[1];
    size_t n;
    assert_int_equal(ls_consumer_open(&c, &conf, &log, &err), 0);
    for (int i = 0; i < POLLS_MAX && !lines_with(f, "no broker answers"); i++)
        assert_int_equal(ls_consumer_poll(c, m, 1, 1024, 100, &n, &err), 0);
    for (int i = 0; i < 20; i++) assert_int_equal(ls_consumer_poll(c, m, 1, 1024, 100, &n, &err), 0);
    assert_int_equal(lines_with(f, "no broker answers"), 1); /* once a change of state */
    ls_consumer_close(c);
    assert_int_equal(ls_producer_open(&p, &conf.kafka, 1024 * 1024, &log, &err), 0);
    assert_int_equal(ls_producer_topic(p, "t", 3, 0, &t, &err), -1);
    assert_int_equal(err.code, LS_AGAIN);
    assert_non_null(strstr(err.text, "bootstrap.servers"));
    ls_producer_close(p);
    assert_int_equal(ls_checkpoints_open(&k, &conf.kafka, "c", 0, &log, &err), -1);
    assert_int_equal(err.code, LS_AGAIN);
    fclose(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_murmur2),        cmocka_unit_test(test_topic_names),
        cmocka_unit_test(test_owned_properties), cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_ends_that_producers_know),
        cmocka_unit_test(test_a_poll_keeps_to_its_bytes), cmocka_unit_test(test_a_client_that_sleeps_is_woken),
        cmocka_unit_test(test_which_clients_are_asked), cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_codes),          cmocka_unit_test(test_a_full_queue),
        cmocka_unit_test(test_only_released_messages_are_committed), cmocka_unit_test(test_a_commit_that_failed_is_tried_again_at_the_end),
        cmocka_unit_test(test_the_end_is_where_a_group_began),
        cmocka_unit_test(test_a_topic_that_comes_later), cmocka_unit_test(test_no_broker),
    };
    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
