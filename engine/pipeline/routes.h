/* routes.h - which topics a table's rows go to, and sending them there. Capture thread only. */
#ifndef LS_ROUTES_H
#define LS_ROUTES_H

#include "kafka/producer.h"
#include "pipeline/dead_letter.h"
#include "pipeline/delivery.h"
#include "pipeline/encode.h"

typedef struct ls_routes ls_routes;

/* encoder: borrowed. progress: the checkpoint to go on from, read here. Topics whose names hold no {…} are made at once, so that their consumers find them. */
int ls_routes_open(ls_routes **out, ls_worker *w, ls_producer *producer, ls_encoder *encoder, ls_progress *progress, ls_error *err) LS_MUST_CHECK;
/* What becomes of rows in error; the topic of the dead letters, if there are to be some, is made at once. Before the first row. dead: borrowed. */
int ls_routes_open_letters(ls_routes *r, ls_dead *dead, ls_error *err) LS_MUST_CHECK;
/* Where dead letters go; NULL: there are none. */
ls_topic *ls_routes_letters(const ls_routes *r);
/* Makes the topics that the script's functions said of the batch's rows, so that one too many, or one that Kafka refuses, is told before any
 * of them is sent. pause: as below. */
int ls_routes_prepare(ls_routes *r, ls_batch *b, int (*pause)(void *ctx, ls_error *err), void *ctx, ls_error *err) LS_MUST_CHECK;
/* Encodes change i and hands it to each of its topics (T: to each partition); one that was set aside, or is by that, is counted, and its dead
 * letter sent, as the stage's options say. `pause` is called, again and again, while
 * the budget or the client's queue is full; -1 from it ends the wait. */
int ls_routes_send(ls_routes *r, ls_batch *b, uint32_t i, ls_delivery *d, ls_segment *s,
                   int (*pause)(void *ctx, ls_error *err), void *ctx, ls_error *err) LS_MUST_CHECK;
/* Of the change that ls_routes_send() was given last: has a message of it gone? */
bool ls_routes_begun(const ls_routes *r);
/* exactly_once: what is sent while a transaction is being ended waits, and goes into the next one. Is there something? */
bool ls_routes_waiting(const ls_routes *r);
/* Sends of it what can be sent now. */
int ls_routes_drain(ls_routes *r, ls_delivery *d, ls_error *err) LS_MUST_CHECK;
/* Forgets it. */
void ls_routes_undo(ls_routes *r);
void ls_routes_free(ls_routes *r);

#endif
