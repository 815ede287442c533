#define LS_LIBPQ_LOADER
#include "capture/libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char LIBRARY[] = "libpq.so.5"; /* the name that its binary interface goes by */

ls_libpq ls_pq;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char missing[256]; /* why it could not be loaded; "": it is */

/* It is never unloaded: sessions come and go. */
static void load(void) {
    static const struct {
        const char *name;
        size_t at;
    } calls[] = {
#define X(call) {#call, offsetof(ls_libpq, call)},
        LS_LIBPQ_CALLS(X)
#undef X
    };
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(missing, sizeof missing, "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *call = dlsym(library, calls[i].name);
        if (!call) snprintf(missing, sizeof missing, "%s has no %s", LIBRARY, calls[i].name);
        memcpy((char *)&ls_pq + calls[i].at, &call, sizeof call);
    }
}

int ls_libpq_load(ls_error *err) {
    pthread_once(&once, load);
    return *missing ? ls_fail(err, LS_USAGE, "the library of PostgreSQL's clients cannot be loaded (%s): install the package libpq5", missing) : 0;
}
