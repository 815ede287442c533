/* client.h - librdkafka configuration, shared by producers, consumers and the admin calls. */
#ifndef LS_KAFKA_CLIENT_H
#define LS_KAFKA_CLIENT_H

#include "base/error.h"
#include "base/log.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LS_MESSAGE_MAX = 67108864, /* bytes: the producer's message.max.bytes and a made topic's max.message.bytes */
    LS_KAFKA_ASK_MS = 10000    /* milliseconds that an admin or metadata call may take before it is tried again */
};

typedef struct ls_pair {
    const char *name, *value;
} ls_pair;

/* The in-process broker, for demos and trials. One for the whole program; outlives every client that uses it. */
typedef struct ls_memory_broker ls_memory_broker;
int ls_memory_broker_new(ls_memory_broker **out, ls_error *err) LS_MUST_CHECK;
const char *ls_memory_broker_servers(const ls_memory_broker *m);
/* Makes a topic there; made already is fine. */
int ls_memory_broker_topic(ls_memory_broker *m, const char *topic, int partitions, ls_error *err) LS_MUST_CHECK;
/* For tests, which have it fail. */
struct rd_kafka_mock_cluster_s *ls_memory_broker_cluster(ls_memory_broker *m);
void ls_memory_broker_free(ls_memory_broker *m);

/* Borrowed for the client's life. */
typedef struct ls_kafka_conf {
    const ls_pair *pairs; /* the script's librdkafka properties */
    size_t npairs;
    ls_memory_broker *memory; /* instead of pairs' bootstrap.servers; NULL: real brokers */
} ls_kafka_conf;

/* NULL, or why the engine owns this property ("acks: the engine sets it, since ..."). */
const char *ls_kafka_owned(const char *property);
/* `ours`, then the script's properties over them; those that the engine owns are refused, and a transactional client's socket.timeout.ms is
 * the transaction.timeout.ms of `ours`. Errors (unknown property, bad value) name the property: LS_USAGE.
 * The caller owns *out until a client is made of it. log: the client's lines go there; it must outlive the client. */
int ls_kafka_conf_make(rd_kafka_conf_t **out, const ls_kafka_conf *conf, const ls_pair *ours, size_t nours,
                       const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Is it worth another try (LS_AGAIN), a fence (LS_FENCED), or not (LS_FAIL)? */
ls_code ls_kafka_code(rd_kafka_resp_err_t e);

/* What tells clusters apart: the bootstrap servers as the script names them; "" for the in-process broker. Lives as long as the conf's pairs. */
const char *ls_kafka_cluster(const ls_kafka_conf *conf);
/* topics: makes the topic with the wanted partitions and replication (0: 3, or the number of brokers if that is less)
 * and max.message.bytes if it is not there, then gives the number of partitions it has. compact: cleanup.policy=compact.
 * LS_AGAIN: the brokers do not answer. */
int ls_topic_make(rd_kafka_t *rk, const ls_kafka_conf *conf, const char *topic, int partitions, int replication,
                  bool compact, int *has, ls_error *err) LS_MUST_CHECK;
/* How many partitions the topic has now; 0: it does not exist. */
int ls_topic_partitions(rd_kafka_t *rk, const char *topic, int *has, ls_error *err) LS_MUST_CHECK;
/* Sets the offsets of the list's partitions to what `at` (RD_KAFKA_OFFSET_BEGINNING or _END) is of each, by the client's isolation.level, within wait_ms (milliseconds). After an
 * error they mean nothing: one partition whose leader does not answer keeps back all. */
rd_kafka_resp_err_t ls_topic_offsets(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *l, int64_t at, int wait_ms);
/* The same of one partition, within LS_KAFKA_ASK_MS. */
rd_kafka_resp_err_t ls_topic_offset(rd_kafka_t *rk, const char *topic, int32_t partition, int64_t at, int64_t *offset);
/* Calls each() for every topic that there is; not 0 from it ends the walk, and is an error for want of memory. */
int ls_topics_list(rd_kafka_t *rk, int (*each)(void *ctx, const char *topic), void *ctx, ls_error *err) LS_MUST_CHECK;
/* Does each of these brokers know the topics? known[i] answers for topics[i]; a broker that does not answer within wait_ms knows
 * none. One that does not know a topic yet would make the client fail what is sent to it for good, and a group's leader give
 * it to nobody. A topic's settings are what a single broker can be asked for; the right to read them is not needed. */
void ls_topics_known(rd_kafka_t *rk, const char *const *topics, size_t n, const int32_t *brokers, size_t nbrokers, int wait_ms, bool *known);
/* Java client's placement: (murmur2(key) & 0x7fffffff) mod partitions. */
uint32_t ls_murmur2(const void *key, size_t n);
int ls_partition_for(const void *key, size_t n, int partitions);
/* "{database}.{schema}.{table}" with each substituted name escaped (FORMAT.md section 1); over 249 bytes it ends in a
 * hash. An unknown {name} is LS_USAGE. */
int ls_topic_name(char out[250], const char *template_, const char *database, const char *schema, const char *table,
                  ls_error *err) LS_MUST_CHECK;

#endif
