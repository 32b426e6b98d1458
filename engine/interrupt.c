/*
** interrupt.c -- signals that ask the process to stop: Ctrl-C (SIGINT), SIGTERM, SIGUSR1. They are
** only counted here; ops and the Trainer look at the count. The third that nobody took does what
** it does to any process, since compiled loops look at nothing. Whoever takes them starts the count
** anew. The first one since then decides what the process says and how it exits.
*/
#include "base.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int watched[] = { SIGINT, SIGTERM, SIGUSR1 };
enum { WATCHED = sizeof watched / sizeof *watched };

static atomic_int count, first;
static void (*on_second)(void);
static struct sigaction before[WATCHED];
static bool replaced[WATCHED];
static int watchers;

void pl_interrupt_raise(int32_t number) {
  int none = 0;
  atomic_compare_exchange_strong(&first, &none, number);
  atomic_fetch_add(&count, 1);
}

int32_t pl_interrupt_pending(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

void pl_interrupt_clear(void) {
  atomic_store(&first, 0);
  atomic_store(&count, 0);
}

const char *pl_interrupt_name(void) {
  switch (atomic_load(&first)) {
    case SIGTERM: return "SIGTERM";
    case SIGUSR1: return "SIGUSR1";
    default: return "Ctrl-C";
  }
}

/* A batch system sends SIGUSR1 ahead of SIGTERM: both end a job alike. */
int32_t pl_interrupt_exit_code(void) {
  int number = atomic_load(&first);
  return number == SIGTERM || number == SIGUSR1 ? 128 + SIGTERM : 128 + SIGINT;
}

static void on_signal(int number) {
  int error = errno;
  pl_interrupt_raise(number);
  int pending = pl_interrupt_pending();
  if (pending == 2 && on_second) on_second();
  if (pending > 2) {
    signal(number, SIG_DFL);
    raise(number);
  }
  errno = error;
}

static void handle(int number, struct sigaction *old) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  /* files are not left half read */
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, old);
}

void pl_interrupt_install(void (*second)(void)) {
  on_second = second;
  handle(SIGINT, NULL);
}

/* Ctrl-C belongs to a run whoever had it; the others only where nobody handles or ignores them. */
static bool is_free(int number, const struct sigaction *now) {
  if (number == SIGINT) return now->sa_handler != on_signal;
  return now->sa_handler == SIG_DFL;
}

void pl_interrupt_watch(int32_t on) {
  if (!on && watchers == 0) return;
  if (on ? watchers++ > 0 : --watchers > 0) return;
  for (int i = 0; i < WATCHED; i++) {
    if (on) {
      sigaction(watched[i], NULL, &before[i]);
      replaced[i] = is_free(watched[i], &before[i]);
      if (replaced[i]) handle(watched[i], NULL);
    } else if (replaced[i]) {
      sigaction(watched[i], &before[i], NULL);
    }
  }
}

/* ---- the exit code ------------------------------------------------------------------------- */

static int failure_code;

static void leave(int code, void *unused) {
  (void)unused;
  if (code != EXIT_FAILURE || !failure_code) return;
  fflush(NULL);
  _exit(failure_code);
}

void pl_process_fail_with(int32_t code) {
  static bool registered;
  if (!registered) on_exit(leave, NULL);
  registered = true;
  failure_code = code;
}
