#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(char *text, int written) {
    if (written >= LS_ERROR_MAX) memcpy(text + LS_ERROR_MAX - 4, "...", 4);
}

int ls_fail(ls_error *err, ls_code code, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    err->code = code;
    err->memory = false;
    mark_cut(err->text, vsnprintf(err->text, sizeof err->text, fmt, ap));
    va_end(ap);
    return -1;
}

int ls_fail_memory(ls_error *err, const char *what) {
    ls_fail(err, LS_FAIL, "out of memory: %s", what);
    err->memory = true;
    return -1;
}

int ls_fail_in(ls_error *err, const char *fmt, ...) {
    char was[LS_ERROR_MAX];
    char place[LS_ERROR_MAX];
    va_list ap;
    memcpy(was, err->text, sizeof was);
    va_start(ap, fmt);
    vsnprintf(place, sizeof place, fmt, ap);
    va_end(ap);
    mark_cut(err->text, snprintf(err->text, sizeof err->text, "%s: %s", place, was));
    return -1;
}
