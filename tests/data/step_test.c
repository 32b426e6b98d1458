/*
** step_test.c -- what steps give, number by number: values and shapes against what they promise,
** the same random numbers for a key however a row is reached, and refusals in words.
*/
#include "../engine/engine_unit.h"
#include "data.h"
#include <stdlib.h>

static pl_rows_info image(int32_t dtype, int64_t channels, int64_t height, int64_t width) {
  pl_rows_info info = {.dtype = dtype, .rank = 3, .count = 1,
                       .row_elements = channels * height * width,
                       .sizes = {channels, height, width}};
  info.row_bytes = info.row_elements * pl_dtype_size(dtype);
  return info;
}

static bool near(const float *got, const float *expected, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!(fabsf(got[i] - expected[i]) <= 1e-6f)) return false;
  return true;
}

static const pl_key key = {.seed = 7, .epoch = 2, .sample = 3};

static void to_float_divides(void) {
  uint8_t in[6] = {0, 1, 51, 102, 254, 255};
  float out[6];
  pl_step step = {.kind = PL_STEP_TO_FLOAT};
  pl_rows_info info = image(PL_U8, 1, 2, 3), result;
  OK(pl_step_describe(&step, &info, &result));
  CHECK(result.dtype == PL_F32 && result.row_bytes == 24);
  OK(pl_step_run(&step, &info, &key, in, out));
  for (int i = 0; i < 6; i++) CHECK(out[i] == (float)in[i] / 255.0f);
}

static void normalize_takes_channels(void) {
  float in[8] = {1, 2, 3, 4, 5, 6, 7, 8}, out[8];
  pl_step step = {.kind = PL_STEP_NORMALIZE, .channels = 2, .mean = {1, 5}, .std = {2, 4}};
  pl_rows_info info = image(PL_F32, 2, 2, 2), result;
  OK(pl_step_run(&step, &info, &key, in, out));
  CHECK(near(out, (float[]){0, 0.5, 1, 1.5, 0, 0.25, 0.5, 0.75}, 8));
  step.channels = 1;
  OK(pl_step_run(&step, &info, &key, in, out));
  CHECK(near(out, (float[]){0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5}, 8));
  step.std[0] = 0;
  CHECK(pl_step_describe(&step, &info, &result) == PL_EARGUMENT);
  step.channels = 3;
  CHECK(pl_step_describe(&step, &info, &result) == PL_ESHAPE);
  info.dtype = PL_U8;
  CHECK(pl_step_describe(&step, &info, &result) == PL_EDTYPE);
}

/* Numbers of PyTorch's F.interpolate(mode="bilinear", align_corners=False). */
static void resize_is_bilinear(void) {
  float in[6] = {0, 1, 2, 10, 11, 12}, out[20];
  pl_step step = {.kind = PL_STEP_RESIZE, .height = 4, .width = 5};
  pl_rows_info info = image(PL_F32, 1, 2, 3), result;
  OK(pl_step_describe(&step, &info, &result));
  CHECK(result.sizes[1] == 4 && result.sizes[2] == 5 && result.row_bytes == 80);
  OK(pl_step_run(&step, &info, &key, in, out));
  CHECK(near(out, (float[]){0, 0.4f, 1, 1.6f, 2}, 5));
  CHECK(near(out + 5, (float[]){2.5f, 2.9f, 3.5f, 4.1f, 4.5f}, 5));
  CHECK(near(out + 15, (float[]){10, 10.4f, 11, 11.6f, 12}, 5));
  step.height = 1, step.width = 2;
  OK(pl_step_run(&step, &info, &key, in, out));
  CHECK(near(out, (float[]){5.25f, 6.75f}, 2));
  step.height = 4, step.width = 0;
  OK(pl_step_describe(&step, &info, &result));
  CHECK(result.sizes[1] == 4 && result.sizes[2] == 6);
  step.height = 0;
  CHECK(pl_step_describe(&step, &info, &result) == PL_ESHAPE);
}

/* Sizes whose product no integer holds would give rows of a few bytes. */
static void sizes_are_limited(void) {
  pl_rows_info tall = image(PL_F32, 3, 100000, 1), result;
  pl_step resize = {.kind = PL_STEP_RESIZE, .height = INT32_MAX};
  CHECK(pl_step_describe(&resize, &tall, &result) == PL_ESHAPE);
  pl_step crop = {.kind = PL_STEP_CROP, .padding = (int64_t)1 << 62, .height = 4, .width = 4};
  CHECK(pl_step_describe(&crop, &tall, &result) == PL_ESHAPE);
  crop.padding = INT32_MAX, crop.height = crop.width = (int64_t)1 << 32;
  CHECK(pl_step_describe(&crop, &tall, &result) == PL_ESHAPE);
  pl_step erase = {.kind = PL_STEP_ERASE, .scale = {0.1, 0.2}, .ratio = {0, 1}};
  CHECK(pl_step_describe(&erase, &tall, &result) == PL_EARGUMENT);
  erase.ratio[0] = 0.5, erase.scale[0] = NAN;
  CHECK(pl_step_describe(&erase, &tall, &result) == PL_EARGUMENT);
  erase.scale[0] = 0.1;
  OK(pl_step_describe(&erase, &tall, &result));
}

static void values_fit_the_dtype(void) {
  pl_rows_info bytes = image(PL_U8, 1, 4, 4), floats = image(PL_F32, 1, 4, 4), result;
  const double wrong[] = {300, -1, 0.5, NAN};
  for (int i = 0; i < 4; i++) {
    pl_step crop = {.kind = PL_STEP_CROP, .padding = 1, .height = 4, .width = 4,
                    .value = wrong[i]};
    pl_step erase = {.kind = PL_STEP_ERASE, .scale = {0.1, 0.2}, .ratio = {1, 2},
                     .value = wrong[i]};
    CHECK(pl_step_describe(&crop, &bytes, &result) == PL_EARGUMENT);
    CHECK(pl_step_describe(&erase, &bytes, &result) == PL_EARGUMENT);
    OK(pl_step_describe(&crop, &floats, &result));
    OK(pl_step_describe(&erase, &floats, &result));
  }
}

/* A box of such a ratio fits no image. */
static void boxes_of_any_ratio(void) {
  float in[16] = {0}, out[16];
  pl_rows_info info = image(PL_F32, 1, 4, 4);
  pl_step erase = {.kind = PL_STEP_ERASE, .probability = 1, .value = 9, .scale = {0.5, 0.6},
                   .ratio = {1e300, 1e308}};
  OK(pl_step_run(&erase, &info, &key, in, out));
  CHECK(memcmp(in, out, sizeof in) == 0);
}

/* Which window of the padded image is it? Each pixel names its place. */
static bool is_window(const uint8_t *out, int top, int left) {
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 4; x++) {
      int row = top + y, column = left + x;
      bool inside = row >= 0 && row < 4 && column >= 0 && column < 5;
      if (out[y * 4 + x] != (inside ? 1 + row * 5 + column : 200)) return false;
    }
  return true;
}

static void crop_gives_every_window(void) {
  uint8_t in[20], out[12];
  for (int i = 0; i < 20; i++) in[i] = (uint8_t)(i + 1);
  pl_step step = {.kind = PL_STEP_CROP, .height = 3, .width = 4, .padding = 1, .value = 200};
  pl_rows_info info = image(PL_U8, 1, 4, 5);
  int seen[4][4] = {{0}}, windows = 0;
  for (uint64_t sample = 1; sample <= 400; sample++) {
    pl_key at = {.seed = 7, .epoch = 1, .sample = sample};
    OK(pl_step_run(&step, &info, &at, in, out));
    int found = 0;
    for (int top = -1; top <= 2; top++)
      for (int left = -1; left <= 2; left++)
        if (is_window(out, top, left)) found++, windows += seen[top + 1][left + 1]++ == 0;
    CHECK(found == 1);
  }
  CHECK(windows == 16);
  step.height = 7;
  CHECK(pl_step_run(&step, &info, &key, in, out) == PL_ESHAPE);
}

static void flip_happens_as_often_as_asked(void) {
  float in[12], out[12];
  for (int i = 0; i < 12; i++) in[i] = (float)i;
  pl_step step = {.kind = PL_STEP_FLIP, .probability = 0.25};
  pl_rows_info info = image(PL_F32, 2, 2, 3);
  int flipped = 0;
  for (uint64_t sample = 1; sample <= 4000; sample++) {
    pl_key at = {.seed = 7, .epoch = 1, .sample = sample};
    OK(pl_step_run(&step, &info, &at, in, out));
    if (out[0] == 2) {
      CHECK(near(out, (float[]){2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9}, 12));
      flipped++;
    } else {
      CHECK(near(out, in, 12));
    }
  }
  CHECK(flipped > 900 && flipped < 1100);
}

/* One box of the value in every channel, of a share and ratio within the limits. */
static void erasing_sets_a_box(void) {
  enum { SIDE = 32 };
  static float in[2 * SIDE * SIDE], out[2 * SIDE * SIDE];
  for (int i = 0; i < 2 * SIDE * SIDE; i++) in[i] = 1;
  pl_step step = {.kind = PL_STEP_ERASE, .probability = 1, .value = -4,
                  .scale = {0.1, 0.3}, .ratio = {0.5, 2}};
  pl_rows_info info = image(PL_F32, 2, SIDE, SIDE);
  for (uint64_t sample = 1; sample <= 100; sample++) {
    pl_key at = {.seed = 7, .epoch = 1, .sample = sample};
    OK(pl_step_run(&step, &info, &at, in, out));
    int top = SIDE, left = SIDE, bottom = -1, right = -1, n = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
      CHECK(out[i] == out[SIDE * SIDE + i] && (out[i] == 1 || out[i] == -4));
      if (out[i] == 1) continue;
      int y = i / SIDE, x = i % SIDE;
      n++;
      top = y < top ? y : top, bottom = y > bottom ? y : bottom;
      left = x < left ? x : left, right = x > right ? x : right;
    }
    int height = bottom - top + 1, width = right - left + 1;
    CHECK(n == height * width);
    CHECK(n > 0.08 * SIDE * SIDE && n < 0.33 * SIDE * SIDE);
    CHECK(height <= 2.2 * width && width <= 2.2 * height);
  }
  step.probability = 0;
  OK(pl_step_run(&step, &info, &key, in, out));
  CHECK(near(out, in, 2 * SIDE * SIDE));
}

/* What a key and a call number draw is theirs alone. */
static void keys_and_calls_differ(void) {
  uint8_t in[64], first[64], other[64];
  for (int i = 0; i < 64; i++) in[i] = (uint8_t)i;
  pl_step step = {.kind = PL_STEP_CROP, .height = 8, .width = 8, .padding = 8};
  pl_rows_info info = image(PL_U8, 1, 8, 8);
  OK(pl_step_run(&step, &info, &key, in, first));
  OK(pl_step_run(&step, &info, &key, in, other));
  CHECK(memcmp(first, other, 64) == 0);
  pl_key keys[3] = {key, key, key};
  keys[0].seed++, keys[1].epoch++, keys[2].sample++;
  for (int i = 0; i < 3; i++) {
    OK(pl_step_run(&step, &info, &keys[i], in, other));
    CHECK(memcmp(first, other, 64) != 0);
  }
  step.call = 1;
  OK(pl_step_run(&step, &info, &key, in, other));
  CHECK(memcmp(first, other, 64) != 0);
}

static void only_images_are_cropped(void) {
  pl_step step = {.kind = PL_STEP_FLIP};
  pl_rows_info info = {.dtype = PL_F32, .rank = 1, .row_elements = 3, .row_bytes = 12,
                       .sizes = {3}};
  pl_rows_info out;
  CHECK(pl_step_describe(&step, &info, &out) == PL_ESHAPE);
  info = image(PL_I64, 1, 2, 2);
  CHECK(pl_step_describe(&step, &info, &out) == PL_EDTYPE);
  step.kind = PL_STEP_RESIZE + 1;
  CHECK(pl_step_describe(&step, &info, &out) == PL_EARGUMENT);
}

/* ---- sources ------------------------------------------------------------------------------ */

enum { N = 9, SIDE = 6 };

static pl_source *make_source(void) {
  uint8_t pixels[N * SIDE * SIDE];
  int64_t sizes[3] = {N, SIDE, SIDE};
  for (int i = 0; i < N * SIDE * SIDE; i++) pixels[i] = (uint8_t)(i * 37);
  pl_tensor t = 0;
  pl_field field = {.transform_count = 1, .transforms = {{.kind = PL_TRANSFORM_CAST,
                                                          .dtype = PL_F32}}};
  pl_source *source = NULL;
  OK(pl_tensor_empty(cpu(), PL_U8, 3, sizes, &t));
  OK(pl_tensor_write(t, pixels, sizeof pixels));
  OK(pl_rows_of_tensor(t, &field.rows));
  pl_tensor_release(t);
  OK(pl_source_new(&field, 1, &source));
  pl_rows_free(field.rows);
  return source;
}

/* Steps by hand on plain rows, and the same steps inside a source, joined and selected. */
static void sources_run_their_steps(void) {
  pl_step steps[3] = {{.kind = PL_STEP_CROP, .height = 5, .width = 4, .padding = 2},
                      {.kind = PL_STEP_FLIP, .probability = 0.5, .call = 1},
                      {.kind = PL_STEP_NORMALIZE, .channels = 1, .mean = {3}, .std = {2}}};
  pl_source *plain = make_source(), *some = NULL, *selected = NULL, *joined = NULL;
  int64_t positions[3] = {8, 0, 4};
  pl_rows_info info;
  OK(pl_source_transform(plain, 0, steps, 2, &some));
  OK(pl_source_select(some, positions, 3, &selected));
  pl_source *both[2] = {some, selected}, *final = NULL;
  OK(pl_source_concat(both, 2, &joined));
  OK(pl_source_transform(joined, 0, steps + 2, 1, &final));
  OK(pl_source_describe(final, 0, &info));
  CHECK(info.count == N + 3 && info.sizes[0] == 5 && info.sizes[1] == 4);
  OK(pl_source_describe(plain, 0, &info));
  CHECK(info.sizes[0] == SIDE);
  for (int64_t i = 0; i < N + 3; i++) {
    float row[SIDE * SIDE], a[SIDE * SIDE], b[SIDE * SIDE], got[20];
    pl_key at = {.seed = 5, .epoch = 1, .sample = (uint64_t)i + 1};
    pl_rows_info now = info;
    OK(pl_source_read(plain, i < N ? i : positions[i - N], 0, &at, row));
    OK(pl_step_run(&steps[0], &now, &at, row, a));
    OK(pl_step_describe(&steps[0], &now, &now));
    OK(pl_step_run(&steps[1], &now, &at, a, b));
    OK(pl_step_run(&steps[2], &now, &at, b, a));
    OK(pl_source_read(final, i, 0, &at, got));
    CHECK(memcmp(got, a, sizeof got) == 0);
  }
  CHECK(pl_source_transform(plain, 1, steps, 1, &some) == PL_EARGUMENT);
  steps[0].height = 11;
  CHECK(pl_source_transform(plain, 0, steps, 1, &some) == PL_ESHAPE);
  pl_source_free(plain);
  pl_source_free(both[0]);
  pl_source_free(selected);
  pl_source_free(joined);
  pl_source_free(final);
}

static void too_many_steps(void) {
  pl_step steps[PL_MAX_STEPS + 1];
  memset(steps, 0, sizeof steps);
  pl_source *plain = make_source(), *full = NULL, *over = NULL;
  OK(pl_source_transform(plain, 0, steps, PL_MAX_STEPS, &full));
  CHECK(pl_source_transform(full, 0, steps, 1, &over) == PL_EARGUMENT);
  pl_source_free(plain);
  pl_source_free(full);
}

int main(void) {
  UNIT(to_float_divides);
  UNIT(normalize_takes_channels);
  UNIT(resize_is_bilinear);
  UNIT(sizes_are_limited);
  UNIT(values_fit_the_dtype);
  UNIT(boxes_of_any_ratio);
  UNIT(crop_gives_every_window);
  UNIT(flip_happens_as_often_as_asked);
  UNIT(erasing_sets_a_box);
  UNIT(keys_and_calls_differ);
  UNIT(only_images_are_cropped);
  UNIT(sources_run_their_steps);
  UNIT(too_many_steps);
  return units_end();
}
