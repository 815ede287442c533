/* Messages of the format "protobuf", one after another to one decoder; each stands behind its length, two bytes, little endian. What was read
 * must encode, in both of our formats, and read again as the same. */
#include "base/cursor.h"
#include "base/text.h"
#include "change/value.h"
#include "format/format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool ok) {
    if (!ok) abort();
}

static const ls_format_options plain;

/* Of its own, so that a read beyond it, or of it when it is gone, is seen. */
static int read_one(ls_decoder *d, ls_work *w, const uint8_t *p, size_t n, ls_error *err) {
    char *copy = malloc(n ? n : 1);
    uint32_t count = w->seen.count;
    want(copy != NULL);
    if (n) memcpy(copy, p, n);
    int rc = ls_decoder_read(d, w, copy, n, err);
    free(copy);
    want(w->seen.count == count + (rc == 0));
    want(rc == 0 || (err->text[0] && ls_utf8_valid(err->text, strlen(err->text))));
    return rc;
}

static void same_image(const ls_schema *s, const ls_value *a, const ls_schema *t, const ls_value *b) {
    for (uint32_t i = 0; a && b && i < s->ncols; i++) {
        if (a[i].state > LS_NULL) continue;
        int k = ls_schema_find(t, s->cols[i].name, s->cols[i].name_len);
        want(k >= 0 && ls_value_same(&a[i], &b[k]));
    }
}

/* By a decoder that knows no table. */
static void write_and_read(ls_schemas *schemas, ls_batch *b, uint32_t i) {
    const ls_change *c = &b->changes[i];
    ls_decoder *d = ls_decoder_for(schemas, "protobuf");
    ls_work *w = ls_work_new(schemas, "", "");
    ls_buf out = {0}, again = {0};
    ls_error err;
    want(ls_format_list_sync.encode(&plain, b, i, &again, &err) == 0);
    want(ls_format_protobuf.encode(&plain, b, i, &out, &err) == 0);
    if (read_one(d, w, (const uint8_t *)out.data, out.len, &err) == 0) { /* an image whose every value is absent is not written */
        const ls_change *read = &w->seen.changes[0];
        want(c->action == read->action && c->seq == read->seq && c->sub == read->sub && c->whole_table == read->whole_table);
        same_image(c->schema, c->after, read->schema, read->after);
        same_image(c->schema, c->before, read->schema, read->before);
        ls_buf_clear(&again);
        want(ls_format_protobuf.encode(&plain, &w->seen, 0, &again, &err) == 0);
        want(again.len == out.len && memcmp(again.data, out.data, out.len) == 0);
    } else {
        want(strstr(err.text, " was wanted") != NULL);
    }
    ls_buf_free(&out);
    ls_buf_free(&again);
    ls_work_free(w);
    ls_decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_schemas schemas = {0};
    ls_decoder *d = ls_decoder_for(&schemas, "protobuf");
    ls_work *w = ls_work_new(&schemas, "", "");
    ls_cursor in = ls_cursor_over(data, size);
    ls_error err = {0};
    while (ls_cursor_left(&in)) {
        size_t n = (size_t)ls_cursor_le(&in, 2);
        if (n > ls_cursor_left(&in)) n = ls_cursor_left(&in);
        read_one(d, w, ls_cursor_take(&in, n), n, &err);
    }
    for (uint32_t i = 0; i < w->seen.count; i++) write_and_read(&schemas, &w->seen, i);
    ls_work_free(w);
    ls_decoder_free(d);
    return 0;
}
