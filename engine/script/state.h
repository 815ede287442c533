/* state.h - what an ls_script is made of. Private to script/. */
#ifndef LS_STATE_H
#define LS_STATE_H

#include "script/modules.h"
#include "script/script.h"

#include <lauxlib.h>

struct ls_script {
    lua_State *L;
    ls_hook_place at;  /* where the hooks are; Lua has its address */
    int loop, handler; /* registry references of the stage in use; LUA_NOREF: it has no hooks */
    int cells, cells_handler; /* of its layouts' functions, likewise */
    int writer, writer_handler; /* the functions of its writer, in a table; set by ls_script_use_writer() */
};

#endif
