/* protobuf.h - what the two sides of change.proto share. In the generated code a string is bytes with a length: see cmake/protobuf.cmake. */
#ifndef LS_FORMAT_PROTOBUF_H
#define LS_FORMAT_PROTOBUF_H

#include "base/error.h"
#include "change.pb-c.h"
#include "list_sync.h"

/* The message's type of a column of this logical type (enum ls_type), and the other way round; -1: there is no such type. */
ListSync__Column__Type ls_protobuf_type(int type);
int ls_protobuf_type_read(ListSync__Column__Type type);
/* Of bytes that cannot be unpacked: the offset of what is wrong, and what was wanted there. Gives -1. */
int ls_protobuf_refuse(const ProtobufCMessageDescriptor *of, const void *p, size_t n, ls_error *err);

#endif
