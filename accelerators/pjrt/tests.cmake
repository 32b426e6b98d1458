# Tests run on the CPU plug-in of a Python package, lammps-jax-pjrt-cpu, where a Python here has it.
foreach(python IN ITEMS $ENV{PERILUNE_BENCH_PYTHON} python3)
  execute_process(COMMAND ${python} -c "import lammps_jax_pjrt_cpu as p; print(p.__path__[0])"
    OUTPUT_VARIABLE pjrt_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pjrt_folder)
    list(APPEND environment PERILUNE_PJRT_PLUGIN=${pjrt_folder}/pjrt_c_api_cpu_plugin.so)
    break()
  endif()
endforeach()
