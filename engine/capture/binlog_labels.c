#include "capture/binlog_labels.h"

#include "base/text.h"
#include "capture/binlog_map.h"

#include <stdlib.h>

static int add(ls_buf *bytes, const uint8_t *p, size_t n, const ls_charset *charset) {
    if (charset) return ls_charset_read(charset, bytes, (const char *)p, n);
    if (!ls_utf8_valid((const char *)p, n)) return -1;
    ls_buf_add(bytes, p, n);
    return 0;
}

int ls_labels_read(ls_labels **out, ls_cursor *in, const ls_charset *charset, ls_error *err) {
    ls_buf bytes = {0};
    int rc = -1;
    uint64_t count = ls_lenenc(in);
    *out = NULL;
    if (in->failed) return 0;
    if (count > LS_LABELS_MAX || count > ls_cursor_left(in)) /* a label takes a byte at least */
        return ls_fail(err, LS_FAIL, "a column of more labels than there can be");
    ls_labels *l = malloc(sizeof *l + (size_t)count * sizeof *l->of);
    if (!l) return ls_fail_memory(err, "labels");
    *l = (ls_labels){.count = (uint32_t)count};
    for (uint32_t i = 0; i < l->count; i++) {
        size_t n = (size_t)ls_lenenc(in), before = bytes.len;
        const uint8_t *p = ls_cursor_take(in, n);
        if (!p) {
            rc = 0;
            goto out;
        }
        if (add(&bytes, p, n, charset)) {
            ls_fail(err, LS_FAIL, "label %u is not valid in its character set", i + 1);
            goto out;
        }
        l->of[i].n = (uint32_t)(bytes.len - before);
    }
    if (bytes.failed) {
        ls_fail_memory(err, "labels");
        goto out;
    }
    l->bytes = bytes.data;
    for (size_t i = 0, at = 0; i < l->count; at += l->of[i++].n) l->of[i].p = bytes.data ? bytes.data + at : "";
    *out = l;
    return 0;
out:
    ls_buf_free(&bytes);
    free(l);
    return rc;
}

void ls_labels_free(ls_labels *l) {
    if (!l) return;
    free(l->bytes);
    free(l);
}
