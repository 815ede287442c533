/* postgres_socket.c - waiting for what the server streams.
 *
 * The walsender sends each message for itself, without delay (TCP_NODELAY): a row that finds the reader's window open becomes a packet, and wakes the reader up,
 * which costs both sides more than the row. So while rows come late anyhow, fewer and larger reads are waited for. A server on this machine sends over the loopback
 * device, which delivers each packet within its send(): there the window is kept so small that it closes while the reader sleeps, and the messages gather in the
 * server's send buffer. Over a network a small window would bound the rate: there the reader waits for a mark of bytes. */
#include "capture/postgres.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    WINDOW = 32 * 1024,     /* bytes: SO_RCVBUF for a server on this machine; Linux doubles it */
    NAP_MARK = WINDOW / 2,  /* less than this is left: its reader sleeps */
    NAP_MS = 10,            /* ... for so long. The server's buffer (tcp_wmem) takes what it decodes meanwhile */
    FAR_MARK = 64 * 1024,   /* bytes that are waited for from any other server */
    FAR_MARK_MS = 5         /* ... for so long */
};

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
} address;

static bool is_same(const address *a, const address *b) {
    if (a->any.sa_family != b->any.sa_family) return false;
    return a->any.sa_family == AF_INET    ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
           : a->any.sa_family == AF_INET6 ? memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0
                                          : false;
}

bool ls_pg_socket_is_near(int fd) {
    address ours = {0}, theirs = {0};
    socklen_t n = sizeof ours.room, m = sizeof theirs.room;
    return getsockname(fd, &ours.any, &n) == 0 && getpeername(fd, &theirs.any, &m) == 0 && is_same(&ours, &theirs);
}

void ls_pg_socket_open(ls_pg *s) {
    static const int window = WINDOW;
    s->low_water = 1;
    s->near = ls_pg_socket_is_near(PQsocket(s->repl)) && setsockopt(PQsocket(s->repl), SOL_SOCKET, SO_RCVBUF, &window, sizeof window) == 0;
}

/* How many bytes make the socket readable. */
static void set_low_water(ls_pg *s, int bytes) {
    if (s->low_water != bytes && setsockopt(PQsocket(s->repl), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) == 0)
        s->low_water = bytes;
}

int ls_pg_socket_wait(ls_pg *s, int wait_ms, ls_error *err) {
    static const char doing[] = "streaming from PostgreSQL";
    struct pollfd f = {.fd = PQsocket(s->repl), .events = POLLIN};
    set_low_water(s, !s->eager ? 1 : s->near ? NAP_MARK : FAR_MARK);
    int n = poll(&f, 1, !s->eager ? wait_ms : s->near ? 0 : FAR_MARK_MS);
    if (n == 0 && s->eager && s->near) {
        poll(NULL, 0, NAP_MS);
        n = poll(&f, 1, 0);
    }
    if (n < 0 && errno != EINTR) return ls_fail(err, LS_AGAIN, "%s: poll: %s", doing, strerror(errno));
    bool ready = n > 0;
    if (!ready && s->eager) { /* less than the mark is there, or nothing */
        s->eager = false;
        ready = true;
    }
    if (ready && !PQconsumeInput(s->repl)) return ls_pg_failed(s->repl, NULL, err, doing);
    return ready;
}
