/* The CSV writer: RFC 4180 rows of changes. The files are csv_file.c's. */
#include "write/csv_file.h"

#include "change/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_CSV_TABLES_MAX = 10000, /* tables whose columns are remembered; past it the one longest unseen is forgotten */
    LS_CSV_NAME_MAX = 600      /* bytes of "schema.table" */
};

/* What is known of a table. */
typedef struct table {
    struct table *next; /* the one seen last first */
    const ls_schema *schema; /* of its last I row, a reference; NULL: none yet */
    ls_csv_part *inserts;    /* where rows of that schema with no absent column go */
    ls_csv_part *deletes;    /* where its last D row went */
    char t_connector[64], t_pos[40]; /* the last T written: each instance writes it once, whatever partition it comes from */
    uint64_t t_seq;
    char name[]; /* schema.table */
} table;

typedef struct csv {
    ls_writer base;
    ls_csv_conf conf;
    ls_csv_files *inserts, *deletes; /* one and the same without split_files */
    table *tables;
    ls_buf row, header, text;
} csv;

/* ---- cells */

static bool needs_quotes(const csv *c, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] == c->conf.delimiter || p[i] == c->conf.quote || p[i] == '\n' || p[i] == '\r') return true;
    return n == 0; /* an empty string, not NULL */
}

static void put_text(const csv *c, ls_buf *out, const char *p, size_t n) {
    if (!needs_quotes(c, p, n)) {
        ls_buf_add(out, p, n);
        return;
    }
    ls_buf_char(out, c->conf.quote);
    while (n) {
        const char *q = memchr(p, c->conf.quote, n);
        size_t run = q ? (size_t)(q - p) + 1 : n;
        ls_buf_add(out, p, run);
        if (q) ls_buf_char(out, c->conf.quote);
        p += run;
        n -= run;
    }
    ls_buf_char(out, c->conf.quote);
}

static void put_cell(csv *c, const ls_value *v) {
    ls_buf_char(&c->row, c->conf.delimiter);
    if (v->state == LS_NULL) {
        ls_buf_str(&c->row, c->conf.null_text);
    } else if (v->state != LS_PRESENT) {
        ls_buf_str(&c->row, c->conf.absent_text);
    } else if (v->kind == LS_KIND_TEXT || v->kind == LS_KIND_JSON) {
        put_text(c, &c->row, v->as.p, v->len);
    } else {
        ls_buf_clear(&c->text);
        ls_value_print(&c->text, v);
        put_text(c, &c->row, c->text.data, c->text.len);
    }
}

static void begin_row(csv *c, char action, const table *t) {
    ls_buf_clear(&c->row);
    ls_buf_char(&c->row, action);
    ls_buf_char(&c->row, c->conf.delimiter);
    put_text(c, &c->row, t->name, strlen(t->name));
}

static void begin_header(csv *c) {
    ls_buf_clear(&c->header);
    ls_buf_fmt(&c->header, "action%ctable", c->conf.delimiter);
}

static void put_header(csv *c, const ls_column *col) {
    ls_buf_char(&c->header, c->conf.delimiter);
    put_text(c, &c->header, col->name, col->name_len);
}

/* ---- tables */

static void forget_oldest(csv *c) {
    table **at = &c->tables;
    size_t n = 0;
    while (*at && (*at)->next) at = &(*at)->next, n++;
    if (n < LS_CSV_TABLES_MAX) return;
    ls_schema_unref((*at)->schema);
    free(*at);
    *at = NULL;
}

static int table_of(csv *c, const ls_schema *s, table **out, ls_error *err) {
    char name[LS_CSV_NAME_MAX];
    if (c->tables && c->tables->schema == s) {
        *out = c->tables;
        return 0;
    }
    int n = snprintf(name, sizeof name, "%s.%s", s->schema, s->table);
    if (n >= (int)sizeof name) return ls_fail(err, LS_FAIL, "%s.%s: a table's name is longer than %d bytes", s->schema, s->table, LS_CSV_NAME_MAX - 1);
    table **at = &c->tables, *t;
    while ((t = *at) && strcmp(t->name, name) != 0) at = &t->next;
    if (t) {
        *at = t->next;
    } else {
        forget_oldest(c);
        t = calloc(1, sizeof *t + (size_t)n + 1);
        if (!t) return ls_fail_memory(err, "writing CSV");
        memcpy(t->name, name, (size_t)n + 1);
    }
    t->next = c->tables;
    *out = c->tables = t;
    return 0;
}

static void learn(table *t, const ls_schema *s) {
    const ls_schema *old = t->schema;
    t->schema = ls_schema_ref(s);
    t->inserts = NULL;
    ls_schema_unref(old);
}

/* ---- rows */

static int add(csv *c, ls_csv_files *f, ls_csv_part *p, ls_error *err) {
    if (c->row.failed || c->text.failed) return ls_fail_memory(err, "writing a CSV row");
    return ls_csv_files_add(f, p, c->row.data, c->row.len, err);
}

static int part(csv *c, ls_csv_files *f, const table *t, ls_csv_part **out, ls_error *err) {
    if (c->header.failed) return ls_fail_memory(err, "writing a CSV header");
    if (ls_csv_files_part(f, c->header.data, c->header.len, out, err)) return -1;
    if (!(*out)->table) (*out)->table = strdup(t->name);
    return 0;
}

static int write_insert(csv *c, table *t, const ls_schema *s, const ls_value *row, ls_error *err) {
    bool whole = true;
    if (t->schema != s) learn(t, s);
    begin_row(c, 'I', t);
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (row[i].state == LS_ABSENT)
            whole = false;
        else
            put_cell(c, &row[i]);
    }
    ls_csv_part *p = whole ? t->inserts : NULL;
    if (!p) {
        begin_header(c);
        for (uint32_t i = 0; i < s->ncols; i++)
            if (row[i].state != LS_ABSENT) put_header(c, &s->cols[i]);
        if (part(c, c->inserts, t, &p, err)) return -1;
        if (whole) t->inserts = p;
    }
    return add(c, c->inserts, p, err);
}

/* Does `name` stand in the header among its cells? The cells' text is compared as it is written. */
static bool header_has(csv *c, const char *header, size_t n, const ls_column *col) {
    ls_buf_clear(&c->text);
    ls_buf_char(&c->text, c->conf.delimiter);
    put_text(c, &c->text, col->name, col->name_len);
    const char *end = header + n;
    for (const char *at = header; (at = memmem(at, (size_t)(end - at), c->text.data, c->text.len)); at++)
        if (at + c->text.len == end || at[c->text.len] == c->conf.delimiter) return true;
    return false;
}

/* One cell of a header, as it is written. */
static const char *next_cell(const csv *c, const char **at, const char *end, size_t *n) {
    const char *from = *at;
    bool quoted = false;
    while (*at < end && (quoted || **at != c->conf.delimiter)) {
        if (**at == c->conf.quote) quoted = !quoted;
        ++*at;
    }
    *n = (size_t)(*at - from);
    if (*at < end) ++*at;
    return from;
}

static const ls_value *value_for(csv *c, const ls_schema *s, const ls_value *row, const char *cell, size_t n) {
    for (uint32_t i = 0; i < s->ncols; i++) {
        ls_buf_clear(&c->text);
        put_text(c, &c->text, s->cols[i].name, s->cols[i].name_len);
        if (c->text.len == n && memcmp(c->text.data, cell, n) == 0) return &row[i];
    }
    return NULL;
}

/* In one file a D row takes the header of the table's I rows, if all that it carries stands in it. */
static bool fits(csv *c, const ls_csv_part *p, const ls_schema *s, const ls_value *row) {
    for (uint32_t i = 0; i < s->ncols; i++)
        if (row[i].state != LS_ABSENT && !header_has(c, p->header, p->header_len, &s->cols[i])) return false;
    return true;
}

static int write_filled(csv *c, ls_csv_part *p, const ls_schema *s, const ls_value *row, ls_error *err) {
    static const ls_value absent = {.state = LS_ABSENT};
    const char *at = p->header, *end = p->header + p->header_len;
    size_t n;
    next_cell(c, &at, end, &n); /* action */
    next_cell(c, &at, end, &n); /* table */
    while (at < end) {
        const char *cell = next_cell(c, &at, end, &n);
        const ls_value *v = value_for(c, s, row, cell, n);
        put_cell(c, v ? v : &absent);
    }
    return add(c, c->deletes, p, err);
}

static int write_delete(csv *c, table *t, const ls_schema *s, const ls_value *row, ls_error *err) {
    ls_csv_part *p = NULL;
    begin_row(c, 'D', t);
    if (!c->conf.split_files) p = t->inserts ? t->inserts : ls_csv_files_of_table(c->inserts, t->name);
    if (p && p->header && fits(c, p, s, row)) {
        t->deletes = p;
        return write_filled(c, p, s, row, err);
    }
    begin_header(c);
    for (uint32_t i = 0; i < s->ncols; i++) {
        if (row[i].state == LS_ABSENT) continue;
        put_header(c, &s->cols[i]);
        put_cell(c, &row[i]);
    }
    if (part(c, c->deletes, t, &p, err)) return -1;
    t->deletes = p;
    return add(c, c->deletes, p, err);
}

/* Places of one connector compare as texts; a longer one has a later epoch in front. */
static bool seen_truncate(const table *t, const ls_change *ch) {
    if (strcmp(t->t_connector, ch->tx->connector) != 0) return false;
    size_t a = strlen(ch->tx->pos), b = strlen(t->t_pos);
    int order = a != b ? (a < b ? -1 : 1) : strcmp(ch->tx->pos, t->t_pos);
    return order < 0 || (order == 0 && ch->seq <= t->t_seq);
}

static int write_truncate(csv *c, table *t, const ls_change *ch, ls_error *err) {
    ls_csv_part *p = t->deletes;
    if (seen_truncate(t, ch)) return 0;
    snprintf(t->t_connector, sizeof t->t_connector, "%s", ch->tx->connector);
    snprintf(t->t_pos, sizeof t->t_pos, "%s", ch->tx->pos);
    t->t_seq = ch->seq;
    begin_row(c, 'T', t);
    if (!p) {
        begin_header(c);
        if (part(c, c->deletes, t, &p, err)) return -1;
    }
    const char *at = p->header, *end = p->header + p->header_len;
    size_t n, cells = 0;
    for (; at < end; cells++) next_cell(c, &at, end, &n);
    for (size_t i = 2; i < cells; i++) {
        ls_buf_char(&c->row, c->conf.delimiter);
        ls_buf_str(&c->row, c->conf.absent_text);
    }
    return add(c, c->deletes, p, err);
}

static int write_change(csv *c, const ls_change *ch, ls_error *err) {
    const ls_schema *s = ch->schema;
    table *t;
    if (ch->flags & LS_DROPPED || !strchr("IUDT", ch->action)) return 0;
    if (table_of(c, s, &t, err)) return -1;
    if (ch->action == 'T') return write_truncate(c, t, ch, err);
    /* the D of an update stands under its I's header */
    if (ch->action == 'U' && t->schema != s) learn(t, s);
    if (ch->before && write_delete(c, t, s, ch->before, err)) return -1;
    return ch->after ? write_insert(c, t, s, ch->after, err) : 0;
}

static int write_batch(ls_writer *w, ls_batch *b, ls_error *err) {
    csv *c = (csv *)(void *)w;
    for (uint32_t i = 0; i < b->count; i++)
        if (write_change(c, &b->changes[i], err)) return -1;
    return 0;
}

static int flush(ls_writer *w, ls_error *err) {
    csv *c = (csv *)(void *)w;
    if (ls_csv_files_flush(c->inserts, err)) return -1;
    return c->deletes == c->inserts ? 0 : ls_csv_files_flush(c->deletes, err);
}

static void close_writer(ls_writer *w) {
    csv *c = (csv *)(void *)w;
    if (c->deletes != c->inserts) ls_csv_files_close(c->deletes);
    ls_csv_files_close(c->inserts);
    for (table *t = c->tables, *next; t; t = next) {
        next = t->next;
        ls_schema_unref(t->schema);
        free(t);
    }
    ls_buf_free(&c->row);
    ls_buf_free(&c->header);
    ls_buf_free(&c->text);
    free(c);
}

static const ls_writer_ops csv_ops = {.write = write_batch, .flush = flush, .close = close_writer};

static int open_files(csv *c, const char *kind, ls_csv_files **out, ls_error *err) {
    ls_buf base = {0};
    ls_buf_fmt(&base, "%s_%s%s", c->conf.filename, c->conf.consumer, kind);
    const char *path = ls_buf_cstr(&base);
    int rc = path ? ls_csv_files_open(out, &c->conf, path, err) : ls_fail_memory(err, "opening CSV files");
    ls_buf_free(&base);
    return rc;
}

int ls_csv_open(ls_writer **out, const ls_csv_conf *conf, ls_error *err) {
    csv *c = calloc(1, sizeof *c);
    if (!c) return ls_fail_memory(err, "opening CSV files");
    c->base.ops = &csv_ops;
    c->conf = *conf;
    int rc = open_files(c, conf->split_files ? "_insert" : "", &c->inserts, err);
    if (rc == 0 && conf->split_files) rc = open_files(c, "_delete", &c->deletes, err);
    if (!conf->split_files) c->deletes = c->inserts;
    if (rc) {
        close_writer(&c->base);
        return -1;
    }
    *out = &c->base;
    return 0;
}
