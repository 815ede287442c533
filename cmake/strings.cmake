# cmake -DFROM=engine/format/change.proto -DTO=change.proto -P strings.cmake
# Copies a .proto file with its string fields as bytes.
file(READ "${FROM}" text)
string(REGEX REPLACE "(\n +)((repeated )?)string " "\\1\\2bytes " text "${text}")
file(WRITE "${TO}" "${text}")
