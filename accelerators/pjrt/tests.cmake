# Tests run on the CPU plug-in of a Python package, lammps-jax-pjrt-cpu, where a Python here has it.
foreach(python IN ITEMS $ENV{PERILUNE_BENCH_PYTHON} python3)
  execute_process(COMMAND ${python} -c "import lammps_jax_pjrt_cpu as p; print(p.__path__[0])"
    OUTPUT_VARIABLE pjrt_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pjrt_folder)
    list(APPEND environment PERILUNE_PJRT_PLUGIN=${pjrt_folder}/pjrt_c_api_cpu_plugin.so)
    break()
  endif()
endforeach()

list(APPEND environment LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_LIST_DIR}/leaks.txt)

# Every shape is a program to compile, so the whole harness would take half an hour: the values of
# what the device computes itself it is.
foreach(op IN ITEMS neg abs exp log sqrt rsqrt tanh sigmoid square relu add sub mul div maximum
    minimum eq ne lt le gt ge cast copy sum mean max min matmul linear cross_entropy sgd_step)
  list(APPEND pjrt_harness "--filter=^${op} computes" "--filter=^${op} refuses")
endforeach()
