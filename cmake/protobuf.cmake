# engine/format/change.proto as C: PROTOBUF_SOURCES names the files to compile in.
find_program(PROTOC_C_PROGRAM protoc-c REQUIRED)

set(PROTO ${CMAKE_CURRENT_SOURCE_DIR}/engine/format/change.proto)
set(PROTO_BUILD_DIR ${CMAKE_CURRENT_BINARY_DIR}/proto)
set(PROTOBUF_SOURCES ${PROTO_BUILD_DIR}/change.pb-c.c ${PROTO_BUILD_DIR}/change.pb-c.h)
file(MAKE_DIRECTORY ${PROTO_BUILD_DIR})

# A string of protobuf-c ends at its first NUL, which a text of MySQL may hold. Bytes, which are the same on the wire, have a length.
add_custom_command(
  OUTPUT ${PROTOBUF_SOURCES}
  COMMAND ${CMAKE_COMMAND} -DFROM=${PROTO} -DTO=${PROTO_BUILD_DIR}/change.proto -P ${CMAKE_CURRENT_LIST_DIR}/strings.cmake
  COMMAND ${PROTOC_C_PROGRAM} --c_out=. --proto_path=. change.proto
  DEPENDS ${PROTO} ${CMAKE_CURRENT_LIST_DIR}/strings.cmake
  WORKING_DIRECTORY ${PROTO_BUILD_DIR}
  VERBATIM)
set_source_files_properties(${PROTO_BUILD_DIR}/change.pb-c.c PROPERTIES COMPILE_OPTIONS -w)
