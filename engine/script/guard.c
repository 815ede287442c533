#include "script/guard.h"

#include "base/clock.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LS_LOOKS = 4,          /* looks within a timeout */
    LS_LOOK_MAX_MS = 1000, /* and at least one in so long */
    LS_ROW_SHOWN = 128     /* bytes of a schema's and of a table's name */
};

/* A call as the guard's thread has seen it. */
typedef struct seen {
    uint64_t entered;
    uint32_t index, hook, rule;
    int64_t at;     /* ls_clock_ms() of the last look */
    int64_t ran_ms; /* how long it has been the same */
} seen;

void ls_guard_init(ls_guard *g, lua_State *L, ls_hook_place *at, const ls_log *log) { *g = (ls_guard){.L = L, .at = at, .log = log}; }

static int look_ms(const ls_guard *g) { return g->timeout_ms / LS_LOOKS < LS_LOOK_MAX_MS ? g->timeout_ms / LS_LOOKS : LS_LOOK_MAX_MS; }

static bool is_per_row(uint32_t hook) { return hook && hook <= LS_HOOK_WRITE; }

static const char *name_of(const ls_guard *g, const seen *s) {
    uint32_t i = s->rule * LS_HOOKS + s->hook;
    return i < g->nnames && g->names[i] ? g->names[i] : g->title;
}

/* Ends the program with the mutex held, so that the stage's thread, should it return at last, goes no further. */
static void end_program(const ls_guard *g, const seen *s) {
    char row[sizeof g->first + 64] = "";
    if (is_per_row(s->hook) && *g->first)
        snprintf(row, sizeof row, " (row %" PRIu32 " of the batch that begins with %s)", s->index + 1, g->first);
    ls_log_line(g->log, LS_ERROR,
                "%s has run for %.1f s%s and has not returned; hook_timeout is %.1f s%s: see what it waits for or goes round in, or raise "
                "hook_timeout. The program stops, and what was not delivered comes again at the next start",
                name_of(g, s), (double)s->ran_ms / 1000, is_per_row(s->hook) ? " on one row" : "", (double)g->timeout_ms / 1000, row);
    _exit(LS_FAIL); /* the thread that hangs holds what an orderly end would wait for */
}

static void look(const ls_guard *g, seen *s) {
    int64_t now = ls_clock_ms(), since = now - s->at, most = 2 * look_ms(g);
    uint32_t index = ls_guard_peek(&g->at->index), hook = ls_guard_peek(&g->at->hook), rule = ls_guard_peek(&g->at->rule);
    if (!g->inside || g->entered != s->entered || index != s->index || hook != s->hook) {
        *s = (seen){.entered = g->entered, .index = index, .hook = hook, .rule = rule, .at = now};
        return;
    }
    s->at = now;
    s->rule = rule; /* Lua stores it behind the index */
    s->ran_ms += since < most ? since : most; /* when the whole program stood still, the call did too */
    if (s->ran_ms >= g->timeout_ms) end_program(g, s);
}

static struct timespec after(int ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) t.tv_sec++, t.tv_nsec -= 1000000000L;
    return t;
}

static void *watch(void *arg) {
    ls_guard *g = arg;
    seen s = {0};
    pthread_mutex_lock(&g->mutex);
    while (!g->stop) {
        struct timespec until = after(look_ms(g));
        pthread_cond_timedwait(&g->wake, &g->mutex, &until);
        if (!g->stop) look(g, &s);
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

/* Signals are for the other threads. */
static int start(ls_guard *g) {
    pthread_condattr_t monotonic;
    sigset_t all, were;
    if (pthread_condattr_init(&monotonic)) return -1;
    int bad = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) || pthread_cond_init(&g->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (bad) return -1;
    sigfillset(&all);
    bad = pthread_mutex_init(&g->mutex, NULL) || pthread_sigmask(SIG_SETMASK, &all, &were);
    if (!bad) {
        bad = pthread_create(&g->thread, NULL, watch, g);
        pthread_sigmask(SIG_SETMASK, &were, NULL);
        if (bad) pthread_mutex_destroy(&g->mutex);
    }
    if (bad) pthread_cond_destroy(&g->wake);
    g->watched = !bad;
    return bad ? -1 : 0;
}

static char *copy_of_top(lua_State *L) {
    char *text = strdup(lua_tostring(L, -1));
    if (!text) luaL_error(L, "out of memory");
    return text;
}

typedef struct using {
    ls_guard *guard;
    const char *stage;
} using;

static int read_bounds(lua_State *L) {
    const using *u = lua_touserdata(L, 1);
    ls_guard *g = u->guard;
    ls_lua_push_field(L, "list_sync.guard", "of");
    lua_pushstring(L, u->stage);
    lua_call(L, 1, 5);
    uint32_t n = (uint32_t)lua_tointeger(L, -1) * LS_HOOKS;
    lua_pop(L, 1);
    if (!(g->names = calloc(n, sizeof *g->names))) luaL_error(L, "out of memory");
    for (g->nnames = n; n--;) {
        lua_rawgeti(L, -1, (int)n);
        if (!lua_isnil(L, -1)) g->names[n] = copy_of_top(L);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    g->title = copy_of_top(L);
    g->memory = (size_t)lua_tonumber(L, -2);
    g->timeout_ms = (int)lua_tonumber(L, -3);
    return 0;
}

void ls_guard_free(ls_guard *g) {
    if (g->watched) {
        pthread_mutex_lock(&g->mutex);
        g->stop = true;
        pthread_cond_signal(&g->wake);
        pthread_mutex_unlock(&g->mutex);
        pthread_join(g->thread, NULL);
        pthread_mutex_destroy(&g->mutex);
        pthread_cond_destroy(&g->wake);
    }
    while (g->nnames) free(g->names[--g->nnames]);
    free(g->names);
    free(g->title);
    free(g->stage);
}

int ls_guard_use(ls_guard *g, const char *stage, ls_error *err) {
    using u = {.guard = g, .stage = stage};
    if (g->stage && strcmp(g->stage, stage) == 0) return 0;
    ls_guard_free(g);
    ls_guard_init(g, g->L, g->at, g->log);
    if (ls_lua_protected(g->L, read_bounds, &u, LS_USAGE, err)) return -1;
    if (!(g->stage = strdup(stage)) || (g->log && start(g))) return ls_fail_memory(err, "starting to guard a script");
    return 0;
}

static void note_first(ls_guard *g, const ls_batch *b) {
    g->first[0] = '\0';
    if (!b || !b->count) return;
    const ls_change *c = &b->changes[0];
    int n = snprintf(g->first, sizeof g->first, "%.*s.%.*s", LS_ROW_SHOWN, c->schema->schema, LS_ROW_SHOWN, c->schema->table);
    if (c->tx && *c->tx->pos) snprintf(g->first + n, sizeof g->first - (size_t)n, ", position %.40s/%" PRIu64, c->tx->pos, c->seq);
}

void ls_guard_enter(ls_guard *g, const ls_batch *b) {
    if (!g->watched) return;
    pthread_mutex_lock(&g->mutex);
    note_first(g, b);
    g->inside = true;
    g->entered++;
    pthread_mutex_unlock(&g->mutex);
}

void ls_guard_leave(ls_guard *g) {
    if (!g->watched) return;
    pthread_mutex_lock(&g->mutex);
    g->inside = false;
    pthread_mutex_unlock(&g->mutex);
}

static size_t held(lua_State *L) { return (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024; }

static int collect(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT, 0); /* runs finalizers, which may raise */
    return 0;
}

int ls_guard_memory(ls_guard *g, ls_error *err) {
    g->held = held(g->L);
    if (g->held <= g->memory) return 0;
    if (ls_lua_protected(g->L, collect, NULL, LS_FAIL, err)) return -1;
    g->held = held(g->L);
    if (g->held <= g->memory) return 0;
    return ls_fail(err, LS_FAIL,
                   "%s: what the script keeps takes %.1f MiB, and script_memory is %.1f MiB: look for a table that grows with the rows (values "
                   "kept for each key, a list that nobody empties), or raise script_memory",
                   g->title, (double)g->held / (1024 * 1024), (double)g->memory / (1024 * 1024));
}
