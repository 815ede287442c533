/* log.h - lines that a person or a log collector reads, on stderr.
 *
 *   text   12:00:05 shop: message            (info; warnings and errors say so: "12:00:05 shop: warning: ...")
 *   json   {"ts":"2026-01-02T03:04:05.678Z","level":"info","stage":"shop","message":"..."}
 *
 * A line is one write(2), so that lines of several threads do not mix. An ls_log is immutable after it is made: threads
 * share it. Secrets are never passed to it. */
#ifndef LS_LOG_H
#define LS_LOG_H

#include "base/error.h"

#include <stdbool.h>

typedef enum ls_level { LS_DEBUG, LS_INFO, LS_WARN, LS_ERROR } ls_level;

typedef struct ls_log {
    int fd;
    bool json;
    bool status_line; /* a status line is being rewritten on this terminal: clear it before a line */
    ls_level least;   /* lines below it are not written */
    const char *stage; /* "" for the program itself */
} ls_log;

/* The same log for another stage's lines; stage must outlive it. */
ls_log ls_log_for(const ls_log *log, const char *stage);
void ls_log_line(const ls_log *log, ls_level level, const char *fmt, ...) LS_PRINTF(3, 4);

#endif
