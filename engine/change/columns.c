#include "change/columns.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "change/fault.h"
#include "change/number.h"
#include "change/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHOWN_MAX = 100, /* bytes of a value in an error's text */
    NEAR_MAX = 1024  /* columns among which a misspelt one's nearest is looked for */
};

/* What becomes of a table's rows. */
typedef struct plan {
    const ls_schema *from, *to;       /* references; to NULL: nothing happens to them */
    const ls_column_rule **of;        /* from->ncols; NULL: the column stays as it is */
    const ls_hmac_key **key_of;       /* of its mask */
} plan;

typedef struct set {
    ls_column_set seen;
    ls_hmac_key **keys; /* nrules; NULL: no HMAC */
    bool *met;          /* nrules: a table had the column, or its lack was told */
} set;

struct ls_columns {
    set *sets; /* by ls_schema.rule */
    size_t nsets;
    ls_schemas *schemas;
    const ls_log *log;
    plan *plans; /* by the schema's id */
    size_t nplans;
    ls_buf text;
    ls_fault fault; /* of the row at hand; hook NULL: none */
    bool *uncast;   /* its columns, as the source has them, with values that could not be cast; room for cap_uncast */
    size_t cap_uncast;
};

static bool prepare(set *s, const ls_column_set *seen) {
    size_t n = seen->nrules;
    s->seen = *seen;
    s->keys = calloc(n ? n : 1, sizeof *s->keys);
    s->met = calloc(n ? n : 1, sizeof *s->met);
    bool fine = s->keys && s->met;
    for (size_t i = 0; fine && i < n; i++)
        if (seen->rules[i].mask == LS_MASK_HMAC) fine = (s->keys[i] = ls_hmac_key_new(seen->rules[i].text, seen->rules[i].text_len)) != NULL;
    return fine;
}

ls_columns *ls_columns_new(const ls_column_set *sets, size_t n, ls_schemas *schemas, const ls_log *log) {
    ls_columns *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (ls_columns){.sets = calloc(n ? n : 1, sizeof *c->sets), .nsets = n, .schemas = schemas, .log = log};
    bool fine = c->sets;
    for (size_t i = 0; fine && i < n; i++) fine = prepare(&c->sets[i], &sets[i]);
    if (fine) return c;
    ls_columns_free(c);
    return NULL;
}

bool ls_columns_mask(const ls_columns *c) {
    for (size_t i = 0; c && i < c->nsets; i++)
        for (size_t k = 0; k < c->sets[i].seen.nrules; k++)
            if (c->sets[i].seen.rules[k].mask != LS_MASK_NONE) return true;
    return false;
}

static void plan_free(plan *p) {
    ls_schema_unref(p->from);
    ls_schema_unref(p->to);
    free(p->of);
    free(p->key_of);
}

void ls_columns_free(ls_columns *c) {
    if (!c) return;
    for (size_t i = 0; i < c->nplans; i++) plan_free(&c->plans[i]);
    for (size_t i = 0; c->sets && i < c->nsets; i++) {
        set *s = &c->sets[i];
        for (size_t k = 0; s->keys && k < s->seen.nrules; k++) ls_hmac_key_free(s->keys[k]);
        free(s->keys);
        free(s->met);
    }
    free(c->sets);
    free(c->plans);
    free(c->uncast);
    ls_buf_free(&c->text);
    free(c);
}

/* ---- a table's plan ---- */

static int lacks(ls_columns *c, const ls_schema *s, size_t rule, ls_error *err) {
    set *of = &c->sets[s->rule];
    const char *name = of->seen.rules[rule].name, *names[NEAR_MAX];
    size_t n = s->ncols < NEAR_MAX ? s->ncols : NEAR_MAX;
    for (size_t i = 0; i < n; i++) names[i] = s->cols[i].name;
    const char *near = ls_nearest(name, names, n);
    if (of->seen.strict)
        return ls_fail(err, LS_USAGE, "`columns` names \"%s\", and table %s.%s has no such column%s%s%s", name, s->schema, s->table,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    if (of->met[rule]) return 0;
    of->met[rule] = true;
    ls_log_line(c->log, LS_WARN, "`columns` names \"%s\", and table %s.%s has no such column%s%s%s", name, s->schema, s->table,
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return 0;
}

static int type_after(const ls_column_rule *r, int type) {
    if (r->mask != LS_MASK_NONE) return LS_TYPE_STRING;
    return r->cast >= 0 ? r->cast : type;
}

/* The columns and key that remain; -1 with the error. */
static int shape(const plan *p, ls_column_def *cols, uint16_t *key, size_t *ncols, ls_error *err) {
    const ls_schema *s = p->from;
    *ncols = 0;
    for (uint32_t i = 0; i < s->ncols; i++) {
        const ls_column_rule *r = p->of[i];
        const ls_column *col = &s->cols[i];
        if (r && r->drop && col->key_at)
            return ls_fail(err, LS_USAGE, "columns.drop names \"%s\", which is part of the key of table %s.%s: a row cannot be without it; mask "
                           "it instead", col->name, s->schema, s->table);
        if (r && r->drop) continue;
        if (col->key_at) key[col->key_at - 1] = (uint16_t)*ncols;
        bool renamed = r && r->rename;
        cols[(*ncols)++] = (ls_column_def){renamed ? r->rename : col->name, renamed ? strlen(r->rename) : col->name_len,
                                           (uint8_t)(r ? type_after(r, col->type) : col->type)};
    }
    for (uint32_t i = 0; i < s->ncols; i++) {
        const char *name = p->of[i] && !p->of[i]->drop ? p->of[i]->rename : NULL;
        size_t n = name ? strlen(name) : 0, of_that_name = 0;
        for (size_t k = 0; name && k < *ncols; k++) of_that_name += cols[k].name_len == n && memcmp(cols[k].name, name, n) == 0;
        if (of_that_name > 1)
            return ls_fail(err, LS_USAGE, "columns.rename gives table %s.%s two columns \"%s\": take another new name", s->schema, s->table, name);
    }
    return *ncols ? 0 : ls_fail(err, LS_USAGE, "columns.drop leaves table %s.%s without a column", s->schema, s->table);
}

/* Appends a template's text for the table. */
static void expand(ls_buf *out, const char *template_, const ls_schema *s) {
    for (const char *p = template_; *p;) {
        bool schema = strncmp(p, "{schema}", 8) == 0, table = strncmp(p, "{table}", 7) == 0;
        if (schema) ls_buf_add(out, s->schema, s->schema_len);
        if (table) ls_buf_add(out, s->table, s->table_len);
        if (!schema && !table) ls_buf_char(out, *p);
        p += schema ? 8 : table ? 7 : 1;
    }
}

/* The names that the table's changes get, one behind the other in c->text; the first one's length. */
static size_t names_of(ls_columns *c, const ls_schema *s) {
    const ls_column_set *of = &c->sets[s->rule].seen;
    ls_buf_clear(&c->text);
    expand(&c->text, of->as_schema ? of->as_schema : "{schema}", s);
    size_t n = c->text.len;
    expand(&c->text, of->as_table ? of->as_table : "{table}", s);
    return n;
}

static ls_schema *make_schema(ls_columns *c, const ls_schema *s, const ls_column_def *cols, size_t ncols, const uint16_t *key) {
    size_t n = names_of(c, s);
    ls_schema *to = c->text.failed ? NULL : ls_schema_new(c->schemas, c->text.data, n, c->text.data + n, c->text.len - n, cols, ncols, key, s->nkey);
    if (!to) return NULL;
    to->rule = s->rule; /* as the source names the table */
    to->before = s->before;
    return to;
}

/* A change of a whole table. */
static int rename_table(ls_columns *c, ls_work *w, ls_change *ch, ls_error *err) {
    const ls_schema *s = ch->schema;
    if (!s || !c->sets[s->rule].seen.as_table || !ch->whole_table) return 0;
    size_t n = names_of(c, s);
    const ls_schema *to = c->text.failed ? NULL : ls_schema_named(s, c->text.data, n, c->text.data + n, c->text.len - n);
    if (!to || ls_work_hold(w, to)) return ls_fail_memory(err, "applying `as`");
    ch->schema = to;
    return 0;
}

static int make(ls_columns *c, plan *p, ls_error *err) {
    const ls_schema *s = p->from;
    set *of = &c->sets[s->rule];
    const ls_column_rule *rules = of->seen.rules;
    bool any = of->seen.as_table;
    size_t n = s->ncols ? s->ncols : 1, ncols;
    p->of = calloc(n, sizeof *p->of);
    p->key_of = calloc(n, sizeof *p->key_of);
    ls_column_def *cols = calloc(n, sizeof *cols);
    uint16_t *key = calloc(n, sizeof *key);
    int rc = p->of && p->key_of && cols && key ? 0 : ls_fail_memory(err, "reading `columns`");
    for (size_t i = 0; rc == 0 && i < of->seen.nrules; i++) {
        int col = ls_schema_find(s, rules[i].name, strlen(rules[i].name));
        if (col < 0) {
            rc = lacks(c, s, i, err);
            continue;
        }
        of->met[i] = any = true;
        p->of[col] = &rules[i];
        p->key_of[col] = of->keys[i];
    }
    if (rc == 0 && any) rc = shape(p, cols, key, &ncols, err);
    if (rc == 0 && any && !(p->to = make_schema(c, s, cols, ncols, key)))
        rc = ls_fail_memory(err, "reading `columns`");
    free(cols);
    free(key);
    return rc;
}

static const plan *plan_of(ls_columns *c, const ls_schema *s, ls_error *err) {
    if (s->id >= c->nplans) {
        size_t n = (size_t)s->id + 64;
        plan *p = realloc(c->plans, n * sizeof *p);
        if (!p) {
            ls_fail_memory(err, "reading `columns`");
            return NULL;
        }
        memset(p + c->nplans, 0, (n - c->nplans) * sizeof *p);
        c->plans = p;
        c->nplans = n;
    }
    plan *p = &c->plans[s->id];
    if (p->from) return p;
    p->from = ls_schema_ref(s);
    if (make(c, p, err) == 0) return p;
    plan_free(p);
    *p = (plan){0};
    return NULL;
}

/* ---- a value ---- */

static bool is(const ls_value *v, const char *text) { return v->len == strlen(text) && memcmp(v->as.p, text, v->len) == 0; }

/* A whole number is the same whether a server sends it as bytes or as digits: what is not 0 is true. */
static bool to_boolean(ls_value *v) {
    bool yes = false, text = v->kind == LS_KIND_TEXT;
    if (v->kind == LS_KIND_INT || v->kind == LS_KIND_UINT)
        yes = v->as.u != 0;
    else if (text && ls_number_is_integer(v->as.p, v->len))
        yes = !is(v, "0") && !is(v, "-0");
    else if (text && (is(v, "true") || is(v, "t")))
        yes = true;
    else if (!text || !(is(v, "false") || is(v, "f")))
        return v->kind == LS_KIND_BOOL;
    *v = (ls_value){.kind = LS_KIND_BOOL, .as.i = yes};
    return true;
}

static bool to_integer(ls_value *v) {
    if (v->kind == LS_KIND_BOOL) v->kind = LS_KIND_INT;
    if ((v->kind == LS_KIND_DOUBLE || v->kind == LS_KIND_FLOAT) && v->as.d == floor(v->as.d) && fabs(v->as.d) < 9007199254740992.0) *v = ls_value_int((int64_t)v->as.d);
    if (v->kind == LS_KIND_INT || v->kind == LS_KIND_UINT) return true;
    ls_json_value number = {.kind = LS_JSON_NUMBER, .p = v->as.p, .n = v->len};
    int64_t i;
    uint64_t u;
    if (v->kind != LS_KIND_TEXT || !ls_number_is_integer(v->as.p, v->len)) return false;
    if (ls_json_i64(&number, &i) == 0)
        *v = ls_value_int(i);
    else if (ls_json_u64(&number, &u) == 0)
        *v = ls_value_uint(u);
    else
        return false;
    return true;
}

static bool to_float(ls_value *v) {
    double d = 0;
    if (v->kind == LS_KIND_DOUBLE || v->kind == LS_KIND_FLOAT || v->kind == LS_KIND_INT || v->kind == LS_KIND_UINT) return true;
    if (v->kind != LS_KIND_TEXT || ls_number_read_double(v->as.p, v->len, &d)) return false;
    *v = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = d};
    return true;
}

/* The canonical text, as a text. -1: memory. */
static int to_text(ls_columns *c, ls_work *w, ls_value *v) {
    if (v->kind == LS_KIND_TEXT) return 0;
    ls_buf_clear(&c->text);
    ls_value_print(&c->text, v);
    char *p = c->text.failed ? NULL : ls_arena_copy(&w->arena, c->text.data, c->text.len);
    if (!p) return -1;
    *v = ls_value_text(p, c->text.len);
    return 0;
}

/* A datetime as a timestamp, for which it is of UTC, or a timestamp as a datetime of UTC. 1; 0: it is neither; -1: memory. */
static int to_zone(ls_work *w, bool utc, ls_value *v) {
    if (v->kind != LS_KIND_TEXT) return 0;
    if (is(v, "infinity") || is(v, "-infinity")) return 1;
    if (v->len < sizeof "2026-01-31T0" || !memchr(v->as.p, 'T', v->len)) return 0;
    bool marked = v->as.p[v->len - 1] == 'Z';
    char last = v->as.p[v->len - (marked ? 2 : 1)];
    if (last < '0' || last > '9') return 0;
    if (marked == utc) return 1;
    char *p = utc ? ls_arena_copy(&w->arena, v->as.p, v->len) : NULL;
    if (utc && !p) return -1;
    if (utc) p[v->len] = 'Z';
    *v = ls_value_text(utc ? p : v->as.p, utc ? v->len + 1 : v->len - 1);
    return 1;
}

/* 1: cast; 0: the value is none of the type; -1: memory. */
static int cast(ls_columns *c, ls_work *w, int type, ls_value *v) {
    switch (type) {
    case LS_TYPE_BOOLEAN: return to_boolean(v);
    case LS_TYPE_INTEGER: return to_integer(v);
    case LS_TYPE_FLOAT: return to_float(v);
    case LS_TYPE_TIMESTAMP: return to_zone(w, true, v);
    case LS_TYPE_DATETIME: return to_zone(w, false, v);
    case LS_TYPE_JSON: return v->kind == LS_KIND_JSON ? to_text(c, w, v) == 0 ? 1 : -1 : v->kind == LS_KIND_TEXT && ls_json_is_document(v->as.p, v->len);
    case LS_TYPE_DECIMAL:
        if (v->kind == LS_KIND_BOOL || v->kind == LS_KIND_BYTES || v->kind == LS_KIND_JSON) return 0;
        if (to_text(c, w, v)) return -1;
        return ls_number_is_decimal(v->as.p, v->len) || is(v, "NaN") || is(v, "Infinity") || is(v, "-Infinity");
    default: return to_text(c, w, v) == 0 ? 1 : -1;
    }
}

/* A * for each character but the last `keep` of them; for each, where there are no more. */
static void keep_last(ls_buf *out, const char *p, size_t n, unsigned keep) {
    size_t at = n, hidden = 0;
    for (unsigned kept = 0; at && kept < keep;)
        if (((uint8_t)p[--at] & 0xc0) != 0x80) kept++;
    if (!at) at = n; /* it would show the whole */
    for (size_t i = 0; i < at; i++) hidden += ((uint8_t)p[i] & 0xc0) != 0x80;
    for (; hidden; hidden--) ls_buf_char(out, '*');
    ls_buf_add(out, p + at, n - at);
}

static int mask(ls_columns *c, ls_work *w, const ls_column_rule *r, const ls_hmac_key *key, ls_value *v) {
    if (r->mask == LS_MASK_TEXT) {
        *v = ls_value_text(r->text, r->text_len);
        return 0;
    }
    if (to_text(c, w, v)) return -1;
    if (r->mask == LS_MASK_KEEP_LAST) {
        ls_buf_clear(&c->text);
        keep_last(&c->text, v->len ? v->as.p : "", v->len, r->keep);
        char *p = c->text.failed ? NULL : ls_arena_copy(&w->arena, c->text.data, c->text.len);
        if (!p) return -1;
        *v = ls_value_text(p, c->text.len);
        return 0;
    }
    char *hex = ls_arena_alloc(&w->arena, LS_SHA256_HEX);
    if (!hex) return -1;
    ls_digest_hex(key, v->as.p, v->len, hex);
    *v = ls_value_text(hex, LS_SHA256_HEX);
    return 0;
}

/* ---- a row ---- */

/* What is masked is not for the log either. */
static void show(ls_buf *out, const ls_column_rule *r, const ls_value *v) {
    if (r && r->mask != LS_MASK_NONE)
        ls_buf_str(out, "***");
    else
        ls_value_print(out, v);
}

static int no_cast(const ls_change *ch, const plan *p, uint32_t col, const ls_value *v, ls_error *err) {
    static const char *const names[] = {[LS_TYPE_BOOLEAN] = "boolean", [LS_TYPE_INTEGER] = "integer (of 64 bits)", [LS_TYPE_FLOAT] = "float",
                                        [LS_TYPE_DECIMAL] = "decimal", [LS_TYPE_JSON] = "json", [LS_TYPE_DATETIME] = "datetime",
                                        [LS_TYPE_TIMESTAMP] = "timestamp"};
    const ls_schema *s = p->from;
    const ls_value *row = ch->after ? ch->after : ch->before;
    ls_buf key = {0}, value = {0};
    for (uint32_t i = 0; i < s->nkey && row; i++) {
        ls_buf_str(&key, i ? ", " : ", key ");
        if (row[s->key[i]].state == LS_PRESENT) show(&key, p->of[s->key[i]], &row[s->key[i]]);
    }
    show(&value, p->of[col], v);
    const char *k = ls_buf_cstr(&key), *text = ls_buf_cstr(&value);
    ls_fail(err, LS_FAIL, "table %s.%s, column \"%s\"%.*s, position %s/%llu: columns.cast: \"%.*s\" is no %s", s->schema, s->table, s->cols[col].name,
            SHOWN_MAX, k ? k : "", ch->tx->pos, (unsigned long long)ch->seq, SHOWN_MAX, text ? text : "", names[p->of[col]->cast]);
    ls_buf_free(&key);
    ls_buf_free(&value);
    return -1;
}

/* The value stays uncast, and is masked like any other. */
static int leave_uncast(ls_columns *c, ls_work *w, const ls_change *ch, const plan *p, uint32_t col, const ls_value *v, ls_error *err) {
    no_cast(ch, p, col, v, err);
    if (!w->isolate) return -1;
    if (!c->fault.hook && !(c->fault.text = ls_arena_copy(&w->arena, err->text, strlen(err->text)))) return ls_fail_memory(err, "applying `columns`");
    c->fault.hook = "columns.cast";
    c->uncast[col] = p->of[col]->mask == LS_MASK_NONE;
    return 0;
}

static int change_value(ls_columns *c, ls_work *w, const ls_change *ch, const plan *p, uint32_t col, ls_value *v, ls_error *err) {
    const ls_column_rule *r = p->of[col];
    if (!r || r->drop || v->state != LS_PRESENT) return 0;
    const ls_value was = *v;
    int rc = r->cast >= 0 ? cast(c, w, r->cast, v) : 1;
    if (rc == 0 && leave_uncast(c, w, ch, p, col, v, err)) return -1;
    if (rc == 0) *v = was;
    if (rc < 0 || (r->mask != LS_MASK_NONE && mask(c, w, r, p->key_of[col], v))) return ls_fail_memory(err, "applying `columns`");
    return 0;
}

static int change_image(ls_columns *c, ls_work *w, const ls_change *ch, const plan *p, ls_value *row, ls_error *err) {
    for (uint32_t i = 0; row && i < p->from->ncols; i++)
        if (change_value(c, w, ch, p, i, &row[i], err)) return -1;
    return 0;
}

/* Takes the values of dropped columns out. */
static void close_gaps(const plan *p, ls_value *row) {
    uint32_t kept = 0;
    for (uint32_t i = 0; row && i < p->from->ncols; i++)
        if (!p->of[i] || !p->of[i]->drop) row[kept++] = row[i];
}

static int change_moved(ls_columns *c, ls_work *w, ls_change *ch, const plan *p, ls_error *err) {
    if (!ch->moved) return 0;
    ls_value *moved = ls_work_values(w, p->from->nkey);
    if (!moved) return ls_fail_memory(err, "applying `columns`");
    for (uint32_t i = 0; i < p->from->nkey; i++) {
        moved[i] = ch->moved[i];
        if (change_value(c, w, ch, p, p->from->key[i], &moved[i], err)) return -1;
    }
    ch->moved = moved;
    return 0;
}

/* Room to say of each column whether it is uncast. */
static int make_room(ls_columns *c, const plan *p, ls_error *err) {
    if (p->from->ncols <= c->cap_uncast) return 0;
    bool *more = calloc(p->from->ncols, sizeof *more);
    if (!more) return ls_fail_memory(err, "applying `columns`");
    free(c->uncast);
    c->uncast = more;
    c->cap_uncast = p->from->ncols;
    return 0;
}

/* The row is in error: its columns that are uncast have the types that they came with. */
static int set_aside(ls_columns *c, ls_work *w, uint32_t number, const plan *p, ls_error *err) {
    const ls_schema *s = p->to;
    for (uint32_t i = 0, to = 0; s && i < p->from->ncols; i++) {
        if (c->uncast[i]) s = ls_schema_retyped(s, to, p->from->cols[i].type);
        c->uncast[i] = false;
        to += !p->of[i] || !p->of[i]->drop;
    }
    if (!s || ls_work_hold(w, s)) return ls_fail_memory(err, "applying `columns`");
    w->seen.changes[number].schema = s;
    const ls_fault fault = c->fault;
    c->fault = (ls_fault){0};
    return ls_fault_set(w, number, &fault) ? ls_fail_memory(err, "applying `columns`") : 0;
}

int ls_columns_run(ls_columns *c, ls_work *w, ls_error *err) {
    for (uint32_t i = 0; i < w->seen.count; i++) {
        ls_change *ch = &w->seen.changes[i];
        if (!ch->after && !ch->before) {
            if (rename_table(c, w, ch, err)) return -1;
            continue;
        }
        const plan *p = plan_of(c, ch->schema, err);
        if (!p) return -1;
        if (!p->to) continue;
        if (make_room(c, p, err)) return -1;
        if (change_image(c, w, ch, p, ch->after, err) || change_image(c, w, ch, p, ch->before, err) || change_moved(c, w, ch, p, err)) return -1;
        close_gaps(p, ch->after);
        close_gaps(p, ch->before);
        if (ls_work_hold(w, p->to)) return ls_fail_memory(err, "applying `columns`");
        ch->schema = p->to;
        if (c->fault.hook && set_aside(c, w, i, p, err)) return -1;
    }
    return 0;
}
