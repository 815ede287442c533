/* probe.h - looking at a stage without moving anything: for `check` and `print`. */
#ifndef LS_PROBE_H
#define LS_PROBE_H

#include "base/log.h"
#include "script/script.h"

/* Everything that a connector's start looks at on the database's side. A publication that the connector needs is made. */
int ls_probe_connector(const ls_stage *stage, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Writes the stage's messages, after its hooks, to stdout, a line each: a connector's from now (through a temporary
 * slot), a consumer's from the topics' beginning (outside its group). rows 0: until SIGINT, SIGTERM or a closed pipe. */
int ls_probe_print(const ls_stage *stage, const char *script, const ls_script_env *env, uint64_t rows, const ls_log *log,
                   ls_error *err) LS_MUST_CHECK;

#endif
