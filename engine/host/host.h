/* host.h -- the parts of the `perilune` executable; the only C of Perilune that calls Lua. */
#pragma once
#include "base.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Puts Perilune's Lua files on package.path and says where the rest of it lies in
** package.loaded["perilune.paths"]. Raises a Lua error where they cannot be found. */
void paths_install(lua_State *L);

/* From now on SIGINT counts in the engine; the second one that nobody took raises in Lua. */
void interrupt_install(lua_State *L);

/* Functions of the module perilune.host, each a lua_CFunction. */
int interrupt_on_second(lua_State *L);  /* (f): what the second one calls, f raises */
int interrupt_clear(lua_State *L);      /* (): whatever was pressed has been dealt with */
int interrupt_pending(lua_State *L);    /* (): signals nobody took */
int interrupt_exit_code(lua_State *L);  /* (): what they make the process exit with */
int line_is_terminal(lua_State *L);     /* (): are stdin and stdout a terminal? */
int line_read(lua_State *L);            /* (prompt): a line; nil; or nil, "interrupted", code */
int line_history_load(lua_State *L);    /* (path): false where there is none */
int line_history_add(lua_State *L);     /* (text) */
int line_history_save(lua_State *L);    /* (path): false where it cannot be written */
