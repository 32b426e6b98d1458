/*
** philox.h -- Philox 4x32-10 (Salmon et al., SC 2011) and how its numbers are laid out, so that
** every device draws the same. Block b of a random op is the four words of
**   key      mix(mix(mix(seed) + stream) + high word of step), low word first
**   counter  b low, b high, call, step low
** and element e of the op uses, with words w of block b:
**   uniform f32   b = e / 4:  w[e % 4] >> 8, times 2^-24
**   uniform f64   b = e / 2:  (w[2 i] << 32 | w[2 i + 1]) >> 11, times 2^-53, with i = e % 2
**   normal        b = e / 4:  pairs (w[0], w[1]) and (w[2], w[3]) give the elements by Box-Muller:
**                 radius sqrt(-2 log((w[0] + 1) 2^-32)), angle 2 pi w[1] 2^-32; cosine, then sine
**   integer       b = e / 2:  the 64 bits of uniform f64 times the width, high 64 bits
** mix is the finalizer of splitmix64, a bijection of 64 bits.
*/
#pragma once
#include <stdint.h>

#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u

static inline uint64_t philox_mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static inline uint64_t philox_key(uint64_t seed, uint64_t stream, uint64_t step) {
  return philox_mix(philox_mix(philox_mix(seed) + stream) + (step >> 32));
}

/* Ten rounds on counter (block, call, step). */
static inline void philox_block(uint64_t key, uint64_t block, uint32_t call, uint32_t step,
                                uint32_t words[4]) {
  uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = call, c3 = step;
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t a = (uint64_t)PHILOX_M0 * c0, b = (uint64_t)PHILOX_M1 * c2;
    c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)b;
    c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)a;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/* 64 random bits as an integer below width; width 0 stands for 2^64. */
static inline uint64_t philox_below(uint64_t bits, uint64_t width) {
  __extension__ typedef unsigned __int128 product;
  return width ? (uint64_t)((product)bits * width >> 64) : bits;
}

static inline void philox_words(uint64_t seed, uint64_t stream, uint64_t step, uint32_t call,
                                uint64_t block, uint32_t words[4]) {
  philox_block(philox_key(seed, stream, step), block, call, (uint32_t)step, words);
}
