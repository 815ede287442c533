/* parts.h - what the formats that are JSON share: a table's names as text that is ready, and writing values under them. What is called for
 * each value stands here, to be compiled into each format. */
#ifndef LS_PARTS_H
#define LS_PARTS_H

#include "base/json.h"
#include "change/value.h"
#include "format/format.h"

#include <string.h>

typedef struct ls_span {
    size_t at, len;
} ls_span;

/* What is the same in every message of a schema, as one format writes it. It hangs on the schema, which has one place for it: rows of
 * one schema in two formats by turns would make it anew each time. */
typedef struct ls_parts {
    void (*fill)(struct ls_parts *p, const ls_schema *s); /* whose it is */
    ls_buf text;
    ls_span names;    /* schema and table */
    ls_span pk;       /* list_sync: the key's columns */
    size_t separator; /* so many bytes of a column's text part it from the value before: the first one leaves them out */
    int clash;        /* flat: a column with the name of one of its own members; -1: none */
    ls_span columns[]; /* for each what stands in front of its value */
} ls_parts;

/* A message on its way. */
typedef struct ls_message {
    const ls_format_options *options;
    const ls_parts *parts;
    const ls_change *change;
    const ls_schema *schema; /* the change's */
    ls_buf *out;
    int bad; /* a column whose text is no JSON document, which it was to be; -1: none */
} ls_message;

/* Starts the message of change i; fill() makes the parts of its schema, once a schema. -1: memory. */
int ls_message_begin(ls_message *m, const ls_format_options *o, ls_batch *b, uint32_t i, ls_buf *out,
                     void (*fill)(ls_parts *p, const ls_schema *s), ls_error *err) LS_MUST_CHECK;
/* Was all of it written? -1 with an error: a value could not be, or memory is out. */
int ls_message_end(const ls_message *m, ls_error *err) LS_MUST_CHECK;
/* The error of a format that has no form for what `ddl` sends. Gives -1. */
int ls_message_no_ddl(const ls_message *m, const char *format, ls_error *err);

/* For fill(): the text since `from`. */
static inline ls_span ls_parts_since(const ls_parts *p, size_t from) { return (ls_span){from, p->text.len - from}; }
/* For fill(): each column's text is ,"name": */
void ls_parts_members(ls_parts *p, const ls_schema *s);

static inline void ls_put_span(ls_message *m, ls_span s) { ls_buf_add(m->out, m->parts->text.data + s.at, s.len); }
/* The column's text. *first: nothing stands before it in its list or object; becomes false. */
static inline void ls_put_name(ls_message *m, bool *first, uint32_t col) {
    ls_span name = m->parts->columns[col];
    size_t skip = *first ? m->parts->separator : 0;
    ls_buf_add(m->out, m->parts->text.data + name.at + skip, name.len - skip);
    *first = false;
}
/* Its name and its value, if it has one: LS_UNCHANGED and LS_ABSENT leave no trace. */
static inline void ls_put_column(ls_message *m, bool *first, uint32_t col, const ls_value *v) {
    if (v->state > LS_NULL) return;
    int type = m->schema->cols[col].type;
    ls_put_name(m, first, col);
    if (m->options->embed_json && type == LS_TYPE_JSON && v->state == LS_PRESENT && v->kind == LS_KIND_TEXT) {
        if (!ls_json_is_document(v->as.p, v->len)) m->bad = (int)col; /* a server may keep what is none: MariaDB does where the check was off */
        ls_buf_add(m->out, v->as.p, v->len);
    } else {
        ls_value_json(m->out, v, type);
    }
}
/* The row before: the key's columns in the key's own order; all of them if the table has none, or if the row is told whole. */
void ls_put_identity(ls_message *m, bool *first);
/* The key that a moved row went to, or came from. */
void ls_put_moved(ls_message *m, bool *first);
/* title, then the names of the columns that the server did not send, then ]; nothing if there are none. */
void ls_put_unchanged(ls_message *m, const char *title);
/* title, then the text as a string. */
static inline void ls_put_text(ls_buf *out, const char *title, const char *text) {
    ls_buf_str(out, title);
    ls_json_string(out, text, strlen(text));
}
/* title, then the number. */
static inline void ls_put_i64(ls_buf *out, const char *title, int64_t v) {
    ls_buf_str(out, title);
    ls_buf_i64(out, v);
}
static inline void ls_put_u64(ls_buf *out, const char *title, uint64_t v) {
    ls_buf_str(out, title);
    ls_buf_u64(out, v);
}

#endif
