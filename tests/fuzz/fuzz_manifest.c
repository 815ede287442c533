/* Any bytes as a manifest. What is taken prints, and what is printed reads back as the same; what is refused is exit code 3, with a reason. */
#include "write/manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void want(bool ok) {
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    ls_manifest m, again;
    ls_buf first = {0}, second = {0};
    ls_error err = {0};
    if (ls_manifest_read(&m, (const char *)p, n, &err)) {
        want(err.code == LS_LOST && *err.text);
        ls_manifest_free(&m);
        return 0;
    }
    want(m.instances >= m.instance && m.instance >= 1 && m.consumer);
    for (size_t i = 0; i < m.nplaces; i++) want(m.places[i].topic && m.places[i].partition >= 0 && m.places[i].offset >= 0);
    for (size_t i = 0; i < m.nfiles; i++) want(*m.files[i].name && m.files[i].bytes <= INT64_MAX && !(m.files[i].end && strchr(m.files[i].end, '/')));
    ls_manifest_print(&m, &first);
    want(ls_buf_cstr(&first) && ls_manifest_read(&again, first.data, first.len, &err) == 0);
    ls_manifest_print(&again, &second);
    want(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    ls_manifest_free(&m);
    ls_manifest_free(&again);
    ls_buf_free(&first);
    ls_buf_free(&second);
    return 0;
}
