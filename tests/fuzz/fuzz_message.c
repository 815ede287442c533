/* Lines of messages, one after another to one decoder. The quick reader and the other one must say the same; what was read
 * must encode, and the encoded message must read as the same change. */
#include "change/value.h"
#include "format/format.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool ok) {
    if (!ok) abort();
}

static void same_images(const ls_value *a, const ls_schema *of_a, const ls_value *b, const ls_schema *of_b) {
    want(!a == !b);
    for (uint32_t i = 0; a && i < of_a->ncols; i++) {
        int k = of_a == of_b ? (int)i : ls_schema_find(of_b, of_a->cols[i].name, of_a->cols[i].name_len);
        want(k >= 0 && ls_value_same(&a[i], &b[k]));
    }
}

/* A row that leaves columns unsent may be of two of its table's shapes, which have the same columns in another order or
 * with other types: then either reader's choice is right. */
static void same(const ls_change *a, const ls_change *b) {
    const ls_schema *x = a->schema, *y = b->schema;
    want(strcmp(x->schema, y->schema) == 0 && strcmp(x->table, y->table) == 0 && x->nkey == y->nkey);
    want(x == y || x->ncols == y->ncols);
    want(a->action == b->action && a->seq == b->seq && a->flags == b->flags && a->sub == b->sub);
    want(a->tx->ts == b->tx->ts && strcmp(a->tx->pos, b->tx->pos) == 0 && strcmp(a->tx->id, b->tx->id) == 0);
    want(strcmp(a->tx->connector, b->tx->connector) == 0 && strcmp(a->tx->db, b->tx->db) == 0);
    same_images(a->after, x, b->after, y);
    same_images(a->before, x, b->before, y);
    want(!a->moved == !b->moved);
    for (uint32_t i = 0; a->moved && i < x->nkey; i++) want(ls_value_same(&a->moved[i], &b->moved[i]));
}

static void one_message(ls_decoder *d, ls_work *w, const char *p, size_t n) {
    ls_error err;
    ls_buf key = {0};
    uint32_t from = w->seen.count;
    char *slow = ls_arena_alloc(&w->arena, n + 1); /* a blank in front keeps it from the quick reader */
    *slow = ' ';
    if (n) memcpy(slow + 1, p, n);
    int rc = ls_decoder_read(d, w, p, n, &err);
    want(rc == ls_decoder_read(d, w, slow, n + 1, &err));
    if (rc == 0) {
        same(&w->seen.changes[from], &w->seen.changes[from + 1]);
        want(ls_format_key(&(const ls_format_options){0}, &w->seen, from, &key, &err) >= -1);
    }
    ls_buf_free(&key);
    if (rc) want(w->seen.count == from);
}

/* The decoded rows, written and read by a decoder that knows no table. */
static void write_and_read(ls_work *read, ls_schemas *schemas) {
    for (uint32_t i = 0; i < read->seen.count; i++) {
        ls_decoder *d = ls_decoder_new(schemas);
        ls_work *w = ls_work_new(schemas, "", "");
        ls_buf out = {0};
        ls_error err;
        const ls_change *c = &read->seen.changes[i], *again;
        want(ls_format_list_sync.encode(&(const ls_format_options){0}, &read->seen, i, &out, &err) == 0);
        if (ls_decoder_read(d, w, out.data, out.len, &err) == 0) { /* an image whose every value is absent is not written */
            again = &w->seen.changes[0];
            want(c->action == again->action && c->seq == again->seq);
            ls_buf twice = {0};
            want(ls_format_list_sync.encode(&(const ls_format_options){0}, &w->seen, 0, &twice, &err) == 0);
            want(twice.len == out.len && memcmp(twice.data, out.data, out.len) == 0);
            ls_buf_free(&twice);
        } else {
            want(strstr(err.text, " was wanted") != NULL && !strstr(err.text, "JSON"));
        }
        ls_buf_free(&out);
        ls_work_free(w);
        ls_decoder_free(d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_schemas schemas = {0};
    ls_decoder *d = ls_decoder_new(&schemas);
    ls_work *w = ls_work_new(&schemas, "", "");
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end) line_end = end;
        one_message(d, w, at, (size_t)(line_end - at));
        at = line_end + (line_end < end);
    }
    write_and_read(w, &schemas);
    ls_work_free(w);
    ls_decoder_free(d);
    return 0;
}
