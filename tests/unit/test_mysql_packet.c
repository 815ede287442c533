#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/mysql_packet.h"

typedef struct fixture {
    int server;
    int client;
    ls_packets p;
    ls_error err;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    int fds[2];
    if (!f || socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) return -1;
    f->server = fds[0];
    f->client = fds[1];
    ls_packets_init(&f->p, f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    ls_packets_free(&f->p);
    if (f->server >= 0) close(f->server);
    close(f->client);
    free(f);
    return 0;
}

static void send_bytes(fixture *f, const void *p, size_t n) {
    assert_int_equal(write(f->server, p, n), (ssize_t)n);
}

static int next(fixture *f, const uint8_t **p, size_t *n) {
    return ls_packets_next(&f->p, p, n, &f->err);
}

static void test_packets_in_one_write(void **state) {
    fixture *f = *state;
    const uint8_t *p;
    size_t n;
    send_bytes(f, "\1\0\0\0a\0\0\0\1\3\0\0\2xyz", 16);
    assert_int_equal(next(f, &p, &n), 1);
    assert_int_equal(n, 1);
    assert_memory_equal(p, "a", 1);
    assert_int_equal(next(f, &p, &n), 1);
    assert_int_equal(n, 0);
    assert_int_equal(next(f, &p, &n), 1);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "xyz", 3);
    assert_int_equal(next(f, &p, &n), 0);
}

static void test_a_packet_byte_by_byte_never_blocks(void **state) {
    fixture *f = *state;
    static const char bytes[] = "\4\0\0\0wxyz\1\0\0\1a";
    const uint8_t *p;
    size_t n;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(next(f, &p, &n), 0);
        send_bytes(f, bytes + i, 1);
    }
    assert_int_equal(next(f, &p, &n), 1);
    assert_int_equal(n, 4);
    assert_memory_equal(p, "wxyz", 4);
    send_bytes(f, bytes + 8, 5);
    assert_int_equal(next(f, &p, &n), 1);
    assert_memory_equal(p, "a", 1);
}

/* Sends a packet of n bytes (byte i is i * 7 + i / 256) while the other end reads. */
static void send_large(fixture *f, size_t n, const uint8_t **p, size_t *got) {
    size_t parts = n / 0xffffff + 1, total = n + parts * 4, sent = 0;
    uint8_t *wire = malloc(total), *w = wire;
    assert_non_null(wire);
    for (size_t i = 0; i < n || parts; parts--) {
        size_t part = n - i < 0xffffff ? n - i : 0xffffff;
        *w++ = (uint8_t)part, *w++ = (uint8_t)(part >> 8), *w++ = (uint8_t)(part >> 16), *w++ = 0;
        for (size_t k = 0; k < part; k++, i++) *w++ = (uint8_t)(i * 7 + i / 256);
    }
    int rc = 0;
    while (rc == 0) {
        ssize_t k = sent < total ? send(f->server, wire + sent, total - sent, MSG_DONTWAIT) : 0;
        if (k > 0) sent += (size_t)k;
        rc = next(f, p, got);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(sent, total);
    free(wire);
}

static void test_packets_of_many_parts(void **state) {
    fixture *f = *state;
    static const size_t sizes[] = {0xfffffe, 0xffffff, 0x1000000, 2 * 0xffffff, 40000000, 5};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const uint8_t *p = NULL;
        size_t n = 0, wrong = 0;
        send_large(f, sizes[s], &p, &n);
        assert_int_equal(n, sizes[s]);
        for (size_t i = 0; i < n; i++) wrong += p[i] != (uint8_t)(i * 7 + i / 256);
        assert_int_equal(wrong, 0);
    }
    assert_true(f->p.cap <= LS_PACKET_KEEP); /* the large ones' memory went back */
}

static void test_a_closed_connection(void **state) {
    fixture *f = *state;
    const uint8_t *p;
    size_t n;
    send_bytes(f, "\4\0\0\0wx", 6);
    close(f->server);
    f->server = -1;
    assert_int_equal(next(f, &p, &n), 0); /* what came first */
    assert_int_equal(next(f, &p, &n), -1);
    assert_int_equal(f->err.code, LS_AGAIN);
}

static void test_waiting(void **state) {
    fixture *f = *state;
    assert_int_equal(ls_packets_wait(&f->p, 10, &f->err), 0);
    send_bytes(f, "x", 1);
    assert_int_equal(ls_packets_wait(&f->p, 60000, &f->err), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packets_in_one_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_packet_byte_by_byte_never_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_packets_of_many_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_closed_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
