/* position.h - where a stage stands, for `list_sync position`: a connector's checkpoint and slot, a consumer's group. One thread. */
#ifndef LS_PIPELINE_POSITION_H
#define LS_PIPELINE_POSITION_H

#include "base/buf.h"
#include "script/script.h"

/* Appends what is stored, and where the server stands if it answers: lines for people, or one JSON object. Changes and fences nothing.
 * script: its path, for messages. LS_FAIL: the brokers do not answer. */
int ls_position_show(const ls_stage *stage, const char *script, bool json, const ls_log *log, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Makes `text`, a position in the database's own words, the connector's; a program that runs under its name is fenced. *out: a line
 * that says so. LS_USAGE: it is no position, or a consumer's; LS_LOST: the server cannot serve from there, and nothing has changed. */
int ls_position_set(const ls_stage *stage, const char *script, const char *text, const ls_log *log, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* Forgets the checkpoint, which fences a program that runs under the name, and with `slot` the replication slot; of a consumer its group. */
int ls_position_drop(const ls_stage *stage, const char *script, bool slot, const ls_log *log, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
