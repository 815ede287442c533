/* dead_sender.h - a consumer's dead letters: the messages as they are, with the error in headers, through a producer that is made for the first of
 * them. One thread. */
#ifndef LS_DEAD_SENDER_H
#define LS_DEAD_SENDER_H

#include "kafka/consumer.h"
#include "pipeline/dead_letter.h"

typedef struct ls_dead_sender ls_dead_sender;

/* All is borrowed. kafka: the stage's. budget: bytes of letters that may be on their way. NULL: memory. */
ls_dead_sender *ls_dead_sender_new(ls_worker *w, const ls_dead *dead, const ls_kafka_conf *kafka, size_t budget);
/* Copies the message. Waits for brokers that do not answer, and for room. */
int ls_dead_sender_send(ls_dead_sender *s, const ls_message *m, const ls_dead_row *row, ls_error *err) LS_MUST_CHECK;
/* Waits until Kafka has every letter: before it, no offset may be committed. -1: one was refused (LS_AGAIN: it may be taken when its message
 * comes again), or the run stops and LS_DRAIN_MS have gone by, or --until-caught-up has heard nothing for LS_SILENCE_MS. */
int ls_dead_sender_await(ls_dead_sender *s, ls_error *err) LS_MUST_CHECK;
void ls_dead_sender_free(ls_dead_sender *s); /* NULL is fine */

#endif
