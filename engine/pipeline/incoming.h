/* incoming.h - Kafka's messages into a decoder. */
#ifndef LS_INCOMING_H
#define LS_INCOMING_H

#include "format/format.h"
#include "kafka/consumer.h"

/* Adds what the message says. Errors name topic, partition and offset. */
int ls_incoming_read(ls_decoder *d, ls_work *w, const ls_message *m, ls_error *err) LS_MUST_CHECK;

#endif
