/* Any bytes as a document of MySQL's binary JSON: refused, or printed as JSON text that is not much longer than they are. The seeds
 * were recorded from a MySQL 9.7 server. */
#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_json.h"

#include <stdlib.h>
#include <string.h>

enum { PER_BYTE = 128, MORE = 512 }; /* of text: a document of three bytes can be 1e-300, a control character is six */

/* mended: NULL, text that is not valid UTF-8 is refused. Was it printed? */
static bool print(const void *copy, size_t size, bool *mended, ls_buf *text) {
    ls_error err = {0};
    ls_json_value v;
    ls_buf_clear(text);
    if (ls_jsonb_text(text, copy, size, mended, &err)) {
        if (!strstr(err.text, "at byte ")) abort();
        return false;
    }
    ls_json j = ls_json_over(text->data, text->len);
    if (text->len > size * PER_BYTE + MORE || !ls_utf8_valid(text->data, text->len)) abort();
    if (ls_json_read(&j, &v, &err) || ls_json_end(&j, &err) || !ls_json_is_compact(text->data, text->len)) abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_buf text = {0}, strict = {0};
    bool mended = false;
    void *copy = malloc(size ? size : 1); /* of its own, so that a read beyond it is seen */
    if (!copy) return 0;
    memcpy(copy, data, size);
    bool printed = print(copy, size, &mended, &text), plain = print(copy, size, NULL, &strict);
    if (plain != (printed && !mended)) abort(); /* what is mended is refused, and the other way round */
    if (plain && (text.len != strict.len || memcmp(text.data, strict.data, text.len) != 0)) abort();
    ls_buf_free(&text);
    ls_buf_free(&strict);
    free(copy);
    return 0;
}
