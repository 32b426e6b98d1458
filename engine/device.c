/*
** device.c -- finds accelerators by file name, libperilune_<name>.so beside the engine or in
** PERILUNE_ACCELERATORS (folders separated by ':', each a device's own or one that holds such
** folders by name), and opens each device once.
*/
#include "device.h"
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "queue.h"
#include "status.h"

enum { MAX_DEVICES = 64, MAX_NAMES = 64, PATH = 4096, LIBRARY_PATH = PATH + 128 };

static device *devices[MAX_DEVICES];
static _Atomic int32_t n_devices;      /* other threads look while one is opened */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static const pl_host host = { sizeof host, status_fail_device, status_log, status_fail_late };

device *device_at(int32_t id) { return id >= 0 && id < n_devices ? devices[id] : NULL; }

static void engine_folder(char *folder) {
  static const char inside;                /* any address in this library */
  Dl_info self;
  folder[0] = 0;
  if (!dladdr(&inside, &self) || !self.dli_fname) return;
  snprintf(folder, PATH, "%s", self.dli_fname);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  else snprintf(folder, PATH, ".");
}

/* Calls visit for every folder that may hold accelerators, until it answers true. */
static bool each_folder(bool (*visit)(const char *folder, void *data), void *data) {
  const char *p = getenv("PERILUNE_ACCELERATORS");
  char folder[PATH];
  while (p && *p) {
    size_t n = strcspn(p, ":");
    snprintf(folder, sizeof folder, "%.*s", (int)n, p);
    if (n && visit(folder, data)) return true;
    p += n + (p[n] == ':');
  }
  engine_folder(folder);
  return visit(folder, data);
}

typedef struct search { const char *name; void *library; char error[512]; } search;

/* The library of an accelerator in a folder, in `path` (LIBRARY_PATH bytes), or false. */
static bool library_in(const char *folder, const char *name, char *path) {
  snprintf(path, LIBRARY_PATH, "%s/libperilune_%s.so", folder, name);
  if (access(path, R_OK) == 0) return true;
  snprintf(path, LIBRARY_PATH, "%s/%s/libperilune_%s.so", folder, name, name);
  return access(path, R_OK) == 0;
}

static bool open_in(const char *folder, void *data) {
  search *s = data;
  char path[LIBRARY_PATH];
  if (!library_in(folder, s->name, path)) return false;
  s->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!s->library) snprintf(s->error, sizeof s->error, "%s", dlerror());
  return s->library != NULL;
}

static bool has_library(const char *folder, void *data) {
  char path[LIBRARY_PATH];
  return library_in(folder, data, path);
}

bool device_has_library(const char *name) { return each_folder(has_library, (void *)name); }

/* ---- names ---- */

static char found_names[MAX_NAMES][32];
static int32_t n_found;

static void add_name(const char *name) {
  bool known = false;
  for (int i = 0; i < n_found; i++) known |= !strcmp(found_names[i], name);
  if (!known && n_found < MAX_NAMES) strcpy(found_names[n_found++], name);
}

/* The name in libperilune_<name>.so, or that of a folder with its library. */
static bool names_accelerator(const char *folder, const char *entry, char *name) {
  int end = 0;
  char path[LIBRARY_PATH];
  if (sscanf(entry, "libperilune_%31[a-z0-9_].so%n", name, &end) == 1 && end) return !entry[end];
  if (sscanf(entry, "%31[a-z0-9_]%n", name, &end) != 1 || entry[end]) return false;
  return library_in(folder, name, path);
}

static bool list_folder(const char *folder, void *data) {
  (void)data;
  DIR *dir = opendir(folder);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    char name[32];
    if (names_accelerator(folder, e->d_name, name)) add_name(name);
  }
  if (dir) closedir(dir);
  return false;
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

pl_status pl_device_available(int32_t index, const char **out) {
  if (index == 0) {
    n_found = 0;
    each_folder(list_folder, NULL);
    queue_each(add_name);
    qsort(found_names, (size_t)n_found, sizeof *found_names, by_name);
  }
  if (index < 0 || index >= n_found)
    return status_fail(PL_EARGUMENT, NULL, NULL, "there are %d accelerators", n_found);
  *out = found_names[index];
  return PL_OK;
}

static void known_names(char *text, size_t size) {
  const char *name;
  size_t at = 0;
  text[0] = 0;
  for (int i = 0; pl_device_available(i, &name) == PL_OK && at < size; i++)
    at += (size_t)snprintf(text + at, size - at, i ? ", %s" : "%s", name);
}

/* ---- opening ---- */

static pl_kernel kernel_find(device *d, const pl_op_info *op, uint32_t *attrs) {
  char symbol[96];
  *attrs = (uint32_t)op->attrs_size;
  if (d->table->find) return d->table->find(d->state, op);
  snprintf(symbol, sizeof symbol, "kernel_%s_attrs", op->name);
  const uint32_t *size = dlsym(d->library, symbol);
  if (size) *attrs = *size;
  snprintf(symbol, sizeof symbol, "kernel_%s", op->name);
  pl_kernel kernel;
  void *address = dlsym(d->library, symbol);
  memcpy(&kernel, &address, sizeof kernel);
  return kernel;
}

void device_find_kernels(device *d) {
  for (int i = 0; i < OP_COUNT; i++) d->kernels[i] = kernel_find(d, pl_op(i), &d->kernel_attrs[i]);
}

bool device_repeats(device *d, int op) {
  enum { UNKNOWN, NO, YES };
  char symbol[96];
  if (d->repeats[op] == UNKNOWN) {
    snprintf(symbol, sizeof symbol, "kernel_%s_nondeterministic", pl_op(op)->name);
    bool differs = device_is(d, PL_CAP_NONDETERMINISTIC) || dlsym(d->library, symbol);
    d->repeats[op] = differs ? NO : YES;
  }
  return d->repeats[op] == YES;
}

/* The table as this engine knows it: an older one of the same ABI is shorter, a newer longer. */
static pl_status take_table(const char *name, device *d, const pl_accelerator *theirs) {
  if (!theirs)
    return status_fail(PL_EDEVICE, NULL, NULL, "accelerator '%s': its library exports no "
                       "pl_accelerator_table", name);
  if (theirs->abi != PL_ABI || theirs->size < offsetof(pl_accelerator, map))
    return status_fail(PL_EDEVICE, NULL, NULL, "accelerator '%s' was built for ABI %u (table of %u "
                       "bytes), this engine has ABI %d (%zu bytes): rebuild it against the headers "
                       "of Perilune %s", name, theirs->abi, theirs->size, PL_ABI,
                       sizeof(pl_accelerator), pl_version());
  pl_accelerator *table = &d->own_table;
  memcpy(table, theirs, theirs->size < sizeof *table ? theirs->size : sizeof *table);
  if (!table->count || !table->open || !table->close || !table->describe || !table->create
      || !table->release || !table->write || !table->read)
    return status_fail(PL_EDEVICE, NULL, NULL, "accelerator '%s': its table lacks one of count, "
                       "open, close, describe, create, release, write, read", name);
  d->table = table;
  return PL_OK;
}

static pl_status load(const char *name, device *d) {
  search s = { .name = name };
  if (queue_devices(name)) {
    d->own_table = queue_table;
    d->table = &d->own_table;
    return PL_OK;
  }
  if (!each_folder(open_in, &s)) {
    char names[512];
    if (s.error[0])
      return status_fail(PL_EDEVICE, NULL, NULL, "accelerator '%s' does not load: %s", name,
                         s.error);
    known_names(names, sizeof names);
    return status_fail(PL_EDEVICE, NULL, NULL,
                       "there is no accelerator '%s' (found: %s); PERILUNE_ACCELERATORS names "
                       "folders with libperilune_<name>.so", name, names);
  }
  d->library = s.library;
  return take_table(name, d, dlsym(s.library, "pl_accelerator_table"));
}

static int32_t count_devices(const device *d, const char *name) {
  return device_is_queue(d) ? queue_devices(name) : d->table->count();
}

static pl_status start(device *d, const char *name, int index) {
  pl_status s = load(name, d);
  if (s) return s;
  int present = count_devices(d, name);
  if (present == 0 && d->table->absent)
    return status_fail(PL_EDEVICE, NULL, NULL, "%s: %s", name, d->table->absent());
  if (index >= present)
    return status_fail(PL_EDEVICE, NULL, NULL,
                       "%s:%d does not exist: this machine has %d device%s of "
                       "accelerator '%s', counted from 0", name, index, present,
                       present == 1 ? "" : "s", name);
  s = device_is_queue(d) ? queue_open(name, d, &d->state)
                         : d->table->open(index, &host, &d->state);
  if (s) return s;
  d->info.size = sizeof d->info;
  if ((s = d->table->describe(d->state, &d->info))) {
    d->table->close(d->state);
    return s;
  }
  pool_init(&d->pool);
  device_find_kernels(d);
  if (d->kernels[OP_copy]) return PL_OK;
  d->table->close(d->state);
  return status_fail(PL_EDEVICE, NULL, NULL, "accelerator '%s' has no kernel for copy, the one "
                     "every device must have", name);
}

static pl_status open_new(const char *name, int index, const char *full, int32_t *out) {
  if (n_devices == MAX_DEVICES)
    return status_fail(PL_EDEVICE, NULL, NULL, "%d devices are open, no more fit", n_devices);
  device *d = calloc(1, sizeof *d);
  if (!d) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory");
  snprintf(d->name, sizeof d->name, "%s", full);
  d->id = n_devices;
  pl_status s = start(d, name, index);
  if (s) {
    if (d->library) dlclose(d->library);
    free(d);
    return s;
  }
  devices[d->id] = d;
  *out = d->id;
  n_devices++;
  return PL_OK;
}

/* The one name of a device: "cuda" is cuda:0; the CPU, of which there is one, is "cpu". */
static pl_status parse(const char *text, char *name, int *index, char *full) {
  int end = 0, digits = 0;
  *index = 0;
  bool is_name = sscanf(text, "%23[a-z0-9_]%n", name, &end) == 1;
  if (is_name && text[end] == ':') {
    digits = (int)strspn(text + end + 1, "0123456789");
    *index = atoi(text + end + 1);
    end += digits > 0 && digits <= 3 ? 1 + digits : 0;
  }
  if (!is_name || text[end])
    return status_fail(PL_EARGUMENT, NULL, NULL,
                       "'%s' is no device; expected a name such as 'cpu' or "
                       "'cuda:0'", text);
  if (*index == 0 && strcmp(name, "cpu") == 0) strcpy(full, name);
  else snprintf(full, 32, "%s:%d", name, *index % 1000);
  return PL_OK;
}

pl_status pl_device_open(const char *text, int32_t *out) {
  char name[24], full[32];
  int index;
  pl_status s = parse(text, name, &index, full);
  if (s) return s;
  pthread_mutex_lock(&opening);
  int32_t i = 0;
  while (i < n_devices && strcmp(devices[i]->name, full)) i++;
  if (i < n_devices) *out = i;
  else s = open_new(name, index, full, out);
  pthread_mutex_unlock(&opening);
  return s;
}

pl_status pl_device_count(const char *name, int32_t *out) {
  device d = { 0 };
  pthread_mutex_lock(&opening);          /* looking for a name lists what there is */
  pl_status s = load(name, &d);
  if (s == PL_OK) *out = count_devices(&d, name);
  pthread_mutex_unlock(&opening);
  return s;
}

/* ---- facts ---- */

static pl_status no_device(int32_t id) {
  return status_fail(PL_EDEVICE, NULL, NULL, "device %d is not open", id);
}

const char *pl_device_name(int32_t id) {
  device *d = device_at(id);
  return d ? d->name : "none";
}

const char *pl_device_description(int32_t id) {
  device *d = device_at(id);
  return d ? d->info.description : "";
}

pl_status pl_device_set(int32_t id, const char *property, int64_t value) {
  device *d = device_at(id);
  if (!d) return no_device(id);
  if (d->table->set) return d->table->set(d->state, property, value);
  return status_fail(PL_EARGUMENT, NULL, NULL, "%s has no property '%s'", d->name, property);
}

pl_status pl_device_get(int32_t id, const char *property, int64_t *out) {
  device *d = device_at(id);
  if (!d) return no_device(id);
  if (d->table->get) return d->table->get(d->state, property, out);
  return status_fail(PL_EARGUMENT, NULL, NULL, "%s has no property '%s'", d->name, property);
}

pl_status pl_device_memory(int32_t id, pl_memory *out) {
  device *d = device_at(id);
  if (!d) return no_device(id);
  pthread_mutex_lock(&d->pool.lock);
  *out = d->pool.memory;
  pthread_mutex_unlock(&d->pool.lock);
  return PL_OK;
}

pl_status pl_device_synchronize(int32_t id) {
  device *d = device_at(id);
  if (!d) return no_device(id);
  return d->table->synchronize ? d->table->synchronize(d->state) : PL_OK;
}

pl_status pl_device_limit_memory(int32_t id, int64_t bytes) {
  device *d = device_at(id);
  if (!d) return no_device(id);
  if (bytes < 0)
    return status_fail(PL_EARGUMENT, NULL, NULL, "a memory limit is a number of bytes, or 0 for "
                       "none; got %lld", (long long)bytes);
  pthread_mutex_lock(&d->pool.lock);
  d->pool.memory.limit = bytes;
  pthread_mutex_unlock(&d->pool.lock);
  return PL_OK;
}

void pl_device_trim(int32_t id) {
  if (device_at(id)) pool_trim(device_at(id));
}
