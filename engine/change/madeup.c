#include "change/madeup.h"

#include "change/row.h"
#include "change/value.h"

#include <float.h>
#include <string.h>

enum { LONG_TEXT = 10000 }; /* bytes of a long text */

typedef enum extent { ORDINARY, OTHER, LARGEST, SMALLEST } extent;

/* The texts of the types whose values are one: ordinary, another one, a large and a small one. */
static const char *const texts[][4] = {
    [LS_TYPE_STRING] = {"text", "other", NULL, ""},
    [LS_TYPE_DECIMAL] = {"12.50", "13.50", "12345678901234567890.12", "0"},
    [LS_TYPE_BYTES] = {"\x01\x02", "\x03", NULL, ""},
    [LS_TYPE_DATE] = {"2026-01-31", "2026-02-01", "9999-12-31", "1000-01-01"},
    [LS_TYPE_TIME] = {"13:59:59", "14:00:00", "23:59:59.999999", "00:00:00"},
    [LS_TYPE_DATETIME] = {"2026-01-31T13:59:59", "2026-02-01T00:00:00", "9999-12-31T23:59:59.999999", "1000-01-01T00:00:00"},
    [LS_TYPE_TIMESTAMP] = {"2026-01-31T13:59:59Z", "2026-02-01T00:00:00Z", "2038-01-19T03:14:07.999999Z", "1970-01-01T00:00:01Z"},
    [LS_TYPE_TIMETZ] = {"13:59:59+00", "14:00:00+00", "23:59:59.999999+14", "00:00:00-12"},
    [LS_TYPE_INTERVAL] = {"P1DT2H", "P2D", "P1000Y", "PT0S"},
    [LS_TYPE_JSON] = {"{}", "{\"a\":1}", "{\"a\":[1,2.5,\"text\",null,true]}", "null"},
    [LS_TYPE_UUID] = {"00112233-4455-6677-8899-aabbccddeeff", "10112233-4455-6677-8899-aabbccddeeff", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                      "00000000-0000-0000-0000-000000000000"},
    [LS_TYPE_ARRAY] = {"[]", "[]", "[]", "[]"}, /* of elements of no type that is known here */
    [LS_TYPE_SET] = {"[]", "[]", "[]", "[]"},
    [LS_TYPE_GEOMETRY] = {"{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAAAAAAAAAAAAAAAA\"}", "{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAAAA\"}",
                          "{\"srid\":4326,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAAAA\"}", "{\"srid\":0,\"wkb\":\"AQEAAAAAAAAAAAAAAAAAAAAAAAAA\"}"},
    [LS_TYPE_VECTOR] = {"[1,2]", "[2,1]", "[1,2]", "[0,0]"},
    [LS_TYPE_UNKNOWN] = {"text", "other", NULL, ""},
};

void ls_madeup_columns(const ls_schema *s, ls_madeup_column *cols) {
    for (uint32_t i = 0; i < s->ncols; i++) {
        int type = s->cols[i].type;
        bool large = type == LS_TYPE_STRING || type == LS_TYPE_BYTES || type == LS_TYPE_JSON || type == LS_TYPE_ARRAY || type == LS_TYPE_GEOMETRY;
        cols[i] = (ls_madeup_column){.nullable = !s->cols[i].key_at, .large = large && !s->cols[i].key_at, .least = INT64_MIN, .most = INT64_MAX};
    }
}

static size_t at_most(size_t n, uint32_t chars) { return chars && n > chars ? chars : n; }

/* A text of the column's own length. -1: memory. */
static int text_of(ls_work *w, const ls_madeup_column *c, int type, extent how, ls_value *v) {
    const char *p = c->text ? c->text : texts[type][how];
    enum ls_kind kind = type == LS_TYPE_BYTES ? LS_KIND_BYTES : type >= LS_TYPE_ARRAY && type <= LS_TYPE_VECTOR ? LS_KIND_JSON : LS_KIND_TEXT;
    bool any_length = type == LS_TYPE_STRING || type == LS_TYPE_BYTES || type == LS_TYPE_UNKNOWN;
    if (p) {
        *v = ls_value_bytes_of(kind, p, any_length && !c->text ? at_most(strlen(p), c->chars) : strlen(p));
        return 0;
    }
    size_t n = at_most(LONG_TEXT, c->chars);
    char *made = ls_arena_alloc(&w->arena, n);
    if (!made) return -1;
    memset(made, 'm', n);
    *v = ls_value_bytes_of(kind, made, n);
    return 0;
}

static int bits_of(ls_work *w, const ls_madeup_column *c, extent how, ls_value *v) {
    size_t n = c->chars ? c->chars : 1;
    char *made = ls_arena_alloc(&w->arena, n);
    if (!made) return -1;
    memset(made, how == LARGEST ? '1' : '0', n);
    if (how == OTHER) made[n - 1] = '1';
    *v = ls_value_text(made, n);
    return 0;
}

static ls_value whole(uint64_t most) { return most > INT64_MAX ? ls_value_uint(most) : ls_value_int((int64_t)most); }

/* -1: memory. */
static int value_of(ls_work *w, const ls_column *col, const ls_madeup_column *c, extent how, ls_value *v) {
    switch (col->type) {
    case LS_TYPE_BOOLEAN: *v = (ls_value){.kind = LS_KIND_BOOL, .as.i = how == ORDINARY || how == LARGEST}; return 0;
    case LS_TYPE_INTEGER: *v = how == LARGEST ? whole(c->most) : ls_value_int(how == ORDINARY ? 1 : how == OTHER ? 2 : c->least); return 0;
    case LS_TYPE_FLOAT: *v = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = how == ORDINARY ? 1.5 : how == OTHER ? 2.5 : how == LARGEST ? FLT_MAX : 0}; return 0;
    case LS_TYPE_BITS: return bits_of(w, c, how, v);
    default: return text_of(w, c, col->type, how, v);
    }
}

/* Integers have their extremes in rows of their own. */
static extent extent_of(const ls_column *col, ls_madeup kind) {
    bool integer = col->type == LS_TYPE_INTEGER;
    if (kind == LS_MADEUP_INTS_MOST || kind == LS_MADEUP_INTS_LEAST) return !integer ? ORDINARY : kind == LS_MADEUP_INTS_MOST ? LARGEST : SMALLEST;
    if (integer) return ORDINARY;
    return kind == LS_MADEUP_LARGEST ? LARGEST : kind == LS_MADEUP_SMALLEST ? SMALLEST : ORDINARY;
}

static bool may_be_null(const ls_schema *s, const ls_madeup_column *cols, uint32_t i) { return cols[i].nullable && !s->cols[i].key_at; }

/* A whole row; NULL: memory. */
static ls_value *row_of(ls_work *w, const ls_schema *s, const ls_madeup_column *cols, ls_madeup kind) {
    bool nulls = kind == LS_MADEUP_INSERT_NULLS || kind == LS_MADEUP_UPDATE_NULLS;
    ls_value *row = ls_work_values(w, s->ncols);
    for (uint32_t i = 0; row && i < s->ncols; i++) {
        if (value_of(w, &s->cols[i], &cols[i], extent_of(&s->cols[i], kind), &row[i])) return NULL;
        if (nulls && may_be_null(s, cols, i)) row[i] = ls_value_state(LS_NULL);
        if (kind == LS_MADEUP_NOT_SENT && cols[i].large && !s->cols[i].key_at) row[i] = ls_value_state(LS_UNCHANGED);
    }
    return row;
}

/* Does the table have such a row, other than one of those before? */
static bool has(const ls_schema *s, const ls_madeup_column *cols, ls_madeup kind) {
    bool nulls = false, large = false, integers = false;
    for (uint32_t i = 0; i < s->ncols; i++) {
        nulls |= may_be_null(s, cols, i);
        large |= cols[i].large && !s->cols[i].key_at;
        integers |= s->cols[i].type == LS_TYPE_INTEGER;
    }
    switch (kind) {
    case LS_MADEUP_INSERT_NULLS:
    case LS_MADEUP_UPDATE_NULLS: return nulls;
    case LS_MADEUP_INTS_MOST:
    case LS_MADEUP_INTS_LEAST: return integers;
    case LS_MADEUP_NOT_SENT: return large && s->before == LS_BEFORE_KEY;
    case LS_MADEUP_MOVED: return s->nkey > 0;
    default: return true;
    }
}

/* The row before: one whose key is another, as far as a type has another one. */
static int move(ls_work *w, const ls_schema *s, const ls_madeup_column *cols, ls_value *before) {
    for (uint32_t i = 0; i < s->nkey; i++)
        if (value_of(w, &s->cols[s->key[i]], &cols[s->key[i]], OTHER, &before[s->key[i]])) return -1;
    return 0;
}

int ls_madeup_add(ls_work *w, const ls_schema *s, const ls_madeup_column *cols, ls_madeup kind) {
    static const ls_tx some = {.ts = LS_MADEUP_TS, .id = "742", .pos = "0000000001a3b748"};
    uint64_t seq = w->seen.count;
    if (!s->ncols || !has(s, cols, kind)) return 0;
    const ls_tx *tx = ls_work_tx(w, &some);
    ls_value *row = row_of(w, s, cols, kind), *before = row_of(w, s, cols, kind == LS_MADEUP_UPDATE_NULLS ? kind : LS_MADEUP_INSERT);
    if (!tx || !row || !before || (kind == LS_MADEUP_MOVED && move(w, s, cols, before))) return -1;
    int rc;
    if (kind == LS_MADEUP_DELETE)
        rc = ls_row_remove(w, s, tx, &seq, before);
    else if (kind == LS_MADEUP_NOT_SENT || (kind == LS_MADEUP_UPDATE && s->nkey && s->before == LS_BEFORE_KEY))
        rc = ls_row_update(w, s, tx, &seq, NULL, row);
    else if (kind == LS_MADEUP_UPDATE || kind == LS_MADEUP_UPDATE_NULLS || kind == LS_MADEUP_MOVED)
        rc = ls_row_update(w, s, tx, &seq, before, row);
    else
        rc = ls_row_insert(w, s, tx, &seq, row);
    return rc ? -1 : 1;
}

const char *ls_madeup_title(const ls_schema *s, ls_madeup kind) {
    static const char *const titles[] = {
        [LS_MADEUP_INSERT] = "insert",
        [LS_MADEUP_UPDATE] = "update",
        [LS_MADEUP_LARGEST] = "insert with large values",
        [LS_MADEUP_SMALLEST] = "insert with empty and zero values",
        [LS_MADEUP_INTS_MOST] = "insert with the greatest integers",
        [LS_MADEUP_INTS_LEAST] = "insert with the least integers",
        [LS_MADEUP_DELETE] = "delete",
        [LS_MADEUP_INSERT_NULLS] = "insert with NULLs",
        [LS_MADEUP_UPDATE_NULLS] = "update to NULLs",
        [LS_MADEUP_NOT_SENT] = "update whose large values were not sent",
        [LS_MADEUP_MOVED] = "update of the key",
    };
    if (kind == LS_MADEUP_DELETE && s->nkey && s->before == LS_BEFORE_KEY) return "delete with its key only";
    return titles[kind];
}

bool ls_madeup_is_example(ls_madeup kind) { return kind <= LS_MADEUP_SMALLEST; }
