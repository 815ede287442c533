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
};

/* Around a lua_pcall() of the stage's functions. b: the rows at hand, or NULL; hook: 0 when Lua says which it is. */
void ls_script_enter(ls_script *s, ls_batch *b, uint32_t hook);
void ls_script_leave(ls_script *s);

#endif
