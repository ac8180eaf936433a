#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "isolate_stack.h"

// The doors of JavaScript threads, by which others wake them. Part of binding.cc.

namespace {

// The way into one JavaScript thread's event loop. Any thread may ring and ask for the stack; the
// thread it belongs to opens and shuts it. Owns a thread-safe function with a queue of one, so any
// number of rings before the thread comes to it are one call. Costs a mutex, and 2 us when the
// loop sleeps.
//
// shut() takes the same lock as ring(): when it returns nobody is in the function and nobody will
// enter it again, which is what makes the function survive the end of its environment.
class Door {
 public:
  Door(napi_threadsafe_function bell, IsolateHandle isolate) : bell_(bell), isolate_(isolate) {}
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  void ring() {
    const std::lock_guard guard(lock_);
    if (bell_ != nullptr) napi_call_threadsafe_function(bell_, nullptr, napi_tsfn_nonblocking);
  }

  // Owner. Whether the event loop is kept alive.
  void hold(napi_env env, bool on) {
    if (bell_ == nullptr) return;
    on ? napi_ref_threadsafe_function(env, bell_) : napi_unref_threadsafe_function(env, bell_);
  }

  // Owner. Idempotent.
  void shut() {
    napi_threadsafe_function bell;
    {
      const std::lock_guard guard(lock_);
      bell = std::exchange(bell_, nullptr);
      isolate_ = nullptr;
    }
    if (bell != nullptr) napi_release_threadsafe_function(bell, napi_tsfn_abort);
  }

  // False where stacks cannot be had. take_stack() answers it as soon as the thread runs
  // JavaScript, which one that sits in a native call does not.
  bool request_stack([[maybe_unused]] std::uint32_t id) {
    const std::lock_guard guard(lock_);
    stack_.clear();
    if (isolate_ == nullptr) return false;
#ifdef MILLRACE_ISOLATE_STACK
    // The number, not a pointer: the interrupt may come when the door is gone.
    interrupt(isolate_, &Door::on_interrupt, reinterpret_cast<void*>(std::uintptr_t{id}));
#endif
    return true;
  }

  // Empty: there is none, or not yet.
  std::string take_stack() {
    const std::lock_guard guard(lock_);
    return std::exchange(stack_, {});
  }

 private:
#ifdef MILLRACE_ISOLATE_STACK
  static void on_interrupt(v8::Isolate* isolate, void* id);
#endif

  std::mutex lock_;
  napi_threadsafe_function bell_;
  IsolateHandle isolate_;
  std::string stack_;
};

// All doors of the process, by number. Numbers are not used twice within four billion.
class Doors {
 public:
  // Never destroyed: threads may ring while the process exits.
  static Doors& instance() {
    static Doors* const doors = new Doors;
    return *doors;
  }

  std::uint32_t add(std::shared_ptr<Door> door) {
    const std::lock_guard guard(lock_);
    while (++last_ == 0 || doors_.contains(last_)) {
    }
    doors_.emplace(last_, std::move(door));
    return last_;
  }

  std::shared_ptr<Door> find(std::uint32_t id) {
    const std::lock_guard guard(lock_);
    const auto found = doors_.find(id);
    return found == doors_.end() ? nullptr : found->second;
  }

  void remove(std::uint32_t id) {
    const std::lock_guard guard(lock_);
    doors_.erase(id);
  }

 private:
  std::mutex lock_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Door>> doors_;
  std::uint32_t last_ = 0;
};

#ifdef MILLRACE_ISOLATE_STACK
inline void Door::on_interrupt(v8::Isolate* isolate, void* id) {
  const auto number = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(id));
  const std::shared_ptr<Door> door = Doors::instance().find(number);
  if (door == nullptr) return;
  std::string stack = current_stack(isolate);
  const std::lock_guard guard(door->lock_);
  door->stack_ = std::move(stack);
}
#endif

}  // namespace
