/*
** saver_test.c -- saving in the background: what was copied is what arrives, in the order in which
** it was handed over, whole or not at all; failures are told with their sentence.
*/
#include "../engine/engine_unit.h"
#include "io.h"
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/perilune_saver_XXXXXX";

static const char *in_folder(const char *name) {
  static char paths[4][128];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, 128, "%s/%s", folder, name);
  return path;
}

static void read_text(const char *name, char *out, size_t room) {
  FILE *file = fopen(in_folder(name), "rb");
  size_t n = file ? fread(out, 1, room - 1, file) : 0;
  if (file) fclose(file);
  out[n] = 0;
}

static int entries(void) {
  int n = 0;
  DIR *directory = opendir(folder);
  while (readdir(directory)) n++;
  closedir(directory);
  return n - 2;
}

static void save_text(pl_saver *s, const char *name, const char *text) {
  OK(pl_saver_begin(s, in_folder(name), 0));
  OK(pl_saver_add_text(s, "", text, (int64_t)strlen(text)));
  OK(pl_saver_commit(s));
}

/* Every end is PL_OK; answers how many there were. */
static int all_well(pl_saver *s) {
  pl_status status;
  int n = 0;
  for (; pl_saver_next(s, 1, &status); n++) OK(status);
  return n;
}

static void test_copies(void) {
  static float values[70000];
  int64_t size = 70000;
  const char *name = "x";
  pl_tensor t;
  pl_saver *s;
  OK(pl_saver_new(&s));
  OK(pl_tensor_empty(cpu(), PL_F32, 1, &size, &t));
  for (int round = 1; round <= 5; round++) {
    char file[8];
    for (int i = 0; i < size; i++) values[i] = (float)(i * round);
    OK(pl_tensor_write(t, values, sizeof values));
    snprintf(file, sizeof file, "%d", round);
    OK(pl_saver_begin(s, in_folder(file), 1));
    OK(pl_saver_add_tensors(s, "a.safetensors", &name, &t, 1, NULL, 0));
    OK(pl_saver_add_tensors(s, "b.safetensors", NULL, NULL, 0, NULL, 0));
    OK(pl_saver_add_text(s, "c.json", "{}", 2));
    OK(pl_saver_commit(s));
  }
  CHECK(all_well(s) == 5 && entries() == 5);
  for (int round = 1; round <= 5; round++) {
    char file[24];
    float back[2] = {0};
    pl_safetensors *in;
    snprintf(file, sizeof file, "%d/a.safetensors", round);
    OK(pl_safetensors_open(in_folder(file), &in));
    OK(pl_safetensors_read(in, 0, t));
    OK(pl_tensor_read(t, values, sizeof values));
    back[0] = values[1], back[1] = values[69999];
    CHECK(back[0] == (float)round && back[1] == (float)(69999 * round));
    pl_safetensors_close(in);
  }
  const char *names[] = {"a.safetensors", "b.safetensors", "c.json"};
  for (int round = 1; round <= 5; round++) {
    char file[8];
    snprintf(file, sizeof file, "%d", round);
    OK(pl_saver_remove(s, in_folder(file), names, 3));
  }
  pl_saver_free(s);
  CHECK(entries() == 0);
  pl_tensor_release(t);
}

static void test_order(void) {
  char text[16];
  pl_saver *s;
  OK(pl_saver_new(&s));
  save_text(s, "file", "one");
  OK(pl_saver_remove(s, in_folder("file"), NULL, 0));
  save_text(s, "file", "two");
  OK(pl_saver_begin(s, in_folder("dropped"), 0));
  save_text(s, "file", "three");
  OK(pl_saver_begin(s, in_folder("dropped"), 0));
  OK(pl_saver_add_text(s, "", "x", 1));
  pl_saver_free(s);
  read_text("file", text, sizeof text);
  CHECK(strcmp(text, "three") == 0 && entries() == 1);
  unlink(in_folder("file"));
}

static void test_failures(void) {
  pl_status status = PL_OK;
  pl_saver *s;
  OK(pl_saver_new(&s));
  CHECK(pl_saver_commit(s) == PL_EARGUMENT);
  CHECK(pl_saver_next(s, 1, &status) == 0);
  save_text(s, "no/where", "x");
  save_text(s, "there", "x");
  CHECK(pl_saver_next(s, 1, &status) == 1 && status == PL_EIO);
  CHECK(strstr(pl_error(), "no/where: No such file"));
  CHECK(pl_saver_next(s, 1, &status) == 1 && status == PL_OK);
  OK(pl_saver_begin(s, in_folder("d"), 1));
  for (int i = 0; i < 4; i++) OK(pl_saver_add_text(s, i ? "two" : "one", "x", 1));
  CHECK(pl_saver_add_text(s, "five", "x", 1) == PL_EARGUMENT && strstr(pl_error(), "more than 4"));
  CHECK(pl_saver_commit(s) == PL_EARGUMENT);               /* it was dropped */
  OK(pl_saver_begin(s, in_folder("one"), 0));
  OK(pl_saver_add_text(s, "", "x", 1));
  CHECK(pl_saver_add_text(s, "", "y", 1) == PL_EARGUMENT && strstr(pl_error(), "no directory"));
  OK(pl_saver_remove(s, in_folder("there/below"), NULL, 0));
  CHECK(pl_saver_next(s, 1, &status) == 1 && status == PL_EIO);
  CHECK(strstr(pl_error(), "cannot remove") && strstr(pl_error(), "Not a directory"));
  OK(pl_saver_remove(s, in_folder("gone"), NULL, 0));
  CHECK(pl_saver_next(s, 1, &status) == 1 && status == PL_OK);
  pl_saver_free(s);
  CHECK(entries() == 1);
  unlink(in_folder("there"));
}

/* Not even other files of a directory go; a process that is killed leaves its temporary one. */
static void test_remains(void) {
  char remains[160];
  pl_saver *s;
  snprintf(remains, sizeof remains, "%s.%d.tmp", in_folder("d"), (int)getpid());
  mkdir(remains, 0700);
  OK(pl_saver_new(&s));
  for (int i = 0; i < 2; i++) {
    OK(pl_saver_begin(s, in_folder("d"), 1));
    OK(pl_saver_add_text(s, "a", "x", 1));
    OK(pl_saver_commit(s));
    CHECK(all_well(s) == 1);
  }
  fclose(fopen(in_folder("d/other"), "wb"));
  const char *name = "a";
  OK(pl_saver_remove(s, in_folder("d"), &name, 1));
  pl_saver_free(s);
  CHECK(access(in_folder("d/a"), F_OK) != 0 && access(in_folder("d/other"), F_OK) == 0);
  CHECK(entries() == 1);
  unlink(in_folder("d/other"));
  rmdir(in_folder("d"));
}

int main(void) {
  if (!mkdtemp(folder)) return 1;
  UNIT(test_copies);
  UNIT(test_order);
  UNIT(test_failures);
  UNIT(test_remains);
  rmdir(folder);
  return units_end();
}
