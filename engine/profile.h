/* profile.h -- where ops report when they begin and end; off, it costs one branch. */
#pragma once
#include "tensor.h"

void profile_enter(int op, bool backward);
void profile_leave(void);

/* Between ops only, so that whatever begins also ends. */
static inline bool profile_is_on(void) { return context_here()->shared.profile != 0; }
