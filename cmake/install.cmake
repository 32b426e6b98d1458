# Where things go below the prefix. The executable and lua/perilune/paths.lua know this layout.

install(TARGETS perilune_host RUNTIME DESTINATION bin)
install(TARGETS perilune ${accelerators} LIBRARY DESTINATION lib/perilune)
# One by one: installing the folders would make those that have no class, and nobody removes them.
file(GLOB classes CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} accelerators/*/accelerator.lua)
foreach(class IN LISTS classes)
  cmake_path(GET class PARENT_PATH folder)
  install(FILES ${class} DESTINATION lib/perilune/${folder})
endforeach()
install(DIRECTORY lua/perilune DESTINATION share/lua/5.1 FILES_MATCHING PATTERN "*.lua")
install(FILES engine/perilune.h engine/data.h engine/io.h engine/accelerator.h engine/op.h
  engine/base.h engine/ops.def DESTINATION include/perilune)
install(DIRECTORY recipes DESTINATION share/perilune FILES_MATCHING PATTERN "*.lua")

# What was installed is written below the prefix itself, so that it can be taken away again whatever
# was built or installed since.
install(CODE [[
  set(manifest "${CMAKE_INSTALL_PREFIX}/share/perilune/install_manifest.txt")
  list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${manifest}")
  list(JOIN CMAKE_INSTALL_MANIFEST_FILES "\n" text)
  file(WRITE "$ENV{DESTDIR}${manifest}" "${text}\n")
]])
