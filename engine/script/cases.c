#include "script/cases.h"

#include "change/row.h"
#include "change/value.h"
#include "script/modules.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ls_cases {
    lua_State *L;
    ls_hook_place at; /* where Lua reads rows; Lua has its address */
    ls_arena arena;
    ls_case *list;
    size_t n;
};

/* What a protected body works on. */
typedef struct job {
    ls_cases *cases;
    const char *path;
    size_t i, r; /* a case, a row of it */
    uint32_t change;
    const char *part;
    ls_work *work;
    ls_schemas *reg;
    ls_case_tables *tables;
    ls_change row;         /* a given row's action, and place */
    ls_tx tx;
    ls_origin origin;
    bool has_old, has_moved, has_origin, whole;
    const char *text;      /* places, why, stage */
    const ls_case_message *messages;
    const size_t *failed;
    size_t n;
    ls_buf *out;
} job;

static void *take(lua_State *L, ls_arena *a, size_t n) {
    void *p = ls_arena_zalloc(a, n);
    if (!p) luaL_error(L, "out of memory");
    return p;
}

/* A field of the table on top of the stack, copied; NULL: it is nil. */
static const char *text_field(lua_State *L, ls_arena *a, const char *name) {
    size_t n;
    lua_getfield(L, -1, name);
    const char *p = lua_tolstring(L, -1, &n);
    char *copy = p ? memcpy(take(L, a, n + 1), p, n + 1) : NULL;
    lua_pop(L, 1);
    return copy;
}

static double number_field(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    double d = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return d;
}

static bool has_field(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    bool has = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return has;
}

/* ---- the file ---- */

static int evaluate(lua_State *L) {
    const job *j = lua_touserdata(L, 1);
    ls_cases *c = j->cases;
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_pushlightuserdata(L, &c->at);
    lua_setfield(L, -2, "list_sync.place_of_hooks");
    ls_lua_push_field(L, "list_sync.script", "stages"); /* the module changes tostring() */
    if (!j->path) return 0;
    ls_lua_push_field(L, "list_sync.cases", "evaluate");
    lua_pushstring(L, j->path);
    lua_call(L, 1, 0);
    ls_lua_push_field(L, "list_sync.cases", "list");
    c->n = lua_objlen(L, -1);
    c->list = take(L, &c->arena, (c->n ? c->n : 1) * sizeof *c->list);
    for (size_t i = 0; i < c->n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        c->list[i] = (ls_case){.name = text_field(L, &c->arena, "name"),
                               .stage = text_field(L, &c->arena, "stage"),
                               .path = text_field(L, &c->arena, "path"),
                               .line = (int)number_field(L, "line")};
        lua_getfield(L, -1, "give");
        c->list[i].nrows = lua_objlen(L, -1);
        lua_pop(L, 2);
    }
    return 0;
}

int ls_cases_open(ls_cases **out, const char *path, ls_error *err) {
    ls_cases *c = calloc(1, sizeof *c);
    job j = {.cases = c, .path = path};
    *out = NULL;
    if (!c || !(c->L = ls_lua_new())) {
        free(c);
        return ls_fail_memory(err, "starting Lua");
    }
    c->at.index = UINT32_MAX;
    if (ls_lua_protected(c->L, evaluate, &j, LS_USAGE, err)) {
        ls_cases_close(c);
        return -1;
    }
    *out = c;
    return 0;
}

void ls_cases_close(ls_cases *c) {
    if (!c) return;
    lua_close(c->L);
    ls_arena_free(&c->arena);
    free(c);
}

size_t ls_cases_count(const ls_cases *c) { return c->n; }
const ls_case *ls_cases_at(const ls_cases *c, size_t i) { return &c->list[i]; }

/* ---- the tables ---- */

/* The table on top of the stack: { schema, table, columns, key }. */
static const ls_schema *schema_on_top(lua_State *L, ls_schemas *reg, ls_arena *scratch, const bool **not_null) {
    const char *schema = text_field(L, scratch, "schema"), *table = text_field(L, scratch, "table");
    lua_getfield(L, -1, "columns");
    size_t ncols = lua_objlen(L, -1);
    ls_column_def *cols = take(L, scratch, ncols * sizeof *cols);
    bool *never = take(L, scratch, ncols * sizeof *never);
    for (size_t i = 0; i < ncols; i++) {
        size_t n;
        lua_rawgeti(L, -1, (int)i + 1);
        lua_rawgeti(L, -1, 1);
        const char *name = lua_tolstring(L, -1, &n); /* the table keeps it */
        lua_rawgeti(L, -2, 2);
        cols[i] = (ls_column_def){name, n, (uint8_t)lua_tonumber(L, -1)};
        lua_rawgeti(L, -3, 3);
        never[i] = lua_toboolean(L, -1);
        lua_pop(L, 4);
    }
    *not_null = never;
    lua_pop(L, 1);
    lua_getfield(L, -1, "key");
    size_t nkey = lua_objlen(L, -1);
    uint16_t *key = take(L, scratch, (nkey ? nkey : 1) * sizeof *key);
    for (size_t i = 0; i < nkey; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        key[i] = (uint16_t)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    const ls_schema *s = ls_schema_new(reg, schema, strlen(schema), table, strlen(table), cols, ncols, key, nkey);
    if (!s) luaL_error(L, "out of memory");
    return s;
}

static int make_tables(lua_State *L) {
    job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases", "tables");
    size_t n = lua_objlen(L, -1);
    j->tables->at = calloc(n ? n : 1, sizeof *j->tables->at);
    j->tables->not_null = take(L, &j->cases->arena, (n ? n : 1) * sizeof *j->tables->not_null);
    if (!j->tables->at) luaL_error(L, "out of memory");
    while (j->tables->n < n) {
        lua_rawgeti(L, -1, (int)j->tables->n + 1);
        j->tables->at[j->tables->n] = schema_on_top(L, j->reg, &j->cases->arena, &j->tables->not_null[j->tables->n]);
        j->tables->n++;
        lua_pop(L, 1);
    }
    return 0;
}

int ls_cases_tables(ls_cases *c, ls_schemas *reg, ls_case_tables *out, ls_error *err) {
    job j = {.cases = c, .reg = reg, .tables = out};
    *out = (ls_case_tables){0};
    if (ls_lua_protected(c->L, make_tables, &j, LS_FAIL, err) == 0) return 0;
    ls_cases_drop_tables(out);
    return -1;
}

void ls_cases_drop_tables(ls_case_tables *t) {
    for (size_t i = 0; i < t->n; i++) ls_schema_unref(t->at[i]);
    free(t->at);
    *t = (ls_case_tables){0};
}

/* ---- the rows that a case gives ---- */

/* Leaves the row r of case i on the stack. */
static void push_row(lua_State *L, size_t i, size_t r) {
    ls_lua_push_field(L, "list_sync.cases", "list");
    lua_rawgeti(L, -1, (int)i + 1);
    lua_getfield(L, -1, "give");
    lua_rawgeti(L, -1, (int)r + 1);
}

static int read_row(lua_State *L) {
    job *j = lua_touserdata(L, 1);
    push_row(L, j->i, j->r);
    j->n = (size_t)number_field(L, "table") - 1;
    if (!j->work) return 0;
    ls_arena *a = &j->work->arena;
    const char *pos = text_field(L, a, "pos"), *id = text_field(L, a, "tx"), *topic = text_field(L, a, "topic");
    j->row.action = (uint8_t)*text_field(L, a, "action");
    snprintf(j->tx.pos, sizeof j->tx.pos, "%s", pos ? pos : "");
    snprintf(j->tx.id, sizeof j->tx.id, "%s", id ? id : "");
    j->tx.ts = (int64_t)number_field(L, "ts");
    j->row.seq = (uint64_t)number_field(L, "seq");
    j->has_old = has_field(L, "old");
    j->has_moved = has_field(L, "moved");
    j->has_origin = topic || has_field(L, "partition");
    j->origin = (ls_origin){topic ? topic : "", (int32_t)number_field(L, "partition")};
    return 0;
}

static int fill_row(lua_State *L) {
    const job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases", "fill");
    lua_pushinteger(L, (int)j->i + 1);
    lua_pushinteger(L, (int)j->r + 1);
    lua_pushinteger(L, (int)j->change);
    lua_pushstring(L, j->part);
    lua_pushboolean(L, j->whole && *j->part == 'o');
    lua_call(L, 5, 0);
    return 0;
}

/* A row of the part's values; *out NULL with the error. */
static int image_of(job *j, const ls_schema *s, const char *part, ls_value **out, ls_error *err) {
    ls_cases *c = j->cases;
    ls_value *row = ls_work_values(j->work, s->ncols);
    ls_change *draft = row ? ls_work_add(j->work, s, NULL, 'U', 0) : NULL; /* goes again, once Lua has written into it */
    *out = NULL;
    if (!draft) return ls_fail_memory(err, "giving a row");
    draft->after = draft->before = row;
    j->change = j->work->seen.count - 1;
    j->part = part;
    c->at.batch = &j->work->seen;
    int rc = ls_lua_protected(c->L, fill_row, j, LS_USAGE, err);
    c->at.batch = NULL;
    j->work->seen.count--;
    if (rc == 0) *out = row;
    return rc;
}

/* The key that a moved row names; NULL: memory. */
static const ls_value *key_of(ls_work *w, const ls_schema *s, const ls_value *row) {
    ls_value *key = ls_work_values(w, s->nkey);
    for (uint32_t i = 0; key && i < s->nkey; i++) key[i] = row[s->key[i]];
    return key;
}

static int add_row(job *j, const ls_schema *s, uint64_t *seq, ls_error *err) {
    ls_value *after = NULL, *before = NULL, *moved = NULL;
    j->whole &= s->before != LS_BEFORE_KEY;
    bool update = j->row.action == 'U', remove = j->row.action == 'D';
    if (!remove && image_of(j, s, "new", &after, err)) return -1;
    if (j->has_old && image_of(j, s, "old", &before, err)) return -1;
    if (j->has_moved && image_of(j, s, "moved", &moved, err)) return -1;
    for (uint32_t i = 0; update && i < s->ncols; i++)
        if (after[i].state == LS_ABSENT) after[i] = ls_value_state(LS_UNCHANGED);
    const ls_tx *tx = ls_work_tx(j->work, &j->tx);
    uint32_t first = j->work->seen.count;
    if (!tx || (update   ? ls_row_update(j->work, s, tx, seq, before, after)
                : remove ? ls_row_remove(j->work, s, tx, seq, before)
                         : ls_row_insert(j->work, s, tx, seq, after)))
        return ls_fail_memory(err, "giving a row");
    ls_change *ch = &j->work->seen.changes[first];
    if (moved) {
        ch->flags |= remove ? LS_MOVED_TO : LS_MOVED_FROM;
        if (!(ch->moved = key_of(j->work, s, moved))) return ls_fail_memory(err, "giving a row");
    }
    if (!j->has_origin) return 0;
    ls_origin *origin = ls_arena_alloc(&j->work->arena, sizeof *origin);
    if (!origin) return ls_fail_memory(err, "giving a row");
    *origin = j->origin;
    for (; first < j->work->seen.count; first++) j->work->seen.changes[first].origin = origin;
    return 0;
}

int ls_cases_give(ls_cases *c, size_t i, ls_work *w, const ls_case_tables *tables, bool whole, ls_error *err) {
    uint64_t seq = 0;
    for (size_t r = 0; r < c->list[i].nrows; r++) {
        job j = {.cases = c, .i = i, .r = r, .work = w, .whole = whole};
        if (ls_lua_protected(c->L, read_row, &j, LS_USAGE, err)) return -1;
        if (j.row.seq) seq = j.row.seq - 1;
        if (add_row(&j, tables->at[j.n], &seq, err)) return -1;
    }
    return 0;
}

size_t ls_cases_table_of(const ls_cases *c, size_t i, size_t r) {
    ls_error err;
    job j = {.i = i, .r = r};
    return ls_lua_protected(c->L, read_row, &j, LS_USAGE, &err) ? 0 : j.n;
}

/* ---- what became of them ---- */

/* The text that the function on the stack, called with n arguments, gives. */
static int call_for_text(lua_State *L, int n, ls_buf *out) {
    size_t len;
    lua_call(L, n, 1);
    const char *p = lua_tolstring(L, -1, &len);
    ls_buf_add(out, p, len);
    if (out->failed) return luaL_error(L, "out of memory");
    return 0;
}

static void set_text(lua_State *L, const char *name, const char *p, size_t n) {
    if (!p) return;
    lua_pushlstring(L, p, n);
    lua_setfield(L, -2, name);
}

/* { message, key, topics = { ... }, headers = { { name, value } ... } } */
static void push_message(lua_State *L, const ls_case_message *m) {
    lua_newtable(L);
    set_text(L, "message", m->message, m->message_len);
    set_text(L, "key", m->key, m->key_len);
    lua_createtable(L, (int)m->ntopics, 0);
    for (size_t i = 0; i < m->ntopics; i++) {
        lua_pushstring(L, m->topics[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "topics");
    lua_createtable(L, (int)m->nheaders, 0);
    for (size_t i = 0; i < m->nheaders; i++) {
        lua_newtable(L);
        set_text(L, "name", m->headers[i].name, strlen(m->headers[i].name));
        set_text(L, "value", m->headers[i].value, m->headers[i].len);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "headers");
}

/* By their number in the batch, from 1; nil: a consumer's. */
static void push_messages(lua_State *L, const job *j) {
    if (!j->messages) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, (int)j->n, 0);
    for (size_t i = 0; i < j->n; i++) {
        push_message(L, &j->messages[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static int compare(lua_State *L) {
    const job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases", "compare");
    lua_pushinteger(L, (int)j->i + 1);
    lua_pushstring(L, j->text);
    push_messages(L, j);
    return call_for_text(L, 3, j->out);
}

/* Lines behind what *out had; 1: there is none. */
static int told(ls_buf *out, size_t was) {
    if (out->len == was) return 1;
    ls_buf_char(out, '\n');
    return 0;
}

int ls_cases_compare(ls_cases *c, size_t i, ls_batch *b, const char *places, const ls_case_message *messages, ls_buf *out, ls_error *err) {
    size_t was = out->len;
    job j = {.cases = c, .i = i, .text = places, .messages = messages, .n = b->count, .out = out};
    c->at.batch = b;
    int rc = ls_lua_protected(c->L, compare, &j, LS_USAGE, err);
    c->at.batch = NULL;
    return rc ? -1 : told(out, was);
}

static int raised(lua_State *L) {
    const job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases", "raised");
    lua_pushinteger(L, (int)j->i + 1);
    lua_pushstring(L, j->text);
    return call_for_text(L, 2, j->out);
}

int ls_cases_raised(ls_cases *c, size_t i, const char *why, ls_buf *out, ls_error *err) {
    size_t was = out->len;
    job j = {.i = i, .text = why, .out = out};
    return ls_lua_protected(c->L, raised, &j, LS_USAGE, err) ? -1 : told(out, was);
}

static int update(lua_State *L) {
    job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases", "update");
    lua_createtable(L, (int)j->n, 0);
    for (size_t i = 0; i < j->n; i++) {
        lua_pushinteger(L, (int)j->failed[i] + 1);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_call(L, 1, 1);
    j->i = (size_t)lua_tonumber(L, -1);
    return 0;
}

int ls_cases_update(ls_cases *c, const size_t *failed, size_t n, size_t *written, ls_error *err) {
    job j = {.failed = failed, .n = n};
    int rc = ls_lua_protected(c->L, update, &j, LS_USAGE, err);
    *written = rc ? 0 : j.i;
    return rc;
}

/* ---- recording ---- */

static int note(lua_State *L) {
    ls_lua_push_field(L, "list_sync.cases_text", "note");
    lua_call(L, 0, 0);
    return 0;
}

int ls_cases_note(ls_cases *c, ls_batch *b, ls_error *err) {
    c->at.batch = b;
    int rc = ls_lua_protected(c->L, note, NULL, LS_FAIL, err);
    c->at.batch = NULL;
    return rc;
}

static int record(lua_State *L) {
    const job *j = lua_touserdata(L, 1);
    ls_lua_push_field(L, "list_sync.cases_text", "record");
    lua_pushstring(L, j->text);
    return call_for_text(L, 1, j->out);
}

int ls_cases_record(ls_cases *c, const char *stage, ls_batch *b, ls_buf *out, ls_error *err) {
    job j = {.text = stage, .out = out};
    c->at.batch = b;
    int rc = ls_lua_protected(c->L, record, &j, LS_FAIL, err);
    c->at.batch = NULL;
    return rc;
}
