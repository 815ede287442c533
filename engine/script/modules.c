#include "script/modules.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

int luaopen_cjson(lua_State *L); /* lua-cjson, linked in */

#ifdef LS_LUA_TREE
/* A development build takes the module from the source tree, if it stands there. */
static bool load_from_tree(lua_State *L, const ls_lua_module *m, const char *chunk) {
    const char *path = lua_pushfstring(L, LS_LUA_TREE "/%s", m->file);
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (size_t n = 1; n;) {
        n = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&text, n);
    }
    fclose(f);
    luaL_pushresult(&text);
    size_t size;
    const char *code = lua_tolstring(L, -1, &size);
    if (luaL_loadbuffer(L, code, size, chunk)) lua_error(L);
    return true;
}
#else
static bool load_from_tree(lua_State *L, const ls_lua_module *m, const char *chunk) {
    (void)L, (void)m, (void)chunk;
    return false;
}
#endif

static int load_module(lua_State *L) {
    const ls_lua_module *m = lua_touserdata(L, lua_upvalueindex(1));
    const char *chunk = lua_pushfstring(L, "@%s", m->file);
    if (!load_from_tree(L, m, chunk) && luaL_loadbuffer(L, (const char *)m->code, m->size, chunk)) return lua_error(L);
    lua_pushstring(L, m->name);
    lua_call(L, 1, 1);
    return 1;
}

static int set_up(lua_State *L) {
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_cjson);
    lua_setfield(L, -2, "cjson");
    for (size_t i = 0; i < ls_lua_module_count; i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&ls_lua_modules[i]);
        lua_pushcclosure(L, load_module, 1);
        lua_setfield(L, -2, ls_lua_modules[i].name);
    }
    return 0;
}

lua_State *ls_lua_new(void) {
    lua_State *L = luaL_newstate();
    if (!L || lua_cpcall(L, set_up, NULL) == 0) return L;
    lua_close(L);
    return NULL;
}

typedef struct protected_call {
    lua_CFunction body;
    void *arg;
} protected_call;

/* The text of an error that is no text itself (lua/list_sync/place.lua raises such). */
static int to_text(lua_State *L) {
    if (!luaL_callmeta(L, 1, "__tostring")) lua_settop(L, 1);
    return 1;
}

static int call_body(lua_State *L) {
    const protected_call *c = lua_touserdata(L, 1);
    lua_pushcfunction(L, to_text);
    lua_pushcfunction(L, c->body);
    lua_pushlightuserdata(L, c->arg);
    return lua_pcall(L, 1, 0, -3) ? lua_error(L) : 0;
}

int ls_lua_protected(lua_State *L, lua_CFunction body, void *arg, ls_code code, ls_error *err) {
    protected_call c = {.body = body, .arg = arg};
    int rc = lua_cpcall(L, call_body, &c);
    const char *text = rc && lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
    if (rc == LUA_ERRMEM)
        ls_fail_memory(err, "running Lua");
    else if (rc)
        ls_fail(err, code, "%s", text ? text : "an error without a text was raised");
    lua_settop(L, 0);
    return rc ? -1 : 0;
}

void ls_lua_push_field(lua_State *L, const char *module, const char *field) {
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, field);
    lua_remove(L, -2);
}
