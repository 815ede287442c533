#include "capture/mysql_packet.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PART_HEADER = 4,
    PART_FULL = 0xffffff
}; /* bytes: a length of three and a number; a part of this length is not the last */

void ls_packets_init(ls_packets *p, int fd) {
    *p = (ls_packets){.fd = fd};
}

void ls_packets_free(ls_packets *p) {
    free(p->data);
    *p = (ls_packets){.fd = -1};
}

/* The packets before the present one are done with: their room is used again. */
static void give_back(ls_packets *p) {
    size_t left = p->end - p->packet;
    if (p->packet == 0) return;
    if (left) memmove(p->data, p->data + p->packet, left);
    p->next -= p->packet;
    p->end = left;
    p->packet = 0;
    if (p->cap > LS_PACKET_KEEP && left <= LS_PACKET_ROOM) {
        uint8_t *less = realloc(p->data, LS_PACKET_KEEP);
        if (!less) return;
        p->data = less;
        p->cap = LS_PACKET_KEEP;
    }
}

/* Room for n bytes behind end. */
static int make_room(ls_packets *p, size_t n, ls_error *err) {
    if (p->cap - p->end >= n) return 0;
    give_back(p);
    if (p->cap - p->end >= n) return 0;
    size_t cap = p->end + n;
    if (p->next - p->packet > PART_FULL && cap < p->cap + p->cap / 2)
        cap = p->cap + p->cap / 2; /* of many parts: fewer copies */
    uint8_t *data = realloc(p->data, cap);
    if (!data) return ls_fail_memory(err, "a packet of the server");
    p->data = data;
    p->cap = cap;
    return 0;
}

static size_t part_length(const ls_packets *p) {
    const uint8_t *h = p->data + p->next;
    return (size_t)h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16;
}

/* Puts together what has come. 1: the packet is whole. */
static int assemble(ls_packets *p, ls_error *err) {
    while (p->end - p->next >= PART_HEADER) {
        size_t n = part_length(p), start = p->packet + PART_HEADER;
        if (p->body + n > LS_PACKET_MAX)
            return ls_fail(err, LS_FAIL, "the server sends a packet of more than %d bytes", LS_PACKET_MAX);
        if (p->end - p->next - PART_HEADER < n) return 0;
        if (p->body) memmove(p->data + start + p->body, p->data + p->next + PART_HEADER, n);
        p->body += n;
        p->next += PART_HEADER + n;
        if (n < PART_FULL) return 1;
    }
    return 0;
}

/* How much to read at once: at least what the part in hand still lacks. */
static size_t wanted(const ls_packets *p) {
    size_t have = p->end - p->next, need = 0;
    if (have >= PART_HEADER) need = part_length(p) + PART_HEADER - have;
    return need > LS_PACKET_ROOM ? need : LS_PACKET_ROOM;
}

static int receive(ls_packets *p, ls_error *err) {
    if (make_room(p, wanted(p), err)) return -1;
    size_t room = p->cap - p->end;
    ssize_t n;
    do n = recv(p->fd, p->data + p->end, room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    if (n < 0) return ls_fail(err, LS_AGAIN, "the connection failed: %s", strerror(errno));
    if (n == 0) return ls_fail(err, LS_AGAIN, "the server closed the connection");
    p->end += (size_t)n;
    p->more = (size_t)n == room;
    return 1;
}

int ls_packets_next(ls_packets *p, const uint8_t **packet, size_t *n, ls_error *err) {
    bool looked = false;
    if (p->cap > LS_PACKET_KEEP && p->end - p->packet <= LS_PACKET_ROOM) give_back(p);
    for (;;) {
        int rc = assemble(p, err);
        if (rc < 0) return -1;
        if (rc == 1) {
            *packet = p->data + p->packet + PART_HEADER;
            *n = p->body;
            p->packet = p->next;
            p->body = 0;
            return 1;
        }
        if (looked && !p->more) return 0;
        rc = receive(p, err);
        if (rc <= 0) return rc;
        looked = true;
    }
}

int ls_packets_wait(const ls_packets *p, int wait_ms, ls_error *err) {
    struct pollfd f = {.fd = p->fd, .events = POLLIN};
    int rc = poll(&f, 1, wait_ms);
    if (rc < 0 && errno != EINTR) return ls_fail(err, LS_AGAIN, "waiting for the server: %s", strerror(errno));
    return rc > 0;
}
