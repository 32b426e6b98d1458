/*
** contract_faults.h -- a training step with every call to a device's library failing in turn. The
** proxy (proxy.c) stands in the library's place, under its name, in a process of its own; that of a
** device whose kernels are Lua is the CPU's, which lends it memory and the kernels it lacks.
*/
#pragma once
#include "contract_net.h"
#include <unistd.h>

enum { PATH = 4096, LIBRARY_PATH = PATH + 64 };

/* The library of a device, where the engine finds it: beside itself or on PERILUNE_ACCELERATORS. */
static bool library_of(const char *name, const char *build_folder, char *path) {
  static const char *const forms[] = { "%.*s/libperilune_%s.so", "%.*s/%s/libperilune_%s.so" };
  const char *list = getenv("PERILUNE_ACCELERATORS");
  char folders[2 * PATH];
  snprintf(folders, sizeof folders, "%s:%s", list ? list : "", build_folder);
  for (const char *p = folders; *p; p += strcspn(p, ":"), p += *p == ':') {
    int n = (int)strcspn(p, ":");
    snprintf(path, LIBRARY_PATH, forms[0], n, p, name);
    if (!access(path, R_OK)) return true;
    snprintf(path, LIBRARY_PATH, forms[1], n, p, name, name);
    if (!access(path, R_OK)) return true;
  }
  return false;
}

/* The name of the library whose calls can fail under a device. */
static const char *library_behind(const char *name, const char *build_folder, char *path) {
  if (library_of(name, build_folder, path)) return name;
  CHECK(library_of("cpu", build_folder, path));
  return "cpu";
}

/* ---- in the process with the proxy ---- */

typedef struct fault { const char *property; pl_status answer; bool often; } fault;

static const fault faults[] = {
  { "fail_create", PL_EMEMORY, true },     /* often: a step makes more than three such calls */
  { "fail_launch", PL_EDEVICE, true },
  { "fail_write", PL_EDEVICE, false },
  { "fail_read", PL_EDEVICE, false },
};

static int32_t proxy;           /* the device whose library the proxy is */

static int64_t ask(const char *property) {
  int64_t value = -1;
  OK(pl_device_get(proxy, property, &value));
  return value;
}

/* Buffers that tensors have. */
static int64_t buffers(void) {
  pl_device_trim(device);
  pl_device_trim(proxy);
  return ask("buffers");
}

static pl_status write_step_read(const net *n) {
  float data[54];
  pl_status s = settled(pl_tensor_write(n->x, (float[15]){ 0 }, 60));
  if (!s) s = step_in_scope(n);
  return s ? s : settled(pl_tensor_read(n->weight[0], data, 120));
}

/* A step in which the n-th call fails, if there are so many, as is answered then. Nothing leaks,
** nothing waits, and where memory was short the parameters are as they were. */
static bool step_with_fault(const fault *f, int n) {
  float before[54], after[54];
  net net = net_new(device);
  read_weights(&net, before);
  int64_t held = buffers(), faults_before = ask("faults");
  OK(pl_device_set(proxy, f->property, n));
  pl_status s = write_step_read(&net);
  OK(pl_device_set(proxy, f->property, 0));
  bool failed = ask("faults") > faults_before;
  CHECK(s == (failed ? f->answer : PL_OK));
  CHECK(buffers() == held && !pl_context_get()->queued);
  read_weights(&net, after);
  if (s == PL_EMEMORY) CHECK(!computes || !memcmp(before, after, sizeof before));
  net_free(&net);
  return failed;
}

/* What comes after a failure goes well. */
static void every_call_may_fail(const fault *f) {
  float wanted[54], got[54];
  trained_weights(device, 1, wanted);
  int n = 1;
  while (n < 500 && step_with_fault(f, n)) {
    trained_weights(device, 1, got);
    CHECK(alike(got, wanted, 54));
    n++;
  }
  CHECK(n > (f->often ? 3 : 1) && n < 500);
  fprintf(stderr, "  %s: %d calls\n", f->property, n - 1);
}

static void try_faults(const char *name, const char *build_folder) {
  char path[LIBRARY_PATH];
  OK(pl_device_open(library_behind(name, build_folder, path), &proxy));
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) every_call_may_fail(&faults[i]);
}

/* ---- starting that process ---- */

/* A folder to be searched first, in which the proxy has the library's name. */
static bool put_proxy_before(const char *behind, const char *build_folder, char *folder,
                             char *link) {
  char target[LIBRARY_PATH], list[2 * PATH];
  const char *others = getenv("PERILUNE_ACCELERATORS");
  if (!mkdtemp(folder)) return false;
  snprintf(link, LIBRARY_PATH, "%s/libperilune_%s.so", folder, behind);
  snprintf(target, sizeof target, "%s/tests/accelerators/libperilune_proxy.so", build_folder);
  snprintf(list, sizeof list, "%s:%s", folder, others ? others : "");
  setenv("PERILUNE_ACCELERATORS", list, 1);
  return !symlink(target, link);
}

static void try_with_faults(const char *self, const char *name, const char *build_folder) {
  char path[LIBRARY_PATH], link[LIBRARY_PATH], command[2 * PATH];
  char folder[] = "/tmp/perilune-contract-XXXXXX";
  const char *behind = library_behind(name, build_folder, path);
  setenv("PERILUNE_PROXY", path, 1);
  CHECK(put_proxy_before(behind, build_folder, folder, link));
  snprintf(command, sizeof command, "'%s' %s faults", self, name);
  CHECK(system(command) == 0);
  unlink(link);
  rmdir(folder);
}
