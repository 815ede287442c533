/* status.h - the line that says how a run goes: rewritten in place on a terminal, else one line every 30 s. */
#ifndef LS_STATUS_H
#define LS_STATUS_H

#include "pipeline/worker.h"

typedef struct ls_status {
    const ls_log *log;
    ls_worker *workers;
    size_t nworkers;
    uint64_t *last_rows; /* a worker each */
    int64_t shown_at;    /* ls_clock_ms() */
} ls_status;

int ls_status_init(ls_status *s, const ls_log *log, ls_worker *workers, size_t nworkers, ls_error *err) LS_MUST_CHECK;
void ls_status_tick(ls_status *s); /* main thread, several times a second */
void ls_status_end(ls_status *s);

#endif
