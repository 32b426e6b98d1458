/*
** interrupt.c -- Ctrl-C. The first press only counts in the engine, where ops and the Trainer look;
** the second also stops Lua code that runs no ops, at its next instruction; the third ends the
** process, as compiled loops look at nothing. A press that somebody took starts the count anew.
*/
#include "host.h"
#include <signal.h>
#include <string.h>

static lua_State *state;
static const char raise_key[] = "perilune.host.raise";

static void raise_in_lua(lua_State *L, lua_Debug *event) {
  (void)event;
  lua_sethook(L, NULL, 0, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, raise_key);
  if (lua_isnil(L, -1)) luaL_error(L, "interrupted!");
  lua_call(L, 0, 0);
}

static void on_sigint(int signal_number) {
  pl_interrupt_raise();
  int presses = pl_interrupt_pending();
  if (presses == 2) {
    lua_sethook(state, raise_in_lua, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
  } else if (presses > 2) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
  }
}

void interrupt_install(lua_State *L) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_sigint;
  action.sa_flags = SA_RESTART;  /* files are not left half read */
  sigemptyset(&action.sa_mask);
  state = L;
  sigaction(SIGINT, &action, NULL);
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
