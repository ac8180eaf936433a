#pragma once

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "millrace/base/spin_lock.h"

namespace millrace {

// Something with native threads that must be gone before the process's static objects are. On
// process.exit() and on an uncaught error Node runs no cleanup hooks of the main environment, but
// exit() does destroy statics, under whatever threads live on. So whatever starts threads registers
// here, and an atexit handler, set when the first one does, stops them.
// Any thread registers. Owns nothing: forget() comes before destruction.
class StopAtExit {
 public:
  virtual void stop_for_exit() = 0;

  void remember() {
    Registry& registry = Registry::instance();
    bool first = false;
    {
      const std::lock_guard guard(registry.lock);
      next_ = registry.head;
      if (next_ != nullptr) next_->previous_ = this;
      registry.head = this;
      listed_ = true;
      first = !std::exchange(registry.registered, true);
    }
    if (first) std::atexit(&StopAtExit::stop_all);
  }

  void forget() {
    Registry& registry = Registry::instance();
    const std::lock_guard guard(registry.lock);
    unlink(registry);
  }

 protected:
  ~StopAtExit() = default;

 private:
  // No destructor: it must be there after the statics are gone.
  struct Registry {
    SpinLock lock;
    StopAtExit* head = nullptr;
    bool registered = false;

    static Registry& instance() {
      alignas(Registry) static unsigned char memory[sizeof(Registry)];
      static Registry* const registry = new (memory) Registry();
      return *registry;
    }
  };

  void unlink(Registry& registry) {
    if (!listed_) return;
    if (previous_ != nullptr) previous_->next_ = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    if (registry.head == this) registry.head = next_;
    previous_ = next_ = nullptr;
    listed_ = false;
  }

  static void stop_all() {
    Registry& registry = Registry::instance();
    for (;;) {
      StopAtExit* one;
      {
        const std::lock_guard guard(registry.lock);
        one = registry.head;
        if (one == nullptr) return;
        one->unlink(registry);
      }
      one->stop_for_exit();
    }
  }

  StopAtExit* previous_ = nullptr;
  StopAtExit* next_ = nullptr;
  bool listed_ = false;
};

}  // namespace millrace
