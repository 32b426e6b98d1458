/* gemm_f64.c -- products of f64; everything is in gemm_run.h, for the type named there. */
#define GEMM_F64
#include "base.h"
#include "gemm_run.h"

size_t LEVEL(gemm_f64_scratch)(const gemm_args *args) { return scratch_of(args); }

void LEVEL(gemm_f64)(const gemm_args *args) { product(args); }

size_t LEVEL(gemm_f64_packed)(const gemm_args *args) { return packed_bytes(args); }

void LEVEL(gemm_f64_pack)(const gemm_args *args, void *to) { pack_b(args, to); }
