#include "script/state.h"

#include <stdlib.h>

typedef struct opening {
    ls_script *script;
    const char *path;
    const ls_script_env *env;
} opening;

static int evaluate(lua_State *L) {
    const opening *o = lua_touserdata(L, 1);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_pushlightuserdata(L, &o->script->at);
    lua_setfield(L, -2, "list_sync.place_of_hooks");
    ls_lua_push_field(L, "list_sync.script", "evaluate");
    lua_pushstring(L, o->path);
    lua_createtable(L, 0, (int)o->env->nparams);
    for (size_t i = 0; i < o->env->nparams; i++) {
        lua_pushstring(L, o->env->params[i].value);
        lua_setfield(L, -2, o->env->params[i].name);
    }
    lua_pushboolean(L, o->env->offline);
    lua_call(L, 3, 0);
    return 0;
}

int ls_script_open(ls_script **out, const char *path, const ls_script_env *env, ls_error *err) {
    ls_script *s = calloc(1, sizeof *s);
    opening o = {.script = s, .path = path, .env = env};
    *out = NULL;
    if (!s || !(s->L = ls_lua_new())) {
        free(s);
        return ls_fail_memory(err, "starting Lua");
    }
    s->loop = s->handler = s->cells = s->cells_handler = s->writer = s->writer_handler = LUA_NOREF;
    s->at.index = UINT32_MAX;
    ls_guard_init(&s->guard, s->L, &s->at, env->log);
    if (ls_lua_protected(s->L, evaluate, &o, LS_USAGE, err)) {
        ls_script_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void ls_script_close(ls_script *s) {
    if (!s) return;
    ls_guard_free(&s->guard);
    lua_close(s->L);
    free(s);
}

size_t ls_script_memory(const ls_script *s) { return s->guard.held; }

typedef struct asking {
    const char *name; /* NULL: all */
    ls_buf *out;
} asking;

static int tell_options(lua_State *L) {
    const asking *a = lua_touserdata(L, 1);
    size_t n;
    ls_lua_push_field(L, "list_sync.reference", "text");
    lua_pushstring(L, a->name); /* NULL: nil */
    lua_call(L, 1, 1);
    const char *text = lua_tolstring(L, -1, &n);
    ls_buf_add(a->out, text, n);
    return 0;
}

int ls_script_options(const char *name, ls_buf *out, ls_error *err) {
    asking a = {.name = name, .out = out};
    lua_State *L = ls_lua_new();
    if (!L) return ls_fail_memory(err, "starting Lua");
    int rc = ls_lua_protected(L, tell_options, &a, LS_USAGE, err);
    lua_close(L);
    if (rc == 0 && out->failed) rc = ls_fail_memory(err, "the options' text");
    return rc;
}
