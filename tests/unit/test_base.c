#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/log.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void buf_is(ls_buf *b, const char *want) {
    assert_false(b->failed);
    assert_string_equal(ls_buf_cstr(b), want);
    ls_buf_clear(b);
}

static void test_buf(void **state) {
    (void)state;
    ls_buf b = {0};
    ls_buf_str(&b, "a");
    ls_buf_u64(&b, UINT64_MAX);
    ls_buf_char(&b, ' ');
    ls_buf_i64(&b, INT64_MIN);
    buf_is(&b, "a18446744073709551615 -9223372036854775808");
    ls_buf_fmt(&b, "%300d|%s", 7, "x"); /* longer than the first guess at its length */
    assert_int_equal(b.len, 302);
    ls_buf_free(&b);
}

static void test_buf_keeps_to_its_limit(void **state) {
    (void)state;
    ls_buf b = {.max = 300};
    for (int i = 0; i < 300; i++) ls_buf_char(&b, 'x');
    assert_false(b.failed);
    ls_buf_char(&b, 'y');
    assert_true(b.failed);
    assert_int_equal(b.len, 300);
    ls_buf_add(&b, "z", 1);
    assert_int_equal(b.len, 300);
    ls_buf_free(&b);
    ls_buf_fmt(&b, "%200d", 1);
    ls_buf_fmt(&b, "%200d", 1);
    assert_true(b.failed);
    assert_int_equal(b.len, 200);
    assert_null(ls_buf_cstr(&b));
    ls_buf_free(&b);
    assert_false(ls_buf_room(&b, SIZE_MAX));
    ls_buf_free(&b);
    ls_hex_add(&b, "x", SIZE_MAX); /* a length that no memory has: nothing is read */
    assert_true(b.failed);
    ls_buf_free(&b);
}

/* What is given back reads as zeros, and nothing beside it does. */
static void test_buf_spent(void **state) {
    (void)state;
    enum { SIZE = 1 << 20, FROM = 100, TO = SIZE - 5000, PAGE = 65536 /* the largest there is */ };
    ls_buf b = {0};
    for (int i = 0; i < SIZE; i++) ls_buf_char(&b, 'x');
    ls_buf_spent(&b, FROM, TO);
    assert_null(memchr(b.data, 0, FROM));
    assert_null(memchr(b.data + TO, 0, SIZE - TO));
    assert_null(memchr(b.data + FROM + PAGE, 'x', TO - FROM - 2 * PAGE));
    ls_buf_spent(&b, 0, 1);
    assert_int_equal(b.data[0], 'x');
    ls_buf_free(&b);
}

static void test_arena(void **state) {
    (void)state;
    ls_arena a = {0};
    char *small = ls_arena_copy(&a, "small", 5);
    char *large = ls_arena_alloc(&a, 3 * LS_ARENA_CHUNK);
    char *after = ls_arena_alloc(&a, 16);
    assert_string_equal(small, "small");
    memset(large, 1, 3 * LS_ARENA_CHUNK);
    assert_ptr_equal(after, small + 8); /* the chunk in use stays in use */
    assert_true(a.bytes >= 3 * LS_ARENA_CHUNK);
    ls_arena_reset(&a);
    assert_int_equal(a.bytes, 0);
    for (int i = 0; i < 10000; i++) assert_non_null(ls_arena_zalloc(&a, 100));
    ls_arena_free(&a);
}

static void test_cursor(void **state) {
    (void)state;
    ls_cursor c = ls_cursor_over("\x01\x02\x03\x04hi\0rest", 11);
    size_t n;
    assert_int_equal(ls_cursor_be(&c, 2), 0x0102);
    assert_int_equal(ls_cursor_le(&c, 2), 0x0403);
    assert_string_equal(ls_cursor_cstr(&c, &n), "hi");
    assert_int_equal(n, 2);
    assert_null(ls_cursor_cstr(&c, &n)); /* no NUL in "rest" */
    assert_true(c.failed);
    assert_int_equal(c.fail_offset, 7);
    assert_int_equal(c.fail_remaining, 4);
    assert_int_equal(ls_cursor_u8(&c), 0); /* sticky */
}

static void test_cursor_wants_too_much(void **state) {
    (void)state;
    ls_cursor c = ls_cursor_over("abc", 3);
    ls_cursor_u8(&c);
    assert_null(ls_cursor_take(&c, SIZE_MAX));
    assert_int_equal(c.fail_wanted, SIZE_MAX);
    assert_int_equal(c.fail_offset, 1);
    assert_int_equal(c.fail_remaining, 2);
}

static void test_base64(void **state) {
    (void)state;
    static const char *const pairs[][2] = {/* RFC 4648, section 10 */
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    ls_buf b = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ls_base64_add(&b, pairs[i][0], strlen(pairs[i][0]));
        buf_is(&b, pairs[i][1]);
        assert_int_equal(ls_base64_read(&b, pairs[i][1], strlen(pairs[i][1])), 0);
        buf_is(&b, pairs[i][0]);
    }
    assert_int_equal(ls_base64_read(&b, "Zg=", 3), -1);
    assert_int_equal(ls_base64_read(&b, "Z*==", 4), -1);
    ls_buf_free(&b);
}

/* An empty value that is the first to be printed; clang's sanitizer minds what became of a pointer to nothing. */
static void test_nothing_into_an_empty_buffer(void **state) {
    (void)state;
    ls_buf b = {0};
    ls_base64_add(&b, "", 0);
    ls_hex_add(&b, "", 0);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_false(b.failed);
}

static void test_hex(void **state) {
    (void)state;
    ls_buf b = {0};
    uint8_t out[3];
    ls_hex_add(&b, "\x00\xfe\x10", 3);
    buf_is(&b, "00fe10");
    assert_int_equal(ls_hex_read(out, "00FE10", 6), 0);
    assert_memory_equal(out, "\x00\xfe\x10", 3);
    assert_int_equal(ls_hex_read(out, "0g", 2), -1);
    ls_buf_free(&b);
}

static void test_utf8(void **state) {
    (void)state;
    static const char *const good[] = {"", "plain ascii longer than eight", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                                       "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xe2\x82\xac"};
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc2", "\xe2\x82", "\xff", "12345678\xe2\x82"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(ls_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(ls_utf8_valid(bad[i], strlen(bad[i])));
}

/* The validator looks at many bytes at once: a fault is found wherever it stands in a text of any length, and so is none. */
static void test_utf8_everywhere(void **state) {
    (void)state;
    enum { LONGEST = 80 };
    for (size_t n = 1; n <= LONGEST; n++) {
        char *text = malloc(n); /* so that a read beyond it is seen */
        assert_non_null(text);
        for (size_t at = 0; at < n; at++) {
            memset(text, 'a', n);
            assert_true(ls_utf8_valid(text, n));
            text[at] = '\xc3';
            assert_false(ls_utf8_valid(text, n));
            if (at + 1 == n) continue;
            text[at + 1] = '\xa9';
            assert_true(ls_utf8_valid(text, n));
            text[at] = 'a';
            assert_false(ls_utf8_valid(text, n));
        }
        free(text);
    }
}

static void test_u64(void **state) {
    (void)state;
    ls_buf b = {0};
    char want[24];
    uint64_t v = 1;
    for (int digits = 1; digits <= 20; digits++, v *= 10)
        for (int64_t near = -1; near <= 1; near++) {
            ls_buf_clear(&b);
            ls_buf_u64(&b, v + (uint64_t)near);
            snprintf(want, sizeof want, "%" PRIu64, v + (uint64_t)near);
            buf_is(&b, want);
        }
    ls_buf_free(&b);
}

static void mends(const char *text, const char *want) {
    ls_buf b = {0};
    ls_utf8_mend(&b, text, strlen(text));
    assert_true(ls_utf8_valid(b.data, b.len));
    buf_is(&b, want);
    ls_buf_free(&b);
}

/* Each part that begins well is one U+FFFD, as in the examples of the Unicode standard (section 3.9, tables 8 to 11). */
static void test_utf8_mended(void **state) {
    (void)state;
#define R LS_REPLACEMENT
    mends("12345678\xe2\x82\xac plain \xf0\x9f\x98\x80", "12345678\xe2\x82\xac plain \xf0\x9f\x98\x80");
    mends("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", R R R R R R R R "A");
    mends("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", R R R R R R R R "A");
    mends("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", R R R R R "A" R R "B");
    mends("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A");
    mends("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", "a" R R R "b" R "c" R R "d");
    mends("a\xe2\x82", "a" R); /* cut off at the end */
    mends("\xf0\x9f\x98", R);
    mends("\xc3\"\xf0\x9f\"", R "\"" R "\""); /* what is ASCII is never taken */
    mends("\xff\xff", R R);
#undef R
    ls_buf b = {.max = 5};
    ls_utf8_mend(&b, "a\xff\xff", 3);
    assert_true(b.failed);
    ls_buf_free(&b);
    ls_utf8_mend(&b, NULL, 0);
    assert_int_equal(b.len, 0);
}

static void test_nearest(void **state) {
    (void)state;
    static const char *const names[] = {"filter", "format", "tables", "topic"};
    assert_string_equal(ls_nearest("filtr", names, 4), "filter");
    assert_string_equal(ls_nearest("table", names, 4), "tables");
    assert_null(ls_nearest("zzzzzzzz", names, 4));
}

static void test_glob(void **state) {
    (void)state;
    assert_true(ls_glob("public.*", "public.orders"));
    assert_true(ls_glob("*", ""));
    assert_true(ls_glob("a*b*c", "a-b-b-c"));
    assert_false(ls_glob("a*b*c", "a-b-b-cd"));
    assert_true(ls_glob("t?", "t\xc3\xa4")); /* one character */
    assert_false(ls_glob("t?", "t"));
    assert_true(ls_glob("a\\*b", "a*b"));
    assert_false(ls_glob("a\\*b", "axb"));
    assert_true(ls_glob("\\?*", "?x"));
}

/* What a log's lines are: written to a pipe. */
static const char *logged(ls_log log, ls_level level, const char *text) {
    static char line[8192];
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    log.fd = fds[1];
    ls_log_line(&log, level, "%s", text);
    close(fds[1]);
    ssize_t n = read(fds[0], line, sizeof line - 1);
    assert_true(n >= 0);
    line[n] = '\0';
    close(fds[0]);
    return line;
}

static void test_log(void **state) {
    (void)state;
    ls_log program = {.json = true, .least = LS_INFO, .stage = ""}, log = ls_log_for(&program, "sh\"op");
    int year, month, day, hour, minute, second, milli, at = 0;
    const char *line = logged(log, LS_WARN, "a \"b\"\n");
    sscanf(line, "{\"ts\":\"%4d-%2d-%2dT%2d:%2d:%2d.%3dZ\"%n", &year, &month, &day, &hour, &minute, &second, &milli, &at);
    assert_true(at == 32 && year >= 2024 && month >= 1 && month <= 12);
    assert_string_equal(line + at, ",\"level\":\"warning\",\"stage\":\"sh\\\"op\",\"message\":\"a \\\"b\\\"\\n\"}\n");
    assert_string_equal(logged(log, LS_DEBUG, "x"), ""); /* below the least */
    log.json = false;
    assert_string_equal(logged(log, LS_ERROR, "x") + 8, " sh\"op: error: x\n");
    assert_string_equal(logged(log, LS_INFO, "x") + 8, " sh\"op: x\n");
    program.json = false, program.status_line = true;
    assert_memory_equal(logged(program, LS_INFO, "x"), "\r\033[K", 4);
    assert_string_equal(logged(program, LS_INFO, "x") + 12, " x\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),     cmocka_unit_test(test_buf_keeps_to_its_limit), cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf_spent),
        cmocka_unit_test(test_cursor),  cmocka_unit_test(test_cursor_wants_too_much),  cmocka_unit_test(test_base64),
        cmocka_unit_test(test_utf8_everywhere), cmocka_unit_test(test_u64),
        cmocka_unit_test(test_hex),     cmocka_unit_test(test_utf8),                   cmocka_unit_test(test_utf8_mended),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_nothing_into_an_empty_buffer),
        cmocka_unit_test(test_glob),    cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
