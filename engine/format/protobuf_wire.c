/* protobuf_wire.c - what is wrong with bytes that are no message: protobuf-c says only that something is. It reads as protobuf-c does, and
 * fields that the message does not have are passed over. */
#include "format/protobuf.h"

#include "base/cursor.h"

enum { LS_VARINT_MAX = 10 }; /* bytes */

/* The message and the field that are being read, for the error. */
typedef struct place {
    const ProtobufCMessageDescriptor *of;
    const ProtobufCFieldDescriptor *field; /* NULL: none that is known */
    size_t base, at; /* of the message in the whole, and in the message */
} place;

static int refuse(const place *p, ls_error *err, const char *wanted) {
    return ls_fail(err, LS_FAIL, "byte %zu: %s%s%s%s%s was wanted", p->base + p->at, p->field ? "field " : "", p->field ? p->of->short_name : "",
                   p->field ? "." : "", p->field ? p->field->name : "", p->field ? wanted : wanted + 2);
}

/* False: there is none. */
static bool varint(ls_cursor *in, uint64_t *out) {
    *out = 0;
    for (unsigned i = 0; i < LS_VARINT_MAX; i++) {
        uint8_t b = ls_cursor_u8(in);
        if (in->failed) return false;
        *out |= (uint64_t)(b & 0x7f) << 7 * i;
        if (b < 0x80) return true;
    }
    return false;
}

static unsigned wire_of(const ProtobufCFieldDescriptor *f) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_DOUBLE: return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_FLOAT: return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default: return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* A field's value; *inner becomes a message within. -1: what is wrong is said. */
static int value(place *p, ls_cursor *in, unsigned wire, ls_cursor *inner, ls_error *err) {
    uint64_t n;
    p->at = ls_cursor_offset(in);
    if (p->field && wire != wire_of(p->field)) return refuse(p, err, ": a value of its own type");
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT: return varint(in, &n) ? 0 : refuse(p, err, ": a whole number of no more than 10 bytes");
    case PROTOBUF_C_WIRE_TYPE_64BIT: return ls_cursor_take(in, 8) ? 0 : refuse(p, err, ": 8 bytes");
    case PROTOBUF_C_WIRE_TYPE_32BIT: return ls_cursor_take(in, 4) ? 0 : refuse(p, err, ": 4 bytes");
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!varint(in, &n)) return refuse(p, err, ": a length");
        p->at = ls_cursor_offset(in);
        if (n > ls_cursor_left(in)) return refuse(p, err, ": as many bytes as its length says");
        *inner = ls_cursor_over(in->at, (size_t)n);
        return ls_cursor_take(in, (size_t)n) ? 0 : -1;
    default: return refuse(p, err, ": a field of a known kind");
    }
}

/* 0: nothing is wrong. The messages are of two levels, so that this calls itself once. */
static int message(const ProtobufCMessageDescriptor *of, ls_cursor in, size_t base, ls_error *err) {
    while (ls_cursor_left(&in)) {
        place p = {.of = of, .base = base, .at = ls_cursor_offset(&in)};
        ls_cursor inner = {0};
        uint64_t tag;
        if (!varint(&in, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) return refuse(&p, err, ": a field's number");
        p.field = protobuf_c_message_descriptor_get_field(of, (unsigned)(tag >> 3));
        if (value(&p, &in, tag & 7, &inner, err)) return -1;
        if (p.field && p.field->type == PROTOBUF_C_TYPE_MESSAGE && message(p.field->descriptor, inner, base + p.at, err)) return -1;
    }
    return 0;
}

int ls_protobuf_refuse(const ProtobufCMessageDescriptor *of, const void *p, size_t n, ls_error *err) {
    if (message(of, ls_cursor_over(p, n), 0, err)) return -1;
    return ls_fail(err, LS_FAIL, "byte 0: a message that protobuf-c reads was wanted");
}
