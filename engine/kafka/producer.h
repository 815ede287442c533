/* producer.h - rows to topics: idempotent, acks=all, nothing given up (message.timeout.ms=0).
 * Threads: the capture thread sends; the delivery thread takes reports. Both may run at once. */
#ifndef LS_KAFKA_PRODUCER_H
#define LS_KAFKA_PRODUCER_H

#include "kafka/client.h"
#include "kafka/ends.h"

#include <stdint.h>

typedef struct ls_producer ls_producer;
typedef struct ls_topic ls_topic; /* owned by the producer */

/* budget: bytes that may wait in the client's queues (messages and overhead). */
int ls_producer_open(ls_producer **out, const ls_kafka_conf *conf, size_t budget, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Over a transactional client, which stays the caller's: messages go into the transaction that is open. LS_AGAIN of ls_producer_send() means then, too,
 * that none is, or that it has failed. */
int ls_producer_over(ls_producer **out, rd_kafka_t *rk, const ls_kafka_conf *conf, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* A client for rows, as ls_producer_open() makes one, with up to four further settings. The caller owns it. */
int ls_producer_client(rd_kafka_t **out, const ls_kafka_conf *conf, size_t budget, const ls_pair *more, size_t nmore, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Before the transactional client is destroyed: lets go of it; reports that were not taken are forgotten. Then over a new one, with the same topics. No other call
 * in between, and none of another thread. */
void ls_producer_release(ls_producer *p);
int ls_producer_renew(ls_producer *p, rd_kafka_t *rk, ls_error *err) LS_MUST_CHECK;
rd_kafka_t *ls_producer_handle(ls_producer *p);
/* The topic, made on first use (ls_topic_make). A template's topics are found again by name. */
int ls_producer_topic(ls_producer *p, const char *name, int partitions, int replication, ls_topic **out, ls_error *err) LS_MUST_CHECK;
int ls_topic_count(const ls_topic *t); /* partitions */
const char *ls_topic_title(const ls_topic *t);
typedef struct ls_producer_header {
    const char *name;  /* NUL-terminated */
    const void *value; /* NULL: a null one */
    size_t len;
} ls_producer_header;

enum { LS_LARGEST = LS_MESSAGE_MAX - 1024 }; /* bytes of a message that is sent: Kafka's batch puts a head around it, and counts that too */
/* Bytes of a message as they are counted against LS_LARGEST. */
size_t ls_producer_bytes(size_t key_len, size_t value_len, const ls_producer_header *headers, size_t nheaders);
/* A message whose key and value are over so many bytes (the property batch.size) has a batch of its own: what Kafka says of that is meant for it. */
size_t ls_producer_alone(const ls_producer *p);

/* Copies key (NULL: none), value (NULL: none) and headers. opaque comes back with the report. LS_AGAIN: the queue is full, send again after
 * reports were taken. A message over LS_LARGEST: LS_FAIL, naming message.max.bytes and max.message.bytes. */
int ls_producer_send(ls_producer *p, ls_topic *t, int partition, const void *key, size_t key_len, const void *value,
                     size_t value_len, const ls_producer_header *headers, size_t nheaders, void *opaque, ls_error *err) LS_MUST_CHECK;

typedef struct ls_report {
    void *opaque;
    size_t bytes; /* key and value */
    bool failed;  /* why[] says it; nothing of a failed message was stored as far as is known */
    bool final;   /* failed: it would fail again, for what it is or where it goes */
    bool too_large; /* it is over the topic's max.message.bytes, or its batch is */
    const char *topic; /* this and the key: until take() returns */
    const void *key;   /* NULL: none */
    size_t key_len;
    char why[256];
    ls_code code;
} ls_report;
/* Delivery thread: waits up to wait_ms for reports and calls `take` for each. Gives how many. */
int ls_producer_reports(ls_producer *p, int wait_ms, void (*take)(void *ctx, const ls_report *r), void *ctx);
/* Delivery thread: a message was given up, and none behind it may be stored before it comes again. What waits is forgotten, and nothing more is taken: a new producer
 * has to. Again for each report that comes meanwhile. */
void ls_producer_abandon(ls_producer *p);
/* Any thread: ends the wait of ls_producer_reports(). While the client is released: nothing. */
void ls_producer_wake(ls_producer *p);
/* Delivery thread: has what was sent go out at once, without linger.ms. True: nothing is outstanding, and every report was taken. */
bool ls_producer_flush(ls_producer *p);
/* Any thread: has what was sent go out at once, without linger.ms, and waits up to wait_ms until nothing is outstanding. */
void ls_producer_push(ls_producer *p, int wait_ms);
/* Delivery thread: what the last connection failed of while no broker answers; NULL: one does, as far as is known. */
const char *ls_producer_down(const ls_producer *p);
void ls_producer_up(ls_producer *p); /* ... it is known that one does */
/* The last fatal error of the client, if there is one: -1 with it. Over a transactional client: that its transaction has failed, said once. */
int ls_producer_health(ls_producer *p, ls_error *err) LS_MUST_CHECK;
/* Over a transactional client: a transaction begins, and what failed in the one before is of no interest. */
void ls_producer_anew(ls_producer *p);
/* No thread takes reports any more: adds how far the partitions were filled. */
int ls_producer_ends(const ls_producer *p, ls_ends *out, ls_error *err) LS_MUST_CHECK;
/* Messages that no report was taken for. */
int ls_producer_outstanding(ls_producer *p);
/* Forgets what waits to be sent; failed reports come of it. Any thread. */
void ls_producer_purge(ls_producer *p);
void ls_producer_close(ls_producer *p); /* does not wait: what is undelivered is forgotten */

#endif
