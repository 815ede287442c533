/* PostGIS' EWKB. The inputs are what PostGIS 3.3 gives for the SQL beside them. */
#include "base/text.h"
#include "capture/pggeometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static int convert(const char *hex, ls_buf *out, ls_error *err) {
    size_t n = strlen(hex) / 2;
    uint8_t *ewkb = malloc(n ? n : 1); /* to its last byte, so that a read beyond it is seen */
    assert_non_null(ewkb);
    assert_int_equal(ls_hex_read(ewkb, hex, strlen(hex)), 0);
    int rc = ls_pg_geometry(out, ewkb, n, err);
    free(ewkb);
    return rc;
}

/* wkb: in hex, as it must come out. */
static void gives(const char *ewkb, unsigned srid, const char *wkb) {
    ls_buf got = {0}, bytes = {0}, want = {0};
    ls_error err;
    if (convert(ewkb, &got, &err)) fail_msg("%s: %s", ewkb, err.text);
    assert_true(ls_buf_room(&bytes, strlen(wkb) / 2));
    assert_int_equal(ls_hex_read((uint8_t *)bytes.data, wkb, strlen(wkb)), 0);
    ls_buf_fmt(&want, "{\"srid\":%u,\"wkb\":\"", srid);
    ls_base64_add(&want, bytes.data, strlen(wkb) / 2);
    ls_buf_str(&want, "\"}");
    assert_string_equal(ls_buf_cstr(&got), ls_buf_cstr(&want));
    ls_buf_free(&got);
    ls_buf_free(&bytes);
    ls_buf_free(&want);
}

static void refuses(const char *ewkb, const char *because) {
    ls_buf got = {0};
    ls_error err = {0};
    assert_int_equal(convert(ewkb, &got, &err), -1);
    assert_int_equal(err.code, LS_FAIL);
    assert_string_equal(err.text, because);
    assert_int_equal(got.len, 0);
    ls_buf_free(&got);
}

#define ONE "000000000000F03F"
#define TWO "0000000000000040"
#define THREE "0000000000000840"
#define FOUR "0000000000001040"

static void test_points(void **state) {
    (void)state;
    gives("0101000000" ONE TWO, 0, "0101000000" ONE TWO);                                     /* POINT(1 2) */
    gives("0101000020E6100000" ONE TWO, 4326, "0101000000" ONE TWO);                          /* SRID=4326;POINT(1 2) */
    gives("0101000080" ONE TWO THREE, 0, "01E9030000" ONE TWO THREE);                         /* POINT Z: 1001 */
    gives("0101000040" ONE TWO THREE, 0, "01D1070000" ONE TWO THREE);                         /* POINT M: 2001 */
    gives("01010000E0E6100000" ONE TWO THREE FOUR, 4326, "01B90B0000" ONE TWO THREE FOUR);    /* POINT ZM: 3001 */
    gives("0101000000000000000000F87F000000000000F87F", 0, "0101000000000000000000F87F000000000000F87F"); /* POINT EMPTY */
}

static void test_big_endian(void **state) { /* ST_AsHEXEWKB(..., 'XDR'), which is no text of a column's, but EWKB */
    (void)state;
    gives("00000000013FF00000000000004000000000000000", 0, "0101000000" ONE TWO);
    gives("0020000001000010E63FF00000000000004000000000000000", 4326, "0101000000" ONE TWO);
    gives("0000000004000000010000000001" "3FF0000000000000" "4000000000000000", 0, "010400000001000000" "0101000000" ONE TWO);
    gives("00000000030000000100000001" "3FF0000000000000" "4000000000000000", 0, "01030000000100000001000000" ONE TWO);
}

static void test_each_kind(void **state) {
    (void)state;
    static const struct {
        const char *before, *body; /* the kind's byte stands between */
    } shapes[] = {
        {"02", "02000000" ONE TWO THREE FOUR},                            /* LINESTRING(1 2,3 4) */
        {"08", "03000000" ONE TWO THREE FOUR ONE TWO},                    /* CIRCULARSTRING */
        {"03", "01000000" "04000000" ONE ONE TWO ONE TWO TWO ONE ONE},    /* POLYGON */
        {"11", "01000000" "04000000" ONE ONE TWO ONE TWO TWO ONE ONE},    /* TRIANGLE */
        {"03", "00000000"},                                               /* POLYGON EMPTY */
        {"04", "02000000" "0101000000" ONE TWO "0101000000" THREE FOUR},  /* MULTIPOINT */
        {"05", "01000000" "010200000001000000" ONE TWO},                  /* MULTILINESTRING */
        {"06", "01000000" "0103000000" "01000000" "01000000" ONE TWO},    /* MULTIPOLYGON */
        {"07", "02000000" "0101000000" ONE TWO "0107000000" "00000000"},  /* GEOMETRYCOLLECTION */
        {"09", "01000000" "010200000001000000" ONE TWO},                  /* COMPOUNDCURVE */
        {"0A", "01000000" "010800000001000000" ONE TWO},                  /* CURVEPOLYGON */
        {"0B", "01000000" "010800000001000000" ONE TWO},                  /* MULTICURVE */
        {"0C", "01000000" "010A000000" "00000000"},                       /* MULTISURFACE */
        {"0F", "01000000" "0103000000" "00000000"},                       /* POLYHEDRALSURFACE */
        {"10", "01000000" "0111000000" "00000000"},                       /* TIN */
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char ewkb[400], wkb[400];
        snprintf(ewkb, sizeof ewkb, "01%s000020E6100000%s", shapes[i].before, shapes[i].body);
        snprintf(wkb, sizeof wkb, "01%s000000%s", shapes[i].before, shapes[i].body);
        gives(ewkb, 4326, wkb);
    }
    /* the parts carry the axes, too, and, in some libraries' EWKB, the SRID */
    gives("0107000080" "01000000" "0101000080" ONE TWO THREE, 0, "01EF030000" "01000000" "01E9030000" ONE TWO THREE);
    gives("0104000020E6100000" "01000000" "0101000020E6100000" ONE TWO, 4326, "0104000000" "01000000" "0101000000" ONE TWO);
}

static void test_malformed(void **state) {
    (void)state;
    refuses("", "the server's EWKB ends early: at byte 0 1 bytes were wanted, 0 remained");
    refuses("0101", "the server's EWKB ends early: at byte 1 4 bytes were wanted, 1 remained");
    refuses("02", "the server's EWKB (1 bytes) has byte order 2 at byte 0");
    refuses("0100000000", "the server's EWKB (5 bytes) has type 0 at byte 1");
    refuses("010D000000", "the server's EWKB (5 bytes) has type 13 at byte 1");
    refuses("010E000000", "the server's EWKB (5 bytes) has type 14 at byte 1");
    refuses("0112000000", "the server's EWKB (5 bytes) has type 18 at byte 1");
    refuses("01E9030000" ONE, "the server's EWKB (13 bytes) has type 1001 at byte 1"); /* ISO's number is not EWKB's */
    refuses("0101000000" ONE, "the server's EWKB ends early: at byte 5 16 bytes were wanted, 8 remained");
    refuses("0101000000" ONE TWO "00", "the server's EWKB goes on: at byte 21 its end was wanted, 1 bytes remained");
    refuses("0102000000FFFFFFFF" ONE TWO, "the server's EWKB ends early: at byte 9 68719476720 bytes were wanted, 16 remained");
    refuses("0103000000FFFFFFFF", "the server's EWKB ends early: at byte 9 4 bytes were wanted, 0 remained");
    refuses("0107000000FFFFFFFF", "the server's EWKB ends early: at byte 9 1 bytes were wanted, 0 remained");
}

static void test_depth(void **state) {
    (void)state;
    ls_buf hex = {0}, got = {0};
    ls_error err = {0};
    for (unsigned i = 1; i < LS_PG_GEOMETRY_DEPTH; i++) ls_buf_str(&hex, "010700000001000000");
    size_t whole = hex.len;
    ls_buf_str(&hex, "010700000000000000");
    assert_int_equal(convert(ls_buf_cstr(&hex), &got, &err), 0);
    hex.len = whole;
    ls_buf_str(&hex, "010700000001000000" "010700000000000000");
    assert_int_equal(convert(ls_buf_cstr(&hex), &got, &err), -1);
    assert_string_equal(err.text, "the server's EWKB (1809 bytes) has a geometry at depth 200 at byte 1800");
    ls_buf_free(&hex);
    ls_buf_free(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points), cmocka_unit_test(test_big_endian), cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
