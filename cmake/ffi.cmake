# cmake -DFROM=engine/list_sync.h -DTO=ffi.lua -P ffi.cmake
# Writes the Lua file that declares the part of the header between its two "ffi" lines.
file(READ "${FROM}" text)
set(begin "/* ffi begin */")
string(LENGTH "${begin}" begin_length)
string(FIND "${text}" "${begin}" from)
string(FIND "${text}" "/* ffi end */" to)
if(from LESS 0 OR to LESS from)
  message(FATAL_ERROR "${FROM} has no \"/* ffi begin */\" and \"/* ffi end */\" lines")
endif()
math(EXPR from "${from} + ${begin_length}")
math(EXPR length "${to} - ${from}")
string(SUBSTRING "${text}" ${from} ${length} declarations)
file(WRITE "${TO}" "-- Generated from engine/list_sync.h.\nlocal ffi = require \"ffi\"\nffi.cdef [==[${declarations}]==]\nreturn ffi\n")
