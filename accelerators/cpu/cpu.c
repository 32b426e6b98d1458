/*
** cpu.c -- the CPU device: picks the level of its kernels at open, owns buffers and properties.
** A buffer is plain memory, aligned to 64 bytes, large ones to 2 MiB on huge pages.
*/
#include "cpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "meters.h"

enum { ALIGN = 64, HUGE_PAGE = 2 << 20 };

extern const pl_kernel kernels_baseline[OP_COUNT];
#ifdef __x86_64__
extern const pl_kernel kernels_avx2[OP_COUNT];
extern const pl_kernel kernels_avx512[OP_COUNT];
#endif

static const struct cpu_level { const char *name; const pl_kernel *kernels; } levels[] = {
  { "baseline", kernels_baseline },
#ifdef __x86_64__
  { "avx2", kernels_avx2 }, { "avx512", kernels_avx512 },
#endif
};
enum { LEVELS = sizeof levels / sizeof *levels };

static const char *const op_names[OP_COUNT] = {
#define OP(name, ...) #name,
#include "ops.def"
#undef OP
};

const pl_host *cpu_host;
static int level;   /* index into levels */

/* The highest level this processor can run. */
static int level_best(void) {
#ifdef __x86_64__
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("f16c");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? 2 : avx2 ? 1 : 0;
#else
  return 0;
#endif
}

static pl_status level_choose(const char *wanted, int *out) {
  int best = level_best();
  if (!wanted || !*wanted) {
    *out = best;
    return PL_OK;
  }
  for (int i = 0; i < LEVELS; i++) {
    if (strcmp(wanted, levels[i].name) != 0) continue;
    if (i > best)
      return FAIL(PL_EDEVICE, "PERILUNE_CPU=%s: this processor has %s at most", wanted,
                  levels[best].name);
    *out = i;
    return PL_OK;
  }
  return FAIL(PL_EDEVICE, "PERILUNE_CPU=%s is no level; use baseline, avx2 or avx512", wanted);
}

static int32_t cpu_count(void) { return 1; }

static pl_status cpu_open(int32_t index, const pl_host *host, void **state) {
  cpu_host = host;
  if (index != 0) return FAIL(PL_EDEVICE, "cpu:%d: there is one cpu device, cpu:0", index);
  pl_status status = level_choose(getenv("PERILUNE_CPU"), &level);
  if (status == PL_OK) *state = &level;
  return status;
}

static void cpu_close(void *state) { (void)state; }

static pl_status cpu_describe(void *state, pl_device_info *out) {
  (void)state;
  uint32_t size = out->size;
  *out = (pl_device_info){
    .size = size,
    .caps = PL_CAP_STRIDED | PL_CAP_HOST,
    .dtypes = (1u << PL_DTYPES) - 1,
    .memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE),
  };
  snprintf(out->description, sizeof out->description, "CPU, %s kernels", levels[level].name);
  return PL_OK;
}

static pl_status cpu_create(void *state, size_t bytes, pl_buffer **out) {
  (void)state;
  pl_buffer *buffer = malloc(sizeof *buffer);
  if (!buffer) return PL_EMEMORY;
  *buffer = (pl_buffer){ .size = bytes };
  size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGN;
  if (bytes > SIZE_MAX - align ||
      posix_memalign(&buffer->data, align, bytes + (-bytes & (ALIGN - 1)) + (bytes ? 0 : ALIGN))) {
    free(buffer);
    return PL_EMEMORY;
  }
  if (align == HUGE_PAGE) madvise(buffer->data, bytes, MADV_HUGEPAGE);
  *out = buffer;
  return PL_OK;
}

static void cpu_release(void *state, pl_buffer *buffer) {
  (void)state;
  if (!buffer) return;
  free(buffer->data);
  free(buffer);
}

static pl_status cpu_write(void *state, pl_buffer *buffer, size_t at, const void *src,
                           size_t bytes) {
  (void)state;
  if (bytes) memcpy((char *)buffer->data + at, src, bytes);
  return PL_OK;
}

static pl_status cpu_read(void *state, pl_buffer *buffer, size_t at, void *dst, size_t bytes) {
  (void)state;
  if (bytes) memcpy(dst, (char *)buffer->data + at, bytes);
  return PL_OK;
}

static void *cpu_map(void *state, pl_buffer *buffer) {
  (void)state;
  return buffer->data;
}

static pl_kernel cpu_find(void *state, const pl_op_info *op) {
  (void)state;
  for (int i = 0; i < OP_COUNT; i++)
    if (strcmp(op_names[i], op->name) == 0) return levels[level].kernels[i];
  return NULL;
}

static pl_status cpu_set(void *state, const char *property, int64_t value) {
  (void)state;
  if (strcmp(property, "threads") != 0)
    return FAIL(PL_EARGUMENT, "cpu has no property \"%s\" to set; it has threads", property);
  if (value < 1 || value > 1024)
    return FAIL(PL_EARGUMENT, "cpu: threads must be 1 to 1024, got %lld", (long long)value);
  cpu_threads_set((int)value);
  return PL_OK;
}

static pl_status cpu_get(void *state, const char *property, int64_t *out) {
  (void)state;
  if (strcmp(property, "threads") == 0) *out = cpu_threads();
  else if (strcmp(property, "level") == 0) *out = level;
  else return cpu_meter(property, out);
  return PL_OK;
}

ACCELERATOR = {
  .abi = PL_ABI, .size = sizeof(pl_accelerator),
  .count = cpu_count, .open = cpu_open, .close = cpu_close, .describe = cpu_describe,
  .create = cpu_create, .release = cpu_release,
  .write = cpu_write, .read = cpu_read, .map = cpu_map,
  .find = cpu_find, .set = cpu_set, .get = cpu_get,
};
