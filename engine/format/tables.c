#include "format/tables.h"

#include <stdlib.h>
#include <string.h>

typedef struct table {
    struct table *next;
    const ls_schema *shapes[LS_TABLE_SHAPES]; /* references; the one seen last first */
    size_t nshapes;
    size_t schema_len, table_len;
    char name[]; /* schema, then table */
} table;

struct ls_tables {
    ls_schemas *schemas;
    table *buckets[LS_TABLES_BUCKETS]; /* the table seen last first */
};

ls_tables *ls_tables_new(ls_schemas *schemas) {
    ls_tables *t = calloc(1, sizeof *t);
    if (t) t->schemas = schemas;
    return t;
}

static void free_table(table *t) {
    for (size_t i = 0; i < t->nshapes; i++) ls_schema_unref(t->shapes[i]);
    free(t);
}

void ls_tables_free(ls_tables *t) {
    if (!t) return;
    for (size_t b = 0; b < LS_TABLES_BUCKETS; b++)
        for (table *e = t->buckets[b], *next; e; e = next) {
            next = e->next;
            free_table(e);
        }
    free(t);
}

static bool is(const table *e, const char *schema, size_t sn, const char *name, size_t tn) {
    return e->schema_len == sn && e->table_len == tn && memcmp(e->name, schema, sn) == 0 && memcmp(e->name + sn, name, tn) == 0;
}

static uint32_t hash(uint32_t h, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)p[i]) * 0x01000193u;
    return h;
}

static table *find(ls_tables *t, const char *schema, size_t sn, const char *name, size_t tn) {
    table **head = &t->buckets[hash(hash(0x811c9dc5u, schema, sn), name, tn) % LS_TABLES_BUCKETS], **at = head, *e;
    for (size_t seen = 0; (e = *at); at = &e->next) {
        if (is(e, schema, sn, name, tn)) {
            *at = e->next;
            break;
        }
        if (++seen < LS_TABLES_A_BUCKET) continue;
        *at = NULL;
        for (table *next; e; e = next) {
            next = e->next;
            free_table(e);
        }
        break;
    }
    if (!e) {
        e = calloc(1, sizeof *e + sn + tn);
        if (!e) return NULL;
        e->schema_len = sn;
        e->table_len = tn;
        memcpy(e->name, schema, sn);
        memcpy(e->name + sn, name, tn);
    }
    e->next = *head;
    return *head = e;
}

/* A number column takes integers and NaN, too; a column that was only ever NULL takes nothing else. */
static bool takes(int type, const ls_seen_column *c) {
    if (c->type == LS_TYPE_UNKNOWN || c->type == type) return true;
    if (type != LS_TYPE_FLOAT) return false;
    return c->type == LS_TYPE_INTEGER;
}

static bool same_key(const ls_schema *s, const ls_seen_column *key, size_t nkey) {
    if (s->nkey != nkey) return false;
    for (size_t i = 0; i < nkey; i++) {
        const ls_column *k = &s->cols[s->key[i]];
        if (k->name_len != key[i].name_len || memcmp(k->name, key[i].name, k->name_len) != 0) return false;
    }
    return true;
}

/* Fills at[]; false when the shape lacks a column, or has others. */
static bool has_columns(const ls_schema *s, const ls_seen_column *cols, size_t ncols, bool whole, uint32_t *at) {
    if (whole ? s->ncols != ncols : s->ncols < ncols) return false;
    uint32_t hint = 0;
    for (size_t i = 0; i < ncols; i++) {
        const ls_column *c = hint < s->ncols ? &s->cols[hint] : NULL;
        if (!c || c->name_len != cols[i].name_len || memcmp(c->name, cols[i].name, c->name_len) != 0) {
            int k = ls_schema_find(s, cols[i].name, cols[i].name_len);
            if (k < 0) return false;
            hint = (uint32_t)k;
        }
        at[i] = hint++;
    }
    return true;
}

static bool fits_types(const ls_schema *s, const ls_seen_column *cols, size_t ncols, const uint32_t *at) {
    for (size_t i = 0; i < ncols; i++)
        if (!takes(s->cols[at[i]].type, &cols[i])) return false;
    return true;
}

static void to_front(table *e, size_t i) {
    const ls_schema *s = e->shapes[i];
    memmove(e->shapes + 1, e->shapes, i * sizeof *e->shapes);
    e->shapes[0] = s;
}

static const ls_schema *add_shape(table *e, const ls_schema *s) {
    if (!s) return NULL;
    if (e->nshapes == LS_TABLE_SHAPES) ls_schema_unref(e->shapes[--e->nshapes]);
    e->shapes[e->nshapes] = s;
    to_front(e, e->nshapes++);
    return s;
}

/* The shape with the types that the row's values ask for, in its place. */
static const ls_schema *retyped(ls_tables *t, table *e, size_t i, const ls_seen_column *cols, size_t ncols, const uint32_t *at) {
    const ls_schema *s = e->shapes[i];
    ls_column_def *d = malloc(s->ncols * sizeof *d);
    if (!d) return NULL;
    for (uint32_t k = 0; k < s->ncols; k++) d[k] = (ls_column_def){s->cols[k].name, s->cols[k].name_len, s->cols[k].type};
    for (size_t k = 0; k < ncols; k++) {
        bool both = d[at[k]].type == LS_TYPE_INTEGER && cols[k].type == LS_TYPE_FLOAT;
        if (both || !takes(d[at[k]].type, &cols[k])) d[at[k]].type = cols[k].type;
    }
    const ls_schema *to = ls_schema_new(t->schemas, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols, s->key, s->nkey);
    free(d);
    if (!to) return NULL;
    ls_schema_unref(s);
    e->shapes[i] = to;
    to_front(e, i);
    return to;
}

static const ls_schema *fresh(ls_tables *t, table *e, const ls_seen_column *cols, size_t ncols, const ls_seen_column *key,
                              size_t nkey, uint32_t *at, bool *bad_key) {
    ls_column_def *d = malloc((ncols ? ncols : 1) * sizeof *d);
    uint16_t *k = malloc((nkey ? nkey : 1) * sizeof *k);
    const ls_schema *s = NULL;
    for (size_t i = 0; d && i < ncols; i++) {
        d[i] = (ls_column_def){cols[i].name, cols[i].name_len, cols[i].type};
        at[i] = (uint32_t)i;
    }
    for (size_t i = 0; d && k && i < nkey; i++) {
        size_t c = 0;
        while (c < ncols && (cols[c].name_len != key[i].name_len || memcmp(cols[c].name, key[i].name, key[i].name_len) != 0)) c++;
        *bad_key |= c == ncols;
        k[i] = (uint16_t)c;
    }
    if (d && k && !*bad_key)
        s = add_shape(e, ls_schema_new(t->schemas, e->name, e->schema_len, e->name + e->schema_len, e->table_len, d, ncols, k, nkey));
    free(d);
    free(k);
    return s;
}

const ls_schema *ls_tables_schema(ls_tables *t, const char *schema, size_t schema_len, const char *name, size_t table_len,
                                  const ls_seen_column *cols, size_t ncols, bool whole, const ls_seen_column *key, size_t nkey,
                                  uint32_t *at, bool *bad_key) {
    table *e = find(t, schema, schema_len, name, table_len);
    *bad_key = false;
    if (!e) return NULL;
    for (size_t i = 0; i < e->nshapes; i++) {
        const ls_schema *s = e->shapes[i];
        if (!has_columns(s, cols, ncols, whole, at) || (ncols && !same_key(s, key, nkey))) continue;
        if (!fits_types(s, cols, ncols, at)) return retyped(t, e, i, cols, ncols, at);
        if (i) to_front(e, i);
        return s;
    }
    return fresh(t, e, cols, ncols, key, nkey, at, bad_key);
}
