#include "capture/binlog_json_diff.h"

#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_json_parts.h"
#include "capture/binlog_map.h"

#include <stdio.h>
#include <string.h>

enum operation { REPLACE = 0, INSERT = 1, REMOVE = 2 };

typedef struct part part;

/* A value. A container that a path leads into is opened: it becomes a list of parts. */
typedef struct node {
    ls_jsonb *of; /* what its bytes are of */
    ls_cursor in;
    const char *key; /* in an object */
    size_t nkey;
    uint8_t type;
    bool opened;
    ls_jsonb_container c; /* as it was when it was opened */
    part *parts;
    uint64_t count; /* entries of all parts */
} node;

/* Entries first to first + n as they stand in the container, or one of its own. */
struct part {
    part *next;
    node *one; /* n is 1 */
    uint64_t first, n;
};

typedef struct leg {
    const char *key; /* NULL: a cell */
    size_t nkey;
    uint64_t cell;
    bool from_end;
} leg;

/* One change while it is applied. */
typedef struct change {
    uint32_t nth; /* from 1 */
    uint8_t operation;
    const char *path, *at, *end; /* at: what is not read of the path */
    const uint8_t *value;
    size_t nvalue;
    ls_arena *arena;
    ls_error *err;
} change;

static int unfit(const change *c, const char *what) {
    enum { PATH_MAX_SHOWN = 200 };
    static const char *const words[] = {"replace", "insert", "remove"};
    size_t n = (size_t)(c->end - c->path), shown = n < PATH_MAX_SHOWN ? n : PATH_MAX_SHOWN;
    while (shown && shown < n && (c->path[shown] & 0xc0) == 0x80) shown--; /* not inside a character */
    return ls_fail(c->err, LS_FAIL, "JSON: change %u (%s %.*s): %s", c->nth, words[c->operation], (int)shown, c->path, what);
}

/* ---- paths ---- */

static int quoted_name(change *c, leg *l) {
    ls_json j = ls_json_over(c->at, (size_t)(c->end - c->at));
    ls_json_value v;
    ls_error unused;
    ls_buf name = {0};
    int rc = ls_json_read(&j, &v, &unused) || v.kind != LS_JSON_STRING || ls_json_unescape(&v, &name, &unused);
    if (name.failed) rc = 2;
    l->nkey = name.len;
    l->key = rc ? NULL : ls_arena_copy(c->arena, name.len ? name.data : "", name.len);
    ls_buf_free(&name);
    c->at = j.at;
    if (rc == 1) return unfit(c, "a name of its path is no JSON string");
    return l->key ? 0 : ls_fail_memory(c->err, "a path");
}

static bool number(change *c, uint64_t *out) {
    const char *from = c->at;
    for (*out = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9' && *out <= UINT32_MAX; c->at++) *out = *out * 10 + (uint64_t)(*c->at - '0');
    return c->at > from && *out <= UINT32_MAX;
}

static int cell(change *c, leg *l) {
    static const char last[] = "last";
    size_t left = (size_t)(c->end - c->at), n = sizeof last - 1;
    bool fine = true;
    l->from_end = left >= n && memcmp(c->at, last, n) == 0;
    if (l->from_end) c->at += n;
    if (!l->from_end) {
        fine = number(c, &l->cell);
    } else if (c->at < c->end && *c->at == '-') {
        c->at++;
        fine = number(c, &l->cell);
    }
    if (!fine || c->at == c->end || *c->at++ != ']') return unfit(c, "a cell of its path is neither a number nor counted from the last");
    return 0;
}

/* The next leg; one must be left. */
static int next_leg(change *c, leg *l) {
    *l = (leg){0};
    char sign = *c->at++;
    if (sign == '[') return cell(c, l);
    if (sign != '.' || c->at == c->end) return unfit(c, "its path has neither a name nor a cell where one is due");
    if (*c->at == '"') return quoted_name(c, l);
    l->key = c->at;
    while (c->at < c->end && *c->at != '.' && *c->at != '[') c->at++;
    l->nkey = (size_t)(c->at - l->key);
    return l->nkey ? 0 : unfit(c, "a name of its path is empty");
}

/* ---- objects and arrays that change ---- */

static part *new_part(ls_arena *arena, part *next, node *one, uint64_t first, uint64_t n) {
    part *p = ls_arena_alloc(arena, sizeof *p);
    if (p) *p = (part){next, one, first, n};
    return p;
}

static int open_node(const change *c, node *n, int depth) {
    if (n->opened) return 0;
    if (ls_jsonb_open(n->of, n->type, n->in, depth, &n->c)) return -1;
    n->opened = true;
    n->count = n->c.count;
    if (n->count == 0) return 0;
    n->parts = new_part(c->arena, NULL, NULL, 0, n->count);
    return n->parts ? 0 : ls_fail_memory(c->err, "a JSON document");
}

/* The link to the part that begins with entry i, made by splitting if need be; NULL: memory. */
static part **boundary(const change *c, node *n, uint64_t i) {
    part **link = &n->parts;
    for (; *link && i >= (*link)->n; link = &(*link)->next) i -= (*link)->n;
    part *p = *link;
    if (!p || i == 0) return link;
    part *rest = new_part(c->arena, p->next, NULL, p->first + i, p->n - i);
    if (!rest) return NULL;
    p->next = rest;
    p->n = i;
    return &p->next;
}

/* The link to entry i, alone in its part; NULL: memory. */
static part **alone(const change *c, node *n, uint64_t i) {
    part **link = boundary(c, n, i);
    return link && boundary(c, n, i + 1) ? link : NULL;
}

/* Entry i as a node; NULL with an error. */
static node *child(const change *c, node *n, uint64_t i) {
    part **link = alone(c, n, i);
    part *p = link ? *link : NULL;
    const uint8_t *key = NULL;
    if (p && p->one) return p->one;
    node *one = p ? ls_arena_zalloc(c->arena, sizeof *one) : NULL;
    if (!one) {
        ls_fail_memory(c->err, "a JSON document");
        return NULL;
    }
    one->of = n->of;
    if (ls_jsonb_entry(n->of, &n->c, p->first, &one->type, &one->in)) return NULL;
    if (n->c.object && (ls_jsonb_key(n->of, &n->c, p->first, &key, &one->nkey) || ls_jsonb_take_text(n->of, key, one->nkey))) return NULL;
    one->key = (const char *)key;
    p->one = one;
    return one;
}

/* The server's order of an object's keys. */
static int compare(const void *a, size_t na, const void *b, size_t nb) {
    if (na != nb) return na < nb ? -1 : 1;
    return na ? memcmp(a, b, na) : 0;
}

/* Where in entries first to first + n as they stand a key is, or would be. */
static int search(const node *n, uint64_t first, uint64_t len, const leg *l, uint64_t *at, bool *is) {
    uint64_t low = first, high = first + len;
    const uint8_t *key;
    size_t nkey;
    *is = false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ls_jsonb_key(n->of, &n->c, middle, &key, &nkey)) return -1;
        int order = compare(key, nkey, l->key, l->nkey);
        if (order < 0) {
            low = middle + 1;
        } else {
            *is = *is || order == 0;
            high = middle;
        }
    }
    *at = low - first;
    return 0;
}

/* Which entry a leg names, or where it would stand. The node must be open and of the leg's kind. */
static int find(const node *n, const leg *l, uint64_t *at, bool *is) {
    *is = false;
    *at = 0;
    if (!l->key) {
        *is = l->cell < n->count;
        if (l->from_end)
            *at = *is ? n->count - 1 - l->cell : 0;
        else
            *at = *is ? l->cell : n->count;
        return 0;
    }
    for (const part *p = n->parts; p; p = p->next) {
        uint64_t within = 0;
        if (p->one) {
            int order = compare(p->one->key, p->one->nkey, l->key, l->nkey);
            *is = order == 0;
            within = order < 0;
        } else if (search(n, p->first, p->n, l, &within, is)) {
            return -1;
        }
        *at += within;
        if (*is || within < p->n) return 0;
    }
    return 0;
}

/* ---- operations ---- */

/* The change's value, in place of what the node was. */
static int set(const change *c, node *n) {
    ls_jsonb *of = ls_arena_alloc(c->arena, sizeof *of);
    if (!of) return ls_fail_memory(c->err, "a JSON document");
    *of = (ls_jsonb){.start = c->value, .budget = c->nvalue, .change = c->nth, .mended = n->of->mended, .out = n->of->out, .err = c->err};
    *n = (node){.of = of, .in = ls_cursor_over(c->value, c->nvalue), .key = n->key, .nkey = n->nkey};
    n->type = ls_cursor_u8(&n->in);
    return n->in.failed ? unfit(c, "it has no value") : 0;
}

static int insert(const change *c, node *in, uint64_t at, const leg *l) {
    node *n = ls_arena_zalloc(c->arena, sizeof *n);
    part **link = boundary(c, in, at), *p = n && link ? new_part(c->arena, *link, n, 0, 1) : NULL;
    if (!p) return ls_fail_memory(c->err, "a JSON document");
    n->of = in->of;
    n->key = l->key;
    n->nkey = l->nkey;
    *link = p;
    in->count++;
    return set(c, n);
}

static int take_out(const change *c, node *in, uint64_t at) {
    part **link = alone(c, in, at);
    if (!link) return ls_fail_memory(c->err, "a JSON document");
    *link = (*link)->next;
    in->count--;
    return 0;
}

static int apply(change *c, node *n) {
    int depth = 0;
    leg l;
    c->at = c->path;
    if (!ls_utf8_valid(c->path, (size_t)(c->end - c->path))) {
        c->end = c->path;
        return unfit(c, "its path is not valid UTF-8");
    }
    if (c->at == c->end || *c->at++ != '$') return unfit(c, "its path does not begin with $");
    if (c->at == c->end) return c->operation == REPLACE ? set(c, n) : unfit(c, "its path names the whole document");
    for (;;) {
        uint64_t at;
        bool is;
        if (next_leg(c, &l)) return -1;
        if (!ls_jsonb_is_container(n->type)) return unfit(c, "the document has no object or array there");
        if (open_node(c, n, depth++)) return -1;
        if (n->c.object != (l.key != NULL)) return unfit(c, n->c.object ? "the document has an object there" : "the document has an array there");
        if (find(n, &l, &at, &is)) return -1;
        if (c->at == c->end && c->operation == INSERT) return is && l.key ? unfit(c, "the document has that member already") : insert(c, n, at, &l);
        if (!is) return unfit(c, "the document has no such value");
        if (c->at == c->end && c->operation == REMOVE) return take_out(c, n, at);
        if (!(n = child(c, n, at))) return -1;
        if (c->at == c->end) return set(c, n);
    }
}

static int cut(const change *c, const ls_cursor *in) {
    return ls_fail(c->err, LS_FAIL, "JSON: change %u: at byte %zu of the changes %zu bytes are wanted, %zu remain", c->nth, in->fail_offset,
                   in->fail_wanted, in->fail_remaining);
}

static int read_change(change *c, ls_cursor *in) {
    const uint8_t *from = in->at;
    c->nth++;
    c->operation = ls_cursor_u8(in);
    if (!in->failed && c->operation > REMOVE)
        return ls_fail(c->err, LS_FAIL, "JSON: change %u: at byte %zu of the changes stands operation %u, which is not known", c->nth,
                       (size_t)(from - in->start), c->operation);
    size_t n = (size_t)ls_lenenc(in);
    c->path = (const char *)ls_cursor_take(in, n);
    c->end = c->path ? c->path + n : NULL;
    c->value = NULL;
    c->nvalue = 0;
    if (c->operation != REMOVE) {
        c->nvalue = (size_t)ls_lenenc(in);
        c->value = ls_cursor_take(in, c->nvalue);
    }
    if (in->failed) return cut(c, in);
    if (c->nth > LS_JSONB_CHANGES_MAX)
        return ls_fail(c->err, LS_FAIL, "JSON: more than %d changes of one document: SET GLOBAL binlog_row_value_options = ''", LS_JSONB_CHANGES_MAX);
    return 0;
}

/* ---- the text ---- */

/* Recursion goes no deeper than nodes were opened. */
static int print(const node *n, int depth) {
    ls_buf *out = n->of->out;
    if (!n->opened) return ls_jsonb_print(n->of, n->type, n->in, depth);
    ls_buf_char(out, n->c.object ? '{' : '[');
    for (const part *p = n->parts; p; p = p->next) {
        if (p != n->parts) ls_buf_char(out, ',');
        if (!p->one) {
            if (ls_jsonb_print_entries(n->of, &n->c, p->first, p->n, depth + 1)) return -1;
            continue;
        }
        if (n->c.object) {
            ls_jsonb_put_text(n->of, (const uint8_t *)p->one->key, p->one->nkey);
            ls_buf_char(out, ':');
        }
        if (print(p->one, depth + 1)) return -1;
    }
    ls_buf_char(out, n->c.object ? '}' : ']');
    return 0;
}

int ls_jsonb_change(ls_buf *out, const uint8_t *doc, size_t ndoc, const uint8_t *changes, size_t nchanges, ls_arena *arena, bool *mended,
                    ls_error *err) {
    static const uint8_t null[] = {4, 0}; /* no bytes at all are null */
    if (ndoc == 0) doc = null, ndoc = sizeof null;
    ls_jsonb of = {.start = doc, .budget = ndoc, .mended = mended, .out = out, .err = err};
    node root = {.of = &of, .in = ls_cursor_over(doc, ndoc)};
    change c = {.arena = arena, .err = err};
    root.type = ls_cursor_u8(&root.in);
    for (ls_cursor in = ls_cursor_over(changes, nchanges); ls_cursor_left(&in) > 0;)
        if (read_change(&c, &in) || apply(&c, &root)) return -1;
    if (print(&root, 0)) return -1;
    return out->failed ? ls_fail_memory(err, "a JSON document") : 0;
}
