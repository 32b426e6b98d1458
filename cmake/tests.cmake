# Tests are found by name: tests/**/*_test.c is one executable each, tests/<folder>/*_spec.lua run
# in busted, with the JIT on and off. All of them use the engine of this build (PERILUNE_LIB).

set(environment PERILUNE_LIB=${CMAKE_BINARY_DIR} PERILUNE_ACCELERATORS=${CMAKE_BINARY_DIR}
  UBSAN_OPTIONS=print_stacktrace=1)
if(PL_SANITIZE)
  list(APPEND environment PERILUNE_QUICK=1) # tests of arithmetic may leave out their long cases
endif()

# Accelerators with a build of their own are built against an installed tree, by a test that those
# which try accelerators wait for.
file(GLOB strangers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/accelerators
  ${CMAKE_SOURCE_DIR}/accelerators/*/CMakeLists.txt)
list(TRANSFORM strangers REPLACE "/CMakeLists.txt$" "")
foreach(name IN LISTS strangers)
  list(TRANSFORM environment APPEND :${CMAKE_BINARY_DIR}/strangers/${name}
    REGEX "^PERILUNE_ACCELERATORS=")
endforeach()

# What tests on a device need, its folder says: tests.cmake there may add to `environment`. The op
# harness runs on it as one test, or as one for each of busted's options in <name>_harness, with
# <name>_harness_environment besides.
foreach(target IN LISTS accelerators)
  string(REGEX REPLACE "^perilune_" "" name ${target})
  include(${CMAKE_SOURCE_DIR}/accelerators/${name}/tests.cmake OPTIONAL)
endforeach()

# add_checked(name label command...): a test with what all tests share.
function(add_checked name label)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${label}" TIMEOUT 600
    ENVIRONMENT "${environment}")
endfunction()

# ---- Fuzzers have a build of their own and nothing else in it.
if(PL_SANITIZE MATCHES fuzzer)
  include(cmake/fuzzers.cmake)
  return()
endif()

set(sanitize)
if(PL_SANITIZE)
  set(sanitize -fsanitize=${PL_SANITIZE})
endif()
foreach(name IN LISTS strangers)
  add_checked(stranger.${name} c sh ${CMAKE_SOURCE_DIR}/cmake/stranger.sh ${CMAKE_BINARY_DIR}
    ${CMAKE_SOURCE_DIR}/accelerators/${name} "${sanitize}")
  set_tests_properties(stranger.${name} PROPERTIES FIXTURES_SETUP strangers RESOURCE_LOCK install)
endforeach()

# ---- C units: linked with the engine's objects and, in tests/<accelerator>/, with that device's.
# A folder's options.cmake adds what its units need, and may give them an environment of their own,
# an engine to link with instead of its objects, and all its tests fixtures to wait for.
file(GLOB unit_options CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/options.cmake)
foreach(file IN LISTS unit_options)
  include(${file})
endforeach()
file(GLOB_RECURSE units CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*_test.c)
foreach(unit IN LISTS units)
  cmake_path(RELATIVE_PATH unit BASE_DIRECTORY ${CMAKE_SOURCE_DIR}/tests OUTPUT_VARIABLE name)
  string(REGEX REPLACE "_test\\.c$" "" name ${name})
  cmake_path(GET name PARENT_PATH folder)
  string(REPLACE / . name ${name})
  set(target test.${name})
  add_executable(${target} ${unit})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(DEFINED ${folder}_engine)
    target_include_directories(${target} PRIVATE engine)
    target_link_libraries(${target} PRIVATE ${${folder}_engine})
  else()
    target_link_libraries(${target} PRIVATE perilune_objects)
  endif()
  if(TARGET perilune_${folder} AND perilune_${folder} IN_LIST accelerators)
    get_target_property(libraries perilune_${folder} LINK_LIBRARIES)
    get_target_property(objects perilune_${folder} PL_OBJECTS)
    if(NOT objects)
      set(objects)
    endif()
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:perilune_${folder}> ${objects})
    target_include_directories(${target} PRIVATE accelerators/${folder})
    target_link_libraries(${target} PRIVATE ${libraries})
  endif()
  add_checked(c.${name} c ${CMAKE_BINARY_DIR}/tests/${target})
  if(DEFINED ${folder}_environment)
    set_tests_properties(c.${name} PROPERTIES ENVIRONMENT "${${folder}_environment}")
  endif()
  if(DEFINED ${folder}_fixtures)
    set_tests_properties(c.${name} PROPERTIES FIXTURES_REQUIRED "${${folder}_fixtures}")
  endif()
endforeach()

# ---- Lua specs: in plain luajit; a build with sanitizers needs its own executable.
find_program(LUAJIT luajit REQUIRED)
find_program(BUSTED busted REQUIRED)
set(runner ${LUAJIT})
if(PL_SANITIZE)
  set(runner $<TARGET_FILE:perilune_host>)
  # LuaJIT keeps its heap where the leak checker does not look.
  list(APPEND environment ASAN_OPTIONS=detect_leaks=0 PERILUNE_SANITIZE=${PL_SANITIZE})
endif()
file(GLOB_RECURSE specs CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests
  ${CMAKE_SOURCE_DIR}/tests/*_spec.lua)
set(spec_folders)
foreach(spec IN LISTS specs)
  cmake_path(GET spec PARENT_PATH folder)
  list(APPEND spec_folders ${folder})
endforeach()
list(REMOVE_DUPLICATES spec_folders)
foreach(folder IN LISTS spec_folders)
  string(REPLACE / . name lua.${folder})
  add_checked(${name} lua ${runner} ${BUSTED} --no-recursive tests/${folder})
  # Host specs only start processes: the JIT of the one that starts them is no matter.
  if(NOT PL_SANITIZE AND NOT folder STREQUAL host)
    add_checked(${name}.joff "lua;joff" ${runner} -joff ${BUSTED} --no-recursive tests/${folder})
  endif()
  if(DEFINED ${folder}_fixtures)
    set_property(TEST ${name} PROPERTY FIXTURES_REQUIRED ${${folder}_fixtures})
  endif()
endforeach()

# The op harness again on the other devices that compute: tensors are made there.
set(devices ${accelerators})
list(TRANSFORM devices REPLACE "^perilune_" "")
foreach(file IN LISTS accelerator_classes)   # one without a library has its kernels in Lua
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET folder FILENAME name)
  list(APPEND devices ${name})
endforeach()
list(REMOVE_DUPLICATES devices)
list(REMOVE_ITEM devices cpu null)
function(add_harness test name)
  add_checked(${test} lua ${runner} ${BUSTED} --no-recursive ${ARGN} tests/ops)
  set(there ${environment} ${${name}_harness_environment} PERILUNE_TEST_DEVICE=${name})
  set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED strangers SKIP_RETURN_CODE 77
    TIMEOUT 1800 ENVIRONMENT "${there}")
endfunction()
foreach(name IN LISTS devices strangers)
  if(PL_SANITIZE)
    break()
  endif()
  set(number 0)
  foreach(part IN LISTS ${name}_harness)
    math(EXPR number "${number} + 1")
    add_harness(lua.ops.${name}.${number} ${name} ${part})
  endforeach()
  if(number EQUAL 0)
    add_harness(lua.ops.${name} ${name})
  endif()
endforeach()

# ---- The sources themselves, and the same suite with sanitizers in a build beside this one.
if(NOT PL_SANITIZE)
  find_program(LUACHECK luacheck)
  if(LUACHECK)
    add_checked(luacheck style ${LUAJIT} ${LUACHECK} --no-color --quiet .)
  endif()
  add_checked(layout style sh cmake/check_layout.sh)
  add_checked(asan asan sh cmake/sanitized.sh asan ${CMAKE_BINARY_DIR}-asan)
  add_checked(fuzz "asan;fuzz" sh cmake/fuzzed.sh ${CMAKE_BINARY_DIR}-fuzz ${CMAKE_BINARY_DIR})
  set_tests_properties(fuzz PROPERTIES SKIP_RETURN_CODE 77)
endif()
