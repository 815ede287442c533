/* delivery_parts.h - what delivery.c and exact.c have of each other. Private to them. */
#ifndef LS_DELIVERY_PARTS_H
#define LS_DELIVERY_PARTS_H

#include "pipeline/delivery.h"
#include "pipeline/refused.h"

/* exactly_once: who may do what with the transaction. */
typedef enum ls_gate {
    LS_GATE_OPEN,  /* the capture thread sends into it */
    LS_GATE_SHUT,  /* the delivery thread ends it; what is encoded meanwhile waits */
    LS_GATE_UNDONE /* it is undone, and the delivery thread does nothing until the capture thread has gone back to the checkpoint */
} ls_gate;

struct ls_delivery {
    ls_worker *worker;
    ls_producer *producer;
    ls_checkpoints *checkpoints;
    ls_inflight inflight;
    ls_refused *refused; /* NULL: a message that Kafka refuses for its size is an error like any other */
    pthread_t thread;
    bool running;
    bool exact; /* delivery = "exactly_once" */

    /* the delivery thread's own */
    ls_progress *progress;
    bool rows_moved, place_moved; /* since the last stored checkpoint */
    int64_t troubled_at;          /* ls_clock_ms() of the first fault of Kafka's since it last worked; 0: it works. Said once a change of state */
    int64_t stored_at;            /* ls_clock_ms() */
    int64_t heard_at;             /* the last report, or nothing was outstanding: ls_clock_ms() */
    ls_buf json;
    uint64_t rows;                /* exact: of the transaction that is being ended */
    int64_t newest;               /* exact: commit time of its newest row, microseconds; 0: none */

    atomic_int_fast64_t finish_by; /* ls_clock_ms() until which to drain; 0: go on */
    atomic_bool failed;
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t epoch; /* of the last stored checkpoint */

    /* exact: the transaction. Sending holds `sending`, so that nothing is sent while the gate is shut. */
    pthread_mutex_t sending;
    atomic_int gate;        /* ls_gate; shut under `sending` */
    atomic_bool spoiled;    /* a message of it has failed */
    uint64_t cut_to;        /* the segments before this number are of the transaction that is being ended */
    int64_t began_at;       /* ls_clock_ms() of its first segment; 0: none yet. The capture thread's while the gate is open, as the next two */
    size_t bytes;           /* sent in it */
    bool whole;             /* under `sending`: nothing was sent since the last ls_delivery_cut() */
    uint64_t whole_to;      /* ... which found the segments before this number closed and sent */

    pthread_mutex_t mutex; /* below */
    pthread_cond_t room;   /* something was acknowledged, the gate has changed, or it failed */
    ls_place confirmed;
    ls_source_identity server;
    ls_buf sent; /* not yet in progress */
    ls_error err;
};

/* delivery.c */
void ls_delivery_fail(ls_delivery *d, const ls_error *err);
void ls_delivery_news(ls_delivery *d); /* wakes the capture thread */
/* The checkpoint's JSON, of progress and what the capture thread has told, in d->json. */
int ls_delivery_compose(ls_delivery *d, ls_error *err) LS_MUST_CHECK;
void ls_delivery_stored(ls_delivery *d); /* it is stored: what follows from that */
/* The segment's rows are delivered once what is stored next is. */
void ls_delivery_pass(ls_delivery *d, const ls_segment *s);
/* Speaks of a Kafka that has not been heard of for long, or has no broker; with --until-caught-up fails when it is too long. */
void ls_delivery_look_for_silence(ls_delivery *d, bool heard);
/* A transient fault of Kafka's: the first of a row is a warning. Something was stored: it is over, if rows are acknowledged, too. */
void ls_delivery_trouble(ls_delivery *d, const char *what);
void ls_delivery_works(ls_delivery *d);
void ls_delivery_leave_undelivered(ls_delivery *d);
/* Fails when the turn of a standby is over: what waits in the client is the next program's to send. Delivery thread, while the producer is its. */
void ls_delivery_look_at_turn(ls_delivery *d);

/* exact.c: the delivery thread's body. */
void *ls_delivery_exact(void *delivery);
/* Capture thread: nothing more comes. Waits for the transaction that is being ended, and has what came behind it ended. */
void ls_delivery_cut_last(ls_delivery *d, int64_t until);

#endif
