#include "kafka/checkpoint.h"
#include "kafka/consumer.h"
#include "kafka/producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
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
        assert_int_equal(ls_producer_send(p, t, i % 3, key, (size_t)k, value, (size_t)v, &seen, &err), 0);
    }
    for (int i = 0; i < POLLS_MAX && seen.reports < n; i++) ls_producer_reports(p, 100, take, &seen);
    assert_int_equal(seen.reports, n);
    assert_int_equal(seen.failed, 0);
    assert_int_equal(ls_producer_outstanding(p), 0);
    assert_int_equal(ls_producer_health(p, &err), 0);
    char *big = calloc(1, LS_MESSAGE_MAX + 1);
    assert_int_equal(ls_producer_send(p, t, 0, NULL, 0, big, LS_MESSAGE_MAX + 1, &seen, &err), -1);
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

static void test_checkpoints(void **state) {
    (void)state;
    ls_kafka_conf kafka = {.memory = broker};
    ls_checkpoints *c;
    ls_error err;
    ls_buf value = {0};
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "a \"quoted\" name", &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 0);
    assert_int_equal(ls_checkpoints_store(c, "one", 3, &err), 0);
    assert_int_equal(ls_checkpoints_store(c, "two!", 4, &err), 0);
    ls_checkpoints_close(c);
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "another", &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 0);
    ls_checkpoints_close(c);
    assert_int_equal(ls_checkpoints_open(&c, &kafka, "a \"quoted\" name", &quiet, &err), 0);
    assert_int_equal(ls_checkpoints_load(c, &value, &err), 1);
    assert_string_equal(ls_buf_cstr(&value), "two!");
    ls_checkpoints_close(c);
    ls_buf_free(&value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_murmur2),        cmocka_unit_test(test_topic_names),
        cmocka_unit_test(test_owned_properties), cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_a_poll_keeps_to_its_bytes), cmocka_unit_test(test_checkpoints),
    };
    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
