/* script.h - one lua_State that runs one script. A stage thread has its own; nothing is shared between them.
 * All Lua stands behind this header. */
#ifndef LS_SCRIPT_H
#define LS_SCRIPT_H

#include "base/buf.h"
#include "base/log.h"
#include "change/batch.h"
#include "script/config.h"

typedef struct ls_script ls_script;

/* What the script may ask for. Borrowed for the script's life. */
typedef struct ls_script_env {
    const ls_conf_pair *params; /* --set NAME=VALUE */
    size_t nparams;
    bool offline; /* ls.env and ls.file give "" instead of raising: check --offline */
    const ls_log *log; /* where a hook that runs longer than hook_timeout is named before it ends the program; NULL: hooks are not timed */
} ls_script_env;

/* Evaluates the script. Errors are LS_USAGE with script:line (syntax, unknown option, wrong type, an --set that no
 * ls.param asked for, a missing ls.env ...). A script that cannot be read: LS_USAGE. */
int ls_script_open(ls_script **out, const char *path, const ls_script_env *env, ls_error *err) LS_MUST_CHECK;
/* The stages that it declared. */
int ls_script_config(ls_script *s, ls_config *out, ls_error *err) LS_MUST_CHECK;
/* Picks the stage whose hooks ls_script_run() runs. */
int ls_script_use(ls_script *s, const char *stage, ls_error *err) LS_MUST_CHECK;
/* filter, then map, over every change but T, X and R: dropped rows get LS_DROPPED, written ones are changed in place. One lua_pcall.
 * A hook that raises: LS_FAIL with script:line, hook, table, key and position of the row; the batch must not be sent. With ls_work.isolate such
 * a row is set aside instead, as it was before its hooks (change/fault.h), and the batch goes on behind it. A failure is, too, a script that
 * keeps more than script_memory. A call that runs for longer than hook_timeout ends the program (script/guard.h). */
int ls_script_run(ls_script *s, ls_batch *b, ls_error *err) LS_MUST_CHECK;
/* Appends where the stage's hooks are: "filter is at shop.lua:7, map is at shop.lua:12"; nothing without. */
int ls_script_places(ls_script *s, const char *stage, ls_buf *out, ls_error *err) LS_MUST_CHECK;
/* The functions of the stage's CSV layouts, if it has some, over every change but T: their cells are then ls_layout_cells()'. Errors as above,
 * with the column. */
int ls_script_lay_out(ls_script *s, ls_batch *b, ls_error *err) LS_MUST_CHECK;

/* A consumer's writer in Lua. Errors: LS_FAIL with script:line and what was called; of a row also table, key and position. Of open, begin and
 * flush LS_AGAIN, since what they work with may be away, unless Lua itself found the error ("attempt to call ...") or `open` gave a wrong answer. */
typedef struct ls_script_position { /* of a partition: the offset of the next message */
    const char *topic;
    int32_t partition;
    int64_t offset;
} ls_script_position;
/* Picks the stage whose writer the others call. */
int ls_script_use_writer(ls_script *s, const char *stage, ls_error *err) LS_MUST_CHECK;
int ls_script_writer_open(ls_script *s, ls_error *err) LS_MUST_CHECK;
/* What `open` said of the partition. 1: at->offset is set; 0: nothing. */
int ls_script_writer_begin(ls_script *s, ls_script_position *at, ls_error *err) LS_MUST_CHECK;
/* `write` for each change of the batch that is not LS_DROPPED. With ls_work.isolate as ls_script_run(). */
int ls_script_write(ls_script *s, ls_batch *b, ls_error *err) LS_MUST_CHECK;
/* LS_AGAIN: what was written since the last flush is to come again. */
int ls_script_writer_flush(ls_script *s, const ls_script_position *at, size_t n, ls_error *err) LS_MUST_CHECK;
/* `discard`, or `close`. */
int ls_script_writer_end(ls_script *s, bool discard, ls_error *err) LS_MUST_CHECK;
void ls_script_close(ls_script *s);
/* Bytes that the Lua state held after the last batch, garbage included. */
size_t ls_script_memory(const ls_script *s);

/* The option reference as text, for `list_sync options [NAME]`, appended to *out; name NULL: all. LS_USAGE: no such option. */
int ls_script_options(const char *name, ls_buf *out, ls_error *err) LS_MUST_CHECK;

#endif
