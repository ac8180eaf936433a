#pragma once

#include <node_api.h>

#include <cstdint>
#include <map>

#include "loop_poller.h"
#include "millrace/io/epoll.h"
#include "millrace/io/event_fd.h"

// What one JavaScript thread has of this addon. Used by that thread only. Handles count up and are
// not used again: a late finalizer must not close another's. When the thread ends, pollers are
// ended by an asynchronous hook, since libuv must let go of them before the loop is taken down, and
// the rest by the destructor, which runs after that.
class Environment {
 public:
  explicit Environment(napi_env env) : env(env) {
    napi_get_uv_event_loop(env, &loop);
    napi_add_async_cleanup_hook(
        env,
        [](napi_async_cleanup_hook_handle, void* self) {
          static_cast<Environment*>(self)->end_pollers();
        },
        this, &hook_);
  }

  std::uint32_t next_handle() { return ++last_handle_; }

  LoopPoller* poller(std::uint32_t handle) const {
    const auto found = pollers_.find(handle);
    return found == pollers_.end() ? nullptr : found->second;
  }

  LoopPoller* open_poller(LoopPoller::OnEvents on_events, millrace::SystemError& error) {
    const std::uint32_t handle = next_handle();
    const auto ended = [](void* self) { static_cast<Environment*>(self)->poller_ended(); };
    LoopPoller* const made = LoopPoller::open(loop, handle, this, on_events, ended, error);
    if (made == nullptr) return nullptr;
    pollers_.emplace(handle, made);
    ++pollers_alive_;
    return made;
  }

  void end_poller(std::uint32_t handle) {
    const auto found = pollers_.find(handle);
    if (found == pollers_.end()) return;
    found->second->end();
    pollers_.erase(found);
  }

  const napi_env env;
  uv_loop_s* loop = nullptr;
  // (handle, events, errno or 0, syscall or undefined), and what it finds the events in.
  napi_ref dispatch = nullptr;
  std::uint32_t* batch = nullptr;
  std::map<std::uint32_t, millrace::Epoll> sets;
  std::map<std::uint32_t, millrace::EventFd> events;

 private:
  void end_pollers() {
    ending_ = true;
    for (const auto& [handle, poller] : pollers_) poller->end();
    pollers_.clear();
    leave_if_last();
  }

  void poller_ended() {
    --pollers_alive_;
    leave_if_last();
  }

  void leave_if_last() {
    if (ending_ && pollers_alive_ == 0) napi_remove_async_cleanup_hook(hook_);
  }

  std::map<std::uint32_t, LoopPoller*> pollers_;
  // Those too that the loop has yet to let go of.
  std::uint32_t pollers_alive_ = 0;
  bool ending_ = false;
  std::uint32_t last_handle_ = 0;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};
