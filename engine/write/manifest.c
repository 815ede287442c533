#include "write/manifest.h"

#include "base/json.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- writing */

static void put_text(ls_buf *out, const char *name, const char *text) {
    ls_buf_fmt(out, "\"%s\":", name);
    ls_json_string(out, text, strlen(text));
}

static void put_file(ls_buf *out, const ls_manifest_file *f) {
    ls_buf_char(out, '{');
    put_text(out, f->outside ? "path" : "file", f->name);
    ls_buf_fmt(out, ",\"bytes\":%" PRIu64, f->bytes);
    if (f->fresh) ls_buf_str(out, ",\"new\":true");
    if (f->end) ls_buf_char(out, ','), put_text(out, "end", f->end);
    ls_buf_str(out, "},\n");
}

void ls_manifest_print(const ls_manifest *m, ls_buf *out) {
    ls_buf_fmt(out, "{\"version\":%d,", LS_MANIFEST_VERSION);
    put_text(out, "consumer", m->consumer);
    ls_buf_fmt(out, ",\"instance\":%d,\"instances\":%d", m->instance, m->instances);
    if (m->has_span) ls_buf_fmt(out, ",\"span\":%" PRId64, m->span);
    ls_buf_str(out, ",\n\"partitions\":[\n");
    for (size_t i = 0; i < m->nplaces; i++) {
        ls_buf_char(out, '{');
        put_text(out, "topic", m->places[i].topic);
        ls_buf_fmt(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 "},\n", m->places[i].partition, m->places[i].offset);
    }
    ls_buf_str(out, "null],\n\"truncates\":[\n");
    for (size_t i = 0; i < m->ntruncates; i++) {
        const ls_manifest_truncate *t = &m->truncates[i];
        ls_buf_fmt(out, "{\"files\":%" PRIu64 ",\"connector\":%" PRIu64 ",\"seq\":%" PRIu64 ",", t->files, t->connector, t->seq);
        put_text(out, "pos", t->pos);
        ls_buf_str(out, "},\n");
    }
    ls_buf_str(out, "null],\n\"files\":[\n");
    for (size_t i = 0; i < m->nfiles; i++) put_file(out, &m->files[i]);
    ls_buf_str(out, "null]}\n");
}

/* ---- reading */

/* A member of an object: where its value goes. */
typedef enum member_kind { TEXT, SHORT_TEXT, INT, I64, U64, YES, PLACES, TRUNCATES, FILES } member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t at;  /* offset in the struct */
    bool may_lack;
} member;

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const member place_members[] = {
    {.name = "topic", .kind = TEXT, .at = offsetof(ls_manifest_place, topic)},
    {.name = "partition", .kind = INT, .at = offsetof(ls_manifest_place, partition)},
    {.name = "offset", .kind = I64, .at = offsetof(ls_manifest_place, offset)}};

static const member truncate_members[] = {
    {.name = "files", .kind = U64, .at = offsetof(ls_manifest_truncate, files)},
    {.name = "connector", .kind = U64, .at = offsetof(ls_manifest_truncate, connector)},
    {.name = "seq", .kind = U64, .at = offsetof(ls_manifest_truncate, seq)},
    {.name = "pos", .kind = SHORT_TEXT, .at = offsetof(ls_manifest_truncate, pos)}};

/* A file has one of the first two. */
static const member file_members[] = {
    {.name = "file", .kind = TEXT, .at = offsetof(ls_manifest_file, name), .may_lack = true},
    {.name = "path", .kind = TEXT, .at = offsetof(ls_manifest_file, name), .may_lack = true},
    {.name = "bytes", .kind = U64, .at = offsetof(ls_manifest_file, bytes)},
    {.name = "new", .kind = YES, .at = offsetof(ls_manifest_file, fresh), .may_lack = true},
    {.name = "end", .kind = TEXT, .at = offsetof(ls_manifest_file, end), .may_lack = true}};

static const member manifest_members[] = {
    {.name = "version", .kind = INT, .at = SIZE_MAX},
    {.name = "consumer", .kind = TEXT, .at = offsetof(ls_manifest, consumer)},
    {.name = "instance", .kind = INT, .at = offsetof(ls_manifest, instance)},
    {.name = "instances", .kind = INT, .at = offsetof(ls_manifest, instances)},
    {.name = "span", .kind = I64, .at = offsetof(ls_manifest, span), .may_lack = true},
    {.name = "partitions", .kind = PLACES, .at = 0},
    {.name = "truncates", .kind = TRUNCATES, .at = 0},
    {.name = "files", .kind = FILES, .at = 0}};

static int read_object(ls_json *j, const member *members, size_t n, void *to, uint32_t *had, ls_error *err);

static int wrong(const char *name, ls_error *err) { return ls_fail(err, LS_FAIL, "\"%s\" has no value that it can have", name); }

static int read_text(const ls_json_value *v, const char *name, char **out, size_t max, ls_error *err) {
    ls_buf text = {0};
    if (v->kind != LS_JSON_STRING) return wrong(name, err);
    if (ls_json_unescape(v, &text, err)) {
        ls_buf_free(&text);
        return -1;
    }
    const char *all = ls_buf_cstr(&text);
    if (!all) return ls_fail_memory(err, "reading a manifest");
    int rc = strlen(all) != text.len || text.len >= max ? wrong(name, err) : 0;
    if (rc == 0 && max <= LS_MANIFEST_POS_MAX) memcpy(*out, all, text.len + 1);
    if (rc == 0 && max > LS_MANIFEST_POS_MAX) *out = text.data;
    if (rc || max <= LS_MANIFEST_POS_MAX) ls_buf_free(&text);
    return rc;
}

/* Room for one more of a list's entries, zeroed; NULL: memory. */
static void *grow(void *list, size_t *n, size_t size) {
    char **all = list;
    if ((*n & (*n - 1)) == 0) { /* full at each power of two */
        char *more = realloc(*all, (*n ? *n * 2 : 1) * size);
        if (!more) return NULL;
        *all = more;
    }
    return memset(*all + (*n)++ * size, 0, size);
}

static int read_entry(ls_json *j, ls_manifest *m, member_kind kind, ls_error *err) {
    uint32_t had;
    void *e = kind == PLACES      ? grow(&m->places, &m->nplaces, sizeof *m->places)
              : kind == TRUNCATES ? grow(&m->truncates, &m->ntruncates, sizeof *m->truncates)
                                  : grow(&m->files, &m->nfiles, sizeof *m->files);
    if (!e) return ls_fail_memory(err, "reading a manifest");
    if (kind == PLACES) {
        const ls_manifest_place *p = e;
        if (read_object(j, place_members, COUNT(place_members), e, &had, err)) return -1;
        return p->partition < 0 || p->offset < 0 ? wrong("partitions", err) : 0;
    }
    if (kind == TRUNCATES) return read_object(j, truncate_members, COUNT(truncate_members), e, &had, err);
    ls_manifest_file *f = e;
    if (read_object(j, file_members, COUNT(file_members), e, &had, err)) return -1;
    f->outside = had & 2;
    if ((had & 3) == 0 || !*f->name || f->bytes > INT64_MAX) return wrong("files", err);
    if (f->end && (!*f->end || strchr(f->end, '/') || f->fresh)) return wrong("end", err);
    return 0;
}

/* A list that ends with null. */
static int read_list(ls_json *j, ls_manifest *m, member_kind kind, ls_error *err) {
    bool first = true, ended = false;
    ls_json_value v;
    int more;
    if (ls_json_open(j, '[', err)) return -1;
    while ((more = ls_json_more(j, ']', &first, err)) == 1) {
        ls_json at = *j;
        if (ended) return ls_fail(err, LS_FAIL, "there is something behind a list's null");
        if (ls_json_read(j, &v, err)) return -1;
        ended = v.kind == LS_JSON_NULL;
        if (!ended && read_entry(&at, m, kind, err)) return -1;
    }
    return more || ended ? more : ls_fail(err, LS_FAIL, "a list does not end with null: the text was cut");
}

static int read_number(const ls_json_value *v, const member *m, void *at, ls_error *err) {
    int64_t n = 0;
    uint64_t u = 0;
    if (m->kind == U64 ? ls_json_u64(v, &u) : ls_json_i64(v, &n)) return wrong(m->name, err);
    if (m->kind == U64) return memcpy(at, &u, sizeof u), 0;
    if (m->kind == I64) return memcpy(at, &n, sizeof n), 0;
    if (n < INT_MIN || n > INT_MAX) return wrong(m->name, err);
    return memcpy(at, &(int){(int)n}, sizeof(int)), 0;
}

static int read_member(ls_json *j, const member *m, void *to, ls_error *err) {
    ls_json_value v;
    int version;
    if (m->kind >= PLACES) return read_list(j, to, m->kind, err);
    if (ls_json_read(j, &v, err)) return -1;
    if (m->at == SIZE_MAX) {
        if (read_number(&v, m, &version, err)) return -1;
        return version == LS_MANIFEST_VERSION ? 0 : ls_fail(err, LS_FAIL, "it is of version %d, and this program knows version %d", version, LS_MANIFEST_VERSION);
    }
    void *at = (char *)to + m->at;
    char *text = at;
    switch (m->kind) {
    case TEXT: return read_text(&v, m->name, at, SIZE_MAX, err);
    case SHORT_TEXT: return read_text(&v, m->name, &text, LS_MANIFEST_POS_MAX, err);
    case YES: *(bool *)at = true; return v.kind == LS_JSON_TRUE ? 0 : wrong(m->name, err);
    default: return read_number(&v, m, at, err);
    }
}

/* *had: a bit for each member that there was. A text that comes twice would be owned by nobody. */
static int read_object(ls_json *j, const member *members, size_t n, void *to, uint32_t *had, ls_error *err) {
    bool first = true;
    ls_json_value key;
    int more;
    *had = 0;
    if (ls_json_open(j, '{', err)) return -1;
    while ((more = ls_json_more(j, '}', &first, err)) == 1) {
        size_t i = 0;
        uint32_t taken = *had;
        if (ls_json_name(j, &key, err)) return -1;
        while (i < n && !ls_json_is(&key, members[i].name)) i++;
        if (i == n) return ls_fail(err, LS_FAIL, "\"%.*s\" is not known", key.n < 40 ? (int)key.n : 40, key.p);
        if (members == file_members && i < 2 && taken & 3) taken |= 3; /* both are the name */
        if (taken & (1u << i)) return ls_fail(err, LS_FAIL, "\"%s\" is there twice", members[i].name);
        *had |= 1u << i;
        if (read_member(j, &members[i], to, err)) return -1;
    }
    for (size_t i = 0; more == 0 && i < n; i++)
        if (!members[i].may_lack && !(*had & (1u << i))) return ls_fail(err, LS_FAIL, "\"%s\" is missing", members[i].name);
    return more;
}

int ls_manifest_read(ls_manifest *out, const char *p, size_t n, ls_error *err) {
    ls_json j = ls_json_over(p, n);
    uint32_t had = 0;
    *out = (ls_manifest){0};
    int rc = read_object(&j, manifest_members, COUNT(manifest_members), out, &had, err) || ls_json_end(&j, err) ? -1 : 0;
    out->has_span = had & (1u << 4);
    if (rc == 0 && (out->instances < 1 || out->instance < 1 || out->instance > out->instances)) rc = wrong("instance", err);
    if (rc) err->code = LS_LOST;
    return rc;
}

void ls_manifest_free(ls_manifest *m) {
    for (size_t i = 0; i < m->nplaces; i++) free(m->places[i].topic);
    for (size_t i = 0; i < m->nfiles; i++) {
        free(m->files[i].name);
        free(m->files[i].end);
    }
    free(m->consumer);
    free(m->places);
    free(m->files);
    free(m->truncates);
    *m = (ls_manifest){0};
}
