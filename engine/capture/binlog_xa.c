#include "capture/binlog_xa.h"

#include "capture/gtid_set.h"

#include <stdlib.h>
#include <string.h>

void ls_xas_free(ls_xas *x) {
    for (size_t i = 0; i < x->n; i++) ls_buf_free(&x->all[i].events);
    free(x->all);
    free(x->waiting);
    *x = (ls_xas){0};
}

ls_xa *ls_xas_find(ls_xas *x, const char *xid) {
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->all[i].xid, xid) == 0) return &x->all[i];
    return NULL;
}

ls_xa *ls_xas_oldest(ls_xas *x) {
    for (size_t i = 0; i < x->n; i++)
        if (x->all[i].held) return &x->all[i];
    return NULL;
}

static ls_xa *newest(ls_xas *x) {
    for (size_t i = x->n; i-- > 0;)
        if (x->all[i].held) return &x->all[i];
    return NULL;
}

static void forget(ls_xas *x, ls_xa *xa) {
    size_t at = (size_t)(xa - x->all);
    x->bytes -= xa->held;
    ls_buf_free(&xa->events);
    memmove(xa, xa + 1, (--x->n - at) * sizeof *xa);
}

/* Room for one more of what *list is; false: memory. */
static bool grow(void **list, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return true;
    size_t more = *cap ? 2 * *cap : 16;
    void *p = realloc(*list, more * size);
    if (!p) return false;
    *list = p;
    *cap = more;
    return true;
}

int ls_xas_prepare(ls_xas *x, const char *xid, const ls_place *begin, int64_t since, ls_buf *events, bool *replaced,
                   ls_error *err) {
    ls_xa *same = ls_xas_find(x, xid);
    void *all = x->all;
    *replaced = same != NULL;
    if (same) forget(x, same);
    if (x->n == LS_XA_MAX) return ls_fail(err, LS_FAIL, "more than %d XA transactions are prepared and not decided", LS_XA_MAX);
    if (!grow(&all, x->n, &x->cap, sizeof *x->all)) return ls_fail_memory(err, "an XA transaction");
    x->all = all;
    ls_xa *xa = &x->all[x->n++];
    *xa = (ls_xa){.begin = *begin, .since = since, .held = events->len};
    memcpy(xa->xid, xid, strlen(xid) + 1);
    x->bytes += xa->held;
    if (!xa->held) return 0;
    xa->events = *events;
    *events = (ls_buf){0};
    return 0;
}

static size_t domain_length(const char *gtid) {
    return strcspn(gtid, "-");
}

static bool same_domain(const char *a, const char *b) {
    size_t n = domain_length(a);
    return n == domain_length(b) && memcmp(a, b, n) == 0;
}

/* Does `later` say what `earlier` says, too? On MariaDB it does in the same domain; MySQL's numbers must follow each other, and
 * then it says both, as a row. */
static bool covers(ls_place *later, const ls_place *earlier) {
    ls_place both = *earlier;
    if (!*later->gtid || !*earlier->gtid) {
        if (!*later->gtid) memcpy(later->gtid, earlier->gtid, sizeof later->gtid);
        return true;
    }
    if (!strchr(later->gtid, ':')) return same_domain(later->gtid, earlier->gtid);
    if (!ls_gtid_set_extend(both.gtid, sizeof both.gtid, later->gtid)) return false;
    memcpy(later->gtid, both.gtid, sizeof later->gtid);
    return true;
}

/* What a mark says is that all before it is done: a later one of the same domain says it too. Those before the newest
 * transaction's begin stay: a new start may be there. */
int ls_xas_wait(ls_xas *x, const ls_place *mark, ls_error *err) {
    const ls_xa *last = newest(x);
    for (size_t i = x->nwaiting; i-- > 0 && last && ls_place_cmp(&x->waiting[i], &last->begin) > 0;) {
        ls_place *was = &x->waiting[i];
        ls_place now = *mark;
        if (!covers(&now, was)) continue;
        memmove(was, was + 1, (--x->nwaiting - i) * sizeof *was);
        x->waiting[x->nwaiting++] = now;
        return 0;
    }
    void *waiting = x->waiting;
    if (!grow(&waiting, x->nwaiting, &x->cap_waiting, sizeof *x->waiting)) return ls_fail_memory(err, "a position");
    x->waiting = waiting;
    x->waiting[x->nwaiting++] = *mark;
    return 0;
}

int ls_xas_decided(ls_xas *x, ls_xa *xa, ls_work *w, ls_error *err) {
    size_t done = 0;
    forget(x, xa);
    const ls_xa *oldest = ls_xas_oldest(x);
    while (done < x->nwaiting && (!oldest || ls_place_cmp(&x->waiting[done], &oldest->begin) <= 0))
        if (ls_work_mark(w, &x->waiting[done++])) return ls_fail_memory(err, "a position");
    x->nwaiting -= done;
    if (x->nwaiting) memmove(x->waiting, x->waiting + done, x->nwaiting * sizeof *x->waiting);
    return 0;
}
