#pragma once

#include <mutex>

namespace millrace {

// Wakes one thread's event loop. Any thread rings; the function must not block and must not ring.
// The thread it wakes makes it, and detaches it before whatever the function uses goes away: when
// detach() returns, nobody is in the function and nobody will enter it again. That is what makes a
// thread-safe function survive the end of its environment.
// Owned by shared pointers, so that a ring that comes late finds it. Costs a mutex and the call.
class Bell {
 public:
  using Function = void (*)(void* context);

  Bell(Function function, void* context) : function_(function), context_(context) {}
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void ring() {
    // Not a spin lock: the function may enter the system.
    const std::lock_guard guard(lock_);
    if (function_ != nullptr) function_(context_);
  }

  void detach() {
    const std::lock_guard guard(lock_);
    function_ = nullptr;
  }

 private:
  std::mutex lock_;
  Function function_;
  void* context_;
};

}  // namespace millrace
