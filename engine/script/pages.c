#include "script/pages.h"

#include "script/modules.h"


typedef struct asking {
    const char *format;
    const ls_usage *usage;
    ls_buf *out;
} asking;

static void set_text(lua_State *L, const char *key, const char *text) {
    lua_pushstring(L, text); /* NULL: nil */
    lua_setfield(L, -2, key);
}

static void push_options(lua_State *L, const ls_usage *u) {
    lua_createtable(L, (int)u->noptions, 0);
    for (size_t i = 0; i < u->noptions; i++) {
        const ls_usage_option *o = &u->options[i];
        lua_createtable(L, 0, 6);
        set_text(L, "name", o->name);
        lua_pushlstring(L, &o->letter, o->letter ? 1 : 0);
        lua_setfield(L, -2, "letter");
        set_text(L, "value", o->value);
        set_text(L, "choices", o->choices);
        set_text(L, "help", o->help);
        lua_pushboolean(L, o->of == 0);
        lua_setfield(L, -2, "everywhere");
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Each with the numbers of the options that it takes. */
static void push_commands(lua_State *L, const ls_usage *u) {
    lua_createtable(L, (int)u->ncommands, 0);
    for (size_t i = 0; i < u->ncommands; i++) {
        const ls_usage_command *c = &u->commands[i];
        int n = 0;
        lua_createtable(L, 0, 5);
        set_text(L, "name", c->name);
        set_text(L, "usage", c->usage);
        set_text(L, "help", c->help);
        set_text(L, "words", c->words);
        lua_pushboolean(L, c->script);
        lua_setfield(L, -2, "script");
        lua_newtable(L);
        for (size_t k = 0; k < u->noptions; k++) {
            if (u->options[k].of && !(u->options[k].of & c->takes)) continue;
            lua_pushinteger(L, (lua_Integer)k + 1);
            lua_rawseti(L, -2, ++n);
        }
        lua_setfield(L, -2, "takes");
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void push_exits(lua_State *L, const ls_usage *u) {
    lua_createtable(L, (int)u->nexits, 0);
    for (size_t i = 0; i < u->nexits; i++) {
        lua_createtable(L, 0, 2);
        lua_pushinteger(L, u->exits[i].code);
        lua_setfield(L, -2, "code");
        set_text(L, "meaning", u->exits[i].meaning);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static int write_page(lua_State *L) {
    const asking *a = lua_touserdata(L, 1);
    size_t n;
    ls_lua_push_field(L, "list_sync.pages", a->format);
    lua_createtable(L, 0, 5);
    set_text(L, "about", a->usage->about);
    set_text(L, "version", a->usage->version);
    push_commands(L, a->usage);
    lua_setfield(L, -2, "commands");
    push_options(L, a->usage);
    lua_setfield(L, -2, "options");
    push_exits(L, a->usage);
    lua_setfield(L, -2, "exits");
    lua_call(L, 1, 1);
    const char *text = lua_tolstring(L, -1, &n);
    ls_buf_add(a->out, text, n);
    return 0;
}

int ls_script_page(const char *format, const ls_usage *u, ls_buf *out, ls_error *err) {
    asking a = {.format = format, .usage = u, .out = out};
    lua_State *L = ls_lua_new();
    if (!L) return ls_fail_memory(err, "starting Lua");
    int rc = ls_lua_protected(L, write_page, &a, LS_FAIL, err);
    lua_close(L);
    if (rc == 0 && out->failed) rc = ls_fail_memory(err, "writing a page");
    return rc;
}
