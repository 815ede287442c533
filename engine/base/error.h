/* error.h - the one error idiom: a function that can fail gives 0 or -1 and fills an ls_error; the caller must look. */
#ifndef LS_ERROR_H
#define LS_ERROR_H

#include <stdbool.h>

#define LS_MUST_CHECK __attribute__((warn_unused_result))
#define LS_PRINTF(a, b) __attribute__((format(printf, a, b)))

enum { LS_ERROR_MAX = 2048 }; /* bytes of text, with the NUL; a longer one is cut with "..." */

/* What kind of failure. LS_FAIL to LS_FENCED are the program's exit codes. */
typedef enum ls_code {
    LS_OK = 0,
    LS_FAIL = 1,   /* failure while running */
    LS_USAGE = 2,  /* command line, script, or a server that is not set up for it */
    LS_LOST = 3,   /* the position cannot be continued from */
    LS_FENCED = 4, /* another instance runs under this name */
    LS_AGAIN = 5   /* transient: the caller waits and tries again; never an exit code */
} ls_code;

/* text says what failed, where, and how to mend it; no trailing full stop or line end. */
typedef struct ls_error {
    ls_code code;
    bool memory; /* memory is out: what was at hand is not to blame */
    char text[LS_ERROR_MAX];
} ls_error;

/* Fills *err; gives -1, so that `return ls_fail(err, LS_FAIL, "...")` reads well. */
int ls_fail(ls_error *err, ls_code code, const char *fmt, ...) LS_PRINTF(3, 4);
/* Out of memory, while doing `what`. Gives -1. */
int ls_fail_memory(ls_error *err, const char *what);
/* Puts "text: " in front of what *err says. Gives -1. */
int ls_fail_in(ls_error *err, const char *fmt, ...) LS_PRINTF(2, 3);

#endif
