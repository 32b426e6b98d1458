// random.cl -- Philox 4x32-10 as engine/philox.h lays it out: the same numbers as on every device.

static ulong mix(ulong x) {
  x += 0x9e3779b97f4a7c15UL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
  return x ^ (x >> 31);
}

// The word of element i; state holds seed, stream and step.
static uint word_of(global const ulong *state, uint call, long i) {
  const ulong key = mix(mix(mix(state[0]) + state[1]) + (state[2] >> 32)), block = (ulong)i / 4;
  uint c0 = (uint)block, c1 = (uint)(block >> 32), c2 = call, c3 = (uint)state[2];
  uint k0 = (uint)key, k1 = (uint)(key >> 32);
  for (int round = 0; round < 10; round++) {
    const ulong a = 0xd2511f53UL * c0, b = 0xcd9e8d57UL * c2;
    c0 = (uint)(b >> 32) ^ c1 ^ k0;
    c1 = (uint)b;
    c2 = (uint)(a >> 32) ^ c3 ^ k1;
    c3 = (uint)a;
    k0 += 0x9e3779b9U;
    k1 += 0xbb67ae85U;
  }
  const uint words[4] = { c0, c1, c2, c3 };
  return words[i % 4];
}

kernel void rand(global const ulong *state, global float *y, const long call) {
  ITEM;
  y[i] = (float)(word_of(state, (uint)call, i) >> 8) * 0x1p-24f;
}

// An element stays when its uniform number times 2^24 is at least `least`.
kernel void dropout(global const float *x, global const ulong *state, global float *y,
                    global uchar *mask, const long call, const long least, const float scale) {
  ITEM;
  const bool stays = word_of(state, (uint)call, i) >> 8 >= (uint)least;
  mask[i] = stays;
  y[i] = stays ? x[i] * scale : 0;
}
