// common.cl -- what all kernels share. An item computes one result; f32 sums are compensated
// (Kahan), so that long ones stay as good as short ones.

#define ITEM const long i = get_global_id(0)

// Tells the host of a value that is outside first .. last; the first such value is kept.
static inline void tell_fault(global int *fault, long index, long value, long first, long last) {
  if (atomic_cmpxchg(fault, 0, 1) != 0) return;
  fault[1] = (int)(index + 1);
  fault[2] = (int)value;
  fault[3] = (int)first;
  fault[4] = (int)last;
}

typedef struct total { float sum, lost; } total;

static inline void add_to(total *t, float x) {
  const float y = x - t->lost, next = t->sum + y;
  t->lost = (next - t->sum) - y;
  t->sum = next;
}
