#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cstddef>
#include <memory>

namespace millrace::model {

// One thread of a model: code with a stack of its own that runs until it waits, on the checker's
// system thread. Used by that thread only. Owns its stack, which is used again by every start().
// A switch costs tens of nanoseconds: contexts are made by makecontext(), but switched by
// _longjmp(), which makes no system call.
class Fiber {
 public:
  using Body = void (*)(void* context);

  Fiber() : stack_(new std::byte[kStackBytes]) {}

  // What was running on the stack is given up, without destructors.
  void start(Body body, void* context) {
    body_ = body;
    context_ = context;
    started_ = false;
    finished_ = false;
  }

  // The checker: runs the fiber until it waits or ends.
  void resume() {
    if (_setjmp(outside_) != 0) return;
    if (started_) _longjmp(inside_, 1);
    started_ = true;
    ucontext_t entry;
    getcontext(&entry);
    entry.uc_stack.ss_sp = stack_.get();
    entry.uc_stack.ss_size = kStackBytes;
    entry.uc_link = nullptr;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&entry, reinterpret_cast<void (*)()>(&Fiber::enter), 2,
                static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
    setcontext(&entry);
  }

  // The fiber: goes back to where it was resumed.
  void wait() {
    if (_setjmp(inside_) == 0) _longjmp(outside_, 1);
  }

  bool finished() const { return finished_; }

 private:
  static constexpr std::size_t kStackBytes = 128 * 1024;

  static void enter(unsigned high, unsigned low) {
    auto& self = *reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(high) << 32 | low);
    self.body_(self.context_);
    self.finished_ = true;
    _longjmp(self.outside_, 1);
  }

  std::unique_ptr<std::byte[]> stack_;
  jmp_buf outside_;
  jmp_buf inside_;
  Body body_ = nullptr;
  void* context_ = nullptr;
  bool started_ = false;
  bool finished_ = true;
};

}  // namespace millrace::model
