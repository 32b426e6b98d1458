find_package(OpenCL QUIET)
if(NOT OpenCL_FOUND)
  set(missing "OpenCL's headers and loader are not here (ocl-icd-opencl-dev)")
endif()
