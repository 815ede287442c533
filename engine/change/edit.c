/* edit.c - what a hook does to a row: the ls_row_* functions of list_sync.h that write. */
#include "base/json.h"
#include "base/text.h"
#include "change/fault.h"
#include "change/number.h"
#include "change/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_TABLE_NAME_MAX = 255, /* bytes of a schema's, table's or column's name that a hook gives */
    LS_CLONES_MAX = 256      /* clones that hooks may make of one row */
};
static const double whole_max = 9007199254740992.0; /* 2^53: whole numbers up to here are exact in a double */

static const struct {
    const char *name, *takes;
} types[] = {
    [LS_TYPE_STRING] = {"string", "text"},
    [LS_TYPE_BOOLEAN] = {"boolean", "true or false"},
    [LS_TYPE_INTEGER] = {"integer", "a whole number"},
    [LS_TYPE_FLOAT] = {"float", "a number"},
    [LS_TYPE_DECIMAL] = {"decimal", "decimal text such as \"12.50\", or a whole number"},
    [LS_TYPE_BYTES] = {"bytes", "base64 text"},
    [LS_TYPE_DATE] = {"date", "text such as 2026-01-31"},
    [LS_TYPE_TIME] = {"time", "text such as 13:59:59.5"},
    [LS_TYPE_DATETIME] = {"datetime", "text such as 2026-01-31T13:59:59"},
    [LS_TYPE_TIMESTAMP] = {"timestamp", "text such as 2026-01-31T13:59:59Z"},
    [LS_TYPE_TIMETZ] = {"timetz", "text such as 13:59:59+02"},
    [LS_TYPE_INTERVAL] = {"interval", "ISO 8601 text such as P1DT2H"},
    [LS_TYPE_JSON] = {"json", "a JSON document's text"},
    [LS_TYPE_UUID] = {"uuid", "text such as 00112233-4455-6677-8899-aabbccddeeff"},
    [LS_TYPE_BITS] = {"bits", "text of 0 and 1"},
    [LS_TYPE_ARRAY] = {"array", "ls.array{...}"},
    [LS_TYPE_SET] = {"set", "ls.array{...} of texts"},
    [LS_TYPE_GEOMETRY] = {"geometry", "ls.json{ srid = ..., wkb = base64 text }"},
    [LS_TYPE_VECTOR] = {"vector", "ls.array{...} of numbers"},
    [LS_TYPE_UNKNOWN] = {"unknown", "any value"},
};

const char *ls_type_name(int type) { return types[type].name; }

/* ---- writing ---- */

const char *ls_row_error(const ls_batch *b) { return ((const ls_work *)(const void *)b)->why; }

static ls_change *change_at(ls_batch *b, uint32_t change) {
    if (b->frozen) {
        ls_refuse(b, "a row is not changed where it is asked for its topic, key, headers, message or CSV cells, nor by a filter under moves = \"split\": change it in map");
        return NULL;
    }
    if (change >= b->count || !b->changes[change].schema) {
        ls_refuse(b, "there is no row %u in this batch", change);
        return NULL;
    }
    if (ls_work_of(b)->keep && ls_fault_keep(b, change)) return NULL;
    return &b->changes[change];
}

/* The value to write, or NULL with the reason. */
static ls_value *value_at(ls_batch *b, uint32_t change, int image, uint32_t col, const ls_column **column) {
    ls_change *c = change_at(b, change);
    if (!c) return NULL;
    ls_value *row = image ? c->after : c->before;
    if (!row) {
        ls_refuse(b, "a row whose action is %c has no row %s", c->action, image ? "after" : "before");
        return NULL;
    }
    if (col >= c->schema->ncols) {
        ls_refuse(b, "there is no column %u in %s.%s", col, c->schema->schema, c->schema->table);
        return NULL;
    }
    *column = &c->schema->cols[col];
    return &row[col];
}

static int refuse_type(ls_batch *b, const ls_column *c, const char *given) {
    return ls_refuse(b, "column \"%.100s\" (%s) takes %s, not %s", c->name, types[c->type].name, types[c->type].takes, given);
}

int ls_row_set_null(ls_batch *b, uint32_t change, int image, uint32_t col) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    if (!v) return -1;
    if (c->key_at) return ls_refuse(b, "column \"%.100s\" is part of the key, which cannot be NULL", c->name);
    *v = ls_value_state(LS_NULL);
    return 0;
}

static size_t digits_at(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] >= '0' && p[i] <= '9') i++;
    return i;
}

/* Three numbers with `mark` between them, the first of `least` digits or more, the others of two. Gives their length. */
static size_t three_numbers(const char *p, size_t n, char mark, size_t least) {
    size_t first = digits_at(p, n);
    if (first < least || n < first + 6 || p[first] != mark || p[first + 3] != mark) return 0;
    return digits_at(p + first + 1, 2) == 2 && digits_at(p + first + 4, 2) == 2 ? first + 6 : 0;
}

static size_t clock_at(const char *p, size_t n) {
    size_t at = three_numbers(p, n, ':', 2);
    if (!at || at == n || p[at] != '.') return at;
    size_t fraction = digits_at(p + at + 1, n - at - 1);
    return fraction >= 1 && fraction <= 6 ? at + 1 + fraction : 0;
}

static bool is_infinity(const char *p, size_t n) {
    return (n == 8 && memcmp(p, "infinity", 8) == 0) || (n == 9 && memcmp(p, "-infinity", 9) == 0);
}

/* Has the text the shape of FORMAT's canonical date, time, datetime or timestamp? */
static bool is_time_text(int type, const char *p, size_t n) {
    if (type == LS_TYPE_TIME) {
        if (n && *p == '-') p++, n--;
        return n && clock_at(p, n) == n;
    }
    if (is_infinity(p, n)) return true;
    if (n > 3 && memcmp(p + n - 3, " BC", 3) == 0) n -= 3;
    size_t date = three_numbers(p, n, '-', 4);
    if (!date || type == LS_TYPE_DATE) return date && date == n;
    if (type == LS_TYPE_TIMESTAMP) {
        if (p[n - 1] != 'Z') return false;
        n--;
    }
    return date < n && p[date] == 'T' && clock_at(p + date + 1, n - date - 1) == n - date - 1 && n > date + 1;
}

static bool is_decimal_text(const char *p, size_t n) {
    static const char *const special[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (strlen(special[i]) == n && memcmp(special[i], p, n) == 0) return true;
    return ls_number_is_decimal(p, n);
}

/* 13:59:59.5+02, +02:30, +02:30:15 */
static bool is_timetz_text(const char *p, size_t n) {
    size_t at = 0;
    while (at < n && p[at] != '+' && p[at] != '-') at++;
    if (!at || at == n || clock_at(p, at) != at) return false;
    size_t zone = n - at - 1, i = at + 1;
    if (zone != 2 && zone != 5 && zone != 8) return false;
    for (; i < n; i++)
        if ((i - at) % 3 == 0 ? p[i] != ':' : !digits_at(p + i, 1)) return false;
    return true;
}

static bool is_uuid_text(const char *p, size_t n) {
    if (n != 36) return false;
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? p[i] != '-' : !(digits_at(p + i, 1) || (p[i] >= 'a' && p[i] <= 'f'))) return false;
    }
    return true;
}

static bool is_bits_text(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != '0' && p[i] != '1') return false;
    return true;
}

static bool is_json_text(const char *p, size_t n) {
    return ls_utf8_valid(p, n) && ls_json_is_document(p, n);
}

/* Has the text the shape that the type's canonical text has? Of the types whose values are text. */
static bool is_text_of(int type, const char *p, size_t n) {
    switch (type) {
    case LS_TYPE_DECIMAL: return is_decimal_text(p, n);
    case LS_TYPE_TIMETZ: return is_timetz_text(p, n);
    case LS_TYPE_INTERVAL: return is_infinity(p, n) || (n > 2 && *p == 'P' && ls_utf8_valid(p, n));
    case LS_TYPE_JSON: return is_json_text(p, n);
    case LS_TYPE_UUID: return is_uuid_text(p, n);
    case LS_TYPE_BITS: return is_bits_text(p, n);
    default: return is_time_text(type, p, n);
    }
}

/* Copies bytes into the batch: the value that a column then holds. */
static int put_bytes(ls_batch *b, ls_value *v, enum ls_kind kind, const char *p, size_t n) {
    if (n >= UINT32_MAX) return ls_refuse(b, "a value of %zu bytes is too large: the limit is 4 GiB", n);
    const char *copy = ls_arena_copy(&ls_work_of(b)->arena, p, n);
    if (!copy) return ls_refuse_memory(b);
    *v = ls_value_bytes_of(kind, copy, n);
    return 0;
}

static int put_base64(ls_batch *b, ls_value *v, const ls_column *c, const char *p, size_t n) {
    ls_buf bytes = {0};
    int rc = ls_base64_read(&bytes, p, n) ? refuse_type(b, c, "another text")
             : bytes.failed               ? ls_refuse_memory(b)
                                          : put_bytes(b, v, LS_KIND_BYTES, bytes.data, bytes.len);
    ls_buf_free(&bytes);
    return rc;
}

int ls_row_set_text(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    if (!v) return -1;
    switch ((enum ls_type)c->type) {
    case LS_TYPE_STRING:
    case LS_TYPE_UNKNOWN:
        if (!ls_utf8_valid(p, n)) return ls_refuse(b, "column \"%.100s\" takes UTF-8 text, and these bytes are none", c->name);
        break;
    case LS_TYPE_DECIMAL:
    case LS_TYPE_DATE:
    case LS_TYPE_TIME:
    case LS_TYPE_DATETIME:
    case LS_TYPE_TIMESTAMP:
    case LS_TYPE_TIMETZ:
    case LS_TYPE_INTERVAL:
    case LS_TYPE_JSON:
    case LS_TYPE_UUID:
    case LS_TYPE_BITS:
        if (!is_text_of(c->type, p, n)) return refuse_type(b, c, "another text");
        break;
    case LS_TYPE_BYTES: return put_base64(b, v, c, p, n);
    case LS_TYPE_INTEGER:
    case LS_TYPE_FLOAT: return refuse_type(b, c, "text: tonumber() makes one of it");
    case LS_TYPE_BOOLEAN:
    case LS_TYPE_ARRAY:
    case LS_TYPE_SET:
    case LS_TYPE_GEOMETRY:
    case LS_TYPE_VECTOR: return refuse_type(b, c, "text");
    }
    return put_bytes(b, v, LS_KIND_TEXT, p, n);
}

int ls_row_set_bytes(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    if (!v) return -1;
    if (c->type != LS_TYPE_BYTES && c->type != LS_TYPE_UNKNOWN) return refuse_type(b, c, "bytes");
    return put_bytes(b, v, LS_KIND_BYTES, p, n);
}

/* Is every element of the array one of that kind? */
static bool all_are(const ls_json_value *array, ls_json_kind kind) {
    ls_json j = ls_json_inside(array);
    ls_json_value v;
    ls_error err;
    int more;
    while ((more = ls_json_element(&j, &v, &err)) == 1)
        if (v.kind != kind) return false;
    return more == 0;
}

static bool is_geometry(const ls_json_value *object) {
    ls_json j = ls_json_inside(object);
    ls_json_value key, v;
    ls_error err;
    unsigned srid = 0, wkb = 0, others = 0;
    while (ls_json_member(&j, &key, &v, &err) == 1) {
        if (ls_json_is(&key, "srid") && v.kind == LS_JSON_NUMBER)
            srid++;
        else if (ls_json_is(&key, "wkb") && v.kind == LS_JSON_STRING)
            wkb++;
        else
            others++;
    }
    return srid == 1 && wkb == 1 && !others;
}

int ls_row_set_json(ls_batch *b, uint32_t change, int image, uint32_t col, const char *p, size_t n) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    ls_json j = ls_json_over(p, n);
    ls_json_value given;
    ls_error err;
    if (!v) return -1;
    if (!ls_utf8_valid(p, n) || ls_json_read(&j, &given, &err) || ls_json_end(&j, &err)) return refuse_type(b, c, "text that is no JSON");
    bool array = given.kind == LS_JSON_ARRAY, fits = false;
    switch ((enum ls_type)c->type) {
    case LS_TYPE_ARRAY: fits = array || given.kind == LS_JSON_OBJECT; break; /* on a consumer an embedded document is one, too */
    case LS_TYPE_UNKNOWN: fits = array; break;
    case LS_TYPE_SET: fits = array && all_are(&given, LS_JSON_STRING); break;
    case LS_TYPE_VECTOR: fits = array && all_are(&given, LS_JSON_NUMBER); break;
    case LS_TYPE_GEOMETRY: fits = given.kind == LS_JSON_OBJECT && is_geometry(&given); break;
    case LS_TYPE_JSON: return put_bytes(b, v, LS_KIND_TEXT, p, n);
    default: break;
    }
    if (!fits) return refuse_type(b, c, array ? "an array (or elements) like this one" : "a table like this one");
    return put_bytes(b, v, LS_KIND_JSON, p, n);
}

/* A whole number for an integer, float or decimal column; `of` already holds it. */
static int put_whole(ls_batch *b, ls_value *v, const ls_column *c, ls_value of) {
    ls_buf text = {0};
    int rc = 0;
    switch ((enum ls_type)c->type) {
    case LS_TYPE_INTEGER:
    case LS_TYPE_FLOAT:
    case LS_TYPE_UNKNOWN: *v = of; return 0;
    case LS_TYPE_DECIMAL:
        ls_value_print(&text, &of);
        rc = text.failed ? ls_refuse_memory(b) : put_bytes(b, v, LS_KIND_TEXT, text.data, text.len);
        ls_buf_free(&text);
        return rc;
    case LS_TYPE_STRING:
    case LS_TYPE_DATE:
    case LS_TYPE_TIME:
    case LS_TYPE_DATETIME:
    case LS_TYPE_TIMESTAMP:
    case LS_TYPE_TIMETZ:
    case LS_TYPE_INTERVAL:
    case LS_TYPE_JSON:
    case LS_TYPE_UUID:
    case LS_TYPE_BITS: return refuse_type(b, c, "a number: tostring() makes text of it");
    case LS_TYPE_BOOLEAN:
    case LS_TYPE_BYTES:
    case LS_TYPE_ARRAY:
    case LS_TYPE_SET:
    case LS_TYPE_GEOMETRY:
    case LS_TYPE_VECTOR: break;
    }
    return refuse_type(b, c, "a number");
}

int ls_row_set_number(ls_batch *b, uint32_t change, int image, uint32_t col, double d) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    if (!v) return -1;
    bool whole = d == floor(d) && fabs(d) <= whole_max;
    if (c->type == LS_TYPE_FLOAT || (c->type == LS_TYPE_UNKNOWN && !whole)) {
        *v = (ls_value){.kind = LS_KIND_DOUBLE, .as.d = d};
        return 0;
    }
    if (whole) return put_whole(b, v, c, ls_value_int((int64_t)d));
    if (c->type == LS_TYPE_DECIMAL) return refuse_type(b, c, "a rounded number: string.format(\"%.2f\", v) makes text of it");
    return refuse_type(b, c, c->type == LS_TYPE_INTEGER ? "a fraction, nor a number above 2^53" : "a number");
}

int ls_row_set_int(ls_batch *b, uint32_t change, int image, uint32_t col, int64_t i) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    return v ? put_whole(b, v, c, ls_value_int(i)) : -1;
}

int ls_row_set_uint(ls_batch *b, uint32_t change, int image, uint32_t col, uint64_t u) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    return v ? put_whole(b, v, c, ls_value_uint(u)) : -1;
}

int ls_row_set_bool(ls_batch *b, uint32_t change, int image, uint32_t col, int on) {
    const ls_column *c;
    ls_value *v = value_at(b, change, image, col, &c);
    if (!v) return -1;
    if (c->type != LS_TYPE_BOOLEAN && c->type != LS_TYPE_UNKNOWN) return refuse_type(b, c, on ? "true" : "false");
    *v = (ls_value){.kind = LS_KIND_BOOL, .as.i = on != 0};
    return 0;
}

/* ---- columns, action, names ---- */

static int take_schema(ls_batch *b, ls_change *c, const ls_schema *s) {
    if (!s && ls_schema_at_limit(c->schema))
        return ls_refuse(b, "hooks have made %d other tables and column lists, which is the limit: names of tables and columns must not be made "
                         "from the rows' data; put it into a column", LS_SHAPES_MAX);
    if (!s || ls_work_hold(ls_work_of(b), s)) return ls_refuse_memory(b);
    c->schema = s;
    return 0;
}

static bool is_name(const char *p, size_t n) { return n > 0 && n <= LS_TABLE_NAME_MAX && !memchr(p, 0, n) && ls_utf8_valid(p, n); }

/* The image with one more value, which is absent. */
static int widen(ls_batch *b, ls_value **row, uint32_t ncols) {
    if (!*row) return 0;
    ls_value *wider = ls_work_values(ls_work_of(b), (size_t)ncols + 1);
    if (!wider) return -1;
    if (ncols) memcpy(wider, *row, ncols * sizeof *wider);
    *row = wider;
    return 0;
}

int ls_row_add(ls_batch *b, uint32_t change, const char *name, size_t n, int type) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    uint32_t ncols = c->schema->ncols;
    ls_value *after = c->after, *before = c->before;
    if (!is_name(name, n)) return ls_refuse(b, "a column's name is 1 to %d bytes of UTF-8", LS_TABLE_NAME_MAX);
    if (ls_schema_find(c->schema, name, n) >= 0) return ls_refuse(b, "there is a column \"%.*s\" already", (int)n, name);
    if (type < 0 || type > LS_TYPE_UNKNOWN) return ls_refuse(b, "there is no type %d", type);
    if (ncols >= LS_COLUMNS_MAX) return ls_refuse(b, "a row has at most %d columns", LS_COLUMNS_MAX);
    if (widen(b, &after, ncols) || widen(b, &before, ncols)) return ls_refuse_memory(b);
    if (take_schema(b, c, ls_schema_with(c->schema, name, n, type))) return -1;
    c->after = after;
    c->before = before;
    return (int)ncols;
}

static void close_gap(ls_value *row, uint32_t col, uint32_t ncols) {
    if (row) memmove(row + col, row + col + 1, (ncols - col - 1) * sizeof *row);
}

int ls_row_drop(ls_batch *b, uint32_t change, uint32_t col) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    uint32_t ncols = c->schema->ncols;
    if (col >= ncols) return ls_refuse(b, "there is no column %u in %s.%s", col, c->schema->schema, c->schema->table);
    const ls_column *column = &c->schema->cols[col];
    if (column->key_at) return ls_refuse(b, "column \"%.100s\" is part of the key, which a row cannot be without", column->name);
    if (ncols == 1) return ls_refuse(b, "column \"%.100s\" is the row's last; return false drops the row", column->name);
    if (take_schema(b, c, ls_schema_without(c->schema, col))) return -1;
    close_gap(c->after, col, ncols);
    close_gap(c->before, col, ncols);
    return 0;
}

int ls_row_rename(ls_batch *b, uint32_t change, uint32_t col, const char *name, size_t n) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    if (col >= c->schema->ncols) return ls_refuse(b, "there is no column %u in %s.%s", col, c->schema->schema, c->schema->table);
    if (!is_name(name, n)) return ls_refuse(b, "a column's name is 1 to %d bytes of UTF-8", LS_TABLE_NAME_MAX);
    int same = ls_schema_find(c->schema, name, n);
    if (same == (int)col) return 0;
    if (same >= 0) return ls_refuse(b, "there is a column \"%.*s\" already", (int)n, name);
    return take_schema(b, c, ls_schema_renamed(c->schema, col, name, n));
}

int ls_row_retype(ls_batch *b, uint32_t change, uint32_t col, int type) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    if (col >= c->schema->ncols) return ls_refuse(b, "there is no column %u in %s.%s", col, c->schema->schema, c->schema->table);
    if (type < 0 || type > LS_TYPE_UNKNOWN) return ls_refuse(b, "there is no type %d", type);
    return c->schema->cols[col].type == type ? 0 : take_schema(b, c, ls_schema_retyped(c->schema, col, type));
}

int ls_row_swap_moved(ls_batch *b, uint32_t change, uint32_t at) {
    ls_change *c = change_at(b, change);
    ls_value *row = c && c->after ? c->after : c ? c->before : NULL;
    if (!c) return -1;
    if (!c->moved || !row || at >= c->schema->nkey) return ls_refuse(b, "the row has moved from and to no key with a column %u", at);
    ls_value *moved = ls_work_values(ls_work_of(b), c->schema->nkey), *own = &row[c->schema->key[at]], kept = *own;
    if (!moved) return ls_refuse_memory(b);
    memcpy(moved, c->moved, c->schema->nkey * sizeof *moved);
    *own = moved[at];
    moved[at] = kept;
    c->moved = moved;
    return 0;
}

static ls_value *copy_of(ls_work *w, const ls_value *row, uint32_t ncols) {
    ls_value *copy = ls_work_values(w, ncols);
    if (copy && ncols) memcpy(copy, row, ncols * sizeof *copy);
    return copy;
}

int ls_row_clone(ls_batch *b, uint32_t change) {
    ls_work *w = ls_work_of(b);
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    ls_change like = *c;
    if (like.after && !(like.after = copy_of(w, like.after, like.schema->ncols))) return ls_refuse_memory(b);
    if (like.before && !(like.before = copy_of(w, like.before, like.schema->ncols))) return ls_refuse_memory(b);
    int rc = ls_work_clone(w, change, &like, LS_CLONES_MAX);
    if (rc == -2) return ls_refuse(b, "a row is cloned %d times at most", LS_CLONES_MAX);
    return rc < 0 ? ls_refuse_memory(b) : rc;
}

/* What an update says of the row before, made from the row after: its key, or without a key all that is known. */
static ls_value *identity_of(ls_batch *b, const ls_change *c) {
    const ls_schema *s = c->schema;
    ls_value *before = ls_work_values(ls_work_of(b), s->ncols);
    for (uint32_t i = 0; before && i < s->ncols; i++)
        if ((s->cols[i].key_at || !s->nkey) && c->after[i].state != LS_UNCHANGED) before[i] = c->after[i];
    return before;
}

static int insert_of_update(ls_batch *b, ls_change *c) {
    for (uint32_t i = 0; i < c->schema->ncols; i++)
        if (c->after[i].state > LS_NULL)
            return ls_refuse(b, "an insert needs every column, and \"%.100s\" was not sent with this update", c->schema->cols[i].name);
    c->before = NULL;
    c->action = 'I';
    return 0;
}

static int update_of_insert(ls_batch *b, ls_change *c) {
    ls_value *before = identity_of(b, c);
    if (!before) return ls_refuse_memory(b);
    c->before = before;
    c->action = 'U';
    c->flags &= (uint8_t)~LS_MOVED_FROM;
    c->moved = NULL;
    return 0;
}

int ls_row_set_action(ls_batch *b, uint32_t change, int action) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    if (action == c->action) return 0;
    if (c->action == 'U' && action == 'I') return insert_of_update(b, c);
    if (c->action == 'I' && action == 'U') return update_of_insert(b, c);
    if (c->action != 'U' || action != 'D')
        return ls_refuse(b, "an action is changed from \"U\" to \"D\", from \"U\" to \"I\", or from \"I\" to \"U\", not from \"%c\" to \"%c\"",
                      c->action, action);
    c->after = NULL;
    c->action = 'D';
    return 0;
}

int ls_row_set_table(ls_batch *b, uint32_t change, const char *schema, size_t sn, const char *table, size_t tn) {
    ls_change *c = change_at(b, change);
    if (!c) return -1;
    if (!is_name(schema, sn) || !is_name(table, tn))
        return ls_refuse(b, "the name of a schema or table is 1 to %d bytes of UTF-8", LS_TABLE_NAME_MAX);
    return take_schema(b, c, ls_schema_named(c->schema, schema, sn, table, tn));
}
