/* trial.h - a stage's own way from a row to what is sent or written of it, without a server: for `check` and `test`. One thread. */
#ifndef LS_TRIAL_H
#define LS_TRIAL_H

#include "base/log.h"
#include "change/batch.h"
#include "script/cases.h"

typedef struct ls_trial ls_trial;

/* Evaluates the script anew, so that what its hooks remember begins with the trial. All is borrowed for its life. */
int ls_trial_open(ls_trial **out, const ls_stage *stage, const char *script, const ls_script_env *env, const ls_log *log, ls_error *err) LS_MUST_CHECK;
void ls_trial_close(ls_trial *t);
ls_schemas *ls_trial_schemas(ls_trial *t); /* of the rows that are given */
/* The empty batch that rows as a source gives them are put into. What the last run gave is gone. */
ls_work *ls_trial_begin(ls_trial *t);
/* A consumer gets to know the table by a message of it, as it does from a topic. */
int ls_trial_teach(ls_trial *t, const ls_schema *s, ls_error *err) LS_MUST_CHECK;
/* From now on a connector's messages that are no text are those of the format "list_sync". */
void ls_trial_as_text(ls_trial *t);
/* Runs the rows through the stage: a connector's `columns` and hooks; of a consumer the messages that a connector makes of them are
 * read, for its hooks. *out: the rows after them, until the next ls_trial_begin(). */
int ls_trial_run(ls_trial *t, ls_work **out, ls_error *err) LS_MUST_CHECK;
/* The same of a consumer, on a message that a connector's trial gave. */
int ls_trial_read(ls_trial *t, const ls_case_message *message, ls_error *err) LS_MUST_CHECK;
/* What a connector sends for the row i of *out, in its memory. *format: the message's; NULL: a function's. */
int ls_trial_message(ls_trial *t, uint32_t i, ls_case_message *sent, const char **format, ls_error *err) LS_MUST_CHECK;
/* Appends where the stage's hooks are, as ls_script_places(); nothing: it has none. */
int ls_trial_places(ls_trial *t, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
