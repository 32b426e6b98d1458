# How the CPU device is compiled: a source that uses LEVEL(, KERNEL( or walk.h once for every
# level of the instruction set (level.h), the rest once. `open` picks the level the machine has.
#
# -ffp-contract=fast lets products and sums become one FMA; -fno-math-errno and -fno-trapping-math
# let sqrt and conditional code become vector instructions. All three keep the values IEEE gives, up
# to FMA's missing rounding; -ffast-math would not (NaN, infinity, order of sums) and stays off.
# -fwrapv: integers wrap around, as in PyTorch. Random numbers are the same at every level, so
# random.c does without FMA.
set(flags -O3 -fno-math-errno -fno-trapping-math -ffp-contract=fast -fwrapv)
if(PL_SANITIZE)
  # Checks of every vector access, written out, take GCC half a minute a file: call them instead.
  list(REMOVE_ITEM flags -O3)
  list(APPEND flags -fno-sanitize=null,object-size,pointer-overflow)
  if(PL_SANITIZE MATCHES address)
    list(APPEND flags --param=asan-instrumentation-with-call-threshold=100)
  endif()
endif()
target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
target_compile_options(${target} PRIVATE ${flags})

set_source_files_properties(${folder}/random.c PROPERTIES COMPILE_OPTIONS -ffp-contract=off)

set(levels baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND levels avx2 avx512)
endif()
set(flags_baseline)
set(flags_avx2 -mavx2 -mfma -mf16c)
set(flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c)

get_target_property(sources ${target} SOURCES)
set(leveled)
foreach(source IN LISTS sources)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} marks REGEX "(LEVEL|KERNEL)\\(|walk\\.h" LIMIT_COUNT 1)
  if(marks)
    list(APPEND leveled ${source})
  endif()
endforeach()
if(leveled)
  list(REMOVE_ITEM sources ${leveled})
  set_target_properties(${target} PROPERTIES SOURCES "${sources}")
  foreach(level IN LISTS levels)
    set(part ${target}_${level})
    add_library(${part} OBJECT ${leveled})
    target_include_directories(${part} PRIVATE engine ${folder})
    target_compile_definitions(${part} PRIVATE PL_LEVEL=${level})
    target_compile_options(${part} PRIVATE ${flags} ${flags_${level}})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${part}>)
    set_property(TARGET ${target} APPEND PROPERTY PL_OBJECTS $<TARGET_OBJECTS:${part}>)
  endforeach()
endif()
