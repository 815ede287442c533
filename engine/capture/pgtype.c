#include "capture/pgtype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ls_pg_types_free(ls_pg_types *t) {
    free(t->known);
    ls_arena_free(&t->made);
    t->known = NULL;
    t->nknown = t->cap = 0;
}

/* Where a type of that oid stands, or would stand. */
static size_t place_of(const ls_pg_types *t, uint32_t oid) {
    size_t low = 0, high = t->nknown;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (t->known[mid].oid < oid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static ls_pg_known *look_up(const ls_pg_types *t, uint32_t oid) {
    size_t at = place_of(t, oid);
    return at < t->nknown && t->known[at].oid == oid ? &t->known[at] : NULL;
}

/* The type's entry, made if there is none; NULL with *err. It moves with the next one that is made. */
static ls_pg_known *entry(ls_pg_types *t, uint32_t oid, ls_error *err) {
    size_t at = place_of(t, oid);
    if (at < t->nknown && t->known[at].oid == oid) return &t->known[at];
    if (t->nknown == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 16;
        ls_pg_known *more = realloc(t->known, cap * sizeof *more);
        if (!more) {
            ls_fail_memory(err, "noting a type");
            return NULL;
        }
        t->known = more;
        t->cap = cap;
    }
    memmove(t->known + at + 1, t->known + at, (t->nknown - at) * sizeof *t->known);
    t->known[at] = (ls_pg_known){.oid = oid};
    t->nknown++;
    return &t->known[at];
}

int ls_pg_types_announce(ls_pg_types *t, uint32_t oid, const char *schema, const char *name, ls_error *err) {
    ls_pg_known *k = entry(t, oid, err);
    if (!k) return -1;
    if (k->type && strcmp(k->schema, schema) == 0 && strcmp(k->name, name) == 0) return 0;
    k->type = NULL;
    snprintf(k->schema, sizeof k->schema, "%s", schema);
    snprintf(k->name, sizeof k->name, "%s", name);
    return 0;
}

enum { BPCHAR = 1042 };

/* An array of `element`, NULL without memory. Inside an array the padding of char(n) stands, as it does in a composite. */
static const ls_pg_type *array_of(ls_pg_types *t, const ls_pg_type *element, char delimiter) {
    if (element->oid == BPCHAR) element = &ls_pg_type_string;
    ls_pg_type *made = ls_arena_alloc(&t->made, sizeof *made);
    if (made)
        *made = (ls_pg_type){.name = "array", .type = LS_TYPE_ARRAY, .read = ls_pg_read_array, .element = element,
                             .delimiter = delimiter};
    return made;
}

/* What the name alone tells: a domain over a built-in type, or over an array of one, comes under its name. *out NULL: nothing. */
static int by_name(ls_pg_types *t, const ls_pg_known *k, const ls_pg_type **out, ls_error *err) {
    *out = NULL;
    if (!k || *k->schema || !*k->name) return 0;
    if ((*out = ls_pg_type_by_name(k->name)) || *k->name != '_') return 0;
    const ls_pg_type *element = ls_pg_type_by_name(k->name + 1);
    if (!element) return 0;
    *out = array_of(t, element, ','); /* of the built-in types only box has another delimiter, and is not among them */
    return *out ? 0 : ls_fail_memory(err, "noting a type");
}

static int find(ls_pg_types *t, uint32_t oid, unsigned depth, const ls_pg_type **out, ls_error *err);

static int ask(ls_pg_types *t, uint32_t oid, unsigned depth, const ls_pg_type **out, ls_error *err) {
    ls_pg_type_info info = {0};
    const ls_pg_type *element;
    if (t->catalog->type(t->catalog->ctx, oid, &info, err)) return -1;
    *out = &ls_pg_type_string; /* also of a type that is gone: the text is all there is */
    if (info.element && depth < LS_PG_NESTING_MAX) {
        if (find(t, info.element, depth + 1, &element, err)) return -1;
        *out = array_of(t, element, info.delimiter);
        return *out ? 0 : ls_fail_memory(err, "noting a type");
    }
    if (info.typtype != 'b') return 0;
    const ls_pg_type *built_in = ls_pg_type_by_oid(info.oid); /* of a domain */
    if (built_in)
        *out = built_in;
    else if (strcmp(info.extension, "postgis") == 0 &&
             (strcmp(info.name, "geometry") == 0 || strcmp(info.name, "geography") == 0))
        *out = &ls_pg_type_geometry;
    return 0;
}

static int find(ls_pg_types *t, uint32_t oid, unsigned depth, const ls_pg_type **out, ls_error *err) {
    if ((*out = ls_pg_type_by_oid(oid))) return 0;
    const ls_pg_known *k = look_up(t, oid);
    if (k && (*out = k->type)) return 0;
    if (by_name(t, k, out, err) || (!*out && ask(t, oid, depth, out, err))) return -1;
    ls_pg_known *now = entry(t, oid, err);
    if (!now) return -1;
    now->type = *out;
    return 0;
}

int ls_pg_types_find(ls_pg_types *t, uint32_t oid, const ls_pg_type **out, ls_error *err) {
    return find(t, oid, 0, out, err);
}
