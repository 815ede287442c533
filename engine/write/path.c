#include "write/path.h"

#include "base/hash.h"
#include "change/time.h"

#include <inttypes.h>

enum { HASH_ROOM = 17 }; /* bytes of - and 16 digits */

typedef enum field { SCHEMA, TABLE, TOPIC, PARTITION, CONSUMER, KIND, DATE, HOUR, FIELDS } field;

static const struct {
    const char *name;
    int use;
} fields[FIELDS] = {
    [SCHEMA] = {"schema", LS_PATH_TABLE}, [TABLE] = {"table", LS_PATH_TABLE}, [TOPIC] = {"topic", LS_PATH_TOPIC},
    [PARTITION] = {"partition", LS_PATH_PARTITION}, [CONSUMER] = {"consumer", LS_PATH_CONSUMER}, [KIND] = {"kind", LS_PATH_KIND},
    [DATE] = {"date", LS_PATH_TIME}, [HOUR] = {"hour", LS_PATH_TIME}};

void ls_path_escape(ls_buf *out, const char *name) {
    for (const char *p = name; *p; p++) {
        bool plain = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        if (plain)
            ls_buf_char(out, *p);
        else
            ls_buf_fmt(out, "%%%02x", (unsigned)(unsigned char)*p);
    }
}

/* FIELDS: there is none of that name. */
static field field_of(const char *name, size_t n) {
    field f = 0;
    while (f < FIELDS && (strlen(fields[f].name) != n || memcmp(fields[f].name, name, n) != 0)) f++;
    return f;
}

int ls_path_uses(const char *filename, ls_error *err) {
    int uses = 0;
    for (const char *p = filename; (p = strpbrk(p, "{}")); p++) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        field f = close ? field_of(p + 1, (size_t)(close - p - 1)) : FIELDS;
        if (f == FIELDS)
            return ls_fail(err, LS_USAGE, "filename \"%s\": %.*s is not known: use {schema}, {table}, {topic}, {partition}, {consumer}, {kind}, {date} or {hour}",
                           filename, close ? (int)(close - p + 1) : 1, p);
        uses |= fields[f].use;
        p = close;
    }
    return uses;
}

static void put_field(ls_buf *out, field f, const ls_path_values *v) {
    ls_civil t;
    switch (f) {
    case SCHEMA: ls_path_escape(out, v->schema); break;
    case TABLE: ls_path_escape(out, v->table); break;
    case TOPIC: ls_path_escape(out, v->topic); break;
    case PARTITION: ls_buf_i64(out, v->partition); break;
    case CONSUMER: ls_path_escape(out, v->consumer); break;
    case KIND: ls_path_escape(out, v->kind); break;
    case DATE:
        t = ls_time_civil(v->ts);
        ls_time_date(out, t.year, t.month, t.day);
        break;
    case HOUR: ls_buf_fmt(out, "%02d", ls_time_civil(v->ts).hour); break;
    case FIELDS: break;
    }
}

/* A name's end that would read as a part's number. */
static void keep_apart(ls_buf *out, size_t from) {
    size_t at = out->len, digits;
    while (at > from && out->data[at - 1] >= '0' && out->data[at - 1] <= '9') at--;
    digits = out->len - at;
    if (!digits || at == from || out->data[at - 1] != '-' || out->data[at] == '0' || (digits == 1 && out->data[at] == '1')) return;
    if (!ls_buf_room(out, 2)) return;
    memmove(out->data + at + 2, out->data + at, digits);
    memcpy(out->data + at - 1, "%2d", 3);
    out->len += 2;
}

static void put_shortened(ls_buf *out, const char *p, size_t n) {
    for (const char *end = p + n; p <= end; p++) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t len = (size_t)((slash ? slash : end) - p);
        ls_buf_add(out, p, len > LS_PATH_NAME_MAX ? LS_PATH_NAME_MAX - HASH_ROOM : len);
        if (len > LS_PATH_NAME_MAX) ls_buf_fmt(out, "-%016" PRIx64, ls_hash(LS_HASH_START, p, len));
        if (slash) ls_buf_char(out, '/');
        p += len;
    }
}

void ls_path_expand(ls_buf *out, const char *template_, const ls_path_values *v) {
    ls_buf whole = {0};
    for (const char *p = template_; *p;) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (!close) {
            ls_buf_char(&whole, *p++);
            continue;
        }
        field f = field_of(p + 1, (size_t)(close - p - 1));
        size_t from = whole.len;
        put_field(&whole, f, v);
        p = close + 1;
        if (!*p && f <= TOPIC) keep_apart(&whole, from); /* a consumer's id is the same in all names */
    }
    put_shortened(out, whole.data ? whole.data : "", whole.len);
    out->failed |= whole.failed;
    ls_buf_free(&whole);
}

/* ---- the other way round */

static bool is_shaped(const char *p, size_t n, const char *shape) { /* 0: a digit */
    if (strlen(shape) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (shape[i] == '0' ? p[i] < '0' || p[i] > '9' : p[i] != shape[i]) return false;
    return true;
}

static bool is_text(const char *p, size_t n, const char *text) { return strlen(text) == n && memcmp(p, text, n) == 0; }

static bool may_be(field f, const char *p, size_t n, const char *consumer) {
    switch (f) {
    case PARTITION: return n && strspn(p, "0123456789") >= n;
    case CONSUMER: return is_text(p, n, consumer);
    case KIND: return is_text(p, n, "rows") || is_text(p, n, "insert") || is_text(p, n, "delete");
    case DATE: return is_shaped(p, n, "0000-00-00");
    case HOUR: return is_shaped(p, n, "00");
    default: return true;
    }
}

static bool matches(const char *t, const char *consumer, const char *p) {
    for (; *t && *t != '{'; t++, p++)
        if (*t != *p) return false;
    if (!*t) return !*p;
    const char *close = strchr(t, '}');
    field f = field_of(t + 1, (size_t)(close - t - 1));
    size_t n = strcspn(p, "/.");
    for (;; n--) {
        if (may_be(f, p, n, consumer) && matches(close + 1, consumer, p + n)) return true;
        if (!n) return false;
    }
}

int ls_path_matches(const char *template_, const char *consumer, const char *path, ls_error *err) {
    ls_buf escaped = {0};
    ls_path_escape(&escaped, consumer);
    int is = ls_buf_cstr(&escaped) ? matches(template_, escaped.data, path) : ls_fail_memory(err, "naming a file");
    ls_buf_free(&escaped);
    return is;
}
