/*
** state_fuzz.c -- training states that a stranger wrote, laid over a trainer: state.json and both
** safetensors files, one after another whatever the fuzzer gives. Nothing but the files of the
** directory may be opened on the way, and every failure is an error of ours.
*/
#include "fuzz.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <string.h>

static char folder[4096];
static bool guarded;
static lua_State *L;

/* ---- every open of the process ------------------------------------------------------------- */

static void check_path(const char *path) {
  static const char *const files[] = {"state.json", "model.safetensors", "state.safetensors"};
  size_t length = strlen(folder);
  if (!guarded || strstr(path, "/found-")) return;  /* libFuzzer keeps what it found */
  if (strncmp(path, folder, length) == 0 && strncmp(path + length, "/state/", 7) == 0)
    for (int i = 0; i < 3; i++)
      if (strcmp(path + length + 7, files[i]) == 0) return;
  fprintf(stderr, "opened %s\n", path);
  abort();
}

/* Libraries built for large files call the names with 64, which do the same here. */
#define SEEN __attribute__((visibility("default")))
SEEN FILE *fopen64(const char *path, const char *mode) __attribute__((alias("fopen")));
SEEN int open64(const char *path, int flags, ...) __attribute__((alias("open")));

SEEN FILE *fopen(const char *path, const char *mode) {
  static FILE *(*real)(const char *, const char *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "fopen");
  check_path(path);
  return real(path, mode);
}

SEEN int open(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  va_list list;
  va_start(list, flags);
  int mode = flags & O_CREAT ? va_arg(list, int) : 0;
  va_end(list);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "open");
  check_path(path);
  return real(path, flags, mode);
}

/* ---- one state ----------------------------------------------------------------------------- */

static void stop(void) {
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  const char *place = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/perilune_fuzz_XXXXXX", place ? place : "/tmp");
  L = luaL_newstate();
  luaL_openlibs(L);
  if (!mkdtemp(folder) || luaL_dofile(L, "tests/fuzz/state_fuzz.lua")) stop();
  lua_pushstring(L, folder);
  if (lua_pcall(L, 1, 1, 0)) stop();   /* leaves the function that tries a state */
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  lua_pushvalue(L, -1);
  lua_pushinteger(L, data[0] % 3);
  lua_pushlstring(L, (const char *)data + 1, size - 1);
  if (lua_pcall(L, 2, 1, 0)) stop();
  guarded = true;
  if (lua_pcall(L, 0, 0, 0)) stop();
  guarded = false;
  return 0;
}
