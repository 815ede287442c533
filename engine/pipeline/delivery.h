/* delivery.h - a connector's second thread: takes Kafka's reports, moves the position over what is acknowledged, stores
 * checkpoints, and hands the stored position back to the capture thread, which alone talks to the source.
 *
 * exactly_once: rows go into a transaction. The capture thread sends between ls_delivery_enter() and _leave(), and cuts the transaction between two batches (the delivery
 * thread does when the next batch is long in coming); while
 * the delivery thread ends it, enter() says no. When it is undone, the capture thread goes back to the stored checkpoint. */
#ifndef LS_DELIVERY_H
#define LS_DELIVERY_H

#include "kafka/checkpoint.h"
#include "kafka/producer.h"
#include "pipeline/dead_letter.h"
#include "pipeline/inflight.h"
#include "pipeline/progress.h"
#include "pipeline/worker.h"

enum {
    LS_CHECKPOINT_MS = 1000,       /* a checkpoint this often while rows are delivered */
    LS_IDLE_CHECKPOINT_MS = 10000, /* ... and this often while only the place in the log moves */
    LS_ALIVE_MS = 10000,           /* ... and this often in any case: storing is how a program learns that another took over */
    LS_REPORT_WAIT_MS = 100,       /* longest wait for a report */
    LS_UNHEARD_MS = 10000          /* a Kafka that has acknowledged nothing for so long is spoken of */
};

typedef struct ls_delivery ls_delivery;

/* All is borrowed. */
typedef struct ls_delivery_conf {
    ls_worker *worker;
    ls_producer *producer; /* exact: over the checkpoints' client */
    ls_checkpoints *checkpoints;
    ls_progress *progress; /* the stored checkpoint to go on from; the delivery thread's own until ls_delivery_finish() */
    bool exact;            /* exactly_once */
    ls_dead *dead;         /* what becomes of rows whose messages Kafka refuses for their size */
    ls_topic *letters;     /* of the dead letters, or NULL */
} ls_delivery_conf;

int ls_delivery_start(ls_delivery **out, const ls_delivery_conf *conf, ls_error *err) LS_MUST_CHECK;
ls_inflight *ls_delivery_inflight(ls_delivery *d);
/* Capture thread. What a message of so many bytes is sent with. change: NULL for a dead letter. NULL: memory is out. */
void *ls_delivery_opaque(ls_delivery *d, ls_segment *s, const ls_change *change, size_t bytes, ls_error *err);

/* Capture thread, exactly_once: was a message of this row refused for its size, in a transaction that is undone? *err says why. */
bool ls_delivery_refused(ls_delivery *d, const ls_change *change, ls_error *err);

/* Capture thread. Waits up to ms for something to be acknowledged or to fail. */
void ls_delivery_wait(ls_delivery *d, int ms);
/* Capture thread, around the sending of a message; true at once but in exactly_once. False: the transaction is being ended, the message has to wait, and leave() does
 * not follow. bytes: what was sent, LS_MESSAGE_OVERHEAD with it; 0: nothing. */
bool ls_delivery_enter(ls_delivery *d) LS_MUST_CHECK;
void ls_delivery_leave(ls_delivery *d, size_t bytes);
typedef enum ls_cut {
    LS_CUT_SOON, /* when it is 100 ms old: its rows are waited for */
    LS_CUT_LATE, /* its rows are old already: when it is a second old, since nothing is sent while it is ended */
    LS_CUT_NOW   /* if there is anything in it */
} ls_cut;
/* Capture thread, exactly_once, with every segment closed and no message waiting: ends the transaction if it is time. Gives the milliseconds
 * until this is to be called again. */
int ls_delivery_cut(ls_delivery *d, ls_cut cut);
/* Capture thread, exactly_once: the transaction that is open must not be committed, since of a row's messages some were sent and some were not. */
void ls_delivery_spoil(ls_delivery *d);
/* Capture thread: is the transaction undone? Then ls_delivery_check() gives LS_AGAIN, the delivery thread rests, and progress, checkpoints and producer are the capture thread's, until
 * ls_delivery_again(), which forgets all segments and begins anew from progress. */
bool ls_delivery_is_undone(ls_delivery *d);
int ls_delivery_again(ls_delivery *d, ls_error *err) LS_MUST_CHECK;
/* How many checkpoints were stored. */
uint64_t ls_delivery_commits(ls_delivery *d);
/* 0, or -1 with why the delivery thread stopped: a standby's turn that is over, too. */
int ls_delivery_check(ls_delivery *d, ls_error *err) LS_MUST_CHECK;
/* The restart place of the last acknowledged checkpoint; the server may forget what is below. */
ls_place ls_delivery_confirmed(ls_delivery *d);
/* The server that is captured from now on: a promoted standby goes on on another timeline. The next checkpoint says so. */
void ls_delivery_server(ls_delivery *d, const ls_source_identity *server);
/* The epoch of the last acknowledged checkpoint, of those that this thread has stored. */
uint64_t ls_delivery_epoch(ls_delivery *d);
/* Rows go where they did not go before: pairs as ls_sent_write() gives them, with commas between. It is in each checkpoint from now on. */
void ls_delivery_sent(ls_delivery *d, const ls_buf *pairs);
/* Waits up to drain_ms for all that was sent, stores the last checkpoint, ends the thread. -1 with the first failure;
 * what could not be drained is not lost: it comes again at the next start. */
int ls_delivery_finish(ls_delivery *d, int drain_ms, ls_error *err) LS_MUST_CHECK;
void ls_delivery_free(ls_delivery *d); /* after ls_delivery_finish() */

#endif
