#include "binlogvalue.h"

static void test_integers(void **state) {
    (void)state;
    static const struct {
        uint8_t code;
        const char *hex, *with_sign, *without;
    } cases[] = {{LS_WIRE_TINY, "80", "-128", "128"},
                 {LS_WIRE_TINY, "7f", "127", "127"},
                 {LS_WIRE_SHORT, "ff7f", "32767", "32767"},
                 {LS_WIRE_SHORT, "0080", "-32768", "32768"},
                 {LS_WIRE_INT24, "000080", "-8388608", "8388608"},
                 {LS_WIRE_INT24, "ffffff", "-1", "16777215"},
                 {LS_WIRE_LONG, "00000080", "-2147483648", "2147483648"},
                 {LS_WIRE_LONGLONG, "0000000000000080", "-9223372036854775808", "9223372036854775808"},
                 {LS_WIRE_LONGLONG, "ffffffffffffffff", "-1", "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ls_wire_column c = column(cases[i].code, 0, LS_TYPE_INTEGER);
        is(&c, cases[i].hex, cases[i].with_sign);
        c.is_unsigned = true;
        is(&c, cases[i].hex, cases[i].without);
    }
    ls_wire_column year = column(LS_WIRE_YEAR, 0, LS_TYPE_INTEGER);
    year.is_unsigned = true;
    is(&year, "00", "0");
    is(&year, "01", "1901");
    is(&year, "ff", "2155");
}

static void test_floats(void **state) {
    (void)state;
    ls_wire_column f = column(LS_WIRE_FLOAT, 4, LS_TYPE_FLOAT), d = column(LS_WIRE_DOUBLE, 8, LS_TYPE_FLOAT);
    is(&f, "cdcccc3d", "0.1");
    is(&f, "00000080", "-0");
    is(&f, "ffff7f7f", "3.4028235e+38");
    is(&d, "9a9999999999b9bf", "-0.1");
    is(&d, "59f3f8c21f6ea501", "1e-300");
}

static void test_decimal(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_NEWDECIMAL, 14, LS_TYPE_DECIMAL);
    c.scale = 4; /* the example of MySQL's own source: 1234567890.1234 */
    is(&c, "810dfb38d204d2", "1234567890.1234");
    is(&c, "7ef204c72dfb2d", "-1234567890.1234");
    is(&c, "80000000000000", "0.0000");
    is(&c, "800000007b0000", "123.0000");
    c.meta = 2, c.scale = 2;
    is(&c, "8f", "0.15");
    is(&c, "70", "-0.15");
    c.meta = 9, c.scale = 0;
    is(&c, "bb9ac9ff", "999999999");
    is(&c, "44653600", "-999999999");
    assert_string_equal(read_hex(&c, "bb9aca00", false), "bad"); /* a group of ten digits */
}

static void test_dates(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_DATE, 0, LS_TYPE_DATE);
    is(&c, "22d40f", "2026-01-02");
    is(&c, "000000", "0000-00-00");
    is(&c, "40d40f", "2026-02-00");
    is(&c, "9f1f4e", "9999-12-31");
    is(&c, "9f214e", "bad"); /* year 10000 */
    is(&c, "a2d50f", "bad"); /* month 13 */
}

static void test_times(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_TIME2, 0, LS_TYPE_TIME);
    is(&c, "4b9105", "-838:59:59");
    is(&c, "b46efb", "838:59:59");
    is(&c, "800000", "00:00:00");
    c.meta = 2;
    is(&c, "7fef7cd3", "-01:02:03.45");
    is(&c, "80108305", "01:02:03.05");
    c.meta = 6;
    is(&c, "7fffffffffff", "-00:00:00.000001");
    is(&c, "800000000001", "00:00:00.000001");
    is(&c, "8000000f4240", "bad"); /* 1,000,000 microseconds */
    c.meta = 3;
    is(&c, "80000004b0", "00:00:00.12");
    ls_wire_column old = column(LS_WIRE_TIME, 0, LS_TYPE_TIME);
    is(&old, "590a80", "-838:59:59");
    is(&old, "db2700", "01:02:03");
}

static void test_datetimes(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_DATETIME2, 0, LS_TYPE_DATETIME);
    is(&c, "99b8c43105", "2026-01-02T03:04:05");
    is(&c, "8000000000", "0000-00-00T00:00:00");
    is(&c, "0000000000", "bad");
    is(&c, "fef3ff7efb", "9999-12-31T23:59:59");
    c.meta = 1;
    is(&c, "99b8c431053c", "2026-01-02T03:04:05.6");
    c.meta = 6;
    is(&c, "99b8c431050a582e", "2026-01-02T03:04:05.677934");
    ls_wire_column old = column(LS_WIRE_DATETIME, 0, LS_TYPE_DATETIME);
    is(&old, "45442f2c6d120000", "2026-01-02T03:04:05");
}

static void test_timestamps(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_TIMESTAMP2, 0, LS_TYPE_TIMESTAMP);
    is(&c, "695735a5", "2026-01-02T03:04:05Z");
    is(&c, "00000000", "0000-00-00T00:00:00Z");
    is(&c, "ffffffff", "2106-02-07T06:28:15Z");
    c.meta = 3;
    is(&c, "695735a51a7c", "2026-01-02T03:04:05.678Z");
    ls_wire_column old = column(LS_WIRE_TIMESTAMP, 0, LS_TYPE_TIMESTAMP);
    is(&old, "a5355769", "2026-01-02T03:04:05Z");
}

static void test_strings(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_VARCHAR, 40, LS_TYPE_STRING);
    c.charset = charset("utf8mb4");
    is(&c, "00", "");
    is(&c, "03e282ac", "\xe2\x82\xac");
    assert_string_equal(read_hex(&c, "02e282", false), "bad");
    c.meta = 256; /* two bytes of length */
    is(&c, "01007a", "z");
    c.charset = charset("latin1");
    is(&c, "030080e941",
       "\xe2\x82\xac\xc3\xa9"
       "A");
    c.charset = charset("ascii");
    assert_string_equal(read_hex(&c, "0200c3a9", false), "bad");
    c.charset = charset("utf16");
    is(&c, "0600d83dde000041",
       "\xf0\x9f\x98\x80"
       "A");
    assert_string_equal(read_hex(&c, "0200d83d", false), "bad");
    c.charset = charset("utf16le");
    is(&c, "04003dd800de", "\xf0\x9f\x98\x80");
    c.charset = charset("utf32");
    is(&c, "04000001f600", "\xf0\x9f\x98\x80");
    c.charset = charset("ucs2");
    is(&c, "020020ac", "\xe2\x82\xac");
    c.charset = charset("koi8r");
    is(&c, "0200d0d2", "\xd0\xbf\xd1\x80");
    c.charset = charset("cp1257");
    assert_string_equal(read_hex(&c, "010081", false), "bad"); /* nothing there */
    assert_null(charset("klingon"));
    c = column(LS_WIRE_BLOB, 3, LS_TYPE_STRING);
    c.charset = charset("utf8mb3");
    is(&c, "0200006162", "ab");
}

static void test_bytes(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_STRING, 4, LS_TYPE_BYTES);
    is(&c, "020102", "AQIAAA=="); /* BINARY(4): padded back */
    is(&c, "00", "AAAAAA==");
    c = column(LS_WIRE_VARCHAR, 4, LS_TYPE_BYTES);
    is(&c, "020100", "AQA=");
    c = column(LS_WIRE_BLOB, 4, LS_TYPE_BYTES);
    is(&c, "01000000ff", "/w==");
    assert_string_equal(read_hex(&c, "ffffffff00", false), "cut");
}

static void test_metadata(void **state) {
    (void)state;
    static const uint8_t long_char[] = {0xee, 0xfc}, an_enum[] = {247, 2}, decimal[] = {66, 0}, fraction[] = {7},
                         blob[] = {5};
    ls_wire_column c = {.code = LS_WIRE_STRING};
    ls_cursor in = ls_cursor_over(long_char, 2);
    assert_true(ls_wire_meta(&c, &in));
    assert_int_equal(c.code, LS_WIRE_STRING);
    assert_int_equal(c.meta, 0x1fc); /* CHAR(127) of four bytes each */
    c = (ls_wire_column){.code = LS_WIRE_STRING};
    in = ls_cursor_over(an_enum, 2);
    assert_true(ls_wire_meta(&c, &in));
    assert_int_equal(c.code, LS_WIRE_ENUM);
    c = (ls_wire_column){.code = LS_WIRE_NEWDECIMAL};
    in = ls_cursor_over(decimal, 2);
    assert_false(ls_wire_meta(&c, &in));
    c = (ls_wire_column){.code = LS_WIRE_TIME2};
    in = ls_cursor_over(fraction, 1);
    assert_false(ls_wire_meta(&c, &in));
    c = (ls_wire_column){.code = LS_WIRE_BLOB};
    in = ls_cursor_over(blob, 1);
    assert_false(ls_wire_meta(&c, &in));
    c = (ls_wire_column){.code = LS_WIRE_BLOB};
    in = ls_cursor_over(blob, 0);
    assert_false(ls_wire_meta(&c, &in));
    c = (ls_wire_column){.code = 200};
    assert_false(ls_wire_meta(&c, &in));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),   cmocka_unit_test(test_floats),  cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_dates),      cmocka_unit_test(test_times),   cmocka_unit_test(test_datetimes),
        cmocka_unit_test(test_timestamps), cmocka_unit_test(test_strings), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
