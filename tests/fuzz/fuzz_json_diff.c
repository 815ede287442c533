/* Any bytes as a document of MySQL's binary JSON and changes of it: refused, or printed as JSON text that is not much longer than
 * they are. Input: the document's length, two bytes, little endian, the document, the changes. The seeds were recorded from a MySQL
 * 9.7 server. */
#include "base/cursor.h"
#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_json_diff.h"

#include <stdlib.h>
#include <string.h>

enum { PER_BYTE = 128, MORE = 512 }; /* of text: a document of three bytes can be 1e-300, a control character is six */

/* Of its own, so that a read beyond it is seen. */
static uint8_t *own(const uint8_t *p, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) abort();
    if (n) memcpy(copy, p, n);
    return copy;
}

/* mended: NULL, text that is not valid UTF-8 is refused. */
static void change(const uint8_t *doc, size_t n, const uint8_t *changes, size_t nchanges, bool *mended) {
    size_t size = n + nchanges;
    ls_arena arena = {0};
    ls_buf text = {0};
    ls_error err = {0};
    if (ls_jsonb_change(&text, doc, n, changes, nchanges, &arena, mended, &err)) {
        if (strncmp(err.text, "JSON: ", 6) != 0 || !ls_utf8_valid(err.text, strlen(err.text))) abort();
    } else {
        ls_json j = ls_json_over(text.data, text.len);
        ls_json_value v;
        if (text.len > size * PER_BYTE + MORE || !ls_utf8_valid(text.data, text.len)) abort();
        if (ls_json_read(&j, &v, &err) || ls_json_end(&j, &err) || !ls_json_is_compact(text.data, text.len)) abort();
    }
    ls_arena_free(&arena);
    ls_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_cursor in = ls_cursor_over(data, size);
    bool mended = false;
    size_t n = (size_t)ls_cursor_le(&in, 2);
    if (in.failed || n > ls_cursor_left(&in)) return 0;
    size_t nchanges = ls_cursor_left(&in) - n;
    uint8_t *doc = own(in.at, n), *changes = own(in.at + n, nchanges);
    change(doc, n, changes, nchanges, NULL);
    change(doc, n, changes, nchanges, &mended);
    free(doc);
    free(changes);
    return 0;
}
