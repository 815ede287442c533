/* probe.h - looking at a stage without moving anything: for `check` and `print`. */
#ifndef LS_PROBE_H
#define LS_PROBE_H

#include "base/log.h"
#include "pipeline/try.h"
#include "script/script.h"

/* Everything that a stage's start looks at: a connector's database (a publication that it needs is made), the brokers, a
 * consumer's topics (warned of when missing) and the folder of its files. A connector's tables go to `tried`. */
int ls_probe_stage(const ls_stage *stage, ls_try *tried, const ls_log *log, ls_error *err) LS_MUST_CHECK;
/* Writes the stage's messages, after its hooks, to stdout, a line each: a connector's from now (through a temporary
 * slot), a consumer's from the topics' beginning (outside its group). rows 0: until SIGINT, SIGTERM or a closed pipe. cases: a file
 * to be made, which gets each row and what the hooks made of it as a case; NULL: none. */
int ls_probe_print(const ls_stage *stage, const char *script, const ls_script_env *env, uint64_t rows, const char *cases, const ls_log *log,
                   ls_error *err) LS_MUST_CHECK;

#endif
