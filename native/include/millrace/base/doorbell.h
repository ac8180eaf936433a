#pragma once

#include <mutex>

namespace millrace {

// How any thread wakes another one that may go away at any moment. Any thread rings; the one that
// is woken attaches its function, which must not block and must not ring, and detaches it before
// whatever the function uses goes. The function is called under a lock that detach() takes: when
// detach() returns nobody is in it and nobody will enter it again, which is the acknowledgement
// that the teardown of an environment needs before it lets its thread-safe function go. Owns
// nothing; shared by pointer where a ring may come late. Costs an uncontended mutex and the call.
class Doorbell {
 public:
  using Function = void (*)(void* context);

  Doorbell() = default;
  Doorbell(Function function, void* context) : function_(function), context_(context) {}
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

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
  // Not a spin lock: the function may enter the system.
  std::mutex lock_;
  Function function_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace millrace
