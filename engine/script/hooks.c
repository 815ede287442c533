#include "script/state.h"

typedef struct choosing {
    ls_script *script;
    const char *stage;
} choosing;

static int choose(lua_State *L) {
    const choosing *c = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.hooks", "of");
    lua_pushstring(L, c->stage);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2)) return 0;
    c->script->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    c->script->loop = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int ls_script_use(ls_script *s, const char *stage, ls_error *err) {
    choosing c = {.script = s, .stage = stage};
    if (ls_guard_use(&s->guard, stage, err)) return -1;
    luaL_unref(s->L, LUA_REGISTRYINDEX, s->loop);
    luaL_unref(s->L, LUA_REGISTRYINDEX, s->handler);
    s->loop = s->handler = LUA_NOREF;
    return ls_lua_protected(s->L, choose, &c, LS_USAGE, err);
}

typedef struct asking {
    const char *stage;
    ls_buf *out;
} asking;

static int tell_places(lua_State *L) {
    const asking *a = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.hooks", "places");
    lua_pushstring(L, a->stage);
    lua_call(L, 1, 1);
    ls_buf_str(a->out, lua_tostring(L, -1));
    return 0;
}

int ls_script_places(ls_script *s, const char *stage, ls_buf *out, ls_error *err) {
    asking a = {.stage = stage, .out = out};
    if (ls_lua_protected(s->L, tell_places, &a, LS_FAIL, err)) return -1;
    return out->failed ? ls_fail_memory(err, "telling of hooks") : 0;
}

void ls_script_enter(ls_script *s, ls_batch *b, uint32_t hook) {
    s->at.batch = b;
    s->at.run++;
    ls_guard_poke(&s->at.hook, hook);
    ls_guard_poke(&s->at.rule, 0);
    ls_guard_enter(&s->guard, b);
}

void ls_script_leave(ls_script *s) {
    ls_guard_leave(&s->guard);
    s->at.batch = NULL;
    ls_guard_poke(&s->at.index, UINT32_MAX); /* rows that a hook kept are dead from here on */
    s->at.clones = UINT32_MAX;
}

int ls_script_run(ls_script *s, ls_batch *b, ls_error *err) {
    lua_State *L = s->L;
    if (s->loop == LUA_NOREF) return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->handler); /* nothing here but lua_pcall can raise */
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->loop);
    ls_script_enter(s, b, 0);
    int rc = lua_pcall(L, 0, 0, -2);
    ls_script_leave(s);
    if (rc == LUA_ERRMEM)
        ls_fail_memory(err, "running a hook");
    else if (rc == LUA_ERRERR)
        ls_fail(err, LS_FAIL, "a hook raised an error, and telling of it raised another one");
    else if (rc)
        ls_fail(err, LS_FAIL, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "a hook raised an error without a text");
    lua_settop(L, 0);
    if (rc || ls_guard_memory(&s->guard, err)) return -1;
    return ls_work_order(ls_work_of(b)) ? ls_fail_memory(err, "running a hook") : 0;
}
