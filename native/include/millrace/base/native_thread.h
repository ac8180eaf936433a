#pragma once

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "millrace/base/system_error.h"

namespace millrace {

// A thread with a name, a small stack and all signals blocked (they are for Node's main thread).
// One thread starts and joins it. Owns the thread: destroying a started one that was not joined is
// a mistake.
class NativeThread {
 public:
  static constexpr std::size_t kStackBytes = 256 * 1024;

  NativeThread() = default;
  NativeThread(const NativeThread&) = delete;
  NativeThread& operator=(const NativeThread&) = delete;

  // `name` has at most 15 characters.
  SystemError start(const char* name, std::function<void()> body) {
    body_ = std::move(body);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&thread_, &attributes, &NativeThread::run, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (code != 0) return {code, "pthread_create"};
    started_ = true;
    pthread_setname_np(thread_, name);
    return {};
  }

  void join() {
    if (!started_) return;
    pthread_join(thread_, nullptr);
    started_ = false;
  }

 private:
  static void* run(void* self) {
    static_cast<NativeThread*>(self)->body_();
    return nullptr;
  }

  pthread_t thread_{};
  bool started_ = false;
  std::function<void()> body_;
};

}  // namespace millrace
