#include "capture/binlog_multibyte.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>

enum {
    HIGH = 0x80,         /* below it each byte is ASCII */
    THREE = 0x8f,        /* EUC-JP: two more bytes follow, of JIS X 0212 */
    ROW = 256,           /* second bytes */
    TWO = HIGH * ROW,    /* codes of two bytes whose first is high */
    FOUR = 39420,        /* GB 18030: codes of four bytes up to 8431a439, for all below 0x10000 that two bytes do not have */
    BEYOND = 189000      /* the number of 90308130: from there on codes of four bytes are the characters from 0x10000 */
};

/* Codes first to last are to and what follows it, whatever the C library says; to 0: nothing. */
typedef struct exception {
    uint32_t first, last;
    uint16_t to;
} exception;

/* Found by asking a MariaDB server for each code (CONVERT(... USING utf8mb4)) and comparing with the C library's: JIS X 0208 as
 * it was before Microsoft's additions, and Big5 as of the consortium's table; a MySQL server for GB 18030 as of 2005, which the C
 * library has in the edition of its own release. */
/* clang-format off */
static const exception sjis_exceptions[] = {
    {0x815f, 0x815f, 0x005c},
};
static const exception ujis_exceptions[] = {
    {0xa1c0, 0xa1c0, 0x005c}, {0xa1c1, 0xa1c1, 0x301c}, {0xa1c2, 0xa1c2, 0x2016}, {0xa1dd, 0xa1dd, 0x2212}, {0xa1f1, 0xa1f2, 0x00a2},
    {0xa2cc, 0xa2cc, 0x00ac}, {0xada1, 0xadbe, 0x0000}, {0xadc0, 0xadd6, 0x0000}, {0xaddf, 0xadfc, 0x0000}, {0x8fa2b7, 0x8fa2b7, 0x007e},
    {0x8fa2c3, 0x8fa2c3, 0x00a6}, {0x8ff3f3, 0x8ff3fe, 0x0000}, {0x8ff4a1, 0x8ff4fe, 0x0000},
};
static const exception big5_exceptions[] = {
    {0xa145, 0xa145, 0x2022}, {0xa14e, 0xa14e, 0xff64}, {0xa15a, 0xa15a, 0xfffd}, {0xa1c2, 0xa1c2, 0x203e}, {0xa1c3, 0xa1c3, 0xfffd},
    {0xa1c5, 0xa1c5, 0xfffd}, {0xa1e3, 0xa1e3, 0x223c}, {0xa1f2, 0xa1f2, 0x2641}, {0xa1f3, 0xa1f3, 0x2609}, {0xa1fe, 0xa1fe, 0xfffd},
    {0xa240, 0xa240, 0xfffd}, {0xa241, 0xa241, 0xff0f}, {0xa242, 0xa242, 0xff3c}, {0xa244, 0xa244, 0x00a5}, {0xa246, 0xa247, 0x00a2},
    {0xa2cc, 0xa2cc, 0xfffd}, {0xa2ce, 0xa2ce, 0xfffd}, {0xa3e1, 0xa3e1, 0x0000}, {0xc6a1, 0xc6a1, 0x30fe}, {0xc6a2, 0xc6a3, 0x309d},
    {0xc6a4, 0xc6a4, 0x3005}, {0xc6a5, 0xc6f7, 0x3041}, {0xc6f8, 0xc6fe, 0x30a1}, {0xc740, 0xc77e, 0x30a8}, {0xc7a1, 0xc7b0, 0x30e7},
    {0xc7b1, 0xc7b2, 0x0414}, {0xc7b3, 0xc7b3, 0x0401}, {0xc7b4, 0xc7ba, 0x0416}, {0xc7bb, 0xc7cd, 0x0423}, {0xc7ce, 0xc7ce, 0x0451},
    {0xc7cf, 0xc7e8, 0x0436}, {0xc7e9, 0xc7f2, 0x2460}, {0xc7f3, 0xc7fc, 0x2474}, {0xc7fd, 0xc7fe, 0x0000}, {0xc840, 0xc87e, 0x0000},
    {0xc8a1, 0xc8fe, 0x0000}, {0xf9dd, 0xf9fe, 0x0000},
};
static const exception gb18030_exceptions[] = {
    {0xa6d9, 0xa6df, 0xe78d}, {0xa6ec, 0xa6ed, 0xe794}, {0xa6f3, 0xa6f3, 0xe796}, {0xa8bc, 0xa8bc, 0x1e3f}, {0xfe51, 0xfe53, 0xe816},
    {0xfe59, 0xfe59, 0xe81e}, {0xfe61, 0xfe61, 0xe826}, {0xfe66, 0xfe67, 0xe82b}, {0xfe6c, 0xfe6d, 0xe831}, {0xfe76, 0xfe76, 0xe83b},
    {0xfe7e, 0xfe7e, 0xe843}, {0xfe90, 0xfe91, 0xe854}, {0xfea0, 0xfea0, 0xe864}, {0x8135f437, 0x8135f437, 0xe7c7},
    {0x82359037, 0x82359039, 0x9fb4}, {0x82359130, 0x82359134, 0x9fb7}, {0x84318236, 0x84318239, 0xfe10}, {0x84318330, 0x84318335, 0xfe14},
};
/* clang-format on */

typedef struct variant {
    const char *name, *iconv_name; /* the server's, the C library's */
    bool one;                      /* single high bytes are characters: half-width katakana */
    uint8_t longest; /* bytes of a code */
    const exception *exceptions;
    size_t nexceptions;
} variant;

#define EXCEPTIONS(of) of, sizeof of / sizeof *of

static const variant variants[] = {
    {"sjis", "SJIS", true, 2, EXCEPTIONS(sjis_exceptions)},
    {"cp932", "CP932", true, 2, NULL, 0},
    {"ujis", "EUC-JP-MS", false, 3, EXCEPTIONS(ujis_exceptions)},
    {"eucjpms", "EUC-JP-MS", false, 3, NULL, 0},
    {"gbk", "GBK", false, 2, NULL, 0},
    {"gb2312", "GB2312", false, 2, NULL, 0},
    {"big5", "BIG5", false, 2, EXCEPTIONS(big5_exceptions)},
    {"euckr", "UHC", false, 2, NULL, 0},
    {"gb18030", "GB18030", false, 4, EXCEPTIONS(gb18030_exceptions)},
};

struct ls_multibyte {
    ls_multibyte *next;
    const variant *of;
    uint16_t one[ROW]; /* 0: no character */
    uint16_t two[TWO]; /* (first byte - HIGH) * ROW + second */
    uint16_t more[];   /* three bytes: behind THREE, the same; four bytes: by their number, up to FOUR */
};

static const variant *variant_of(const char *name) {
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(variants[i].name, name) == 0) return &variants[i];
    return NULL;
}

/* One code's character; 0: it has none, or one beyond the first 65536. */
static uint16_t ask(iconv_t cd, const uint8_t *code, size_t n) {
    char in[4], *from = in;
    uint8_t out[8];
    char *to = (char *)out;
    size_t left = n, room = sizeof out;
    memcpy(in, code, n);
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &from, &left, &to, &room) == (size_t)-1 || left) return 0;
    if (iconv(cd, NULL, NULL, &to, &room) == (size_t)-1 || room != sizeof out - 2) return 0;
    return (uint16_t)(out[0] | out[1] << 8);
}

/* Codes of four bytes count on: a digit behind each byte of 126. None of them: a number that is none's. */
static uint32_t number_of(const uint8_t *code) {
    enum { DIGIT = 0x30, DIGITS = 10, FIRST = 0x81, FIRSTS = 126 };
    unsigned a = code[0] - FIRST, b = code[1] - DIGIT, c = code[2] - FIRST, d = code[3] - DIGIT;
    if (code[0] < FIRST || a >= FIRSTS || code[1] < DIGIT || b >= DIGITS || code[2] < FIRST || c >= FIRSTS || code[3] < DIGIT || d >= DIGITS)
        return UINT32_MAX;
    return ((a * DIGITS + b) * FIRSTS + c) * DIGITS + d;
}

static uint16_t *cell(ls_multibyte *m, uint32_t code) {
    if (code < ROW) return &m->one[code];
    if (code <= 0xffff) return &m->two[code - HIGH * ROW];
    if (m->of->longest < 4) return &m->more[(code & 0xffff) - HIGH * ROW];
    const uint8_t b[] = {(uint8_t)(code >> 24), (uint8_t)(code >> 16), (uint8_t)(code >> 8), (uint8_t)code};
    return &m->more[number_of(b)];
}

static void fill_four(ls_multibyte *m, iconv_t cd) {
    for (uint32_t number = 0; number < FOUR; number++) {
        uint32_t pair = number / 1260, rest = number % 1260;
        const uint8_t code[] = {(uint8_t)(0x81 + pair / 10), (uint8_t)(0x30 + pair % 10), (uint8_t)(0x81 + rest / 10),
                                (uint8_t)(0x30 + rest % 10)};
        m->more[number] = ask(cd, code, sizeof code);
    }
}

static void fill(ls_multibyte *m, iconv_t cd) {
    const bool three = m->of->longest == 3;
    for (uint32_t first = HIGH; first < ROW; first++) {
        const uint8_t single = (uint8_t)first;
        if (m->of->one) m->one[first] = ask(cd, &single, 1);
        for (uint32_t second = 0; second < ROW; second++) {
            const uint8_t code[] = {THREE, (uint8_t)first, (uint8_t)second};
            if (!m->one[first] && !(three && first == THREE)) *cell(m, first << 8 | second) = ask(cd, code + 1, 2);
            if (three) *cell(m, (uint32_t)THREE << 16 | first << 8 | second) = ask(cd, code, 3);
        }
    }
    if (m->of->longest == 4) fill_four(m, cd);
    for (size_t i = 0; i < m->of->nexceptions; i++) {
        const exception *e = &m->of->exceptions[i];
        for (uint32_t code = e->first; code <= e->last; code++)
            *cell(m, code) = e->to ? (uint16_t)(e->to + (code - e->first)) : 0;
    }
}

int ls_multibyte_load(ls_multibyte **loaded, const char *name, const ls_multibyte **out, ls_error *err) {
    const variant *of = variant_of(name);
    *out = NULL;
    if (!of) return 0;
    for (const ls_multibyte *m = *loaded; m; m = m->next)
        if (m->of == of) {
            *out = m;
            return 0;
        }
    iconv_t cd = iconv_open("UTF-16LE", of->iconv_name);
    if (cd == (iconv_t)-1)
        return ls_fail(err, LS_FAIL,
                       "the C library of this machine cannot convert character set %s (%s): install its character set "
                       "modules (libc6 on Debian, glibc-gconv-extra on Fedora)",
                       name, of->iconv_name);
    size_t more = of->longest == 4 ? FOUR : of->longest == 3 ? TWO : 0;
    ls_multibyte *m = calloc(1, sizeof *m + more * sizeof *m->more);
    if (m) {
        m->of = of;
        fill(m, cd);
        m->next = *loaded;
        *out = *loaded = m;
    }
    iconv_close(cd);
    return m ? 0 : ls_fail_memory(err, "a character set");
}

const char *ls_multibyte_name(const ls_multibyte *m) {
    return m->of->name;
}

void ls_multibyte_free(ls_multibyte *loaded) {
    for (ls_multibyte *next; loaded; loaded = next) {
        next = loaded->next;
        free(loaded);
    }
}

static uint32_t four(const ls_multibyte *m, const uint8_t *code) {
    enum { BEYOND_ALL = 0x100000 };
    uint32_t number = number_of(code);
    if (number < FOUR) return m->more[number];
    return number >= BEYOND && number - BEYOND < BEYOND_ALL ? 0x10000 + (number - BEYOND) : 0;
}

uint32_t ls_multibyte_next(const ls_multibyte *m, const uint8_t **at, const uint8_t *end) {
    const uint8_t *p = *at;
    uint32_t first = p[0], u;
    size_t n = 1;
    if (first < HIGH) {
        u = first;
    } else if (m->one[first]) {
        u = m->one[first];
    } else if (m->of->longest == 3 && first == THREE) {
        n = 3;
        u = end - p >= 3 && p[1] >= HIGH ? m->more[(uint32_t)(p[1] - HIGH) * ROW + p[2]] : 0;
    } else if (m->of->longest == 4 && end - p >= 2 && p[1] >= '0' && p[1] <= '9') {
        n = 4;
        u = end - p >= 4 ? four(m, p) : 0;
    } else {
        n = 2;
        u = end - p >= 2 ? m->two[(first - HIGH) * ROW + p[1]] : 0;
    }
    if (!u && first) return LS_MULTIBYTE_BAD;
    *at = p + n;
    return u;
}

/* Is it the first byte of any code of several bytes? */
static bool leads(const ls_multibyte *m, uint8_t first) {
    const uint16_t *row = &m->two[(size_t)(first - HIGH) * ROW];
    bool any = m->of->longest == 3 && first == THREE;
    for (size_t i = 0; i < ROW && !any; i++) any = row[i] != 0;
    return any;
}

size_t ls_multibyte_bad(const ls_multibyte *m, const uint8_t *p, const uint8_t *end) {
    size_t whole = m->of->longest == 3 && *p == THREE ? 3 : 2, n = 1;
    while (leads(m, *p) && n < whole && n < (size_t)(end - p) && p[n] >= HIGH) n++;
    return n;
}
