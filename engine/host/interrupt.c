/*
** interrupt.c -- what Ctrl-C does to Lua: the second one that nobody took stops code that runs no
** ops, at its next instruction. The engine counts them (engine/interrupt.c).
*/
#include "host.h"

static lua_State *state;
static const char raise_key[] = "perilune.host.raise";

static void raise_in_lua(lua_State *L, lua_Debug *event) {
  (void)event;
  lua_sethook(L, NULL, 0, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, raise_key);
  if (lua_isnil(L, -1)) luaL_error(L, "interrupted!");
  lua_call(L, 0, 0);
}

static void stop_lua(void) {
  lua_sethook(state, raise_in_lua, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

void interrupt_install(lua_State *L) {
  state = L;
  pl_interrupt_install(stop_lua);
}

int interrupt_on_second(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, raise_key);
  return 0;
}

int interrupt_clear(lua_State *L) {
  lua_sethook(L, NULL, 0, 0);
  pl_interrupt_clear();
  return 0;
}

int interrupt_pending(lua_State *L) {
  lua_pushinteger(L, pl_interrupt_pending());
  return 1;
}

int interrupt_exit_code(lua_State *L) {
  lua_pushinteger(L, pl_interrupt_exit_code());
  return 1;
}
