/* Values of the types that need more than their bytes: labels, addresses, geometry, JSON, compression, old temporal formats. */
#include "binlogvalue.h"

#include "base/buf.h"
#include "capture/binlog_labels.h"

#include <zlib.h>

/* The labels of hex bytes as a table map has them; NULL: cut or refused (*rc -1). */
static ls_labels *labels_of(const char *hex, const char *of, int *rc) {
    uint8_t bytes[BYTES_MAX];
    ls_labels *l;
    ls_error err;
    size_t n = strlen(hex) / 2;
    assert_int_equal(ls_hex_read(bytes, hex, n * 2), 0);
    ls_cursor in = ls_cursor_over(bytes, n);
    *rc = ls_labels_read(&l, &in, of ? charset(of) : NULL, &err);
    if (*rc) assert_null(l);
    return l;
}

static void test_labels(void **state) {
    (void)state;
    int rc;
    ls_labels *l = labels_of("03016100036222c3", "latin1", &rc); /* a, the empty one, b"A-tilde */
    assert_int_equal(rc, 0);
    assert_int_equal(l->count, 3);
    assert_memory_equal(l->of[2].p, "b\"\xc3\x83", 4);
    ls_wire_column c = column(LS_WIRE_ENUM, 1, LS_TYPE_STRING);
    c.labels = l;
    is(&c, "00", "");
    is(&c, "01", "a");
    is(&c, "03", "b\"\xc3\x83");
    assert_string_equal(read_hex(&c, "04", false), "bad");
    c.meta = 2;
    is(&c, "0100", "a");
    assert_string_equal(read_hex(&c, "0101", false), "bad");
    c = column(LS_WIRE_SET, 1, LS_TYPE_SET);
    c.labels = l;
    is(&c, "00", "[]");
    is(&c, "01", "[\"a\"]");
    is(&c, "07", "[\"a\",\"\",\"b\\\"\xc3\x83\"]");
    assert_string_equal(read_hex(&c, "08", false), "bad");
    ls_labels_free(l);
    c.labels = NULL;
    is(&c, "00", "[]");
    assert_string_equal(read_hex(&c, "01", false), "bad");
    assert_null(labels_of("03014102", NULL, &rc));
    assert_int_equal(rc, 0); /* cut */
    assert_null(labels_of("0101ff", NULL, &rc));
    assert_int_equal(rc, -1); /* no UTF-8 */
    assert_null(labels_of("fd70110101", NULL, &rc));
    assert_int_equal(rc, -1); /* too many */
    l = labels_of("00", NULL, &rc);
    assert_int_equal(l->count, 0);
    ls_labels_free(l);
}

static void test_a_set_of_64(void **state) {
    (void)state;
    char hex[2 + 64 * 4 + 1] = "40";
    int rc;
    for (int i = 0; i < 64; i++) memcpy(hex + 2 + 4 * i, "0178", 5);
    ls_labels *l = labels_of(hex, "utf8mb4", &rc);
    ls_wire_column c = column(LS_WIRE_SET, 8, LS_TYPE_SET);
    c.labels = l;
    is(&c, "0000000000000080", "[\"x\"]");
    is(&c, "0100000000000080", "[\"x\",\"x\"]");
    ls_labels_free(l);
}

static void test_bits(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_BIT, 1, LS_TYPE_BITS); /* BIT(1): no whole byte, one bit */
    is(&c, "01", "1");
    is(&c, "00", "0");
    assert_string_equal(read_hex(&c, "02", false), "bad");
    c.meta = 1 << 8 | 2;
    is(&c, "0205", "1000000101");
    c.meta = 8 << 8;
    is(&c, "8000000000000001", "1000000000000000000000000000000000000000000000000000000000000001");
}

static void test_geometry(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_GEOMETRY, 4, LS_TYPE_GEOMETRY);
    is(&c, "19000000e61000000101000000000000000000f03f0000000000000040",
       "{\"srid\":4326,\"wkb\":\"AQEAAAAAAAAAAADwPwAAAAAAAABA\"}");
    is(&c, "0d000000000000000107000000" "00000000", "{\"srid\":0,\"wkb\":\"AQcAAAAAAAAA\"}");
    assert_string_equal(read_hex(&c, "080000000000000001070000", false), "bad");
    assert_string_equal(read_hex(&c, "09000000000000000000000001", false), "bad"); /* big endian */
    assert_string_equal(read_hex(&c, "00000000", false), "bad");
}

static void test_uuid(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_STRING, 16, LS_TYPE_UUID);
    c.asked = LS_ASKED_UUID;
    is(&c, "10123e4567e89b12d3a456426655440000", "123e4567-e89b-12d3-a456-426655440000");
    is(&c, "0e123e4567e89b12d3a45642665544", "123e4567-e89b-12d3-a456-426655440000");
    is(&c, "00", "00000000-0000-0000-0000-000000000000");
    assert_string_equal(read_hex(&c, "1100112233445566778899aabbccddeeff00", false), "bad");
}

static void test_addresses(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_STRING, 4, LS_TYPE_STRING);
    c.asked = LS_ASKED_INET4;
    is(&c, "04c0a80001", "192.168.0.1");
    is(&c, "020a01", "10.1.0.0");
    is(&c, "00", "0.0.0.0");
    c = column(LS_WIRE_STRING, 16, LS_TYPE_STRING);
    c.asked = LS_ASKED_INET6;
    is(&c, "00", "::");
    is(&c, "1000000000000000000000000000000001", "::1");
    is(&c, "1000000000000000000000000001020304", "::1.2.3.4");
    is(&c, "1000000000000000000000ffffc0a80001", "::ffff:192.168.0.1");
    is(&c, "1020010db8000000000000ff0000428329", "2001:db8::ff00:42:8329");
    is(&c, "0420010db8", "2001:db8::");
    is(&c, "1000010002000300040005000600000008", "1:2:3:4:5:6::8"); /* one group is a run too */
    is(&c, "10ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_mysql_types(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_VECTOR, 4, LS_TYPE_VECTOR);
    is(&c, "08000000cdcccc3d000000bf", "[0.1,-0.5]");
    is(&c, "00000000", "[]");
    assert_string_equal(read_hex(&c, "03000000000000", false), "bad");
    assert_string_equal(read_hex(&c, "040000000000807f", false), "bad"); /* infinity */
    c = column(LS_WIRE_JSON, 4, LS_TYPE_JSON);
    is(&c, "030000000c0161", "\"a\"");
    is(&c, "00000000", "null");
    assert_string_equal(read_hex(&c, "020000000403", false), "bad");
}

static void test_json(void **state) {
    (void)state;
    ls_wire_column c = column(LS_WIRE_BLOB, 1, LS_TYPE_JSON);
    c.charset = charset("utf8mb4");
    is(&c, "0c7b202261223a205b20315d7d", "{\"a\":[1]}");
    is(&c, "0420202031", "1");
    is(&c, "0522612062" "22", "\"a b\"");
    is(&c, "047b206120", "{ a "); /* no document: as it is */
    is(&c, "00", "");
    assert_string_equal(read_hex(&c, "01ff", false), "bad");
}

static void test_compressed(void **state) {
    (void)state;
    char hex[BYTES_MAX * 2], *p = hex;
    uint8_t made[BYTES_MAX];
    uLongf n = sizeof made;
    char long_text[301];
    memset(long_text, 'x', 300);
    long_text[300] = '\0';
    assert_int_equal(compress(made, &n, (const Bytef *)long_text, 300), Z_OK);
    p += sprintf(p, "%02x82012c", (unsigned)n + 3); /* two bytes of length: 300 */
    for (size_t i = 0; i < n; i++) p += sprintf(p, "%02x", made[i]);
    ls_wire_column c = column(LS_WIRE_BLOB_COMPRESSED, 1, LS_TYPE_STRING);
    c.charset = charset("latin1");
    is(&c, hex, long_text);
    memcpy(hex + 2, "82012b", 6); /* another length */
    assert_string_equal(read_hex(&c, hex, false), "bad");
    is(&c, "00", "");
    is(&c, "0200e9", "\xc3\xa9"); /* kept plain */
    assert_string_equal(read_hex(&c, "0190", false), "bad");
    assert_string_equal(read_hex(&c, "0180", false), "bad");
    assert_string_equal(read_hex(&c, "0284ff", false), "bad");
    assert_string_equal(read_hex(&c, "0684ffffffff78", false), "bad"); /* says 4 GiB */
    c = column(LS_WIRE_VARCHAR_COMPRESSED, 300, LS_TYPE_BYTES);
    is(&c, "02000041", "QQ==");
}

static void test_old_times_with_fractions(void **state) {
    (void)state;
    ls_wire_column time = column(LS_WIRE_TIME, 2, LS_TYPE_TIME), datetime = column(LS_WIRE_DATETIME, 3, LS_TYPE_DATETIME),
                   timestamp = column(LS_WIRE_TIMESTAMP, 6, LS_TYPE_TIMESTAMP);
    is(&time, "11fb1547", "-01:02:03.45");
    is(&time, "1200c3c0", "00:00:00");
    is(&datetime, "00423b4067c32e", "2026-01-02T03:04:05.678");
    is(&datetime, "00000000000000", "0000-00-00T00:00:00");
    assert_string_equal(read_hex(&datetime, "ffffffffffffff", false), "bad");
    is(&timestamp, "695735a50a5bf5", "2026-01-02T03:04:05.678901Z");
    is(&timestamp, "00000000000000", "0000-00-00T00:00:00Z");
    assert_string_equal(read_hex(&timestamp, "695735a5ffffff", false), "bad");
    assert_string_equal(read_hex(&time, "ffffffff", false), "bad");
}

static const char *convert(const char *name, const char *hex) {
    static char out[64];
    char with[64];
    ls_wire_column c = column(LS_WIRE_VARCHAR, 40, LS_TYPE_STRING);
    c.charset = charset(name);
    snprintf(with, sizeof with, "%02x%s", (unsigned)strlen(hex) / 2, hex);
    snprintf(out, sizeof out, "%s", read_hex(&c, with, false));
    return out;
}

/* What the server's own conversion gives, where the C library's has another opinion too. */
static void test_multibyte_charsets(void **state) {
    (void)state;
    assert_string_equal(convert("sjis", "82a041b1"), "\xe3\x81\x82" "A" "\xef\xbd\xb1");
    assert_string_equal(convert("sjis", "5c7e815f"), "\\~\\");
    assert_string_equal(convert("sjis", "8740"), "bad"); /* cp932 only */
    assert_string_equal(convert("cp932", "8740"), "\xe2\x91\xa0");
    assert_string_equal(convert("cp932", "8160"), "\xef\xbd\x9e");
    assert_string_equal(convert("ujis", "a1c1"), "\xe3\x80\x9c");
    assert_string_equal(convert("ujis", "8eb1"), "\xef\xbd\xb1");
    assert_string_equal(convert("ujis", "8fb0a1"), "\xe4\xb8\x82");
    assert_string_equal(convert("ujis", "ada1"), "bad");
    assert_string_equal(convert("ujis", "8fb0"), "bad");
    assert_string_equal(convert("eucjpms", "ada1"), "\xe2\x91\xa0");
    assert_string_equal(convert("gbk", "c4e3"), "\xe4\xbd\xa0");
    assert_string_equal(convert("gbk", "80"), "bad");
    assert_string_equal(convert("gb2312", "c4e3"), "\xe4\xbd\xa0");
    assert_string_equal(convert("big5", "a741"), "\xe4\xbd\xa0");
    assert_string_equal(convert("big5", "a145"), "\xe2\x80\xa2");
    assert_string_equal(convert("big5", "c6a5"), "\xe3\x81\x81");
    assert_string_equal(convert("big5", "a7"), "bad");
    assert_string_equal(convert("euckr", "b0a1"), "\xea\xb0\x80");
    assert_string_equal(convert("euckr", "8141"), "\xea\xb0\x82");
    assert_string_equal(convert("euckr", "c7ff"), "bad");
    assert_string_equal(convert("gb18030", "c4e341a8bc"), "\xe4\xbd\xa0" "A" "\xe1\xb8\xbf");
    assert_string_equal(convert("gb18030", "81308130" "8431a439"), "\xc2\x80\xef\xbf\xbf");
    assert_string_equal(convert("gb18030", "8135f437" "fe51a6d9"), "\xee\x9f\x87\xee\xa0\x96\xee\x9e\x8d");
    assert_string_equal(convert("gb18030", "8235903784318236"), "\xe9\xbe\xb4\xef\xb8\x90");
    assert_string_equal(convert("gb18030", "90308130" "e3329a35"), "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    static const char *const none[] = {"80", "c4", "c430", "c43081", "8431a530", "8f39fe39", "e3329a36", "81307f30", "8130813a", "813081", "fe39fe39", "ff308130", "8f308130"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_string_equal(convert("gb18030", none[i]), "bad");
    assert_string_equal(convert("swe7", "405b7d24"), "\xc3\x89\xc3\x84\xc3\xa5$");
    assert_string_equal(convert("swe7", "7f"), "bad");
}

/* Each decoder has its own, and gives them back. */
static void test_character_sets_are_found_again(void **state) {
    (void)state;
    ls_charsets *all = ls_charsets_new();
    const ls_charset *sjis, *ujis, *again, *none;
    ls_error err;
    assert_int_equal(ls_charsets_find(all, "sjis", &sjis, &err), 0);
    assert_int_equal(ls_charsets_find(all, "ujis", &ujis, &err), 0);
    assert_int_equal(ls_charsets_find(all, "sjis", &again, &err), 0);
    assert_ptr_equal(again, sjis);
    assert_ptr_not_equal(ujis, sjis);
    assert_int_equal(ls_charsets_find(all, "klingon", &none, &err), 0);
    assert_null(none);
    ls_charsets_free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),     cmocka_unit_test(test_a_set_of_64),
        cmocka_unit_test(test_bits),       cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_uuid),       cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_mysql_types), cmocka_unit_test(test_json),  cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_old_times_with_fractions), cmocka_unit_test(test_multibyte_charsets),
        cmocka_unit_test(test_character_sets_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
