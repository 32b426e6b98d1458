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

# Every shape is a program to compile: the op harness is two tests, which may run beside each other,
# and XLA leaves out what only makes programs faster.
set(pjrt_harness --filter=^[a-l] --filter-out=^[a-l])
set(pjrt_harness_environment
  "XLA_FLAGS=--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
