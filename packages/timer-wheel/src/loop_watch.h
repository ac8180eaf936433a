#pragma once

#include <cstddef>
#include <memory>

#include "event_loop.h"
#include "millrace/base/system_error.h"

// A descriptor that the event loop of this thread watches: on_ready is called whenever it is
// readable. Used by that thread only. Owns a handle of the loop, which end() gives back, and not
// the descriptor; it deletes itself when the loop has let go. The loop is kept alive while
// hold(true).
class LoopWatch {
 public:
  using OnEvent = void (*)(void* context, void* subject);

  // Answers nullptr, and why in `error`. on_ended is called with the subject too.
  static LoopWatch* open(uv_loop_s* loop, int fd, void* context, void* subject, OnEvent on_ready,
                         OnEvent on_ended, millrace::SystemError& error) {
    std::unique_ptr<LoopWatch> watch(new LoopWatch(context, subject, on_ready, on_ended));
    if (const int status = uv_poll_init(loop, watch->handle(), fd); status < 0) {
      error = {-status, "uv_poll_init"};
      return nullptr;
    }
    uv_handle_set_data(watch->base(), watch.get());
    uv_unref(watch->base());
    uv_poll_start(watch->handle(), kUvReadable, &LoopWatch::on_poll);
    return watch.release();
  }

  void hold(bool hold) {
    if (hold == held_) return;
    held_ = hold;
    hold ? uv_ref(base()) : uv_unref(base());
  }

  // From here on on_ready is not called; the descriptor may be closed. on_ended is called, and this
  // deleted, in a later turn of the loop. REQUIRES: not called before.
  void end() {
    uv_poll_stop(handle());
    uv_close(base(), [](uv_handle_s* handle) {
      const std::unique_ptr<LoopWatch> self(static_cast<LoopWatch*>(uv_handle_get_data(handle)));
      self->on_ended_(self->context_, self->subject_);
    });
  }

 private:
  LoopWatch(void* context, void* subject, OnEvent on_ready, OnEvent on_ended)
      : context_(context),
        subject_(subject),
        memory_(new std::max_align_t[uv_handle_size(kUvPoll) / sizeof(std::max_align_t) + 1]),
        on_ready_(on_ready),
        on_ended_(on_ended) {}

  static void on_poll(uv_poll_s* handle, int status, int) {
    auto& self =
        *static_cast<LoopWatch*>(uv_handle_get_data(reinterpret_cast<const uv_handle_s*>(handle)));
    // What cannot be read would wake the loop again and again.
    if (status < 0) uv_poll_stop(handle);
    self.on_ready_(self.context_, self.subject_);
  }

  uv_poll_s* handle() { return reinterpret_cast<uv_poll_s*>(memory_.get()); }
  uv_handle_s* base() { return reinterpret_cast<uv_handle_s*>(memory_.get()); }

  void* const context_;
  void* const subject_;
  std::unique_ptr<std::max_align_t[]> memory_;
  OnEvent on_ready_;
  OnEvent on_ended_;
  bool held_ = false;
};
