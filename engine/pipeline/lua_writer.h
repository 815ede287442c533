/* lua_writer.h - a writer whose functions are the script's. */
#ifndef LS_LUA_WRITER_H
#define LS_LUA_WRITER_H

#include "script/script.h"
#include "write/writer.h"

/* script: borrowed; the stage's writer is picked and its `open` called. Errors as of ls_script_writer_open(). */
int ls_lua_writer_open(ls_writer **out, ls_script *script, const char *stage, const ls_log *log, ls_error *err) LS_MUST_CHECK;

#endif
