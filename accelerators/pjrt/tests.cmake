# Tests run on the CPU plug-in of a Python package, lammps-jax-pjrt-cpu, where a Python here has it.
foreach(python IN ITEMS $ENV{PERILUNE_BENCH_PYTHON} python3)
  execute_process(COMMAND ${python} -c "import lammps_jax_pjrt_cpu as p; print(p.__path__[0])"
    OUTPUT_VARIABLE pjrt_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pjrt_folder)
    list(APPEND environment PERILUNE_PJRT_PLUGIN=${pjrt_folder}/pjrt_c_api_cpu_plugin.so)
    break()
  endif()
endforeach()

# Every shape is a program to compile, so the specs that go through layouts and differences would
# take a quarter of an hour: values and errors it is.
set(pjrt_harness "--filter=computes what its reference" "--filter=refuses what makes no sense")
