/* try.h - `check`: a stage's `columns`, hooks and key on made-up rows of its tables. One thread. */
#ifndef LS_TRY_H
#define LS_TRY_H

#include "base/log.h"
#include "change/madeup.h"
#include "script/script.h"

typedef struct ls_try ls_try;

/* All is borrowed for its life. */
int ls_try_open(ls_try **out, const ls_stage *stage, const char *script, const ls_script_env *env, const ls_log *log, ls_error *err) LS_MUST_CHECK;
void ls_try_close(ls_try *t);
ls_schemas *ls_try_schemas(ls_try *t); /* in which the tables' schemas are made */
/* From now on what the connector `from` sends of made-up rows to a topic of the consumer `to` is tried on that as well; it must live as long. */
int ls_try_feed(ls_try *from, ls_try *to, ls_error *err) LS_MUST_CHECK;
/* Tries the made-up rows of one table. What they meet is logged: -1 is a failure of the trying itself. */
int ls_try_table(ls_try *t, const ls_schema *s, const ls_madeup_column *cols, ls_error *err) LS_MUST_CHECK;
/* The same of the tables that the file of cases declares; not of a consumer that was fed. A file that is not there declares none. */
int ls_try_declared(ls_try *t, const char *cases, ls_error *err) LS_MUST_CHECK;
/* What came of it. LS_USAGE: some rows would stop the stage, as was logged. Hooks for which there was no table are spoken of; mend: how
 * there would be one. */
int ls_try_end(ls_try *t, const char *mend, ls_error *err) LS_MUST_CHECK;

#endif
