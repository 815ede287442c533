/* The in-process broker: librdkafka's mock cluster. Memory only; see client.h. */
#include "kafka/client.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct ls_memory_broker {
    rd_kafka_t *rk; /* owns the cluster's thread */
    rd_kafka_mock_cluster_t *cluster;
};

int ls_memory_broker_new(ls_memory_broker **out, ls_error *err) {
    char why[256];
    ls_memory_broker *m = calloc(1, sizeof *m);
    if (!m) return ls_fail_memory(err, "starting the in-process broker");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL); /* it would warn that it has no brokers to connect to: it is one */
    m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!m->rk) rd_kafka_conf_destroy(conf);
    m->cluster = m->rk ? rd_kafka_mock_cluster_new(m->rk, 1) : NULL;
    if (!m->cluster) {
        ls_fail(err, LS_FAIL, "cannot start the in-process broker%s%s", m->rk ? "" : ": ", m->rk ? "" : why);
        ls_memory_broker_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

const char *ls_memory_broker_servers(const ls_memory_broker *m) { return rd_kafka_mock_cluster_bootstraps(m->cluster); }

int ls_memory_broker_topic(ls_memory_broker *m, const char *topic, int partitions, ls_error *err) {
    rd_kafka_resp_err_t e = rd_kafka_mock_topic_create(m->cluster, topic, partitions, 1);
    if (!e || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return 0;
    return ls_fail(err, LS_FAIL, "topic %s on the in-process broker: %s", topic, rd_kafka_err2str(e));
}

rd_kafka_mock_cluster_t *ls_memory_broker_cluster(ls_memory_broker *m) { return m->cluster; }

void ls_memory_broker_free(ls_memory_broker *m) {
    if (!m) return;
    if (m->cluster) rd_kafka_mock_cluster_destroy(m->cluster);
    if (m->rk) rd_kafka_destroy(m->rk);
    free(m);
}
