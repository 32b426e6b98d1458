/*
** level.h -- one source, one object per CPU level. The build compiles a file that uses LEVEL()
** once for baseline, avx2 and avx512 and says which by PL_LEVEL, so LEVEL(gemm_f32) becomes
** gemm_f32_avx2. Everything with external linkage in such a file must carry the suffix.
*/
#pragma once

#ifndef PL_LEVEL
#define PL_LEVEL baseline
#endif

#define LEVEL_PASTE_(name, level) name##_##level
#define LEVEL_PASTE(name, level) LEVEL_PASTE_(name, level)
#define LEVEL_NAME(name) LEVEL_PASTE(name, PL_LEVEL)
#define LEVEL(name) LEVEL_NAME(name)
