#pragma once

#include <pthread.h>
#include <sched.h>

// While it lives, the calling thread runs on the first or the second of the processors that the
// program was given (on the only one, if there is one).
class Pinned {
 public:
  explicit Pinned(int which) {
    int processor = -1;
    for (int i = 0; i < CPU_SETSIZE && which >= 0; ++i) {
      if (!CPU_ISSET(i, &given())) continue;
      processor = i;
      --which;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { pthread_setaffinity_np(pthread_self(), sizeof given(), &given()); }

 private:
  // As it is before any thread is pinned: a thread inherits what its creator has.
  static const cpu_set_t& given() {
    static const cpu_set_t set = [] {
      cpu_set_t now;
      CPU_ZERO(&now);
      pthread_getaffinity_np(pthread_self(), sizeof now, &now);
      return now;
    }();
    return set;
  }
};
