# lua/ as bytecode in the program: LUA_BYTECODE_SOURCE names the C file, and the headers that it includes, to compile in.
find_program(LUAJIT_PROGRAM luajit REQUIRED)

set(LUA_DIR ${CMAKE_CURRENT_SOURCE_DIR}/lua)
set(LUA_BUILD_DIR ${CMAKE_CURRENT_BINARY_DIR}/lua)
set(LUA_BYTECODE_SOURCE ${LUA_BUILD_DIR}/bytecode.c)
file(MAKE_DIRECTORY ${LUA_BUILD_DIR}/list_sync)
file(GLOB_RECURSE LUA_FILES CONFIGURE_DEPENDS RELATIVE ${LUA_DIR} ${LUA_DIR}/list_sync/*.lua)
list(FILTER LUA_FILES EXCLUDE REGEX "/meta/") # for editors: nothing runs it

# What Lua may see of the engine is what engine/list_sync.h says.
add_custom_command(
  OUTPUT ${LUA_BUILD_DIR}/list_sync/ffi.lua
  COMMAND ${CMAKE_COMMAND} -DFROM=${CMAKE_CURRENT_SOURCE_DIR}/engine/list_sync.h -DTO=${LUA_BUILD_DIR}/list_sync/ffi.lua
          -P ${CMAKE_CURRENT_LIST_DIR}/ffi.cmake
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/engine/list_sync.h ${CMAKE_CURRENT_LIST_DIR}/ffi.cmake
  VERBATIM)

# One header a module, and a table of them. luajit runs beside the file, so that chunk names are the same on every machine.
set(lua_includes "")
set(lua_entries "")
set(lua_headers "")
foreach(file ${LUA_FILES} list_sync/ffi.lua)
  string(REGEX REPLACE "\\.lua$" "" path ${file})
  string(REGEX REPLACE "/init$" "" path ${path})
  string(REPLACE "/" "." module ${path})
  string(REPLACE "/" "_" symbol ${path})
  set(root ${LUA_DIR})
  if(file STREQUAL "list_sync/ffi.lua")
    set(root ${LUA_BUILD_DIR})
  endif()
  set(header ${LUA_BUILD_DIR}/${symbol}.h)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${LUAJIT_PROGRAM} -b -g -n ${symbol} -t h ${file} ${header}
    DEPENDS ${root}/${file}
    WORKING_DIRECTORY ${root}
    VERBATIM)
  list(APPEND lua_headers ${header})
  string(APPEND lua_includes "#include \"${symbol}.h\"\n")
  string(APPEND lua_entries
         "    {\"${module}\", \"${file}\", luaJIT_BC_${symbol}, sizeof luaJIT_BC_${symbol}},\n")
endforeach()
file(CONFIGURE OUTPUT ${LUA_BYTECODE_SOURCE} @ONLY CONTENT
"/* Generated: the modules of lua/, compiled. */
#include \"script/modules.h\"

@lua_includes@
const ls_lua_module ls_lua_modules[] = {
@lua_entries@};
const size_t ls_lua_module_count = sizeof ls_lua_modules / sizeof *ls_lua_modules;
")
set_source_files_properties(${LUA_BYTECODE_SOURCE} PROPERTIES OBJECT_DEPENDS "${lua_headers}")
list(APPEND LUA_BYTECODE_SOURCE ${lua_headers})

if(LIST_SYNC_LUA_FROM_TREE)
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/engine/script/modules.c PROPERTIES
                              COMPILE_DEFINITIONS "LS_LUA_TREE=\"${LUA_DIR}\"")
endif()
