#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "millrace/queue/byte_queue.h"
#include "millrace/queue/byte_ring.h"
#include "millrace/queue/queue_user.h"
#include "millrace/queue/queue_wait.h"

extern "C" int uv_backend_fd(const struct uv_loop_s* loop);

// What one JavaScript thread has of this addon. Part of binding.cc.

class Environment;

// One JavaScript thread's hold on a queue. Used by that thread only, but for the bell.
class Handle {
 public:
  Handle(Environment& environment, std::uint32_t number,
         std::shared_ptr<millrace::MessageQueue> queue, millrace::ByteRing* ring);
  ~Handle();

  millrace::MessageQueue& queue() { return *queue_; }
  // Null: a queue for many.
  millrace::ByteRing* ring() { return ring_; }

  std::uint64_t address() {
    if (address_ == nullptr) address_ = millrace::QueueUser::make(queue_);
    return address_->address();
  }

 private:
  static void ring_bell(void* handle);

  Environment& environment_;
  const std::uint32_t number_;
  const std::shared_ptr<millrace::MessageQueue> queue_;
  millrace::ByteRing* const ring_;
  millrace::QueueUser* address_ = nullptr;
  const std::shared_ptr<millrace::Doorbell> bell_;
  bool rung_ = false;  // under the environment's lock
  friend class Environment;

 public:
  // Promises that wait, by this thread's event loop; and popSync().
  millrace::Waiter reader;
  millrace::Waiter writer;
  millrace::Waiter sleeper;
};

// All of a thread's handles, by number, and the one way in which other threads reach its event
// loop. The thread's own but for ring(). Ends in the environment's cleanup hook: every handle
// first, so that nobody rings any more, then the thread-safe function.
class Environment {
 public:
  explicit Environment(napi_env env) : env_(env) {
    uv_loop_s* loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) == napi_ok) loop_fd = uv_backend_fd(loop);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  const millrace::MessageQueue::User user = millrace::next_queue_user();
  millrace::LoopSleeper sleeper;
  int loop_fd = -1;
  // Where pop() puts messages for JavaScript; kept by the view of it, too.
  std::shared_ptr<millrace::QueueMemory> pool;

  Handle* find(std::uint32_t number) {
    return number < handles_.size() ? handles_[number].get() : nullptr;
  }

  std::uint32_t add(std::shared_ptr<millrace::MessageQueue> queue, millrace::ByteRing* ring) {
    std::uint32_t number = static_cast<std::uint32_t>(handles_.size());
    if (free_.empty()) {
      handles_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    handles_[number] = std::make_unique<Handle>(*this, number, std::move(queue), ring);
    return number;
  }

  void remove(std::uint32_t number) {
    if (find(number) == nullptr) return;
    // A bell that rang before is answered by a number without a handle.
    handles_[number].reset();
    free_.push_back(number);
  }

  // From here on callback(number) is called for each handle whose waiters were woken. JavaScript
  // may be loaded several times over one addon: each load has a callback, and looks for its own
  // handles.
  napi_status watch(napi_value callback) {
    napi_ref kept = nullptr;
    const napi_status referenced = napi_create_reference(env_, callback, 1, &kept);
    if (referenced != napi_ok) return referenced;
    callbacks_.push_back(kept);
    if (wake_ != nullptr) return napi_ok;
    napi_value name = nullptr;
    napi_create_string_utf8(env_, "millrace.queue", NAPI_AUTO_LENGTH, &name);
    napi_threadsafe_function wake = nullptr;
    // One call may be pending: a second ring says nothing new.
    const napi_status status = napi_create_threadsafe_function(
        env_, nullptr, nullptr, name, 1, 1, nullptr, nullptr, this, &Environment::answer, &wake);
    if (status != napi_ok) return status;
    napi_unref_threadsafe_function(env_, wake);
    // After the function: hooks run in reverse order, and the function must still be there in ours.
    napi_add_env_cleanup_hook(env_, &Environment::end, this);
    wake_ = wake;
    return napi_ok;
  }

  void hold_loop(bool hold) {
    if (wake_ == nullptr) return;
    const bool held = holds_ > 0;
    holds_ += hold ? 1 : -1;
    if (held == holds_ > 0) return;
    hold ? napi_ref_threadsafe_function(env_, wake_) : napi_unref_threadsafe_function(env_, wake_);
  }

  // Any thread, as long as the handle is there.
  void ring(Handle& handle) {
    {
      const std::lock_guard guard(lock_);
      if (handle.rung_) return;
      handle.rung_ = true;
      rung_.push_back(handle.number_);
    }
    napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }

 private:
  static void end(void* environment) {
    auto& self = *static_cast<Environment*>(environment);
    self.handles_.clear();
    napi_release_threadsafe_function(self.wake_, napi_tsfn_abort);
    self.wake_ = nullptr;
  }

  static void answer(napi_env env, napi_value, void* context, void*) {
    if (env == nullptr) return;
    auto& self = *static_cast<Environment*>(context);
    std::vector<std::uint32_t> rung;
    {
      const std::lock_guard guard(self.lock_);
      rung.swap(self.rung_);
      for (const std::uint32_t number : rung) {
        if (Handle* const handle = self.find(number)) handle->rung_ = false;
      }
    }
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    // By index: a callback may bring another one.
    for (std::size_t i = 0; i < self.callbacks_.size(); ++i) {
      for (const std::uint32_t number : rung) {
        napi_value callback = nullptr;
        napi_value argument = nullptr;
        napi_get_reference_value(env, self.callbacks_[i], &callback);
        napi_create_uint32(env, number, &argument);
        if (callback == nullptr || argument == nullptr) return;
        if (napi_call_function(env, undefined, callback, 1, &argument, nullptr) != napi_ok) return;
      }
    }
  }

  const napi_env env_;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::vector<std::uint32_t> free_;
  napi_threadsafe_function wake_ = nullptr;
  std::vector<napi_ref> callbacks_;
  int holds_ = 0;
  std::mutex lock_;
  std::vector<std::uint32_t> rung_;
};

inline Handle::Handle(Environment& environment, std::uint32_t number,
                      std::shared_ptr<millrace::MessageQueue> queue, millrace::ByteRing* ring)
    : environment_(environment),
      number_(number),
      queue_(std::move(queue)),
      ring_(ring),
      bell_(std::make_shared<millrace::Doorbell>(&Handle::ring_bell, this)),
      reader(bell_),
      writer(bell_),
      sleeper(environment.sleeper.bell) {}

inline Handle::~Handle() {
  bell_->detach();
  // A message or room that one of them was woken for is the next one's.
  queue_->settle_reader(reader);
  queue_->settle_reader(sleeper);
  queue_->settle_writer(writer);
  // Another handle of this thread takes the side of a ring again when it needs it.
  queue_->leave(environment_.user);
  if (address_ != nullptr) address_->release();
}

inline void Handle::ring_bell(void* handle) {
  auto& self = *static_cast<Handle*>(handle);
  self.environment_.ring(self);
}
