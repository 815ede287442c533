/* guard.h - bounds of what a script's functions take: how long one call runs, and how much memory the Lua state holds. Private to script/.
 *
 * A call that hangs is in Lua or in what Lua calls, and nothing there looks at a clock: code that LuaJIT has compiled takes no debug hook.
 * So a thread of the guard's own looks several times within the option hook_timeout whether the same call still runs, and ends the
 * program when it has for so long: a thread that is stuck in the script cannot be ended alone. */
#ifndef LS_GUARD_H
#define LS_GUARD_H

#include "base/log.h"
#include "script/modules.h"
#include "script/script.h"

#include <pthread.h>

typedef struct ls_guard {
    lua_State *L;
    const ls_log *log;  /* NULL: calls are not timed */
    ls_hook_place *at;  /* Lua keeps index, hook and rule in it: read with ls_guard_peek() */
    size_t memory;      /* bytes that L may hold */
    size_t held;        /* ... as of the last ls_guard_memory() */
    char *stage;        /* its name; NULL: none is chosen yet */
    char *title;        /* how errors name it */

    pthread_t thread;
    bool watched;          /* the thread runs; the rest is used only then */
    pthread_mutex_t mutex; /* of all below: the stage's thread holds it when a call begins and ends, the guard's while it looks */
    pthread_cond_t wake;   /* stop is set */
    bool stop;
    int timeout_ms;
    char **names;          /* how errors name the stage's functions, LS_HOOKS for each set of options; NULL: it has none such */
    uint32_t nnames;
    bool inside;           /* the stage's thread is in Lua */
    uint64_t entered;      /* how often it went there */
    char first[320];       /* the first row of the batch that it went there with; "" without one */
} ls_guard;

void ls_guard_init(ls_guard *g, lua_State *L, ls_hook_place *at, const ls_log *log);
/* Reads the stage's bounds and names, and starts the thread. For the same stage again: nothing. */
int ls_guard_use(ls_guard *g, const char *stage, ls_error *err) LS_MUST_CHECK;
void ls_guard_free(ls_guard *g);

/* Around each lua_pcall() of the stage's functions, by the stage's thread; b: NULL when no rows are at hand. From the moment that the
 * guard has found a call too long ls_guard_leave() does not return: nothing is sent or committed behind the error. */
void ls_guard_enter(ls_guard *g, const ls_batch *b);
void ls_guard_leave(ls_guard *g);
/* Looks at what L holds, after a batch. More than it may after a full collection: LS_FAIL. The stack is empty afterwards. */
int ls_guard_memory(ls_guard *g, ls_error *err) LS_MUST_CHECK;

/* index, hook and rule are written by Lua, as plain stores of 32 bits, and read by the guard's thread: neither is ever torn, and one that is
 * seen late makes a call look longer by a look at most. C's own writes go through these. */
static inline uint32_t ls_guard_peek(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void ls_guard_poke(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

#endif
