/* binlogvalue.h - reads column values given in hex: for the tests of the value decoder. */
#ifndef BINLOGVALUE_H
#define BINLOGVALUE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "capture/binlog_value.h"

enum { BYTES_MAX = 512 };

static inline ls_wire_column column(uint8_t code, uint16_t meta, uint8_t type) {
    return (ls_wire_column){.code = code, .meta = meta, .type = type, .collation = LS_COLLATION_BINARY};
}

/* The canonical text of a value given in hex; "cut" when bytes are lacking, "bad" when they are no value. Every shorter
 * text must be "cut", and skipping must pass as many bytes as reading. */
static inline const char *read_hex(const ls_wire_column *c, const char *hex, bool shorter) {
    static char out[2048];
    uint8_t bytes[BYTES_MAX];
    size_t n = strlen(hex) / 2;
    ls_arena arena = {0};
    ls_buf scratch = {0}, text = {0};
    ls_value v = {.state = LS_ABSENT};
    ls_error err;
    assert_int_equal(ls_hex_read(bytes, hex, n * 2), 0);
    for (size_t short_n = 0; shorter && short_n < n; short_n++) {
        ls_cursor in = ls_cursor_over(bytes, short_n);
        assert_int_equal(ls_wire_read(c, &in, &arena, &scratch, NULL, &v, &err), 0);
        assert_true(in.failed);
    }
    ls_cursor in = ls_cursor_over(bytes, n), skip = in;
    int rc = ls_wire_read(c, &in, &arena, &scratch, NULL, &v, &err);
    ls_wire_skip(c, &skip);
    assert_int_equal(in.failed, skip.failed);
    assert_ptr_equal(in.at, skip.at);
    v.state = LS_PRESENT;
    if (rc == 0 && !in.failed) ls_value_print(&text, &v);
    snprintf(out, sizeof out, "%.*s", (int)text.len, text.data ? text.data : "");
    if (rc) snprintf(out, sizeof out, "bad");
    if (in.failed)
        snprintf(out, sizeof out, "cut");
    else
        assert_int_equal(ls_cursor_left(&in), 0);
    ls_buf_free(&scratch);
    ls_buf_free(&text);
    ls_arena_free(&arena);
    return out;
}

static inline void is(const ls_wire_column *c, const char *hex, const char *want) {
    assert_string_equal(read_hex(c, hex, true), want);
}

/* A character set, loaded once and kept for all the tests of a program. */
static inline const ls_charset *charset(const char *name) {
    static ls_charsets *all;
    const ls_charset *c;
    ls_error err;
    if (!all) all = ls_charsets_new();
    assert_int_equal(ls_charsets_find(all, name, &c, &err), 0);
    return c;
}

#endif
