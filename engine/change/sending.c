#include "change/sending.h"

#include "change/fault.h"
#include "change/value.h"

#include <string.h>

enum { LS_SPLITS_MAX = 513 }; /* changes made of one row: 256 clones, and a half of it and of each of them */

/* What was said of the change, or of the half of it that is shown. NULL: memory. */
static ls_sending *sending_of(ls_batch *b, uint32_t change) {
    ls_work *w = ls_work_of(b);
    ls_sending **at = &b->changes[change].sending;
    if (!*at) *at = ls_arena_zalloc(&w->arena, sizeof **at);
    if (*at && w->half == LS_HALF_BEFORE) {
        at = &(*at)->before;
        if (!*at) *at = ls_arena_zalloc(&w->arena, sizeof **at);
    }
    return *at;
}

static bool is_topic_name(const char *p, size_t n) {
    if (!n || n > LS_TOPIC_MAX) return false;
    for (size_t i = 0; i < n; i++) {
        bool letter = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z');
        if (!letter && !(p[i] >= '0' && p[i] <= '9') && p[i] != '.' && p[i] != '_' && p[i] != '-') return false;
    }
    return *p != '.' || (n != 1 && !(n == 2 && p[1] == '.'));
}

int ls_row_send_topic(ls_batch *b, uint32_t change, const char *p, size_t n) {
    ls_arena *a = &ls_work_of(b)->arena;
    if (!is_topic_name(p, n))
        return ls_refuse(b, "it gave \"%.*s\", which Kafka does not take for a topic's name: 1 to %d letters, digits, dots, _ and -; replace the others: "
                         "name:gsub(\"[^%%w._-]\", \"_\")", n > LS_TOPIC_MAX ? LS_TOPIC_MAX : (int)n, p, LS_TOPIC_MAX);
    ls_sending *s = sending_of(b, change);
    if (!s) return ls_refuse_memory(b);
    ls_sent_topic **end = &s->topics;
    for (; *end; end = &(*end)->next)
        if ((*end)->len == n && memcmp((*end)->name, p, n) == 0) return 0; /* one message a topic */
    ls_sent_topic *t = ls_arena_alloc(a, sizeof *t);
    if (!t) return ls_refuse_memory(b);
    *t = (ls_sent_topic){.name = ls_arena_copy(a, p, n), .len = n};
    if (!t->name) return ls_refuse_memory(b);
    *end = t;
    return 0;
}

/* A text, or that there is none. */
static int say(ls_batch *b, const char *p, size_t n, ls_said *said, const char **text, size_t *len) {
    *said = p ? LS_SAID : LS_SAID_NONE;
    *len = n;
    *text = p ? ls_arena_copy(&ls_work_of(b)->arena, p, n) : NULL;
    return p && !*text ? ls_refuse_memory(b) : 0;
}

int ls_row_send_key(ls_batch *b, uint32_t change, const char *p, size_t n) {
    ls_sending *s = sending_of(b, change);
    return s ? say(b, p, n, &s->has_key, &s->key, &s->key_len) : ls_refuse_memory(b);
}

int ls_row_send_header(ls_batch *b, uint32_t change, const char *name, size_t name_len, const char *value, size_t n) {
    ls_arena *a = &ls_work_of(b)->arena;
    ls_sending *s = sending_of(b, change);
    if (!name_len || memchr(name, 0, name_len)) return ls_refuse(b, "a header's name is a text, and not empty");
    if (s && (s->header_bytes += name_len + n) > LS_HEADERS_BYTES)
        return ls_refuse(b, "the headers of a message are over %d KiB: what is long belongs into the message", LS_HEADERS_BYTES / 1024);
    ls_sent_header *h = s ? ls_arena_alloc(a, sizeof *h) : NULL;
    if (!h) return ls_refuse_memory(b);
    *h = (ls_sent_header){.name = ls_arena_copy(a, name, name_len), .value = value ? ls_arena_copy(a, value, n) : NULL, .len = n};
    if (!h->name || (value && !h->value)) return ls_refuse_memory(b);
    ls_sent_header **at = &s->headers;
    while (*at && strcmp((*at)->name, h->name) < 0) at = &(*at)->next;
    h->next = *at;
    *at = h;
    return 0;
}

int ls_row_send_message(ls_batch *b, uint32_t change, const char *p, size_t n) {
    ls_sending *s = sending_of(b, change);
    return s ? say(b, p, n, &s->has_message, &s->message, &s->message_len) : ls_refuse_memory(b);
}

/* ---- halves ---- */

int ls_row_look(ls_batch *b, uint32_t change, int half) {
    ls_work *w = ls_work_of(b);
    ls_change *c = &b->changes[change];
    if (w->half == LS_HALF_BEFORE) c->after = w->hidden;
    if (w->half == LS_HALF_AFTER) c->before = w->hidden;
    c->action = (uint8_t)(half == LS_HALF_BEFORE ? 'D' : half == LS_HALF_AFTER ? 'I' : 'U');
    w->hidden = half == LS_HALF_BEFORE ? c->after : c->before;
    if (half == LS_HALF_BEFORE) c->after = NULL;
    if (half == LS_HALF_AFTER) c->before = NULL;
    w->half = (uint8_t)half;
    w->half_of = change;
    b->frozen = half != LS_WHOLE;
    return 0;
}

static bool same_topics(const ls_sent_topic *a, const ls_sent_topic *b) {
    for (; a && b; a = a->next, b = b->next)
        if (a->len != b->len || memcmp(a->name, b->name, a->len) != 0) return false;
    return !a && !b;
}

static bool same_key(const ls_sending *a, const ls_sending *b) {
    return a->has_key == b->has_key && a->key_len == b->key_len && (!a->key_len || memcmp(a->key, b->key, a->key_len) == 0);
}

int ls_row_parted(ls_batch *b, uint32_t change) {
    const ls_sending *after = b->changes[change].sending, *before = after ? after->before : NULL;
    return before && !(same_topics(before->topics, after->topics) && same_key(before, after));
}

int ls_row_differs(ls_batch *b, uint32_t change, uint32_t col) {
    const ls_change *c = &b->changes[change];
    const ls_value *was = &c->before[col], *is = &c->after[col];
    return was->state > LS_NULL || is->state > LS_NULL || !ls_value_same(was, is);
}

int ls_row_split(ls_batch *b, uint32_t change) {
    ls_work *w = ls_work_of(b);
    if (w->keep && ls_fault_keep(b, change)) return -1;
    ls_change like = b->changes[change];
    for (uint32_t i = 0; i < like.schema->ncols; i++)
        if (like.after[i].state > LS_NULL)
            return ls_refuse(b, "moves = \"split\" makes an insert of the row after, and its column \"%.100s\" was not sent: the server must send rows "
                             "before whole", like.schema->cols[i].name);
    like.action = 'I';
    like.before = NULL;
    int rc = ls_work_clone(w, change, &like, LS_SPLITS_MAX);
    if (rc == -2) return ls_refuse(b, "a row is cloned %d times at most, its halves among them", LS_SPLITS_MAX);
    if (rc < 0) return ls_refuse_memory(b);
    ls_change *c = &b->changes[change];
    c->action = 'D';
    c->after = NULL;
    if (c->sending) c->sending = c->sending->before;
    return rc;
}
