#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "event_loop.h"
#include "millrace/io/epoll.h"

// An epoll instance that hangs in the event loop of its thread: what becomes ready there wakes the
// loop, without a thread of its own. Used by that thread only. Owns the epoll descriptor and a
// handle of the loop, which end() gives back; it deletes itself when the loop has let go. A turn of
// the loop takes at most kBatch events, so that a busy set does not starve what else the loop has.
class LoopPoller {
 public:
  static constexpr std::size_t kBatch = 64;

  // What has come: events, or why there will be no more.
  using OnEvents = void (*)(LoopPoller& poller, std::span<const epoll_event> events,
                            const millrace::SystemError& error);
  using OnEnded = void (*)(void* context);

  // Answers nullptr, and why in `error`. The loop is not kept alive until hold(true).
  static LoopPoller* open(uv_loop_s* loop, std::uint32_t id, void* context, OnEvents on_events,
                          OnEnded on_ended, millrace::SystemError& error) {
    std::unique_ptr<LoopPoller> poller(new LoopPoller(id, context, on_events, on_ended));
    error = poller->epoll.open();
    if (error) return nullptr;
    if (const int status = uv_poll_init(loop, poller->handle(), poller->epoll.fd()); status < 0) {
      error = {-status, "uv_poll_init"};
      return nullptr;
    }
    uv_handle_set_data(poller->base(), poller.get());
    uv_unref(poller->base());
    uv_poll_start(poller->handle(), kUvReadable, &LoopPoller::on_ready);
    return poller.release();
  }

  void hold(bool hold) { hold ? uv_ref(base()) : uv_unref(base()); }

  // Closes the descriptor at once; on_ended is called, and this deleted, in a later turn of the
  // loop. REQUIRES: not called before.
  void end() {
    uv_poll_stop(handle());
    epoll = {};
    uv_close(base(), [](uv_handle_s* handle) {
      const std::unique_ptr<LoopPoller> self(static_cast<LoopPoller*>(uv_handle_get_data(handle)));
      self->on_ended_(self->context);
    });
  }

  millrace::Epoll epoll;
  const std::uint32_t id;
  void* const context;

 private:
  LoopPoller(std::uint32_t id, void* context, OnEvents on_events, OnEnded on_ended)
      : id(id),
        context(context),
        memory_(new std::max_align_t[uv_handle_size(kUvPoll) / sizeof(std::max_align_t) + 1]),
        on_events_(on_events),
        on_ended_(on_ended) {}

  static void on_ready(uv_poll_s* handle, int status, int) {
    auto& self =
        *static_cast<LoopPoller*>(uv_handle_get_data(reinterpret_cast<const uv_handle_s*>(handle)));
    std::array<epoll_event, kBatch> events;
    millrace::SystemError error;
    int count = 0;
    if (status < 0) {
      error = {-status, "poll"};
    } else {
      count = self.epoll.wait(events, 0, error);
    }
    // An instance that cannot be read would wake the loop again and again.
    if (error) uv_poll_stop(handle);
    if (count == 0 && !error) return;
    self.on_events_(self, std::span(events).first(static_cast<std::size_t>(count)), error);
  }

  uv_poll_s* handle() { return reinterpret_cast<uv_poll_s*>(memory_.get()); }
  uv_handle_s* base() { return reinterpret_cast<uv_handle_s*>(memory_.get()); }

  std::unique_ptr<std::max_align_t[]> memory_;
  OnEvents on_events_;
  OnEnded on_ended_;
};
