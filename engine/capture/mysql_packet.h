/* mysql_packet.h - the packets that a server sends on a socket, without ever waiting inside one.
 *
 *      data        packet               end                  data+cap
 *      | read      | the next packet    | room               |
 *
 * The client library's own reader blocks until a packet is whole; a capture thread must not. */
#ifndef LS_MYSQL_PACKET_H
#define LS_MYSQL_PACKET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LS_PACKET_ROOM = 256 * 1024,  /* bytes received at once */
    LS_PACKET_KEEP = 1024 * 1024, /* bytes of buffer kept once a larger packet is done with */
    LS_PACKET_MAX =
        1100 * 1024 * 1024 /* bytes of one packet: the server's greatest max_allowed_packet, 1 GiB, and slack */
};

typedef struct ls_packets {
    int fd; /* borrowed */
    uint8_t *data;
    size_t cap, packet, end;
    size_t body, next; /* of the packet that is being put together: its bytes so far, and where its next part begins */
    bool more;         /* the socket may have more than was read */
} ls_packets;

void ls_packets_init(ls_packets *p, int fd);
void ls_packets_free(ls_packets *p);
/* 1: a whole packet at *packet, valid until the next call; 0: it has not come yet; -1 with LS_AGAIN: the connection is
 * gone. */
int ls_packets_next(ls_packets *p, const uint8_t **packet, size_t *n, ls_error *err) LS_MUST_CHECK;
/* Waits until there is something to read, wait_ms at most. 1, 0: nothing came, -1. */
int ls_packets_wait(const ls_packets *p, int wait_ms, ls_error *err) LS_MUST_CHECK;

#endif
