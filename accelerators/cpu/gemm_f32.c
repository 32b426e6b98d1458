/* gemm_f32.c -- products of f32; everything is in gemm_run.h, for the type named there. */
#include "base.h"
#include "gemm_run.h"

size_t LEVEL(gemm_f32_scratch)(const gemm_args *args) { return scratch_of(args); }

void LEVEL(gemm_f32)(const gemm_args *args) { product(args); }

size_t LEVEL(gemm_f32_packed)(const gemm_args *args) { return packed_bytes(args); }

void LEVEL(gemm_f32_pack)(const gemm_args *args, void *to) { pack_b(args, to); }
