#pragma once

#include <mutex>

#include "millrace/base/spin_lock.h"

namespace millrace {

// How a native thread wakes a JavaScript thread that may be torn down at any moment. The function
// is called under a lock that detach() takes, so that after detach() nobody is inside it and nobody
// will be: the acknowledgement which the teardown of an environment needs before it lets its
// thread-safe function go. Any thread rings; the environment's thread attaches and detaches. Owns
// nothing.
class Doorbell {
 public:
  using Function = void (*)(void* context);

  void attach(Function function, void* context) {
    const std::lock_guard guard(lock_);
    function_ = function;
    context_ = context;
  }

  void detach() {
    const std::lock_guard guard(lock_);
    function_ = nullptr;
  }

  void ring() {
    const std::lock_guard guard(lock_);
    if (function_ != nullptr) function_(context_);
  }

 private:
  SpinLock lock_;
  Function function_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace millrace
