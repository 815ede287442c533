/* The manifest's text: what is written reads back; lines can be taken out; what is none is refused with what is wrong. */
#include "write/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] = "{\"version\":1,\"consumer\":\"a \\\"b\\\"\",\"instance\":2,\"instances\":3,\"span\":-7200,\n"
                            "\"partitions\":[\n"
                            "{\"topic\":\"wal\",\"partition\":0,\"offset\":12},\n"
                            "{\"topic\":\"wal\",\"partition\":2147483647,\"offset\":9223372036854775807},\n"
                            "null],\n"
                            "\"truncates\":[\n"
                            "{\"files\":18446744073709551615,\"connector\":7,\"seq\":3,\"pos\":\"0000000001a3b748\"},\n"
                            "null],\n"
                            "\"files\":[\n"
                            "{\"file\":\"rows_c.csv\",\"bytes\":123},\n"
                            "{\"path\":\"/else/where.csv\",\"bytes\":0,\"new\":true},\n"
                            "{\"file\":\"b/x.csv.part\",\"bytes\":9223372036854775807,\"end\":\"x.csv\"},\n"
                            "null]}\n";

static void test_there_and_back(void **state) {
    (void)state;
    ls_manifest m;
    ls_error err;
    ls_buf out = {0};
    if (ls_manifest_read(&m, whole, sizeof whole - 1, &err)) fail_msg("%s", err.text);
    assert_string_equal(m.consumer, "a \"b\"");
    assert_int_equal(m.instance, 2);
    assert_int_equal(m.instances, 3);
    assert_true(m.has_span);
    assert_int_equal(m.span, -7200);
    assert_int_equal(m.nplaces, 2);
    assert_string_equal(m.places[1].topic, "wal");
    assert_int_equal(m.places[1].partition, INT32_MAX);
    assert_int_equal(m.places[1].offset, INT64_MAX);
    assert_int_equal(m.ntruncates, 1);
    assert_true(m.truncates[0].files == UINT64_MAX && m.truncates[0].connector == 7 && m.truncates[0].seq == 3);
    assert_string_equal(m.truncates[0].pos, "0000000001a3b748");
    assert_int_equal(m.nfiles, 3);
    assert_string_equal(m.files[0].name, "rows_c.csv");
    assert_true(m.files[0].bytes == 123 && !m.files[0].outside && !m.files[0].fresh && !m.files[0].end);
    assert_true(m.files[1].outside && m.files[1].fresh);
    assert_string_equal(m.files[2].end, "x.csv");
    ls_manifest_print(&m, &out);
    assert_string_equal(ls_buf_cstr(&out), whole);
    ls_buf_free(&out);
    ls_manifest_free(&m);
}

/* What docs/files.md tells people to do: each line of a list may be taken out. */
static void test_a_line_is_taken_out(void **state) {
    (void)state;
    static const char *const lines[] = {"{\"topic\":\"wal\",\"partition\":2", "{\"files\"", "{\"file\":\"rows_c", "{\"path\"", "{\"file\":\"b/x"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[sizeof whole];
        ls_manifest m;
        ls_error err;
        strcpy(text, whole);
        char *line = strstr(text, lines[i]), *end = strchr(line, '\n') + 1;
        memmove(line, end, strlen(end) + 1);
        if (ls_manifest_read(&m, text, strlen(text), &err)) fail_msg("without %s: %s", lines[i], err.text);
        assert_int_equal(m.nplaces + m.ntruncates + m.nfiles, 5);
        ls_manifest_free(&m);
    }
}

static void refused(const char *from, const char *to, const char *why) {
    char text[sizeof whole + 200];
    const char *at = strstr(whole, from);
    ls_manifest m;
    ls_error err;
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    if (ls_manifest_read(&m, text, strlen(text), &err) == 0) fail_msg("%s for %s was taken", to, from);
    assert_int_equal(err.code, LS_LOST);
    if (!strstr(err.text, why)) fail_msg("%s for %s: %s", to, from, err.text);
    ls_manifest_free(&m);
}

static void test_what_is_none(void **state) {
    (void)state;
    refused("\"version\":1", "\"version\":2", "it is of version 2, and this program knows version 1");
    refused("\"version\":1,", "", "\"version\" is missing");
    refused("\"instance\":2", "\"instance\":4", "\"instance\"");
    refused("\"instance\":2", "\"instance\":0", "\"instance\"");
    refused("\"instances\":3", "\"instances\":3,\"instances\":3", "\"instances\" is there twice");
    refused("\"span\":-7200", "\"span\":1.5", "\"span\"");
    refused("\"offset\":12", "\"offset\":-1", "\"partitions\"");
    refused("\"offset\":12", "\"ofset\":12", "\"ofset\" is not known");
    refused("\"partition\":0,", "", "\"partition\" is missing");
    refused("\"partition\":0", "\"partition\":2147483648", "\"partition\"");
    refused("\"wal\"", "\"w\\u0000l\"", "\"topic\"");
    refused("\"wal\"", "7", "\"topic\"");
    refused("0000000001a3b748", "0000000001a3b7480000000001a3b7480000000001", "\"pos\"");
    refused("\"file\":\"rows_c.csv\",", "", "\"files\"");
    refused("\"file\":\"rows_c.csv\"", "\"file\":\"rows_c.csv\",\"path\":\"x\"", "\"path\" is there twice");
    refused("\"file\":\"rows_c.csv\"", "\"file\":\"\"", "\"files\"");
    refused("\"bytes\":123", "\"bytes\":9223372036854775808", "\"files\"");
    refused("\"new\":true", "\"new\":false", "\"new\"");
    refused("\"new\":true", "\"new\":true,\"end\":\"x\"", "\"end\"");
    refused("\"x.csv\"}", "\"../x.csv\"}", "\"end\"");
    refused(",\nnull]}\n", "]}\n", "a list does not end with null");
    refused("null]}\n", "null,null]}\n", "something behind a list's null");
    refused("null]}\n", "null]}\nx", "0x78");
}

/* However it is cut: an fsync() that was none must not pass for an older state. */
static void test_cut_anywhere(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof whole - 2; n++) {
        ls_manifest m;
        ls_error err;
        char *text = malloc(n + 1); /* of its own size, so that a read behind it is seen */
        memcpy(text, whole, n);
        assert_int_equal(ls_manifest_read(&m, text, n, &err), -1);
        assert_int_equal(err.code, LS_LOST);
        ls_manifest_free(&m);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_a_line_is_taken_out), cmocka_unit_test(test_what_is_none),
                                       cmocka_unit_test(test_cut_anywhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
