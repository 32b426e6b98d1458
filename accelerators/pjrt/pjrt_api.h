/*
** pjrt_api.h -- the part of PJRT's C interface (version 0) that this device uses. Every call takes
** one struct that opens with its size; a plug-in reads no further than it knows and refuses a
** struct shorter than its own, so ours end in room for fields that came later, which are zero.
*/
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct PJRT_Error PJRT_Error;
typedef struct PJRT_Client PJRT_Client;
typedef struct PJRT_Device PJRT_Device;
typedef struct PJRT_Event PJRT_Event;
typedef struct PJRT_Buffer PJRT_Buffer;
typedef struct PJRT_LoadedExecutable PJRT_LoadedExecutable;

#define PJRT_HEAD size_t struct_size; void *extension_start
#define PJRT_ROOM void *later[16]
/* PJRT_CALL(api, Buffer_Destroy, .buffer = b): the arguments as a struct of the call's type. */
#define PJRT_ARGS(name, ...) \
  &(pjrt_##name){ .struct_size = sizeof(pjrt_##name), __VA_ARGS__ }

/* Element types, by number. */
enum { PJRT_PRED = 1, PJRT_S32 = 4, PJRT_S64 = 5, PJRT_U8 = 6, PJRT_F16 = 10, PJRT_F32 = 11,
       PJRT_F64 = 12, PJRT_BF16 = 13 };
enum { PJRT_COPY_DURING_CALL = 0 };

typedef struct { PJRT_HEAD; PJRT_Error *error; PJRT_ROOM; } pjrt_Error_Destroy;
typedef struct {
  PJRT_HEAD; const PJRT_Error *error; const char *message; size_t message_size; PJRT_ROOM;
} pjrt_Error_Message;
typedef struct { PJRT_HEAD; PJRT_ROOM; } pjrt_Plugin_Initialize;
typedef struct { PJRT_HEAD; PJRT_Event *event; PJRT_ROOM; } pjrt_Event_Await;
typedef struct {
  PJRT_HEAD; const void *options; size_t num_options; void *get, *get_argument, *put,
    *put_argument; PJRT_Client *client; PJRT_ROOM;
} pjrt_Client_Create;
typedef struct { PJRT_HEAD; PJRT_Client *client; PJRT_ROOM; } pjrt_Client_Destroy;
typedef struct {
  PJRT_HEAD; PJRT_Client *client; const char *name; size_t name_size; PJRT_ROOM;
} pjrt_Client_PlatformName;
typedef struct {
  PJRT_HEAD; PJRT_Client *client; PJRT_Device **devices; size_t num_devices; PJRT_ROOM;
} pjrt_Client_AddressableDevices;
typedef struct {
  PJRT_HEAD; const char *code; size_t code_size; const char *format; size_t format_size; PJRT_ROOM;
} pjrt_Program;
typedef struct {
  PJRT_HEAD; PJRT_Client *client; const pjrt_Program *program; const char *options;
  size_t options_size; PJRT_LoadedExecutable *executable; PJRT_ROOM;
} pjrt_Client_Compile;
typedef struct {
  PJRT_HEAD; PJRT_Client *client; const void *data; int type; const int64_t *dims; size_t num_dims;
  const int64_t *byte_strides; size_t num_byte_strides; int semantics; PJRT_Device *device;
  void *memory, *layout; PJRT_Event *done; PJRT_Buffer *buffer; PJRT_ROOM;
} pjrt_Client_BufferFromHostBuffer;
typedef struct {
  PJRT_HEAD; void *send, *receive; size_t num_send, num_receive; int launch_id; PJRT_ROOM;
} pjrt_ExecuteOptions;
typedef struct {
  PJRT_HEAD; PJRT_LoadedExecutable *executable; const pjrt_ExecuteOptions *options;
  PJRT_Buffer *const *const *arguments; size_t num_devices, num_arguments;
  PJRT_Buffer **const *results; PJRT_Event **done; PJRT_Device *device; PJRT_ROOM;
} pjrt_LoadedExecutable_Execute;
typedef struct {
  PJRT_HEAD; PJRT_LoadedExecutable *executable; PJRT_ROOM;
} pjrt_LoadedExecutable_Destroy;
typedef struct { PJRT_HEAD; PJRT_Buffer *buffer; PJRT_ROOM; } pjrt_Buffer_Destroy;
typedef struct {
  PJRT_HEAD; PJRT_Buffer *buffer; void *layout; void *to; size_t size; PJRT_Event *done; PJRT_ROOM;
} pjrt_Buffer_ToHostBuffer;

/* Where the functions lie in the table, counted from its first. */
enum {
  PJRT_Error_Destroy = 0, PJRT_Error_Message = 1, PJRT_Plugin_Initialize = 3,
  PJRT_Event_Destroy = 5, PJRT_Event_Await = 8, PJRT_Client_Create = 10, PJRT_Client_Destroy = 11,
  PJRT_Client_PlatformName = 12, PJRT_Client_AddressableDevices = 16, PJRT_Client_Compile = 20,
  PJRT_Client_BufferFromHostBuffer = 22, PJRT_LoadedExecutable_Destroy = 50,
  PJRT_LoadedExecutable_Execute = 55, PJRT_Buffer_Destroy = 58, PJRT_Buffer_ToHostBuffer = 70,
};

typedef PJRT_Error *(*pjrt_function)(void *arguments);

typedef struct pjrt_api {
  PJRT_HEAD;
  struct { PJRT_HEAD; int major, minor; } version;
  pjrt_function functions[];
} pjrt_api;
