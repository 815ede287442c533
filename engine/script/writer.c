/* writer.c - a consumer's writer that is written in Lua: ls.writer and callback. */
#include "script/state.h"

#include <string.h>

typedef struct calling {
    ls_script *script;
    const char *name; /* what is called */
    uint32_t hook;    /* enum ls_hook: what of the script runs in it */
    int (*push)(lua_State *L, const struct calling *c); /* its arguments; NULL: none */
    int nresults;
    const ls_script_position *at;
    size_t n;
} calling;

static int choose(lua_State *L) {
    const calling *c = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.hooks", "writer_of");
    lua_pushstring(L, c->name);
    lua_call(L, 1, 2);
    c->script->writer_handler = luaL_ref(L, LUA_REGISTRYINDEX);
    c->script->writer = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int ls_script_use_writer(ls_script *s, const char *stage, ls_error *err) {
    calling c = {.script = s, .name = stage};
    if (ls_guard_use(&s->guard, stage, err)) return -1;
    luaL_unref(s->L, LUA_REGISTRYINDEX, s->writer); /* with what the last session's functions hold */
    luaL_unref(s->L, LUA_REGISTRYINDEX, s->writer_handler);
    s->writer = s->writer_handler = LUA_NOREF;
    return ls_lua_protected(s->L, choose, &c, LS_USAGE, err);
}

/* Calls a function of the writer, under the writer's message handler. The results are left on the stack. */
static int call(ls_script *s, const calling *c, ls_error *err) {
    lua_State *L = s->L;
    lua_settop(L, 0);
    if (!lua_checkstack(L, 8)) return ls_fail_memory(err, "calling a writer");
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->writer_handler);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->writer);
    lua_getfield(L, -1, c->name);
    lua_remove(L, -2);
    int nargs = c->push ? c->push(L, c) : 0;
    s->at.mistake = 0;
    ls_script_enter(s, NULL, c->hook);
    int rc = lua_pcall(L, nargs, c->nresults, 1);
    ls_script_leave(s);
    if (rc == LUA_ERRMEM)
        ls_fail_memory(err, "running a writer");
    else if (rc)
        ls_fail(err, LS_FAIL, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "a writer raised an error without a text");
    if (rc) lua_settop(L, 0);
    return rc ? -1 : 0;
}

/* Of what works with the store: a script's own mistake stays, and anything else may be gone when it is tried again. */
static int call_store(ls_script *s, const calling *c, ls_error *err) {
    if (call(s, c, err) == 0) return 0;
    if (err->code == LS_FAIL && !err->memory && !s->at.mistake) err->code = LS_AGAIN;
    return -1;
}

int ls_script_writer_open(ls_script *s, ls_error *err) {
    const calling c = {.name = "open", .hook = LS_HOOK_OPEN};
    int rc = call_store(s, &c, err);
    lua_settop(s->L, 0);
    return rc;
}

static int push_place(lua_State *L, const calling *c) {
    lua_pushstring(L, c->at->topic);
    lua_pushinteger(L, c->at->partition);
    return 2;
}

int ls_script_writer_begin(ls_script *s, ls_script_position *at, ls_error *err) {
    const calling c = {.name = "begin", .hook = LS_HOOK_OPEN, .push = push_place, .nresults = 1, .at = at};
    if (call_store(s, &c, err)) return -1;
    int found = lua_isnumber(s->L, -1);
    if (found) at->offset = (int64_t)lua_tonumber(s->L, -1);
    lua_settop(s->L, 0);
    return found;
}

static void push_write(lua_State *L, const ls_script_loop *loop) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, loop->at);
    lua_getfield(L, -1, "write");
    lua_remove(L, -2);
}

int ls_script_write(ls_script *s, ls_batch *b, ls_error *err) {
    const ls_script_loop loop = {.push = push_write, .at = s->writer, .handler = s->writer_handler, .hook = LS_HOOK_WRITE};
    return ls_script_loop_run(s, &loop, b, err);
}

static int push_positions(lua_State *L, const calling *c) {
    lua_createtable(L, (int)c->n, 0);
    for (size_t i = 0; i < c->n; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, c->at[i].topic);
        lua_setfield(L, -2, "topic");
        lua_pushinteger(L, c->at[i].partition);
        lua_setfield(L, -2, "partition");
        lua_pushnumber(L, (lua_Number)c->at[i].offset); /* below 2^53 for as long as a topic can live */
        lua_setfield(L, -2, "offset");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

int ls_script_writer_flush(ls_script *s, const ls_script_position *at, size_t n, ls_error *err) {
    const calling c = {.name = "flush", .hook = LS_HOOK_FLUSH, .push = push_positions, .at = at, .n = n};
    int rc = call_store(s, &c, err);
    lua_settop(s->L, 0);
    return rc;
}

int ls_script_writer_end(ls_script *s, bool discard, ls_error *err) {
    const calling c = {.name = discard ? "discard" : "close", .hook = discard ? LS_HOOK_DISCARD : LS_HOOK_CLOSE};
    int rc = call(s, &c, err);
    lua_settop(s->L, 0);
    return rc;
}
