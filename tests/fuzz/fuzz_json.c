/* Any bytes as a document of MySQL's binary JSON: refused, or printed as JSON text that is not much longer than they are. The seeds
 * were recorded from a MySQL 9.7 server. */
#include "base/json.h"
#include "base/text.h"
#include "capture/binlog_json.h"

#include <stdlib.h>
#include <string.h>

enum { PER_BYTE = 128, MORE = 512 }; /* of text: a document of three bytes can be 1e-300, a control character is six */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ls_buf text = {0};
    ls_error err = {0};
    void *copy = malloc(size ? size : 1); /* of its own, so that a read beyond it is seen */
    if (!copy) return 0;
    memcpy(copy, data, size);
    if (ls_jsonb_text(&text, copy, size, &err)) {
        if (!strstr(err.text, "at byte ")) abort();
    } else {
        ls_json j = ls_json_over(text.data, text.len);
        ls_json_value v;
        if (text.len > size * PER_BYTE + MORE || !ls_utf8_valid(text.data, text.len)) abort();
        if (ls_json_read(&j, &v, &err) || ls_json_end(&j, &err) || !ls_json_is_compact(text.data, text.len)) abort();
    }
    ls_buf_free(&text);
    free(copy);
    return 0;
}
