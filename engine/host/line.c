/*
** line.c -- reading a line from a terminal with libedit, loaded when the first line is asked for;
** without it lines are read plainly. Ctrl-C gives the line up and leaves the terminal in order.
*/
#include "host.h"
#include <dlfcn.h>
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_LINES = 2000 };

/* The functions of libedit, and what they made; all NULL until editor_open. */
static struct {
  EditLine *(*init)(const char *, FILE *, FILE *, FILE *);
  int (*set)(EditLine *, int, ...);
  const char *(*gets)(EditLine *, int *);
  void (*resize)(EditLine *);
  int (*source)(EditLine *, const char *);
  const LineInfo *(*line)(EditLine *);
  int (*insert)(EditLine *, const char *);
  History *(*history_init)(void);
  int (*history)(History *, HistEvent *, int, ...);
  EditLine *editor;
  History *lines;
  bool tried;
} edit;

static const char *prompt_text = "";

static char *prompt(EditLine *editor) {
  (void)editor;
  return (char *)prompt_text;
}

/* One character. poll, unlike read, is never restarted after a signal, so Ctrl-C comes through. */
static int read_character(EditLine *editor, wchar_t *out) {
  (void)editor;
  mbstate_t partial;
  memset(&partial, 0, sizeof partial);
  for (;;) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    char byte;
    if (pl_interrupt_pending()) return -1;
    if (poll(&input, 1, -1) < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n <= 0) return (int)n;
    size_t used = mbrtowc(out, &byte, 1, &partial);
    if (used == (size_t)-2) continue;
    if (used == (size_t)-1) {
      memset(&partial, 0, sizeof partial);
      continue;
    }
    return 1;
  }
}

/* Where line_read was called from, with the function that completes as its second argument. */
static lua_State *completing;

/* Tab: the function gets what stands before the cursor and answers a text to insert, or else names
** to list. It is called in protected mode: no error may pass through libedit. */
static unsigned char complete(EditLine *editor, int key) {
  (void)key;
  lua_State *L = completing;
  const LineInfo *line = edit.line(editor);
  unsigned char done = CC_ERROR;
  if (!lua_isfunction(L, 2) || !lua_checkstack(L, 4)) return done;
  lua_pushvalue(L, 2);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  if (lua_pcall(L, 1, 2, 0)) {
    lua_pop(L, 1);
    return done;
  }
  const char *text = lua_tostring(L, -2), *names = lua_tostring(L, -1);
  if (text && edit.insert(editor, text) == 0) done = CC_REFRESH;
  if (names) {
    fprintf(stdout, "\n%s\n", names);
    fflush(stdout);
    done = CC_REDISPLAY;
  }
  lua_pop(L, 2);
  return done;
}

static bool load_symbols(void *library) {
  const struct { const char *name; void *to; } symbols[] = {
    {"el_init", &edit.init}, {"el_set", &edit.set}, {"el_gets", &edit.gets},
    {"el_resize", &edit.resize}, {"el_source", &edit.source},
    {"el_line", &edit.line}, {"el_insertstr", &edit.insert},
    {"history_init", &edit.history_init}, {"history", &edit.history},
  };
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) return false;
    memcpy(symbols[i].to, &symbol, sizeof symbol);
  }
  return true;
}

static bool editor_open(void) {
  if (edit.tried) return edit.editor != NULL;
  edit.tried = true;
  void *library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libedit.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library || !load_symbols(library)) return false;
  if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  edit.editor = edit.init("perilune", stdin, stdout, stderr);
  edit.lines = edit.history_init();
  if (!edit.editor || !edit.lines) return false;
  HistEvent event;
  edit.history(edit.lines, &event, H_SETSIZE, HISTORY_LINES);
  edit.history(edit.lines, &event, H_SETUNIQUE, 1);
  edit.set(edit.editor, EL_PROMPT, prompt);
  edit.set(edit.editor, EL_EDITOR, "emacs");
  edit.set(edit.editor, EL_HIST, edit.history, edit.lines);
  edit.set(edit.editor, EL_GETCFN, read_character);
  edit.set(edit.editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  edit.set(edit.editor, EL_ADDFN, "complete-name", "Complete a name", complete);
  edit.set(edit.editor, EL_BIND, "^I", "complete-name", NULL);
  edit.source(edit.editor, NULL);
  return true;
}

static int read_plainly(lua_State *L) {
  char *line = NULL;
  size_t capacity = 0;
  fputs(prompt_text, stdout);
  fflush(stdout);
  ssize_t length = getline(&line, &capacity, stdin);
  if (length > 0 && line[length - 1] == '\n') length--;
  if (length < 0) lua_pushnil(L);
  else lua_pushlstring(L, line, (size_t)length);
  free(line);
  return 1;
}

int line_is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
  return 1;
}

int line_read(lua_State *L) {
  prompt_text = luaL_checkstring(L, 1);
  if (!isatty(STDIN_FILENO) || !editor_open()) return read_plainly(L);
  int length = 0;
  fflush(stdout);
  edit.resize(edit.editor);
  lua_settop(L, 2);
  completing = L;
  const char *line = edit.gets(edit.editor, &length);
  if (pl_interrupt_pending()) {
    lua_pushnil(L);
    lua_pushliteral(L, "interrupted");
    lua_pushinteger(L, pl_interrupt_exit_code());
    pl_interrupt_clear();
    return 3;
  }
  if (line && length > 0 && line[length - 1] == '\n') length--;
  if (line) lua_pushlstring(L, line, (size_t)length);
  else lua_pushnil(L);
  return 1;
}

int line_history_load(lua_State *L) {
  HistEvent event;
  const char *path = luaL_checkstring(L, 1);
  lua_pushboolean(L, editor_open() && edit.history(edit.lines, &event, H_LOAD, path) >= 0);
  return 1;
}

int line_history_add(lua_State *L) {
  HistEvent event;
  const char *text = luaL_checkstring(L, 1);
  if (editor_open()) edit.history(edit.lines, &event, H_ENTER, text);
  return 0;
}

int line_history_save(lua_State *L) {
  HistEvent event;
  const char *path = luaL_checkstring(L, 1);
  lua_pushboolean(L, editor_open() && edit.history(edit.lines, &event, H_SAVE, path) >= 0);
  return 1;
}
