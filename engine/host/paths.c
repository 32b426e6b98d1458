/*
** paths.c -- where Perilune's files lie, found from the executable: below the prefix it is
** installed in, or in a build folder with its links into the source tree. Nothing is compiled in,
** so an installed tree may be moved.
*/
#include "host.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct layout {
  const char *lua, *lib, *header;  /* relative to the executable's folder */
} layout;

static const layout layouts[] = {
  {"../share/lua/5.1", "../lib/perilune", "../include/perilune/perilune.h"},
  {"lua", ".", "engine/perilune.h"},
};

/* Fills `folder` (PATH_MAX bytes) with the folder of the running executable. */
static bool executable_folder(char *folder) {
  ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
  if (length <= 0) return false;
  folder[length] = 0;
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  return slash != NULL;
}

/* The real path of folder/name in `out` (PATH_MAX bytes), or false where there is no such file. */
static bool resolve(const char *folder, const char *name, char *out) {
  char path[PATH_MAX + 64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return realpath(path, out) != NULL;
}

static void set_path(lua_State *L, const char *folder, const char *name, const char *field) {
  char path[PATH_MAX];
  if (!resolve(folder, name, path)) return;
  lua_pushstring(L, path);
  lua_setfield(L, -2, field);
}

static void prepend_package_path(lua_State *L, const char *lua) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", lua, lua, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 2);
}

void paths_install(lua_State *L) {
  char folder[PATH_MAX], probe[PATH_MAX], name[64];
  if (!executable_folder(folder)) luaL_error(L, "cannot tell where the executable lies");
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    const layout *l = &layouts[i];
    snprintf(name, sizeof name, "%s/perilune/repl/command.lua", l->lua);
    if (!resolve(folder, name, probe) || !resolve(folder, l->lua, probe)) continue;
    prepend_package_path(L, probe);
    luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 16);
    lua_createtable(L, 0, 3);
    set_path(L, folder, l->lua, "lua");
    set_path(L, folder, l->lib, "lib");
    set_path(L, folder, l->header, "header");
    lua_setfield(L, -2, "perilune.paths");
    lua_pop(L, 1);
    return;
  }
  luaL_error(L, "its Lua files are not where %s expects them; install it again", folder);
}
