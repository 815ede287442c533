#include "kafka/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_which_configuration_signs_in_by_sasl(void **state) {
    (void)state;
    static const struct {
        ls_pair pairs[2];
        bool uses;
    } cases[] = {
        {{{"bootstrap.servers", "a:9092"}, {"sasl.mechanisms", "PLAIN"}}, false}, /* without the protocol, librdkafka does not look at it */
        {{{"bootstrap.servers", "a:9092"}, {"security.protocol", "ssl"}}, false},
        {{{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "GSSAPI"}}, true},
        {{{"sasl.mechanisms", "GSSAPI"}, {"security.protocol", "SASL_PLAINTEXT"}}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ls_kafka_conf conf = {.pairs = cases[i].pairs, .npairs = 2};
        assert_int_equal(ls_kafka_uses_sasl(&conf), cases[i].uses);
    }
}

static int plugins_mapped(void) {
    char line[1024];
    int n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) n += strstr(line, "/sasl2/") != NULL;
    fclose(f);
    return n;
}

static void test_clients_load_no_plugins(void **state) {
    (void)state;
    char why[256];
    ls_sasl_without_plugins();
    for (int i = 0; i < 2; i++) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why), RD_KAFKA_CONF_OK);
        rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
        assert_non_null(rk);
        assert_int_equal(plugins_mapped(), 0);
        rd_kafka_destroy(rk);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which_configuration_signs_in_by_sasl), cmocka_unit_test(test_clients_load_no_plugins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
