/* worker.h - a stage's thread: what all stages of a run share, and what one worker shows to the main thread. */
#ifndef LS_WORKER_H
#define LS_WORKER_H

#include "base/log.h"
#include "capture/source.h"
#include "format/format.h"
#include "kafka/ends.h"
#include "kafka/standby.h"
#include "script/script.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    LS_RETRY_FIRST_MS = 200,   /* wait before the first new try after a transient fault; doubles */
    LS_RETRY_MAX_MS = 10000,   /* ... up to this */
    LS_SILENCE_MS = 60000,     /* --until-caught-up gives up when nobody answered for so long */
    LS_DRAIN_MS = 30000        /* how long a stopping connector waits for acknowledgements */
};

/* One run of the program. Filled before the workers start; from then on only what is behind the mutex changes. */
typedef struct ls_run {
    const char *script;
    const ls_script_env *env;
    const ls_log *log;
    ls_memory_broker *memory; /* NULL: no stage asks for the in-process broker */
    bool until_caught_up;
    ls_ends ends;             /* of the connectors that have ended */
    pthread_mutex_t mutex;
    pthread_cond_t wake;      /* signalled when one of these changes */
    atomic_bool stop;         /* everybody: finish what is begun and end */
    atomic_bool sources_done; /* --until-caught-up: the connectors have ended, consumers go to the topics' ends */
    int ended;                /* eventfd: readable when a worker has ended, until somebody reads it */
} ls_run;

typedef struct ls_worker {
    ls_run *run;
    const ls_stage *stage;
    int instance; /* consumers: from 1; connectors: 0 */
    char title[160]; /* the stage's name, with -k behind it for the k-th of several instances */
    ls_log log;
    pthread_t thread;
    bool started;

    atomic_bool done;
    ls_error err; /* the worker's end: code LS_OK, or why; read after done */

    atomic_uint_fast64_t rows;  /* rows delivered, or written */
    atomic_uint_fast64_t invalid; /* connector: rows with text that was not valid in its character set, mended or left out */
    atomic_uint_fast64_t dead, skipped; /* rows that went to the dead letters; rows in error that were left out */
    atomic_int_fast64_t lag;    /* connector: microseconds from commit to delivery of the newest row; consumer: messages; -1 unknown */
    atomic_size_t script;       /* bytes that the stage's Lua state holds */
    ls_standby *standby;        /* connector with standby = true; NULL: none. Of the capture thread, which closes it last of all */
    atomic_bool waits;          /* it is not its turn: for the status line */
    pthread_mutex_t place_lock; /* checkpoint below */
    char checkpoint[64];        /* for the status line; "" before the first */
} ls_worker;

int ls_run_init(ls_run *r, ls_error *err) LS_MUST_CHECK;
void ls_run_free(ls_run *r);
/* Asks all workers to end; any thread. */
void ls_run_stop(ls_run *r);
void ls_run_sources_done(ls_run *r);
static inline bool ls_run_stopping(ls_run *r) { return atomic_load_explicit(&r->stop, memory_order_relaxed); }
/* Waits up to ms milliseconds, less when the run stops. */
void ls_run_wait(ls_run *r, int ms);

/* Starts the thread of a connector or a consumer instance; ls_worker_join() waits for its end. */
int ls_worker_start(ls_worker *w, ls_run *r, const ls_stage *stage, int instance, ls_error *err) LS_MUST_CHECK;
void ls_worker_join(ls_worker *w);
void ls_worker_show_checkpoint(ls_worker *w, const char *text);

/* Did a stage's body fail only because the run was asked to stop while it waited? */
static inline bool ls_run_stopped(ls_run *r, const ls_error *err) { return err->code == LS_OK && ls_run_stopping(r); }

/* Trying again after transient faults: logs the first of a row of failures and the recovery, waits in between. */
typedef struct ls_retry {
    int wait_ms;
    int64_t since; /* ls_clock_ms() of the first failure; 0: none */
    bool said;     /* the fault has been spoken of already: no warning */
} ls_retry;
/* 0: waited, try again. -1: *err is final (not LS_AGAIN, the run stops, or --until-caught-up heard nothing for LS_SILENCE_MS). */
int ls_retry_wait(ls_retry *t, ls_worker *w, ls_error *err) LS_MUST_CHECK;
void ls_retry_ok(ls_retry *t, ls_worker *w, const char *what);

/* The stages' bodies: run until the end; 0, or -1 with *err. */
int ls_connect_run(ls_worker *w, ls_error *err) LS_MUST_CHECK;
int ls_consume_run(ls_worker *w, ls_error *err) LS_MUST_CHECK;

/* The stage's lua_State with its hooks bound; *out stays NULL for a stage without hooks. */
int ls_worker_script(ls_worker *w, ls_script **out, ls_error *err) LS_MUST_CHECK;

/* What a stage's options say, in capture's and kafka's own structs. Borrowed from the stage. */
/* schemas: as ls_connector_rules() has filled it. */
ls_source_conf ls_connector_source(const ls_stage *stage, ls_schemas *schemas, const atomic_bool *stop);
/* The tables with options of their own, for the registry that the stage's schemas are of. *rules: to be freed when no schema of it lives. */
int ls_connector_rules(ls_schemas *out, ls_table_rule **rules, const ls_stage *stage, ls_error *err) LS_MUST_CHECK;
/* *out NULL: the stage has no `columns`. log: borrowed. */
int ls_connector_columns(ls_columns **out, const ls_stage *stage, ls_schemas *schemas, const ls_log *log, ls_error *err) LS_MUST_CHECK;
ls_kafka_conf ls_stage_kafka(const ls_stage *stage, ls_memory_broker *memory);

#endif
