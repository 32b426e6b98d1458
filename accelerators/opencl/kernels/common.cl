// common.cl -- what all kernels share. An item computes one result; f32 sums are compensated
// (Kahan), so that long ones stay as good as short ones.

#define ITEM const long i = get_global_id(0)

typedef struct total { float sum, lost; } total;

static inline void add_to(total *t, float x) {
  const float y = x - t->lost, next = t->sum + y;
  t->lost = (next - t->sum) - y;
  t->sum = next;
}
