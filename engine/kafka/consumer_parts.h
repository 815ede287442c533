/* consumer_parts.h - what the parts of a consumer share: consumer.c and nudge.c. Of the consumer's thread. */
#ifndef LS_KAFKA_CONSUMER_PARTS_H
#define LS_KAFKA_CONSUMER_PARTS_H

#include "kafka/assigned.h"
#include "kafka/consumer.h"
#include "kafka/presence.h"

/* nudge.c: librdkafka (2.0) begins no fetch while its queue is full, and looks again when its broker's thread next wakes, up to a second later. */
typedef struct ls_nudges {
    size_t max_bytes, max_messages; /* while so many wait in the client, it is full */
    char *user, *password;          /* for SASL, empty where there are none; owned */
    bool by_question;               /* the client is woken by requests to its brokers */
    bool drained;                   /* more than half of that was seen, and it was not woken since */
    uint64_t released;              /* the consumer's when nothing came, last */
    int64_t at;                     /* ls_clock_ms(): when it was seen to then */
    uint64_t count;                 /* times that it was woken */
} ls_nudges;

/* What is known of one partition; offsets are those of the next message. -1: nothing yet. */
typedef struct place {
    char *topic;
    int32_t partition;
    int64_t done;      /* behind the last released message, or the end that was reached */
    int64_t wanted;    /* `done` when the caller last asked for a commit */
    int64_t committed; /* as Kafka has it from us */
    int64_t end_seen;  /* the end was reached here; goes into `done` when no message before it is held */
    int64_t goal;      /* noted end; 0: none */
    int64_t elsewhere; /* another member's: what the group has committed, as last asked */
    bool mine;
} place;

struct ls_consumer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue, *commits;
    ls_consumer_conf conf;
    const ls_log *log;
    place *places;
    size_t nplaces;
    /* messages from the client: [given, next) are the caller's until released, [next, nbatch) wait for the next poll */
    rd_kafka_message_t **batch;
    size_t cap_batch, nbatch, given, next;
    size_t mean;              /* bytes of a message, as last seen */
    bool rebalanced;          /* while the batch was fetched */
    int64_t subscribed_at;    /* ls_clock_ms(); 0: not yet, or the wait for the group was spoken of */
    bool joined;              /* the group gave this member an assignment, be it empty */
    ls_presence presence;
    ls_assigned assigned;     /* with conf.instances */
    uint64_t released;        /* polls whose messages were */
    ls_nudges nudges;
    rd_kafka_resp_err_t said; /* the last error that was warned of, until a message comes */
    bool slow_said;           /* max.poll.interval.ms was passed */
    bool committing;          /* a commit's answer is to come */
    bool commit_failed;       /* said once a change of state */
    int64_t commit_again_at;  /* ls_clock_ms() */
};

/* What the client's configuration says of its queue. -1: memory. */
int ls_nudges_init(ls_nudges *n, const rd_kafka_conf_t *conf) LS_MUST_CHECK;
void ls_nudges_free(ls_nudges *n);
/* Releases from 2.2 look themselves (fetch.queue.backoff.ms): what follows does nothing then. */
bool ls_client_looks_itself(void);
/* Called before messages that wait are taken, and behind that. Once less than half of what makes the queue full waits, and more did, wakes the client: brokers
 * answer while the rest is written. */
void ls_look_at_queue(ls_consumer *c);
/* Nothing has come for a while: wakes the client, once behind each release and then while there is more. How full its queue was is a guess. */
void ls_nothing_comes(ls_consumer *c);

#endif
