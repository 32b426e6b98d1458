/*
** real.h -- for bodies written once and included for f32 and f64 (files *_real.h): with REAL
** defined as f32, R(load) is load_f32.
*/
#pragma once
#include "vec.h"

#define REAL_PASTE_(name, suffix) name##_##suffix
#define REAL_PASTE(name, suffix) REAL_PASTE_(name, suffix)
#define R(name) REAL_PASTE(name, REAL)
