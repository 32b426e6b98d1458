# Every folder of accelerators/ that holds C files and no CMakeLists.txt of its own becomes
# libperilune_<name>.so beside the engine, which is where the engine looks for it.
# A folder's needs.cmake looks for what the device must have to be built and sets `missing` to a
# sentence if it is not there. Its options.cmake may add rules; it sees `target` and `folder`. What
# it compiles apart from the target it appends to the target's property PL_OBJECTS, so that C tests
# can link it too.

set(accelerators)
set(accelerator_classes)             # the files accelerator.lua that go along
file(GLOB folders CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/accelerators/*)
foreach(folder IN LISTS folders)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  if(EXISTS ${folder}/CMakeLists.txt)
    continue()
  endif()
  cmake_path(GET folder FILENAME name)
  set(missing)
  include(${folder}/needs.cmake OPTIONAL)
  if(missing)
    message(STATUS "accelerators/${name} is left out: ${missing}")
    continue()
  endif()
  if(EXISTS ${folder}/accelerator.lua)
    list(APPEND accelerator_classes ${folder}/accelerator.lua)
  endif()
  if(NOT sources)
    continue()
  endif()
  set(target perilune_${name})
  add_library(${target} MODULE ${sources})
  target_include_directories(${target} PRIVATE engine ${folder})
  target_link_libraries(${target} PRIVATE m)
  if(EXISTS ${folder}/options.cmake)
    include(${folder}/options.cmake)
  endif()
  list(APPEND accelerators ${target})
endforeach()
