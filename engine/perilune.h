/*
** perilune.h -- the whole public API of the engine.
** LuaJIT's ffi.cdef reads this file as it is, so its only # lines are #pragma and constants are
** enums. Functions answer a pl_status; results come last and are set only on PL_OK.
*/
#pragma once
#pragma GCC visibility push(default)

enum { PL_VERSION_MAJOR = 0, PL_VERSION_MINOR = 1, PL_VERSION_PATCH = 0 };
enum { PL_MAX_RANK = 8, PL_MAX_LISTS = 8, PL_MAX_OUT = 4 };

typedef int32_t pl_status;
enum {
  PL_OK, PL_EARGUMENT, PL_ESHAPE, PL_EDTYPE, PL_EDEVICE, PL_EMEMORY, PL_EIO, PL_EFORMAT,
  PL_EINTERRUPTED, PL_EUSER,
  PL_ESTALE,        /* a tensor used after its scope; the binding knows which op made it */
  PL_EUNSUPPORTED,  /* a kernel's answer before it touched anything: try another way */
  PL_QUEUED         /* all went well; launches wait for Lua: pl_queue_take */
};

enum { PL_BOOL, PL_U8, PL_I32, PL_I64, PL_F16, PL_BF16, PL_F32, PL_F64, PL_DTYPES };

/* ---- errors and interrupts ---------------------------------------------------------------- */

/* Of this thread's last failure, until its next call: the sentence, and the op and the argument it
** concerns or "". They say nothing after a call that went well. */
const char *pl_error(void);
const char *pl_error_op(void);
const char *pl_error_argument(void);
const char *pl_status_name(pl_status status);   /* "shape" of PL_ESHAPE: kinds of errors in Lua */
const char *pl_version(void);                   /* "0.1.0" */

/* Signals that ask to stop are counted; the first since the last clear gives name and code. */
void pl_interrupt_raise(int32_t signal_number);   /* async-signal-safe: count one */
int32_t pl_interrupt_pending(void);               /* how many nobody has taken yet */
void pl_interrupt_clear(void);
const char *pl_interrupt_name(void);              /* "Ctrl-C", "SIGTERM", "SIGUSR1" */
int32_t pl_interrupt_exit_code(void);             /* 130 of Ctrl-C, else 143 */
/* From here on Ctrl-C counts; second(), which may be NULL, is called in the handler at the second
** one. Watching adds SIGTERM and SIGUSR1; watches nest, and the last puts back what was there. */
void pl_interrupt_install(void (*second)(void));
void pl_interrupt_watch(int32_t on);
/* Where the process would exit with 1 it does with this code; 0 ends that. */
void pl_process_fail_with(int32_t code);

/* ---- context: one per thread -------------------------------------------------------------- */

typedef struct pl_context {
  int32_t grad;          /* record gradients? */
  int32_t scope;         /* id of the innermost scope entered, 0 outside any */
  int32_t device;        /* where tensors without inputs are made */
  int32_t interrupts;    /* ops fail with PL_EINTERRUPTED at this many signals; 1 at rest */
  int32_t anomaly;       /* check every op's outputs for values that are not finite */
  int32_t profile;       /* time ops; pl_profile_start and _stop set it */
  int32_t autocast;      /* half dtype that rows of PL_CAST_LOW run in, 0: none */
  int32_t deterministic; /* kernels that say they are not: 0 run, 1 are reported, 2 fail */
  int32_t origin;        /* the binding's number for where ops are called; nodes keep it */
  int64_t allocated;     /* bytes this thread has allocated since the binding last set it to 0 */
  int64_t random_calls;  /* random ops since the step began */
  int32_t queued;        /* launches wait for Lua */
} pl_context;

pl_context *pl_context_get(void);

/* A scope owns the tensors made while it is the innermost one entered. Leaving stops that and
** keeps them alive; closing leaves if need be (scopes entered inside included) and frees them. A
** closed scope may be entered again. PL_EARGUMENT: one that was freed, or is entered already. */
pl_status pl_scope_new(int32_t *out);
pl_status pl_scope_enter(int32_t scope);
pl_status pl_scope_leave(int32_t scope);
pl_status pl_scope_close(int32_t scope);
void pl_scope_free(int32_t scope);

/* ---- devices ------------------------------------------------------------------------------ */

/* "cpu", "cuda" (which is cuda:0), "cuda:1". Opens once; devices stay open until the process ends,
** their ids count from 0. PL_EARGUMENT: no name of a device; PL_EDEVICE: there is none such. Below,
** PL_EDEVICE is an id that is not open. */
pl_status pl_device_open(const char *name, int32_t *out);
const char *pl_device_name(int32_t device);          /* "cuda:1", or "none" */
const char *pl_device_description(int32_t device);   /* a few words for people, or "" */
/* PL_EARGUMENT where the device has no such property or not such a value. */
pl_status pl_device_set(int32_t device, const char *property, int64_t value);
pl_status pl_device_get(int32_t device, const char *property, int64_t *out);
/* The accelerators that were found, by name; PL_EARGUMENT ends. 0 looks for them anew, and what
** was answered before is then gone. */
pl_status pl_device_available(int32_t index, const char **out);
pl_status pl_device_count(const char *name, int32_t *out);  /* of the accelerator "cuda" */
/* Bytes but for allocations, the buffers made so far; cached ones serve the next tensors. */
typedef struct pl_memory { int64_t in_use, cached, peak, allocations, limit; } pl_memory;
pl_status pl_device_memory(int32_t device, pl_memory *out);
pl_status pl_device_synchronize(int32_t device);   /* waits for everything launched */
/* Above so many bytes the pool answers PL_EMEMORY; 0 is no limit. */
pl_status pl_device_limit_memory(int32_t device, int64_t bytes);
void pl_device_trim(int32_t device);   /* give cached buffers back to the device */

/* ---- devices whose kernels are Lua --------------------------------------------------------- */

/* From here on pl_device_open knows name:0 .. name:devices-1. ops: those Lua has kernels for; told
** again, devices that are open have the new ones. Only the thread that opens a device may use it.
** Every function that launches ops answers PL_QUEUED, its results set, where one waits for Lua. */
pl_status pl_queue_define(const char *name, int32_t devices, const int32_t *ops, int32_t n_ops);

typedef struct pl_launch_operand {   /* dense: row-major without gaps */
  void *data;                        /* NULL: an absent optional operand */
  int32_t dtype, rank;
  int64_t count, sizes[8];
} pl_launch_operand;

typedef struct pl_launch {           /* operands and attributes as a kernel in C gets them */
  int32_t op, device, n_in, n_out;
  const void *attrs;
  const int32_t *counts;
  const pl_launch_operand *in, *out;
} pl_launch;

/* PL_QUEUED: the launch is the caller's to run and to end with pl_queue_done; PL_OK: none waits.
** An error is that of a launch on the CPU; the caller goes on until PL_OK. */
pl_status pl_queue_take(const pl_launch **out);
/* PL_OK, PL_EUNSUPPORTED (the outputs are untouched, the CPU computes them) or a failure and its
** sentence, which every later call on the device answers too, until pl_queue_reset. */
pl_status pl_queue_done(pl_status status, const char *sentence);
void pl_queue_reset(int32_t device);

/* ---- tensors ------------------------------------------------------------------------------ */

/* A handle: slot and generation, exact in a double. 0 is no tensor. Belongs to its thread. */
typedef double pl_tensor;

typedef struct pl_tensor_info {
  int32_t dtype, rank, device;
  int32_t requires_grad, is_leaf, is_dense, has_grad, is_number;
  int64_t offset, count, version;
  int64_t sizes[8], strides[8];      /* in elements */
} pl_tensor_info;

/* All of these answer PL_ESTALE for a handle whose tensor is gone, and PL_EMEMORY. A tensor that is
** made belongs to the innermost scope. */

/* Dense, its elements as they come. PL_EDEVICE: not open; PL_EDTYPE: no dtype; PL_ESHAPE: more than
** 8 dimensions, a size below 0, or more elements than an int64 of bytes counts. */
pl_status pl_tensor_empty(int32_t device, int32_t dtype, int32_t rank, const int64_t *sizes,
                          pl_tensor *out);
/* A Lua number as operand: 0-d, on no device yet (-1), weak in promotion, without storage. */
pl_status pl_tensor_number(double value, pl_tensor *out);
pl_status pl_tensor_describe(pl_tensor t, pl_tensor_info *out);
/* bytes must be count * size of dtype (PL_EARGUMENT); dense row-major on the host side, whatever
** the tensor's strides. read is the one wait. write is an update: a leaf that requires grad refuses
** it while gradients are recorded. */
pl_status pl_tensor_write(pl_tensor t, const void *src, int64_t bytes);
pl_status pl_tensor_read(pl_tensor t, void *dst, int64_t bytes);
/* read for who takes the elements as numbers: every NaN is the plain one, whatever its bits. */
pl_status pl_tensor_numbers(pl_tensor t, void *dst, int64_t bytes);
/* Of a tensor of one element (PL_ESHAPE), any dtype; an i64 beyond 2^53 comes rounded, a NaN as
** the plain one. */
pl_status pl_tensor_item(pl_tensor t, double *out);
/* Its first element in memory, while its storage lives. Host devices only (PL_EDEVICE). Whoever
** writes there tells by touch. */
pl_status pl_tensor_data(pl_tensor t, void **out);
pl_status pl_tensor_touch(pl_tensor t);
pl_status pl_tensor_set_reused(pl_tensor t);   /* its owner rewrites it: keep() copies */
/* A dense copy there; where it is already, another handle of the same storage. PL_EDEVICE: not
** open, or gradients are recorded, which do not travel. */
pl_status pl_tensor_to_device(pl_tensor t, int32_t device, pl_tensor *out);
pl_status pl_tensor_detach(pl_tensor t, pl_tensor *out);    /* same storage, no history */
pl_status pl_tensor_keep(pl_tensor t, pl_tensor *out);      /* leaves all scopes, no history */
/* Hand over to a scope; 0: to none, and the caller releases it. PL_EARGUMENT: no such scope. */
pl_status pl_tensor_adopt(pl_tensor t, int32_t scope);
/* t takes over other's storage, shape and dtype, and keeps being the leaf it is; its gradient goes
** where it would not fit any more. PL_EARGUMENT: numbers have no storage. */
pl_status pl_tensor_swap(pl_tensor t, pl_tensor other);
/* t's elements = src: broadcast (PL_ESHAPE), cast, brought from its device, recorded. */
pl_status pl_tensor_assign(pl_tensor t, pl_tensor src);
void pl_tensor_release(pl_tensor t);           /* a stale handle is let pass */
/* Floating leaves only (PL_EDTYPE); what was computed cannot be switched off (PL_EARGUMENT). */
pl_status pl_tensor_set_requires_grad(pl_tensor t, int32_t flag);
pl_status pl_tensor_grad(pl_tensor t, pl_tensor *out);      /* 0 where there is none */
/* Of a leaf (PL_EARGUMENT), of its shape and dtype (PL_ESHAPE); 0 removes it. */
pl_status pl_tensor_set_grad(pl_tensor t, pl_tensor grad);

/* What a finalizer holds for a tensor that lives outside scopes. */
typedef struct pl_reference pl_reference;
pl_status pl_reference_new(pl_tensor t, pl_reference **out);
void pl_reference_free(pl_reference *reference);

int32_t pl_dtype_size(int32_t dtype);          /* bytes of an element; 0: no dtype */
const char *pl_dtype_name(int32_t dtype);      /* "f32", or "unknown" */

/* ---- ops ---------------------------------------------------------------------------------- */

enum {                    /* marks of an input or output in a signature */
  PL_OPTIONAL = 1, PL_LIST = 2, PL_UPDATED = 4, PL_POSITIONS = 8, PL_SAVED = 16, PL_HIDDEN = 32,
  PL_FIXED = 64
};
typedef struct pl_argument { const char *name; int32_t marks; } pl_argument;

enum {                    /* flags of a row */
  PL_FLOAT = 1,           /* computes in a floating dtype: integers become f32 */
  PL_PROMOTE = 2,         /* inputs are brought to one dtype, PyTorch's promotion */
  PL_BROADCAST = 4,       /* inputs are expanded to the shape of the output */
  PL_POINTWISE = 8,       /* element i of the output needs only elements i: may run in place */
  PL_STRIDED = 16,        /* kernels take strided operands where the device does */
  PL_VIEW = 32,           /* no kernel: the output shares the input's storage */
  PL_RANDOM = 64,         /* the generator's state is a hidden last input */
  PL_CAST_LOW = 128,      /* autocast: runs in the half type */
  PL_CAST_F32 = 256,      /* autocast: runs in f32 */
  PL_INTERNAL = 512       /* serves rules; not a tensor method */
};

typedef struct pl_op_info {
  const char *name, *signature, *fields, *defaults, *family, *doc;
  int32_t id, flags, attrs_size, n_in, n_out, differentiable, composite, list_count;
  pl_argument in[8], out[4];
} pl_op_info;

int32_t pl_op_count(void);
const pl_op_info *pl_op(int32_t id);           /* 0 .. count - 1, else NULL */

/* in: the tensors of all inputs in order, 0 for an absent optional one. counts: how many tensors
** each input of the signature has, NULL where no input is a list. out: the visible outputs. Shapes,
** dtypes and what a row refuses stand in ops.def and in its rule; a call takes 65536 tensors at
** most (PL_EARGUMENT). PL_EINTERRUPTED: somebody asked to stop. */
pl_status pl_apply(int32_t op, const void *attrs, const pl_tensor *in, const int32_t *counts,
                   int32_t n_in, pl_tensor *out);
/* The same, but a pointwise op's result replaces its first input's elements; PL_ESHAPE and
** PL_EDTYPE where it does not fit there. */
pl_status pl_apply_in_place(int32_t op, const void *attrs, const pl_tensor *in, int32_t n_in);

/* ---- gradients ---------------------------------------------------------------------------- */

enum { PL_RETAIN_GRAPH = 1, PL_CREATE_GRAPH = 2 };
enum { PL_FINISHED, PL_WORK };

typedef struct pl_backward pl_backward;
typedef struct pl_work {        /* a node whose gradient is written in Lua */
  int32_t ticket, n_out, n_in, n_saved;
  pl_tensor grads[16];          /* of its outputs, 0 where none arrived */
  pl_tensor saved[16];          /* what its forward saved */
  int32_t needs[16];            /* which inputs want a gradient */
} pl_work;

/* grads[i] = 0 means one, for a root of a single element; else it has the root's shape and dtype
** (PL_ESHAPE). PL_EARGUMENT: a root that depends on nothing that requires grad. */
pl_status pl_backward_begin(const pl_tensor *roots, const pl_tensor *grads, int32_t n,
                            int32_t flags, pl_backward **out);
/* Runs nodes until none is left (PL_FINISHED) or one needs Lua (PL_WORK). */
pl_status pl_backward_next(pl_backward *b, pl_work *work, int32_t *state);
/* The gradients of the work's inputs, 0 for none; shaped like them, of any dtype. */
pl_status pl_backward_feed(pl_backward *b, const pl_tensor *grads, int32_t n);
void pl_backward_end(pl_backward *b);          /* at any time; after a failure too */

/* Make outputs the results of a custom node; ticket names its gradient in Lua. At most 16 of each
** (PL_EARGUMENT). */
pl_status pl_node_custom(const pl_tensor *in, int32_t n_in, const pl_tensor *out, int32_t n_out,
                         const pl_tensor *saved, int32_t n_saved, int32_t ticket);
int32_t pl_node_tickets(int32_t *tickets, int32_t capacity);  /* of nodes freed since last asked */

/* ---- random numbers ----------------------------------------------------------------------- */

/* Numbers are Philox(key (seed, stream), counter (step, call, element)), the same everywhere. */
pl_status pl_random_set(int64_t seed, int64_t stream, int64_t step);
void pl_random_get(int64_t *seed, int64_t *stream, int64_t *step);
void pl_random_fill(uint64_t seed, uint64_t stream, uint64_t step, int64_t n, uint32_t *out);
/* out[0..n-1]: a permutation of 0..n-1 drawn from (seed, stream, step). */
void pl_random_permutation(uint64_t seed, uint64_t stream, uint64_t step, int64_t n, int64_t *out);

/* ---- profile: of the thread that asks -------------------------------------------------------- */

/* Seconds: with and without the ops inside. Inside of itself an op counts once. */
typedef struct pl_profile_op { int64_t count; double total, self; } pl_profile_op;
typedef struct pl_profile_event { double begin, end; int32_t op, backward; } pl_profile_event;

/* Time every op and every gradient rule from now on, and keep that many events of a trace. */
pl_status pl_profile_start(int64_t events);
void pl_profile_stop(void);
void pl_profile_free(void);            /* what was measured is gone */
pl_status pl_profile_read(int32_t op, int32_t backward, pl_profile_op *out);
/* How many there are, in the order in which they ended; times are pl_clock's. */
int64_t pl_profile_events(const pl_profile_event **out, int64_t *dropped);

/* ---- process ------------------------------------------------------------------------------ */

double pl_process_seconds(void);       /* since this process started */
double pl_clock(void);                 /* monotonic seconds */
int64_t pl_process_peak_rss(void);     /* bytes */

#pragma GCC visibility pop
