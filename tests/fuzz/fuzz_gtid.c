/* Two lines as GTID positions and sets, MariaDB's and MySQL's: refused, or printed as text that reads as the same; adding the second
 * to the first is what it says. */
#include "base/cursor.h"
#include "capture/gtid.h"
#include "capture/gtid_set.h"

#include <stdlib.h>
#include <string.h>

enum { EXTENDED_MAX = 256 };

static void want(bool ok) {
    if (!ok) abort();
}

/* ---- MariaDB */

/* How many GTIDs stand there, each printed as it reads; -1: it is no list of them. */
static int read_list(const char *text, size_t n) {
    const char *at = text, *end = text + n, *was = at;
    ls_gtid g, again;
    int count = 0, more;
    for (; (more = ls_gtid_next(&at, end, &g)) == 1; count++, was = at) {
        char printed[LS_GTID_TEXT];
        ls_gtid_print(printed, &g);
        const char *p = printed;
        want(at > was && ls_gtid_next(&p, printed + strlen(printed), &again) == 1 && !*p);
        want(again.domain == g.domain && again.server == g.server && again.seq == g.seq);
    }
    want(more || at == end);
    return more < 0 ? -1 : count;
}

static bool is_position(const char *text) {
    const char *at = text, *end = text + strlen(text);
    ls_gtid g;
    int more;
    int64_t before = -1;
    for (; (more = ls_gtid_next(&at, end, &g)) == 1; before = g.domain)
        if (g.domain <= before) return false;
    return more == 0;
}

/* A position stays one: rising domains, and the one that was added among them. */
static void add_to_position(const char *text, const char *gtid) {
    ls_buf b = {0};
    ls_error err;
    int before = read_list(text, strlen(text));
    ls_buf_str(&b, text);
    if (!strchr(gtid, ':') && ls_gtid_add(&b, gtid, &err) == 0) {
        const char *position = ls_buf_cstr(&b);
        int after = position ? read_list(position, b.len) : -1;
        want(position != NULL);
        if (is_position(text)) {
            want(is_position(position) && strstr(position, gtid) && (after == before || after == before + 1));
            want(ls_gtid_same_log(position, position) == 1 && ls_gtid_same_log(position, gtid) == 1);
        }
    }
    ls_buf_free(&b);
    want(ls_gtid_same_log(text, text) == (before < 0 ? -1 : 1) || !is_position(text));
}

/* ---- MySQL */

static ls_gtid_set read_set(const char *p, size_t n) {
    ls_gtid_set s = {0};
    ls_error err;
    want(ls_gtid_set_read(&s, p, n, &err) == 0);
    return s;
}

static size_t encoded_size(const ls_gtid_set *s) {
    size_t size = 8;
    bool tagged = false;
    for (size_t i = 0; i < s->n; i++) tagged = tagged || s->sources[i].tag[0];
    for (size_t i = 0; i < s->n; i++) size += LS_GTID_UUID + 8 + 16 * s->sources[i].n + (tagged ? 1 + strlen(s->sources[i].tag) : 0);
    return size;
}

/* Sorted, and no two intervals meet or touch. */
static void is_in_order(const ls_gtid_set *s) {
    for (size_t i = 0; i < s->n; i++) {
        const ls_gtid_source *a = &s->sources[i];
        want(a->n > 0);
        for (size_t k = 0; k < a->n; k++) {
            want(a->intervals[k].first > 0 && a->intervals[k].first <= a->intervals[k].last);
            if (k) want(a->intervals[k].first > a->intervals[k - 1].last + 1);
        }
        if (!i) continue;
        int order = memcmp(s->sources[i - 1].uuid, a->uuid, LS_GTID_UUID);
        want(order < 0 || (order == 0 && strcmp(s->sources[i - 1].tag, a->tag) < 0));
    }
}

static bool prints_alike(const ls_gtid_set *s) {
    ls_buf text = {0}, again = {0}, wire = {0};
    ls_gtid_set_print(s, &text);
    ls_gtid_set read = read_set(text.data ? text.data : "", text.len);
    ls_gtid_set_print(&read, &again);
    ls_gtid_set_encode(s, &wire);
    bool same = text.len == again.len && (!text.len || memcmp(text.data, again.data, text.len) == 0);
    same = same && wire.len == encoded_size(s) && ls_gtid_set_contains(s, &read) && ls_gtid_set_contains(&read, s);
    ls_gtid_set_free(&read);
    ls_buf_free(&text);
    ls_buf_free(&again);
    ls_buf_free(&wire);
    return same;
}

/* a + b by ls_gtid_set_add() and, where b goes on where a ends, by ls_gtid_set_extend(). */
static void add_sets(const char *a, const char *b, const ls_gtid_set *of_a, const ls_gtid_set *of_b) {
    char extended[EXTENDED_MAX];
    ls_buf sum = {0};
    ls_error err;
    ls_buf_str(&sum, a);
    want(ls_gtid_set_add(&sum, b, &err) == 0);
    ls_gtid_set all = read_set(sum.data ? sum.data : "", sum.len);
    is_in_order(&all);
    want(ls_gtid_set_contains(&all, of_a) && ls_gtid_set_contains(&all, of_b));
    if (!strpbrk(a, ", \n\r\t") && !strpbrk(b, ", \n\r\t") && strlen(a) < sizeof extended) {
        strcpy(extended, a);
        if (ls_gtid_set_extend(extended, sizeof extended, b)) {
            ls_gtid_set other = read_set(extended, strlen(extended));
            want(ls_gtid_set_contains(&all, &other) && ls_gtid_set_contains(&other, &all));
            ls_gtid_set_free(&other);
        }
    }
    ls_gtid_set_free(&all);
    ls_buf_free(&sum);
}

static void sets(const char *a, const char *b) {
    ls_gtid_set of_a = {0}, of_b = {0};
    ls_error err;
    bool is_a = ls_gtid_set_read(&of_a, a, strlen(a), &err) == 0, is_b = ls_gtid_set_read(&of_b, b, strlen(b), &err) == 0;
    if (is_a) is_in_order(&of_a), want(prints_alike(&of_a));
    if (is_a && is_b) add_sets(a, b, &of_a, &of_b);
    ls_gtid_set_free(&of_a);
    ls_gtid_set_free(&of_b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    if (memchr(data ? data : (const uint8_t *)"", 0, size)) return 0;
    for (const uint8_t *more = line; more; more = memchr(more + 1, '\n', (size_t)(data + size - more - 1))) line = more;
    size_t first = line ? (size_t)(line - data) : size, behind = line ? first + 1 : size;
    char *a = strndup((const char *)data, first), *b = strndup((const char *)data + behind, size - behind);
    want(a && b);
    add_to_position(a, b);
    sets(a, b);
    sets(b, a);
    free(a);
    free(b);
    return 0;
}
