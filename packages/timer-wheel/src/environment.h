#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "loop_watch.h"
#include "millrace/time/shared_timer_wheel.h"

// What JavaScript and its addon pass each other: a store costs a nanosecond, an argument ten, a
// number returned twenty. registers.ts has the same picture and checks the size.
//
//   byte  0  wheel u32, status u32
//         8  number f64
//        16  timer f64
//        24  id u32, -
struct Registers {
  // In: which of the thread's wheels. Out: what became of the call.
  std::uint32_t wheel;
  std::uint32_t status;
  // In: a delay in ms. Out: a count, a time.
  double number;
  // In and out: a timer's handle; 0: none.
  double timer;
  std::uint32_t id;
  std::uint32_t unused;
};
static_assert(sizeof(Registers) == 32 && offsetof(Registers, timer) == 16);

enum class Status : std::uint32_t { kNo = 0, kDone = 1, kClosed = 2 };

// One thread's handle on a wheel: that of its owner, who made it, or one that was attached.
struct WheelHandle {
  std::shared_ptr<millrace::SharedTimerWheel> wheel;
  std::uint32_t number = 0;  // that JavaScript knows it by
  bool owner = false;
  bool referenced = true;      // whether live timers keep the event loop alive
  LoopWatch* watch = nullptr;  // the owner's, with a running clock

  // To be called when there may be more or fewer live timers than none.
  void update_hold() {
    if (watch != nullptr) watch->hold(referenced && wheel->size() != 0);
  }
};

// What keeps a wheel's memory while an ArrayBuffer is over it. One that could not be made, because
// the thread is being terminated, may never call its finalizer: then it stays in the list, which
// goes with the environment, after all finalizers.
struct View {
  std::shared_ptr<millrace::SharedTimerWheel> wheel;
  std::list<View>& all;
  std::list<View>::iterator self;
};

// What one JavaScript thread has of this addon. Used by that thread only. When the thread ends, an
// asynchronous hook ends its wheels, as libuv must let go of them before the loop is taken down.
class Environment {
 public:
  explicit Environment(napi_env env) : env(env) {
    napi_get_uv_event_loop(env, &loop_);
    napi_add_async_cleanup_hook(
        env,
        [](napi_async_cleanup_hook_handle, void* self) {
          static_cast<Environment*>(self)->end_all();
        },
        this, &hook_);
  }

  // Handles are not used again: a late call must not reach another wheel.
  WheelHandle* handle(std::uint32_t number) const {
    return number < handles_.size() ? handles_[number].get() : nullptr;
  }

  // Answers nullptr, and why in `error`.
  WheelHandle* hold(std::shared_ptr<millrace::SharedTimerWheel> wheel, bool owner,
                    LoopWatch::OnEvent on_ready, millrace::SystemError& error) {
    auto handle = std::make_unique<WheelHandle>();
    handle->wheel = std::move(wheel);
    handle->number = static_cast<std::uint32_t>(handles_.size());
    handle->owner = owner;
    if (owner && handle->wheel->descriptor() >= 0) {
      const auto on_ended = [](void* self, void*) {
        static_cast<Environment*>(self)->watch_ended();
      };
      handle->watch = LoopWatch::open(loop_, handle->wheel->descriptor(), this, handle.get(),
                                      on_ready, on_ended, error);
      if (handle->watch == nullptr) return nullptr;
      ++watches_alive_;
    }
    return handles_.emplace_back(std::move(handle)).get();
  }

  void close(std::uint32_t number) {
    if (handle(number) == nullptr) return;
    const std::unique_ptr<WheelHandle> closed = std::move(handles_[number]);
    if (closed->watch != nullptr) closed->watch->end();
    if (closed->owner) closed->wheel->end();
  }

  const napi_env env;
  Registers* registers = nullptr;
  // (wheel, ids: Uint32Array)
  napi_ref dispatch = nullptr;
  // What has expired in one look; kept for its memory.
  std::vector<std::uint32_t> expired;
  std::list<View> views;

 private:
  void end_all() {
    ending_ = true;
    for (std::uint32_t number = 0; number < handles_.size(); ++number) close(number);
    leave_if_last();
  }
  void watch_ended() {
    --watches_alive_;
    leave_if_last();
  }
  void leave_if_last() {
    if (ending_ && watches_alive_ == 0) napi_remove_async_cleanup_hook(hook_);
  }

  uv_loop_s* loop_ = nullptr;
  std::vector<std::unique_ptr<WheelHandle>> handles_;
  // Those too that the loop has yet to let go of.
  std::uint32_t watches_alive_ = 0;
  bool ending_ = false;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};
