/*
** plugin.c -- the PJRT plug-in of this process: PERILUNE_PJRT_PLUGIN names its file; without it
** libtpu, where that is installed. It is loaded once and stays.
*/
#include "pjrt.h"
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const pjrt_api *api;
static PJRT_Client *client;
static PJRT_Device **devices;
static size_t n_devices;
static char platform[32], why[512];

/* ---- errors ---- */

/* The plug-in's sentence, and the error is gone. */
static void take_message(PJRT_Error *error, char *out, size_t size) {
  pjrt_Error_Message m = { .struct_size = sizeof m, .error = error };
  api->functions[PJRT_Error_Message](&m);
  snprintf(out, size, "%.*s", (int)(m.message_size < size ? m.message_size : size - 1), m.message);
  api->functions[PJRT_Error_Destroy](PJRT_ARGS(Error_Destroy, .error = error));
}

static pl_status failed(pjrt *d, const char *doing, PJRT_Error *error) {
  char text[512];
  take_message(error, text, sizeof text);
  bool full = strstr(text, "RESOURCE_EXHAUSTED") || strstr(text, "ut of memory");
  pl_status status = full ? PL_EMEMORY : PL_EDEVICE;
  return d->last ? d->host->fail_late(status, d->last, "pjrt:%d: %s, after %s: %s", d->index,
                                      doing, d->last, text)
                 : d->host->fail(status, "pjrt:%d: %s: %s", d->index, doing, text);
}

/* ---- loading ---- */

/* Google's vendor id on the PCI bus, where a TPU is. */
static bool some_tpu_is_here(void) {
  glob_t found;
  bool here = false;
  if (glob("/sys/bus/pci/devices/*/vendor", 0, NULL, &found)) return false;
  for (size_t i = 0; i < found.gl_pathc && !here; i++) {
    char vendor[16] = "";
    FILE *f = fopen(found.gl_pathv[i], "r");
    if (f && fgets(vendor, sizeof vendor, f)) here = !strncmp(vendor, "0x1ae0", 6);
    if (f) fclose(f);
  }
  globfree(&found);
  return here;
}

/* Without a TPU libtpu would ask the cloud's metadata server for minutes before it says so. */
static const char *plugin_path(void) {
  const char *path = getenv("PERILUNE_PJRT_PLUGIN");
  if (path && *path) return path;
  if (!some_tpu_is_here()) setenv("TPU_SKIP_MDS_QUERY", "1", 0);
  path = getenv("TPU_LIBRARY_PATH");
  return path && *path ? path : "libtpu.so";
}

static bool start_client(const char *path) {
  char text[400];
  pjrt_Client_Create create = { .struct_size = sizeof create };
  PJRT_Error *error =
    api->functions[PJRT_Plugin_Initialize](PJRT_ARGS(Plugin_Initialize, .later = { 0 }));
  if (!error) error = api->functions[PJRT_Client_Create](&create);
  if (error) {
    take_message(error, text, sizeof text);
    snprintf(why, sizeof why, "the PJRT plug-in %s is here, but finds no device: %.300s", path,
             text);
    return false;
  }
  client = create.client;
  pjrt_Client_AddressableDevices list = { .struct_size = sizeof list, .client = client };
  pjrt_Client_PlatformName name = { .struct_size = sizeof name, .client = client };
  if ((error = api->functions[PJRT_Client_AddressableDevices](&list))
      || (error = api->functions[PJRT_Client_PlatformName](&name))) {
    take_message(error, why, sizeof why);
    return false;
  }
  devices = list.devices;
  n_devices = list.num_devices;
  snprintf(platform, sizeof platform, "%.*s", (int)name.name_size, name.name);
  return true;
}

static void load(void) {
  const char *path = plugin_path();
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  const pjrt_api *(*get)(void) = NULL;
  if (!library) {
    snprintf(why, sizeof why, "there is no PJRT plug-in: PERILUNE_PJRT_PLUGIN names one's file, "
             "libtpu is taken where it is installed (%s)", dlerror());
    return;
  }
  void *address = dlsym(library, "GetPjrtApi");
  memcpy(&get, &address, sizeof get);
  if (!get || !(api = get()) || api->version.major != 0) {
    snprintf(why, sizeof why, "%s is no PJRT plug-in of version 0", path);
    api = NULL;
    return;
  }
  if (!start_client(path)) n_devices = 0;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int plugin_devices(void) {
  pthread_once(&once, load);
  return (int)n_devices;
}

const char *plugin_why(void) { return why; }
const char *plugin_platform(void) { return platform; }

/* ---- arrays ---- */

static int type_number(int32_t dtype) {
  static const int numbers[PL_DTYPES] = { PJRT_PRED, PJRT_U8, PJRT_S32, PJRT_S64, PJRT_F16,
                                          PJRT_BF16, PJRT_F32, PJRT_F64 };
  return numbers[dtype];
}

static pl_status wait_for(pjrt *d, const char *doing, PJRT_Event *event) {
  if (!event) return PL_OK;
  PJRT_Error *error = api->functions[PJRT_Event_Await](PJRT_ARGS(Event_Await, .event = event));
  api->functions[PJRT_Event_Destroy](PJRT_ARGS(Event_Await, .event = event));
  return error ? failed(d, doing, error) : PL_OK;
}

static void buffer_destroy(PJRT_Buffer *buffer) {
  api->functions[PJRT_Buffer_Destroy](PJRT_ARGS(Buffer_Destroy, .buffer = buffer));
}

static pl_status array_wrap(PJRT_Buffer *buffer, array **out) {
  array *a = malloc(sizeof *a);
  if (!a) {
    buffer_destroy(buffer);
    return PL_EMEMORY;
  }
  *a = (array){ 1, buffer };
  *out = a;
  return PL_OK;
}

pl_status array_new(pjrt *d, const void *bytes, int32_t dtype, int64_t count, array **out) {
  pjrt_Client_BufferFromHostBuffer from = {
    .struct_size = sizeof from, .client = client, .data = bytes, .type = type_number(dtype),
    .dims = &count, .num_dims = count < 0 ? 0 : 1, .semantics = PJRT_COPY_DURING_CALL,
    .device = devices[d->index],
  };
  PJRT_Error *error = api->functions[PJRT_Client_BufferFromHostBuffer](&from);
  if (error) return failed(d, "bytes do not reach the device", error);
  pl_status status = wait_for(d, "bytes do not reach the device", from.done);
  return status ? status : array_wrap(from.buffer, out);
}

array *array_ref(array *a) {
  a->refs++;
  return a;
}

void array_unref(array *a) {
  if (!a || --a->refs > 0) return;
  buffer_destroy(a->buffer);
  free(a);
}

pl_status array_read(pjrt *d, array *a, void *to, size_t bytes) {
  pjrt_Buffer_ToHostBuffer read = { .struct_size = sizeof read, .buffer = a->buffer, .to = to,
                                    .size = bytes };
  PJRT_Error *error = api->functions[PJRT_Buffer_ToHostBuffer](&read);
  return error ? failed(d, "a read", error) : wait_for(d, "a read", read.done);
}

/* ---- programs ---- */

pl_status program_compile(pjrt *d, const char *text, size_t size, PJRT_LoadedExecutable **out) {
  /* CompileOptionsProto, serialized: field 3, executable_build_options, has num_replicas (4) and
  ** num_partitions (5), both 1, and device_assignment (9): one replica, one computation, and the
  ** computation's device. */
  const char options[] = { 0x1a, 14, 0x20, 1, 0x28, 1, 0x4a, 8, 0x08, 1, 0x10, 1, 0x1a, 2, 0x08,
                           (char)d->index };
  pjrt_Program program = { .struct_size = sizeof program, .code = text, .code_size = size,
                           .format = "mlir", .format_size = 4 };
  pjrt_Client_Compile compile = { .struct_size = sizeof compile, .client = client,
                                  .program = &program, .options = options,
                                  .options_size = sizeof options };
  PJRT_Error *error = api->functions[PJRT_Client_Compile](&compile);
  if (error) return failed(d, "the program does not compile", error);
  *out = compile.executable;
  return PL_OK;
}

static pl_status run(pjrt *d, PJRT_LoadedExecutable *program, PJRT_Buffer **arguments, int n,
                     PJRT_Buffer **results) {
  pjrt_ExecuteOptions options = { .struct_size = sizeof options };
  PJRT_Event *done = NULL;
  PJRT_Buffer *const *const argument_lists[1] = { arguments };
  PJRT_Buffer **const result_lists[1] = { results };
  pjrt_LoadedExecutable_Execute execute = {
    .struct_size = sizeof execute, .executable = program, .options = &options,
    .arguments = argument_lists, .num_devices = 1, .num_arguments = (size_t)n,
    .results = result_lists, .done = &done,
  };
  PJRT_Error *error = api->functions[PJRT_LoadedExecutable_Execute](&execute);
  return error ? failed(d, "the program does not run", error)
               : wait_for(d, "the program does not run", done);
}

pl_status program_run(pjrt *d, PJRT_LoadedExecutable *program, array *const *arguments, int n,
                      array **results, int n_results) {
  PJRT_Buffer **buffers = calloc((size_t)(n + n_results + 1), sizeof *buffers);
  if (!buffers) return PL_EMEMORY;
  for (int i = 0; i < n; i++) buffers[i] = arguments[i]->buffer;
  pl_status status = run(d, program, buffers, n, buffers + n);
  for (int i = 0; i < n_results && !status; i++) {
    status = array_wrap(buffers[n + i], &results[i]);
    for (int k = i + 1; k < n_results && status; k++) buffer_destroy(buffers[n + k]);
  }
  free(buffers);
  return status;
}
