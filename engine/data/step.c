/*
** step.c -- what steps do to a row, seen as channels x height x width. Names and numbers are
** torchvision's. Rows are dense; source and result never overlap.
*/
#include "step.h"
#include "philox.h"
#include "status.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_TRANSFORM = 4, ERASE_TRIES = 10 };

/* ---- random numbers ----------------------------------------------------------------------- */

static void draw(const pl_key *key, const pl_step *step, uint64_t block, uint32_t words[4]) {
  uint64_t place = key->epoch << 32 | (key->sample & UINT32_MAX);
  philox_words(key->seed, STREAM_TRANSFORM, place, (uint32_t)step->call,
               (key->sample >> 32) << 32 | block, words);
}

static double uniform(uint32_t word) { return (double)(word >> 8) * 0x1p-24; }

static int64_t below(const uint32_t words[2], int64_t n) {
  return (int64_t)philox_below((uint64_t)words[0] << 32 | words[1], (uint64_t)n);
}

/* ---- shapes ------------------------------------------------------------------------------- */

static bool is_image(const pl_rows_info *info) { return info->rank == 2 || info->rank == 3; }
static int64_t height_of(const pl_rows_info *info) { return info->sizes[info->rank - 2]; }
static int64_t width_of(const pl_rows_info *info) { return info->sizes[info->rank - 1]; }
static int64_t channels_of(const pl_rows_info *info) {
  return info->rank == 3 ? info->sizes[0] : 1;
}

static const char *const names[] = { "to_float", "normalize", "random_crop", "horizontal_flip",
                                     "random_erasing", "resize" };

static pl_status refuse(const pl_step *step, const pl_rows_info *in, const char *wanted) {
  return status_fail(PL_ESHAPE, names[step->kind], NULL,
                     "%s takes %s, not rows of %d dimensions of %s", names[step->kind], wanted,
                     in->rank, pl_dtype_name(in->dtype));
}

static pl_status check_numbers(const pl_step *step, const pl_rows_info *in) {
  if (step->kind == PL_STEP_NORMALIZE || step->kind == PL_STEP_RESIZE) {
    if (in->dtype != PL_F32)
      return status_fail(PL_EDTYPE, names[step->kind], NULL, "%s takes f32, not %s; put to_float "
                         "before it", names[step->kind], pl_dtype_name(in->dtype));
  } else if (in->dtype != PL_F32 && in->dtype != PL_U8) {
    return status_fail(PL_EDTYPE, names[step->kind], NULL, "%s takes f32 and u8, not %s",
                       names[step->kind], pl_dtype_name(in->dtype));
  }
  return PL_OK;
}

static pl_status check_channels(const pl_step *step, const pl_rows_info *in) {
  if (step->channels < 1 || step->channels > PL_MAX_CHANNELS)
    return status_fail(PL_EARGUMENT, "normalize", "mean", "normalize: 1 to %d channels, not %d",
                       PL_MAX_CHANNELS, step->channels);
  if (step->channels > 1 && (!is_image(in) || channels_of(in) != step->channels))
    return status_fail(PL_ESHAPE, "normalize", "mean", "normalize: mean and std have %d channels, "
                       "the image has %lld", step->channels,
                       is_image(in) ? (long long)channels_of(in) : 0LL);
  for (int32_t i = 0; i < step->channels; i++)
    if (!(step->std[i] > 0))
      return status_fail(PL_EARGUMENT, "normalize", "std", "normalize: std must be above 0, got %g",
                         step->std[i]);
  return PL_OK;
}

static pl_status check_crop(const pl_step *step, const pl_rows_info *in) {
  if (step->padding > INT32_MAX)
    return status_fail(PL_ESHAPE, "random_crop", "padding", "random_crop: padding is %d at most, "
                       "not %lld", INT32_MAX, (long long)step->padding);
  int64_t rows = height_of(in) + 2 * step->padding, columns = width_of(in) + 2 * step->padding;
  if (step->padding >= 0 && step->height >= 1 && step->width >= 1 && step->height <= rows &&
      step->width <= columns)
    return PL_OK;
  return status_fail(PL_ESHAPE, "random_crop", "size", "random_crop: %lldx%lld does not fit an "
                     "image of %lldx%lld, padding included", (long long)step->height,
                     (long long)step->width, (long long)rows, (long long)columns);
}

/* What is put in place of elements is one of their dtype. */
static pl_status check_value(const pl_step *step, const pl_rows_info *in, const char *argument) {
  double value = step->value;
  if (in->dtype != PL_U8 || (value >= 0 && value <= UINT8_MAX && value == rint(value)))
    return PL_OK;
  return status_fail(PL_EARGUMENT, names[step->kind], argument, "%s: %s must be a whole number "
                     "from 0 to 255 in an image of u8, got %g", names[step->kind], argument, value);
}

/* Erased shares and ratios are taken logarithms and roots of. */
static pl_status check_erase(const pl_step *step) {
  const double *share = step->scale, *ratio = step->ratio;
  if (share[0] >= 0 && share[1] >= share[0] && share[1] <= 1 && ratio[0] > 0
      && ratio[1] >= ratio[0] && ratio[1] < INFINITY) return PL_OK;
  return status_fail(PL_EARGUMENT, "random_erasing", "scale", "random_erasing: scale must lie in "
                     "0..1 and ratio above 0, the smaller number first; got %g..%g and %g..%g",
                     share[0], share[1], ratio[0], ratio[1]);
}

static pl_status set_size(const pl_step *step, pl_rows_info *info, int64_t height, int64_t width) {
  int64_t channels = channels_of(info), elements;
  info->sizes[info->rank - 2] = height;
  info->sizes[info->rank - 1] = width;
  if (__builtin_mul_overflow(height, width, &elements)
      || __builtin_mul_overflow(elements, channels, &elements) || elements > INT64_MAX / 16)
    return status_fail(PL_ESHAPE, names[step->kind], "size", "%s: an image of %lldx%lld is beyond "
                       "any memory", names[step->kind], (long long)height, (long long)width);
  info->row_elements = elements;
  return PL_OK;
}

/* width 0: the smaller edge becomes `height`, the other one keeps the ratio. */
static pl_status set_resized(const pl_step *step, pl_rows_info *info) {
  int64_t height = step->height, width = step->width, h = height_of(info), w = width_of(info);
  if (height < 1 || width < 0 || height > INT32_MAX || width > INT32_MAX || h < 1 || w < 1 ||
      h > INT32_MAX || w > INT32_MAX)
    return status_fail(PL_ESHAPE, "resize", "size", "resize: sizes are 1 or more, not %lldx%lld "
                       "for an image of %lldx%lld", (long long)height, (long long)width,
                       (long long)h, (long long)w);
  if (width == 0 && h <= w) width = height * w / h;
  else if (width == 0) width = height, height = height * h / w;
  return set_size(step, info, height, width);
}

pl_status pl_step_describe(const pl_step *step, const pl_rows_info *in, pl_rows_info *out) {
  pl_status s = PL_OK;
  pl_rows_info result = *in;
  if (step->kind < 0 || step->kind > PL_STEP_RESIZE)
    return status_fail(PL_EARGUMENT, NULL, "transform", "there is no step %d", step->kind);
  if (step->kind > PL_STEP_NORMALIZE && !is_image(in))
    return refuse(step, in, "images of height x width or channels x height x width");
  if ((s = check_numbers(step, in))) return s;
  switch (step->kind) {
  case PL_STEP_TO_FLOAT: result.dtype = PL_F32; break;
  case PL_STEP_NORMALIZE: s = check_channels(step, in); break;
  case PL_STEP_CROP:
    s = check_crop(step, in);
    if (!s) s = check_value(step, in, "fill");
    if (!s) s = set_size(step, &result, step->height, step->width);
    break;
  case PL_STEP_ERASE:
    s = check_erase(step);
    if (!s) s = check_value(step, in, "value");
    break;
  case PL_STEP_RESIZE: s = set_resized(step, &result); break;
  default: break;
  }
  if (s) return s;
  result.row_bytes = result.row_elements * pl_dtype_size(result.dtype);
  *out = result;
  return PL_OK;
}

/* ---- values ------------------------------------------------------------------------------- */

static void run_to_float(const pl_rows_info *in, const void *src, void *dst) {
  if (in->dtype == PL_F32) {
    memcpy(dst, src, (size_t)in->row_bytes);
    return;
  }
  const uint8_t *restrict from = src;
  float *restrict to = dst;
  for (int64_t i = 0; i < in->row_elements; i++) to[i] = (float)from[i] / 255.0f;
}

static void run_normalize(const pl_step *step, const pl_rows_info *in, const void *src, void *dst) {
  int64_t n = in->row_elements / step->channels;
  for (int32_t c = 0; c < step->channels; c++) {
    const float *restrict from = (const float *)src + c * n;
    float *restrict to = (float *)dst + c * n;
    float mean = (float)step->mean[c], std = (float)step->std[c];
    for (int64_t i = 0; i < n; i++) to[i] = (from[i] - mean) / std;
  }
}

/* ---- geometry ----------------------------------------------------------------------------- */

static void set_elements(int32_t dtype, char *dst, int64_t n, double value) {
  if (dtype == PL_U8) {
    memset(dst, (int)value, (size_t)n);
    return;
  }
  for (int64_t i = 0; i < n; i++) ((float *)dst)[i] = (float)value;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/* The window at (top, left) of the image, which lies at (0, 0); what is outside is `value`. */
static void copy_window(const pl_step *step, const pl_rows_info *in, int64_t top, int64_t left,
                        const char *src, char *dst) {
  int64_t h = height_of(in), w = width_of(in), size = pl_dtype_size(in->dtype);
  int64_t first = clamp(-left, 0, step->width), last = clamp(w - left, first, step->width);
  for (int64_t c = 0; c < channels_of(in); c++)
    for (int64_t y = 0; y < step->height; y++) {
      char *to = dst + (c * step->height + y) * step->width * size;
      int64_t row = top + y;
      bool inside = row >= 0 && row < h;
      int64_t from = inside ? first : step->width, until = inside ? last : step->width;
      set_elements(in->dtype, to, from, step->value);
      if (until > from)
        memcpy(to + from * size, src + ((c * h + row) * w + left + from) * size,
               (size_t)((until - from) * size));
      set_elements(in->dtype, to + until * size, step->width - until, step->value);
    }
}

static void run_crop(const pl_step *step, const pl_rows_info *in, const pl_key *key,
                     const void *src, void *dst) {
  uint32_t words[4];
  draw(key, step, 0, words);
  int64_t top = below(words, height_of(in) + 2 * step->padding - step->height + 1);
  int64_t left = below(words + 2, width_of(in) + 2 * step->padding - step->width + 1);
  copy_window(step, in, top - step->padding, left - step->padding, src, dst);
}

static void run_flip(const pl_step *step, const pl_rows_info *in, const pl_key *key,
                     const void *src, void *dst) {
  uint32_t words[4];
  draw(key, step, 0, words);
  if (uniform(words[0]) >= step->probability) {
    memcpy(dst, src, (size_t)in->row_bytes);
    return;
  }
  int64_t w = width_of(in), rows = channels_of(in) * height_of(in);
  for (int64_t y = 0; y < rows; y++)
    for (int64_t x = 0; x < w; x++) {
      int64_t to = y * w + x, from = y * w + w - 1 - x;
      if (in->dtype == PL_U8) ((uint8_t *)dst)[to] = ((const uint8_t *)src)[from];
      else ((float *)dst)[to] = ((const float *)src)[from];
    }
}

typedef struct box { int64_t top, left, height, width; } box;

/* A box smaller than the image, of a share and a ratio drawn between their limits. */
static bool draw_box(const pl_step *step, const pl_rows_info *in, const pl_key *key, box *out) {
  int64_t h = height_of(in), w = width_of(in);
  double low = log(step->ratio[0]), high = log(step->ratio[1]);
  uint32_t words[4];
  for (uint64_t i = 0; i < ERASE_TRIES; i++) {
    draw(key, step, 1 + 2 * i, words);
    double share = step->scale[0] + (step->scale[1] - step->scale[0]) * uniform(words[0]);
    double area = share * (double)(h * w), ratio = exp(low + (high - low) * uniform(words[1]));
    double height = rint(sqrt(area * ratio)), width = rint(sqrt(area / ratio));
    if (!(height < (double)h && width < (double)w)) continue;
    out->height = (int64_t)height;
    out->width = (int64_t)width;
    draw(key, step, 2 + 2 * i, words);
    out->top = below(words, h - out->height + 1);
    out->left = below(words + 2, w - out->width + 1);
    return true;
  }
  return false;
}

static void run_erase(const pl_step *step, const pl_rows_info *in, const pl_key *key,
                      const void *src, void *dst) {
  uint32_t words[4];
  box b;
  memcpy(dst, src, (size_t)in->row_bytes);
  draw(key, step, 0, words);
  if (uniform(words[0]) >= step->probability || !draw_box(step, in, key, &b)) return;
  int64_t h = height_of(in), w = width_of(in), size = pl_dtype_size(in->dtype);
  for (int64_t c = 0; c < channels_of(in); c++)
    for (int64_t y = 0; y < b.height; y++)
      set_elements(in->dtype, (char *)dst + ((c * h + b.top + y) * w + b.left) * size, b.width,
                   step->value);
}

/* ---- bilinear: pixels are areas, their centres are matched (align_corners = False) --------- */

typedef struct tap { int64_t low, high; float part; } tap;

static tap tap_at(int64_t i, int64_t from, int64_t to) {
  float at = ((float)i + 0.5f) * ((float)from / (float)to) - 0.5f;
  if (at < 0) at = 0;
  int64_t low = (int64_t)at < from - 1 ? (int64_t)at : from - 1;
  return (tap){ low, low < from - 1 ? low + 1 : low, at - (float)low };
}

static void run_resize(const pl_rows_info *in, const pl_rows_info *out, const void *src,
                       void *dst) {
  int64_t h = height_of(in), w = width_of(in), rows = height_of(out), columns = width_of(out);
  float *to = dst;
  for (int64_t c = 0; c < channels_of(in); c++) {
    const float *image = (const float *)src + c * h * w;
    for (int64_t y = 0; y < rows; y++) {
      tap v = tap_at(y, h, rows);
      const float *above = image + v.low * w, *under = image + v.high * w;
      for (int64_t x = 0; x < columns; x++) {
        tap u = tap_at(x, w, columns);
        float first = (1 - u.part) * above[u.low] + u.part * above[u.high];
        float second = (1 - u.part) * under[u.low] + u.part * under[u.high];
        *to++ = (1 - v.part) * first + v.part * second;
      }
    }
  }
}

static void run(const pl_step *step, const pl_rows_info *in, const pl_rows_info *out,
                const pl_key *key, const void *src, void *dst) {
  switch (step->kind) {
  case PL_STEP_TO_FLOAT: run_to_float(in, src, dst); break;
  case PL_STEP_NORMALIZE: run_normalize(step, in, src, dst); break;
  case PL_STEP_CROP: run_crop(step, in, key, src, dst); break;
  case PL_STEP_FLIP: run_flip(step, in, key, src, dst); break;
  case PL_STEP_ERASE: run_erase(step, in, key, src, dst); break;
  default: run_resize(in, out, src, dst);
  }
}

pl_status pl_step_run(const pl_step *step, const pl_rows_info *in, const pl_key *key,
                      const void *src, void *dst) {
  pl_rows_info out;
  pl_status s = pl_step_describe(step, in, &out);
  if (!s) run(step, in, &out, key, src, dst);
  return s;
}

/* ---- one after the other ------------------------------------------------------------------ */

static pl_status append(pipeline *p, const pl_step *step) {
  if (p->n == PL_MAX_STEPS)
    return status_fail(PL_EARGUMENT, NULL, "transform", "a field has at most %d steps",
                       PL_MAX_STEPS);
  pl_status s = pl_step_describe(step, &p->infos[p->n], &p->infos[p->n + 1]);
  if (s) return s;
  p->steps[p->n++] = *step;
  return PL_OK;
}

pl_status pipeline_extend(const pipeline *before, const pl_rows_info *in, const pl_step *steps,
                          int32_t n, pipeline **out) {
  pipeline *p = calloc(1, sizeof *p);
  if (!p) return status_fail(PL_EMEMORY, NULL, NULL, "out of memory while making a transform");
  if (before) *p = *before;
  else p->infos[0] = *in;
  for (int32_t i = 0; i < n; i++) {
    pl_status s = append(p, &steps[i]);
    if (s) {
      free(p);
      return s;
    }
  }
  *out = p;
  return PL_OK;
}

int64_t pipeline_row_bytes(const pipeline *p) {
  int64_t most = 0;
  for (int32_t i = 0; i < p->n; i++)
    if (p->infos[i].row_bytes > most) most = p->infos[i].row_bytes;
  return most;
}

void pipeline_run(const pipeline *p, const pl_key *key, const void *src, char *scratch,
                  void *dst) {
  int64_t bytes = pipeline_row_bytes(p);
  for (int32_t i = 0; i < p->n; i++) {
    void *to = i == p->n - 1 ? dst : scratch + (src == scratch ? bytes : 0);
    run(&p->steps[i], &p->infos[i], &p->infos[i + 1], key, src, to);
    src = to;
  }
}
