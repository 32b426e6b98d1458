/*
** main.c -- the `perilune` executable: a Lua state that knows where Perilune lies, with SIGINT
** under control. What the command line means is written in lua/perilune/repl/command.lua.
*/
#include "host.h"
#include <stdio.h>

typedef struct start {
  int argc;
  char **argv;
  int code;  /* of the process */
} start;

static const luaL_Reg host_functions[] = {
  {"on_second_interrupt", interrupt_on_second},
  {"clear_interrupts", interrupt_clear},
  {"pending_interrupts", interrupt_pending},
  {"interrupt_exit_code", interrupt_exit_code},
  {"is_terminal", line_is_terminal},
  {"read_line", line_read},
  {"load_history", line_history_load},
  {"add_history", line_history_add},
  {"save_history", line_history_save},
  {NULL, NULL},
};

/* package.loaded[name] = the value on top of the stack, which is popped. */
static void set_loaded(lua_State *L, const char *name) {
  luaL_findtable(L, LUA_REGISTRYINDEX, "_LOADED", 16);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static int run(lua_State *L) {
  start *s = lua_touserdata(L, 1);
  luaL_openlibs(L);
  paths_install(L);
  lua_createtable(L, 0, 8);
  luaL_register(L, NULL, host_functions);
  set_loaded(L, "perilune.host");
  interrupt_install(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "perilune.repl.command");
  lua_call(L, 1, 1);
  lua_createtable(L, s->argc, 1);
  for (int i = 0; i < s->argc; i++) {
    lua_pushstring(L, s->argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_call(L, 1, 1);
  s->code = (int)lua_tointeger(L, -1);
  return 0;
}

int main(int argc, char **argv) {
  start s = {argc, argv, 1};
  lua_State *L = luaL_newstate();
  if (!L) {
    fputs("perilune: not enough memory to start\n", stderr);
    return 1;
  }
  if (lua_cpcall(L, run, &s)) {
    const char *text = lua_tostring(L, -1);
    fprintf(stderr, "perilune: %s\n", text ? text : "cannot start");
    s.code = 1;
  }
  lua_close(L);
  if (fflush(stdout) && s.code == 0) {
    perror("perilune: cannot write the output");
    s.code = 1;
  }
  return s.code;
}
