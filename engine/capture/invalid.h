/* invalid.h - text that is not valid in its character set: what becomes of its row (option on_invalid_text). Part of the decoders.
 *
 * A reader of values mends such text and flags the value (ls_value.mended). What counts is what is sent: once the row's changes are
 * made, and those that were delivered before are taken out, they are looked through for flagged values. So whatever the policy, a row
 * has the same ordinals: a stop can be gone on from with another one, in the middle of a transaction too. */
#ifndef LS_INVALID_H
#define LS_INVALID_H

#include "change/batch.h"

#include <stdbool.h>

typedef enum ls_invalid_policy {
    LS_INVALID_STOP,    /* an error */
    LS_INVALID_REPLACE, /* it is sent as it was mended, with U+FFFD */
    LS_INVALID_SKIP,    /* the row's changes are left out */
    LS_INVALID_ASIDE    /* the row's changes, as they were mended, are set aside (change/fault.h), for the dead letters */
} ls_invalid_policy;

/* What an error says of the way on. */
#define LS_INVALID_MEND "on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here"

typedef struct ls_invalid {
    ls_invalid_policy policy;
    void *ctx;
    void (*warn)(void *ctx, const char *text);
} ls_invalid;

/* The changes behind the first `from` are one row's, of which the reader has mended a text. *said: the table's, of the first
 * warning, which LS_INVALID_ASIDE leaves to the pipeline. -1: the policy is to stop; the row's changes are then left out as well. */
int ls_invalid_settle(const ls_invalid *how, ls_work *w, uint32_t from, bool *said, ls_error *err) LS_MUST_CHECK;

#endif
