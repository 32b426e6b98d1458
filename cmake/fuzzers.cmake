# tests/fuzz/*_fuzz.c: a fuzzer each, run for PERILUNE_FUZZ_SECONDS by cmake/fuzzed.sh. They load
# the engine of this build and the devices of another (PERILUNE_ACCELERATORS).
add_custom_target(fuzzers DEPENDS perilune)
file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
foreach(source IN LISTS fuzzers)
  cmake_path(GET source STEM name)
  add_executable(${name} ${source})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz
    ENABLE_EXPORTS ON)
  target_include_directories(${name} PRIVATE engine)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  if(name STREQUAL state_fuzz)
    target_link_libraries(${name} PRIVATE PkgConfig::LUAJIT ${CMAKE_DL_LIBS})
  else()
    target_link_libraries(${name} PRIVATE perilune_objects)
  endif()
  add_dependencies(fuzzers ${name})
endforeach()
