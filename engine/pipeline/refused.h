/* refused.h - rows whose messages Kafka refuses for their size (on_oversize): which one it was is known only when its report comes.
 *
 * A message that is larger than the client's batches is alone in its batch, so that the refusal is its own. Each such message is sent with a card
 * that says which row it is; the others are sent with their segment, and a refusal of their batch is an error as ever. */
#ifndef LS_REFUSED_H
#define LS_REFUSED_H

#include "kafka/producer.h"
#include "pipeline/dead_letter.h"
#include "pipeline/inflight.h"

enum { LS_REFUSED_KEPT = 256 }; /* rows remembered: more than one transaction is likely to have */

typedef struct ls_refused ls_refused;

/* All is borrowed. letters: NULL: such rows are left out. NULL: memory. */
ls_refused *ls_refused_new(ls_dead *dead, ls_producer *producer, ls_topic *letters, ls_inflight *inflight);
/* When no report comes any more. NULL is fine. */
void ls_refused_free(ls_refused *r);

/* Capture thread. What the change's message, of so many bytes, is sent with: a card, or the segment itself. NULL: memory. */
void *ls_refused_opaque(ls_refused *r, ls_segment *s, const ls_change *c, size_t bytes);

/* Delivery thread. The segment of a message that was delivered; its card, if it had one, is gone. r: may be NULL. */
ls_segment *ls_refused_segment(ls_refused *r, void *opaque);
/* A report of a message that is too large. true: the row is counted, and is left out or waits for ls_refused_send(); false: it had no card, and it is
 * not known which message of its batch is to blame. */
bool ls_refused_take(ls_refused *r, const ls_report *report);
/* Sends the letters that wait, as far as there is room. */
int ls_refused_send(ls_refused *r, ls_error *err) LS_MUST_CHECK;

/* exactly_once: a refused message spoils its transaction, and all of that comes again. Delivery thread, instead of ls_refused_take(): the row is remembered. false: it had no
 * card. */
bool ls_refused_keep(ls_refused *r, const ls_report *report);
/* Capture thread: was a message of the row refused before? Then *err says why. r: may be NULL. */
bool ls_refused_before(ls_refused *r, const ls_change *c, ls_error *err);
/* exactly_once: no report comes of what is under way. Neither thread is at work. r: may be NULL. */
void ls_refused_forget(ls_refused *r);

#endif
