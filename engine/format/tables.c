#include "format/tables.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

typedef struct ls_table {
    struct ls_table *next;
    ls_shape *shapes[LS_TABLE_SHAPES]; /* the one seen last first */
    size_t nshapes;
    size_t schema_len, table_len;
    char name[]; /* schema, then table */
} table;

/* ---- shapes */

static void free_shape(ls_shape *s) {
    ls_schema_unref(s->schema);
    free(s->by_name);
    free(s->piece);
    ls_buf_free(&s->text);
    free(s);
}

static int by_name(const void *a, const void *b, void *schema) {
    const ls_column *cols = ((const ls_schema *)schema)->cols, *x = &cols[*(const uint32_t *)a], *y = &cols[*(const uint32_t *)b];
    size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->name, y->name, n);
    return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

static void put_texts(ls_shape *s) {
    const ls_schema *of = s->schema;
    ls_buf_str(&s->text, "\",\"schema\":");
    ls_json_string(&s->text, of->schema, of->schema_len);
    ls_buf_str(&s->text, ",\"table\":");
    ls_json_string(&s->text, of->table, of->table_len);
    for (uint32_t i = 0; i < of->nkey; i++) {
        ls_buf_str(&s->text, i ? ",{\"name\":" : ",\"pk\":[{\"name\":");
        ls_json_string(&s->text, of->cols[of->key[i]].name, of->cols[of->key[i]].name_len);
        ls_buf_str(&s->text, i + 1 < of->nkey ? "}" : "}]");
    }
    s->head = s->piece[0] = s->text.len;
    for (uint32_t i = 0; i < of->ncols; i++) {
        ls_buf_str(&s->text, "{\"name\":");
        ls_json_string(&s->text, of->cols[i].name, of->cols[i].name_len);
        ls_buf_str(&s->text, ",\"value\":");
        s->piece[i + 1] = s->text.len;
    }
}

/* Takes over the schema's reference, also when memory is out. */
static ls_shape *new_shape(const ls_schema *of) {
    ls_shape *s = of ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        ls_schema_unref(of);
        return NULL;
    }
    s->schema = of;
    s->by_name = malloc((of->ncols + 1) * sizeof *s->by_name);
    s->piece = malloc((of->ncols + 1) * sizeof *s->piece);
    if (s->by_name && s->piece) put_texts(s);
    if (!s->by_name || !s->piece || s->text.failed) {
        free_shape(s);
        return NULL;
    }
    for (uint32_t i = 0; i < of->ncols; i++) s->by_name[i] = i;
    qsort_r(s->by_name, of->ncols, sizeof *s->by_name, by_name, (void *)(uintptr_t)of);
    return s;
}

static bool is_column(const ls_column *c, const ls_seen_column *seen) {
    return c->name_len == seen->name_len && memcmp(c->name, seen->name, seen->name_len) == 0;
}

static int find_column(const ls_shape *s, const ls_seen_column *seen) {
    uint32_t from = 0, to = s->schema->ncols;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        const ls_column *c = &s->schema->cols[s->by_name[middle]];
        size_t n = c->name_len < seen->name_len ? c->name_len : seen->name_len;
        int order = memcmp(c->name, seen->name, n);
        if (order == 0 && c->name_len == seen->name_len) return (int)s->by_name[middle];
        if (order < 0 || (order == 0 && c->name_len < seen->name_len))
            from = middle + 1;
        else
            to = middle;
    }
    return -1;
}

/* ---- tables */

ls_tables *ls_tables_new(ls_schemas *schemas) {
    ls_tables *t = calloc(1, sizeof *t);
    if (t) t->schemas = schemas;
    return t;
}

static void free_tables(table *e) {
    for (table *next; e; e = next) {
        next = e->next;
        for (size_t i = 0; i < e->nshapes; i++) free_shape(e->shapes[i]);
        free(e);
    }
}

void ls_tables_free(ls_tables *t) {
    if (!t) return;
    for (size_t b = 0; b < LS_TABLES_BUCKETS; b++) free_tables(t->buckets[b]);
    free(t);
}

/* A shape is about to go: the quick reader must not try it. */
static void forget_recent(ls_tables *t) { memset(t->recent, 0, sizeof t->recent); }

static const ls_schema *use(ls_tables *t, table *e, size_t i) {
    ls_shape *s = e->shapes[i];
    memmove(e->shapes + 1, e->shapes, i * sizeof *e->shapes);
    e->shapes[0] = s;
    size_t at = 0;
    while (at < LS_TABLES_RECENT - 1 && t->recent[at] && t->recent[at] != s) at++;
    memmove(t->recent + 1, t->recent, at * sizeof *t->recent);
    t->recent[0] = s;
    return s->schema;
}

static uint32_t hash(uint32_t h, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)p[i]) * 0x01000193u;
    return h;
}

static bool is_table(const table *e, const ls_seen_row *r) {
    return e->schema_len == r->schema_len && e->table_len == r->table_len && memcmp(e->name, r->schema, r->schema_len) == 0 &&
           memcmp(e->name + r->schema_len, r->table, r->table_len) == 0;
}

static table *new_table(const ls_seen_row *r) {
    table *e = calloc(1, sizeof *e + r->schema_len + r->table_len);
    if (!e) return NULL;
    e->schema_len = r->schema_len;
    e->table_len = r->table_len;
    memcpy(e->name, r->schema, r->schema_len);
    memcpy(e->name + r->schema_len, r->table, r->table_len);
    return e;
}

static table *find(ls_tables *t, const ls_seen_row *r) {
    uint32_t h = hash(hash(0x811c9dc5u, r->schema, r->schema_len), r->table, r->table_len);
    table **head = &t->buckets[h % LS_TABLES_BUCKETS], **at = head, *e;
    for (size_t seen = 0; (e = *at) && !is_table(e, r); at = &e->next) {
        if (++seen < LS_TABLES_A_BUCKET) continue;
        forget_recent(t);
        free_tables(e->next);
        e->next = NULL;
    }
    if (e)
        *at = e->next;
    else if (!(e = new_table(r)))
        return NULL;
    e->next = *head;
    return *head = e;
}

/* ---- does a shape fit a row? */

bool ls_tables_takes(int type, const ls_seen_column *c) {
    if (c->type == LS_TYPE_UNKNOWN || c->type == type) return true;
    return type == LS_TYPE_FLOAT && (c->type == LS_TYPE_INTEGER || c->nan);
}

static bool same_key(const ls_schema *s, const ls_seen_row *r) {
    if (s->nkey != r->nkey) return false;
    for (size_t i = 0; i < r->nkey; i++)
        if (!is_column(&s->cols[s->key[i]], &r->key[i])) return false;
    return true;
}

/* Fills at[]. Of a whole row: the same columns, in the same order as far as that is known. */
static bool same_columns(const ls_shape *shape, const ls_seen_row *r, uint32_t *at) {
    const ls_schema *s = shape->schema;
    uint32_t next = 0;
    if (r->whole ? r->ordered > s->ncols : r->ncols > s->ncols) return false;
    for (size_t i = 0; i < r->ncols; i++) {
        int k = next < s->ncols && is_column(&s->cols[next], &r->cols[i]) ? (int)next : find_column(shape, &r->cols[i]);
        if (k < 0 || (r->whole && i < r->ordered && (uint32_t)k < next)) return false;
        at[i] = (uint32_t)k;
        next = at[i] + 1;
    }
    return true;
}

/* Is every column of the schema among at[]? */
static int covers(const ls_schema *s, const ls_seen_row *r, const uint32_t *at) {
    if (r->ordered == s->ncols) return 1; /* they rise, so they are all of them */
    size_t count = 0;
    uint8_t *named = calloc(s->ncols, 1);
    if (!named) return -1;
    for (size_t i = 0; i < r->ncols; i++) {
        count += !named[at[i]];
        named[at[i]] = 1;
    }
    free(named);
    return count == s->ncols;
}

static bool takes_all(const ls_schema *s, const ls_seen_row *r, const uint32_t *at) {
    for (size_t i = 0; i < r->ncols; i++)
        if (!ls_tables_takes(s->cols[at[i]].type, &r->cols[i])) return false;
    return true;
}

/* ---- new shapes */

static const ls_schema *add_shape(ls_tables *t, table *e, const ls_schema *schema) {
    ls_shape *s = new_shape(schema);
    if (!s) return NULL;
    if (e->nshapes == LS_TABLE_SHAPES) {
        forget_recent(t);
        free_shape(e->shapes[--e->nshapes]);
    }
    e->shapes[e->nshapes++] = s;
    return use(t, e, e->nshapes - 1);
}

/* The type that takes this value, too. *wider: and all that the column took before. */
static uint8_t joined(uint8_t type, const ls_seen_column *c, bool *wider) {
    if (ls_tables_takes(type, c)) return type;
    if (type == LS_TYPE_INTEGER && (c->type == LS_TYPE_FLOAT || c->nan)) return LS_TYPE_FLOAT;
    if (type != LS_TYPE_UNKNOWN) *wider = false;
    return c->type;
}

/* Shape i with the types that the row's values ask for: in its place if it takes all that it took before, else beside it. */
static const ls_schema *retyped(ls_tables *t, table *e, size_t i, const ls_seen_row *r, const uint32_t *at) {
    const ls_schema *s = e->shapes[i]->schema;
    bool wider = true;
    ls_column_def *d = malloc(s->ncols * sizeof *d);
    if (!d) return NULL;
    for (uint32_t k = 0; k < s->ncols; k++) d[k] = (ls_column_def){s->cols[k].name, s->cols[k].name_len, s->cols[k].type};
    for (size_t k = 0; k < r->ncols; k++) d[at[k]].type = joined(d[at[k]].type, &r->cols[k], &wider);
    const ls_schema *to = ls_schema_new(t->schemas, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols, s->key, s->nkey);
    free(d);
    if (!wider) return add_shape(t, e, to);
    ls_shape *shape = new_shape(to);
    if (!shape) return NULL;
    forget_recent(t);
    free_shape(e->shapes[i]);
    e->shapes[i] = shape;
    return use(t, e, i);
}

typedef struct first_seen { /* a name, and where it came first */
    const ls_seen_column *cols;
    uint32_t at;
} first_seen;

static int by_seen_name(const void *a, const void *b) {
    const first_seen *f = a, *g = b;
    const ls_seen_column *x = &f->cols[f->at], *y = &g->cols[g->at];
    size_t n = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp(x->name, y->name, n);
    if (order == 0 && x->name_len == y->name_len) return (f->at > g->at) - (f->at < g->at);
    return order ? order : x->name_len > y->name_len ? 1 : -1;
}

static bool same_name(const ls_seen_column *a, const ls_seen_column *b) {
    return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

/* Gives each distinct name a column, in the order in which they come; fills at[] and d[]. Gives their number; -1: memory. */
static int64_t distinct(const ls_seen_row *r, uint32_t *at, ls_column_def *d) {
    first_seen *f = malloc((r->ncols + 1) * sizeof *f);
    uint32_t n = 0;
    bool ignored;
    if (!f) return -1;
    for (size_t i = 0; i < r->ncols; i++) f[i] = (first_seen){r->cols, (uint32_t)i};
    qsort(f, r->ncols, sizeof *f, by_seen_name);
    for (size_t i = 0, run = 0; i < r->ncols; i++) {
        if (!same_name(&r->cols[f[run].at], &r->cols[f[i].at])) run = i;
        at[f[i].at] = f[run].at; /* first its first place, below its column */
    }
    for (uint32_t i = 0; i < r->ncols; i++) {
        const ls_seen_column *c = &r->cols[i];
        bool first = at[i] == i;
        at[i] = first ? n : at[at[i]];
        if (first)
            d[n++] = (ls_column_def){c->name, c->name_len, c->type};
        else
            d[at[i]].type = joined(d[at[i]].type, c, &ignored);
    }
    free(f);
    return n;
}

/* The key's column numbers; false when a name is not among the columns, or comes twice. */
static bool find_key(const ls_seen_row *r, const uint32_t *at, uint16_t *key) {
    for (size_t i = 0; i < r->nkey; i++) {
        size_t c = 0;
        while (c < r->ncols && !same_name(&r->cols[c], &r->key[i])) c++;
        if (c == r->ncols) return false;
        for (size_t k = 0; k < i; k++)
            if (key[k] == at[c]) return false;
        key[i] = (uint16_t)at[c];
    }
    return true;
}

static const ls_schema *fresh(ls_tables *t, table *e, const ls_seen_row *r, uint32_t *at, const char **why) {
    ls_column_def *d = malloc((r->ncols + 1) * sizeof *d);
    uint16_t *key = malloc((r->nkey + 1) * sizeof *key);
    int64_t ncols = d && key ? distinct(r, at, d) : -1;
    const ls_schema *s = NULL;
    if (ncols > LS_COLUMNS_MAX)
        *why = "the row has more columns than a table can have";
    else if (ncols >= 0 && !find_key(r, at, key))
        *why = "\"pk\" names a column that the row does not carry, or one twice";
    else if (ncols >= 0)
        s = add_shape(t, e, ls_schema_new(t->schemas, r->schema, r->schema_len, r->table, r->table_len, d, (size_t)ncols, key, r->nkey));
    free(d);
    free(key);
    return s;
}

const ls_schema *ls_tables_schema(ls_tables *t, const ls_seen_row *r, uint32_t *at, const char **why) {
    table *e = find(t, r);
    size_t near = LS_TABLE_SHAPES; /* the first shape that is right but for its types */
    *why = NULL;
    if (!e) return NULL;
    for (size_t i = 0; i < e->nshapes; i++) {
        const ls_schema *s = e->shapes[i]->schema;
        if ((r->ncols && !same_key(s, r)) || !same_columns(e->shapes[i], r, at)) continue;
        int all = r->whole ? covers(s, r, at) : 1;
        if (all < 0) return NULL;
        if (!all) continue;
        if (takes_all(s, r, at)) return use(t, e, i);
        if (near == LS_TABLE_SHAPES) near = i;
    }
    if (near == LS_TABLE_SHAPES) return fresh(t, e, r, at, why);
    /* at[] is of the shape that was tried last */
    return same_columns(e->shapes[near], r, at) ? retyped(t, e, near, r, at) : NULL;
}
