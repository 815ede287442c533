/* presence.h - which of the topics that a consumer wants are there, and whether a broker answers. What changes is said once.
 * A topic counts as there when every broker knows it. Part of a consumer: of its thread. */
#ifndef LS_KAFKA_PRESENCE_H
#define LS_KAFKA_PRESENCE_H

#include "kafka/client.h"

enum { LS_PRESENCE_ASK_MS = 500 }; /* one question to the brokers may take so long, since messages wait meanwhile */

typedef struct ls_wanted_topic {
    int64_t missing_since; /* ls_clock_ms(); 0: it is there */
    int64_t listed_since;  /* missing, but a broker lists it; 0: none does */
    bool said;
} ls_wanted_topic;

typedef struct ls_presence {
    const char *const *names; /* borrowed */
    size_t n;
    ls_wanted_topic *topics; /* n of them; owned */
    const ls_memory_broker *memory; /* the in-process broker, or NULL */
    const ls_log *log;
    bool down;        /* no broker answers */
    char cause[256];  /* what the last connection failed of */
    int64_t look_at;  /* ls_clock_ms() of the next look; 0: nothing is missing */
    int64_t look_ms;  /* from one look to the next */
} ls_presence;

/* All topics are to be looked for. -1: memory. */
int ls_presence_init(ls_presence *p, const char *const *names, size_t n, const ls_memory_broker *memory, const ls_log *log) LS_MUST_CHECK;
void ls_presence_free(ls_presence *p);
static inline bool ls_presence_has(const ls_presence *p, size_t i) { return !p->topics[i].missing_since; }
/* What the client reports: a topic is gone; a connection failed (all: there is none left); something came from a broker. */
void ls_presence_missing(ls_presence *p, const char *topic);
void ls_presence_failed(ls_presence *p, bool all, const char *why);
void ls_presence_answered(ls_presence *p);
/* Asks the brokers when something is missing and it is time. True: topics have come. */
bool ls_presence_look(ls_presence *p, rd_kafka_t *rk) LS_MUST_CHECK;

#endif
