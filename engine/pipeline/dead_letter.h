/* dead_letter.h - rows in error: what the stage's options say of them, their count, and the headers of their dead letters. */
#ifndef LS_DEAD_LETTER_H
#define LS_DEAD_LETTER_H

#include "change/fault.h"
#include "kafka/producer.h"
#include "pipeline/worker.h"

typedef enum ls_policy { LS_POLICY_STOP, LS_POLICY_DEAD_LETTER, LS_POLICY_SKIP } ls_policy;

typedef struct ls_dead ls_dead; /* of one worker; any of its threads */

/* worker: borrowed. -1: memory. */
int ls_dead_new(ls_dead **out, ls_worker *worker, ls_error *err) LS_MUST_CHECK;
void ls_dead_free(ls_dead *d);
/* on_error, and on_oversize; a consumer has no on_oversize: LS_POLICY_STOP. */
ls_policy ls_dead_on_error(const ls_dead *d);
ls_policy ls_dead_on_oversize(const ls_dead *d);
/* Does the stage send dead letters, of whatever kind? */
bool ls_dead_letters(const ls_dead *d);
const char *ls_dead_topic(const ls_dead *d);

/* What is known of a row, or message, in error. Borrowed. */
typedef struct ls_dead_row {
    const ls_fault *fault;
    const char *schema, *table; /* NULL: not known, since the message could not be read */
    const char *pos;            /* its place in the source's log; NULL or "": not known */
    uint64_t seq;
    uint32_t sub;
    const char *topic; /* a consumer's: where its message stands; a connector's: the topic that refused it; NULL: none */
    int32_t partition; /* -1: not known */
    int64_t offset;    /* -1: not known */
} ls_dead_row;

/* What the change's own fields say. */
ls_dead_row ls_dead_row_of(const ls_change *c);
/* What becomes of it: of a row that was set aside, never LS_POLICY_STOP. */
ls_policy ls_dead_policy(const ls_dead *d, const ls_fault *f);
/* Counts it, and warns of the first of a table (or topic) and kind of error. policy: as ls_dead_policy() says. */
void ls_dead_note(ls_dead *d, const ls_dead_row *row, ls_policy policy);
/* Says how many there were, if there were some: when the worker ends. */
void ls_dead_total(const ls_dead *d);

/* The headers of a letter, room for them kept from one to the next. Zeroed: none. */
typedef struct ls_letter {
    ls_producer_header *headers;
    size_t n, cap;
    ls_buf text; /* their values */
    size_t from; /* where the value at hand begins in it */
} ls_letter;
/* headers[0 .. n): the nkept that are given, then what is known of the row, under names that begin with list_sync. Valid until the next
 * call; those given are borrowed. -1: memory. */
int ls_letter_fill(ls_letter *l, const ls_dead *d, const ls_dead_row *row, const ls_producer_header *kept, size_t nkept, ls_error *err) LS_MUST_CHECK;
void ls_letter_free(ls_letter *l);

#endif
