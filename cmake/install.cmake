# Where things go below the prefix. The executable and lua/perilune/paths.lua know this layout.

install(TARGETS perilune_host RUNTIME DESTINATION bin)
install(TARGETS perilune ${accelerators} LIBRARY DESTINATION lib/perilune)
foreach(file IN LISTS accelerator_classes)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET folder FILENAME name)
  install(FILES ${file} DESTINATION lib/perilune/accelerators/${name})
endforeach()
install(DIRECTORY lua/perilune DESTINATION share/lua/5.1 FILES_MATCHING PATTERN "*.lua")
install(FILES engine/perilune.h engine/data.h engine/io.h engine/stats.h engine/accelerator.h
  engine/op.h engine/base.h engine/ops.def DESTINATION include/perilune)
install(DIRECTORY recipes DESTINATION share/perilune FILES_MATCHING PATTERN "*.lua")

# What was installed is written below the prefix itself, so that it can be taken away again whatever
# was built or installed since.
install(CODE [[
  set(manifest "${CMAKE_INSTALL_PREFIX}/share/perilune/install_manifest.txt")
  list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${manifest}")
  list(JOIN CMAKE_INSTALL_MANIFEST_FILES "\n" text)
  file(WRITE "$ENV{DESTDIR}${manifest}" "${text}\n")
]])
