#include "script/state.h"

#include "change/fault.h"

typedef struct choosing {
    ls_script *script;
    const char *stage;
} choosing;

/* What module.of(stage) gives, a loop and its message handler, or nil, as references. */
static void take_loop(lua_State *L, const char *module, const char *stage, int *loop, int *handler) {
    ls_lua_push_field(L, module, "of");
    lua_pushstring(L, stage);
    lua_call(L, 1, 2);
    if (lua_isnil(L, -2)) return;
    *handler = luaL_ref(L, LUA_REGISTRYINDEX);
    *loop = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int choose(lua_State *L) {
    const choosing *c = lua_touserdata(L, 1);
    ls_script *s = c->script;
    take_loop(L, "list_sync.hooks", c->stage, &s->loop, &s->handler);
    take_loop(L, "list_sync.cells", c->stage, &s->cells, &s->cells_handler);
    return 0;
}

static void drop_loop(lua_State *L, int *loop, int *handler) {
    luaL_unref(L, LUA_REGISTRYINDEX, *loop);
    luaL_unref(L, LUA_REGISTRYINDEX, *handler);
    *loop = *handler = LUA_NOREF;
}

int ls_script_use(ls_script *s, const char *stage, ls_error *err) {
    choosing c = {.script = s, .stage = stage};
    if (ls_guard_use(&s->guard, stage, err)) return -1;
    drop_loop(s->L, &s->loop, &s->handler);
    drop_loop(s->L, &s->cells, &s->cells_handler);
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

/* One pcall over the rows from number `first` on, at most `count`. The results are off the stack. */
static int enter_loop(ls_script *s, const ls_script_loop *loop, ls_batch *b, uint32_t first, uint32_t count, int *raised, ls_error *err) {
    lua_State *L = s->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, loop->handler); /* nothing here but lua_pcall can raise */
    loop->push(L, loop);
    lua_pushinteger(L, (lua_Integer)first);
    lua_pushinteger(L, (lua_Integer)count);
    ls_work_of(b)->blame = (struct ls_blame){0};
    ls_script_enter(s, b, loop->hook);
    int rc = *raised = lua_pcall(L, 2, 0, 1);
    s->failed_at = ls_guard_peek(&s->at.index);
    s->failed_clones = s->at.clones;
    ls_script_leave(s);
    if (rc == LUA_ERRMEM)
        ls_fail_memory(err, "running a hook");
    else if (rc == LUA_ERRERR)
        ls_fail(err, LS_FAIL, "a hook raised an error, and telling of it raised another one");
    else if (rc)
        ls_fail(err, LS_FAIL, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "a hook raised an error without a text");
    lua_settop(L, 0);
    return rc ? -1 : 0;
}

/* The row at which the loop stopped is set aside, if it was its error: the number of the next; -1. */
static int64_t set_aside(const ls_script *s, ls_batch *b, uint32_t count, ls_error *err) {
    ls_work *w = ls_work_of(b);
    uint32_t i = s->failed_at;
    if (!w->isolate || w->out_of_memory || i >= count) return -1;
    ls_fault_undo(w, s->failed_clones);
    const ls_fault f = {.hook = w->blame.hook ? w->blame.hook : "script", .text = err->text, .path = w->blame.path, .line = w->blame.line};
    return ls_fault_set(w, i, &f) ? ls_fail_memory(err, "running a hook") : (int64_t)i + 1;
}

int ls_script_loop_run(ls_script *s, const ls_script_loop *loop, ls_batch *b, ls_error *err) {
    uint32_t count = b->count;
    int64_t first = 0;
    int raised;
    lua_settop(s->L, 0);
    if (!lua_checkstack(s->L, 8)) return ls_fail_memory(err, "running a hook");
    while (enter_loop(s, loop, b, (uint32_t)first, count, &raised, err))
        if (raised == LUA_ERRMEM || (first = set_aside(s, b, count, err)) < 0) return -1;
    return ls_guard_memory(&s->guard, err);
}

static void push_loop(lua_State *L, const ls_script_loop *loop) { lua_rawgeti(L, LUA_REGISTRYINDEX, loop->at); }

static int run_loop(ls_script *s, int loop, int handler, ls_batch *b, ls_error *err) {
    const ls_script_loop l = {.push = push_loop, .at = loop, .handler = handler};
    return ls_script_loop_run(s, &l, b, err);
}

int ls_script_run(ls_script *s, ls_batch *b, ls_error *err) {
    if (s->loop == LUA_NOREF) return 0;
    if (run_loop(s, s->loop, s->handler, b, err)) return -1;
    return ls_work_order(ls_work_of(b)) ? ls_fail_memory(err, "running a hook") : 0;
}

int ls_script_lay_out(ls_script *s, ls_batch *b, ls_error *err) {
    return s->cells == LUA_NOREF ? 0 : run_loop(s, s->cells, s->cells_handler, b, err);
}
