#include "change/schema.h"

#include <stdlib.h>
#include <string.h>

typedef enum step_kind { WITH, WITHOUT, RENAMED, RETYPED, NAMED } step_kind;

/* A schema made from another by one hook step, remembered so that each step is paid for once a schema, not once a row.
 * The child is owned by the parent: it dies with it. */
typedef struct step {
    struct step *next;
    ls_schema *to;
    step_kind kind;
    int type;      /* of the new column, or the column's new one */
    uint32_t col;  /* the column that is taken out, or changed */
} step;

typedef struct whole_schema { /* `seen` stands first: the ABI's part */
    ls_schema seen;
    ls_schemas *reg;
    uint32_t refs;
    step *steps;
    void *cache;
    void (*cache_drop)(void *);
} whole_schema;

static whole_schema *whole(const ls_schema *s) { return (whole_schema *)(uintptr_t)s; }

static size_t total_bytes(const ls_column_def *cols, size_t ncols, size_t schema_len, size_t table_len, size_t nkey) {
    size_t bytes = sizeof(whole_schema) + ncols * sizeof(ls_column) + nkey * sizeof(uint16_t);
    for (size_t i = 0; i < ncols; i++) bytes += cols[i].name_len + 1;
    return bytes + schema_len + 1 + table_len + 1;
}

static char *put(char **at, const char *p, size_t n) {
    char *s = *at;
    if (n) memcpy(s, p, n);
    s[n] = '\0';
    *at += n + 1;
    return s;
}

uint32_t ls_schemas_rule(const ls_schemas *reg, const char *schema, const char *table) {
    const char *patterns[LS_RULES_MAX];
    for (uint32_t i = 0; i < reg->nrules; i++) patterns[i] = reg->rules[i].pattern;
    return (uint32_t)(ls_pattern_best(patterns, reg->nrules, schema, table) + 1);
}

ls_before ls_schemas_before(const ls_schemas *reg, uint32_t rule) { return rule ? reg->rules[rule - 1].before : reg->before; }

ls_schema *ls_schema_new(ls_schemas *reg, const char *schema, size_t schema_len, const char *table, size_t table_len,
                         const ls_column_def *cols, size_t ncols, const uint16_t *key, size_t nkey) {
    if (ncols > LS_COLUMNS_MAX || nkey > ncols) return NULL;
    whole_schema *w = malloc(total_bytes(cols, ncols, schema_len, table_len, nkey));
    if (!w) return NULL;
    ls_column *c = (ls_column *)(w + 1);
    uint16_t *k = (uint16_t *)(c + ncols);
    char *text = (char *)(k + nkey);
    for (size_t i = 0; i < ncols; i++)
        c[i] = (ls_column){.name = put(&text, cols[i].name, cols[i].name_len),
                           .name_len = (uint32_t)cols[i].name_len,
                           .type = cols[i].type};
    for (size_t i = 0; i < nkey; i++) {
        k[i] = key[i];
        c[key[i]].key_at = (uint16_t)(i + 1);
    }
    *w = (whole_schema){.reg = reg, .refs = 1};
    w->seen = (ls_schema){.id = ++reg->last_id,
                          .ncols = (uint32_t)ncols,
                          .nkey = (uint32_t)nkey,
                          .schema = put(&text, schema, schema_len),
                          .schema_len = (uint32_t)schema_len,
                          .table = put(&text, table, table_len),
                          .table_len = (uint32_t)table_len,
                          .cols = c,
                          .key = k};
    uint32_t rule = ls_schemas_rule(reg, w->seen.schema, w->seen.table);
    w->seen.rule = (uint16_t)rule;
    w->seen.before = (uint16_t)ls_schemas_before(reg, rule);
    return &w->seen;
}

const ls_schema *ls_schema_ref(const ls_schema *s) {
    whole(s)->refs++;
    return s;
}

void ls_schema_unref(const ls_schema *s) {
    if (!s || --whole(s)->refs) return;
    whole_schema *w = whole(s);
    if (w->cache_drop) w->cache_drop(w->cache);
    for (step *t = w->steps, *next; t; t = next) {
        next = t->next;
        w->reg->shapes--;
        ls_schema_unref(t->to);
        free(t);
    }
    free(w);
}

int ls_schema_find(const ls_schema *s, const char *name, size_t n) {
    for (uint32_t i = 0; i < s->ncols; i++)
        if (s->cols[i].name_len == n && memcmp(s->cols[i].name, name, n) == 0) return (int)i;
    return -1;
}

/* Takes over `to`, also when it fails. Under another name the table keeps its options. */
static const ls_schema *remember(const ls_schema *s, ls_schema *to, step_kind kind, int type, uint32_t col) {
    step *t = to && !ls_schema_at_limit(s) ? malloc(sizeof *t) : NULL;
    if (!t) {
        ls_schema_unref(to);
        return NULL;
    }
    *t = (step){.next = whole(s)->steps, .to = to, .kind = kind, .type = type, .col = col};
    whole(s)->steps = t;
    to->rule = s->rule;
    to->before = s->before;
    whole(s)->reg->shapes++;
    return to;
}

bool ls_schema_at_limit(const ls_schema *s) { return whole(s)->reg->shapes >= LS_SHAPES_MAX; }

static ls_column_def *defs_of(const ls_schema *s, size_t more) {
    ls_column_def *d = calloc(s->ncols + more ? s->ncols + more : 1, sizeof *d);
    for (uint32_t i = 0; d && i < s->ncols; i++)
        d[i] = (ls_column_def){s->cols[i].name, s->cols[i].name_len, s->cols[i].type};
    return d;
}

const ls_schema *ls_schema_with(const ls_schema *s, const char *name, size_t n, int type) {
    for (step *t = whole(s)->steps; t; t = t->next) {
        const ls_column *last = t->kind == WITH && t->type == type ? &t->to->cols[t->to->ncols - 1] : NULL;
        if (last && last->name_len == n && memcmp(last->name, name, n) == 0) return t->to;
    }
    ls_column_def *d = defs_of(s, 1);
    if (!d) return NULL;
    d[s->ncols] = (ls_column_def){name, n, (uint8_t)type};
    ls_schema *to = ls_schema_new(whole(s)->reg, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols + 1,
                                  s->key, s->nkey);
    free(d);
    return remember(s, to, WITH, type, 0);
}

const ls_schema *ls_schema_without(const ls_schema *s, uint32_t col) {
    for (step *t = whole(s)->steps; t; t = t->next)
        if (t->kind == WITHOUT && t->col == col) return t->to;
    ls_column_def *d = defs_of(s, 0);
    uint16_t *key = malloc((s->nkey ? s->nkey : 1) * sizeof *key);
    ls_schema *to = NULL;
    if (d && key) {
        memmove(d + col, d + col + 1, (s->ncols - col - 1) * sizeof *d);
        for (uint32_t i = 0; i < s->nkey; i++) key[i] = (uint16_t)(s->key[i] - (s->key[i] > col));
        to = ls_schema_new(whole(s)->reg, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols - 1, key, s->nkey);
    }
    free(d);
    free(key);
    return remember(s, to, WITHOUT, 0, col);
}

const ls_schema *ls_schema_renamed(const ls_schema *s, uint32_t col, const char *name, size_t n) {
    for (step *t = whole(s)->steps; t; t = t->next) {
        const ls_column *c = t->kind == RENAMED && t->col == col ? &t->to->cols[col] : NULL;
        if (c && c->name_len == n && memcmp(c->name, name, n) == 0) return t->to;
    }
    ls_column_def *d = defs_of(s, 0);
    if (!d) return NULL;
    d[col].name = name;
    d[col].name_len = n;
    ls_schema *to = ls_schema_new(whole(s)->reg, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols, s->key, s->nkey);
    free(d);
    return remember(s, to, RENAMED, 0, col);
}

const ls_schema *ls_schema_retyped(const ls_schema *s, uint32_t col, int type) {
    for (step *t = whole(s)->steps; t; t = t->next)
        if (t->kind == RETYPED && t->col == col && t->type == type) return t->to;
    ls_column_def *d = defs_of(s, 0);
    if (!d) return NULL;
    d[col].type = (uint8_t)type;
    ls_schema *to = ls_schema_new(whole(s)->reg, s->schema, s->schema_len, s->table, s->table_len, d, s->ncols, s->key, s->nkey);
    free(d);
    return remember(s, to, RETYPED, type, col);
}

const ls_schema *ls_schema_named(const ls_schema *s, const char *schema, size_t sn, const char *table, size_t tn) {
    for (step *t = whole(s)->steps; t; t = t->next)
        if (t->kind == NAMED && t->to->schema_len == sn && t->to->table_len == tn &&
            memcmp(t->to->schema, schema, sn) == 0 && memcmp(t->to->table, table, tn) == 0)
            return t->to;
    ls_column_def *d = defs_of(s, 0);
    if (!d) return NULL;
    ls_schema *to = ls_schema_new(whole(s)->reg, schema, sn, table, tn, d, s->ncols, s->key, s->nkey);
    free(d);
    return remember(s, to, NAMED, 0, 0);
}

void *ls_schema_cache(const ls_schema *s, void (*drop)(void *)) { return whole(s)->cache_drop == drop ? whole(s)->cache : NULL; }

void ls_schema_set_cache(const ls_schema *s, void *cache, void (*drop)(void *)) {
    whole_schema *w = whole(s);
    if (w->cache_drop) w->cache_drop(w->cache);
    w->cache = cache;
    w->cache_drop = drop;
}
