#include "kafka/client.h"

#include <stdlib.h>
#include <string.h>

/* Properties that the promises of delivery rest on, each with the reason a script is told. */
static const ls_pair owned[] = {
    {"acks", "every message is acknowledged by all replicas in sync, or it could be lost"},
    {"request.required.acks", "every message is acknowledged by all replicas in sync, or it could be lost"},
    {"enable.idempotence", "without it a retry could double or reorder messages"},
    {"max.in.flight", "the idempotent producer sets it"},
    {"max.in.flight.requests.per.connection", "the idempotent producer sets it"},
    {"transactional.id", "it is made from the connector's name, so that a second instance fences the first"},
    {"transaction.timeout.ms", "it bounds how long a dead program's checkpoint holds up the others'"},
    {"message.timeout.ms", "a message is never given up"},
    {"delivery.timeout.ms", "a message is never given up"},
    {"message.send.max.retries", "a message is never given up"},
    {"retries", "a message is never given up"},
    {"message.max.bytes", "topics are made with max.message.bytes = 67108864, and the producer's limit is the same"},
    {"delivery.report.only.error", "each message's report moves the position"},
    {"auto.commit.enable", "offsets are committed after the writer has flushed"},
    {"enable.auto.commit", "offsets are committed after the writer has flushed"},
    {"enable.auto.offset.store", "offsets are committed after the writer has flushed"},
    {"isolation.level", "aborted messages must not be written"},
    {"group.id", "it is the consumer's group_id"},
    {"group.instance.id", "the stage's instances would share it and shut each other out"},
    {"auto.offset.reset", "it is the consumer's auto_offset_reset"},
    {"partition.assignment.strategy", "rows are committed before partitions move (roundrobin or range)"},
    {"enable.partition.eof", "it tells the end of a topic"},
    {"allow.auto.create.topics", "the connectors make their topics, with the wanted partitions"},
    {"log.queue", "the program reads the client library's lines as they come"},
    {"enabled_events", "the program chooses which events it is told of"},
    {"partitioner", "partitions are chosen as the Java client does, before the client library is asked"},
    {"test.mock.num.brokers", "kafka_conf = \"memory\" is the in-process broker"},
};

const char *ls_kafka_owned(const char *property) {
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (strcmp(owned[i].name, property) == 0) return owned[i].value;
    return NULL;
}

/* librdkafka's own lines are for whoever looks closely (-v): what a user must know comes as events, once a change of state. */
static void library_line(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    const ls_log *log = rd_kafka_opaque(rk);
    (void)level;
    if (log) ls_log_line(log, LS_DEBUG, "librdkafka %s: %s", facility, text);
}

static int set(rd_kafka_conf_t *conf, const ls_pair *p, ls_error *err) {
    char why[512];
    if (rd_kafka_conf_set(conf, p->name, p->value, why, sizeof why) == RD_KAFKA_CONF_OK) return 0;
    return ls_fail(err, LS_USAGE, "kafka_conf: %s = \"%s\": %s", p->name, p->value, why);
}

static bool names_servers(const ls_pair *p) { return strcmp(p->name, "bootstrap.servers") == 0 || strcmp(p->name, "metadata.broker.list") == 0; }

int ls_kafka_conf_make(rd_kafka_conf_t **out, const ls_kafka_conf *conf, const ls_pair *ours, size_t nours,
                       const ls_log *log, ls_error *err) {
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    bool servers = conf->memory != NULL;
    const char *within = NULL; /* of a transactional client: librdkafka refuses a socket.timeout.ms above it */
    for (size_t i = 0; i < nours; i++)
        if (strcmp(ours[i].name, "transaction.timeout.ms") == 0) within = ours[i].value;
    int rc = set(c, &(ls_pair){"client.id", "list_sync"}, err);
    /* or the kernel holds a request back while the one before it is not acknowledged, which a broker's kernel puts off by 40 ms */
    if (rc == 0) rc = set(c, &(ls_pair){"socket.nagle.disable", "true"}, err);
    for (size_t i = 0; i < nours && rc == 0; i++) rc = set(c, &ours[i], err); /* first: a script may tune what is not owned */
    for (size_t i = 0; i < conf->npairs && rc == 0; i++) {
        const ls_pair *p = &conf->pairs[i];
        const char *why = ls_kafka_owned(p->name);
        if (why)
            rc = ls_fail(err, LS_USAGE, "kafka_conf: %s is set by the program (%s): take it out of the script", p->name, why);
        else
            rc = set(c, p, err);
        servers |= names_servers(p);
    }
    if (rc == 0 && within) rc = set(c, &(ls_pair){"socket.timeout.ms", within}, err);
    if (rc == 0 && conf->memory)
        rc = set(c, &(ls_pair){"bootstrap.servers", ls_memory_broker_servers(conf->memory)}, err);
    if (rc == 0 && !servers)
        rc = ls_fail(err, LS_USAGE, "kafka_conf names no brokers: add [\"bootstrap.servers\"] = \"host:9092\"");
    if (rc) {
        rd_kafka_conf_destroy(c);
        return -1;
    }
    rd_kafka_conf_set_opaque(c, (void *)(uintptr_t)log);
    rd_kafka_conf_set_log_cb(c, library_line);
    *out = c;
    return 0;
}

const char *ls_kafka_cluster(const ls_kafka_conf *conf) {
    for (size_t i = 0; i < conf->npairs && !conf->memory; i++)
        if (names_servers(&conf->pairs[i])) return conf->pairs[i].value;
    return "";
}

ls_code ls_kafka_code(rd_kafka_resp_err_t e) {
    switch (e) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH: return LS_FENCED;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: /* made a moment ago, or to be made: told apart by who asks */
        return LS_AGAIN;
    default: return LS_FAIL;
    }
}
