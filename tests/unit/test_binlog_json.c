/* MySQL's binary JSON; the documents in hex were recorded from a MySQL 9.7 server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "capture/binlog_json.h"

/* The text, or the error behind "JSON: ". */
static const char *print(const char *hex) {
    static char out[2048];
    uint8_t bytes[1024];
    size_t n = strlen(hex) / 2;
    ls_buf text = {0};
    ls_error err;
    assert_int_equal(ls_hex_read(bytes, hex, n * 2), 0);
    uint8_t *own = malloc(n ? n : 1);
    memcpy(own, bytes, n);
    if (ls_jsonb_text(&text, own, n, NULL, &err)) {
        const char *what = strncmp(err.text, "JSON: ", 6) == 0 ? err.text + 6 : err.text;
        snprintf(out, sizeof out, "%s", what);
    } else {
        snprintf(out, sizeof out, "%.*s", (int)text.len, text.data);
    }
    ls_buf_free(&text);
    free(own);
    return out;
}

static void is(const char *hex, const char *want) {
    assert_string_equal(print(hex), want);
}

/* Every shorter form is refused, or is another document; none reads beyond its end. */
static void whole(const char *hex, const char *want) {
    char shorter[2049];
    is(hex, want);
    for (size_t n = 2; n < strlen(hex); n += 2) {
        snprintf(shorter, sizeof shorter, "%.*s", (int)n, hex);
        print(shorter);
    }
}

static void test_scalars(void **state) {
    (void)state;
    is("", "null");
    is("0400", "null");
    is("0401", "true");
    is("0402", "false");
    is("050900", "9");
    is("05ffff", "-1");
    is("06ffff", "65535");
    is("0700000080", "-2147483648");
    is("08ffffffff", "4294967295");
    is("090000000000000080", "-9223372036854775808");
    is("0affffffffffffffff", "18446744073709551615");
    is("0c0161", "\"a\"");
    is("0c00", "\"\"");
    is("0c04220a01c2", "at byte 2 of the document text is not valid UTF-8; on_invalid_text = \"replace\", \"skip\" or \"dead_letter\" goes on from here");
    is("0c03220a01", "\"\\\"\\n\\u0001\"");
}

static void is_double(double d, const char *want) {
    char hex[19] = "0b";
    uint8_t b[8];
    memcpy(b, &d, 8);
    for (int i = 0; i < 8; i++) snprintf(hex + 2 + 2 * i, 3, "%02x", b[i]);
    is(hex, want);
}

/* As the server prints them: CAST('...' AS JSON). */
static void test_doubles(void **state) {
    (void)state;
    is_double(1, "1.0");
    is_double(0, "0.0");
    is_double(-0.0, "-0.0");
    is_double(0.5, "0.5");
    is_double(-100, "-100.0");
    is_double(1e14, "100000000000000.0");
    is_double(1e15, "1e15");
    is_double(1e20, "1e20");
    is_double(100.25e300, "1.0025e302");
    is_double(1e-7, "0.0000001");
    is_double(0.00123, "0.00123");
    is_double(-0.05, "-0.05");
    is_double(1.5e-15, "0.0000000000000015");
    is_double(1.5e-16, "1.5e-16");
    is_double(123456789012345.678, "123456789012345.67");
    is_double(1234567890123456.78, "1234567890123456.8");
    is_double(5e-324, "5e-324");
    is_double(1.7976931348623157e308, "1.7976931348623157e308");
    is("0b000000000000f07f", "at byte 1 of the document a number is not finite");
}

static void test_recorded(void **state) {
    (void)state;
    whole("02020028000f0a000f1300f6070b028000000132f613250a7ffffff3eb655bcaf204c72df8ab2b3fff", "[1.50,-12345678901234567890.1230000000]");
    whole("0004004e00200001002100010022000200240002000f26000f30000f3a000f44006474647474730a080000000000c4b8190b08e05ef8b13cffffff0c08f5"
          "5b0a0531c4b8190c080000000000820300",
          "{\"d\":\"2026-01-02\",\"t\":\"-12:13:14.500000\",\"dt\":\"2026-01-02 03:04:05.678901\",\"ts\":\"0001-01-01 00:00:00.000000\"}");
    whole("0204002e000f10000f1a000f240006e4070c0800000000000000000b08000000fb6e340000f6080c03800000000000",
          "[\"0000-00-00 00:00:00.000000\",\"838:59:59.000000\",0.000,2020]");
    whole("02090053000a1f00092700072f00073300050080073700093b00094300094b00ffffffffffffffff0000000000000080ffff000000000100ff7fffffffff"
          "ffff0000000000000000010000000000008000000000",
          "[18446744073709551615,-9223372036854775808,65535,65536,-32768,-32769,4294967295,4294967296,2147483648]");
    whole("000200210012000100130006000400000919006462c3a961612049c4340a4a795982", "{\"d\":null,\"b\xc3\xa9" "aa \":-9054072216945900471}");
    is("0200000400", "[]");
    is("00" "00000400", "{}");
    is("0301000000" "12000000" "04" "01000000" "0000000000", "[true]"); /* a large one, its literal inlined; a hole behind */
    is("0f" "10" "03" "616263", "\"base64:type16:YWJj\"");
}

/* A line of the server's base64 has 76 characters. */
static void test_long_opaque_values(void **state) {
    (void)state;
    char hex[7 + 2 * 60] = "0ffc3a", *p = hex + 6;
    for (int i = 0; i < 58; i++, p += 2) memcpy(p, "61", 3);
    is(hex, "\"base64:type252:YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\\nYQ==\"");
}

static void test_malformed(void **state) {
    (void)state;
    is("05", "at byte 1 of the document 2 bytes are wanted, 0 remain");
    is("0403", "at byte 1 of the document there is no literal");
    is("0d00", "at byte 1 of the document there is a value of a type that is not known");
    is("0cffffffffff", "at byte 6 of the document 18446744073709551615 bytes are wanted, 0 remain");
    is("02010003000400", "at byte 1 of the document an object or array is longer than what it stands in");
    is("020100ff00040000", "at byte 1 of the document an object or array is longer than what it stands in");
    is("02ffff0400", "at byte 1 of the document there are more values than bytes");
    is("0201000700" "0cff00", "at byte 1 of the document 255 bytes are wanted, 7 remain");
    is("0ff6020505", "at byte 5 of the document 3 bytes are wanted, 0 remain");
    is("0ff60105", "at byte 3 of the document there is no DECIMAL");
    is("0ff6060900bb9aca00", "at byte 3 of the document: bytes that are no DECIMAL(9,0)");
    is("0ff6024200", "at byte 3 of the document there is no DECIMAL");
    is("0ff6020a02", "at byte 5 of the document 5 bytes are wanted, 0 remain");
    is("0ff6040300" "83e8", "at byte 3 of the document: bytes that are no DECIMAL(3,0)"); /* 1000 */
    is("0f0c0840420f0000000000", "at byte 3 of the document there is no date or time");
    is("0f0a03000000", "at byte 3 of the document 8 bytes are wanted, 3 remain");
}

/* Two values that share their bytes could print a few of them without end. */
static void test_values_that_share_bytes(void **state) {
    (void)state;
    char deep[3000], *p = deep;
    p += sprintf(p, "02");
    p += sprintf(p, "04001400"); /* four values, each the array itself */
    for (int i = 0; i < 4; i++) p += sprintf(p, "020000");
    sprintf(p, "00000000");
    assert_non_null(strstr(print(deep), "of the document"));
    p = deep + sprintf(deep, "0202001a00" "0c0a00" "0c0a00" "0d"); /* one text twice */
    for (int i = 0; i < 15; i++) p += sprintf(p, "61");
    assert_non_null(strstr(print(deep), "stands what another value has taken"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_long_opaque_values),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_values_that_share_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
