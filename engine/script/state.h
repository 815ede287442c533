/* state.h - what an ls_script is made of. Private to script/. */
#ifndef LS_STATE_H
#define LS_STATE_H

#include "script/guard.h"
#include "script/modules.h"
#include "script/script.h"

#include <lauxlib.h>

struct ls_script {
    lua_State *L;
    ls_hook_place at;  /* where the hooks are; Lua has its address */
    ls_guard guard;
    int loop, handler; /* registry references of the stage in use; LUA_NOREF: it has no hooks */
    int cells, cells_handler; /* of its layouts' functions, likewise */
    int writer, writer_handler; /* the functions of its writer, in a table; set by ls_script_use_writer() */
    uint32_t failed_at, failed_clones; /* where the last loop over rows stopped: as ls_hook_place's index and clones then */
};

/* A loop over a batch's rows, function(first, count), and its message handler. */
typedef struct ls_script_loop {
    void (*push)(lua_State *L, const struct ls_script_loop *l); /* puts the function on the stack */
    int at, handler; /* references; at: of what push takes it from */
    uint32_t hook;   /* enum ls_hook; 0: Lua says which it is */
} ls_script_loop;

/* Runs it, with ls_work.isolate behind each row that is in error, too: such rows are set aside (change/fault.h). */
int ls_script_loop_run(ls_script *s, const ls_script_loop *loop, ls_batch *b, ls_error *err) LS_MUST_CHECK;

/* Around a lua_pcall() of the stage's functions. b: the rows at hand, or NULL; hook: 0 when Lua says which it is. */
void ls_script_enter(ls_script *s, ls_batch *b, uint32_t hook);
void ls_script_leave(ls_script *s);

#endif
