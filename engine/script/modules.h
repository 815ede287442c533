/* modules.h - the Lua side of list_sync, compiled in, and the lua_State that it runs in. Private to script/. */
#ifndef LS_MODULES_H
#define LS_MODULES_H

#include "base/error.h"

#include <lua.h>
#include <stddef.h>

typedef struct ls_lua_module {
    const char *name; /* as require() takes it */
    const char *file; /* below lua/; "@" and this is its chunk name */
    const unsigned char *code;
    size_t size;
} ls_lua_module;

/* Generated from lua/ by cmake/lua.cmake. */
extern const ls_lua_module ls_lua_modules[];
extern const size_t ls_lua_module_count;

/* Standard libraries, cjson and list_sync's modules; the caller closes it. NULL when memory is out. */
lua_State *ls_lua_new(void);

/* Runs body(L), which finds arg as its light userdata 1, so that nothing it calls can end the program. What it raises
 * becomes an error of that code. The stack is empty afterwards. */
int ls_lua_protected(lua_State *L, lua_CFunction body, void *arg, ls_code code, ls_error *err) LS_MUST_CHECK;
/* Pushes require(module)[field]. To be called in a protected body. */
void ls_lua_push_field(lua_State *L, const char *module, const char *field);

#endif
