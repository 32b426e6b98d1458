# Libraries the units of this folder load, in a folder that only they look into: a device that fails
# when told to, and one for each way to be no accelerator of this engine.

set(library_folder ${CMAKE_BINARY_DIR}/tests/accelerators)

function(add_test_accelerator name source)
  add_library(test_${name} MODULE ${CMAKE_SOURCE_DIR}/tests/accelerators/${source})
  set_target_properties(test_${name} PROPERTIES OUTPUT_NAME perilune_${name}
    LIBRARY_OUTPUT_DIRECTORY ${library_folder})
  target_include_directories(test_${name} PRIVATE engine)
  target_compile_definitions(test_${name} PRIVATE ${ARGN})
  target_link_libraries(test_${name} PRIVATE ${CMAKE_DL_LIBS})
endfunction()

add_test_accelerator(proxy proxy.c)
add_test_accelerator(wrong_old wrong.c WRONG_ABI=0)
add_test_accelerator(wrong_new wrong.c WRONG_ABI=1000)
add_test_accelerator(wrong_short wrong.c WRONG_SIZE=32)
add_test_accelerator(wrong_table wrong.c WRONG_TABLE=another_name)
add_test_accelerator(wrong_read wrong.c WRONG_READ=0)
add_test_accelerator(wrong_copy wrong.c WRONG_COPY=copy_by_another_name)
add_test_accelerator(wrong_least wrong.c "WRONG_SIZE=offsetof(pl_accelerator, map)")

# Units here load the engine as Lua does, which some of them run.
set(accelerators_engine perilune PkgConfig::LUAJIT)

# Specs and units both wait for the accelerators that are built by a test.
set(accelerators_fixtures strangers)
set(accelerators_environment ${environment})
list(TRANSFORM accelerators_environment APPEND :${library_folder} REGEX "^PERILUNE_ACCELERATORS=")
