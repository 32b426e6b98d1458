/*
** contract_lua.h -- the Lua state of a process that tries devices: it makes those known whose
** kernels are Lua, and runs what they launch. It and this program use one engine, the library
** in the build folder that this program lies in.
*/
#pragma once
#include "contract.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static lua_State *lua;          /* at index 1: a function that drains, and answers the status */

static const char lua_start[] =
  "local folder = ...\n"
  "package.path = folder .. '/lua/?.lua;' .. folder .. '/lua/?/init.lua;' .. package.path\n"
  "local pl = require 'perilune'\n"
  "local queue = require 'perilune.queue'\n"
  "for _, name in ipairs(pl.accelerators:names()) do\n"
  "  local c = pl.accelerators:class_of(name)\n"
  "  if c:is_a(pl.LuaAccelerator) then c:define() end\n"
  "end\n"
  "return function()\n"
  "  local ok, err = pcall(queue.drain)\n"
  "  return ok and 'ok' or err.kind\n"
  "end\n";

/* As the binding's functions do before they return. */
static pl_status run_queue_in_lua(void) {
  lua_pushvalue(lua, 1);
  const char *kind = lua_pcall(lua, 0, 1, 0) ? "" : lua_tostring(lua, -1);
  pl_status s = PL_OK;
  while (s < PL_QUEUED && strcmp(pl_status_name(s), kind)) s++;
  if (s == PL_QUEUED) fprintf(stderr, "the queue: %s\n", lua_tostring(lua, -1));
  lua_pop(lua, 1);
  return s;
}

static bool lua_begin(const char *build_folder) {
  setenv("PERILUNE_LIB", build_folder, 1);
  lua = luaL_newstate();
  luaL_openlibs(lua);
  int failed = luaL_loadstring(lua, lua_start);
  lua_pushstring(lua, build_folder);
  if (failed || lua_pcall(lua, 1, 1, 0)) {
    fprintf(stderr, "Lua does not start: %s\n", lua_tostring(lua, 1));
    return false;
  }
  run_queue = run_queue_in_lua;
  return true;
}

static void lua_end(void) {
  run_queue = NULL;
  lua_close(lua);
}
