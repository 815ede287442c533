#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "capture/postgres.h"

typedef struct pair {
    int listener, client, server;
} pair;

/* A client of the address `from`, and the server's end of it. */
static pair connect_v4(const char *from, const char *to) {
    struct sockaddr_in at = {.sin_family = AF_INET}, own = {.sin_family = AF_INET};
    socklen_t n = sizeof at;
    pair p = {.listener = socket(AF_INET, SOCK_STREAM, 0), .client = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(inet_pton(AF_INET, to, &at.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
    assert_return_code(bind(p.listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_return_code(listen(p.listener, 1), 0);
    assert_return_code(getsockname(p.listener, (struct sockaddr *)&at, &n), 0);
    assert_return_code(bind(p.client, (struct sockaddr *)&own, sizeof own), 0);
    assert_return_code(connect(p.client, (struct sockaddr *)&at, sizeof at), 0);
    p.server = accept(p.listener, NULL, NULL);
    assert_return_code(p.server, 0);
    return p;
}

static void close_pair(pair p) {
    close(p.listener);
    close(p.client);
    close(p.server);
}

static void test_one_address_is_near(void **state) {
    (void)state;
    pair p = connect_v4("127.0.0.1", "127.0.0.1");
    assert_true(ls_pg_socket_is_near(p.client));
    close_pair(p);
}

static void test_another_address_is_not(void **state) {
    (void)state;
    pair p = connect_v4("127.0.0.2", "127.0.0.1");
    assert_false(ls_pg_socket_is_near(p.client));
    close_pair(p);
}

static void test_others_are_not(void **state) {
    (void)state;
    int fds[2];
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_false(ls_pg_socket_is_near(fds[0]));
    close(fds[0]);
    close(fds[1]);
    int alone = socket(AF_INET, SOCK_STREAM, 0);
    assert_false(ls_pg_socket_is_near(alone));
    close(alone);
    assert_false(ls_pg_socket_is_near(-1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_address_is_near),
        cmocka_unit_test(test_another_address_is_not),
        cmocka_unit_test(test_others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
