# Where things go below the prefix. The executable and lua/perilune/paths.lua know this layout.

install(TARGETS perilune_host RUNTIME DESTINATION bin)
install(TARGETS perilune ${accelerators} LIBRARY DESTINATION lib/perilune)
install(DIRECTORY lua/perilune DESTINATION share/lua/5.1 FILES_MATCHING PATTERN "*.lua")
install(FILES engine/perilune.h engine/accelerator.h engine/op.h engine/base.h engine/ops.def
  DESTINATION include/perilune)
install(DIRECTORY recipes DESTINATION share/perilune FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY accelerators DESTINATION share/perilune FILES_MATCHING PATTERN "*.lua")
