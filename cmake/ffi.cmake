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
# LuaJIT compiles no call of a function that it has not looked up yet, so all of them are.
file(WRITE "${TO}" "-- Generated from engine/list_sync.h.
local ffi = require \"ffi\"
local declared = [==[${declarations}]==]
ffi.cdef(declared)
for line in declared:gmatch \"[^\\n]+\" do
  local name = line:match \"^[%a_][%w_%s%*]-[%s%*](ls_[%w_]+)%(\"
  if name then local _ = ffi.C[name] end
end
return ffi
")
